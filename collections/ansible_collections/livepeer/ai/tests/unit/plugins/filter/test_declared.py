# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From declared models to what is checked."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.filter import (
    complete_requests,
    declared_models,
    runner_token,
    serving_models,
)

MODELS = [
    {"pipeline": "text-to-image", "model_id": "a/warm", "warm": True},
    {"pipeline": "text-to-image", "model_id": "a/warm", "warm": True},
    {"pipeline": "upscale", "model_id": "a/cold"},
    {"pipeline": "llm", "model_id": "a/own", "url": "http://192.0.2.1:8000", "token": "sesame-open"},
    {"pipeline": "live-video-to-video", "model_id": "noop", "warm": "yes"},
]


def the(plugin):
    ((_name, function),) = plugin.FilterModule().filters().items()
    return function


def test_serving_models_have_a_container():
    serving = the(serving_models)(MODELS)
    assert [(one["model_id"], one["url"], one["batch"]) for one in serving] == [
        ("a/warm", "", True),
        ("a/own", "http://192.0.2.1:8000", True),
        ("noop", "", False),
    ]
    assert "sesame-open" not in str(serving)


def test_runner_token_is_looked_up():
    serving = the(serving_models)(MODELS)
    assert [the(runner_token)(MODELS, one) for one in serving] == ["", "sesame-open", ""]


HOSTS = [
    {
        "orchestrator_service_addr": "One.example:8935",
        "orchestrator_models": [{**MODELS[0], "price_per_unit": 5, "pixels_per_unit": 2}],
    },
    {
        "orchestrator_service_addr": "two.example:8935",
        "orchestrator_models": [{**MODELS[0], "price_per_unit": 1, "gateway": "0xab"}],
    },
    {"inventory_hostname": "gateway"},
]


def test_declared_models():
    one, two = the(declared_models)(HOSTS)
    assert one == {
        "service_uri": "https://one.example:8935",
        "pipeline": "text-to-image",
        "model_id": "a/warm",
        "warm": True,
        "price_per_unit": 5,
        "pixels_per_unit": 2,
    }
    # A price for one gateway is nothing that others see.
    assert "price_per_unit" not in two


def test_declared_models_of_the_orchestrators_that_a_gateway_has():
    assert [one["service_uri"] for one in the(declared_models)(HOSTS, ["https://TWO.example:8935"])] == [
        "https://two.example:8935"
    ]


def test_one_request_for_each_declared_model():
    expected = [
        *the(declared_models)(HOSTS),
        {"service_uri": "https://x", "pipeline": "live-video-to-video", "model_id": "noop"},
    ]
    assert the(complete_requests)([], expected, "/in") == [
        {
            "pipeline": "text-to-image",
            "model_id": "a/warm",
            "parameters": {},
            "files": {},
            "uploads": [],
            "expect": {},
            "orchestrators": ["https://one.example:8935", "https://two.example:8935"],
            "timeout": 0,
        }
    ]


def test_input_files_get_a_place_on_the_host():
    requests = [
        {"pipeline": "upscale", "model_id": "m", "files": {"image": folder + "/in.png"}} for folder in ("/a", "/b")
    ]
    first, second = the(complete_requests)(requests, [], "/in")
    assert first["uploads"] == [{"src": "/a/in.png", "dest": first["files"]["image"]}]
    assert first["files"]["image"].startswith("/in/")
    assert first["files"]["image"].endswith("-in.png")
    assert first["files"] != second["files"]


def test_a_sample_needs_no_file():
    request = {"pipeline": "upscale", "model_id": "m", "files": {"image": "sample"}}
    (complete,) = the(complete_requests)([request], [], "/in")
    assert complete["files"] == {"image": "sample"}
    assert complete["uploads"] == []
