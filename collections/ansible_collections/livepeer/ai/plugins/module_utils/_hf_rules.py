# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.

"""Which repositories and which of their files a pipeline's runner reads.

The runner never says what it needs: it opens files until one is missing. So the rules are kept here as data, one per
family of loaders, and are applied to the repository's own file list, which makes them hold for models nobody has heard
of.
"""

from __future__ import annotations

import fnmatch
import re

# Part of every recorded selection: a higher number makes hosts ask again after the rules have changed.
RULES_VERSION = 1

SAFETY_CHECKER = ("CompVis/stable-diffusion-safety-checker", "safety-checker")
CLIP_PROCESSOR = ("openai/clip-vit-base-patch32", "clip-processor")
# The image pipelines construct the safety checker whether a request asks for it or not.
IMAGE_COMPANIONS = (SAFETY_CHECKER, CLIP_PROCESSOR)

# pipeline: (rule for the model's own repository, companion repositories with their rules)
PIPELINES = {
    "text-to-image": ("diffusers", IMAGE_COMPANIONS),
    "image-to-image": ("diffusers", IMAGE_COMPANIONS),
    "image-to-video": ("diffusers", IMAGE_COMPANIONS),
    "upscale": ("diffusers", IMAGE_COMPANIONS),
    "audio-to-text": ("speech-to-text", ()),
    "image-to-text": ("caption", ()),
    "segment-anything-2": ("segment-anything-2", ()),
    "text-to-speech": ("text-to-speech", ()),
    "llm": ("llm", ()),
}

# Pipelines that load one diffusers class and no other.
PIPELINE_CLASS = {
    "image-to-video": "StableVideoDiffusionPipeline",
    "upscale": "StableDiffusionUpscalePipeline",
}

# These ask the Hub for repositories named in their model card, which a file list does not show.
CONNECTED_CLASSES = ("Kandinsky", "Wuerstchen", "StableCascadeCombined")

SDXL_LIGHTNING = "ByteDance/SDXL-Lightning"
SDXL_BASE = "stabilityai/stable-diffusion-xl-base-1.0"
LIGHTNING_STEPS = ("2step", "4step", "8step")
LIGHTNING_DEFAULT = "8step"

# (pipeline, model_id): further repositories that the runner's code names for this model alone.
SPECIAL_COMPANIONS = {
    ("text-to-image", "SG161222/Realistic_Vision_V6.0_B1_noVAE"): (("stabilityai/sd-vae-ft-ema", "vae"),),
}

SAM2_CHECKPOINTS = {
    "facebook/sam2-hiera-tiny": "sam2_hiera_tiny.pt",
    "facebook/sam2-hiera-small": "sam2_hiera_small.pt",
    "facebook/sam2-hiera-base-plus": "sam2_hiera_base_plus.pt",
    "facebook/sam2-hiera-large": "sam2_hiera_large.pt",
}

TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")

# Loaders of one folder of files at the repository's root: what must be there (each entry of `required` is a tuple of
# alternatives), whether *.bin weights are read at all, and whether the loader looks for the half-precision variant.
FLAT_RULES = {
    "speech-to-text": {
        "required": (("config.json",), ("preprocessor_config.json",), TOKENIZERS),
        "bin": False,
    },
    "caption": {
        "required": (("config.json",), ("preprocessor_config.json",), ("tokenizer.json", "vocab.txt")),
        "bin": False,
        "fp16": True,
    },
    "text-to-speech": {
        "required": (("config.json",), ("tokenizer.json", "spiece.model")),
        "bin": False,
    },
    "llm": {
        "required": (("config.json",), ("tokenizer_config.json",), TOKENIZERS + ("tekken.json",)),
        "bin": True,
    },
    "safety-checker": {"required": (("config.json",),), "bin": True},
    "vae": {"required": (("config.json",),), "bin": True},
}

# Small files that a loader may open beside weights. Everything else in a repository is for people or for other
# frameworks.
SIDE_SUFFIXES = (".json", ".txt", ".model", ".jinja")

# The only names under which PyTorch loaders look for pickled weights; openvino_model.bin, training_args.bin are not
# read.
BIN_STEMS = ("pytorch_model", "diffusion_pytorch_model")

WEIGHT_NAME = re.compile(
    r"^(?P<stem>[^.]+?)"
    r"(?:-(?P<shard>\d{5})-of-(?P<shards>\d{5}))?"
    r"(?:\.(?P<variant>[^.]+?)(?:-(?P<vshard>\d{5})-of-(?P<vshards>\d{5}))?)?"
    r"\.(?P<format>safetensors|bin)$"
)
# model.safetensors.index.json, model.safetensors.index.fp16.json, pytorch_model.bin.index.json
INDEX_NAME = re.compile(r"^(?P<stem>[^.]+)\.(?P<format>safetensors|bin)\.index(?:\.(?P<variant>[^.]+))?\.json$")

# The runner takes the half-precision variant when it sees a file with this in its name, and float32 otherwise.
FP16_MARK = ".fp16.safetensors"

MODEL_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$")
COMMIT = re.compile(r"^[0-9a-f]{40}$")


class RuleError(Exception):
    """The repository cannot serve the pipeline, or the request contradicts itself: one sentence for the user."""


class Want:
    """One repository that a model needs, the revision of it, and the rule that picks its files."""

    def __init__(self, model_id, rule, revision="main", allow=(), ignore=(), required_class=None):
        self.model_id = model_id
        self.rule = rule
        self.revision = revision
        self.allow = tuple(allow)
        self.ignore = tuple(ignore)
        self.required_class = required_class

    @property
    def selection(self):
        """The name under which a host records that this selection of files is complete."""
        chosen = "patterns:" + " ".join(self.allow) if self.allow else f"{self.rule}/{RULES_VERSION}"
        return f"{chosen} except {' '.join(self.ignore)}" if self.ignore else chosen

    @property
    def needs_index(self):
        return self.rule == "diffusers" and not self.allow

    def as_dict(self):
        return {"model_id": self.model_id, "revision": self.revision, "selection": self.selection}

    def pick(self, paths, model_index=None):
        """The paths of this repository's list that are to be fetched, sorted."""
        chosen = match(paths, self.allow) if self.allow else self._by_rule(paths, model_index)
        chosen = sorted(set(chosen) - set(match(paths, self.ignore)))
        if not chosen:
            given = "allow_patterns" if self.allow else f"the rule {self.rule}"
            raise RuleError(
                f"No file of {self.model_id} is left after {given} and ignore_patterns {list(self.ignore)}; "
                f"the repository has {len(paths)} files such as {', '.join(sorted(paths)[:3]) or 'none'}."
            )
        return chosen

    def _by_rule(self, paths, model_index):
        if self.rule == "diffusers":
            return pick_diffusers(self.model_id, paths, model_index, self.required_class)
        if self.rule in FLAT_RULES:
            return pick_flat(self.model_id, paths, FLAT_RULES[self.rule])
        if self.rule == "clip-processor":
            return pick_named(self.model_id, paths, "preprocessor_config.json")
        if self.rule == "segment-anything-2":
            return pick_named(self.model_id, paths, SAM2_CHECKPOINTS[self.model_id])
        # lightning:<steps>
        return pick_named(self.model_id, paths, f"sdxl_lightning_{self.rule.partition(':')[2]}_unet.safetensors")


def wants(model_id, pipeline=None, revision="main", allow=(), ignore=(), companions=True):
    """Every repository that `pipeline` opens for `model_id`; the model's own comes first."""
    if not MODEL_ID.match(model_id) or "--" in model_id or ".." in model_id:
        raise RuleError(f"model_id {model_id!r} is not a Hugging Face model name; write it as organisation/name.")
    if pipeline is None:
        return [Want(model_id, "patterns", revision, allow, ignore)]
    if pipeline == "live-video-to-video":
        raise RuleError(
            f"The weights of live-video-to-video model {model_id} are prepared by its own runner image "
            "(PREPARE_MODELS=1), not taken from a Hugging Face repository; leave it out of the list of models."
        )
    if pipeline not in PIPELINES:
        raise RuleError(f"pipeline {pipeline!r} of {model_id} is unknown; use one of {', '.join(sorted(PIPELINES))}.")

    rule, others = PIPELINES[pipeline]
    others += SPECIAL_COMPANIONS.get((pipeline, model_id), ())
    own = model_id
    if rule == "diffusers" and SDXL_LIGHTNING in model_id:
        # The runner accepts ByteDance/SDXL-Lightning-4step as a name, but there is one repository for all step counts.
        steps = next((s for s in LIGHTNING_STEPS if s in model_id), LIGHTNING_DEFAULT)
        own, rule = SDXL_LIGHTNING, f"lightning:{steps}"
        others = ((SDXL_BASE, "diffusers"),) + others
    if rule == "segment-anything-2" and model_id not in SAM2_CHECKPOINTS and not allow:
        raise RuleError(
            f"segment-anything-2 cannot load {model_id}; its runner knows {', '.join(sorted(SAM2_CHECKPOINTS))}."
        )
    result = [Want(own, rule, revision, allow, ignore, PIPELINE_CLASS.get(pipeline))]
    if companions:
        result += [Want(name, companion_rule) for name, companion_rule in others if name != own]
    return result


def match(paths, patterns):
    """The paths that any of the patterns matches; a pattern that ends in / means everything below that folder."""
    whole = [p + "*" if p.endswith("/") else p for p in patterns]
    return [path for path in paths if any(fnmatch.fnmatchcase(path, p) for p in whole)]


def pick_named(model_id, paths, name):
    if name not in paths:
        raise RuleError(f"{model_id} has no file {name}, which the runner reads; check model_id and revision.")
    return [name]


def pick_diffusers(model_id, paths, model_index, required_class=None):
    """model_index.json and the files of each component it names."""
    if "model_index.json" not in paths or model_index is None:
        raise RuleError(
            f"{model_id} has no model_index.json, so it is not a diffusers repository (a single-file checkpoint, a "
            "LoRA and GGUF cannot be loaded by this pipeline); choose another model, or name files with allow_patterns."
        )
    class_name = model_index.get("_class_name")
    if not isinstance(class_name, str):
        raise RuleError(f"{model_id} brings its own pipeline code ({class_name}), which the runner does not execute.")
    if required_class and class_name != required_class:
        raise RuleError(f"{model_id} is a {class_name}, but this pipeline loads only {required_class}.")
    if class_name.startswith(CONNECTED_CLASSES):
        raise RuleError(
            f"{model_id} is a {class_name}, which loads further repositories named in its README.md; "
            "list them as models of their own and give each allow_patterns."
        )
    folders = component_folders(model_id, paths, model_index)
    fp16 = any(FP16_MARK in name for names in folders.values() for name in names)
    chosen = ["model_index.json"]
    for folder, names in folders.items():
        chosen += [f"{folder}/{name}" for name in pick_folder(f"{model_id}/{folder}", names, fp16, allow_bin=True)]
    return chosen


def component_folders(model_id, paths, model_index):
    """{component: file names directly inside its folder} for the components that are not null."""
    folders = {}
    for component, value in sorted(model_index.items()):
        if component.startswith("_") or not isinstance(value, list) or len(value) != 2 or None in value:
            continue
        prefix = f"{component}/"
        names = [p[len(prefix) :] for p in paths if p.startswith(prefix)]
        folders[component] = [name for name in names if "/" not in name]
        if not folders[component]:
            raise RuleError(
                f"model_index.json of {model_id} names the component {component}, but the repository has no file for "
                "it; the runner could not load the model."
            )
    return folders


def pick_flat(model_id, paths, rule):
    """Files of a repository whose model lies at the root."""
    names = [path for path in paths if "/" not in path]
    for alternatives in rule["required"]:
        if not set(alternatives) & set(names):
            raise RuleError(f"{model_id} has no {' or '.join(alternatives)}, which the runner reads.")
    fp16 = rule.get("fp16", False) and any(FP16_MARK in name for name in names)
    chosen = pick_folder(model_id, names, fp16, allow_bin=rule["bin"])
    if not any(WEIGHT_NAME.match(name) for name in chosen):
        raise RuleError(f"{model_id} has no {wanted_weights(rule['bin'])} weights{explain_other_weights(names)}.")
    return chosen


def wanted_weights(allow_bin):
    return "safetensors or PyTorch" if allow_bin else "safetensors"


def explain_other_weights(names):
    if any(name.startswith("vocabulary.") for name in names) and "model.bin" in names:
        return (
            " (it is a CTranslate2 repository, which only a runner with BACKEND=faster-whisper reads; if you run "
            "that, set allow_patterns to config.json, preprocessor_config.json, model.bin, tokenizer.json and "
            "vocabulary.*)"
        )
    found = sorted({"*." + name.rsplit(".", 1)[-1] for name in names if not name.endswith(SIDE_SUFFIXES + (".md",))})
    return f" (only {', '.join(found)})" if found else ""


def pick_folder(where, names, fp16, allow_bin):
    """The small files of one folder and one complete set of weights, in the order in which a loader looks for them."""
    side = [n for n in names if n.endswith(SIDE_SUFFIXES) and not INDEX_NAME.match(n)]
    parsed = [m for m in map(WEIGHT_NAME.match, names) if m and (m["format"] != "bin" or m["stem"] in BIN_STEMS)]
    variants = ("fp16", None) if fp16 else (None,)
    preference = [(v, "safetensors") for v in variants]
    if allow_bin:
        # Pickled half precision comes last: only a folder that has nothing else is read that way.
        preference += [(None, "bin"), ("fp16", "bin")] if fp16 else [(None, "bin")]
    for variant, kind in preference:
        weights = [m for m in parsed if m["variant"] == variant and m["format"] == kind]
        if weights:
            chosen = one_set(where, weights)
            return side + chosen + indices(names, chosen, variant, kind)
    return side


def one_set(where, weights):
    """The single file if there is one, else every shard; both never go together."""
    stems = {m["stem"] for m in weights}
    # Repositories of language models repeat the weights in their maker's own format under another stem.
    stem = next((s for s in ("model", "diffusion_pytorch_model", "pytorch_model") if s in stems), None)
    weights = [m for m in weights if stem is None or m["stem"] == stem]
    whole = [m.string for m in weights if not (m["shard"] or m["vshard"])]
    if whole:
        return whole
    count = int(weights[0]["shards"] or weights[0]["vshards"])
    have = {int(m["shard"] or m["vshard"]) for m in weights}
    missing = sorted(set(range(1, count + 1)) - have)
    if missing:
        raise RuleError(f"{where} lacks part {missing[0]} of {count} of its weights; the repository is incomplete.")
    return [m.string for m in weights]


def indices(names, chosen, variant, kind):
    """The list of shards that belongs to sharded weights."""
    if not any("-of-" in name for name in chosen):
        return []
    found = [m for m in map(INDEX_NAME.match, names) if m]
    return [m.string for m in found if m["variant"] == variant and m["format"] == kind]
