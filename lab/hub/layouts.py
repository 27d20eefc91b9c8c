# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repositories of the lab's Hub: real names, real trees, small weights.

Each repository is a function below that returns its files by path, and a row of REPOSITORIES that says what the Hub
tells about it. What a downloader must leave alone (root checkpoints, .ckpt, .bin, .onnx, .msgpack, openvino, folders
that model_index.json does not name) is there on purpose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Callable

from weight_files import BYTES_OF, elements, msgpack, opaque, picture, safetensors, torch_archive
from word_llama import word_llama

Files = dict[str, bytes]
KIB = 1024

LFS_PATTERNS = [
    "*.7z",
    "*.arrow",
    "*.bin",
    "*.bz2",
    "*.ckpt",
    "*.ftz",
    "*.gz",
    "*.h5",
    "*.joblib",
    "*.lfs.*",
    "*.mlmodel",
    "*.model",
    "*.msgpack",
    "*.npy",
    "*.npz",
    "*.onnx",
    "*.onnx_data",
    "*.ot",
    "*.parquet",
    "*.pb",
    "*.pickle",
    "*.pkl",
    "*.pt",
    "*.pth",
    "*.rar",
    "*.safetensors",
    "*.tar.*",
    "*.tflite",
    "*.tgz",
    "*.wasm",
    "*.xz",
    "*.zip",
    "*.zst",
    "*tfevents*",
    "*.png",
    "*.jpg",
    "*.jpeg",
    "*.gif",
]

# Names of a few tensors of each architecture, as they are spelled in real checkpoints.
TENSORS = {
    "unet": "conv_in.weight time_embedding.linear_1.weight down_blocks.0.resnets.0.conv1.weight "
    "down_blocks.1.attentions.0.proj_in.weight mid_block.resnets.0.conv1.weight up_blocks.0.resnets.0.conv1.weight "
    "conv_norm_out.weight conv_out.weight",
    "vae": "decoder.conv_in.weight decoder.mid_block.resnets.0.conv1.weight encoder.conv_in.weight "
    "encoder.mid_block.resnets.0.conv1.weight",
    "clip_text": "text_model.embeddings.token_embedding.weight text_model.encoder.layers.0.mlp.fc1.weight "
    "text_model.encoder.layers.0.self_attn.q_proj.weight text_model.final_layer_norm.weight",
    "clip_vision": "vision_model.embeddings.patch_embedding.weight vision_model.encoder.layers.0.mlp.fc1.weight "
    "visual_projection.weight",
    "safety_checker": "concept_embeds concept_embeds_weights special_care_embeds "
    "vision_model.vision_model.embeddings.patch_embedding.weight visual_projection.weight",
    "t5": "shared.weight encoder.block.0.layer.0.SelfAttention.q.weight "
    "encoder.block.0.layer.1.DenseReluDense.wo.weight "
    "encoder.block.1.layer.0.SelfAttention.q.weight encoder.final_layer_norm.weight",
    "sd3": "context_embedder.weight pos_embed.proj.weight transformer_blocks.0.attn.to_q.weight "
    "transformer_blocks.1.attn.to_q.weight proj_out.weight",
    "flux": "context_embedder.weight x_embedder.weight transformer_blocks.0.attn.to_q.weight "
    "single_transformer_blocks.0.attn.to_q.weight single_transformer_blocks.1.attn.to_q.weight proj_out.weight",
    "checkpoint": "first_stage_model.decoder.conv_in.weight model.diffusion_model.input_blocks.0.0.weight "
    "model.diffusion_model.out.2.weight",
    "whisper": "model.encoder.conv1.weight model.encoder.layers.0.self_attn.q_proj.weight "
    "model.decoder.embed_tokens.weight model.decoder.layers.0.self_attn.q_proj.weight",
    "blip": "vision_model.embeddings.patch_embedding.weight vision_model.encoder.layers.0.mlp.fc1.weight "
    "text_decoder.bert.embeddings.word_embeddings.weight text_decoder.cls.predictions.bias",
    "parler": "text_encoder.shared.weight audio_encoder.model.encoder.block.0.weight "
    "decoder.model.decoder.layers.0.self_attn.q_proj.weight decoder.lm_heads.0.weight",
    "llama": "model.embed_tokens.weight model.layers.0.self_attn.q_proj.weight model.layers.0.mlp.down_proj.weight "
    "model.layers.1.self_attn.q_proj.weight model.layers.1.mlp.down_proj.weight model.norm.weight lm_head.weight",
}


# files of a kind


def to_json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def shapes(kind: str, size: int, dtype: str) -> dict[str, list[int]]:
    """The architecture's tensors in shapes that come to about `size` bytes."""
    names = TENSORS[kind].split()
    rows = max(1, size // (BYTES_OF[dtype] * 64 * len(names)))
    return {name: [rows, 64] for name in names}


def weights(seed: str, stem: str, kind: str, size: int, dtype: str, variant: str = "", shards: int = 1) -> Files:
    """A safetensors file named as transformers and diffusers name it, or its shards with their index."""
    tensors = shapes(kind, size, dtype)
    dot = f".{variant}" if variant else ""
    if shards == 1:
        return {f"{stem}{dot}.safetensors": safetensors(f"{seed}{dot}", dtype, tensors)}
    files = {}
    names = list(tensors)
    weight_map = {
        name: f"{stem}{dot}-{index % shards + 1:05}-of-{shards:05}.safetensors" for index, name in enumerate(names)
    }
    for part in sorted(set(weight_map.values())):
        files[part] = safetensors(f"{seed}/{part}", dtype, {n: tensors[n] for n in names if weight_map[n] == part})
    total = sum(elements(shape) * BYTES_OF[dtype] for shape in tensors.values())
    index = {
        "metadata": {"total_size": total},
        "weight_map": dict(sorted((name, part.rpartition("/")[2]) for name, part in weight_map.items())),
    }
    return {**files, f"{stem}.safetensors.index{dot}.json": to_json(index)}


@dataclass
class Component:
    """A weight folder of a diffusers repository, or with folder "" a transformers repository's root."""

    folder: str
    kind: str
    config: dict
    size: int  # bytes of its half precision weights; full precision takes twice that
    variants: dict[str, str] = field(default_factory=lambda: {"": "F32", "fp16": "F16"})
    shards: dict[str, int] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    def files(self, seed: str) -> Files:
        diffusers = "_class_name" in self.config
        prefix = f"{self.folder}/" if self.folder else ""
        stem = prefix + ("diffusion_pytorch_model" if diffusers else "model")
        legacy = prefix + ("diffusion_pytorch_model" if diffusers else "pytorch_model")
        seed = f"{seed}/{self.folder}"
        files = {f"{prefix}config.json": to_json(self.config)}
        for variant, dtype in self.variants.items():
            size = self.size * BYTES_OF[dtype] // 2
            files.update(weights(seed, stem, self.kind, size, dtype, variant, self.shards.get(variant, 1)))
        small = self.size // 8
        makers = {
            ".bin": lambda: {f"{legacy}.bin": torch_archive(f"{seed}.bin", small * 2)},
            ".fp16.bin": lambda: {f"{legacy}.fp16.bin": torch_archive(f"{seed}.fp16.bin", small)},
            ".msgpack": lambda: {
                f"{prefix}{'diffusion_flax_model' if diffusers else 'flax_model'}.msgpack": msgpack(seed, small)
            },
            ".h5": lambda: {f"{prefix}tf_model.h5": opaque(b"\x89HDF\r\n\x1a\n", f"{seed}.h5", small)},
            ".onnx": lambda: {f"{prefix}model.onnx": opaque(b"\x08\x08\x12\x07pytorch", f"{seed}.onnx", small)},
            ".onnx_data": lambda: {f"{prefix}model.onnx_data": opaque(b"", f"{seed}.onnx_data", small)},
            "openvino": lambda: {
                f"{prefix}openvino_model.bin": opaque(b"", f"{seed}.openvino", small),
                f"{prefix}openvino_model.xml": b'<?xml version="1.0"?>\n<net name="Model0" version="11"></net>\n',
            },
        }
        for other in self.others:
            files.update(makers[other]())
        return files


def checkpoint(seed: str, name: str, size: int, dtype: str = "F16") -> Files:
    """A single-file checkpoint in the root, as A1111 and ComfyUI load it."""
    stem = name[: -len(".safetensors")]
    return weights(f"{seed}/{name}", stem, "checkpoint", size, dtype)


def clip_tokenizer(folder: str, pad_token: str = "<|endoftext|>", prefix: bool = True) -> Files:
    letters = [chr(code) for code in range(97, 123)]
    words = letters + [f"{letter}</w>" for letter in letters] + ["th", "the</w>", "<|startoftext|>", "<|endoftext|>"]
    special = {"content": "<|endoftext|>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    begin = f"{folder}/" if prefix else ""
    return {
        f"{begin}merges.txt": b"#version: 0.2\nt h\nth e</w>\n",
        f"{begin}special_tokens_map.json": to_json(
            {
                "bos_token": {**special, "content": "<|startoftext|>"},
                "eos_token": special,
                "pad_token": pad_token,
                "unk_token": special,
            }
        ),
        f"{begin}tokenizer_config.json": to_json(
            {
                "add_prefix_space": False,
                "bos_token": "<|startoftext|>",
                "eos_token": "<|endoftext|>",
                "do_lower_case": True,
                "errors": "replace",
                "model_max_length": 77,
                "pad_token": pad_token,
                "tokenizer_class": "CLIPTokenizer",
                "unk_token": "<|endoftext|>",
            }
        ),
        f"{begin}vocab.json": to_json({word: index for index, word in enumerate(words)}),
    }


def tokenizer_json(model_type: str) -> bytes:
    vocab = {chr(code): code - 32 for code in range(32, 127)}
    model: dict[str, object] = {"type": model_type, "vocab": vocab}
    if model_type == "BPE":
        model["merges"] = []
    elif model_type == "Unigram":
        model = {"type": model_type, "unk_id": 0, "vocab": [[piece, -float(index)] for piece, index in vocab.items()]}
    return to_json(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": None,
            "post_processor": None,
            "decoder": None,
            "model": model,
        }
    )


def t5_tokenizer(folder: str, sentencepiece: bool = True) -> Files:
    begin = f"{folder}/" if folder else ""
    tokens = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    files = {
        f"{begin}special_tokens_map.json": to_json(tokens),
        f"{begin}tokenizer.json": tokenizer_json("Unigram"),
        f"{begin}tokenizer_config.json": to_json(
            {**tokens, "extra_ids": 100, "model_max_length": 512, "tokenizer_class": "T5Tokenizer"}
        ),
    }
    if sentencepiece:
        files[f"{begin}spiece.model"] = opaque(b"\n\x0e\n\x05<pad>\x15\0\0\0\0\x18\x03", f"{folder}/spiece", 4 * KIB)
    return files


def image_processor(path: str, size: int, processor: str = "CLIPImageProcessor") -> Files:
    return {
        path: to_json(
            {
                "crop_size": {"height": size, "width": size},
                "do_center_crop": True,
                "do_convert_rgb": True,
                "do_normalize": True,
                "do_rescale": True,
                "do_resize": True,
                "feature_extractor_type": "CLIPFeatureExtractor",
                "image_mean": [0.48145466, 0.4578275, 0.40821073],
                "image_processor_type": processor,
                "image_std": [0.26862954, 0.26130258, 0.27577711],
                "resample": 3,
                "rescale_factor": 0.00392156862745098,
                "size": {"shortest_edge": size},
            }
        )
    }


def model_index(class_name: str, version: str = "0.27.0", **parts: object) -> Files:
    return {"model_index.json": to_json({"_class_name": class_name, "_diffusers_version": version, **parts})}


def scheduler(class_name: str, folder: str = "scheduler", **settings: object) -> Files:
    usual = {"beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000}
    if class_name == "FlowMatchEulerDiscreteScheduler":
        usual = {"num_train_timesteps": 1000, "shift": 3.0}
    config = {"_class_name": class_name, "_diffusers_version": "0.27.0", **usual, **settings}
    return {f"{folder}/scheduler_config.json": to_json(config)}


# configurations


def clip_text(hidden: int = 768, projection: bool = False) -> dict:
    return {
        "architectures": ["CLIPTextModelWithProjection" if projection else "CLIPTextModel"],
        "hidden_size": hidden,
        "intermediate_size": hidden * 4,
        "max_position_embeddings": 77,
        "model_type": "clip_text_model",
        "num_attention_heads": hidden // 64,
        "num_hidden_layers": 32 if projection else 12,
        "projection_dim": hidden,
        "torch_dtype": "float16",
        "vocab_size": 49408,
    }


def clip_vision(hidden: int = 1280) -> dict:
    return {
        "architectures": ["CLIPVisionModelWithProjection"],
        "hidden_size": hidden,
        "image_size": 224,
        "model_type": "clip_vision_model",
        "num_hidden_layers": 32,
        "patch_size": 14,
        "projection_dim": 1024,
        "torch_dtype": "float16",
    }


def t5_encoder() -> dict:
    return {
        "architectures": ["T5EncoderModel"],
        "d_ff": 10240,
        "d_model": 4096,
        "model_type": "t5",
        "num_heads": 64,
        "num_layers": 24,
        "vocab_size": 32128,
    }


def unet(class_name: str = "UNet2DConditionModel", **settings: object) -> dict:
    return {
        "_class_name": class_name,
        "_diffusers_version": "0.27.0",
        "block_out_channels": [320, 640, 1280],
        "in_channels": 4,
        "layers_per_block": 2,
        "out_channels": 4,
        "sample_size": 128,
        **settings,
    }


def vae(class_name: str = "AutoencoderKL", **settings: object) -> dict:
    return {
        "_class_name": class_name,
        "_diffusers_version": "0.27.0",
        "block_out_channels": [128, 256, 512, 512],
        "in_channels": 3,
        "latent_channels": 4,
        "out_channels": 3,
        "sample_size": 512,
        "scaling_factor": 0.18215,
        **settings,
    }


def safety_checker() -> dict:
    return {
        "architectures": ["StableDiffusionSafetyChecker"],
        "model_type": "clip",
        "projection_dim": 768,
        "text_config": {"hidden_size": 768, "model_type": "clip_text_model"},
        "vision_config": {"hidden_size": 1024, "image_size": 224, "model_type": "clip_vision_model", "patch_size": 14},
        "torch_dtype": "float32",
    }


SAFETY_PAIR = ["stable_diffusion", "StableDiffusionSafetyChecker"]
SDXL_PARTS = {
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
SD1_PARTS = {
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "safety_checker": SAFETY_PAIR,
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def assemble(seed: str, components: list[Component], *others: Files) -> Files:
    files: Files = {}
    for part in (*others, *(component.files(seed) for component in components)):
        files.update(part)
    return files


# the repositories


def realvisxl_lightning(seed: str) -> Files:
    return assemble(
        seed,
        [
            Component("text_encoder", "clip_text", clip_text(), 192 * KIB),
            Component("text_encoder_2", "clip_text", clip_text(1280, projection=True), 384 * KIB),
            Component("unet", "unet", unet(cross_attention_dim=2048), 1024 * KIB),
            Component("vae", "vae", vae(scaling_factor=0.13025, force_upcast=True), 96 * KIB),
        ],
        model_index("StableDiffusionXLPipeline", force_zeros_for_empty_prompt=True, **SDXL_PARTS),
        scheduler("EulerDiscreteScheduler", timestep_spacing="trailing"),
        clip_tokenizer("tokenizer"),
        clip_tokenizer("tokenizer_2", pad_token="!"),
        checkpoint(seed, "RealVisXL_V4.0_Lightning.safetensors", 512 * KIB),
    )


def sdxl_base(seed: str) -> Files:
    text = (".msgpack", ".onnx", "openvino")
    return assemble(
        seed,
        [
            Component("text_encoder", "clip_text", clip_text(), 128 * KIB, others=text),
            Component("text_encoder_2", "clip_text", clip_text(1280, True), 256 * KIB, others=(*text, ".onnx_data")),
            Component("unet", "unet", unet(cross_attention_dim=2048), 768 * KIB, others=(*text, ".onnx_data")),
            Component("vae", "vae", vae(scaling_factor=0.13025, force_upcast=True), 96 * KIB, others=(".msgpack",)),
            Component("vae_1_0", "vae", vae(scaling_factor=0.13025, force_upcast=True), 96 * KIB),
            Component("vae_decoder", "vae", vae(scaling_factor=0.13025), 96 * KIB, {}, others=(".onnx", "openvino")),
            Component("vae_encoder", "vae", vae(scaling_factor=0.13025), 96 * KIB, {}, others=(".onnx", "openvino")),
        ],
        model_index("StableDiffusionXLPipeline", "0.19.0.dev0", force_zeros_for_empty_prompt=True, **SDXL_PARTS),
        scheduler("EulerDiscreteScheduler", timestep_spacing="leading"),
        clip_tokenizer("tokenizer"),
        clip_tokenizer("tokenizer_2", pad_token="!"),
        checkpoint(seed, "sd_xl_base_1.0.safetensors", 384 * KIB),
        checkpoint(seed, "sd_xl_base_1.0_0.9vae.safetensors", 384 * KIB),
        checkpoint(seed, "sd_xl_offset_example-lora_1.0.safetensors", 32 * KIB),
        {name: picture(f"{seed}/{name}") for name in ("01.png", "comparison.png", "pipeline.png")},
        {"LICENSE.md": b"CreativeML Open RAIL++-M License. The text is not part of the lab.\n"},
    )


def sdxl_lightning(seed: str) -> Files:
    files: Files = {"sdxl_lightning_samples.jpg": opaque(b"\xff\xd8\xff\xe0", seed, 4 * KIB)}
    for steps in ("1step", "2step", "4step", "8step"):
        tail = "_x0" if steps == "1step" else ""
        full = f"sdxl_lightning_{steps}{tail}.safetensors"
        stem = f"sdxl_lightning_{steps}_unet{tail}"
        files.update(checkpoint(seed, full, 384 * KIB))
        files.update(weights(f"{seed}/{stem}", stem, "unet", 512 * KIB, "F16"))
        if not tail:
            stem = f"sdxl_lightning_{steps}_lora"
            files.update(weights(f"{seed}/{stem}", stem, "unet", 64 * KIB, "F16"))
    files["comfyui/sdxl_lightning_workflow_full.json"] = to_json({"last_node_id": 0, "nodes": [], "version": 0.4})
    files["comfyui/sdxl_lightning_workflow_lora.json"] = to_json({"last_node_id": 0, "nodes": [], "version": 0.4})
    return files


def instruct_pix2pix(seed: str) -> Files:
    bins = (".bin", ".fp16.bin")
    return assemble(
        seed,
        [
            Component("safety_checker", "safety_checker", safety_checker(), 192 * KIB, others=bins),
            Component("text_encoder", "clip_text", clip_text(), 192 * KIB, others=bins),
            Component("unet", "unet", unet(in_channels=8, cross_attention_dim=768), 640 * KIB, others=bins),
            Component("vae", "vae", vae(), 96 * KIB, others=bins),
        ],
        model_index(
            "StableDiffusionInstructPix2PixPipeline",
            "0.13.0.dev0",
            scheduler=["diffusers", "EulerAncestralDiscreteScheduler"],
            requires_safety_checker=True,
            **SD1_PARTS,
        ),
        scheduler("EulerAncestralDiscreteScheduler"),
        clip_tokenizer("tokenizer"),
        image_processor("feature_extractor/preprocessor_config.json", 224),
        checkpoint(seed, "instruct-pix2pix-00-22000.safetensors", 384 * KIB, "F32"),
        {"instruct-pix2pix-00-22000.ckpt": torch_archive(f"{seed}.ckpt", 256 * KIB)},
    )


def stable_video_diffusion(seed: str) -> Files:
    return assemble(
        seed,
        [
            Component("image_encoder", "clip_vision", clip_vision(), 256 * KIB),
            Component(
                "unet",
                "unet",
                unet("UNetSpatioTemporalConditionModel", in_channels=8, num_frames=25, sample_size=96),
                896 * KIB,
            ),
            Component("vae", "vae", vae("AutoencoderKLTemporalDecoder", sample_size=768), 96 * KIB),
        ],
        model_index(
            "StableVideoDiffusionPipeline",
            "0.25.0.dev0",
            feature_extractor=["transformers", "CLIPImageProcessor"],
            image_encoder=["transformers", "CLIPVisionModelWithProjection"],
            scheduler=["diffusers", "EulerDiscreteScheduler"],
            unet=["diffusers", "UNetSpatioTemporalConditionModel"],
            vae=["diffusers", "AutoencoderKLTemporalDecoder"],
        ),
        scheduler("EulerDiscreteScheduler", prediction_type="v_prediction", use_karras_sigmas=True),
        image_processor("feature_extractor/preprocessor_config.json", 224),
        checkpoint(seed, "svd_xt_1_1.safetensors", 512 * KIB),
        {"LICENSE.md": b"Stability AI licence. The text is not part of the lab.\n"},
    )


def x4_upscaler(seed: str) -> Files:
    return assemble(
        seed,
        [
            Component("text_encoder", "clip_text", clip_text(1024), 192 * KIB, others=(".bin",)),
            Component("unet", "unet", unet(in_channels=7, num_class_embeds=1000), 640 * KIB, others=(".bin",)),
            Component("vae", "vae", vae(scaling_factor=0.08333), 96 * KIB, others=(".bin",)),
        ],
        model_index(
            "StableDiffusionUpscalePipeline",
            "0.14.0.dev0",
            feature_extractor=[None, None],
            low_res_scheduler=["diffusers", "DDPMScheduler"],
            max_noise_level=350,
            safety_checker=[None, None],
            scheduler=["diffusers", "DDIMScheduler"],
            text_encoder=["transformers", "CLIPTextModel"],
            tokenizer=["transformers", "CLIPTokenizer"],
            unet=["diffusers", "UNet2DConditionModel"],
            vae=["diffusers", "AutoencoderKL"],
            watermarker=[None, None],
        ),
        scheduler("DDIMScheduler", prediction_type="v_prediction"),
        scheduler("DDPMScheduler", "low_res_scheduler"),
        clip_tokenizer("tokenizer"),
        checkpoint(seed, "x4-upscaler-ema.safetensors", 384 * KIB, "F32"),
        {"x4-upscaler-ema.ckpt": torch_archive(f"{seed}.ckpt", 192 * KIB)},
    )


def realistic_vision(seed: str) -> Files:
    return assemble(
        seed,
        [
            Component("safety_checker", "safety_checker", safety_checker(), 192 * KIB, {}, others=(".bin",)),
            Component("text_encoder", "clip_text", clip_text(), 192 * KIB),
            Component("unet", "unet", unet(cross_attention_dim=768, sample_size=64), 640 * KIB),
            Component("vae", "vae", vae(), 96 * KIB),
        ],
        model_index(
            "StableDiffusionPipeline",
            "0.25.0",
            image_encoder=[None, None],
            requires_safety_checker=True,
            scheduler=["diffusers", "PNDMScheduler"],
            **SD1_PARTS,
        ),
        scheduler("PNDMScheduler", skip_prk_steps=True, steps_offset=1),
        clip_tokenizer("tokenizer"),
        image_processor("feature_extractor/preprocessor_config.json", 224),
        checkpoint(seed, "Realistic_Vision_V6.0_NV_B1.safetensors", 384 * KIB, "F32"),
        checkpoint(seed, "Realistic_Vision_V6.0_NV_B1_fp16.safetensors", 192 * KIB),
    )


def sd_vae(seed: str) -> Files:
    return Component("", "vae", vae(sample_size=256), 192 * KIB, {"": "F32"}, others=(".bin",)).files(seed)


def sd3_medium(seed: str) -> Files:
    fp32 = {"": "F32", "fp16": "F16"}
    return assemble(
        seed,
        [
            Component("text_encoder", "clip_text", clip_text(768, True), 128 * KIB, fp32),
            Component("text_encoder_2", "clip_text", clip_text(1280, True), 256 * KIB, fp32),
            Component("text_encoder_3", "t5", t5_encoder(), 768 * KIB, fp32, {"": 2, "fp16": 2}),
            # half precision, though its name does not say so: the repository has no other
            Component(
                "transformer",
                "sd3",
                {"_class_name": "SD3Transformer2DModel", "_diffusers_version": "0.29.0", "num_layers": 24},
                768 * KIB,
                {"": "F16"},
            ),
            Component("vae", "vae", vae(latent_channels=16, scaling_factor=1.5305), 96 * KIB, {"": "F16"}),
        ],
        model_index(
            "StableDiffusion3Pipeline",
            "0.29.0.dev0",
            scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"],
            text_encoder=["transformers", "CLIPTextModelWithProjection"],
            text_encoder_2=["transformers", "CLIPTextModelWithProjection"],
            text_encoder_3=["transformers", "T5EncoderModel"],
            tokenizer=["transformers", "CLIPTokenizer"],
            tokenizer_2=["transformers", "CLIPTokenizer"],
            tokenizer_3=["transformers", "T5TokenizerFast"],
            transformer=["diffusers", "SD3Transformer2DModel"],
            vae=["diffusers", "AutoencoderKL"],
        ),
        scheduler("FlowMatchEulerDiscreteScheduler"),
        clip_tokenizer("tokenizer"),
        clip_tokenizer("tokenizer_2", pad_token="!"),
        t5_tokenizer("tokenizer_3"),
        {"LICENSE.md": b"Stability AI licence. The text is not part of the lab.\n"},
    )


def flux_schnell(seed: str) -> Files:
    plain = {"": "BF16"}
    return assemble(
        seed,
        [
            Component("text_encoder", "clip_text", clip_text(), 128 * KIB, plain),
            Component("text_encoder_2", "t5", t5_encoder(), 768 * KIB, plain, {"": 2}),
            Component(
                "transformer",
                "flux",
                {
                    "_class_name": "FluxTransformer2DModel",
                    "_diffusers_version": "0.30.0.dev0",
                    "guidance_embeds": False,
                    "in_channels": 64,
                    "num_layers": 19,
                    "num_single_layers": 38,
                },
                1536 * KIB,
                plain,
                {"": 3},
            ),
            Component("vae", "vae", vae(latent_channels=16, scaling_factor=0.3611), 96 * KIB, plain),
        ],
        model_index(
            "FluxPipeline",
            "0.30.0.dev0",
            scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"],
            text_encoder=["transformers", "CLIPTextModel"],
            text_encoder_2=["transformers", "T5EncoderModel"],
            tokenizer=["transformers", "CLIPTokenizer"],
            tokenizer_2=["transformers", "T5TokenizerFast"],
            transformer=["diffusers", "FluxTransformer2DModel"],
            vae=["diffusers", "AutoencoderKL"],
        ),
        scheduler("FlowMatchEulerDiscreteScheduler", shift=1.0, use_dynamic_shifting=False),
        clip_tokenizer("tokenizer"),
        t5_tokenizer("tokenizer_2"),
        checkpoint(seed, "flux1-schnell.safetensors", 768 * KIB, "BF16"),
        checkpoint(seed, "ae.safetensors", 96 * KIB, "F32"),
        {"schnell_grid.jpeg": opaque(b"\xff\xd8\xff\xe0", f"{seed}.jpeg", 4 * KIB)},
    )


def stand_alone_safety_checker(seed: str) -> Files:
    return assemble(
        seed,
        [Component("", "safety_checker", safety_checker(), 256 * KIB, {"": "F32"}, others=(".bin", ".msgpack"))],
        image_processor("preprocessor_config.json", 224),
    )


def clip_vit(seed: str) -> Files:
    config = {
        "architectures": ["CLIPModel"],
        "initializer_factor": 1.0,
        "logit_scale_init_value": 2.6592,
        "model_type": "clip",
        "projection_dim": 512,
        "text_config": {"hidden_size": 512, "model_type": "clip_text_model"},
        "vision_config": {"hidden_size": 768, "model_type": "clip_vision_model", "patch_size": 32},
    }
    return assemble(
        seed,
        [Component("", "clip_vision", config, 256 * KIB, {}, others=(".bin", ".msgpack", ".h5"))],
        image_processor("preprocessor_config.json", 224),
        clip_tokenizer("", prefix=False),
        {"tokenizer.json": tokenizer_json("BPE")},
    )


def whisper(seed: str, large: bool) -> Files:
    config = {
        "architectures": ["WhisperForConditionalGeneration"],
        "d_model": 1280 if large else 1024,
        "decoder_layers": 32 if large else 24,
        "encoder_layers": 32 if large else 24,
        "is_encoder_decoder": True,
        "model_type": "whisper",
        "num_mel_bins": 128 if large else 80,
        "vocab_size": 51866 if large else 51865,
    }
    # the large model holds half precision in the plain file and full precision in shards with a variant's name
    variants = {"": "F16", "fp32": "F32"} if large else {"": "F32"}
    model = Component("", "whisper", config, 768 * KIB, variants, {"fp32": 2}, (".bin", ".msgpack"))
    tokens = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    files = assemble(
        seed,
        [model],
        {
            "added_tokens.json": to_json({"<|startoftranscript|>": 50258, "<|transcribe|>": 50360}),
            "generation_config.json": to_json(
                {"decoder_start_token_id": 50258, "is_multilingual": True, "max_length": 448}
            ),
            "merges.txt": b"#version: 0.2\nt h\n",
            "normalizer.json": to_json({"accessorise": "accessorize", "colour": "color"}),
            "preprocessor_config.json": to_json(
                {
                    "chunk_length": 30,
                    "feature_extractor_type": "WhisperFeatureExtractor",
                    "feature_size": config["num_mel_bins"],
                    "hop_length": 160,
                    "n_fft": 400,
                    "processor_class": "WhisperProcessor",
                    "sampling_rate": 16000,
                }
            ),
            "special_tokens_map.json": to_json(tokens),
            "tokenizer.json": tokenizer_json("BPE"),
            "tokenizer_config.json": to_json(
                {
                    **tokens,
                    "model_max_length": 448,
                    "processor_class": "WhisperProcessor",
                    "tokenizer_class": "WhisperTokenizer",
                }
            ),
            "vocab.json": to_json({chr(code): code - 33 for code in range(33, 127)}),
        },
    )
    if large:
        for part in ("00001-of-00002", "00002-of-00002"):
            files[f"pytorch_model.fp32-{part}.bin"] = torch_archive(f"{seed}/{part}", 96 * KIB)
        files["pytorch_model.bin.index.fp32.json"] = to_json({"metadata": {"total_size": 196608}, "weight_map": {}})
    return files


def blip_large(seed: str) -> Files:
    config = {
        "architectures": ["BlipForConditionalGeneration"],
        "image_text_hidden_size": 256,
        "model_type": "blip",
        "projection_dim": 512,
        "text_config": {"model_type": "blip_text_model", "vocab_size": 30524},
        "torch_dtype": "float32",
        "vision_config": {"hidden_size": 1024, "image_size": 384, "model_type": "blip_vision_model"},
    }
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "photo", "of", "harbour"]
    tokens = {"cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]"}
    return assemble(
        seed,
        [Component("", "blip", config, 1024 * KIB, {"": "F32"}, others=(".bin", ".h5"))],
        image_processor("preprocessor_config.json", 384, "BlipImageProcessor"),
        {
            "special_tokens_map.json": to_json({**tokens, "unk_token": "[UNK]"}),
            "tokenizer.json": tokenizer_json("WordPiece"),
            "tokenizer_config.json": to_json(
                {
                    **tokens,
                    "do_lower_case": True,
                    "model_max_length": 512,
                    "processor_class": "BlipProcessor",
                    "tokenizer_class": "BertTokenizer",
                }
            ),
            "vocab.txt": "".join(f"{word}\n" for word in words).encode(),
        },
    )


def sam2_hiera_large(seed: str) -> Files:
    return {
        "sam2_hiera_l.yaml": b"# @package _global_\n\nmodel:\n  _target_: sam2.modeling.sam2_base.SAM2Base\n"
        b"  image_size: 1024\n  num_maskmem: 7\n",
        "sam2_hiera_large.pt": torch_archive(seed, 2048 * KIB),
    }


def parler_large(seed: str) -> Files:
    config = {
        "architectures": ["ParlerTTSForConditionalGeneration"],
        "audio_encoder": {"model_type": "dac", "num_codebooks": 9, "sampling_rate": 44100},
        "decoder": {"hidden_size": 1536, "model_type": "parler_tts_decoder", "num_hidden_layers": 30},
        "is_encoder_decoder": True,
        "model_type": "parler_tts",
        "text_encoder": {"d_model": 1024, "model_type": "t5"},
        "torch_dtype": "float32",
        "vocab_size": 32128,
    }
    return assemble(
        seed,
        [Component("", "parler", config, 1024 * KIB, {"": "F32"}, {"": 2})],
        t5_tokenizer(""),
        {
            "generation_config.json": to_json({"do_sample": True, "guidance_scale": 1, "max_length": 2580}),
            "preprocessor_config.json": to_json(
                {"feature_extractor_type": "EncodecFeatureExtractor", "feature_size": 1, "sampling_rate": 44100}
            ),
        },
    )


CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


def llama_31_8b_instruct(seed: str) -> Files:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "bos_token_id": 128000,
        "eos_token_id": [128001, 128008, 128009],
        "hidden_size": 4096,
        "max_position_embeddings": 131072,
        "model_type": "llama",
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "torch_dtype": "bfloat16",
        "vocab_size": 128256,
    }
    tokens = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
    return assemble(
        seed,
        [Component("", "llama", config, 2048 * KIB, {"": "BF16"}, {"": 4})],
        {
            "LICENSE": b"Llama 3.1 community licence. The text is not part of the lab.\n",
            "USE_POLICY.md": b"Acceptable use policy. The text is not part of the lab.\n",
            "generation_config.json": to_json({"do_sample": True, "temperature": 0.6, "top_p": 0.9}),
            "original/consolidated.00.pth": torch_archive(f"{seed}/original", 512 * KIB),
            "original/params.json": to_json({"dim": 4096, "n_heads": 32, "n_layers": 32, "vocab_size": 128256}),
            "original/tokenizer.model": opaque(b"IQ== 0\nIg== 1\n", f"{seed}/tokenizer", 8 * KIB),
            "special_tokens_map.json": to_json(tokens),
            "tokenizer.json": tokenizer_json("BPE"),
            "tokenizer_config.json": to_json(
                {
                    **tokens,
                    "chat_template": CHAT_TEMPLATE,
                    "model_max_length": 131072,
                    "tokenizer_class": "PreTrainedTokenizerFast",
                }
            ),
        },
    )


@dataclass(frozen=True)
class Row:
    """What the Hub says about a repository, and the function that makes its files."""

    files: Callable[[str], Files]
    pipeline_tag: str | None
    library: str | None
    licence: str
    gated: bool | str = False
    renamed_to: str | None = None
    real_weights: bool = False


REPOSITORIES = {
    "SG161222/RealVisXL_V4.0_Lightning": Row(realvisxl_lightning, "text-to-image", "diffusers", "openrail++"),
    "ByteDance/SDXL-Lightning": Row(sdxl_lightning, "text-to-image", "diffusers", "openrail++"),
    "stabilityai/stable-diffusion-xl-base-1.0": Row(sdxl_base, "text-to-image", "diffusers", "openrail++"),
    "SG161222/Realistic_Vision_V6.0_B1_noVAE": Row(
        realistic_vision, "text-to-image", "diffusers", "creativeml-openrail-m"
    ),
    "stabilityai/sd-vae-ft-ema": Row(sd_vae, None, "diffusers", "mit"),
    "stabilityai/stable-diffusion-3-medium-diffusers": Row(
        sd3_medium, "text-to-image", "diffusers", "other", gated="auto"
    ),
    "black-forest-labs/FLUX.1-schnell": Row(flux_schnell, "text-to-image", "diffusers", "apache-2.0"),
    "timbrooks/instruct-pix2pix": Row(instruct_pix2pix, "image-to-image", "diffusers", "mit"),
    "stabilityai/stable-video-diffusion-img2vid-xt-1-1": Row(
        stable_video_diffusion, "image-to-video", "diffusers", "other", gated="auto"
    ),
    "stabilityai/stable-diffusion-x4-upscaler": Row(x4_upscaler, None, "diffusers", "openrail++"),
    "CompVis/stable-diffusion-safety-checker": Row(stand_alone_safety_checker, None, "transformers", "mit"),
    "openai/clip-vit-base-patch32": Row(clip_vit, "zero-shot-image-classification", "transformers", "mit"),
    "openai/whisper-large-v3": Row(
        lambda seed: whisper(seed, large=True), "automatic-speech-recognition", "transformers", "apache-2.0"
    ),
    "openai/whisper-medium": Row(
        lambda seed: whisper(seed, large=False), "automatic-speech-recognition", "transformers", "apache-2.0"
    ),
    "Salesforce/blip-image-captioning-large": Row(blip_large, "image-to-text", "transformers", "bsd-3-clause"),
    "facebook/sam2-hiera-large": Row(sam2_hiera_large, "mask-generation", "sam2", "apache-2.0"),
    "parler-tts/parler-tts-large-v1": Row(parler_large, "text-to-speech", "transformers", "apache-2.0"),
    # the Hub answers to this name with a redirect to the new one
    "meta-llama/Meta-Llama-3.1-8B-Instruct": Row(
        llama_31_8b_instruct,
        "text-generation",
        "transformers",
        "llama3.1",
        gated="manual",
        renamed_to="meta-llama/Llama-3.1-8B-Instruct",
    ),
    "dleemiller/word-llama-l2-supercat": Row(word_llama, "sentence-similarity", None, "mit", real_weights=True),
}
