# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each declared service is looked at, and to whom its requests go."""

from __future__ import annotations

import pytest

from ansible_collections.livepeer.ai.plugins.filter.service_checks import FilterModule
from ansible_collections.livepeer.ai.plugins.filter.service_declarations import service_declarations

service_checks = FilterModule().filters()["service_checks"]
ORCHESTRATOR, GATEWAY = "https://192.0.2.21:8935", "http://127.0.0.1:9935"
CHECK = {"path": "/v1/infer", "body": {"texts": ["a"]}, "expect": {"keys": ["vectors"]}}


def plan(network="offchain", gateway="", orchestrator=ORCHESTRATOR, **entry):
    entry = {"name": "embed", "source": "template", "path": "embed", "port": 8600, "checks": [CHECK], **entry}
    declared = service_declarations([entry], "verification_services", network=network)
    return service_checks(declared, network, orchestrator, gateway)


def test_nothing_declared_nothing_checked():
    assert service_checks([], "offchain", ORCHESTRATOR) == {
        "targets": [],
        "requests": [],
        "starts": [],
        "unsent": [],
        "unwatched": [],
    }


def test_byoc_off_chain_goes_straight_to_the_orchestrator():
    found = plan(gateway=GATEWAY)
    assert found["targets"] == [
        {"name": "embed", "route": "byoc", "health_url": "http://127.0.0.1:8600/health", "healthy_status": 200}
    ]
    assert found["requests"] == [
        {
            "api": "byoc",
            "capability": "embed",
            "mode": "single-shot",
            "target": "orchestrator",
            "url": ORCHESTRATOR,
            "include": [],
            "path": "v1/infer",
            "body": {"texts": ["a"]},
            "stream": False,
            "expect": {"keys": ["vectors"]},
            "timeout": 60,
        }
    ]
    assert found["unsent"] == []


@pytest.mark.parametrize(("orchestrator", "include"), [(ORCHESTRATOR, [ORCHESTRATOR]), ("https://127.0.0.1:8935", [])])
def test_byoc_on_a_chain_goes_through_the_gateway(orchestrator, include):
    (request,) = plan("arbitrum-one-mainnet", GATEWAY, orchestrator)["requests"]
    assert (request["target"], request["url"], request["include"]) == ("gateway", GATEWAY, include)


@pytest.mark.parametrize("mode", ["single-shot", "persistent"])
def test_live_runner_off_chain(mode):
    (request,) = plan(gateway=GATEWAY, route="live_runner", mode=mode)["requests"]
    assert (request["api"], request["target"], request["url"]) == ("live_runner", "orchestrator", ORCHESTRATOR)
    assert request["mode"] == mode


@pytest.mark.parametrize(
    ("network", "entry", "words"),
    [
        ("offchain", {"checks": []}, "No request is declared"),
        ("arbitrum-one-mainnet", {}, "signed and paid by a gateway"),
        ("arbitrum-one-mainnet", {"route": "live_runner", "price": {"price": 0.5}}, "wants to be paid"),
    ],
)
def test_what_cannot_be_sent_is_unknown(network, entry, words):
    found = plan(network, **entry)
    assert found["requests"] == []
    (check,) = found["unsent"]
    assert (check["check"], check["status"]) == ("service_request", "unknown")
    assert check["subject"] == f"{entry.get('route', 'byoc')} embed"
    assert words in check["sentence"]
    assert check["remedy"]


def test_start_is_watched_with_the_first_request():
    checks = [{**CHECK, "expect": {"status": 422}, "timeout": 5}, CHECK]
    found = plan(checks=checks, token="s3cret", start_timeout=30)
    assert found["starts"] == [
        {
            "name": "embed",
            "route": "byoc",
            "container": "livepeer-service-embed",
            "health_url": "http://127.0.0.1:8600/health",
            "healthy_status": 200,
            "token": "s3cret",
            "url": "http://127.0.0.1:8600",
            "path": "v1/infer",
            "body": {"texts": ["a"]},
            "status": 422,
            "request_timeout": 5,
            "timeout": 30,
        }
    ]
    assert found["unwatched"] == []
    assert "s3cret" not in str({key: value for key, value in found.items() if key != "starts"})


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"source": "external", "path": "", "port": 0, "url": "http://192.0.2.9:8000"}, "served by somebody else"),
        ({"checks": []}, "No request is declared"),
    ],
)
def test_start_that_cannot_be_watched_is_unknown(entry, words):
    found = plan(**entry)
    assert found["starts"] == []
    (check,) = found["unwatched"]
    assert (check["check"], check["status"]) == ("service_start", "unknown")
    assert words in check["sentence"]
