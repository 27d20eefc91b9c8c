# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wrapper on the path, as it is in the image, and the Hub's files of the model in the cache's layout."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[2]
WRAPPER = LAB.parent / "collections/ansible_collections/livepeer/ai/roles/_service/files/wrapper"
MODEL_ID = "dleemiller/word-llama-l2-supercat"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

for folder in (WRAPPER, LAB / "hub"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder as model_weights leaves it, with the files that the declarations name."""
    from word_llama import word_llama

    models = tmp_path_factory.mktemp("models")
    repository = models / f"models--{MODEL_ID.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for name, content in word_llama("").items():
        (snapshot / name).write_bytes(content)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(COMMIT, encoding="ascii")
    return models
