# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.

"""One writer per repository on a host, and a name for whoever it is."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time

# A run holds the kernel's lock only while its module runs. Between two calls it keeps a claim in the file, which
# outlives a controller that was interrupted by no more than this.
CLAIM_SECONDS = 15
WAIT_SECONDS = CLAIM_SECONDS + 5


class LockHeld(Exception):
    """Somebody else works on the repository: one sentence naming who."""


class RepositoryLock:
    def __init__(self, path, model_id, run, holder):
        self.path = path
        self.model_id = model_id
        self.run = run
        self.holder = holder
        self.descriptor = None

    def acquire(self, wait=WAIT_SECONDS):
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        limit = time.monotonic() + wait
        while not self._take():
            if time.monotonic() >= limit:
                told = self._read()
                os.close(self.descriptor)
                self.descriptor = None
                raise LockHeld(
                    f"{self.model_id} is being changed by {told.get('holder', 'another process')} (process "
                    f"{told.get('pid', 'unknown')} on this host, since {told.get('since', 'an unknown time')}); wait "
                    "for it to finish or stop it, then run again."
                )
            time.sleep(0.5)
        self._write(None)

    def release(self, claim=False):
        """Let go; with `claim` the repository stays ours for the next call of the same run."""
        self._write(time.time() + CLAIM_SECONDS if claim else 0)
        os.close(self.descriptor)
        self.descriptor = None

    def _take(self):
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        told = self._read()
        # A holder that was killed leaves `until` empty; the kernel has dropped its lock, so nothing is in its way.
        if told.get("run") == self.run or (told.get("until") or 0) <= time.time():
            return True
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        return False

    def _read(self):
        try:
            told = json.loads(os.pread(self.descriptor, 4096, 0))
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    def _write(self, until):
        told = {
            "run": self.run,
            "pid": os.getpid(),
            "holder": self.holder,
            "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "until": until,
        }
        text = json.dumps(told).encode()
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text, 0)
