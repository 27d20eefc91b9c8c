# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which path to the network fits a model, and why: pure functions over metadata. Private to the collection."""

from __future__ import annotations

import dataclasses

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import LIVE_PIPELINE, release
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import (
    FP16_MARK,
    IMAGE_COMPANIONS,
    PIPELINE_CLASS,
    PIPELINES,
    SAM2_CHECKPOINTS,
    SDXL_BASE,
    SDXL_LIGHTNING,
    RuleError,
    explain_other_weights,
    wants,
)
from ansible_collections.livepeer.ai.plugins.plugin_utils import _advice_rules as rules
from ansible_collections.livepeer.ai.plugins.plugin_utils._gpu_plan import DOCUMENTED_MEMORY
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import size_text

BUILTIN = "builtin"
WARNED = "builtin_with_warnings"
CUSTOM = "custom_pipeline"
BYOC = "byoc"
LIVE_RUNNER = "live_runner"
# The order in which pipelines are asked; the first that fits is taken unless the Hub's own tag names another that does.
ORDER = (
    "text-to-image",
    "image-to-image",
    "image-to-video",
    "upscale",
    "audio-to-text",
    "image-to-text",
    "segment-anything-2",
    "text-to-speech",
    "llm",
)
# Patterns of a container's weights, best first; small files go with each.
WEIGHT_PATTERNS = ("*.safetensors", "*.bin", "*.gguf", "*.pt", "*.pth", "*.ckpt", "*.onnx", "*.nemo")
SIDE_PATTERNS = ("*.json", "*.txt", "*.model", "*.py", "*.yaml")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether one pipeline loads the model, and why."""

    pipeline: str
    fits: bool
    reason: str
    group: str = ""


class AdviceError(ValueError):
    """A question that cannot be answered as put."""


def repository(model_id):
    """The repository behind a name: the runner accepts some names that are no repository."""
    return SDXL_LIGHTNING if SDXL_LIGHTNING in model_id else model_id


def is_live_application(model_id, version):
    """Whether it names a live pipeline that go-livepeer has an image for, and so no repository."""
    return model_id in release(version).live_images


def advise(model_id, model, find, version, frames=False, route=BYOC, pipeline="", gpu_memory=0):
    """Everything a person wants to know beforehand. `find(model_id)` gives a companion's metadata, or None."""
    known = release(version)
    if model_id in known.live_images:
        return live_application(model_id, known)
    if model is None:
        raise AdviceError(
            f"Nothing is known of {model_id}: no metadata file has it, and the Hub was not asked (offline is true)."
        )
    asked = [pipeline] if pipeline else [name for name in ORDER if name in known.pipelines]
    verdicts = [judge(model_id, model, name) for name in asked]
    fitting = preferred([verdict for verdict in verdicts if verdict.fits], model)
    questions = [question(verdict) for verdict in verdicts]
    if frames:
        questions.append(entry("Frames in, frames out, in real time?", True, "you said so (frames: true)"))
        advice = custom(model_id, model, fitting)
    elif fitting:
        advice = builtin(model_id, model, fitting[0], find, gpu_memory)
        advice["also"] = [verdict.pipeline for verdict in fitting[1:]]
    else:
        no_frames = "you did not say so (frames: false), and nothing in a repository tells"
        questions.append(entry("Frames in, frames out, in real time?", False, no_frames))
        advice = container(model_id, model, known, route, verdicts)
    return {
        "model_id": model_id,
        "questions": questions,
        "also": [],
        "licence": licence(model),
        "gated": model["gated"],
        "metadata": {key: model[key] for key in ("source", "date", "revision", "commit")},
        **advice,
    }


def entry(text, answer, reason):
    return {"question": text, "answer": "yes" if answer else "no", "reason": reason}


def question(verdict):
    return entry(f"Does the built-in pipeline {verdict.pipeline} serve it?", verdict.fits, verdict.reason)


def preferred(verdicts, model):
    """The pipeline of the Hub's tag first: a tag alone proves nothing, but it breaks a tie."""
    return sorted(verdicts, key=lambda verdict: verdict.pipeline != model["pipeline_tag"])


# One pipeline


def judge(model_id, model, pipeline):
    """The verdict of one pipeline, by name, by class, then by the files that its loader opens."""
    verdict = JUDGES[pipeline](model_id, model)
    if not verdict.fits:
        return verdict
    try:
        select(model_id, model, pipeline)
    except RuleError as error:
        if verdict.group.startswith(CONNECTED_GROUPS):
            return verdict
        return Verdict(pipeline, False, str(error))
    return verdict


# These load repositories named in their card, so a file list cannot say what they need.
CONNECTED_GROUPS = ("kandinsky", "wuerstchen")


def select(model_id, model, pipeline):
    """The paths of the model's own repository that the pipeline's runner reads."""
    return wants(model_id, pipeline)[0].pick(list(model["files"]), index_of(model))


def index_of(model):
    """model_index.json, or a guess at it where a gate is closed: every folder is a component."""
    index = model["model_index"]
    if not index or any(isinstance(value, list) for key, value in index.items() if not key.startswith("_")):
        return index
    folders = {path.partition("/")[0] for path in model["files"] if path.count("/") == 1}
    return {**index, **{folder: ["unknown", "unknown"] for folder in sorted(folders)}}


def class_name(model):
    return (model["model_index"] or {}).get("_class_name")


def no_diffusers(model_id, model, pipeline):
    """Why no diffusers pipeline opens this repository, or None."""
    if "model_index.json" not in model["files"] or class_name(model) is None:
        part = rules.PARTS.get((model["config"] or {}).get("_class_name"))
        what = f"is {part}, a part of a pipeline" if part else f"has no model_index.json{other_format(model)}"
        return Verdict(pipeline, False, f"{model_id} {what}, so it is no model that this pipeline loads.")
    if not isinstance(class_name(model), str):
        return Verdict(
            pipeline, False, f"{model_id} brings its own pipeline code ({class_name(model)}), which no runner executes."
        )
    return None


def other_format(model):
    names = [path for path in model["files"] if "/" not in path]
    if any(name.endswith(".gguf") for name in names):
        return " (GGUF files)"
    if any("lora" in name.lower() for name in names):
        return " (a LoRA; send it in the field `loras` of a request to its base model)"
    single = [name for name in names if name.endswith((".safetensors", ".ckpt")) and not name.startswith("model")]
    if single and "config.json" not in names:
        return f" (a single-file checkpoint, {single[0]})"
    return ""


def text_to_image(model_id, model):
    pipeline = "text-to-image"
    if SDXL_LIGHTNING in model_id:
        return Verdict(pipeline, True, "the runner knows this name: SDXL with the Lightning denoiser", "lightning")
    refused = no_diffusers(model_id, model, pipeline)
    return refused or by_group(model_id, model, pipeline, "AutoPipelineForText2Image", rules.TEXT_TO_IMAGE_FAILS)


def image_to_image(model_id, model):
    pipeline = "image-to-image"
    if SDXL_LIGHTNING in model_id:
        return Verdict(pipeline, True, "the runner knows this name: SDXL with the Lightning denoiser", "lightning")
    refused = no_diffusers(model_id, model, pipeline)
    if refused:
        return refused
    if rules.INSTRUCT_PIX2PIX in model_id:
        return Verdict(pipeline, True, "the runner knows this name and loads the InstructPix2Pix class", "pix2pix")
    verdict = by_group(model_id, model, pipeline, "AutoPipelineForImage2Image", rules.IMAGE_TO_IMAGE_FAILS)
    if verdict.fits and verdict.group not in rules.IMAGE_TO_IMAGE_FITS:
        return Verdict(pipeline, False, f"{class_name(model)} has no image-to-image form in diffusers 0.31.")
    return verdict


def by_group(model_id, model, pipeline, auto, fails):
    name = class_name(model)
    if rules.INPAINT_MARK in name:
        return Verdict(
            pipeline, False, f"{name} paints into a mask: its denoiser wants the mask as input, which no route sends."
        )
    group = rules.GROUP_OF.get(name)
    if group is None:
        return Verdict(pipeline, False, f"{name} is not in {auto} of diffusers 0.31, which the runner has.")
    if group in fails:
        return Verdict(pipeline, False, f"{name} {fails[group]}.")
    return Verdict(pipeline, True, f"{name} is in {auto} of diffusers 0.31", group)


def one_class(pipeline):
    """A pipeline that loads a single diffusers class."""
    wanted = PIPELINE_CLASS[pipeline]

    def verdict(model_id, model):
        refused = no_diffusers(model_id, model, pipeline)
        if refused:
            return refused
        name = class_name(model)
        if name == wanted:
            return Verdict(pipeline, True, f"the pipeline loads {wanted}, and the model is one", pipeline)
        return Verdict(pipeline, False, f"the pipeline loads only {wanted}; {model_id} is a {name}.")

    return verdict


def audio_to_text(model_id, model):
    pipeline, kind = "audio-to-text", model_type(model)
    if kind in rules.CTC:
        return Verdict(
            pipeline,
            False,
            f"{kind} is a CTC model without a decoder; the runner loads only AutoModelForSpeechSeq2Seq.",
        )
    if not kind:
        other = explain_other_weights(list(model["files"]))
        return Verdict(pipeline, False, f"no model type of transformers in config.json{other}.")
    if kind not in rules.SPEECH_TO_TEXT:
        return Verdict(pipeline, False, f"{described(model)} is no model of AutoModelForSpeechSeq2Seq.")
    if model["pipeline_tag"] not in ("", rules.SPEECH_TAG):
        return Verdict(
            pipeline, False, f"{kind} model, but made for {model['pipeline_tag']}, not for {rules.SPEECH_TAG}."
        )
    return Verdict(pipeline, True, f"model type {kind} is in AutoModelForSpeechSeq2Seq")


def image_to_text(model_id, model):
    pipeline, kind = "image-to-text", model_type(model)
    if kind != "blip" or architectures(model) not in ([], [rules.BLIP]):
        return Verdict(pipeline, False, f"the pipeline loads only {rules.BLIP}; this is {described(model)}.")
    return Verdict(pipeline, True, f"the pipeline loads {rules.BLIP}, and the model is one")


def segment_anything(model_id, model):
    pipeline = "segment-anything-2"
    if model_id in SAM2_CHECKPOINTS:
        return Verdict(pipeline, True, "one of the four SAM 2 models that the runner knows by name")
    return Verdict(pipeline, False, f"the runner knows {', '.join(sorted(SAM2_CHECKPOINTS))} by name, nothing else.")


def text_to_speech(model_id, model):
    pipeline, kind = "text-to-speech", model_type(model)
    if kind == rules.PARLER:
        return Verdict(pipeline, True, "the pipeline loads Parler-TTS, and the model is one")
    return Verdict(
        pipeline, False, f"the pipeline loads only Parler-TTS (model type parler_tts); this is {described(model)}."
    )


def llm(model_id, model):
    pipeline, found = "llm", architectures(model)
    if not found:
        return Verdict(
            pipeline, False, f"no architecture in config.json{other_format(model)}, by which vLLM 0.6.5 would know it."
        )
    if found[0] not in rules.LLM_ARCHITECTURES:
        return Verdict(pipeline, False, f"{found[0]} is not among the text models of vLLM 0.6.5, which the runner has.")
    if model_type(model) in rules.REMOTE_CONFIGURATIONS:
        return Verdict(
            pipeline,
            False,
            f"the configuration of {model_type(model)} is code in the repository, which the runner does not execute.",
        )
    if model["chat_template"] is False:
        return Verdict(
            pipeline, False, "no chat template in tokenizer_config.json, and the runner turns messages into text by it."
        )
    return Verdict(pipeline, True, f"{found[0]} is among the text models of vLLM 0.6.5", "llm")


JUDGES = {
    "text-to-image": text_to_image,
    "image-to-image": image_to_image,
    "image-to-video": one_class("image-to-video"),
    "upscale": one_class("upscale"),
    "audio-to-text": audio_to_text,
    "image-to-text": image_to_text,
    "segment-anything-2": segment_anything,
    "text-to-speech": text_to_speech,
    "llm": llm,
}


def model_type(model):
    return (model["config"] or {}).get("model_type") or ""


def architectures(model):
    return list((model["config"] or {}).get("architectures") or [])


def described(model):
    """What the repository says it is, for a sentence."""
    found = [
        text for text in (*architectures(model), model_type(model), class_name(model)) if isinstance(text, str) and text
    ]
    if found:
        return found[0]
    return model["pipeline_tag"] or model["library_name"] or "a repository that does not say what it is"


# The decisions


def live_application(model_id, known):
    """The live pipelines that go-livepeer has an image for are names of images, not of repositories."""
    reason = f"the live pipeline {model_id} has an image in go-livepeer {known.version}: {known.live_images[model_id]}"
    nothing = "its own image prepares its models (PREPARE_MODELS=1); nobody states how large they are"
    return {
        "model_id": model_id,
        "decision": BUILTIN,
        "pipeline": LIVE_PIPELINE,
        "reason": reason,
        "questions": [entry("Is it one of the built-in live pipelines?", True, reason)],
        "also": [],
        "warnings": [],
        "download": {"bytes": None, "repositories": [], "source": nothing},
        "vram": {"bytes": None, "parts": [], "card": 24 * rules.GIB if model_id == "scope" else None},
        "licence": "",
        "gated": False,
        "metadata": {"source": f"go-livepeer {known.version}", "date": "", "revision": "", "commit": None},
    }


def builtin(model_id, model, verdict, find, gpu_memory):
    download = weights(model_id, model, verdict, find)
    vram = memory(model_id, model, verdict, download)
    warnings = warn(model_id, model, verdict, download, vram, gpu_memory)
    return {
        "decision": WARNED if warnings else BUILTIN,
        "pipeline": verdict.pipeline,
        "reason": verdict.reason,
        "warnings": warnings,
        "download": download,
        "vram": vram,
    }


def custom(model_id, model, fitting):
    reason = "a live pipeline takes frames and gives frames; its Python package is yours, and loads the model itself"
    warnings = gate(model)
    if fitting:
        also = f"As requests for single answers the built-in pipeline {fitting[0].pipeline} serves it without code."
        warnings.append(warning("builtin_too", also))
    return {
        "decision": CUSTOM,
        "pipeline": LIVE_PIPELINE,
        "reason": reason,
        "warnings": warnings,
        **plain(model_id, model),
    }


def container(model_id, model, known, route, verdicts):
    """No pipeline fits: a container that speaks HTTP."""
    path = route if route in known.paths else next(p for p in (LIVE_RUNNER, BYOC) if p in known.paths)
    why = next((v.reason for v in verdicts if v.pipeline == model["pipeline_tag"]), nearest_reason(model, verdicts))
    names = {BYOC: "a BYOC capability", LIVE_RUNNER: "a live runner"}
    warnings = gate(model)
    if path != route:
        warnings.append(warning("route", f"go-livepeer {known.version} has no {names[route]} any more."))
    if looks_like_llm(model):
        text = "An Ollama or vLLM container of yours can serve it as pipeline llm: give the model's entry its url."
        warnings.append(warning("external_llm", text))
    return {
        "decision": path,
        "pipeline": None,
        "reason": f"no built-in pipeline loads it ({why.rstrip('.')}); a container of yours serves it as {names[path]}",
        "warnings": warnings,
        **plain(model_id, model),
    }


def looks_like_llm(model):
    return model["pipeline_tag"] == "text-generation" or chats(model)


def chats(model):
    """A model that sees pictures and talks: people would ask it through llm."""
    return model["pipeline_tag"] == "image-text-to-text" and model["chat_template"] is True


def nearest_reason(model, verdicts):
    """The reason of the pipeline that people would have expected."""
    expected = {
        "text-generation": "llm",
        "image-text-to-text": "llm" if chats(model) else "image-to-text",
        "visual-question-answering": "image-to-text",
        "text-to-video": "image-to-video",
        rules.SPEECH_TAG: "audio-to-text",
        "text-to-audio": "text-to-speech",
        "mask-generation": "segment-anything-2",
        "image-segmentation": "segment-anything-2",
    }.get(model["pipeline_tag"])
    by_name = {verdict.pipeline: verdict.reason for verdict in verdicts}
    if expected in by_name:
        return by_name[expected]
    if class_name(model) and "text-to-image" in by_name:
        return by_name["text-to-image"]
    if len(verdicts) == 1:
        return verdicts[0].reason
    return f"{described(model)} is nothing that one of them loads"


# Bytes


def weights(model_id, model, verdict, find):
    """What the role model_weights would fetch: the model and its companions."""
    repositories = []
    for want in wants(model_id, verdict.pipeline):
        own = want.model_id == repository(model_id)
        found = model if own else find(want.model_id)
        repositories.append(selection(want, found, own, verdict))
    known = [one["bytes"] for one in repositories if one["bytes"] is not None]
    complete = len(known) == len(repositories)
    return {
        "bytes": sum(known),
        "complete": complete,
        "repositories": repositories,
        "source": "sizes in the Hub's list of files, selected by the rules of livepeer.ai.model_weights",
    }


def selection(want, found, own, verdict):
    result = {"model_id": want.model_id, "files": None, "bytes": None, "fp16": None, "note": ""}
    if found is None:
        return {**result, "note": "no metadata at hand; not counted"}
    try:
        paths = want.pick(list(found["files"]), index_of(found))
    except RuleError as error:
        return {**result, "note": str(error)}
    note = ""
    if found["model_index"] and index_of(found) is not found["model_index"]:
        note = "model_index.json is behind the gate, so every folder is counted: at most"
    return {
        **result,
        "files": len(paths),
        "bytes": sum(found["files"][path] for path in paths),
        "held": sum(found["files"][path] for path in paths if not replaced(want, path, verdict)),
        "fp16": any(FP16_MARK in path for path in paths),
        "note": note,
    }


def replaced(want, path, verdict):
    """Lightning takes the place of the base model's denoiser, which is fetched and never loaded."""
    return verdict.group == "lightning" and want.model_id == SDXL_BASE and path.startswith("unet/")


def plain(model_id, model):
    """What a container of one's own would fetch: one format of the weights, with the small files."""
    paths = list(model["files"])
    kind = next((p for p in WEIGHT_PATTERNS if any(path.endswith(p[1:]) for path in paths)), None)
    patterns = [kind, *SIDE_PATTERNS] if kind else ["*"]
    picked = [path for path in paths if not kind or path.endswith(tuple(p[1:] for p in patterns))]
    size = sum(model["files"][path] for path in picked)
    repositories = [
        {
            "model_id": repository(model_id),
            "files": len(picked),
            "bytes": size,
            "fp16": None,
            "note": "at most: what your code reads is yours to say (allow_patterns)",
        }
    ]
    return {
        "download": {
            "bytes": size,
            "complete": True,
            "repositories": repositories,
            "patterns": [p for p in patterns if p == "*" or any(path.endswith(p[1:]) for path in paths)],
            "source": "sizes in the Hub's list of files",
        },
        "vram": {"bytes": None, "parts": [], "card": None},
    }


def memory(model_id, model, verdict, download):
    """An estimate with the source of each part; never a measurement."""
    parts = [part_of(model_id, model, verdict, one) for one in download["repositories"] if one["bytes"] is not None]
    assumed = "assumption of this collection, not measured: CUDA and the activations of a default request"
    parts.append(part("beside the weights", rules.OVERHEAD[verdict.pipeline], assumed))
    least = most = None
    if download["complete"]:
        least = sum(one["bytes"] for one in parts)
        most = sum(one["at_most"] for one in parts)
    share = rules.LLM_MEMORY_SHARE if verdict.pipeline == "llm" else 1
    return {
        "bytes": least,
        "parts": parts,
        # What cannot be known is counted in full: a planner takes this at its word.
        "card": int(most / share) if most else None,
        "documented": DOCUMENTED_MEMORY[verdict.pipeline],
        "documented_source": f"docs.livepeer.org, ai/pipelines/{verdict.pipeline}",
    }


def part(what, size, source, at_most=None):
    return {"what": what, "bytes": size, "at_most": size if at_most is None else at_most, "source": source}


def part_of(model_id, model, verdict, one):
    """The weights of one repository on the card."""
    if one["model_id"] != repository(model_id):
        without = "" if one["held"] == one["bytes"] else ", without the denoiser that is replaced"
        return part(one["model_id"], one["held"], f"selected files of the companion{without}")
    counts, as_bytes = model["safetensors"], held_as(model_id, verdict, one)
    if counts and as_bytes:
        numbers = sum(counts.values())
        source = f"{numbers} parameters (the Hub's count) of {as_bytes} bytes"
        return part(one["model_id"], numbers * as_bytes, source)
    if counts and verdict.pipeline == "llm":
        size = sum(count * rules.TYPE_BYTES.get(kind, 4) for kind, count in counts.items())
        return part(one["model_id"], size, "the Hub's count of parameters, in the types of the files")
    if uses_float32(model_id, model, verdict):
        source = "selected files; at most twice that, since float32 is held and the list does not tell what they store"
        return part(one["model_id"], one["bytes"], source, 2 * one["bytes"])
    return part(one["model_id"], one["bytes"], "selected files")


def held_as(model_id, verdict, one):
    """Bytes of a number on the card, where the runner does not keep the file's type; None elsewhere."""
    if model_id in rules.HELD_WHOLE:
        return 4
    if one["fp16"]:
        return 2
    return rules.HELD_AS.get(verdict.pipeline)


def uses_float32(model_id, model, verdict):
    """The image runners take half precision only where a file says fp16, or the name is one of FLUX's."""
    if PIPELINES[verdict.pipeline][1] is not IMAGE_COMPANIONS and verdict.pipeline != "image-to-text":
        return False
    if SDXL_LIGHTNING in model_id or (
        verdict.pipeline == "text-to-image" and model_id.startswith(rules.BFLOAT16_NAMES)
    ):
        return False
    return not any(FP16_MARK in path for path in model["files"])


# Warnings


def warning(code, sentence):
    return {"code": code, "sentence": sentence}


def gate(model):
    """What to know before anything is fetched, whatever serves the model."""
    found = []
    if model["gated"]:
        how = "an owner answers each request" if model["gated"] == "manual" else "accept its terms on its page first"
        found.append(
            warning("gated", f"Its files need a token (model_weights_token_file) of an account with access; {how}.")
        )
    if any(mark in licence(model).lower() for mark in rules.NON_COMMERCIAL):
        found.append(warning("licence", f"Its licence is {licence(model)}: serving it for payment may not be allowed."))
    elif licence(model) in rules.OWN_TEXT:
        found.append(warning("licence", "It names no standard licence: read the terms in its repository."))
    return found


def licence(model):
    return model["license"] or ""


def warn(model_id, model, verdict, download, vram, gpu_memory):
    found = gate(model)
    if uses_float32(model_id, model, verdict):
        text = "No file is marked fp16, so the runner computes in float32: twice the GPU memory of half precision."
        found.append(warning("float32", text))
    if verdict.group in rules.NEGATIVE_PROMPT_TRAP and not model_id.startswith(rules.BFLOAT16_NAMES):
        found.append(
            warning("negative_prompt", "A request with a negative_prompt fails: its class has no such argument.")
        )
    if verdict.group.startswith(CONNECTED_GROUPS):
        found.append(warning("connected", download["repositories"][0]["note"] or "It loads further repositories."))
    usual = {name for name, _rule in PIPELINES[verdict.pipeline][1]}
    special = [one["model_id"] for one in download["repositories"][1:] if one["model_id"] not in usual]
    if special:
        text = f"It is served together with {', '.join(special)}; the role model_weights fetches both."
        found.append(warning("companion", text))
    if is_slow(model_id, verdict):
        text = (
            "A request longer than 10 to 15 s blocks the runner's /health, and go-livepeer removes the container in "
            "the middle of it (ai-runner pull request 419): ask for few steps, or run the image and give its url."
        )
        found.append(warning("slow", text))
    found += llm_warnings(model) if verdict.pipeline == "llm" else []
    if gpu_memory and vram["card"] and vram["card"] > gpu_memory:
        text = (
            f"It needs about {size_text(vram['card'])}, more than the {size_text(gpu_memory)} of the card (gpu_memory)."
        )
        found.append(warning("memory", text))
    return found


def is_slow(model_id, verdict):
    if any(name in model_id.lower() for name in rules.FAST_NAMES):
        return False
    return verdict.pipeline in rules.SLOW_PIPELINES or verdict.group in rules.SLOW_GROUPS


def llm_warnings(model):
    found = []
    longest = max_length(model)
    if longest:
        text = f"It is made for {longest} tokens, the runner asks for {rules.MAX_MODEL_LEN}: set MAX_MODEL_LEN."
        found.append(warning("max_model_len", text))
    if model["chat_template"] is None:
        text = "Whether it has a chat template is unknown; without one each request fails."
        found.append(warning("chat_template", text))
    return found


def max_length(model):
    """The length to tell the runner, or None where its own choice will do."""
    longest = (model["config"] or {}).get("max_position_embeddings")
    return longest if isinstance(longest, int) and longest < rules.MAX_MODEL_LEN else None
