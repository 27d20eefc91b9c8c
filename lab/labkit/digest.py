"""Digests that answer one question: is what was built still what the sources say?"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

# Caches and tests change without changing what the sources build.
IGNORED_PARTS = {"__pycache__", "tests", ".pytest_cache", ".ruff_cache"}


def of_value(value: Any) -> str:
    """Digest of a JSON-able value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def source_files(root: Path) -> list[Path]:
    """The files below a folder that decide what is built from it."""
    if root.is_file():
        return [root]
    found = (path for path in root.rglob("*") if path.is_file())
    return sorted(path for path in found if not IGNORED_PARTS & set(path.relative_to(root).parts))


def of_paths(*roots: Path) -> str:
    """Digest of the names, executable bits and contents of files; a missing root counts as empty."""
    summary = []
    for root in roots:
        for path in source_files(root) if root.exists() else []:
            name = path.relative_to(root).as_posix()
            executable = bool(path.stat().st_mode & 0o100)
            summary.append([name, executable, hashlib.sha256(path.read_bytes()).hexdigest()])
    return of_value(summary)
