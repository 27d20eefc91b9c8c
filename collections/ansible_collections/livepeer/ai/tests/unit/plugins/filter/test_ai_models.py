# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sentence with which a list of models is refused, and what is accepted."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.ai_models import ai_models
from ansible_collections.livepeer.ai.plugins.module_utils import _go_livepeer
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import size_in_bytes

MODEL = {"pipeline": "text-to-image", "model_id": "SG161222/RealVisXL_V4.0_Lightning"}
NAME = "entry 0 (SG161222/RealVisXL_V4.0_Lightning), "


def refused(models, **options):
    """The sentence of the refusal, without its beginning."""
    with pytest.raises(AnsibleFilterError) as caught:
        ai_models(models, "0.9.1", **options)
    return str(caught.value).partition(": ")[2]


def with_(**changes):
    return [{**MODEL, **changes}]


def test_smallest_list():
    assert ai_models([MODEL], "0.9.1") == [MODEL]


def test_no_models_is_a_document_too():
    assert ai_models([], "0.9.1") == []


def test_everything_go_livepeer_reads_is_kept_in_order_and_the_rest_is_left_out():
    entry = {
        "currency": "wei",
        "pixels_per_unit": 1e3,
        "price_per_unit": 0.18,
        "gateway": "0x0000000000000000000000000000000000000001",
        "optimization_flags": {"SFAST": True, "HF_HUB_OFFLINE": "1"},
        "capacity": 2,
        "warm": True,
        "token": "t",
        "url": "http://127.0.0.1:9000",
        "model_id": "a/b",
        "pipeline": "llm",
        "vram": "12GiB",
        "revision": "main",
        "allow_patterns": ["*"],
        "ignore_patterns": [],
    }
    document = ai_models([entry], "0.9.1")
    assert list(document[0]) == [
        "pipeline",
        "model_id",
        "url",
        "token",
        "warm",
        "capacity",
        "optimization_flags",
        "gateway",
        "price_per_unit",
        "pixels_per_unit",
        "currency",
    ]
    assert json.loads(json.dumps(document)) == document


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"capcity": 1}, "capcity: is not a key of a model (did you mean capacity?)."),
        (
            {"zzz": 1},
            "zzz: is not a key of a model; go-livepeer reads pipeline, model_id, url, token, warm, capacity,"
            " optimization_flags, gateway, price_per_unit, pixels_per_unit, currency.",
        ),
        (
            {"price_per_unit": None},
            "price_per_unit: is null, which go-livepeer refuses: leave the key out to keep its default.",
        ),
        ({"pipeline": ""}, "pipeline: is missing: name it."),
        ({"pipeline": 1}, "pipeline: is a number, must be text: quote it."),
        (
            {"pipeline": "Text-to-image"},
            "pipeline: go-livepeer 0.9.1 has no pipeline 'Text-to-image' (did you mean text-to-image?).",
        ),
        (
            {"pipeline": "text to image"},
            "pipeline: go-livepeer 0.9.1 has no pipeline 'text to image' (did you mean text-to-image?).",
        ),
        (
            {"pipeline": "H.264"},
            "pipeline: go-livepeer 0.9.1 has no pipeline 'H.264'; use one of audio-to-text, image-to-image,"
            " image-to-text, image-to-video, live-video-to-video, llm, segment-anything-2, text-to-image,"
            " text-to-speech, upscale.",
        ),
        ({"url": "127.0.0.1:9000"}, "url: is not an absolute URL: begin it with http:// or https:// and a host."),
        ({"url": "ws://h:1"}, "url: is not an absolute URL: begin it with http:// or https:// and a host."),
        ({"url": "http://"}, "url: is not an absolute URL: begin it with http:// or https:// and a host."),
        ({"url": "http://h:port"}, "url: is not an absolute URL: begin it with http:// or https:// and a host."),
        ({"url": ""}, "url: is not an absolute URL: begin it with http:// or https:// and a host."),
        ({"url": "http://h /"}, "url: holds white space: remove it."),
        ({"token": 12345}, "token: is a number, must be text: quote it."),
        ({"gateway": ["x"]}, "gateway: is a list, must be text: quote it."),
        ({"warm": "true"}, "warm: is text, must be true or false without quotes."),
        ({"warm": 1}, "warm: is a number, must be true or false without quotes."),
        ({"capacity": "2"}, "capacity: is text ('2'), must be a whole number without quotes."),
        ({"capacity": 2.0}, "capacity: is a number (2.0), must be a whole number without quotes."),
        ({"capacity": True}, "capacity: is a boolean (True), must be a whole number without quotes."),
        ({"capacity": 0}, "capacity: is 0, must be 1 or more."),
        ({"capacity": -1}, "capacity: is -1, must be 1 or more."),
        ({"optimization_flags": "SFAST"}, "optimization_flags: is text, must map names to text or booleans."),
        (
            {"optimization_flags": {"MAX_NUM_SEQS": 128}},
            "optimization_flags: MAX_NUM_SEQS is a number, go-livepeer takes text or booleans only: quote it.",
        ),
        (
            {"optimization_flags": {"X": ["secret"]}},
            "optimization_flags: X is a list, go-livepeer takes text or booleans only: quote it.",
        ),
        (
            {"optimization_flags": {"X": None}},
            "optimization_flags: X is null: give it text or a boolean, or leave it out.",
        ),
        (
            {"price_per_unit": "100"},
            "price_per_unit: is text, go-livepeer takes a JSON number only: write it without quotes"
            " (and 1e-6 as 1.0e-6, YAML reads the former as text).",
        ),
        (
            {"price_per_unit": True},
            "price_per_unit: is a boolean, go-livepeer takes a JSON number only: write it without quotes"
            " (and 1e-6 as 1.0e-6, YAML reads the former as text).",
        ),
        (
            {"price_per_unit": float("nan")},
            "price_per_unit: is a number, go-livepeer takes a JSON number only: write it without quotes"
            " (and 1e-6 as 1.0e-6, YAML reads the former as text).",
        ),
        ({"price_per_unit": -1}, "price_per_unit: is -1, must be 0 or more."),
        ({"pixels_per_unit": 0}, "pixels_per_unit: is 0, must be a positive whole number."),
        ({"pixels_per_unit": 1.5}, "pixels_per_unit: is 1.5, must be a positive whole number."),
        ({"currency": "EUR"}, "currency: 'EUR' is unknown: use wei, eth or USD."),
        ({"currency": "USD"}, "currency: USD needs a price feed, and offchain has none: leave it out or use wei."),
        ({"vram": 24}, "vram: is 24, must be a size such as 12GiB, or a number of bytes."),
        ({"vram": "12"}, "vram: is '12', must be a size such as 12GiB, or a number of bytes."),
        ({"vram": "12 Gigs"}, "vram: is '12 Gigs', must be a size such as 12GiB, or a number of bytes."),
        ({"vram": True}, "vram: is True, must be a size such as 12GiB, or a number of bytes."),
        ({"vram": [1]}, "vram: is [1], must be a size such as 12GiB, or a number of bytes."),
        ({"currency": 1}, "currency: is a number, must be text: quote it."),
    ],
    ids=str,
)
def test_one_wrong_key(change, sentence):
    assert refused(with_(**change)) == NAME + sentence


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        ([{"pipeline": "llm"}], "entry 0, model_id: is missing: name it."),
        ([{"pipeline": "llm", "model_id": ""}], "entry 0, model_id: is missing: name it."),
        ([{"pipeline": "llm", "model_id": 7}], "entry 0, model_id: is a number, must be text: quote it."),
        (
            [{"pipeline": "llm", "model_id": " a/b"}],
            "entry 0 ( a/b), model_id: begins or ends with white space: remove it.",
        ),
        ([{"model_id": "a/b"}], "entry 0 (a/b), pipeline: is missing: name it."),
        (["a/b"], "entry 0, the entry: is text, must be a mapping with pipeline and model_id."),
        (
            [{"pipeline": "live-video-to-video", "model_id": "comfyu"}],
            "entry 0 (comfyu), model_id: no image is known for the live pipeline 'comfyu' (did you mean comfyui?).",
        ),
        (
            [{"pipeline": "live-video-to-video", "model_id": "my-pipe"}],
            "entry 0 (my-pipe), model_id: no image is known for the live pipeline 'my-pipe':"
            " name one in the image overrides under live.",
        ),
    ],
)
def test_wrong_entries(models, sentence):
    assert refused(models) == sentence


@pytest.mark.parametrize(
    ("models", "kind"), [("a:b:true", "text"), (MODEL, "a mapping"), (None, "null"), (3, "a number")]
)
def test_not_a_list(models, kind):
    with pytest.raises(AnsibleFilterError) as caught:
        ai_models(models, "0.9.1", name="orchestrator_models")
    assert str(caught.value) == f"orchestrator_models is {kind}, must be a list of models"


def test_all_problems_at_once_under_the_variables_name():
    models = [{**MODEL, "warm": "yes"}, {"pipeline": "llm", "model_id": "a/b", "capacity": 0, "price": 1}]
    with pytest.raises(AnsibleFilterError) as caught:
        ai_models(models, "0.9.1", name="orchestrator_models")
    message = str(caught.value)
    assert message.startswith("orchestrator_models has 3 problems: entry 0 (SG161222/")
    assert "entry 1 (a/b), price: is not a key of a model (did you mean price_per_unit?)" in message
    assert "entry 1 (a/b), capacity: is 0" in message


def test_warm_and_cold_clash():
    assert refused([{**MODEL, "warm": True}, MODEL], gpus=2) == (
        "entry 1 (SG161222/RealVisXL_V4.0_Lightning), warm: entry 0 has the same text-to-image model with"
        " warm: true, give both the same."
    )


def test_same_model_twice_adds_up_and_other_pipelines_do_not_clash():
    models = [{**MODEL, "warm": True}, {**MODEL, "warm": True}, {**MODEL, "pipeline": "upscale"}]
    assert len(ai_models(models, "0.9.1", gpus=2)) == 3


def test_more_warm_runners_than_slots():
    models = [{**MODEL, "warm": True, "capacity": 2}, {"pipeline": "llm", "model_id": "a/b", "warm": True}]
    assert refused(models, gpus=1, containers_per_gpu=2) == (
        "warm: 3 warm runners do not fit 1 GPU(s) with 2 container(s) each"
        " (entry 0 (SG161222/RealVisXL_V4.0_Lightning) wants 2, entry 1 (a/b) wants 1):"
        " set warm: false on some, add GPUs, or raise the containers per GPU."
    )
    assert ai_models(models, "0.9.1", gpus=3)
    assert ai_models(models, "0.9.1", gpus=1, containers_per_gpu=3)


def test_external_runners_take_no_slot():
    models = [{**MODEL, "warm": True}, {"pipeline": "llm", "model_id": "a/b", "warm": True, "url": "http://h:1"}]
    assert ai_models(models, "0.9.1")


def test_no_gpu_counts_as_the_emulated_one():
    assert ai_models(with_(warm=True), "0.9.1", gpus=0)


def test_on_chain_every_model_has_a_price():
    sentence = (
        "price_per_unit: is missing: on arbitrum-one-mainnet every model needs its own,"
        " or the node a price per unit above 0 for all."
    )
    for base in (None, 0, "0", "0.0", "0USD"):
        assert refused([MODEL], network="arbitrum-one-mainnet", price_per_unit=base) == NAME + sentence
    for base in (1, "1", "0.5USD"):
        assert ai_models([MODEL], "0.9.1", network="arbitrum-one-mainnet", price_per_unit=base)
    assert ai_models(with_(price_per_unit=0), "0.9.1", network="arbitrum-one-mainnet")


@pytest.mark.parametrize("currency", ["", "wei", "ETH", "USD", "usd"])
def test_currencies_on_chain(currency):
    assert ai_models(with_(price_per_unit=1, currency=currency), "0.9.1", network="mainnet")


def test_feed_currency_without_a_feed():
    assert refused(with_(price_per_unit=1, currency="USD"), network="mainnet", price_feed=False) == (
        NAME + "currency: USD needs a price feed and none is set: set one or use wei or eth."
    )


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("12GiB", 12 * 1024**3),
        (" 12.5 gib ", 12.5 * 1024**3),
        ("24GB", 24 * 10**9),
        ("512MiB", 512 * 1024**2),
        ("2097152B", 2097152),
        ("2097152", 2097152),
        (12884901888, 12884901888),
        ("1TiB", 1024**4),
        ("", None),
        ("0GiB", None),
        ("-1GiB", None),
        ("1 PiB", None),
        (None, None),
    ],
)
def test_sizes(value, size):
    assert size_in_bytes(value) == size
    if size:
        assert ai_models(with_(vram=value), "0.9.1") == [MODEL]


def test_live_model_named_by_an_override():
    live = [{"pipeline": "live-video-to-video", "model_id": "my-pipe", "warm": True}]
    assert ai_models(live, "0.9.1", image_overrides={"live": {"my-pipe": "registry/my-pipe:1.0"}})
    assert ai_models([{**live[0], "url": "http://h:1"}], "0.9.1")


def test_serverless():
    entry = {"pipeline": "live-video-to-video", "model_id": "scope", "url": "wss://h/ws", "capacity": 1}
    assert ai_models([entry], "0.9.1", serverless=True)
    rule = (
        "serverless: needs exactly one entry, live-video-to-video with model_id scope,"
        " a ws:// or wss:// url and a capacity."
    )
    assert refused([entry, entry], serverless=True) == rule
    assert refused([{**entry, "url": "http://h"}], serverless=True) == (
        "entry 0 (scope), url: is not an absolute URL: begin it with ws:// or wss:// and a host."
    )


def test_tokens_and_flag_values_are_never_shown():
    models = with_(token=["hunter2"], optimization_flags={"HF_TOKEN": ["hunter2"]})
    assert "hunter2" not in refused(models)


def test_unknown_version():
    with pytest.raises(AnsibleFilterError, match="go-livepeer '0.1.0' is not supported: use '0.9.1'"):
        ai_models([MODEL], "0.1.0")


def test_a_release_without_batch_pipelines_says_what_to_do(monkeypatch):
    old = _go_livepeer.RELEASES["0.9.1"]
    new = _go_livepeer.Release(
        version="0.10.0",
        flags=old.flags,
        pipelines={"live-video-to-video": old.pipelines["live-video-to-video"]},
        live_images=old.live_images,
        default_image=old.default_image,
        paths=frozenset({"live_runner"}),
        networks=old.networks,
        removed={"text-to-image": "serve the model as a static live runner"},
    )
    monkeypatch.setitem(_go_livepeer.RELEASES, "0.10.0", new)
    with pytest.raises(AnsibleFilterError) as caught:
        ai_models([MODEL], "0.10.0")
    assert str(caught.value).endswith(
        "pipeline: go-livepeer 0.10.0 no longer has text-to-image: serve the model as a static live runner."
    )
