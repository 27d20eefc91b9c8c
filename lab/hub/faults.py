# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab adds to the Hub: faults on demand, and counters that say what was asked of it."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import asdict, dataclass, fields

ANSWER_FAULTS = ("status", "rate_limit")  # replace the whole answer
BODY_FAULTS = ("cut", "wrong_bytes", "stall", "slow")  # spoil the body of an answer that is otherwise right


class Cut(Exception):
    """The connection ends here."""


@dataclass
class Fault:
    """One fault. Offsets count bytes of the response body, whatever range of the file it carries."""

    match: str
    kind: str
    method: str = ""
    times: int = 1
    count_from: int = 0
    at: int = 0
    status: int = 500
    error_code: str | None = None
    message: str | None = None
    retry_after: int = 1
    seconds: float = 3600
    bytes_per_second: int = 1 << 16
    seen: int = 0
    fired: int = 0

    @classmethod
    def parse(cls, item: object) -> Fault:
        """A fault from its JSON object; raises ValueError with the reason."""
        if not isinstance(item, dict):
            raise ValueError(f"a fault is an object, not {item!r}")
        known = {entry.name for entry in fields(cls)} - {"seen", "fired"}
        # what GET /_lab/faults shows can be posted back
        item = {key: value for key, value in item.items() if key not in ("seen", "fired")}
        unknown = sorted(set(item) - known)
        if unknown:
            raise ValueError(f"unknown fault keys: {', '.join(unknown)} (known: {', '.join(sorted(known))})")
        missing = [key for key in ("match", "kind") if key not in item]
        if missing:
            raise ValueError(f"a fault needs {' and '.join(missing)}")
        if item["kind"] not in ANSWER_FAULTS + BODY_FAULTS:
            raise ValueError(f"unknown kind {item['kind']!r} (known: {', '.join(ANSWER_FAULTS + BODY_FAULTS)})")
        try:
            re.compile(item["match"])
        except (re.error, TypeError) as error:
            raise ValueError(f"match {item['match']!r} is not a regular expression: {error}") from error
        return cls(**item)

    def spoil(self, chunks, stopping: threading.Event):
        """Pass the body through with this fault in it."""
        return getattr(self, f"_{self.kind}")(chunks, stopping)

    def _cut(self, chunks, stopping):
        left = self.at
        for chunk in chunks:
            if len(chunk) > left:
                if left:
                    yield chunk[:left]
                raise Cut
            left -= len(chunk)
            yield chunk

    def _wrong_bytes(self, chunks, stopping):
        offset = 0
        for chunk in chunks:
            if offset <= self.at < offset + len(chunk):
                place = self.at - offset
                wrong = bytes(byte ^ 0xFF for byte in chunk[place : place + 16])
                chunk = chunk[:place] + wrong + chunk[place + 16 :]
            offset += len(chunk)
            yield chunk

    def _stall(self, chunks, stopping):
        left = self.at
        stalled = False
        for chunk in chunks:
            if not stalled and len(chunk) >= left:
                if left:
                    yield chunk[:left]
                chunk = chunk[left:]
                stalled = True
                if stopping.wait(self.seconds):
                    raise Cut
            left -= len(chunk)
            yield chunk

    def _slow(self, chunks, stopping):
        step = max(1, self.bytes_per_second // 20)
        for chunk in chunks:
            for start in range(0, len(chunk), step):
                piece = chunk[start : start + step]
                if stopping.wait(len(piece) / self.bytes_per_second):
                    raise Cut
                yield piece


class Faults:
    """The list of faults in force; the first that matches a request is the one that happens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def replace(self, items: object) -> list[dict]:
        if not isinstance(items, list):
            raise ValueError("faults are a list of objects")
        faults = [Fault.parse(item) for item in items]
        with self._lock:
            self._faults = faults
        return self.show()

    def show(self) -> list[dict]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def take(self, method: str, path: str, kinds: tuple[str, ...]) -> Fault | None:
        """The fault that this request meets, if any. `count_from` requests pass first, then `times` are hit."""
        with self._lock:
            for fault in self._faults:
                if fault.kind not in kinds or fault.method not in ("", method) or not re.search(fault.match, path):
                    continue
                fault.seen += 1
                if fault.seen > fault.count_from and (fault.times < 0 or fault.fired < fault.times):
                    fault.fired += 1
                    return fault
        return None


class Counters:
    """Requests by kind, bytes of file content sent, and the last requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._numbers = {"total": 0, "api": 0, "resolve": 0, "lfs": 0, "bytes": 0, "lfs_with_token": 0}
            self._log: deque[str] = deque(maxlen=200)

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._numbers[name] += amount

    def log(self, line: str) -> None:
        with self._lock:
            self._log.append(line)

    def show(self) -> dict:
        with self._lock:
            return {**self._numbers, "log": list(self._log)}
