# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image-to-text (ai-runner.md 2.1, 2.6 item 6)."""

from __future__ import annotations

import logging
from typing import Any

from ..components import load_tokenizer, load_transformers_model, required_json
from ..errors import Refusal
from ..retouch import describe
from ..schema import Field
from .base import Pipeline, open_image

log = logging.getLogger(__name__)

MOST_BYTES = 50 * 1024 * 1024


class ImageToTextPipeline(Pipeline):
    name = "image-to-text"
    log_name = "ImageToTextPipeline"
    failure = "Image-to-text pipeline error."
    out_of_memory = "Out of memory error. Try reducing input image resolution."
    bearer_message = "Invalid bearer token"
    mismatch_end = ""
    tolerates_truncated_images = False
    fields = (
        Field("image", "file"),
        Field("prompt", "str", ""),
        Field("model_id", "str", ""),
    )

    def load(self) -> None:
        variant = "fp16" if self.cache.has_fp16_file(self.model_id) and self.settings.device != "cpu" else None
        log.info("ImageToTextPipeline loading %s variant for %s", variant or "the default", self.model_id)
        snapshot = self.cache.snapshot(self.model_id)
        config, files = load_transformers_model(snapshot, variant, pickled=False)
        model_type = config.get("model_type")
        if model_type != "blip":
            log.warning("You are using a model of type %s to instantiate a model of type blip.", model_type)
        self.keep(files)
        required_json(snapshot, "preprocessor_config.json")
        load_tokenizer(snapshot)

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        if len(values["image"].data) > MOST_BYTES:
            raise Refusal(413, "File size exceeds limit")
        return {"picture": open_image(values["image"]), "prompt": values["prompt"]}

    def infer(self, job: dict[str, Any]) -> dict[str, str]:
        self.work()
        # A prompt is the beginning of the caption.
        return {"text": f"{job['prompt']} {describe(job['picture'])}".strip()}
