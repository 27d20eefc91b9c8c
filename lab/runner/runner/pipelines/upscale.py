# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""upscale (ai-runner.md 2.1)."""

from __future__ import annotations

from typing import Any

from ..retouch import enlarge
from ..schema import Field
from .base import check_memory, open_image
from .diffusion import DiffusionPipeline, check_seed, media, random_seed

FACTOR = 4


class UpscalePipeline(DiffusionPipeline):
    name = "upscale"
    # The real route logs under the name of text-to-image.
    log_name = "TextToImage pipeline"
    failure = "Upscale pipeline error."
    out_of_memory = "Out of memory error. Try reducing input image resolution."
    fields = (
        Field("prompt", "str"),
        Field("image", "file"),
        Field("model_id", "str", ""),
        Field("safety_check", "bool", True),
        Field("seed", "int", None),
        Field("num_inference_steps", "int", 75),
    )

    def load_model(self) -> None:
        self.load_from(self.model_id, "StableDiffusionUpscalePipeline", self.choose_variant())

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        # Zero counts as "no seed" on this route.
        return values | {"seed": values["seed"] or random_seed(), "picture": open_image(values["image"])}

    def infer(self, job: dict[str, Any]) -> list[dict]:
        check_seed(job["seed"])
        picture = job["picture"]
        check_memory(picture.width * FACTOR, picture.height * FACTOR)
        self.work()
        return [media(enlarge(picture, FACTOR), job["seed"], self.flagged(job))]

    def present(self, result: list[dict]) -> dict:
        return {"images": result}
