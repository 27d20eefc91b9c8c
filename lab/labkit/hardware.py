"""What a GPU host has besides its identity: the description of its hardware and the unit that makes it visible."""

from __future__ import annotations

from pathlib import Path

from . import digest, paths

DESCRIPTIONS = paths.GPU / "hardware"
# Laid over the host's root file system; executable where the source is.
OVERLAY = paths.GPU / "host"


def description(name: str) -> Path:
    return DESCRIPTIONS / f"{name}.json"


def files(name: str) -> dict[str, tuple[bytes, int]]:
    """Path in the container -> (content, mode)."""
    found = {"etc/lab/hardware.json": (description(name).read_bytes(), 0o644)}
    for path in digest.source_files(OVERLAY):
        mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
        found[path.relative_to(OVERLAY).as_posix()] = (path.read_bytes(), mode)
    return found
