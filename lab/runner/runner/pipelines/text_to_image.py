# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""text-to-image (ai-runner.md 2.1, 2.6)."""

from __future__ import annotations

from typing import Any

from ..components import load_weights, required_json
from ..errors import InferenceError
from ..hubcache import HubCache
from ..scene import paint
from ..schema import Field
from .base import check_memory
from .diffusion import (
    SDXL_LIGHTNING,
    TEXT_GROUPS,
    TEXT_UNUSABLE,
    DiffusionPipeline,
    check_divisible,
    check_seed,
    group_of,
    media,
    random_seed,
)

REALISTIC_VISION = "SG161222/Realistic_Vision_V6.0_B1_noVAE"
REALISTIC_VISION_VAE = "stabilityai/sd-vae-ft-ema"
STABLE_DIFFUSION_3 = "stabilityai/stable-diffusion-3"
FLUX = ("black-forest-labs/FLUX.1-schnell", "black-forest-labs/FLUX.1-dev")


class TextToImagePipeline(DiffusionPipeline):
    name = "text-to-image"
    takes_form = False
    log_name = "TextToImage pipeline"
    failure = "Text-to-image pipeline error."
    out_of_memory = "Out of memory error. Try reducing output image resolution."
    uses_bfloat16 = True
    fields = (
        Field("model_id", "str", ""),
        Field("loras", "str", ""),
        Field("prompt", "str"),
        Field("height", "int", 576),
        Field("width", "int", 1024),
        Field("guidance_scale", "float", 7.5),
        Field("negative_prompt", "str", ""),
        Field("safety_check", "bool", True),
        Field("seed", "int", None),
        Field("num_inference_steps", "int", 50),
        Field("num_images_per_prompt", "int", 1),
    )

    def load_model(self) -> None:
        variant = self.choose_variant()
        given = frozenset()
        if REALISTIC_VISION in self.model_id:
            self._load_separate_vae()
            given = frozenset({"vae"})
        if SDXL_LIGHTNING in self.model_id:
            self.load_lightning(variant)
        elif STABLE_DIFFUSION_3 in self.model_id:
            self.load_from(self.model_id, "StableDiffusion3Pipeline", variant)
        elif self._is_flux():
            self.load_from(self.model_id, "FluxPipeline", variant)
        else:
            self.load_from(self.model_id, self.class_in_index(TEXT_GROUPS), variant, given)

    def _load_separate_vae(self) -> None:
        folder = HubCache(self.settings.hub_cache).snapshot(REALISTIC_VISION_VAE)
        required_json(folder, "config.json")
        stem = "diffusion_pytorch_model"
        self.keep(load_weights(folder, (stem, stem), None, pickled=True))

    def _is_flux(self) -> bool:
        return any(name in self.model_id for name in FLUX)

    def missing_input(self, values: dict[str, Any]) -> str | None:
        return None if values["prompt"] else "Prompt must be provided."

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        seed = values["seed"] if values["seed"] is not None else random_seed()
        return values | {"seeds": [seed + number for number in range(values["num_images_per_prompt"])]}

    def infer(self, job: dict[str, Any]) -> list[dict]:
        """One inference per image."""
        return [self._draw(job, seed) for seed in job["seeds"]]

    def _draw(self, job: dict[str, Any], seed: int) -> dict:
        check_seed(seed)
        self.load_loras(job["loras"])
        prompts = [part.strip() for part in job["prompt"].split("|", 3) if part.strip()]
        if not prompts:
            raise KeyError("prompt")
        self._check_arguments(job["negative_prompt"])
        check_divisible(job["width"], job["height"])
        check_memory(job["width"], job["height"])
        self.work()
        picture = paint(job["prompt"], self.model_id, seed, job["width"], job["height"])
        return media(picture, seed, self.flagged(job))

    def _check_arguments(self, negative_prompt: str) -> None:
        """A class that does not take what the route always passes fails here, not at start (ai-runner.md 10.3)."""
        group = group_of(self.model_class)
        if group in TEXT_UNUSABLE:
            raise InferenceError(TypeError(f"{self.model_class}.__call__() does not take the route's arguments"))
        if group == "Flux" and negative_prompt and not self._is_flux():
            raise InferenceError(
                TypeError("FluxPipeline.__call__() got an unexpected keyword argument 'negative_prompt'")
            )

    def present(self, result: list[dict]) -> dict:
        return {"images": result}
