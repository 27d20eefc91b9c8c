# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentence embeddings on a CPU: the mean of a text's static token embeddings, as the package wordllama computes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from service_wrapper import BadRequest, snapshot_path
from tokenizers import Tokenizer

MOST_TEXTS = 1000


@dataclass(frozen=True)
class Embedder:
    """A row of numbers for each token, and what makes tokens of text."""

    model_id: str
    tokenizer: Tokenizer
    table: np.ndarray

    def embed(self, text: str) -> np.ndarray:
        """The vector of a text; of an empty one, zeros."""
        tokens = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self.table[tokens].sum(axis=0, dtype=np.float32) / max(len(tokens), 1)


def load(model_dir: str, model_id: str, revision: str) -> Embedder:
    folder = snapshot_path(model_dir, model_id, revision)
    (weights,) = folder.glob("*.safetensors")
    (tokenizer,) = folder.glob("*tokenizer*.json")
    table = load_file(weights)["embedding.weight"].astype(np.float32)
    return Embedder(model_id, Tokenizer.from_file(str(tokenizer)), table)


def infer(state: Embedder, request: dict[str, Any]) -> dict[str, Any]:
    vectors = [vector.tolist() for vector in _vectors(state, request)]
    return {"model": state.model_id, "dimensions": state.table.shape[1], "embeddings": vectors}


def infer_stream(state: Embedder, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for index, vector in enumerate(_vectors(state, request)):
        yield {"index": index, "embedding": vector.tolist()}


def _vectors(state: Embedder, request: dict[str, Any]) -> Iterator[np.ndarray]:
    texts = request.get("texts")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRequest("`texts` must be a list of strings")
    if len(texts) > MOST_TEXTS:
        raise BadRequest(f"`texts` has {len(texts)} entries; {MOST_TEXTS} are the most")
    normalize = request.get("normalize", False)
    if not isinstance(normalize, bool):
        raise BadRequest("`normalize` must be true or false")
    return (_unit(vector) if normalize else vector for vector in map(state.embed, texts))


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length else vector
