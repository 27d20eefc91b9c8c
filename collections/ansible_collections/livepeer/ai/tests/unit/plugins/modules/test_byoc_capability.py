# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registering with an orchestrator that is as strict, and as loose, as the real one; and every failure's message."""

from __future__ import annotations

import json

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils._byoc import REMEDIES
from ansible_collections.livepeer.ai.plugins.modules import byoc_capability
from ansible_collections.livepeer.ai.tests.unit.byoc_orchestrator import SECRET, FakeOrchestrator
from ansible_collections.livepeer.ai.tests.unit.liars import CLOSE, free_port, reply, run_module, serve

SERVICE = "http://127.0.0.1:8600"


@pytest.fixture
def node(tmp_path):
    orchestrator = FakeOrchestrator(tmp_path)
    yield orchestrator
    orchestrator.stop()


@pytest.fixture
def ask(tmp_path):
    """Run the module against an address."""
    secret = tmp_path / "orch_secret"
    secret.write_text(SECRET + "\n")

    def run(url, **arguments):
        given = {"url": url, "secret_path": str(secret), "name": "words", "service_url": SERVICE, "timeout": 2}
        told = run_module(byoc_capability, **{**given, **arguments})
        assert SECRET not in json.dumps(told)
        return told

    return run


def failure(told, name):
    assert told["failed"], told
    assert told["failure"] == name, told
    assert told["msg"].endswith(told["remedy"])
    assert told["remedy"].endswith(".")
    return told["msg"]


def test_registers_once_and_knows_it_the_second_time(node, ask):
    told = ask(node.url, capacity=4, price_per_unit=5, price_scaling=2, description="counts words")
    assert told["changed"], told
    assert told["reasons"] == ["it is not registered"]
    assert (told["listing"], told["available_capacity"], told["readable"]) == ("listed", 4, True)
    entry = node.registry["words"]
    assert (entry["url"], entry["capacity"], entry["price_per_unit"], entry["price_scaling"]) == (SERVICE, 4, 5, 2)
    assert "token" not in entry

    assert not ask(node.url, capacity=4)["changed"]
    assert node.count("/capability/register") == 1


def test_force_registers_again(node, ask):
    ask(node.url)
    assert ask(node.url, force=True)["reasons"] == ["force is set"]
    assert node.count("/capability/register") == 2


def test_check_mode_only_reads(node, ask):
    told = ask(node.url, check_mode=True, capacity=2)
    assert told["changed"] and told["listing"] == "missing"
    assert told["diff"]["after"]["capacity"] == 2
    assert node.registry == {}


def test_a_busy_capability_is_registered(node, ask):
    ask(node.url)
    node.registry["words"]["load"] = 1
    told = ask(node.url)
    assert not told["changed"]
    assert told["listing"] == "busy"


def test_more_slots_than_declared_are_corrected(node, ask):
    ask(node.url, capacity=4)
    told = ask(node.url, capacity=2)
    assert told["reasons"] == ["4 slots are offered instead of 2"]
    assert told["available_capacity"] == 2


def test_unregisters_and_knows_it_the_second_time(node, ask):
    ask(node.url)
    assert ask(node.url, state="absent")["changed"]
    assert node.registry == {}
    assert not ask(node.url, state="absent", service_url="")["changed"]


def test_the_token_goes_to_the_orchestrator_and_nowhere_else(node, ask, tmp_path):
    token = tmp_path / "token"
    token.write_text("hush-hush-token\n")
    told = ask(node.url, token_path=str(token))
    assert node.registry["words"]["token"] == "hush-hush-token"
    assert "hush-hush-token" not in json.dumps(told)


def test_on_chain_it_cannot_be_read_back(node, ask):
    node.on_chain = True
    told = ask(node.url)
    assert told["changed"] and not told["readable"] and told["listing"] == "unreadable"
    assert "words" in node.registry
    assert ask(node.url)["reasons"] == ["the orchestrator does not tell whether it is registered"]
    assert ask(node.url, state="absent")["changed"]
    assert node.registry == {}


def test_a_told_price_is_compared(ask):
    def token(_request):
        price = {"pricePerUnit": 3, "pixelsPerUnit": 2}
        return reply(body={"service_addr": "https://o:8935", "price": price, "available_capacity": 1})

    routes = {
        "/capability/unregister": reply(400, "invalid authorization\n"),
        "/process/token": token,
        "/capability/register": reply(body="ok"),
    }
    with serve(routes) as server:
        assert not ask(server.url, price_per_unit=6, price_scaling=4)["changed"]
        told = ask(server.url, price_per_unit=2)
    assert told["reasons"] == ["the price is 3/2 instead of 2 wei"]
    assert told["price"] == {"price_per_unit": 3, "price_scaling": 2}


def test_wrong_secret(node, ask):
    node.secret = "another"
    assert "does not accept the secret" in failure(ask(node.url), "wrong_secret")


def test_open_registration(node, ask):
    node.secret = ""
    assert "without a secret" in failure(ask(node.url), "open_registration")
    assert "without a secret" in failure(ask(node.url, check_mode=True), "open_registration")
    assert node.registry == {}


def test_currency_without_feed(node, ask):
    assert "USD" in failure(ask(node.url, currency="USD"), "currency_without_feed")
    # It lives on.
    assert ask(node.url)["changed"]


def test_unreachable(ask):
    message = failure(ask(f"https://127.0.0.1:{free_port()}"), "unreachable")
    assert "the connection was refused" in message


def test_dropped_connection_with_an_ordinary_currency(ask):
    with serve({"*": CLOSE}) as server:
        assert "closed the connection without an answer" in failure(ask(server.url), "unreachable")


def test_no_tls(ask):
    with serve({}) as server:
        assert "does not speak TLS" in failure(ask(server.url.replace("http:", "https:")), "unreachable")


def test_not_an_orchestrator(ask):
    with serve({"*": reply(404, "404 page not found\n", "text/plain")}) as server:
        assert "answers 404" in failure(ask(server.url), "not_an_orchestrator")


def test_a_token_that_is_none(ask):
    routes = {"/capability/unregister": reply(400, "invalid authorization\n"), "/process/token": reply(body={})}
    with serve(routes) as server:
        assert "/process/token answers 200" in failure(ask(server.url), "not_an_orchestrator")


def test_rejected(ask):
    routes = {
        "/capability/unregister": reply(400, "invalid authorization\n"),
        "/process/token": reply(body={"service_addr": "https://o:8935"}),
        "/process/request/livepeer-capability-probe": reply(503, "No capacity available for capability\n"),
        "/capability/register": reply(400, f"Error registering capability: {SECRET} is no number"),
    }
    with serve(routes) as server:
        assert "*** is no number" in failure(ask(server.url), "rejected")


def test_not_listed(node, ask):
    node.deaf = True
    assert "does not offer words" in failure(ask(node.url), "not_listed")


def test_still_listed(node, ask):
    ask(node.url)
    node.deaf = True
    assert "still offers words" in failure(ask(node.url, state="absent"), "still_listed")


def test_every_remedy_of_the_protocol_has_a_test():
    tested = {
        "wrong_secret",
        "open_registration",
        "currency_without_feed",
        "unreachable",
        "not_an_orchestrator",
        "rejected",
        "not_listed",
        "still_listed",
    }
    assert set(REMEDIES) == tested


def test_unreadable_secret(node, ask, tmp_path):
    missing = tmp_path / "nothing"
    assert "No such file" in failure(ask(node.url, secret_path=str(missing)), "unreadable_secret")
    missing.write_text(" \n")
    assert "is empty" in failure(ask(node.url, secret_path=str(missing)), "unreadable_secret")
    missing.write_bytes(b"\xff\xfe")
    assert "it is no text" in failure(ask(node.url, secret_path=str(missing)), "unreadable_secret")


def test_unreadable_token(node, ask, tmp_path):
    assert "token_path" in failure(ask(node.url, token_path=str(tmp_path / "nothing")), "unreadable_token")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": " words"}, "name is ' words'"),
        ({"name": ""}, "name is ''"),
        ({"url": "orchestrator:8935"}, "url is 'orchestrator:8935'"),
        ({"service_url": ""}, "service_url is ''"),
        ({"service_url": SERVICE + "/"}, "ends with a slash"),
        ({"service_url": "http://user:pw@host"}, "credentials"),
        ({"capacity": 0}, "capacity is '0': give 1 or more"),
        ({"price_per_unit": -1}, "price_per_unit is '-1'"),
        ({"price_scaling": 0}, "price_scaling is '0'"),
    ],
)
def test_bad_declaration(ask, arguments, words):
    told = ask(**{"url": "https://127.0.0.1:1", **arguments})
    assert words in failure(told, "bad_declaration")
