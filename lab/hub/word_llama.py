# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one repository of the lab's Hub with real weights: what the package wordllama ships, under the Hub's names.

The package is part of the Python environment, where requirements.txt pins it; nothing of it is imported here.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

PACKAGE = "wordllama"
# Path in the repository, where the package fetches it from when it does not ship it: (folder in the package, SHA-256).
FILES = {
    "l2_supercat_256.safetensors": ("weights", "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5"),
    "l2_supercat_tokenizer_config.json": (
        "tokenizers",
        "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
    ),
}


def word_llama(_seed: str) -> dict[str, bytes]:
    """The files, proved to be those that the tests were written for."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise SystemExit(
            f"make_models: the package {PACKAGE} is not installed; run lab/bootstrap.sh, and .venv/bin/python."
        )
    files = {}
    for name, (folder, sha256) in FILES.items():
        files[name] = (Path(spec.origin).parent / folder / name).read_bytes()
        if hashlib.sha256(files[name]).hexdigest() != sha256:
            raise SystemExit(f"make_models: {PACKAGE} has another {name} than the one this lab knows.")
    return files
