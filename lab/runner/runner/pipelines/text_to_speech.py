# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""text-to-speech (ai-runner.md 2.1, 2.6 item 9)."""

from __future__ import annotations

import base64
import logging
from typing import Any

from ..components import load_tokenizer, load_transformers_model
from ..schema import Field
from ..sound import speak
from .base import Pipeline

log = logging.getLogger(__name__)


class TextToSpeechPipeline(Pipeline):
    name = "text-to-speech"
    takes_form = False
    log_name = "TextToSpeechPipeline"
    failure = "Text-to-speech pipeline error."
    out_of_memory = "Out of memory error. Try reducing text input length."
    mismatch_end = ""
    fields = (
        Field("model_id", "str", ""),
        Field("text", "str", ""),
        Field(
            "description",
            "str",
            "A male speaker delivers a slightly expressive and animated speech with a moderate speed and pitch.",
        ),
    )

    def load(self) -> None:
        snapshot = self.cache.snapshot(self.model_id)
        config, files = load_transformers_model(snapshot, None, pickled=True)
        if config.get("model_type") != "parler_tts":
            raise ValueError(
                f"Config has to be initialized for a parler_tts model; {self.model_id} is {config.get('model_type')!r}."
            )
        self.keep(files)
        load_tokenizer(snapshot)

    def missing_input(self, values: dict[str, Any]) -> str | None:
        return None if values["text"] else "Text input must be provided."

    def infer(self, job: dict[str, Any]) -> bytes:
        self.work()
        return speak(job["text"], job["description"])

    def present(self, result: bytes) -> dict:
        return {"audio": {"url": "data:audio/wav;base64," + base64.b64encode(result).decode("ascii")}}
