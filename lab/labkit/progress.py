"""Progress a person likes to read: one line per event, with the seconds since the start."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_started = time.monotonic()
_lock = threading.Lock()


def say(subject: str, text: str) -> None:
    """Print one line; safe from several threads at once."""
    line = f"[{time.monotonic() - _started:6.1f}s] {subject:<28} {text}"
    with _lock:
        print(line, file=sys.stdout, flush=True)


@contextmanager
def step(subject: str, doing: str, done: str) -> Iterator[None]:
    """Say what starts, and when it is over how long it took."""
    say(subject, doing)
    begin = time.monotonic()
    yield
    say(subject, f"{done} ({time.monotonic() - begin:.1f}s)")
