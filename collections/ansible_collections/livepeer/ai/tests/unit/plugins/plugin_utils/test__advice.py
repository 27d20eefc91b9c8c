# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision, its reason and its warnings for a table of real models, from metadata files beside this test.

The files were written down by hand: classes and names as published, sizes rounded. Each says so, with its date.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from ansible_collections.livepeer.ai.plugins.filter.ai_models import ai_models
from ansible_collections.livepeer.ai.plugins.filter.service_declarations import service_declarations
from ansible_collections.livepeer.ai.plugins.module_utils import _go_livepeer
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import PIPELINES
from ansible_collections.livepeer.ai.plugins.plugin_utils import _advice, _advice_rules
from ansible_collections.livepeer.ai.plugins.plugin_utils._advice import AdviceError, advise
from ansible_collections.livepeer.ai.plugins.plugin_utils._advice_report import WIDTH, report, slug, snippet
from ansible_collections.livepeer.ai.plugins.plugin_utils._model_metadata import Library, MetadataError, file_name, read

MODELS = Path(__file__).parents[2] / "fixtures/models"
COMPANIONS = {"CompVis/stable-diffusion-safety-checker", "openai/clip-vit-base-patch32", "stabilityai/sd-vae-ft-ema"}
GB = 1000**3

# pipeline, or byoc: model: because, warnings
TABLE = yaml.safe_load((MODELS.parent / "decisions.yml").read_text(encoding="utf-8"))
ROWS = [
    (where, model_id, row["because"], row.get("warnings", []))
    for where, rows in TABLE.items()
    for model_id, row in rows.items()
]


def ask(model_id, **options):
    library = Library(str(MODELS))
    return advise(model_id, library.get(_advice.repository(model_id)), library.get, "0.9.1", **options)


def codes(advice):
    return [one["code"] for one in advice["warnings"]]


@pytest.mark.parametrize(("where", "model_id", "reason", "warnings"), ROWS, ids=[row[1] for row in ROWS])
def test_table(where, model_id, reason, warnings):
    advice = ask(model_id)
    if where == "byoc":
        assert (advice["decision"], advice["pipeline"]) == ("byoc", None)
        assert advice["reason"].startswith(f"no built-in pipeline loads it ({reason})")
        assert {one["answer"] for one in advice["questions"]} == {"no"}
    else:
        wanted = "builtin_with_warnings" if warnings else "builtin"
        assert (advice["decision"], advice["pipeline"]) == (wanted, where)
        assert advice["reason"] == reason
    assert codes(advice) == warnings
    assert all(one["reason"] and one["question"] for one in advice["questions"])


def test_the_table_is_the_folder():
    assert {path.name for path in MODELS.iterdir()} == {
        file_name(model_id) for model_id in COMPANIONS | {row[1] for row in ROWS}
    }
    assert len(ROWS) >= 60


def test_each_file_says_where_it_comes_from():
    for path in MODELS.iterdir():
        found = read(str(path))
        assert file_name(found["model_id"]) == path.name
        assert found["source"] and found["date"]


def test_every_pipeline_is_judged():
    assert set(_advice.JUDGES) == set(_advice.ORDER) == set(PIPELINES) == set(_advice_rules.OVERHEAD)


@pytest.mark.parametrize("model_id", [row[1] for row in ROWS])
def test_report_and_inventory(model_id):
    """Each snippet is taken by the filter that judges such a list in a play."""
    model = Library(str(MODELS)).get(model_id)
    advice = ask(model_id)
    text = snippet(advice, model)
    data = yaml.safe_load(text)
    if advice["pipeline"]:
        assert ai_models(data["orchestrator_models"], "0.9.1")
        assert data["orchestrator_models"][0]["model_id"] == model_id
    else:
        (entry,) = service_declarations(data["livepeer_services"], "livepeer_services")
        assert entry["models"][0]["model_id"] == model_id
    assert ("model_weights_token_file" in data) == bool(advice["gated"])
    lines = report(advice, text)
    assert all(len(line) <= WIDTH for line in lines if "http" not in line and ":" in line)
    assert any(model_id in line for line in lines)


# Bytes


def test_half_precision_is_selected_and_the_companions_are_counted():
    advice = ask("stabilityai/stable-diffusion-xl-base-1.0")
    own, checker, clip = advice["download"]["repositories"]
    # unet, two text encoders and the decoder in two bytes a number: neither float32 nor the single-file checkpoint.
    assert 2 * 3.4 * GB < own["bytes"] < 2 * 3.6 * GB
    assert own["fp16"] is True
    assert checker["bytes"] > 1.2 * GB
    assert clip["bytes"] == 316
    assert advice["download"]["bytes"] == own["bytes"] + checker["bytes"] + clip["bytes"]


def test_memory_is_the_sum_of_its_parts_each_with_a_source():
    vram = ask("stabilityai/stable-diffusion-xl-base-1.0")["vram"]
    assert vram["bytes"] == vram["card"] == sum(part["bytes"] for part in vram["parts"])
    assert all(part["source"] for part in vram["parts"])
    assert "not measured" in vram["parts"][-1]["source"]
    assert vram["documented"] == 24 * GB


def test_float32_is_planned_at_its_worst():
    vram = ask("black-forest-labs/FLUX.1-Krea-dev")["vram"]
    assert vram["bytes"] < 40 * GB < 65 * GB < vram["card"]
    bfloat16 = ask("black-forest-labs/FLUX.1-dev")["vram"]
    assert bfloat16["card"] == bfloat16["bytes"]


def test_parameters_counted_by_the_hub_beat_the_size_of_files():
    """whisper-medium is the one that the audio runner does not halve."""
    assert ask("openai/whisper-medium")["vram"]["parts"][0]["bytes"] == 763857920 * 4
    assert ask("openai/whisper-large-v3")["vram"]["parts"][0]["bytes"] == 1543490560 * 2
    # 1.5 GB of half precision on disk become as much on the card, and float32 files half as much.
    assert ask("openai/whisper-tiny")["vram"]["parts"][0]["bytes"] == 37760640 * 2


def test_llm_card_is_what_vllm_takes_its_share_of():
    vram = ask("meta-llama/Llama-3.1-8B-Instruct")["vram"]
    assert vram["parts"][0]["bytes"] == 8030261248 * 2
    assert vram["card"] == int(vram["bytes"] / 0.85)


def test_weights_in_a_makers_own_format_are_not_counted():
    advice = ask("mistralai/Mistral-7B-Instruct-v0.3")
    assert advice["download"]["bytes"] < 15 * GB


def test_a_companion_without_metadata_is_not_guessed():
    model = Library(str(MODELS)).get("SG161222/RealVisXL_V4.0")
    advice = advise("SG161222/RealVisXL_V4.0", model, lambda _name: None, "0.9.1")
    assert advice["download"]["complete"] is False
    assert advice["vram"]["card"] is None
    assert any("at least" in line for line in report(advice, ""))


def test_behind_a_gate_only_the_class_is_known():
    """The Hub lists a gated repository for everybody and keeps model_index.json back."""
    library = Library(str(MODELS))
    name = "stabilityai/stable-video-diffusion-img2vid-xt-1-1"
    open_to_us = library.get(name)
    closed = {**open_to_us, "model_index": {"_class_name": "StableVideoDiffusionPipeline"}}
    advice = advise(name, closed, library.get, "0.9.1")
    assert advice["pipeline"] == "image-to-video"
    own = advice["download"]["repositories"][0]
    assert own["bytes"] == advise(name, open_to_us, library.get, "0.9.1")["download"]["repositories"][0]["bytes"]
    assert "behind the gate" in own["note"]


# What the person says


def test_frames_make_it_a_custom_pipeline():
    advice = ask("depth-anything/Depth-Anything-V2-Small-hf", frames=True)
    assert (advice["decision"], advice["pipeline"]) == ("custom_pipeline", "live-video-to-video")
    assert "you said so" in advice["questions"][-1]["reason"]
    data = yaml.safe_load(snippet(advice))
    (declared,) = data["custom_pipelines"]
    assert declared["name"] == data["orchestrator_models"][0]["model_id"] == "depth-anything-v2-small-hf"


def test_frames_say_that_the_built_in_one_would_do_for_single_answers():
    advice = ask("stabilityai/sd-turbo", frames=True)
    assert advice["decision"] == "custom_pipeline"
    assert "text-to-image" in advice["warnings"][-1]["sentence"]


def test_route():
    advice = ask("suno/bark", route="live_runner")
    assert advice["decision"] == "live_runner"
    data = yaml.safe_load(snippet(advice))
    assert data["livepeer_services"][0]["route"] == "live_runner"
    assert data["orchestrator_live_runners"] is True


def test_one_pipeline_only():
    advice = ask("stabilityai/sdxl-turbo", pipeline="image-to-image")
    assert advice["pipeline"] == "image-to-image"
    advice = ask("black-forest-labs/FLUX.1-schnell", pipeline="image-to-image")
    assert advice["decision"] == "byoc"
    assert "image_guidance_scale" in advice["reason"]
    assert len(advice["questions"]) == 2


def test_gpu_memory():
    assert "memory" in codes(ask("black-forest-labs/FLUX.1-schnell", gpu_memory=24 * 1024**3))
    assert "memory" not in codes(ask("black-forest-labs/FLUX.1-schnell", gpu_memory=80 * 1024**3))


def test_names_that_are_no_repository():
    advice = ask("ByteDance/SDXL-Lightning-4step")
    assert advice["pipeline"] == "text-to-image"
    assert [one["model_id"] for one in advice["download"]["repositories"][:2]] == [
        "ByteDance/SDXL-Lightning",
        "stabilityai/stable-diffusion-xl-base-1.0",
    ]
    assert advice["download"]["repositories"][0]["files"] == 1
    assert "ByteDance/SDXL-Lightning-4step" in snippet(advice)
    # Of the two denoisers that are fetched one is loaded.
    assert 5.1 * GB < advice["download"]["bytes"] + 3 * 1024**3 - advice["vram"]["bytes"] < 5.2 * GB


def test_live_applications_need_no_metadata():
    advice = advise("streamdiffusion", None, lambda _name: None, "0.9.1")
    assert (advice["decision"], advice["pipeline"]) == ("builtin", "live-video-to-video")
    assert advice["download"]["bytes"] is None
    assert ai_models(yaml.safe_load(snippet(advice))["orchestrator_models"], "0.9.1")
    assert report(advice, snippet(advice))


def test_a_short_context_is_told_to_the_runner():
    model = Library(str(MODELS)).get("TinyLlama/TinyLlama-1.1B-Chat-v1.0")
    data = yaml.safe_load(snippet(ask(model["model_id"]), model))
    assert data["orchestrator_models"][0]["optimization_flags"] == {"MAX_MODEL_LEN": "2048"}


# Releases


def later(monkeypatch, **changes):
    """A release of tomorrow: open pull requests upstream remove BYOC and the batch pipelines."""
    newer = dataclasses.replace(_go_livepeer.release("0.9.1"), version="9.9.9", **changes)
    monkeypatch.setitem(_go_livepeer.RELEASES, "9.9.9", newer)
    library = Library(str(MODELS))
    return lambda model_id: advise(model_id, library.get(model_id), library.get, "9.9.9")


def test_a_release_without_byoc(monkeypatch):
    advice = later(monkeypatch, paths=frozenset({"builtin", "live_runner"}))("suno/bark")
    assert advice["decision"] == "live_runner"
    assert "route" in codes(advice)


def test_a_release_without_the_pipeline(monkeypatch):
    known = _go_livepeer.release("0.9.1").pipelines
    fewer = {name: pipeline for name, pipeline in known.items() if name == "live-video-to-video"}
    advice = later(monkeypatch, pipelines=fewer)("stabilityai/sdxl-turbo")
    assert advice["decision"] == "byoc"


# Shapes that no published model of the table has


def shape(**changes):
    return {**Library(str(MODELS)).get("stabilityai/sdxl-turbo"), **changes}


def test_own_code_is_not_executed():
    model = shape(model_index={"_class_name": ["pipeline", "MyPipeline"]})
    verdict = _advice.judge("org/name", model, "text-to-image")
    assert verdict.fits is False
    assert "own pipeline code" in verdict.reason


def test_an_incomplete_repository_is_told():
    files = {path: size for path, size in shape()["files"].items() if not path.startswith("vae/")}
    verdict = _advice.judge("org/name", shape(files=files), "text-to-image")
    assert verdict.fits is False
    assert "component vae" in verdict.reason


def test_an_unknown_chat_template_is_a_warning():
    model = {**Library(str(MODELS)).get("Qwen/Qwen2.5-7B-Instruct"), "chat_template": None}
    advice = advise("Qwen/Qwen2.5-7B-Instruct", model, lambda _name: None, "0.9.1")
    assert codes(advice) == ["chat_template"]


def test_the_tag_breaks_a_tie_and_proves_nothing():
    library = Library(str(MODELS))
    advice = advise("org/name", shape(pipeline_tag="image-to-image"), library.get, "0.9.1")
    assert (advice["pipeline"], advice["also"]) == ("image-to-image", ["text-to-image"])
    advice = advise("org/name", shape(pipeline_tag="text-to-speech"), library.get, "0.9.1")
    assert advice["pipeline"] == "text-to-image"


def test_nothing_known():
    with pytest.raises(AdviceError, match="Nothing is known of org/name"):
        advise("org/name", None, lambda _name: None, "0.9.1")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a metadata file of format 1"),
        ('{"metadata": 1}', "names no model_id"),
        ('{"metadata": 1, "model_id": "a/b", "files": {"x": "1"}}', "files must map"),
        ('{"metadata": 1, "model_id": "a/b", "files": {}, "config": []}', "config must be a mapping"),
    ],
)
def test_a_bad_metadata_file(tmp_path, text, sentence):
    path = tmp_path / "a--b.json"
    path.write_text(text)
    with pytest.raises(MetadataError, match=sentence):
        read(str(path))


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(MetadataError, match="does not exist"):
        Library(str(tmp_path / "none")).get("a/b")


def test_neighbours_of_a_file_are_the_companions():
    library = Library(str(MODELS / file_name("stabilityai/sdxl-turbo")))
    assert library.get("stabilityai/sdxl-turbo")["license"] == "other"
    assert library.get("openai/clip-vit-base-patch32") is not None
    assert library.get("not/there") is None


@pytest.mark.parametrize(
    ("model_id", "name"),
    [("a/RealVisXL_V4.0", "realvisxl-v4-0"), ("3d-org/3D_thing", "model-3d-thing"), ("a/" + "long-" * 20, None)],
)
def test_slug(model_id, name):
    found = slug(model_id)
    assert name in (found, None)
    assert len(found) <= 40
    assert not found.endswith("-")
