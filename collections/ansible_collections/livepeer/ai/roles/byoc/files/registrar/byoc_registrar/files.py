# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a reader never finds half written, and what the registrar remembers across restarts."""

from __future__ import annotations

import contextlib
import json
import os
import threading

from byoc_registrar.machine import Record


def write(path, text, mode=0o644, durable=False):
    """Exchange a file as a whole; durable means also after a power failure."""
    temporary = f"{path}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(handle, mode)
        file.write(text)
        if durable:
            file.flush()
            os.fsync(handle)
    os.replace(temporary, path)


class Records:
    """What is registered with which orchestrator by us: {(orchestrator, name): Record}."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.records = {}
        # Without a memory everything is registered anew, which is right; so a broken one is no reason to stop.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(path, encoding="utf-8") as file:
            for item in json.load(file)["registrations"]:
                key = (str(item["orchestrator"]), str(item["name"]))
                self.records[key] = Record(str(item["digest"]), str(item["fingerprint"]))

    def get(self, key):
        return self.records.get(key)

    def keys(self):
        with self.lock:
            return list(self.records)

    def set(self, key, record):
        """Remember, or forget with None; the file is written only if that is news."""
        with self.lock:
            if self.records.get(key) == record:
                return
            if record is None:
                del self.records[key]
            else:
                self.records[key] = record
            items = [
                {"orchestrator": url, "name": name, "digest": one.digest, "fingerprint": one.fingerprint}
                for (url, name), one in sorted(self.records.items())
            ]
            write(self.path, json.dumps({"registrations": items}, indent=2) + "\n", 0o600, durable=True)
