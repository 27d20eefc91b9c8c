# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part that is yours: how the model is loaded, and what it answers. This one counts words.

`load` runs once, in the background, while /health says 503; what it returns goes to every `infer`. Raise in it, and
/health is 500 with the reason. `infer` runs in a thread, as many at a time as the declaration's `capacity`, so protect
what cannot take that. Answers are anything that JSON can hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from service_wrapper import BadRequest


@dataclass
class Counter:
    """Stands where a model would be."""

    lower: bool


def load(model_dir: str, model_id: str, revision: str) -> Counter:
    # With weights: folder = service_wrapper.snapshot_path(model_dir, model_id, revision)
    return Counter(lower=True)


def infer(state: Counter, request: dict[str, Any]) -> dict[str, Any]:
    words = _words(state, request)
    return {"words": len(words), "distinct": len(set(words))}


def infer_stream(state: Counter, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Optional: without it, /v1/infer/stream sends the answer of `infer` as its one event."""
    for number, word in enumerate(_words(state, request), start=1):
        yield {"number": number, "word": word}


def _words(state: Counter, request: dict[str, Any]) -> list[str]:
    text = request.get("text")
    if not isinstance(text, str):
        raise BadRequest("`text` must be a string")
    return (text.lower() if state.lower else text).split()
