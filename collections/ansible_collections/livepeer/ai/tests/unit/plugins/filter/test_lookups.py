# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look-ups: images, ports, addresses, repositories, and what a version has."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.model_repositories import model_repositories
from ansible_collections.livepeer.ai.plugins.filter.node_address import node_address
from ansible_collections.livepeer.ai.plugins.filter.node_release import node_release
from ansible_collections.livepeer.ai.plugins.filter.refusal import refusal
from ansible_collections.livepeer.ai.plugins.filter.runner_images import runner_images
from ansible_collections.livepeer.ai.plugins.filter.runner_ports import runner_ports
from ansible_collections.livepeer.ai.plugins.filter.warm_runners import warm_runners

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


def test_release_knows_networks():
    assert node_release("0.9.1", network="offchain")
    assert node_release("0.9.1", network="devnet", controller="0x1")
    with pytest.raises(AnsibleFilterError) as caught:
        node_release("0.9.1", network="arbitrum-one-main")
    assert str(caught.value) == (
        "go-livepeer 0.9.1 does not know the network 'arbitrum-one-main' (did you mean arbitrum-one-mainnet?),"
        " and would take it for a private one: correct the name, or give the address of its controller"
    )


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("gpu1.example.com:8935", ("https", "gpu1.example.com", 8935, "name", "https://gpu1.example.com:8935")),
        ("http://192.0.2.7:80", ("http", "192.0.2.7", 80, "private", "http://192.0.2.7:80")),
        ("8.8.8.8:8935", ("https", "8.8.8.8", 8935, "public", "https://8.8.8.8:8935")),
        ("10.1.2.3:8935", ("https", "10.1.2.3", 8935, "private", "https://10.1.2.3:8935")),
        ("0.0.0.0:8935", ("https", "0.0.0.0", 8935, "wildcard", "https://127.0.0.1:8935")),
        (":8935", ("https", "", 8935, "wildcard", "https://127.0.0.1:8935")),
        ("[::]:8935", ("https", "::", 8935, "wildcard", "https://127.0.0.1:8935")),
        ("127.0.0.9:1", ("https", "127.0.0.9", 1, "loopback", "https://127.0.0.9:1")),
        ("localhost:1", ("https", "localhost", 1, "loopback", "https://localhost:1")),
        ("[::1]:1", ("https", "::1", 1, "loopback", "https://[::1]:1")),
        ("169.254.1.1:1", ("https", "169.254.1.1", 1, "link_local", "https://169.254.1.1:1")),
        ("224.0.0.1:1", ("https", "224.0.0.1", 1, "multicast", "https://224.0.0.1:1")),
    ],
)
def test_addresses(address, parts):
    assert tuple(node_address(address).values()) == parts


def test_address_takes_the_scheme_it_is_told():
    assert node_address("127.0.0.1:7935", scheme="http")["local_url"] == "http://127.0.0.1:7935"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "has no port: write host:port"),
        ("none", "has no port: write host:port"),
        ("gpu1", "has no port: write host:port"),
        ("gpu1:0", "has no port: write host:port"),
        ("gpu1:x", "has a port that is no number from 1 to 65535"),
        ("gpu1:70000", "has a port that is no number from 1 to 65535"),
        ("gpu1:8935/path", "has more than a host and a port"),
        ("user@gpu1:8935", "has more than a host and a port"),
        ("grpc://gpu1:8935", "begins with neither http:// nor https://"),
    ],
)
def test_address_refusals(address, why):
    with pytest.raises(AnsibleFilterError) as caught:
        node_address(address, "gateway_http_addr")
    assert str(caught.value) == f"gateway_http_addr ({address}) {why}"


def test_repositories_with_companions():
    models = [
        {"pipeline": "text-to-image", "model_id": "SG161222/RealVisXL_V4.0_Lightning"},
        {"pipeline": "llm", "model_id": "a/b", "url": "http://h:1"},
        {"pipeline": "live-video-to-video", "model_id": "noop"},
    ]
    assert model_repositories(models) == [
        "CompVis/stable-diffusion-safety-checker",
        "SG161222/RealVisXL_V4.0_Lightning",
        "openai/clip-vit-base-patch32",
    ]


def test_repositories_of_a_name_that_is_none():
    with pytest.raises(AnsibleFilterError, match="not a Hugging Face model name"):
        model_repositories([{"pipeline": "llm", "model_id": "../etc"}])


def test_warm_runners():
    llm = {"pipeline": "llm", "model_id": "a/b"}
    models = [
        {**llm, "warm": True, "capacity": 2},
        {**llm, "warm": False},
        {**llm, "warm": True, "url": "http://h:1"},
        llm,
    ]
    assert warm_runners(models) == [llm, llm]


def test_refusal_is_a_sentence_or_nothing():
    assert refusal("0.9.1", "node_release") == ""
    assert refusal("0.8.0", "node_release") == "go-livepeer '0.8.0' is not supported: use '0.9.1' (supported: 0.9.1)."
    assert refusal([{}], "ai_models", "0.9.1", name="models").startswith("models has 2 problems: entry 0, pipeline")
    assert refusal({"v": 3, "ethUrl": "x"}, "node_config", "0.9.1", others="skip") == ""


def test_refusal_of_an_unknown_filter():
    with pytest.raises(AnsibleFilterError, match="knows no filter 'x', only ai_models, "):
        refusal("", "x")
