# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look-ups: images, ports and what a version has."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.node_release import node_release
from ansible_collections.livepeer.ai.plugins.filter.runner_images import runner_images
from ansible_collections.livepeer.ai.plugins.filter.runner_ports import runner_ports

MODELS = [
    {"pipeline": "text-to-image", "model_id": "a/b"},
    {"pipeline": "upscale", "model_id": "a/c"},
    {"pipeline": "llm", "model_id": "a/d"},
    {"pipeline": "text-to-speech", "model_id": "a/e", "url": "http://127.0.0.1:9000"},
]


def test_images_are_sorted_and_external_runners_need_none():
    assert runner_images(MODELS, "0.9.1") == ["livepeer/ai-runner:latest", "livepeer/ai-runner:llm"]
    pinned = {"batch": {"llm": "livepeer/ai-runner@sha256:1"}}
    assert runner_images(MODELS, "0.9.1", pinned) == ["livepeer/ai-runner:latest", "livepeer/ai-runner@sha256:1"]


def test_images_of_unknown_models():
    with pytest.raises(AnsibleFilterError, match="no image is known for the live pipeline 'x'"):
        runner_images([{"pipeline": "live-video-to-video", "model_id": "x"}], "0.9.1")


def test_ports():
    assert runner_ports(MODELS, "0.9.1") == [8000, 8300, 8500]
    assert runner_ports(MODELS[:1], "0.9.1", [0, 3], 2) == [8000, 8003, 8010, 8013]


def test_ports_hold_two_digits():
    for gpus, slots in (([10], 1), ([0], 11), ([0], 0)):
        with pytest.raises(AnsibleFilterError, match="room for GPUs 0 to 9 and at most 10 containers"):
            runner_ports(MODELS, "0.9.1", gpus, slots)


def test_ports_of_unknown_pipelines():
    with pytest.raises(AnsibleFilterError, match="no pipeline 'x'"):
        runner_ports([{"pipeline": "x", "model_id": "y"}], "0.9.1")


def test_release():
    known = node_release("0.9.1", "aarch64", "builtin")
    assert known["version"] == "0.9.1"
    assert known["archive_url"] == (
        "https://github.com/livepeer/go-livepeer/releases/download/v0.9.1/livepeer-linux-arm64.tar.gz"
    )
    assert "offchain" in known["networks"] and "ethUrl" in known["secret_flags"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("0.8.0",), "go-livepeer '0.8.0' is not supported: use '0.9.1' (supported: 0.9.1)"),
        (("0.9.1", "riscv64"), "go-livepeer is released for amd64 and arm64, not for riscv64"),
        (
            ("0.9.1", "x86_64", "wizard"),
            "go-livepeer 0.9.1 does not offer the path 'wizard':"
            " use one of builtin, byoc, custom_pipeline, live_runner",
        ),
    ],
)
def test_release_refusals(arguments, message):
    with pytest.raises(AnsibleFilterError) as caught:
        node_release(*arguments)
    assert str(caught.value) == message
