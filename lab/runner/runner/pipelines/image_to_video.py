# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image-to-video (ai-runner.md 2.1, 2.6)."""

from __future__ import annotations

from typing import Any

from ..components import required_json
from ..errors import Refusal
from ..retouch import drift
from ..schema import Field
from .base import check_memory, image_url, open_image
from .diffusion import DiffusionPipeline, check_seed, random_seed

FRAMES_WITHOUT_CONFIG = 14


class ImageToVideoPipeline(DiffusionPipeline):
    name = "image-to-video"
    log_name = "ImageToVideo pipeline"
    failure = "Image-to-video pipeline error."
    out_of_memory = "Out of memory error. Try reducing input or output video resolution."
    fields = (
        Field("image", "file"),
        Field("model_id", "str", ""),
        Field("height", "int", 576),
        Field("width", "int", 1024),
        Field("fps", "int", 6),
        Field("motion_bucket_id", "int", 127),
        Field("noise_aug_strength", "float", 0.02),
        Field("safety_check", "bool", True),
        Field("seed", "int", None),
        Field("num_inference_steps", "int", 25),
    )

    def load_model(self) -> None:
        snapshot = self.load_from(self.model_id, "StableVideoDiffusionPipeline", self.choose_variant())
        # The model itself says how many frames it makes; the request cannot.
        self.frames = int(required_json(snapshot / "unet", "config.json").get("num_frames") or FRAMES_WITHOUT_CONFIG)

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        width, height = values["width"], values["height"]
        if height % 8 or width % 8:
            raise Refusal(400, f"`height` and `width` have to be divisible by 8 but are {height} and {width}.")
        return values | {"seed": values["seed"] if values["seed"] is not None else random_seed()}

    def infer(self, job: dict[str, Any]) -> dict[str, Any]:
        picture = open_image(job["image"])
        check_seed(job["seed"])
        check_memory(job["width"] * 2, job["height"])
        self.work()
        frames = drift(picture, job["width"], job["height"], self.frames, job["seed"], job["motion_bucket_id"])
        return {"frames": frames, "seed": job["seed"], "nsfw": self.flagged(job)}

    def present(self, result: dict[str, Any]) -> dict:
        if result["nsfw"] is None:
            # safety_check=false leaves no verdict, and the real response model takes nothing but a bool: a bare 500.
            raise TypeError("response validation failed: frames.0.0.nsfw should be a valid boolean")
        frames = [
            {"url": image_url(frame), "seed": result["seed"], "nsfw": result["nsfw"]} for frame in result["frames"]
        ]
        return {"frames": [frames]}
