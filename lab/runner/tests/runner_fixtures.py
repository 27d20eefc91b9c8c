# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of a few hundred bytes in the true layouts, and the cache they are laid out in (ai-runner.md 2.5, 2.6)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import wave
import zipfile
from pathlib import Path

from PIL import Image

Files = dict[str, bytes]


def lay_out(models: Path, repo_id: str, files: Files) -> Path:
    """Write refs, blobs and snapshots of one repository; answers the snapshot's folder."""
    folder = models / f"models--{repo_id.replace('/', '--')}"
    revision = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
    snapshot = folder / "snapshots" / revision
    for part in (snapshot, folder / "blobs", folder / "refs"):
        part.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(revision)
    for name, payload in files.items():
        blob = folder / "blobs" / hashlib.sha256(payload).hexdigest()
        blob.write_bytes(payload)
        link = snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


def lay_out_folder(models: Path, repo_id: str, source: Path) -> Path:
    files = {str(path.relative_to(source)): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    return lay_out(models, repo_id, files)


def safetensors(*names: str) -> bytes:
    header = {
        name: {"dtype": "F16", "shape": [2, 4], "data_offsets": [16 * number, 16 * number + 16]}
        for number, name in enumerate(names or ("weight",))
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(16)) * len(header)


def torch_file() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("archive/data/0", bytes(range(64)))
    return buffer.getvalue()


def document(**values) -> bytes:
    return json.dumps(values).encode()


TOKENIZER = {"vocab.json": document(a=0), "merges.txt": b"#version: 0.2\n", "tokenizer_config.json": document()}


def diffusers(class_name: str, components: dict[str, tuple[str, str]], variant: str = "fp16") -> Files:
    files = {"model_index.json": document(_class_name=class_name, **{name: list(c) for name, c in components.items()})}
    for name, (library, component) in components.items():
        files |= {f"{name}/{path}": payload for path, payload in component_files(library, component, variant).items()}
    return files


def component_files(library: str, component: str, variant: str) -> Files:
    if component.endswith("Scheduler"):
        return {"scheduler_config.json": document()}
    if component.endswith("Tokenizer"):
        return TOKENIZER
    if component.endswith("Processor"):
        return {"preprocessor_config.json": document()}
    stem = "diffusion_pytorch_model" if library == "diffusers" else "model"
    middle = f".{variant}" if variant else ""
    return {"config.json": document(), f"{stem}{middle}.safetensors": safetensors()}


SDXL = {
    "scheduler": ("diffusers", "EulerDiscreteScheduler"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
    "tokenizer": ("transformers", "CLIPTokenizer"),
    "tokenizer_2": ("transformers", "CLIPTokenizer"),
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
}
SD = {name: SDXL[name] for name in ("scheduler", "text_encoder", "tokenizer", "unet", "vae")}
SVD = {
    "feature_extractor": ("transformers", "CLIPImageProcessor"),
    "image_encoder": ("transformers", "CLIPVisionModelWithProjection"),
    "scheduler": ("diffusers", "EulerDiscreteScheduler"),
    "unet": ("diffusers", "UNetSpatioTemporalConditionModel"),
    "vae": ("diffusers", "AutoencoderKLTemporalDecoder"),
}
FRAMES = 4

TEXT_TO_IMAGE = "SG161222/RealVisXL_V4.0_Lightning"
IMAGE_TO_IMAGE = "timbrooks/instruct-pix2pix"
IMAGE_TO_VIDEO = "stabilityai/stable-video-diffusion-img2vid-xt-1-1"
UPSCALE = "stabilityai/stable-diffusion-x4-upscaler"
AUDIO_TO_TEXT = "openai/whisper-large-v3"
IMAGE_TO_TEXT = "Salesforce/blip-image-captioning-large"
SEGMENT = "facebook/sam2-hiera-large"
TEXT_TO_SPEECH = "parler-tts/parler-tts-large-v1"
LLM = "meta-llama/Meta-Llama-3.1-8B-Instruct"
LIGHTNING = "ByteDance/SDXL-Lightning"
SDXL_BASE = "stabilityai/stable-diffusion-xl-base-1.0"
NO_VAE = "SG161222/Realistic_Vision_V6.0_B1_noVAE"
NO_VAE_VAE = "stabilityai/sd-vae-ft-ema"
SAFETY_CHECKER = "CompVis/stable-diffusion-safety-checker"
CLIP = "openai/clip-vit-base-patch32"

MODEL_OF = {
    "text-to-image": TEXT_TO_IMAGE,
    "image-to-image": IMAGE_TO_IMAGE,
    "image-to-video": IMAGE_TO_VIDEO,
    "upscale": UPSCALE,
    "audio-to-text": AUDIO_TO_TEXT,
    "image-to-text": IMAGE_TO_TEXT,
    "segment-anything-2": SEGMENT,
    "text-to-speech": TEXT_TO_SPEECH,
    "llm": LLM,
}

REPOSITORIES: dict[str, Files] = {
    TEXT_TO_IMAGE: diffusers("StableDiffusionXLPipeline", SDXL),
    IMAGE_TO_IMAGE: diffusers("StableDiffusionInstructPix2PixPipeline", SD),
    IMAGE_TO_VIDEO: diffusers("StableVideoDiffusionPipeline", SVD) | {"unet/config.json": document(num_frames=FRAMES)},
    UPSCALE: diffusers("StableDiffusionUpscalePipeline", SD | {"low_res_scheduler": ("diffusers", "DDPMScheduler")}),
    LIGHTNING: {f"sdxl_lightning_{steps}step_unet.safetensors": safetensors() for steps in (2, 4, 8)},
    SDXL_BASE: diffusers("StableDiffusionXLPipeline", SDXL),
    NO_VAE: diffusers("StableDiffusionPipeline", SD),
    NO_VAE_VAE: component_files("diffusers", "AutoencoderKL", ""),
    SAFETY_CHECKER: {"config.json": document(model_type="clip"), "model.safetensors": safetensors()},
    CLIP: {"preprocessor_config.json": document()},
    AUDIO_TO_TEXT: TOKENIZER
    | {
        "config.json": document(model_type="whisper"),
        "generation_config.json": document(),
        "preprocessor_config.json": document(),
        "model.safetensors": safetensors(),
    },
    IMAGE_TO_TEXT: {
        "config.json": document(model_type="blip"),
        "model.safetensors": safetensors(),
        "preprocessor_config.json": document(),
        "tokenizer.json": document(),
    },
    SEGMENT: {"sam2_hiera_large.pt": torch_file()},
    TEXT_TO_SPEECH: {
        "config.json": document(model_type="parler_tts"),
        "generation_config.json": document(),
        "tokenizer.json": document(),
        "model.safetensors.index.json": document(
            weight_map={"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
        ),
        "model-00001-of-00002.safetensors": safetensors("a"),
        "model-00002-of-00002.safetensors": safetensors("b"),
    },
    LLM: {
        "config.json": document(num_attention_heads=32, num_hidden_layers=32, max_position_embeddings=131072),
        "generation_config.json": document(),
        "tokenizer.json": document(),
        "tokenizer_config.json": document(chat_template="{{ messages }}"),
        "model.safetensors": safetensors(),
    },
}


def picture(width: int = 96, height: int = 64, colour: str = "#4477aa") -> bytes:
    buffer = io.BytesIO()
    image = Image.new("RGB", (width, height), colour)
    image.paste("#ddaa33", (0, 0, width // 4, height // 4))
    image.save(buffer, "PNG")
    return buffer.getvalue()


def recording(seconds: float) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\x00\x10" * int(16000 * seconds))
    return buffer.getvalue()
