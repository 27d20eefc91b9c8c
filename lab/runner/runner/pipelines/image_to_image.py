# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image-to-image (ai-runner.md 2.1, 2.6, 10.3)."""

from __future__ import annotations

from typing import Any

from ..errors import InferenceError
from ..retouch import restyle
from ..schema import Field
from .base import check_memory, open_image
from .diffusion import (
    IMAGE_GROUPS,
    IMAGE_UNUSABLE,
    SDXL_LIGHTNING,
    DiffusionPipeline,
    check_seed,
    group_of,
    media,
    random_seed,
)

INSTRUCT_PIX2PIX = "timbrooks/instruct-pix2pix"


class ImageToImagePipeline(DiffusionPipeline):
    name = "image-to-image"
    log_name = "ImageToImagePipeline pipeline"
    failure = "Image-to-image pipeline error."
    out_of_memory = "Out of memory error. Try reducing input image resolution."
    fields = (
        Field("prompt", "str"),
        Field("image", "file"),
        Field("model_id", "str", ""),
        Field("loras", "str", ""),
        Field("strength", "float", 0.8),
        Field("guidance_scale", "float", 7.5),
        Field("image_guidance_scale", "float", 1.5),
        Field("negative_prompt", "str", ""),
        Field("safety_check", "bool", True),
        Field("seed", "int", None),
        Field("num_inference_steps", "int", 100),
        Field("num_images_per_prompt", "int", 1),
    )

    def load_model(self) -> None:
        variant = self.choose_variant()
        if SDXL_LIGHTNING in self.model_id:
            self.load_lightning(variant)
        elif INSTRUCT_PIX2PIX in self.model_id:
            self.load_from(self.model_id, "StableDiffusionInstructPix2PixPipeline", variant)
        else:
            self.load_from(self.model_id, self.class_in_index(IMAGE_GROUPS), variant)

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        seed = values["seed"] if values["seed"] is not None else random_seed()
        seeds = [seed + number for number in range(values["num_images_per_prompt"])]
        return values | {"seeds": seeds, "picture": open_image(values["image"])}

    def infer(self, job: dict[str, Any]) -> list[dict]:
        return [self._transform(job, seed) for seed in job["seeds"]]

    def _transform(self, job: dict[str, Any], seed: int) -> dict:
        check_seed(seed)
        self.load_loras(job["loras"])
        if group_of(self.model_class) in IMAGE_UNUSABLE:
            raise InferenceError(
                TypeError(f"{self.model_class}.__call__() got an unexpected keyword argument 'image_guidance_scale'")
            )
        if not 0 <= job["strength"] <= 1:
            raise InferenceError(ValueError(f"The value of strength should in [0.0, 1.0] but is {job['strength']}"))
        picture = job["picture"]
        # The model works on multiples of 8 pixels, so the answer may be a little smaller than the question.
        width, height = picture.width // 8 * 8, picture.height // 8 * 8
        if not width or not height:
            raise InferenceError(ValueError("height and width must be > 0"))
        check_memory(width, height)
        self.work()
        changed = restyle(picture.resize((width, height)), job["prompt"], seed, job["strength"])
        return media(changed, seed, self.flagged(job))

    def present(self, result: list[dict]) -> dict:
        return {"images": result}
