# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the four diffusers pipelines share: model, safety checker, LoRAs, seeds."""

from __future__ import annotations

import json
import logging
import random
import re
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from ..components import load_diffusers_component, load_transformers_model, required_json
from ..errors import InferenceError, LoraLoadingError
from ..hubcache import HubCache
from ..weights import read_weights
from .base import Pipeline, image_url

log = logging.getLogger(__name__)

SAFETY_CHECKER = "CompVis/stable-diffusion-safety-checker"
CLIP_PROCESSOR = "openai/clip-vit-base-patch32"
SDXL_LIGHTNING = "ByteDance/SDXL-Lightning"
SDXL_BASE = "stabilityai/stable-diffusion-xl-base-1.0"

# Components a pipeline class cannot be built without (ai-runner.md 10.2 names the classes).
REQUIRED_COMPONENTS = {
    "StableDiffusionPipeline": {"vae", "text_encoder", "tokenizer", "unet", "scheduler"},
    "StableDiffusionInstructPix2PixPipeline": {"vae", "text_encoder", "tokenizer", "unet", "scheduler"},
    "StableDiffusionXLPipeline": {"vae", "unet", "scheduler"},
    "StableDiffusion3Pipeline": {"vae", "text_encoder", "text_encoder_2", "tokenizer", "transformer", "scheduler"},
    "FluxPipeline": {"vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "scheduler"},
    "StableVideoDiffusionPipeline": {"vae", "image_encoder", "unet", "scheduler", "feature_extractor"},
    "StableDiffusionUpscalePipeline": {"vae", "text_encoder", "tokenizer", "unet", "low_res_scheduler", "scheduler"},
}

# Class groups that diffusers 0.31 resolves for an Auto pipeline, and those that then refuse the route's fixed
# arguments on every request (ai-runner.md 10.3).
_CONTROLNET = {"StableDiffusionControlNet", "StableDiffusionXLControlNet"}
_PAG = {"StableDiffusionPAG", "StableDiffusionXLPAG", "StableDiffusion3PAG"}
_CONTROLNET_PAG = {"StableDiffusionControlNetPAG", "StableDiffusionXLControlNetPAG"}
TEXT_GROUPS = (
    {"StableDiffusion", "StableDiffusionXL", "StableDiffusion3", "IF", "HunyuanDiT", "HunyuanDiTPAG", "Kandinsky"}
    | {"KandinskyV22", "Kandinsky3", "Wuerstchen", "StableCascade", "LatentConsistencyModel", "PixArtAlpha"}
    | {"PixArtSigma", "PixArtSigmaPAG", "AuraFlow", "Flux", "FluxControlNet", "Lumina", "CogView3Plus", "Kolors"}
    | _CONTROLNET | _PAG | _CONTROLNET_PAG
)  # fmt: skip
IMAGE_GROUPS = (
    {"StableDiffusion", "StableDiffusionXL", "StableDiffusion3", "IF", "Kandinsky", "KandinskyV22", "Kandinsky3"}
    | {"LatentConsistencyModel", "Flux", "FluxControlNet", "Kolors"}
    | _CONTROLNET | _PAG | _CONTROLNET_PAG
)  # fmt: skip
TEXT_UNUSABLE = {"StableCascade", "FluxControlNet"} | _CONTROLNET | _CONTROLNET_PAG
IMAGE_UNUSABLE = (
    {"StableDiffusion3", "IF", "Kandinsky", "KandinskyV22", "Flux", "FluxControlNet"}
    | _CONTROLNET | _PAG | _CONTROLNET_PAG
)  # fmt: skip

LORA_LIMIT = 4
SEED_RANGE = (-(2**63), 2**64 - 1)


class DiffusionPipeline(Pipeline):
    """A model in diffusers' folder form, with the safety checker that all four insist on."""

    uses_bfloat16: ClassVar[bool] = False

    def load(self) -> None:
        self.model_class = ""
        self.load_model()
        self._load_safety_checker()

    def load_model(self) -> None:
        raise NotImplementedError

    def choose_variant(self) -> str | None:
        """fp16 when the cache holds any fp16 file of the model and the device is not the CPU."""
        found = self.cache.has_fp16_file(self.model_id) or SDXL_LIGHTNING in self.model_id
        variant = "fp16" if found and self.settings.device != "cpu" else None
        kind = type(self).__name__
        if variant:
            log.info("%s loading fp16 variant for %s", kind, self.model_id)
        else:
            log.info("%s loading the default variant (float32) for %s", kind, self.model_id)
        if self.uses_bfloat16 and self.settings.bfloat16:
            log.info("%s using bfloat16 precision for %s", kind, self.model_id)
        return variant

    def load_from(
        self, repo_id: str, class_name: str, variant: str | None, given: frozenset[str] = frozenset()
    ) -> Path:
        """Every component that model_index.json lists, except those `given` by the caller."""
        snapshot = self.cache.snapshot(repo_id)
        index = required_json(snapshot, "model_index.json")
        components = {
            name: value
            for name, value in index.items()
            if isinstance(value, list) and len(value) == 2 and value[0] is not None
        }
        self._require(class_name, set(components) | given)
        for name, (library, component_class) in components.items():
            if name not in given:
                self.keep(load_diffusers_component(snapshot / name, library, component_class, variant))
        self.model_class = class_name
        return snapshot

    def class_in_index(self, groups: set[str]) -> str:
        """The class an Auto pipeline would build for this model."""
        index = required_json(self.cache.snapshot(self.model_id), "model_index.json")
        class_name = index.get("_class_name")
        if not isinstance(class_name, str) or group_of(class_name) not in groups:
            raise ValueError(f"AutoPipeline can't find a pipeline linked to {class_name} for {self.model_id}")
        return class_name

    def load_lightning(self, variant: str | None) -> None:
        """SDXL-Lightning: the SDXL base with another unet (ai-runner.md 2.6 item 3)."""
        if variant is None:
            raise KeyError("torch_dtype")
        steps = next((steps for steps in ("2step", "4step", "8step") if steps in self.model_id), "8step")
        required_json(self.cache.snapshot(SDXL_BASE) / "unet", "config.json")
        unet = self.cache.file(SDXL_LIGHTNING, f"sdxl_lightning_{steps}_unet.safetensors")
        self.keep([read_weights(unet)])
        self.load_from(SDXL_BASE, "StableDiffusionXLPipeline", variant, given=frozenset({"unet"}))

    @staticmethod
    def _require(class_name: str, present: set[str]) -> None:
        expected = REQUIRED_COMPONENTS.get(class_name, set())
        if not expected <= present:
            raise ValueError(
                f"Pipeline {class_name} expected {sorted(expected)}, but only {sorted(present)} were passed."
            )

    def _load_safety_checker(self) -> None:
        """Built without a cache folder of its own, hence from the images' HUGGINGFACE_HUB_CACHE."""
        cache = HubCache(self.settings.hub_cache)
        _, files = load_transformers_model(cache.snapshot(SAFETY_CHECKER), None, pickled=True)
        self.keep(files)
        required_json(cache.snapshot(CLIP_PROCESSOR), "preprocessor_config.json")
        log.info("Safety checker loaded")

    def flagged(self, values: dict[str, Any]) -> bool | None:
        """Whether the picture is judged unsafe. The real checker looks at the picture; this one at the prompt."""
        if not values["safety_check"]:
            return None
        return bool(re.search(r"\bnsfw\b", values.get("prompt", ""), re.IGNORECASE))

    def load_loras(self, text: str) -> None:
        if not text:
            return
        for adapter in lora_strengths(text):
            self._load_lora(adapter)

    def _load_lora(self, adapter: str) -> None:
        cache = HubCache(self.settings.hub_cache)
        try:
            files = sorted(cache.snapshot(adapter).glob("*.safetensors"))
            if not files:
                raise OSError(f"{adapter} holds no .safetensors file")
            read_weights(files[0])
        except Exception as error:
            log.exception("LoRA %s could not be loaded", adapter)
            raise LoraLoadingError(f"Unable to load LoRas for adapter '{adapter}'") from error


def group_of(class_name: str) -> str:
    """The group a class belongs to: its name without the task."""
    return re.sub(r"(Pipeline$)|(Img2Img)|(Inpaint)|(Combined)|(Decoder)|(Prior)", "", class_name)


def lora_strengths(text: str) -> dict[str, float]:
    try:
        asked = json.loads(text)
    except json.JSONDecodeError as error:
        raise LoraLoadingError(f"Unable to parse '{text}' as JSON.") from error
    strengths = {}
    for adapter, strength in asked.items():
        try:
            strengths[adapter] = float(strength)
        except (TypeError, ValueError):
            strengths[adapter] = -1.0
    if any(strength < 0 for strength in strengths.values()):
        raise LoraLoadingError("All strengths must be numbers greater than or equal to 0.0.")
    if len(strengths) > LORA_LIMIT:
        raise LoraLoadingError(f"Too many LoRas provided. Maximum is {LORA_LIMIT}.")
    return strengths


def random_seed() -> int:
    return random.randint(0, 2**32 - 1)


def check_seed(seed: int) -> None:
    """torch takes 64 bits; more is a failure that no route foresees."""
    if not SEED_RANGE[0] <= seed <= SEED_RANGE[1]:
        raise RuntimeError("Overflow when unpacking long")


def check_divisible(width: int, height: int) -> None:
    """diffusers' own check, so it surfaces as the model's refusal."""
    if height % 8 or width % 8:
        raise InferenceError(
            ValueError(f"`height` and `width` have to be divisible by 8 but are {height} and {width}.")
        )
    if width <= 0 or height <= 0:
        raise InferenceError(RuntimeError(f"cannot create a tensor with size [1, 4, {height // 8}, {width // 8}]"))


def media(image: Image.Image, seed: int, flagged: bool | None) -> dict[str, Any]:
    return {"url": image_url(image), "seed": seed, "nsfw": flagged or False}
