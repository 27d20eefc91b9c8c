# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files of a model are in the mounted folder, which has the layout of the Hugging Face cache."""

from __future__ import annotations

import re
from pathlib import Path

COMMIT = re.compile(r"[0-9a-f]{40}")


def snapshot_path(model_dir: str | Path, model_id: str, revision: str = "main") -> Path:
    """The folder with the files of a model at a revision (a branch, a tag or a commit).

    The role model_weights records the commit of whatever revision it fetched as `main`.
    """
    repository = Path(model_dir) / f"models--{model_id.replace('/', '--')}"
    if not repository.is_dir():
        raise FileNotFoundError(f"no weights of {model_id} below {model_dir}: is the model in `models`, and mounted?")
    commit = revision if COMMIT.fullmatch(revision) else _commit_of(repository, revision)
    snapshot = repository / "snapshots" / commit
    if not snapshot.is_dir():
        raise FileNotFoundError(f"the weights of {model_id} at {commit} are not below {model_dir}")
    return snapshot


def _commit_of(repository: Path, revision: str) -> str:
    for name in (revision, "main"):
        reference = repository / "refs" / name
        if reference.is_file():
            return reference.read_text(encoding="ascii").strip()
    raise FileNotFoundError(f"{repository.name} has no refs/{revision}: its download is not complete")
