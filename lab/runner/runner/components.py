# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a snapshot's folder to loaded components: which files each kind of component must have (ai-runner.md 2.6)."""

from __future__ import annotations

from pathlib import Path

from .weights import WeightFile, read_json, read_sharded, read_weights

SAFETENSORS = "safetensors"
PICKLED = "bin"

# Any one of these sets makes a tokenizer.
TOKENIZER_FILES = (
    ("tokenizer.json",),
    ("vocab.json", "merges.txt"),
    ("vocab.txt",),
    ("spiece.model",),
    ("tokenizer.model",),
)
# Tokenizers that exist in the slow form only do not read tokenizer.json.
SLOW_TOKENIZER_FILES = {
    "CLIPTokenizer": (("vocab.json", "merges.txt"),),
    "T5Tokenizer": (("spiece.model",),),
}


def weight_names(stem: str, variant: str | None, suffix: str) -> tuple[str, str]:
    """The names of the single weight file and of the shard index, for example for `model`, `fp16`, `safetensors`."""
    middle = f".{variant}" if variant else ""
    return f"{stem}{middle}.{suffix}", f"{stem}.{suffix}.index{middle}.json"


def load_weights(folder: Path, stems: tuple[str, ...], variant: str | None, *, pickled: bool) -> list[WeightFile]:
    """The first form that the folder has: safetensors, safetensors shards, then (if `pickled`) the .bin forms.

    `stems` are the file stems of the safetensors and of the .bin form.
    """
    looked_for = []
    for stem, suffix in zip(stems, (SAFETENSORS, PICKLED), strict=True):
        if suffix == PICKLED and not pickled:
            break
        single, index = weight_names(stem, variant, suffix)
        looked_for += [single, index]
        if (folder / single).is_file():
            return [read_weights(folder / single)]
        if (folder / index).is_file():
            return read_sharded(folder / index)
    raise OSError(f"Error no file named {looked_for[0]} found in directory {folder} (nor {', '.join(looked_for[1:])}).")


def required_json(folder: Path, name: str) -> dict:
    if not (folder / name).is_file():
        raise OSError(f"{folder} does not appear to have a file named {name}.")
    return read_json(folder / name)


def load_tokenizer(folder: Path, class_name: str = "") -> None:
    choices = SLOW_TOKENIZER_FILES.get(class_name, TOKENIZER_FILES)
    for names in choices:
        if all((folder / name).is_file() for name in names):
            for name in names:
                if name.endswith(".json"):
                    read_json(folder / name)
            if (folder / "tokenizer_config.json").is_file():
                read_json(folder / "tokenizer_config.json")
            return
    wanted = " or ".join(" and ".join(names) for names in choices)
    raise OSError(f"Can't load tokenizer for '{folder}': it needs {wanted}.")


def load_transformers_model(folder: Path, variant: str | None, *, pickled: bool) -> tuple[dict, list[WeightFile]]:
    config = required_json(folder, "config.json")
    return config, load_weights(folder, ("model", "pytorch_model"), variant, pickled=pickled)


def load_diffusers_component(folder: Path, library: str, class_name: str, variant: str | None) -> list[WeightFile]:
    """One entry of model_index.json. The folder decides whether the variant applies to it: mixed trees are accepted."""
    if class_name.endswith("Scheduler"):
        required_json(folder, "scheduler_config.json")
        return []
    if class_name.endswith(("FeatureExtractor", "ImageProcessor", "Processor")):
        required_json(folder, "preprocessor_config.json")
        return []
    if class_name.endswith(("Tokenizer", "TokenizerFast")):
        load_tokenizer(folder, class_name)
        return []
    required_json(folder, "config.json")
    stem = "diffusion_pytorch_model"
    stems = (stem, stem) if library == "diffusers" else ("model", "pytorch_model")
    return load_weights(folder, stems, variant if _has_variant(folder, variant) else None, pickled=True)


def _has_variant(folder: Path, variant: str | None) -> bool:
    if not variant or not folder.is_dir():
        return False
    return any(part.startswith(variant) for path in folder.iterdir() for part in path.name.split(".")[1:2])
