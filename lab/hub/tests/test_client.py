# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""huggingface_hub itself against the Hub stand-in."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

MODEL = "SG161222/RealVisXL_V4.0_Lightning"
GATED = "stabilityai/stable-diffusion-3-medium-diffusers"


@pytest.fixture
def api(hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return HfApi(endpoint=hub.url, token=False)


@pytest.fixture
def download(hub, tmp_path):
    def go(model_id, token=False, **options):
        return Path(snapshot_download(model_id, endpoint=hub.url, token=token, cache_dir=tmp_path / "cache", **options))

    return go


def same_content(snapshot: Path, truth: Path) -> bool:
    files = [path.relative_to(snapshot) for path in snapshot.rglob("*") if path.is_file()]
    return bool(files) and all((snapshot / path).read_bytes() == (truth / path).read_bytes() for path in files)


def test_the_client_lists(api, models):
    truth = {path.relative_to(models / MODEL).as_posix() for path in (models / MODEL).rglob("*") if path.is_file()}
    assert set(api.list_repo_files(MODEL)) == truth
    assert {entry.path for entry in api.list_repo_tree(MODEL, "vae", expand=True)} == {
        path for path in truth if path.startswith("vae/")
    }
    assert [model.id for model in api.list_models(search="realvisxl")] == [MODEL]


def test_model_info_with_files_metadata(api, models):
    info = api.model_info(MODEL, files_metadata=True)
    for sibling in info.siblings:
        payload = (models / MODEL / sibling.rfilename).read_bytes()
        assert sibling.size == len(payload)
        assert (sibling.lfs is None) == (not sibling.rfilename.endswith(".safetensors"))
        if sibling.lfs:
            assert sibling.lfs.sha256 == hashlib.sha256(payload).hexdigest()
    assert (info.gated, info.pipeline_tag, info.library_name) == (False, "text-to-image", "diffusers")


def test_paths_info_refs_and_whoami(api):
    assert [entry.path for entry in api.get_paths_info(MODEL, ["unet", "README.md"])] == ["unet", "README.md"]
    assert api.list_repo_refs(MODEL).branches[0].target_commit == api.model_info(MODEL).sha
    assert api.whoami(token="hf_lab_good")["name"] == "lab-good"


def test_a_snapshot_has_every_byte_and_no_token_reaches_the_lfs_authority(api, download, hub, models):
    snapshot = download(MODEL, token="hf_lab_good")
    assert snapshot.name == api.model_info(MODEL).sha
    assert len(list(snapshot.rglob("*"))) > 30
    assert same_content(snapshot, models / MODEL)
    stats = hub.stats()
    assert stats["lfs"] >= 9
    assert stats["lfs_with_token"] == 0


def test_patterns_are_honoured(download, models):
    snapshot = download(MODEL, allow_patterns=["*.fp16.safetensors", "*.json", "*.txt"])
    assert not list(snapshot.glob("*.safetensors"))
    assert len(list(snapshot.rglob("*.fp16.safetensors"))) == 4


def test_the_cache_is_named_by_git_id_and_sha256(download, models):
    blobs = download(MODEL, allow_patterns=["vae/*fp16*", "model_index.json"]).parents[1] / "blobs"
    vae = (models / MODEL / "vae/diffusion_pytorch_model.fp16.safetensors").read_bytes()
    index = (models / MODEL / "model_index.json").read_bytes()
    expected = {
        hashlib.sha256(vae).hexdigest(),
        hashlib.sha1(b"blob %d\0" % len(index) + index).hexdigest(),
    }
    assert {path.name for path in blobs.iterdir()} == expected


def test_the_environment_variable_is_enough(hub, tmp_path):
    code = (
        "import sys; from huggingface_hub import HfApi, snapshot_download;"
        f"print(HfApi().model_info('{MODEL}').sha); print(snapshot_download('openai/clip-vit-base-patch32'))"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert (Path(result.stdout.split()[1]) / "preprocessor_config.json").is_file()


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_wrong", 401), ("hf_lab_nolicence", 403)])
def test_a_gated_repository(download, hub, tmp_path, token, status):
    sha = HfApi(endpoint=hub.url, token=False).model_info(GATED).sha
    if token == "hf_wrong":
        # the API refuses a wrong token before the gate is reached
        with pytest.raises(HfHubHTTPError, match="Invalid credentials"):
            download(GATED, token=token, allow_patterns="*.json")
        with pytest.raises(GatedRepoError) as error:
            HfApi(endpoint=hub.url, token=token).hf_hub_download(
                GATED, "model_index.json", revision=sha, cache_dir=tmp_path
            )
    else:
        with pytest.raises(GatedRepoError) as error:
            download(GATED, token=token, allow_patterns="*.json")
    assert error.value.response.status_code == status


def test_the_licence_opens_it(download, models):
    assert same_content(download(GATED, "hf_lab_good", allow_patterns="text_encoder_3/*"), models / GATED)


def test_errors_have_their_own_exceptions(api, tmp_path):
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("nobody/nothing", token="hf_lab_good")
    with pytest.raises(HfHubHTTPError, match="Invalid username or password"):
        api.model_info("nobody/nothing")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(MODEL, revision="v9")
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(MODEL, "nothing.json", cache_dir=tmp_path)


def test_a_renamed_repository_lands_under_the_name_that_was_asked_for(api, download):
    old = "meta-llama/Meta-Llama-3.1-8B-Instruct"
    assert api.model_info(old).id == "meta-llama/Llama-3.1-8B-Instruct"
    snapshot = download(old, "hf_lab_good", allow_patterns="*.json")
    assert snapshot.parents[1].name == "models--meta-llama--Meta-Llama-3.1-8B-Instruct"


def test_the_client_survives_a_cut_connection(hub, download, models):
    hub.faults({"match": "^/lfs/.*text_encoder/", "kind": "cut", "at": 100000})
    snapshot = download(MODEL, allow_patterns="text_encoder/*.fp16.safetensors")
    assert same_content(snapshot, models / MODEL)
    # it keeps nothing of what arrived: progress counts in chunks of 10 MB
    assert hub.stats()["lfs"] == 2


def test_the_client_waits_out_a_rate_limit(hub, api, models):
    hub.faults({"match": "/tree/", "kind": "rate_limit", "retry_after": 0})
    assert len(list(api.list_repo_tree(MODEL))) > 5
    assert [line.rsplit(" ", 1)[1] for line in hub.stats()["log"]] == ["429", "200"]
