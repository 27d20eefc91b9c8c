# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's files and commands, asked in a way that never raises and never hangs. Private to the collection."""

from __future__ import annotations

import contextlib
import glob
import os
import signal
import subprocess
from typing import NamedTuple

# Where systemd's services, dockerd among them, look for programs; sudo's path may lack half of it.
BIN_DIRECTORIES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# How long a killed process may take to die. One that waits for a broken GPU inside the kernel never does.
GRACE = 2.0
LONGEST_FILE = 16 * 1024 * 1024
DEEPEST_LINK = 16


class Outcome(NamedTuple):
    """What came of a command; code is None if it could not be started or did not end in time."""

    code: int | None
    out: str = ""
    err: str = ""
    timed_out: bool = False

    @property
    def ok(self):
        return self.code == 0

    @property
    def missing(self):
        return self.code is None and not self.timed_out


def run_command(argv, seconds):
    """Run a command for at most so many seconds. What hangs beyond a kill is left behind rather than waited for."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": os.pathsep.join(BIN_DIRECTORIES)}
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError):
        return Outcome(None)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        return Outcome(None, timed_out=True)
    return Outcome(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def _kill(process):
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=GRACE)


class Host:
    """The files below root, and commands. Paths are given and returned as the host itself names them."""

    def __init__(self, root="/", run=run_command, kernel=""):
        self.root = root.rstrip("/")
        self.kernel = kernel or os.uname().release
        self._run = run

    def run(self, *argv, seconds=30.0):
        return self._run(list(argv), seconds)

    def on_disk(self, path):
        return self.root + path

    def read_bytes(self, path):
        """The file's content, empty if there is none or it cannot be read."""
        try:
            with open(self.on_disk(path), "rb") as file:
                return file.read(LONGEST_FILE)
        except OSError:
            return b""

    def read(self, path):
        return self.read_bytes(path).decode("utf-8", "replace")

    def exists(self, path):
        return os.path.exists(self.on_disk(path))

    def is_file(self, path):
        return os.path.isfile(self.on_disk(path))

    def glob(self, pattern):
        return sorted(path[len(self.root) :] for path in glob.glob(self.on_disk(pattern)))

    def link_name(self, path):
        """The last part of what a link points to, empty if it is no link."""
        try:
            return os.path.basename(os.readlink(self.on_disk(path)))
        except OSError:
            return ""

    def resolve(self, path):
        """The file behind a chain of links, as Debian's alternatives make them, or empty."""
        for _step in range(DEEPEST_LINK):
            try:
                target = os.readlink(self.on_disk(path))
            except OSError:
                return path if self.exists(path) else ""
            path = os.path.normpath(os.path.join(os.path.dirname(path), target))
        return ""

    def which(self, program):
        """The path of a program, or empty."""
        for directory in BIN_DIRECTORIES:
            path = f"{directory}/{program}"
            if os.access(self.on_disk(path), os.X_OK) and self.is_file(path):
                return path
        return ""
