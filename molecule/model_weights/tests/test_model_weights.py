"""What the role leaves on the hosts. How it takes damage, refusals and a kill is in the scenario `site`."""

from __future__ import annotations

import re

MODELS = "/var/lib/livepeer/models"
REALVIS = "models--SG161222--RealVisXL_V4.0_Lightning"
BLIP = "models--Salesforce--blip-image-captioning-large"
COMPANIONS = ["models--CompVis--stable-diffusion-safety-checker", "models--openai--clip-vit-base-patch32"]
ONE_HOST = ("--limit", "orch-bookworm")


def snapshot(host, folder):
    reference = host.file(f"{MODELS}/{folder}/refs/main").content
    assert re.fullmatch(rb"[0-9a-f]{40}", reference), "no newline, or a runner does not find the snapshot"
    return f"{MODELS}/{folder}/snapshots/{reference.decode()}"


def repositories(host):
    return sorted(name for name in host.file(MODELS).listdir() if name.startswith("models--"))


def test_models_of_each_host_and_no_others(orch_bookworm, orch_trixie):
    assert repositories(orch_bookworm) == sorted([REALVIS, *COMPANIONS])
    assert repositories(orch_trixie) == [BLIP]


def test_every_link_is_relative_and_leads_to_a_blob(orch_bookworm):
    for folder in [REALVIS, *COMPANIONS]:
        found = orch_bookworm.check_output(f"find {snapshot(orch_bookworm, folder)} -type l -printf '%%l\\n'")
        assert found
        assert all(re.fullmatch(r"(\.\./)+blobs/[0-9a-f]{40,64}", link) for link in found.splitlines())
    assert orch_bookworm.check_output(f"find {MODELS} -xtype l") == ""


def test_no_rest_of_a_download(orch_bookworm):
    assert orch_bookworm.check_output(f"find {MODELS}/.livepeer/partial {MODELS}/*/blobs -name '*.*' -type f") == ""
    assert orch_bookworm.check_output(f"find {MODELS}/.livepeer/partial -type f") == ""


def test_half_precision_and_nothing_else(orch_bookworm):
    found = orch_bookworm.check_output(
        f"find {snapshot(orch_bookworm, REALVIS)} -name '*.safetensors' -printf '%%f\\n'"
    )
    assert found
    assert all(".fp16." in name for name in found.splitlines())


def test_files_are_readable_and_owned_by_root(orch_bookworm):
    wrong = "! -user root -o -type f ! -perm 0644 -o -type d ! -perm 0755"
    assert orch_bookworm.check_output(f"find {MODELS} {wrong}") == ""


def test_second_run_changes_nothing_and_asks_nobody(playbook, hub):
    run = playbook("weights")
    assert run.code == 0, run.output
    assert run.changed == 0
    assert hub.stats()["total"] == 0


def test_model_that_is_not_declared_any_more_is_pruned(orch_bookworm, playbook):
    models = [
        {"pipeline": "text-to-image", "model_id": "SG161222/RealVisXL_V4.0_Lightning"},
        {"pipeline": "audio-to-text", "model_id": "openai/whisper-medium"},
    ]
    assert playbook("weights", *ONE_HOST, model_weights_models=models).changed == 1
    assert "models--openai--whisper-medium" in repositories(orch_bookworm)
    check = playbook("weights", *ONE_HOST, "--check", model_weights_prune=True)
    assert check.changed == 1
    assert "models--openai--whisper-medium" in repositories(orch_bookworm)
    assert playbook("weights", *ONE_HOST, model_weights_prune=True).changed == 1
    assert repositories(orch_bookworm) == sorted([REALVIS, *COMPANIONS])
    assert playbook("weights", *ONE_HOST, model_weights_prune=True).changed == 0
