# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated repositories: real formats, real layouts, the same every time."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pickle
import re
import shutil
import struct
import subprocess
import zipfile
from fnmatch import fnmatch

import pytest
from safetensors import deserialize

BATCH_PIPELINES = {
    "text-to-image": "SG161222/RealVisXL_V4.0_Lightning",
    "image-to-image": "timbrooks/instruct-pix2pix",
    "image-to-video": "stabilityai/stable-video-diffusion-img2vid-xt-1-1",
    "upscale": "stabilityai/stable-diffusion-x4-upscaler",
    "audio-to-text": "openai/whisper-large-v3",
    "image-to-text": "Salesforce/blip-image-captioning-large",
    "segment-anything-2": "facebook/sam2-hiera-large",
    "text-to-speech": "parler-tts/parler-tts-large-v1",
    "llm": "meta-llama/Meta-Llama-3.1-8B-Instruct",
}
WEIGHTS = ("*.safetensors", "*.bin", "*.pt")


def paths(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def digests(folder):
    return {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in paths(folder)}


@pytest.mark.parametrize("model_id", BATCH_PIPELINES.values(), ids=BATCH_PIPELINES.keys())
def test_each_batch_pipeline_has_a_model_with_weights(models, model_id):
    assert any(fnmatch(path, pattern) for path in paths(models / model_id) for pattern in WEIGHTS)
    assert json.loads((models / f"{model_id}.meta.json").read_text())["lastModified"]


def test_the_whole_stays_small(models):
    assert sum((models / path).stat().st_size for path in paths(models)) < 80e6
    for meta in models.glob("*/*.meta.json"):
        folder = meta.with_name(meta.name[: -len(".meta.json")])
        # Real weights are as large as they are.
        most = 20e6 if folder.name == "word-llama-l2-supercat" else 8e6
        assert sum((folder / path).stat().st_size for path in paths(folder)) < most, folder


def test_the_same_every_time_and_untouched_when_up_to_date(models, make_again, tmp_path):
    other = make_again(tmp_path / "other")
    assert digests(other) == digests(models)
    readme = other / "openai/whisper-medium/README.md"
    before = readme.stat().st_mtime_ns
    (other / "openai/whisper-medium/stranger.txt").write_text("not in the layout")
    (other / "openai/whisper-medium/vocab.json").write_text("spoiled")
    make_again(other)
    assert digests(other) == digests(models)
    assert readme.stat().st_mtime_ns == before


def test_the_safetensors_library_reads_every_safetensors_file(models):
    files = sorted(models.rglob("*.safetensors"))
    assert len(files) > 50
    for path in files:
        tensors = dict(deserialize(path.read_bytes()))
        assert tensors, path
        for tensor in tensors.values():
            assert len(tensor["data"]) == math.prod(tensor["shape"]) * {"F32": 4, "F16": 2, "BF16": 2}[tensor["dtype"]]


def test_tensors_are_finite(models):
    folder = models / "SG161222/RealVisXL_V4.0_Lightning/vae"
    for name, code, width in (("diffusion_pytorch_model", "f", 4), ("diffusion_pytorch_model.fp16", "e", 2)):
        for _, tensor in deserialize((folder / f"{name}.safetensors").read_bytes()):
            values = struct.unpack(f"<{len(tensor['data']) // width}{code}", tensor["data"])
            assert 0 < max(map(abs, values)) < 1


def test_pytorch_files_are_the_zip_that_torch_writes(models):
    files = [path for pattern in ("*.pt", "*.pth", "*.ckpt", "pytorch_model.bin") for path in models.rglob(pattern)]
    assert len(files) > 5
    for path in files:
        with zipfile.ZipFile(path) as archive:
            assert pickle.loads(archive.read("archive/data.pkl")) == {}


def test_every_component_of_a_pipeline_has_its_folder_and_class(models):
    indexes = sorted(models.rglob("model_index.json"))
    assert len(indexes) == 8
    for path in indexes:
        index = json.loads(path.read_text())
        assert index["_class_name"].endswith("Pipeline")
        pairs = {key: value for key, value in index.items() if isinstance(value, list)}
        for component, (library, class_name) in pairs.items():
            folder = path.parent / component
            assert folder.is_dir() == (library is not None), folder
            if library and (folder / "config.json").exists():
                config = json.loads((folder / "config.json").read_text())
                assert class_name in (config.get("_class_name"), *config.get("architectures", ())), folder


def test_every_shard_that_an_index_names_is_there(models):
    indexes = sorted(models.rglob("*.safetensors.index*.json"))
    assert len(indexes) == 7
    for path in indexes:
        index = json.loads(path.read_text())
        tensors = {}
        for part in set(index["weight_map"].values()):
            tensors.update({name: part for name, _ in deserialize((path.parent / part).read_bytes())})
        assert tensors == index["weight_map"], path
        assert {re.sub(r".*-of-(\d+)\..*", r"\1", part) for part in tensors.values()} == {
            f"{len(set(tensors.values())):05}"
        }


def test_realvisxl_has_what_component_rules_choose_from_and_what_they_skip(models):
    found = paths(models / "SG161222/RealVisXL_V4.0_Lightning")
    for folder, stem in (
        ("text_encoder", "model"),
        ("text_encoder_2", "model"),
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
    ):
        assert {f"{folder}/{stem}.safetensors", f"{folder}/{stem}.fp16.safetensors"} <= found
    assert {"RealVisXL_V4.0_Lightning.safetensors", "tokenizer_2/vocab.json", ".gitattributes", "README.md"} <= found


@pytest.mark.parametrize(
    ("model_id", "needed"),
    [
        ("ByteDance/SDXL-Lightning", {f"sdxl_lightning_{steps}step_unet.safetensors" for steps in (2, 4, 8)}),
        ("stabilityai/sd-vae-ft-ema", {"config.json", "diffusion_pytorch_model.safetensors"}),
        ("CompVis/stable-diffusion-safety-checker", {"config.json", "model.safetensors", "pytorch_model.bin"}),
        ("openai/clip-vit-base-patch32", {"preprocessor_config.json"}),
        ("facebook/sam2-hiera-large", {"sam2_hiera_large.pt"}),
        ("openai/whisper-large-v3", {"model.safetensors", "model.fp32-00001-of-00002.safetensors", "normalizer.json"}),
        (
            "stabilityai/stable-diffusion-3-medium-diffusers",
            {
                "text_encoder_3/model.fp16-00001-of-00002.safetensors",
                "text_encoder_3/model.safetensors.index.fp16.json",
                "transformer/diffusion_pytorch_model.safetensors",
            },
        ),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", {"model-00004-of-00004.safetensors", "generation_config.json"}),
    ],
)
def test_special_files(models, model_id, needed):
    assert needed <= paths(models / model_id)


def test_flux_is_plain_bfloat16(models):
    folder = models / "black-forest-labs/FLUX.1-schnell"
    assert not [path for path in paths(folder) if ".fp16." in path]
    vae = deserialize((folder / "vae/diffusion_pytorch_model.safetensors").read_bytes())
    assert {tensor["dtype"] for _, tensor in vae} == {"BF16"}


def test_llama_has_a_chat_template(models):
    folder = models / "meta-llama/Meta-Llama-3.1-8B-Instruct"
    assert "messages" in json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]


def test_commit_and_trees_are_those_git_computes(models, hub, tmp_path):
    model_id = "SG161222/RealVisXL_V4.0_Lightning"
    snapshot = hub.get(f"/api/models/{model_id}?blobs=true").json()
    for sibling in snapshot["siblings"]:
        target = tmp_path / sibling["rfilename"]
        target.parent.mkdir(parents=True, exist_ok=True)
        if "lfs" in sibling:
            lfs = sibling["lfs"]
            target.write_bytes(
                b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n"
                % (lfs["sha256"].encode(), lfs["size"])
            )
            assert target.stat().st_size == lfs["pointerSize"]
        else:
            shutil.copyfile(models / model_id / sibling["rfilename"], target)
    # attributes are data here: with them git would look for the lfs program
    (tmp_path / ".git/info").mkdir(parents=True)
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (
            ("NAME", "livepeer-lab"),
            ("EMAIL", "lab@example.org"),
            ("DATE", "2026-03-01T12:00:00+0000"),
        )
    }

    def git(*words: str) -> str:
        options = (
            "-c",
            "filter.lfs.clean=cat",
            "-c",
            "filter.lfs.smudge=cat",
            "-c",
            "filter.lfs.required=false",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.autocrlf=false",
        )
        return subprocess.run(
            ("git", *options, *words),
            cwd=tmp_path,
            env={**os.environ, **who},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "Upload model")
    assert git("rev-parse", "HEAD") == snapshot["sha"]
    tree = hub.get(f"/api/models/{model_id}/tree/main?recursive=true").json()
    folders = {entry["path"]: entry["oid"] for entry in tree if entry["type"] == "directory"}
    assert folders == {path: git("rev-parse", f"HEAD:{path}") for path in folders}
    assert len(folders) == 7
