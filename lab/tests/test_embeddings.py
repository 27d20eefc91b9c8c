# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's embedding service gives the numbers of the package whose weights it has."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

LAB = Path(__file__).resolve().parents[1]
WRAPPER = LAB.parent / "collections/ansible_collections/livepeer/ai/roles/_service/files/wrapper"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL_ID = "dleemiller/word-llama-l2-supercat"

# As in the image, and as the lab's Hub is built.
sys.path += [str(WRAPPER), str(LAB / "hub")]
TEXTS = [
    "The orchestrator sends jobs to runners.",
    "A node of the network passes work on to its workers.",
    "Grüße aus Köln, 東京 and Αθήνα 🎥",
    "x",
    "  two  spaces\nand a line ",
    "word " * 700,
    "",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder as model_weights leaves it, with the files that the Hub has of the model."""
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


@pytest.fixture(scope="module")
def service():
    from service_wrapper.model import import_service

    return import_service(LAB / "embeddings")


@pytest.fixture(scope="module")
def state(service, models: Path):
    return service.load(str(models), MODEL_ID, "main")


@pytest.fixture(scope="module")
def package():
    import wordllama

    # Left to itself it looks for its tokenizer in a folder `tokenizer` that it does not have.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


def test_vectors_are_those_of_the_package(service, state, package) -> None:
    answer = service.infer(state, {"texts": TEXTS})
    ours, theirs = np.array(answer["embeddings"]), package.embed(TEXTS)
    assert (answer["model"], answer["dimensions"], ours.shape) == (MODEL_ID, 256, (len(TEXTS), 256))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
    some = [index for index, text in enumerate(TEXTS) if text]
    lengths = np.linalg.norm(ours[some], axis=1) * np.linalg.norm(theirs[some], axis=1)
    assert ((ours[some] * theirs[some]).sum(axis=1) / lengths > 0.9999).all()
    # Numbers that say something: the first two are about one thing, the first and third are not.
    assert ours[0] @ ours[1] > ours[0] @ ours[2]


def test_unit_vectors_on_demand(service, state, package) -> None:
    ours = np.array(service.infer(state, {"texts": TEXTS, "normalize": True})["embeddings"])
    some = [index for index, text in enumerate(TEXTS) if text]
    np.testing.assert_allclose(ours[some], package.embed([TEXTS[index] for index in some], norm=True), atol=1e-5)
    assert not ours[TEXTS.index("")].any()


def test_stream_gives_the_same_vectors_one_by_one(service, state) -> None:
    request = {"texts": TEXTS[:3]}
    whole = service.infer(state, request)["embeddings"]
    pieces = list(service.infer_stream(state, request))
    assert pieces == [{"index": index, "embedding": vector} for index, vector in enumerate(whole)]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({}, "`texts` must be"),
        ({"texts": []}, "`texts` must be"),
        ({"texts": "one"}, "`texts` must be"),
        ({"texts": ["one", 2]}, "`texts` must be"),
        ({"texts": ["one"] * 1001}, "1000 are the most"),
        ({"texts": ["one"], "normalize": 1}, "`normalize` must be"),
    ],
)
def test_what_cannot_be_embedded_is_refused(service, state, request_: dict, reason: str) -> None:
    from service_wrapper import BadRequest

    with pytest.raises(BadRequest, match=reason):
        service.infer(state, request_)
    with pytest.raises(BadRequest, match=reason):
        list(service.infer_stream(state, request_))
