"""The tree as a runner, huggingface_hub and the Hub's own list of files see it.

How the role takes damage, refusals and a kill is in the scenario `site`.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from huggingface_hub import snapshot_download
from labtest import LAB, SUBNET, lab_host
from safetensors import deserialize

MODELS = "/var/lib/livepeer/models"
ELSEWHERE = "/var/lib/livepeer/models-of-a-test"
REALVIS = "SG161222/RealVisXL_V4.0_Lightning"
SAFETY_CHECKER = "CompVis/stable-diffusion-safety-checker"
CLIP = "openai/clip-vit-base-patch32"
BLIP = "Salesforce/blip-image-captioning-large"
SAM = "facebook/sam2-hiera-large"
# What the hosts' own container reads. It has no pipeline: its declaration names the files.
WORD_LLAMA = "dleemiller/word-llama-l2-supercat"
WEIGHTS = (".bin", ".ckpt", ".h5", ".msgpack", ".onnx", ".pt", ".safetensors")

# Which files a loader opens, written down by hand: what the role computes from the Hub's listing must come out as this.
FILES = {
    WORD_LLAMA: {"l2_supercat_256.safetensors", "l2_supercat_tokenizer_config.json"},
    REALVIS: {
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "text_encoder_2/config.json",
        "text_encoder_2/model.fp16.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "tokenizer_2/merges.txt",
        "tokenizer_2/special_tokens_map.json",
        "tokenizer_2/tokenizer_config.json",
        "tokenizer_2/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    },
}
# At least these; what else of their small files comes along does no harm.
NEEDED = {
    SAFETY_CHECKER: {"config.json", "model.safetensors"},
    CLIP: {"preprocessor_config.json"},
    BLIP: {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    },
}
SERVED = {"orch-bookworm": {REALVIS, SAFETY_CHECKER, CLIP, WORD_LLAMA}, "orch-trixie": {BLIP, WORD_LLAMA}}
EVERY_MODEL = [(host, model) for host, models in SERVED.items() for model in sorted(models)]


@dataclass
class Snapshot:
    """What a host has of one model, in a copy of its models directory on the controller."""

    model: str
    folder: Path
    commit: bytes
    links: dict[str, Path]

    @property
    def blobs(self) -> set[str]:
        return {path.name for path in (self.folder / "blobs").iterdir()}


def folder_name(model: str) -> str:
    return f"models--{model.replace('/', '--')}"


def repositories(host, directory: str = MODELS) -> set[str]:
    return {name for name in host.file(directory).listdir() if name.startswith("models--")}


def hub_api(model: str, **query) -> dict:
    answer = requests.get(f"http://{SUBNET}.10:8080/api/models/{model}", params=query, timeout=10)
    answer.raise_for_status()
    return answer.json()


@pytest.fixture(scope="module")
def trees(tmp_path_factory) -> dict[str, Path]:
    """The models directory of each host, as it would be mounted elsewhere: links and content are those of the host."""
    place = tmp_path_factory.mktemp("trees")
    for host in SERVED:
        command = ["docker", "cp", "--quiet", f"livepeer-{LAB}-{host}:{MODELS}", str(place / host)]
        subprocess.run(command, check=True, capture_output=True)
    return {host: place / host for host in SERVED}


@pytest.fixture(params=EVERY_MODEL, ids=[f"{host}-{model}" for host, model in EVERY_MODEL])
def snapshot(request, trees) -> Snapshot:
    host, model = request.param
    folder = trees[host] / folder_name(model)
    commit = (folder / "refs/main").read_bytes()
    root = folder / "snapshots" / commit.decode()
    links = {str(path.relative_to(root)): path for path in root.rglob("*") if not path.is_dir()}
    return Snapshot(model, folder, commit, links)


@pytest.mark.parametrize("name", SERVED)
def test_only_what_this_host_serves_is_there(name):
    assert repositories(lab_host(name)) == {folder_name(model) for model in SERVED[name]}


def test_main_is_forty_digits_and_nothing_else(snapshot):
    assert re.fullmatch(rb"[0-9a-f]{40}", snapshot.commit), snapshot.commit
    assert snapshot.commit.decode() == hub_api(snapshot.model)["sha"]


def test_one_snapshot_with_the_files_that_a_loader_opens(snapshot):
    assert [path.name for path in (snapshot.folder / "snapshots").iterdir()] == [snapshot.commit.decode()]
    files = set(snapshot.links)
    if snapshot.model in FILES:
        assert files == FILES[snapshot.model]
    else:
        assert files >= NEEDED[snapshot.model]
    weights = {file for file in files if file.endswith(WEIGHTS)}
    halves = {file for file in weights if ".fp16." in file}
    assert halves in (weights, set()), "a stray variant changes which one the runner loads"


def test_links_are_relative_and_stay_inside(snapshot):
    for name, link in snapshot.links.items():
        assert link.is_symlink(), name
        target = link.readlink()
        assert str(target) == "../" * (name.count("/") + 2) + f"blobs/{target.name}"
        blob = snapshot.folder / "blobs" / target.name
        assert blob.is_file()
        assert not blob.is_symlink(), "a store outside the repository breaks once a single folder is copied"


def test_content_is_the_hubs(snapshot):
    hub = {file["rfilename"]: file for file in hub_api(snapshot.model, blobs="true")["siblings"]}
    for name, link in snapshot.links.items():
        content = link.read_bytes()
        assert len(content) == hub[name]["size"]
        if "lfs" in hub[name]:
            expected = hub[name]["lfs"]["sha256"]
            assert hashlib.sha256(content).hexdigest() == expected
        else:
            expected = hub[name]["blobId"]
            # As git names a file: over a header and the content.
            assert hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest() == expected
        assert link.readlink().name == expected
    assert snapshot.blobs == {link.readlink().name for link in snapshot.links.values()}, "blobs that nothing links to"


def test_huggingface_hub_finds_it_without_a_network(snapshot, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    wanted = FILES.get(snapshot.model) or NEEDED[snapshot.model]
    found = snapshot_download(
        snapshot.model, cache_dir=snapshot.folder.parent, local_files_only=True, allow_patterns=sorted(wanted)
    )
    for name in wanted:
        path = Path(found) / name
        if path.suffix == ".json":
            assert json.loads(path.read_bytes())
        if path.suffix == ".safetensors":
            assert deserialize(path.read_bytes())


@pytest.mark.parametrize("name", SERVED)
def test_no_rest_of_a_download(name):
    rests = "-name '*.incomplete' -o -path '*/partial/*' -type f -o -name '.huggingface-shared-blobs'"
    assert lab_host(name).check_output(f"find {MODELS} {rests}") == ""


@pytest.mark.parametrize("name", SERVED)
def test_everybody_reads_and_only_root_writes(name):
    wrong = "! -user root -o ! -group root -o -type f ! -perm 0644 -o -type d ! -perm 0755"
    assert lab_host(name).check_output(f"find {MODELS} {wrong}") == ""


def test_second_run_changes_nothing_and_asks_nobody(playbook, hub):
    run = playbook("weights")
    assert run.code == 0, run.output
    assert run.changed == 0, run.output
    assert hub.stats()["total"] == 0, hub.stats()["log"]


@pytest.fixture
def elsewhere(orch_bookworm, orch_trixie) -> Iterator[str]:
    """A models directory of the test's own."""
    yield ELSEWHERE
    for host in (orch_bookworm, orch_trixie):
        host.check_output("rm -rf %s", ELSEWHERE)


def test_one_question_to_the_hub_serves_the_fleet(hub, playbook, elsewhere):
    model = {"pipeline": "image-to-text", "model_id": BLIP}
    run = playbook("weights", model_weights_models=[model], model_weights_dir=elsewhere)
    assert run.code == 0, run.output
    stats = hub.stats()
    assert stats["api"] == 1, stats["log"]
    assert stats["lfs"] == 2, "one large file for each of the two hosts"


def test_model_that_is_not_declared_any_more_goes_when_asked(playbook, orch_trixie, elsewhere):
    blip = {"pipeline": "image-to-text", "model_id": BLIP}
    sam = {"pipeline": "segment-anything-2", "model_id": SAM}

    def declare(models: list, *arguments: str, changes: int, **variables) -> set[str]:
        where = ("--limit", "orch-trixie", *arguments)
        run = playbook("weights", *where, model_weights_models=models, model_weights_dir=elsewhere, **variables)
        assert run.code == 0, run.output
        assert run.changed == changes, run.output
        return repositories(orch_trixie, elsewhere)

    both = {folder_name(BLIP), folder_name(SAM)}
    # The directory, and the models.
    assert declare([blip, sam], changes=2) == both
    assert declare([sam], changes=0) == both
    assert declare([sam], "--check", changes=1, model_weights_prune=True) == both
    assert declare([sam], changes=1, model_weights_prune=True) == {folder_name(SAM)}
