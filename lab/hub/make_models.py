#!/usr/bin/env python3
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the model repositories that the lab's Hub serves: DEST/<org>/<name>/ and DEST/<org>/<name>.meta.json.

The result depends on layouts.py and what it names. A folder that is up to date is not touched; a file that no layout
knows goes.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import sys
from pathlib import Path

from layouts import LFS_PATTERNS, REPOSITORIES, Files, Row, elements
from repository import Repository

LAST_MODIFIED = "2026-03-01T12:00:00.000Z"


def card(repo_id: str, row: Row) -> bytes:
    """README.md: the front matter that the Hub reads, and what this copy is."""
    head = {"license": row.licence, "pipeline_tag": row.pipeline_tag, "library_name": row.library}
    lines = [f"{key}: {value}" for key, value in head.items() if value]
    weights = (
        "One size of the real weights."
        if row.real_weights
        else "The real repository's layout with small made-up weights."
    )
    return "\n".join(["---", *lines, "---", f"# {repo_id}", "", weights, ""]).encode()


def repository_files(repo_id: str, row: Row) -> Files:
    attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS)
    return {".gitattributes": attributes.encode(), "README.md": card(repo_id, row), **row.files(repo_id)}


def parameters(files: Files) -> dict | None:
    """What the Hub shows of a root model.safetensors or its shards: parameters by dtype."""
    counts: dict[str, int] = {}
    for path, payload in files.items():
        if path == "model.safetensors" or (path.startswith("model-0") and path.endswith(".safetensors")):
            (length,) = struct.unpack("<Q", payload[:8])
            header = json.loads(payload[8 : 8 + length])
            for name, tensor in header.items():
                if name != "__metadata__":
                    counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + elements(tensor["shape"])
    return {"parameters": counts, "total": sum(counts.values())} if counts else None


def meta(row: Row, files: Files) -> dict:
    tags = [row.library, "safetensors" if any(path.endswith(".safetensors") for path in files) else None]
    tags += [row.pipeline_tag, f"license:{row.licence}"]
    answer: dict[str, object] = {
        "pipeline_tag": row.pipeline_tag,
        "library_name": row.library,
        "gated": row.gated,
        "tags": [tag for tag in tags if tag],
        "cardData": {"license": row.licence},
        "lastModified": LAST_MODIFIED,
    }
    shown = parameters(files)
    if shown:
        answer["safetensors"] = shown
    if row.renamed_to:
        answer["renamed_to"] = row.renamed_to
    return answer


def write_if_changed(path: Path, payload: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(payload) and path.read_bytes() == payload:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_bytes(payload)
    os.replace(scratch, path)


def remove_strangers(folder: Path, known: Files) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in known:
            path.unlink()


def write_repository(dest: Path, repo_id: str, row: Row) -> None:
    files = repository_files(repo_id, row)
    folder = dest / repo_id
    folder.mkdir(parents=True, exist_ok=True)
    remove_strangers(folder, files)
    for path, payload in files.items():
        write_if_changed(folder / path, payload)
    described = meta(row, files)
    sha = Repository.load(folder, repo_id, described).branches["main"]
    document = json.dumps({"sha": sha, **described}, indent=2) + "\n"
    write_if_changed(dest / f"{repo_id}.meta.json", document.encode())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dest", type=Path, metavar="DEST", help="folder to write to")
    dest = parser.parse_args(argv).dest
    for repo_id, row in REPOSITORIES.items():
        write_repository(dest, repo_id, row)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
