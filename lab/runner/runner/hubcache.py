# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Hugging Face cache layout, read the way huggingface_hub reads it offline (ai-runner.md 2.5)."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import LocalEntryNotFoundError


def folder_name(repo_id: str) -> str:
    return "models--" + repo_id.replace("/", "--")


class HubCache:
    """One cache folder: what it holds, and nothing else. It never asks the network."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, repo_id: str) -> Path:
        return self.root / folder_name(repo_id)

    def snapshot(self, repo_id: str) -> Path:
        """The folder of the cached `main` revision."""
        reference = self.folder(repo_id) / "refs" / "main"
        if not reference.is_file():
            raise LocalEntryNotFoundError(f"Cannot find a cached snapshot of {repo_id}: {reference} does not exist.")
        # The text is used as it stands: a newline at its end names a folder that does not exist.
        revision = reference.read_text(encoding="utf-8")
        snapshot = self.folder(repo_id) / "snapshots" / revision
        if not revision or not snapshot.is_dir():
            raise LocalEntryNotFoundError(
                f"Cannot find a cached snapshot of {repo_id}: {reference} names {revision!r}, "
                f"and {snapshot.parent} has no such folder."
            )
        return snapshot

    def file(self, repo_id: str, name: str) -> Path:
        path = self.snapshot(repo_id) / name
        if not path.is_file():
            raise LocalEntryNotFoundError(f"Cannot find the requested file {name} of {repo_id} in the cache at {path}.")
        return path

    def has_fp16_file(self, repo_id: str) -> bool:
        """Every snapshot counts, not only `main`: a stray fp16 file flips the choice."""
        return any(".fp16.safetensors" in name for _, _, names in os.walk(self.folder(repo_id)) for name in names)
