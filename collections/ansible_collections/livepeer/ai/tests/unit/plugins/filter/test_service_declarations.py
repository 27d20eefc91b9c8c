# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One declaration for both routes, and one sentence for all that is wrong with it."""

from __future__ import annotations

import copy

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.refusal import refusal
from ansible_collections.livepeer.ai.plugins.filter.service_declarations import FilterModule
from ansible_collections.livepeer.ai.plugins.plugin_utils._services import DEFAULTS

service_declarations = FilterModule().filters()["service_declarations"]

TEMPLATE = {"name": "embeddings", "source": "template", "path": "services/embeddings", "port": 8600}
IMAGE = {"name": "chat", "source": "image", "image": "registry.example/chat@sha256:" + "a" * 64, "port": 8601}
EXTERNAL = {"name": "elsewhere", "source": "external", "url": "http://192.0.2.7:9000"}


def judge(*entries, **options):
    return service_declarations(list(entries), "byoc_services", **options)


def sentence(*entries, **options):
    with pytest.raises(AnsibleFilterError) as error:
        judge(*entries, **options)
    return str(error.value)


def test_every_key_is_present():
    (entry,) = judge(TEMPLATE)
    assert set(entry) == {*DEFAULTS, "container", "base_url", "health_url"}
    assert entry["route"] == "byoc"
    assert entry["app"] == "embeddings"
    assert entry["hardened"] is True
    assert entry["container"] == "livepeer-service-embeddings"
    assert entry["base_url"] == "http://127.0.0.1:8600"
    assert entry["health_url"] == "http://127.0.0.1:8600/health"


def test_external_services_have_no_container():
    (entry,) = judge({**EXTERNAL, "health_path": "/ready"})
    assert entry["container"] == ""
    assert entry["base_url"] == "http://192.0.2.7:9000"
    assert entry["health_url"] == "http://192.0.2.7:9000/ready"
    assert entry["hardened"] is False


def test_a_route_takes_its_own_entries():
    entries = [TEMPLATE, {**IMAGE, "route": "live_runner"}]
    assert [entry["name"] for entry in judge(*entries, route="byoc")] == ["embeddings"]
    assert [entry["name"] for entry in judge(*entries, route="live_runner")] == ["chat"]
    assert [entry["name"] for entry in judge(*entries)] == ["embeddings", "chat"]


def test_moving_a_service_changes_the_route_alone():
    (before,) = judge(TEMPLATE)
    (after,) = judge({**TEMPLATE, "route": "live_runner"}, route="live_runner")
    assert {key for key in before if before[key] != after[key]} == {"route"}


def test_values_are_as_the_roles_use_them():
    (entry,) = judge(
        {
            **IMAGE,
            "env": {"DEBUG": True, "WORKERS": 2, "NAME": "x"},
            "memory": "4GiB",
            "shm_size": "512m",
            "currency": "ETH",
            "models": [{"model_id": "a/b"}],
            "price": {"price": 0.5},
            "checks": [{"path": "/v1/chat", "body": {"a": 1}}, {}],
        }
    )
    assert entry["env"] == {"DEBUG": "true", "WORKERS": "2", "NAME": "x"}
    assert (entry["memory"], entry["shm_size"]) == ("4g", "512m")
    assert entry["currency"] == "eth"
    assert entry["models"] == [{"model_id": "a/b", "revision": "main", "allow_patterns": [], "ignore_patterns": []}]
    assert entry["price"] == {"price": 0.5, "currency": "usd", "unit": "hour"}
    assert entry["checks"] == [
        {"path": "v1/chat", "body": {"a": 1}, "expect": {}, "timeout": 60, "stream": False},
        {"path": "v1/infer", "body": {}, "expect": {}, "timeout": 60, "stream": False},
    ]


def test_entries_share_nothing_with_each_other_or_the_defaults():
    before = copy.deepcopy(DEFAULTS)
    one, two = judge(TEMPLATE, IMAGE)
    one["env"]["X"] = "1"
    one["models"].append({})
    assert two["env"] == {}
    assert before == DEFAULTS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Big"}, "name: 'Big' cannot name a container"),
        ({"name": "a/b"}, "name: 'a/b' cannot name a container"),
        ({"name": "a--b"}, "single"),
        ({"name": "a" * 64}, "up to 63"),
        ({"name": 7}, "name: is a number, must be text"),
        ({"route": "tunnel"}, "route: is 'tunnel', must be one of byoc, live_runner"),
        ({"source": "git"}, "source: is 'git', must be one of template, build, image, external"),
        ({"restart_policy": False}, "must be one of no, on-failure, always, unless-stopped: quote it"),
        ({"imag": "x"}, "imag: is not a key of a service (did you mean image?)"),
        ({"path": None}, "path: is null"),
        ({"path": ""}, "path: is missing: source template needs it"),
        ({"image": "x"}, "image: is for another source and source is template"),
        ({"port": 0}, "port: is missing"),
        ({"port": 70000}, "port: is 70000, must be from 1 to 65535"),
        ({"port": "8600"}, "port: is text ('8600'), must be a whole number without quotes"),
        ({"port": True}, "port: is a boolean"),
        ({"health_path": "health"}, "health_path: is 'health', must begin with a slash"),
        ({"healthy_status": 99}, "healthy_status: is 99"),
        ({"capacity": 0}, "capacity: is 0, must be from 1"),
        ({"price_per_unit": 0.5}, "price_per_unit: is a number (0.5), must be a whole number"),
        ({"price_per_unit": 2**63}, "price_per_unit"),
        ({"price_scaling": 0}, "price_scaling: is 0, must be from 1"),
        ({"currency": "EUR"}, "currency: 'EUR' is unknown"),
        ({"price": {"price": 1, "amount": 1}}, "price: amount is not a key of a price"),
        ({"price": {"price": 1, "unit": "minute"}}, "price: unit is 'minute', must be one of hour, 720p, fixed"),
        ({"price": {"price": 1, "currency": "wei"}}, "price: currency is 'wei', go-livepeer takes usd only"),
        ({"price": {"unit": "hour"}}, "price: price must be a number"),
        ({"mode": "batch"}, "mode: is 'batch'"),
        ({"metadata": "é" * 600}, "metadata: has 1200 bytes, go-livepeer takes 1024"),
        ({"app": " x"}, "app: begins or ends with white space"),
        ({"models": [{"model": "x"}]}, "models: has an entry without model_id"),
        ({"models": [{"model_id": "a/b"}, {"model_id": "a/b"}]}, "models: a/b is named twice"),
        ({"models": [{"model_id": "../b"}]}, "models: '../b' is not the name of a repository"),
        ({"models": [{"model_id": "a/b", "revision": 1}]}, "models: revision of a/b must be text"),
        ({"models": [{"model_id": "a/b", "pattern": []}]}, "models: pattern of a/b is not a key of a model"),
        ({"gpus": 0}, "gpus: must be a list of GPU indexes"),
        ({"gpus": [0, 0]}, "gpus: names a GPU twice"),
        ({"gpu_mode": "magic"}, "gpu_mode: is 'magic'"),
        ({"env": {"PORT": "1"}}, "env: PORT is what the role itself tells the container"),
        ({"env": {"A-B": "1"}}, "env: 'A-B' cannot be the name of a variable"),
        ({"env": ["A=1"]}, "env: is a list, must map names to values"),
        ({"build_args": {"A": [1]}}, "build_args: A is a list"),
        ({"command": "serve it"}, "command: must be a list of words"),
        ({"memory": "lots"}, "memory: is 'lots', must be a size"),
        ({"memory": 4}, "memory: is 4, must be a size in quotes"),
        ({"cpus": -1}, "cpus: is -1"),
        ({"network": "host"}, "network: is 'host', must be the name of a Docker network of your own"),
        ({"hardened": "yes"}, "hardened: is text"),
        ({"checks": [{"pat": "x"}]}, "checks: pat of check 0 is not a key of a check (did you mean path?)"),
        ({"checks": [{"expect": {"text": "x"}}]}, "checks: text in expect of check 0"),
        ({"checks": [{"expect": {"keys": "x"}}]}, "checks: keys in expect of check 0 must be a list"),
        ({"checks": [{"expect": {"min_items": {"a": "2"}}}]}, "checks: min_items in expect of check 0 must map names"),
        ({"checks": [{"expect": {"events": 0}}]}, "checks: events in expect of check 0 must be a number of events"),
        ({"checks": [{"timeout": 0}]}, "checks: timeout of check 0"),
        ({"checks": ["v1/infer"]}, "checks: must be a list of mappings"),
    ],
)
def test_a_mistake_is_named(change, words):
    text = sentence({**TEMPLATE, **change})
    assert text.startswith("byoc_services has a problem: entry 0")
    assert words in text
    assert text.endswith(".")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://192.0.2.7:9000/", "ends with a slash"),
        ("192.0.2.7:9000", "begin it with http://"),
        ("http://192.0.2.7:port", "begin it with http://"),
        ("http://192.0.2.7/?a=1", "no query"),
    ],
)
def test_a_url_is_the_base_of_a_service(url, words):
    assert words in sentence({**EXTERNAL, "url": url})


def test_what_says_nothing_is_refused():
    text = sentence({**EXTERNAL, "port": 8600, "gpus": [0]})
    assert "byoc_services has 2 problems: entry 0 (elsewhere), port: is for containers and source is external" in text
    assert "gpus: is for containers" in text
    assert "build_args: is for another source" in sentence({**IMAGE, "build_args": {"A": "1"}})


def test_all_problems_come_at_once():
    text = sentence({**TEMPLATE, "port": 0}, {**IMAGE, "name": ""})
    assert text.count("entry ") == 2


def test_clashes_are_found_over_all_routes():
    text = sentence(TEMPLATE, {**IMAGE, "route": "live_runner", "port": 8600}, route="byoc")
    assert "entry 1 (chat), port: 8600 is that of entry 0 as well" in text
    assert "entry 1 (embeddings), name: embeddings is that of entry 0" in sentence(
        TEMPLATE, {**IMAGE, "name": "embeddings"}
    )


def test_what_the_network_takes():
    assert "needs a price feed, and offchain has none" in sentence({**TEMPLATE, "currency": "USD"}, route="byoc")
    assert judge({**TEMPLATE, "currency": "USD"}, route="byoc", network="arbitrum-one-mainnet")
    runner = {**TEMPLATE, "route": "live_runner"}
    on_chain = {"route": "live_runner", "network": "arbitrum-one-mainnet"}
    assert "takes no live runner without one above 0" in sentence(runner, **on_chain)
    assert "takes no live runner without one above 0" in sentence({**runner, "price": {"price": 0}}, **on_chain)
    assert judge({**runner, "price": {"price": 0.5, "unit": "fixed"}}, **on_chain)
    # The other role judges it against its own network.
    assert judge(runner, route="byoc", network="arbitrum-one-mainnet") == []


def test_live_runners_get_no_token():
    text = sentence({**TEMPLATE, "route": "live_runner", "token": "sesame-open"})
    assert "the node sends live runners none" in text
    assert judge({**TEMPLATE, "token": "sesame-open"})[0]["token"] == "sesame-open"


@pytest.mark.parametrize(
    "change",
    [
        {"token": "sesame open"},
        {"token": ["sesame-open"]},
        {"env": {"KEY": ["sesame-open"]}},
        {"build_args": {"KEY": ["sesame-open"]}},
        {"source": "external", "path": "", "port": 0, "url": "http://user:sesame-open@192.0.2.7"},
    ],
)
def test_credentials_are_never_shown(change):
    entry = {key: value for key, value in {**TEMPLATE, **change}.items() if value not in ("", 0)}
    assert "sesame" not in sentence(entry)


@pytest.mark.parametrize(
    ("services", "words"),
    [("embeddings", "is text, must be a list"), ({"a": 1}, "is a mapping"), (["x"], "entry 0, the entry: is text")],
)
def test_the_list_is_a_list(services, words):
    with pytest.raises(AnsibleFilterError, match=words):
        service_declarations(services, "live_runner_services")


def test_refusal_knows_it():
    assert refusal([TEMPLATE], "service_declarations", "byoc_services", route="byoc") == ""
    assert refusal([{}], "service_declarations", "byoc_services").startswith(
        "byoc_services has 2 problems: entry 0, name"
    )
