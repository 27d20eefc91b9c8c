# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a runner needs to start, and how it fails (ai-runner.md 2.5 to 2.7, 4.2, 4.4)."""

from __future__ import annotations

import shutil
import signal
import socket
import struct
import time
from pathlib import Path

import pytest
from runner.pipelines import load_pipeline
from runner.pipelines.base import Pipeline
from runner.settings import Settings
from runner_fixtures import (
    AUDIO_TO_TEXT,
    CLIP,
    IMAGE_TO_TEXT,
    LIGHTNING,
    LLM,
    MODEL_OF,
    NO_VAE,
    NO_VAE_VAE,
    SAFETY_CHECKER,
    SDXL,
    SDXL_BASE,
    SEGMENT,
    TEXT_TO_IMAGE,
    TEXT_TO_SPEECH,
    diffusers,
    document,
    lay_out,
    safetensors,
)
from runner_process import RunnerProcess

DIFFUSION = ("text-to-image", "image-to-image", "image-to-video", "upscale")


def load(models: Path, pipeline: str, model_id: str | None = None, **settings) -> Pipeline:
    chosen = MODEL_OF[pipeline] if model_id is None else model_id
    return load_pipeline(Settings(pipeline=pipeline, model_id=chosen, model_dir=models, hub_cache=models, **settings))


def repository(models: Path, repo_id: str) -> Path:
    return models / f"models--{repo_id.replace('/', '--')}"


def cached(models: Path, repo_id: str, name: str) -> Path:
    """The link of a file in the repository's only snapshot."""
    (snapshot,) = (repository(models, repo_id) / "snapshots").iterdir()
    return snapshot / name


def names_of(pipeline: Pipeline) -> list[str]:
    return [file.path.name for file in pipeline.weights]


# Starting as a process


@pytest.mark.parametrize("pipeline", sorted(MODEL_OF))
def test_every_pipeline_starts_from_the_cache_layout_alone(running, pipeline: str) -> None:
    assert running(pipeline).get("/health").json() == {"status": "OK"}


def test_the_port_is_closed_until_the_model_is_loaded(models: Path) -> None:
    with RunnerProcess(models, "text-to-image", LOAD_SECONDS="1.5") as runner:
        started = time.monotonic()
        time.sleep(1)
        assert not runner.port_is_open()
        runner.wait_until_ready()
        assert time.monotonic() - started > 1.5
        assert runner.get("/health").status == 200


def test_a_missing_companion_ends_the_process_with_a_traceback(own_models: Path) -> None:
    shutil.rmtree(repository(own_models, CLIP))
    with RunnerProcess(own_models, "text-to-image") as runner:
        status, log = runner.exit()
    assert status == 1
    assert "Traceback (most recent call last):" in log
    assert log.strip().splitlines()[-1].startswith("huggingface_hub.utils._errors.LocalEntryNotFoundError: ")
    assert CLIP in log


@pytest.mark.parametrize(("pipeline", "model_id"), [("", TEXT_TO_IMAGE), ("text-to-image", "")])
def test_pipeline_and_model_id_are_required(models: Path, pipeline: str, model_id: str) -> None:
    with RunnerProcess(models, pipeline, model_id) as runner:
        status, log = runner.exit()
    assert status == 3
    assert "Pipeline must be provided or set through the PIPELINE and MODEL_ID environment variables" in log


def test_an_unknown_pipeline_is_refused(models: Path) -> None:
    with RunnerProcess(models, "my-pipeline", "a/b") as runner:
        status, log = runner.exit()
    assert status == 1
    assert log.strip().endswith("OSError: my-pipeline is not a valid pipeline for model a/b")


def test_a_taken_port_ends_the_process(models: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with RunnerProcess(models, "segment-anything-2", PORT=str(other.getsockname()[1])) as runner:
            status, log = runner.exit()
    assert status == 1
    assert "error while attempting to bind on address" in log


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 0)])
def test_a_stop_signal_ends_it_at_once(models: Path, stop: signal.Signals, status: int) -> None:
    with RunnerProcess(models, "segment-anything-2") as runner:
        runner.wait_until_ready()
        runner.process.send_signal(stop)
        assert runner.exit(5)[0] == status


def test_it_can_be_stopped_while_it_loads(models: Path) -> None:
    with RunnerProcess(models, "segment-anything-2", LOAD_SECONDS="60") as runner:
        assert "never downloads" in runner.process.stderr.readline() + runner.process.stderr.readline()
        runner.process.send_signal(signal.SIGTERM)
        assert runner.exit(5)[0] == 143


def test_the_log_tells_which_variant_was_chosen(models: Path) -> None:
    with RunnerProcess(models, "text-to-image") as runner:
        log = runner.wait_until_ready().stop()[1]
    assert f"TextToImagePipeline loading fp16 variant for {TEXT_TO_IMAGE}" in log
    assert f"Started up with pipeline=TextToImagePipeline model_id={TEXT_TO_IMAGE}" in log


# The cache layout


def test_a_plain_folder_is_not_found(tmp_path: Path, own_models: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(cached(own_models, TEXT_TO_IMAGE, ""), plain / TEXT_TO_IMAGE)
    with pytest.raises(FileNotFoundError, match="Cannot find a cached snapshot of SG161222/RealVisXL"):
        load(plain, "text-to-image")


@pytest.mark.parametrize("text", [None, "with newline", "0" * 40, ""])
def test_refs_main_must_name_a_snapshot_exactly(own_models: Path, text: str | None) -> None:
    reference = repository(own_models, TEXT_TO_IMAGE) / "refs" / "main"
    if text is None:
        reference.unlink()
    else:
        reference.write_text(f"{reference.read_text()}\n" if text == "with newline" else text)
    with pytest.raises(FileNotFoundError, match="Cannot find a cached snapshot"):
        load(own_models, "text-to-image")


def test_regular_files_do_as_well_as_links(own_models: Path, tmp_path: Path) -> None:
    shutil.copytree(own_models, tmp_path / "copied", symlinks=False)
    assert load(tmp_path / "copied", "text-to-image").weights


def test_a_link_that_leads_nowhere_counts_as_missing(own_models: Path) -> None:
    unet = cached(own_models, TEXT_TO_IMAGE, "unet/diffusion_pytorch_model.fp16.safetensors")
    unet.unlink()
    unet.symlink_to("../../../blobs/gone")
    with pytest.raises(OSError, match=r"no file named diffusion_pytorch_model.* found in directory"):
        load(own_models, "text-to-image")


# Components


@pytest.mark.parametrize("pipeline", DIFFUSION)
@pytest.mark.parametrize("companion", [SAFETY_CHECKER, CLIP])
def test_all_diffusers_pipelines_need_both_companions(own_models: Path, pipeline: str, companion: str) -> None:
    shutil.rmtree(repository(own_models, companion))
    with pytest.raises(FileNotFoundError, match=companion):
        load(own_models, pipeline)


@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "tokenizer/vocab.json",
        "tokenizer_2/merges.txt",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    ],
)
def test_every_file_of_every_component_is_needed(own_models: Path, name: str) -> None:
    cached(own_models, TEXT_TO_IMAGE, name).unlink()
    with pytest.raises(OSError, match=name.rsplit("/", maxsplit=1)[-1].split(".", maxsplit=1)[0]):
        load(own_models, "text-to-image")


def test_a_component_that_is_null_is_not_looked_for(own_models: Path) -> None:
    files = diffusers("StableDiffusionXLPipeline", SDXL)
    index = {name: list(value) for name, value in SDXL.items()} | {"image_encoder": [None, None]}
    files["model_index.json"] = document(_class_name="StableDiffusionXLPipeline", **index)
    lay_out(own_models, "org/with-null", files)
    assert load(own_models, "text-to-image", "org/with-null").weights


def test_a_class_without_its_components_is_refused(own_models: Path) -> None:
    lay_out(own_models, "org/no-unet", diffusers("StableDiffusionXLPipeline", {"vae": SDXL["vae"]}))
    with pytest.raises(ValueError, match="Pipeline StableDiffusionXLPipeline expected"):
        load(own_models, "text-to-image", "org/no-unet")


@pytest.mark.parametrize("class_name", ["Flux2Pipeline", "StableDiffusionUpscalePipeline", "QwenImagePipeline"])
def test_a_class_that_diffusers_0_31_does_not_resolve_is_refused(own_models: Path, class_name: str) -> None:
    lay_out(own_models, "org/other", diffusers(class_name, SDXL))
    with pytest.raises(ValueError, match="AutoPipeline can't find a pipeline linked to"):
        load(own_models, "text-to-image", "org/other")


def test_fp16_is_chosen_per_folder_when_any_file_has_it(own_models: Path) -> None:
    files = diffusers("StableDiffusionXLPipeline", SDXL)
    files["vae/diffusion_pytorch_model.safetensors"] = files.pop("vae/diffusion_pytorch_model.fp16.safetensors")
    lay_out(own_models, "org/mixed", files)
    names = names_of(load(own_models, "text-to-image", "org/mixed"))
    assert "diffusion_pytorch_model.fp16.safetensors" in names
    assert "diffusion_pytorch_model.safetensors" in names


def test_without_fp16_files_the_plain_ones_are_used(own_models: Path) -> None:
    lay_out(own_models, "org/plain", diffusers("StableDiffusionXLPipeline", SDXL, variant=""))
    names = names_of(load(own_models, "text-to-image", "org/plain"))
    assert "diffusion_pytorch_model.safetensors" in names
    assert not any("fp16" in name for name in names)


def test_on_a_cpu_fp16_files_alone_are_not_enough(models: Path) -> None:
    with pytest.raises(OSError, match="no file named model.safetensors"):
        load(models, "text-to-image", device="cpu")


@pytest.mark.parametrize("steps", ["2step", "4step", "8step", ""])
def test_sdxl_lightning_takes_its_unet_and_the_base(models: Path, steps: str) -> None:
    model_id = f"{LIGHTNING}-{steps}" if steps else LIGHTNING
    names = names_of(load(models, "text-to-image", model_id))
    assert f"sdxl_lightning_{steps or '8step'}_unet.safetensors" in names
    assert names.count("diffusion_pytorch_model.fp16.safetensors") == 1  # the vae; the base's own unet is not read


@pytest.mark.parametrize("missing", [LIGHTNING, SDXL_BASE])
def test_sdxl_lightning_needs_both_repositories(own_models: Path, missing: str) -> None:
    shutil.rmtree(repository(own_models, missing))
    with pytest.raises(FileNotFoundError, match=missing):
        load(own_models, "text-to-image", LIGHTNING)


def test_sdxl_lightning_fails_on_a_cpu(models: Path) -> None:
    with pytest.raises(KeyError, match="torch_dtype"):
        load(models, "text-to-image", LIGHTNING, device="cpu")


def test_the_no_vae_model_needs_its_vae(own_models: Path) -> None:
    assert load(own_models, "text-to-image", NO_VAE).weights
    shutil.rmtree(repository(own_models, NO_VAE_VAE))
    with pytest.raises(FileNotFoundError, match=NO_VAE_VAE):
        load(own_models, "text-to-image", NO_VAE)


@pytest.mark.parametrize(("pipeline", "repo_id"), [("audio-to-text", AUDIO_TO_TEXT), ("image-to-text", IMAGE_TO_TEXT)])
def test_whisper_and_blip_insist_on_safetensors(own_models: Path, pipeline: str, repo_id: str) -> None:
    weights = cached(own_models, repo_id, "model.safetensors")
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(OSError, match=r"no file named model.safetensors"):
        load(own_models, pipeline)


@pytest.mark.parametrize(
    ("pipeline", "name"),
    [
        ("audio-to-text", "preprocessor_config.json"),
        ("audio-to-text", "vocab.json"),
        ("image-to-text", "preprocessor_config.json"),
        ("image-to-text", "tokenizer.json"),
        ("text-to-speech", "config.json"),
        ("text-to-speech", "tokenizer.json"),
        ("text-to-speech", "model-00002-of-00002.safetensors"),
        ("segment-anything-2", "sam2_hiera_large.pt"),
        ("llm", "config.json"),
        ("llm", "tokenizer.json"),
    ],
)
def test_transformers_models_need_their_files(own_models: Path, pipeline: str, name: str) -> None:
    cached(own_models, MODEL_OF[pipeline], name).unlink()
    with pytest.raises(OSError):
        load(own_models, pipeline)


def test_other_speech_models_are_refused(own_models: Path) -> None:
    lay_out(own_models, "org/wav2vec2", {"config.json": document(model_type="wav2vec2")})
    with pytest.raises(ValueError, match="Unrecognized configuration class 'wav2vec2'"):
        load(own_models, "audio-to-text", "org/wav2vec2")


def test_sam2_knows_its_own_four_models_only(models: Path) -> None:
    with pytest.raises(KeyError, match="facebook/sam2.1-hiera-large"):
        load(models, "segment-anything-2", "facebook/sam2.1-hiera-large")


def test_llm_walks_the_folder_and_needs_no_reference(own_models: Path) -> None:
    shutil.rmtree(repository(own_models, LLM) / "refs")
    assert load(own_models, "llm").weights
    shutil.rmtree(repository(own_models, LLM))
    with pytest.raises(FileNotFoundError, match="models--meta-llama--Meta-Llama-3.1-8B-Instruct"):
        load(own_models, "llm")


def test_llm_refuses_a_context_beyond_the_models_own(models: Path) -> None:
    with pytest.raises(ValueError, match="max_model_len"):
        load(models, "llm", max_model_len=1_000_000)


def test_llm_refuses_more_gpus_than_there_are(models: Path) -> None:
    with pytest.raises(ValueError, match="exceeds available GPUs"):
        load(models, "llm", tensor_parallel_size=2)


# Files that are there and broken


def damage(path: Path, payload: bytes) -> None:
    path.unlink()
    path.write_bytes(payload)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "HeaderTooSmall"),
        (safetensors()[:-1], "MetadataIncompleteBuffer"),
        (safetensors() + b"\0", "MetadataIncompleteBuffer"),
        (safetensors()[:20], "InvalidHeaderLength"),
        (b"<html>not a model</html>", "HeaderTooLarge"),
        (struct.pack("<Q", 4) + b"nope", "InvalidHeaderDeserialization"),
    ],
)
def test_broken_safetensors_are_noticed(own_models: Path, payload: bytes, reason: str) -> None:
    damage(cached(own_models, TEXT_TO_IMAGE, "unet/diffusion_pytorch_model.fp16.safetensors"), payload)
    with pytest.raises(Exception, match=f"Error while deserializing header: {reason}"):
        load(own_models, "text-to-image")


def test_truncated_weights_end_the_process_naming_the_library(own_models: Path) -> None:
    damage(cached(own_models, IMAGE_TO_TEXT, "model.safetensors"), safetensors()[:-3])
    with RunnerProcess(own_models, "image-to-text") as runner:
        status, log = runner.exit()
    assert status == 1
    assert "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer" in log


def test_a_broken_configuration_is_noticed(own_models: Path) -> None:
    damage(cached(own_models, TEXT_TO_IMAGE, "unet/config.json"), b"{")
    with pytest.raises(OSError, match="is not a valid JSON file"):
        load(own_models, "text-to-image")


def test_a_truncated_checkpoint_is_noticed(own_models: Path) -> None:
    checkpoint = cached(own_models, SEGMENT, "sam2_hiera_large.pt")
    damage(checkpoint, checkpoint.read_bytes()[:-10])
    with pytest.raises(RuntimeError, match="failed finding central directory"):
        load(own_models, "segment-anything-2")


def test_a_shard_without_its_tensor_is_noticed(own_models: Path) -> None:
    damage(cached(own_models, TEXT_TO_SPEECH, "model-00002-of-00002.safetensors"), safetensors("other"))
    with pytest.raises(OSError, match="expects the tensor b"):
        load(own_models, "text-to-speech")
