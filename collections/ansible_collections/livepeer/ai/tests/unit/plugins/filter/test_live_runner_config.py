# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From declared services to the document that go-livepeer reads, and what would go wrong there."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.live_runner_config import FilterModule
from ansible_collections.livepeer.ai.plugins.filter.refusal import refusal
from ansible_collections.livepeer.ai.plugins.filter.service_declarations import service_declarations
from ansible_collections.livepeer.ai.plugins.module_utils._live_runner import read_document

live_runner_config = FilterModule().filters()["live_runner_config"]

CHAT = {
    "name": "chat",
    "route": "live_runner",
    "source": "image",
    "image": "registry.example/chat:1",
    "port": 8600,
}
ELSEWHERE = {"name": "elsewhere", "route": "live_runner", "source": "external", "url": "http://192.0.2.7:9000/base"}
PRICE = {"price": 0.5, "unit": "hour"}


def config(*entries, **options):
    declared = service_declarations(list(entries), "live_runner_services", route="live_runner")
    return live_runner_config(declared, **options)


def sentence(*entries, **options):
    with pytest.raises(AnsibleFilterError) as error:
        config(*entries, **options)
    return str(error.value)


def test_one_entry_for_each_service():
    assert config(CHAT, {**ELSEWHERE, "mode": "persistent", "capacity": 4, "app": "llm/chat"}) == {
        "runners": [
            {
                "label": "chat",
                "routing": "label",
                "runner_url": "http://127.0.0.1:8600",
                "health_url": "http://127.0.0.1:8600/health",
                "healthy_status_code": 200,
                "app": "chat",
                "version": "",
                "metadata": "",
                "mode": "single-shot",
                "capacity": 1,
            },
            {
                "label": "elsewhere",
                "routing": "label",
                "runner_url": "http://192.0.2.7:9000/base",
                "health_url": "http://192.0.2.7:9000/base/health",
                "healthy_status_code": 200,
                "app": "llm/chat",
                "version": "",
                "metadata": "",
                "mode": "persistent",
                "capacity": 4,
            },
        ]
    }


def test_the_module_takes_what_the_filter_makes():
    assert len(read_document(config(CHAT, ELSEWHERE))) == 2
    assert read_document(config()) == []


def test_a_price_is_written_only_where_one_is_given():
    (runner,) = config({**CHAT, "price": PRICE})["runners"]
    assert runner["price_info"] == {"price": 0.5, "currency": "usd", "unit": "hour"}
    assert "price_info" not in config(CHAT)["runners"][0]


def test_on_chain_wants_a_price():
    assert sentence(CHAT, network="arbitrum-one-mainnet") == (
        "live_runner_services has a problem: chat, price: is missing: on-chain, go-livepeer takes no live runner"
        " without one above 0."
    )
    assert config({**CHAT, "price": PRICE}, network="arbitrum-one-mainnet")


@pytest.mark.parametrize("status", [100, 199, 301, 302, 303, 307, 308])
def test_a_status_that_the_node_never_sees(status):
    assert f"chat, healthy_status: is {status}, which go-livepeer never sees" in sentence(
        {**CHAT, "healthy_status": status}
    )


@pytest.mark.parametrize("status", [200, 204, 304, 404, 503])
def test_a_status_that_it_sees(status):
    (runner,) = config({**CHAT, "healthy_status": status})["runners"]
    assert runner["healthy_status_code"] == status


def test_metadata_with_a_character_that_the_node_refuses():
    assert "chat, metadata: holds the replacement character U+FFFD" in sentence({**CHAT, "metadata": "a\ufffdb"})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("http://192.0.2.7:9000", "http://192.0.2.7:9000"),
        ("http://Host.example", "http://host.example:80"),
        ("https://host.example", "https://host.example:443"),
    ],
)
def test_two_labels_at_one_address(first, second):
    said = sentence({**ELSEWHERE, "url": first}, {**ELSEWHERE, "name": "again", "url": second})
    assert f"again, url: leads to {second}, where elsewhere is as well: go-livepeer counts sessions by label" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.1.1", "[::1]"])
def test_an_address_that_leads_to_a_container(host):
    assert "again, url: leads to" in sentence(CHAT, {**ELSEWHERE, "name": "again", "url": f"http://{host}:8600"})


def test_two_paths_are_two_addresses():
    assert config(ELSEWHERE, {**ELSEWHERE, "name": "again", "url": "http://192.0.2.7:9000/other"})


def test_all_problems_in_one_sentence():
    said = sentence({**CHAT, "healthy_status": 301, "metadata": "\ufffd"}, network="mainnet", variable="runners")
    assert said.startswith("runners has 3 problems: chat, price: is missing")
    assert said.count("; ") == 2


def test_as_a_refusal():
    declared = service_declarations([CHAT], "live_runner_services", route="live_runner")
    assert refusal(declared, "live_runner_config") == ""
    assert refusal(declared, "live_runner_config", network="mainnet").startswith("live_runner_services has a problem")
