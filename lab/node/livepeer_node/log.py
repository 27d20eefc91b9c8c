# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines on stderr in glog's form (facts 1.2, 8); the worker's lines have slog's form, as upstream's have."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NoReturn

_lock = threading.Lock()
_verbosity = 3


class Exit(Exception):
    """End the process with this status; whatever had to be said has been said."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(text)
        self.code = code


def set_verbosity(text: str) -> None:
    """Take -v; glog ignores what is not a number, so we keep the old level then."""
    global _verbosity
    if text.isdigit():
        _verbosity = int(text)


def verbosity() -> int:
    return _verbosity


def _write(line: str) -> None:
    with _lock:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _glog(letter: str, text: str, depth: int) -> None:
    frame = sys._getframe(depth)
    now = time.time()
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
    source = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
    _write(f"{letter}{stamp}.{int(now % 1 * 1e6):06d} {os.getpid():7d} {source}] {text}")


def info(text: str) -> None:
    _glog("I", text, 2)


def verbose(level: int, text: str) -> None:
    if _verbosity >= level:
        _glog("I", text, 2)


def warning(text: str) -> None:
    _glog("W", text, 2)


def error(text: str) -> None:
    _glog("E", text, 2)


def fatal(text: str, code: int = 1) -> NoReturn:
    """glog.Exit ends with 1; the helper exit() of the starter ends with 2 (facts 1.3)."""
    _glog("F" if code == 1 else "E", text, 2)
    raise Exit(code, text)


def stop(text: str) -> NoReturn:
    """The error that is logged, then a plain return: the process ends with status 0 (facts 1.3)."""
    _glog("E", text, 2)
    raise Exit(0, text)


def panic(text: str) -> NoReturn:
    """A Go panic: its text on stderr, status 2."""
    _write(f"panic: {text}\n\ngoroutine 1 [running]:\nmain.main.func1()")
    raise Exit(2, text)


def slog(level: str, text: str, **attributes: object) -> None:
    """One line of Go's log/slog default handler."""
    shown = "".join(f" {key}={_quoted(value)}" for key, value in attributes.items())
    _write(f"{time.strftime('%Y/%m/%d %H:%M:%S')} {level} {text}{shown}")


def _quoted(value: object) -> str:
    text = str(value)
    needs = not text or any(c.isspace() or c in '="' for c in text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if needs else text
