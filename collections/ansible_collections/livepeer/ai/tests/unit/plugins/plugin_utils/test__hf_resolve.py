# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half against the lab's Hub: what it asks, how often, and what it says when the Hub refuses."""

from __future__ import annotations

import multiprocessing
import socket

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import HubError
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import RuleError, Want, wants
from ansible_collections.livepeer.ai.plugins.plugin_utils import _hf_resolve
from ansible_collections.livepeer.ai.plugins.plugin_utils._hf_resolve import Resolver

REALVIS = "SG161222/RealVisXL_V4.0_Lightning"
BLIP = "Salesforce/blip-image-captioning-large"
SVD = "stabilityai/stable-video-diffusion-img2vid-xt-1-1"
LLAMA = "meta-llama/Meta-Llama-3.1-8B-Instruct"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(_hf_resolve, "backoff", lambda attempt: 0)


@pytest.fixture
def resolver(lab_hub, tmp_path):
    def make(token=None, **options):
        return Resolver(options.pop("endpoint", lab_hub.url), token, str(tmp_path), **{"retries": 2, **options})

    return make


def own(model_id, pipeline, **options):
    return wants(model_id, pipeline, **options)[0]


def test_manifest(resolver, lab_hub):
    manifest = resolver().manifest(own(BLIP, "image-to-text"))
    assert manifest["model_id"] == BLIP
    assert manifest["revision"] == "main"
    assert len(manifest["commit"]) == 40
    by_path = {file["path"]: file for file in manifest["files"]}
    path = lab_hub.root / BLIP / "model.safetensors"
    assert by_path["model.safetensors"]["size"] == path.stat().st_size
    assert by_path["model.safetensors"]["algorithm"] == "sha256"
    assert len(by_path["model.safetensors"]["digest"]) == 64
    assert by_path["config.json"]["algorithm"] == "git-sha1"
    assert len(by_path["config.json"]["digest"]) == 40


def asked(hub):
    return [line for line in hub.stats()["log"] if "resolve-cache" not in line]


def test_a_plain_model_costs_one_request(resolver, lab_hub):
    resolver().manifest(own(BLIP, "image-to-text"))
    assert asked(lab_hub) == [f"GET /api/models/{BLIP}/revision/main 200"]


def test_a_diffusers_model_costs_two(resolver, lab_hub):
    resolver().manifest(own(REALVIS, "text-to-image"))
    assert len(asked(lab_hub)) == 2
    assert "model_index.json" in asked(lab_hub)[1]


def test_a_gated_model_of_another_kind_costs_two(resolver, lab_hub):
    resolver("hf_lab_good").manifest(own(LLAMA, "llm"))
    # This one was renamed on the Hub, which costs a redirect.
    assert [line.split()[::2] for line in asked(lab_hub)] == [["GET", "307"], ["GET", "200"], ["HEAD", "302"]]


def test_the_same_model_for_two_pipelines_and_many_hosts(resolver, lab_hub):
    for pipeline in ("text-to-image", "image-to-image") * 3:
        resolver().manifest(own(REALVIS, pipeline))
    assert len(asked(lab_hub)) == 2


def resolve_in_a_process(url, memory, barrier):
    barrier.wait()
    Resolver(url, None, memory).manifest(own(REALVIS, "text-to-image"))


def test_processes_of_one_run_ask_once(lab_hub, tmp_path):
    """Ansible's workers: forked, and all at it at the same moment."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(8)
    workers = [
        context.Process(target=resolve_in_a_process, args=(lab_hub.url, str(tmp_path), barrier)) for _count in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * 8
    assert len(asked(lab_hub)) == 2


@pytest.mark.parametrize(
    ("token", "model_id", "pipeline", "revision", "kind"),
    [
        (None, SVD, "image-to-video", "main", "no_token"),
        ("hf_lab_nolicence", SVD, "image-to-video", "main", "licence"),
        ("hf_mistyped", SVD, "image-to-video", "main", "bad_token"),
        (None, LLAMA, "llm", "main", "no_token"),
        ("hf_lab_nolicence", LLAMA, "llm", "main", "licence"),
        ("hf_mistyped", BLIP, "image-to-text", "main", "bad_token"),
        (None, "org/none", "llm", "main", "no_repository"),
        ("hf_lab_good", "org/none", "llm", "main", "no_repository"),
        (None, BLIP, "image-to-text", "v9", "no_revision"),
    ],
)
def test_refusals_are_told_apart(resolver, lab_hub, token, model_id, pipeline, revision, kind):
    with pytest.raises(HubError) as caught:
        resolver(token).manifest(own(model_id, pipeline, revision=revision))
    assert caught.value.kind == kind
    assert model_id in str(caught.value)
    assert "hf_" not in str(caught.value)
    before = lab_hub.stats()["total"]
    # The next host hears the same without another request.
    with pytest.raises(HubError) as again:
        resolver(token).manifest(own(model_id, pipeline, revision=revision))
    assert str(again.value) == str(caught.value)
    assert lab_hub.stats()["total"] == before


def test_failure_is_forgotten_for_a_later_attempt(resolver, lab_hub, monkeypatch):
    monkeypatch.setattr(_hf_resolve, "FAILURE_SECONDS", -1)
    lab_hub.fault({"match": "/api/models", "kind": "status", "status": 500, "times": 1})
    with pytest.raises(HubError):
        resolver(retries=0).manifest(own(BLIP, "image-to-text"))
    assert resolver(retries=0).manifest(own(BLIP, "image-to-text"))["commit"]


def test_rate_limit_is_waited_for_and_told(resolver, lab_hub):
    lab_hub.fault({"match": "/api/models", "kind": "rate_limit", "retry_after": 1, "times": 1})
    said = []
    assert resolver(say=said.append).manifest(own(BLIP, "image-to-text"))["commit"]
    assert len(said) == 1
    assert "too many requests" in said[0]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "rate_limit", "retry_after": 3600}, "rate_limit"),
        ({"kind": "rate_limit", "retry_after": 0}, "still_limited"),
        ({"kind": "status", "status": 502}, "server_error"),
        ({"kind": "status", "status": 418}, "unexpected"),
    ],
)
def test_failures(resolver, lab_hub, fault, kind):
    lab_hub.fault({"match": "/api/models", "times": -1, **fault})
    with pytest.raises(HubError) as caught:
        resolver().manifest(own(BLIP, "image-to-text"))
    assert caught.value.kind == kind


def test_passing_failure_is_survived(resolver, lab_hub):
    lab_hub.fault({"match": "/api/models", "kind": "status", "status": 503, "times": 2})
    assert resolver().manifest(own(BLIP, "image-to-text"))["commit"]


def test_unreachable_hub(resolver):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(HubError, match="cannot be reached") as caught:
            resolver(endpoint=endpoint).manifest(own(BLIP, "image-to-text"))
    assert caught.value.kind == "unreachable"


def test_offline_switch_of_the_library(resolver, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="cannot be reached"):
        resolver(retries=0).manifest(own(BLIP, "image-to-text"))


def test_no_such_file(resolver):
    with pytest.raises(RuleError, match=r"No file of .* is left after allow_patterns"):
        resolver().manifest(Want(BLIP, "patterns", allow=["*.gguf"]))


def test_model_index_that_is_not_json(resolver, lab_hub):
    lab_hub.fault({"match": "model_index.json", "kind": "wrong_bytes", "at": 0, "times": -1})
    with pytest.raises(HubError, match="model_index.json is not a JSON object"):
        resolver().manifest(own(REALVIS, "text-to-image"))


def test_the_memory_holds_no_token(resolver, tmp_path):
    resolver("hf_lab_good").manifest(own(LLAMA, "llm"))
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found
    assert not any(b"hf_lab_good" in path.read_bytes() or "hf_lab_good" in path.name for path in found)
