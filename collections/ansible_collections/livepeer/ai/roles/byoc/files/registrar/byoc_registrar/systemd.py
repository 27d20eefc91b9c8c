# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd wants to be told, and a log that journald understands."""

from __future__ import annotations

import os
import socket
import sys
import time

INFO, WARNING, ERROR = 6, 4, 3


def notify(*lines):
    """Tell the service manager; nothing happens without one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as messenger:
        messenger.connect("\0" + address[1:] if address.startswith("@") else address)
        messenger.sendall("\n".join(lines).encode())


def reloading():
    """The time makes it valid for Type=notify-reload as well."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def log(level, text):
    """One line; journald reads the level from its beginning."""
    sys.stderr.write(f"<{level}>{' '.join(text.split())}\n")
    sys.stderr.flush()
