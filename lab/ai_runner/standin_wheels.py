# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels of the packages in standins/: the same bytes from the same sources."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

STANDINS = Path(__file__).parent / "standins"
# Distribution -> version and what it requires. The versions are those that a real project resolves to at v0.14.1.
DISTRIBUTIONS = {
    "torch": ("2.8.0+standin", ("numpy",)),
    "diffusers": ("0.35.2", ()),
    "transformers": ("4.57.3", ()),
    "pytorch_triton": ("3.3.0", ()),
}
# The oldest time that a zip archive can hold.
WHEN = (1980, 1, 1, 0, 0, 0)


def write_all(dest: Path) -> list[Path]:
    dest.mkdir(parents=True, exist_ok=True)
    return [write(name, version, requires, dest) for name, (version, requires) in DISTRIBUTIONS.items()]


def write(name: str, version: str, requires: tuple[str, ...], dest: Path) -> Path:
    """One wheel, for any Python 3."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: The lab's stand-in\n"
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    folder = STANDINS / name
    members = {path.relative_to(STANDINS).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.py"))}
    members[f"{info}/METADATA"] = metadata.encode()
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members[f"{info}/RECORD"] = record(members, f"{info}/RECORD").encode()
    wheel = dest / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member, WHEN), content)
    return wheel


def record(members: dict[str, bytes], own: str) -> str:
    """The list of files with their hashes; its own line has none."""
    lines = []
    for member, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{member},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{own},,", ""])
