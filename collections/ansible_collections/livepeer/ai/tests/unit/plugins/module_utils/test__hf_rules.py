# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import (
    PIPELINES,
    RuleError,
    Want,
    match,
    wants,
)

# What each pipeline takes of the lab's repositories, whose file lists are those of the Hub.
SD_SIDE = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
]
SDXL = [
    *SD_SIDE,
    "text_encoder/config.json",
    "text_encoder/model.fp16.safetensors",
    "text_encoder_2/config.json",
    "text_encoder_2/model.fp16.safetensors",
    "tokenizer_2/merges.txt",
    "tokenizer_2/special_tokens_map.json",
    "tokenizer_2/tokenizer_config.json",
    "tokenizer_2/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.fp16.safetensors",
]
SAFETY = ["CompVis/stable-diffusion-safety-checker", "openai/clip-vit-base-patch32"]
WHISPER = [
    "added_tokens.json",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors",
    "normalizer.json",
    "preprocessor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
]

# (pipeline, model_id): (files of the model's own repository, other repositories)
TABLE = {
    ("text-to-image", "SG161222/RealVisXL_V4.0_Lightning"): (SDXL, SAFETY),
    ("text-to-image", "stabilityai/stable-diffusion-xl-base-1.0"): (SDXL, SAFETY),
    ("text-to-image", "SG161222/Realistic_Vision_V6.0_B1_noVAE"): (
        [
            *SD_SIDE,
            "feature_extractor/preprocessor_config.json",
            "safety_checker/config.json",
            "safety_checker/pytorch_model.bin",
            "text_encoder/config.json",
            "text_encoder/model.fp16.safetensors",
            "unet/config.json",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ],
        [*SAFETY, "stabilityai/sd-vae-ft-ema"],
    ),
    ("text-to-image", "ByteDance/SDXL-Lightning"): (
        ["sdxl_lightning_8step_unet.safetensors"],
        ["stabilityai/stable-diffusion-xl-base-1.0", *SAFETY],
    ),
    ("text-to-image", "ByteDance/SDXL-Lightning-4step"): (
        ["sdxl_lightning_4step_unet.safetensors"],
        ["stabilityai/stable-diffusion-xl-base-1.0", *SAFETY],
    ),
    ("image-to-image", "ByteDance/SDXL-Lightning-2step"): (
        ["sdxl_lightning_2step_unet.safetensors"],
        ["stabilityai/stable-diffusion-xl-base-1.0", *SAFETY],
    ),
    ("text-to-image", "black-forest-labs/FLUX.1-schnell"): (
        [
            *SD_SIDE,
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "text_encoder_2/config.json",
            "text_encoder_2/model-00001-of-00002.safetensors",
            "text_encoder_2/model-00002-of-00002.safetensors",
            "text_encoder_2/model.safetensors.index.json",
            "tokenizer_2/special_tokens_map.json",
            "tokenizer_2/spiece.model",
            "tokenizer_2/tokenizer.json",
            "tokenizer_2/tokenizer_config.json",
            "transformer/config.json",
            "transformer/diffusion_pytorch_model-00001-of-00003.safetensors",
            "transformer/diffusion_pytorch_model-00002-of-00003.safetensors",
            "transformer/diffusion_pytorch_model-00003-of-00003.safetensors",
            "transformer/diffusion_pytorch_model.safetensors.index.json",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ],
        SAFETY,
    ),
    # Half precision where a folder has it, full precision where it does not.
    ("text-to-image", "stabilityai/stable-diffusion-3-medium-diffusers"): (
        [
            *SDXL[:10],
            "text_encoder_3/config.json",
            "text_encoder_3/model.fp16-00001-of-00002.safetensors",
            "text_encoder_3/model.fp16-00002-of-00002.safetensors",
            "text_encoder_3/model.safetensors.index.fp16.json",
            "tokenizer_2/merges.txt",
            "tokenizer_2/special_tokens_map.json",
            "tokenizer_2/tokenizer_config.json",
            "tokenizer_2/vocab.json",
            "tokenizer_3/special_tokens_map.json",
            "tokenizer_3/spiece.model",
            "tokenizer_3/tokenizer.json",
            "tokenizer_3/tokenizer_config.json",
            "transformer/config.json",
            "transformer/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ],
        SAFETY,
    ),
    ("upscale", "stabilityai/stable-diffusion-x4-upscaler"): (
        [
            *SD_SIDE,
            "low_res_scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.fp16.safetensors",
            "unet/config.json",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ],
        SAFETY,
    ),
    ("image-to-video", "stabilityai/stable-video-diffusion-img2vid-xt-1-1"): (
        [
            "feature_extractor/preprocessor_config.json",
            "image_encoder/config.json",
            "image_encoder/model.fp16.safetensors",
            "model_index.json",
            "scheduler/scheduler_config.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ],
        SAFETY,
    ),
    ("audio-to-text", "openai/whisper-large-v3"): (WHISPER, []),
    ("audio-to-text", "openai/whisper-medium"): (WHISPER, []),
    ("image-to-text", "Salesforce/blip-image-captioning-large"): (
        [
            "config.json",
            "model.safetensors",
            "preprocessor_config.json",
            "special_tokens_map.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt",
        ],
        [],
    ),
    ("segment-anything-2", "facebook/sam2-hiera-large"): (["sam2_hiera_large.pt"], []),
    ("text-to-speech", "parler-tts/parler-tts-large-v1"): (
        [
            "config.json",
            "generation_config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "preprocessor_config.json",
            "special_tokens_map.json",
            "spiece.model",
            "tokenizer.json",
            "tokenizer_config.json",
        ],
        [],
    ),
    # Not the copy in its maker's own format below original/.
    ("llm", "meta-llama/Meta-Llama-3.1-8B-Instruct"): (
        [
            "config.json",
            "generation_config.json",
            *(f"model-0000{n}-of-00004.safetensors" for n in (1, 2, 3, 4)),
            "model.safetensors.index.json",
            "special_tokens_map.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ],
        [],
    ),
}


def listing(models, model_id):
    root = models / model_id
    paths = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    index = root / "model_index.json"
    return paths, json.loads(index.read_text()) if index.exists() else None


@pytest.mark.parametrize(("pipeline", "model_id"), TABLE, ids=[" ".join(key) for key in TABLE])
def test_files_of_a_pipeline(models, pipeline, model_id):
    own, *others = wants(model_id, pipeline)
    files, companions = TABLE[pipeline, model_id]
    assert own.pick(*listing(models, own.model_id)) == sorted(files)
    assert sorted(want.model_id for want in others) == sorted(companions)
    assert all(want.revision == "main" for want in others)


def test_the_table_covers_every_pipeline():
    assert {pipeline for pipeline, _model in TABLE} == set(PIPELINES)


@pytest.mark.parametrize(
    ("model_id", "files"),
    [
        (
            "CompVis/stable-diffusion-safety-checker",
            ["config.json", "model.safetensors", "preprocessor_config.json"],
        ),
        ("openai/clip-vit-base-patch32", ["preprocessor_config.json"]),
        ("stabilityai/sd-vae-ft-ema", ["config.json", "diffusion_pytorch_model.safetensors"]),
    ],
)
def test_files_of_companions(models, model_id, files):
    needed = wants("SG161222/Realistic_Vision_V6.0_B1_noVAE", "text-to-image")
    (companion,) = [want for want in needed if want.model_id == model_id]
    assert companion.pick(*listing(models, model_id)) == files


def test_instruct_pix2pix_in_half_precision(models):
    name = "timbrooks/instruct-pix2pix"
    chosen = wants(name, "image-to-image")[0].pick(*listing(models, name))
    weights = [path for path in chosen if path.endswith((".safetensors", ".bin"))]
    assert weights
    assert all(".fp16." in path for path in weights)


def pick(rule, paths, index=None, **options):
    return Want("org/name", rule, **options).pick(paths, index)


UNET = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "image_encoder": [None, None],
}


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["model.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
        (["pytorch_model.bin", "model.onnx", "flax_model.msgpack", "openvino_model.bin"], ["pytorch_model.bin"]),
        (["model.safetensors", "model.non_ema.safetensors"], ["model.safetensors"]),
        (["model.fp16.safetensors", "model.safetensors"], ["model.fp16.safetensors"]),
        # The runner looks for .fp16.safetensors; shards named like these alone do not make it choose half precision.
        (
            ["model.fp16-00001-of-00001.safetensors", "model.safetensors"],
            ["model.safetensors"],
        ),
        (
            ["model-00001-of-00001.fp16.safetensors", "model.safetensors", "model.safetensors.index.fp16.json"],
            ["model-00001-of-00001.fp16.safetensors", "model.safetensors.index.fp16.json"],
        ),
        # One file and shards of the same weights: loaders take the one file.
        (
            ["model.safetensors", "model-00001-of-00001.safetensors", "model.safetensors.index.json"],
            ["model.safetensors"],
        ),
        (["readme.md", "model.safetensors", "example.png"], ["model.safetensors"]),
    ],
)
def test_one_complete_set_of_weights(names, chosen):
    paths = ["model_index.json", "unet/config.json", *(f"unet/{name}" for name in names)]
    expected = ["model_index.json", "unet/config.json", *(f"unet/{name}" for name in chosen)]
    assert pick("diffusers", paths, UNET) == sorted(expected)


def test_maker_format_of_a_language_model_stays_away():
    side = ["config.json", "tokenizer_config.json", "tokenizer.json"]
    paths = [*side, "consolidated.safetensors", "model-00001-of-00001.safetensors", "model.safetensors.index.json"]
    assert "consolidated.safetensors" not in pick("llm", paths)


@pytest.mark.parametrize(
    ("rule", "paths", "index", "sentence"),
    [
        ("diffusers", ["model.safetensors"], None, "has no model_index.json"),
        ("diffusers", ["model_index.json"], {"_class_name": ["pipeline", "Mine"]}, "its own pipeline code"),
        ("diffusers", ["model_index.json"], {"_class_name": "KandinskyV22Pipeline"}, "further repositories"),
        ("diffusers", ["model_index.json"], UNET, "names the component unet"),
        (
            "diffusers",
            ["model_index.json", "unet/model-00002-of-00002.safetensors"],
            UNET,
            "org/name/unet lacks part 1 of 2",
        ),
        ("caption", ["config.json"], None, "has no preprocessor_config.json"),
        (
            "text-to-speech",
            ["config.json", "tokenizer.json", "pytorch_model.bin"],
            None,
            r"no safetensors .*only \*.bin",
        ),
        ("llm", ["config.json", "tokenizer_config.json", "tokenizer.json", "q4.gguf"], None, r"only \*.gguf"),
        (
            "speech-to-text",
            ["config.json", "preprocessor_config.json", "tokenizer.json", "model.bin", "vocabulary.json"],
            None,
            "CTranslate2 .* BACKEND=faster-whisper",
        ),
        ("lightning:4step", ["README.md"], None, "has no file sdxl_lightning_4step_unet.safetensors"),
    ],
)
def test_unusable_repositories(rule, paths, index, sentence):
    with pytest.raises(RuleError, match=sentence):
        pick(rule, paths, index)


@pytest.mark.parametrize(
    ("pipeline", "class_name"),
    [("image-to-video", "StableVideoDiffusionPipeline"), ("upscale", "StableDiffusionUpscalePipeline")],
)
def test_pipelines_of_one_class(pipeline, class_name):
    want = wants("org/name", pipeline)[0]
    paths = ["model_index.json", "unet/config.json"]
    with pytest.raises(RuleError, match=f"loads only {class_name}"):
        want.pick(paths, {"_class_name": "WanPipeline"})
    assert want.pick(paths, {**UNET, "_class_name": class_name}) == paths


@pytest.mark.parametrize(
    ("model_id", "pipeline", "sentence"),
    [
        ("org/name/more", None, "not a Hugging Face model name"),
        ("../etc", None, "not a Hugging Face model name"),
        ("org/a--b", None, "not a Hugging Face model name"),
        ("org/name", "text-to-video", "use one of audio-to-text, image-to-image"),
        ("streamdiffusion", "live-video-to-video", "prepared by its own runner image"),
        ("facebook/sam2.1-hiera-large", "segment-anything-2", "its runner knows facebook/sam2-hiera-base-plus"),
    ],
)
def test_impossible_requests(model_id, pipeline, sentence):
    with pytest.raises(RuleError, match=sentence):
        wants(model_id, pipeline)


def test_patterns_replace_the_rule_and_exceptions_follow():
    paths = ["a/1.json", "a/b/2.json", "c.json", "d.txt"]
    assert match(paths, ["a/"]) == ["a/1.json", "a/b/2.json"]
    assert pick("llm", paths, allow=["*.json"], ignore=["a/*"]) == ["c.json"]
    with pytest.raises(RuleError, match="No file of org/name is left"):
        pick("llm", paths, allow=["*.safetensors"])


def test_selections_are_told_apart_in_the_record():
    kinds = [
        Want("org/name", "llm"),
        Want("org/name", "caption"),
        Want("org/name", "llm", allow=["*.json"]),
        Want("org/name", "llm", ignore=["*.txt"]),
    ]
    assert len({want.selection for want in kinds}) == len(kinds)
