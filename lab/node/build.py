#!/usr/bin/env python3
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the node stand-in as go-livepeer's release is packed: one archive with ./<archive name>/livepeer in it.

The same sources give the same bytes, so an unchanged stand-in is an unchanged digest to the roles.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

ARCHIVE = "livepeer-linux-amd64"
PACKAGE = Path(__file__).parent / "livepeer_node"
# -I: the node must not be steered by PYTHON… variables or the directory it is started in.
SHEBANG = b"#!/usr/bin/env -S python3 -I\n"
ENTRY = b"import runpy\n\nrunpy.run_module('livepeer_node', run_name='__main__', alter_sys=False)\n"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def executable() -> bytes:
    """The zipapp `livepeer`: standard library only, so that it runs on a bare Debian host."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", ZIP_TIME), ENTRY)
        for source in sorted(PACKAGE.glob("*.py")):
            archive.writestr(zipfile.ZipInfo(f"livepeer_node/{source.name}", ZIP_TIME), source.read_bytes())
    return SHEBANG + content.getvalue()


def release_archive() -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        folder = tarfile.TarInfo(f"./{ARCHIVE}")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        data = executable()
        member = tarfile.TarInfo(f"./{ARCHIVE}/livepeer")
        member.size, member.mode = len(data), 0o755
        archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def build(out: Path) -> Path:
    """Write the archive and its .sha256 beside it; the path of the archive."""
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{ARCHIVE}.tar.gz"
    content = release_archive()
    target.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (out / f"{target.name}.sha256").write_text(f"{digest}  {target.name}\n", encoding="ascii")
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/node"), help="directory to write to")
    print(build(parser.parse_args().out))


if __name__ == "__main__":
    main()
