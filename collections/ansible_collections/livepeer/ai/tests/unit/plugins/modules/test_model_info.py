# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a play runs it: from files, from the lab's Hub, and from what the Hub said before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import HubError
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import wants
from ansible_collections.livepeer.ai.plugins.plugin_utils import _hf_resolve
from ansible_collections.livepeer.ai.plugins.plugin_utils._advice import advise
from ansible_collections.livepeer.ai.plugins.plugin_utils._model_metadata import Describer, Library

COLLECTIONS = Path(__file__).resolve().parents[7]
MODELS = Path(__file__).parents[2] / "fixtures/models"
REALVIS = "SG161222/RealVisXL_V4.0_Lightning"
SVD = "stabilityai/stable-video-diffusion-img2vid-xt-1-1"
BLIP = "Salesforce/blip-image-captioning-large"


def play(tmp_path, *tasks):
    """The run and what each task said; one that fails does not keep the next from being tried."""
    results = [f"said_{number}" for number in range(len(tasks))]
    playbook = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                *(
                    {"livepeer.ai.model_info": arguments, "register": name, "ignore_errors": True}
                    for name, arguments in zip(results, tasks)
                ),
                {
                    "ansible.builtin.copy": {
                        "content": "{{ [" + ", ".join(results) + "] | to_json }}",
                        "dest": str(tmp_path / "said.json"),
                        "mode": "0600",
                    }
                },
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(playbook))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "play.yml", "-v"]
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1")
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run, json.loads((tmp_path / "said.json").read_text())


def test_from_files(tmp_path):
    run, (found,) = play(tmp_path, {"model_id": REALVIS, "metadata": str(MODELS), "offline": True, "show": True})
    advice = found["advice"]
    assert found["changed"] is False
    assert (advice["decision"], advice["pipeline"]) == ("builtin", "text-to-image")
    printed = [line.rstrip() for line in run.stdout.splitlines()]
    assert all(line.rstrip() in printed for line in advice["report"])
    entry = yaml.safe_load(advice["inventory"])["orchestrator_models"][0]
    assert entry["model_id"] == REALVIS


def test_from_the_hub_and_from_what_it_said(tmp_path, lab_hub):
    kept = tmp_path / "kept"
    _run, (first,) = play(tmp_path, {"model_id": REALVIS, "endpoint": lab_hub.url, "save_to": str(kept)})
    assert first["advice"]["pipeline"] == "text-to-image"
    assert first["advice"]["download"]["complete"] is True
    assert len(first["advice"]["metadata"]["commit"]) == 40
    assert len(list(kept.iterdir())) == 3
    asked = lab_hub.stats()["total"]
    assert asked
    _run, (second,) = play(tmp_path, {"model_id": REALVIS, "metadata": str(kept), "offline": True})
    assert second["advice"] == first["advice"]
    assert lab_hub.stats()["total"] == asked


REFUSALS = [
    ({"model_id": "no/such", "metadata": str(MODELS), "offline": True}, "Nothing is known of no/such"),
    ({"model_id": "not a name", "offline": True}, "is not a Hugging Face model name"),
    ({"model_id": "a/b", "metadata": "/nowhere", "offline": True}, "metadata /nowhere does not exist"),
    ({"model_id": "a/b", "offline": True, "gpu_memory": "much"}, "gpu_memory is 'much', must be a size"),
    ({"model_id": "a/b", "offline": True, "version": "0.0.1"}, "'0.0.1' is not supported"),
    ({"model_id": "a/b", "token_file": "/nowhere"}, "token_file /nowhere cannot be read"),
    ({"model_id": "a/b", "offline": True, "pipeline": "lipsync"}, "must be one of"),
]


def test_refusals(tmp_path):
    _run, found = play(tmp_path, *(arguments for arguments, _sentence in REFUSALS))
    for (_arguments, sentence), one in zip(REFUSALS, found):
        assert one["failed"] is True
        assert sentence in one["msg"]


def test_a_token_is_not_shown(tmp_path, lab_hub):
    run, (found,) = play(tmp_path, {"model_id": "no/such", "endpoint": lab_hub.url, "token": "hf_lab_good"})
    assert found["error"] == "no_repository"
    assert "no/such" in found["msg"]
    assert "hf_lab_good" not in run.stdout + run.stderr + json.dumps(found)


@pytest.fixture
def describer(lab_hub, tmp_path, monkeypatch):
    monkeypatch.setattr(_hf_resolve, "backoff", lambda attempt: 0)
    return lambda token=None: Describer(lab_hub.url, token, str(tmp_path), retries=2)


def test_a_gated_model_is_judged_without_a_token(describer):
    library = Library(describer=describer())
    model = library.get(SVD)
    assert model["gated"]
    advice = advise(SVD, model, library.get, "0.9.1")
    assert (advice["decision"], advice["pipeline"]) == ("builtin_with_warnings", "image-to-video")
    assert "gated" in [one["code"] for one in advice["warnings"]]


def test_with_access_the_bytes_are_those_of_the_role(describer):
    """What is advised is what model_weights fetches."""
    library = Library(describer=describer("hf_lab_good"))
    own = advise(SVD, library.get(SVD), library.get, "0.9.1")["download"]["repositories"][0]
    manifest = describer("hf_lab_good").manifest(wants(SVD, "image-to-video")[0])
    assert own["files"] == len(manifest["files"])
    assert own["bytes"] == sum(file["size"] for file in manifest["files"])
    assert own["note"] == ""


def test_small_files_tell_the_class(describer):
    model = Library(describer=describer()).get(BLIP)
    assert model["config"]["model_type"] == "blip"


def test_a_broken_answer_is_an_error_not_a_guess(describer, lab_hub):
    lab_hub.fault({"match": "config.json", "kind": "status", "status": 500, "times": -1})
    with pytest.raises(HubError):
        Library(describer=describer()).get(BLIP)
