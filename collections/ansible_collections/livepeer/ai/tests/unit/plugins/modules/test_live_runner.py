# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against servers with the registry of go-livepeer 0.9.1: what it takes, keeps and shows, and each way of failing."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from ansible_collections.livepeer.ai.plugins.modules import live_runner
from ansible_collections.livepeer.ai.tests.unit.liars import (
    CLOSE,
    STALL,
    free_port,
    reply,
    run_module,
    self_signed,
    serve,
)

OFF = reply(404, "live runners are not supported\n", "text/plain; charset=utf-8")
NOT_FOUND = reply(404, "404 page not found\n", "text/plain; charset=utf-8")


class Registry:
    """An upsert by label, judged whole; health at registration; what is private is not shown."""

    def __init__(self, onchain=False, price_feed=True):
        self.runners = {}
        self.onchain, self.price_feed = onchain, price_feed
        self.posts = []

    def register(self, request):
        if request["method"] != "POST":
            return reply(405, "Method not allowed\n", "text/plain")
        document = json.loads(request["body"])
        self.posts.append(document)
        labels = set()
        for index, entry in enumerate(document["runners"]):
            problem = self.problem(entry) or (
                'duplicate label "{label}"'.format(**entry) if entry["label"] in labels else ""
            )
            if problem:
                return reply(400, f"runners[{index}]: {problem}\n", "text/plain; charset=utf-8")
            labels.add(entry["label"])
        for entry in document["runners"]:
            known = self.runners.setdefault(entry["label"], {"runner_id": f"runner_{len(self.runners)}"})
            known["entry"] = entry
        self.poll()
        return reply(
            body={
                "runners": [
                    {
                        "runner_id": self.runners[entry["label"]]["runner_id"],
                        "label": entry["label"],
                        "app": entry["app"],
                        "proxy": False,
                        "runner_url": entry["runner_url"],
                        "mode": entry.get("mode") or "persistent",
                        "health_url": entry["health_url"],
                        "healthy_status_code": entry.get("healthy_status_code") or 200,
                        "healthy": self.runners[entry["label"]]["healthy"],
                    }
                    for entry in document["runners"]
                ]
            }
        )

    def problem(self, entry):
        if not entry.get("label") or entry["label"] != entry["label"].strip():
            return "label is required and must be trimmed"
        if not entry.get("app") or entry["app"] != entry["app"].strip():
            return "app must be trimmed"
        if not 100 <= entry.get("healthy_status_code", 200) <= 599:
            return "healthy_status_code must be a valid HTTP status code"
        if self.onchain and not entry.get("price_info"):
            return "price_info.price is required"
        return ""

    def poll(self):
        for known in self.runners.values():
            known["healthy"] = self.healthy(known["entry"])

    @staticmethod
    def healthy(entry):
        url = entry["health_url"]
        url = entry["runner_url"].rstrip("/") + url if url.startswith("/") else url
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=0.5) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            return False
        return status == entry.get("healthy_status_code", 200)

    def discovery(self, _request):
        address = "https://orch.example:8935"
        shown = []
        for label, known in self.runners.items():
            if not known["healthy"]:
                continue
            entry = known["entry"]
            mode = (entry.get("mode") or "persistent").replace("_", "-")
            capacity = entry.get("capacity") or 1
            runner = {
                "url": f"{address}/apps/{label}/{'app' if mode == 'single-shot' else 'session'}",
                "app": entry["app"],
                "mode": mode,
                "capacity": capacity,
                "capacity_used": 0,
                "capacity_available": capacity,
            }
            runner.update({key: entry[key] for key in ("version", "metadata") if entry.get(key)})
            if self.onchain and self.price_feed:
                runner["price_info"] = {"price": "41", "currency": "wei", "unit": "seconds"}
            shown.append(runner)
        return reply(body=[{"address": address, **({"runners": shown} if shown else {})}])


class Node:
    """The CLI port and the service port of one node, as URLs."""

    def __init__(self, cli, service, registry):
        self.cli, self.service, self.registry = cli, service, registry

    def run(self, *entries, check_mode=False, **arguments):
        given = {"cli_url": self.cli.url, "service_url": self.service.url, "timeout": 0.3, "interval": 0.05}
        if entries or "path" not in arguments:
            given["document"] = {"runners": list(entries)}
        return run_module(live_runner, check_mode=check_mode, **{**given, "request_timeout": 1, **arguments})


@contextlib.contextmanager
def node(certificate=None, cli=None, service=None, registry=None, **chain):
    registry = registry or Registry(**chain)
    cli_routes = {
        "/registerLiveRunners": registry.register,
        "/IsOrchestrator": reply(body="true", content_type="text/plain"),
        "/EthChainID": reply(body="42161" if registry.onchain else "0", content_type="text/plain"),
    }
    with (
        serve({**cli_routes, **(cli or {})}) as cli_server,
        serve({"/discovery": registry.discovery, **(service or {})}, certificate) as service_server,
    ):
        yield Node(cli_server, service_server, registry)


@pytest.fixture
def app():
    """A service whose health the test decides on."""
    with serve({"/health": reply(body={"status": "ready"})}) as server:
        yield server


def entry(service, label="chat", **changes):
    return {
        "label": label,
        "routing": "label",
        "runner_url": service.url,
        "health_url": f"{service.url}/health",
        "healthy_status_code": 200,
        "app": label,
        "version": "",
        "metadata": "",
        "mode": "single-shot",
        "capacity": 1,
        **changes,
    }


def test_registers_and_reads_back_over_a_self_signed_certificate(app, tmp_path):
    with node(self_signed(tmp_path / "node.pem")) as orchestrator:
        result = orchestrator.run(entry(app, capacity=2, version="1.2"))
    assert result["changed"]
    assert result["failure"] == ""
    assert result["runners"] == [
        {
            "label": "chat",
            "ready": True,
            "healthy": True,
            "runner_id": "runner_0",
            "url": "https://orch.example:8935/apps/chat/app",
            "app": "chat",
            "mode": "single-shot",
            "version": "1.2",
            "metadata": "",
            "capacity": 2,
            "price": {},
        }
    ]


def test_the_second_run_changes_nothing_and_keeps_the_id(app):
    with node() as orchestrator:
        first = orchestrator.run(entry(app))
        second = orchestrator.run(entry(app))
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["runners"] == second["runners"]
    # What is not shown is true all the same.
    assert len(orchestrator.registry.posts) == 2


@pytest.mark.parametrize(
    "changes", [{"capacity": 3}, {"app": "other"}, {"mode": "persistent"}, {"version": "2"}, {"metadata": "{}"}]
)
def test_what_is_shown_and_differs_is_a_change(app, changes):
    with node() as orchestrator:
        orchestrator.run(entry(app))
        checked = orchestrator.run(entry(app, **changes), check_mode=True, _ansible_diff=True)
        result = orchestrator.run(entry(app, **changes), _ansible_diff=True)
        again = orchestrator.run(entry(app, **changes))
    key, value = next(iter(changes.items()))
    assert checked["changed"] and result["changed"] and not again["changed"]
    assert checked["diff"] == result["diff"]
    assert result["diff"]["after"]["chat"][key] == value


def test_check_mode_sends_nothing(app):
    with node() as orchestrator:
        result = orchestrator.run(entry(app), check_mode=True)
    assert result["changed"]
    assert result["runners"][0]["ready"] is False
    assert orchestrator.registry.posts == []


def test_check_mode_where_no_node_is_yet(app, monkeypatch):
    warnings = []
    monkeypatch.setattr(live_runner.AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    nowhere = f"http://127.0.0.1:{free_port()}"
    arguments = {"document": {"runners": [entry(app)]}, "cli_url": nowhere, "service_url": nowhere}
    result = run_module(live_runner, check_mode=True, **arguments)
    assert result["changed"]
    assert [text.endswith("was refused. Before the role orchestrator has run, that is so.") for text in warnings] == [
        True
    ]


def test_an_empty_document_asks_only(app):
    with node() as orchestrator:
        orchestrator.run(entry(app))
        result = orchestrator.run()
    assert not result["changed"]
    assert result["runners"] == []
    assert result["others"] == ["https://orch.example:8935/apps/chat/app"]


def test_defaults_of_the_node_are_no_difference(app):
    bare = {"label": "a", "routing": "label", "runner_url": app.url + "/", "health_url": "/health", "app": "a"}
    with node() as orchestrator:
        first = orchestrator.run(bare)
        second = orchestrator.run({**bare, "mode": "", "capacity": 0})
    assert first["runners"][0]["url"].endswith("/apps/a/session")
    assert not second["changed"]


def test_waits_until_the_service_is_well(app):
    app.routes["/health"] = [reply(503), reply(503), reply()]
    with node() as orchestrator:

        def discovery(request):
            orchestrator.registry.poll()
            return orchestrator.registry.discovery(request)

        orchestrator.service.routes["/discovery"] = discovery
        result = orchestrator.run(entry(app), timeout=5)
    assert result["runners"][0]["ready"]
    assert result["runners"][0]["healthy"] is False, "its verdict when it was told"


def test_without_waiting(app):
    app.routes["/health"] = reply(503)
    with node() as orchestrator:
        result = orchestrator.run(entry(app), wait=False)
    assert not result.get("failed")
    assert (result["runners"][0]["ready"], result["runners"][0]["healthy"]) == (False, False)


# The file that the node reads at its start


def test_what_the_file_lacks_is_a_change(app, tmp_path):
    path = tmp_path / "live_runners.json"
    wanted = entry(app)
    with node() as orchestrator:
        orchestrator.run(wanted)
        for content, changed in (
            (None, True),
            ("not JSON", True),
            (json.dumps({"runners": [{**wanted, "runner_url": "http://127.0.0.1:1"}]}), True),
            (json.dumps({"runners": [wanted]}, indent=4), False),
        ):
            if content is not None:
                path.write_text(content)
            assert orchestrator.run(wanted, path=str(path))["changed"] is changed


def test_the_document_of_a_file(app, tmp_path):
    path = tmp_path / "live_runners.json"
    path.write_text(json.dumps({"runners": [entry(app)]}))
    with node() as orchestrator:
        assert orchestrator.run(path=str(path))["runners"][0]["ready"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "live_runners.json does not exist. Write the document first."),
        ("{", "live_runners.json holds no JSON ("),
        ("[]", 'live_runners.json has no list "runners". Correct it; nothing was sent.'),
    ],
)
def test_a_file_that_is_no_document(tmp_path, content, words):
    path = tmp_path / "live_runners.json"
    if content is not None:
        path.write_text(content)
    with node() as orchestrator:
        result = orchestrator.run(path=str(path))
    assert result["failure"] == "bad_document"
    assert words in result["msg"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label": ""}, "which has no label."),
        ({"runner_url": None}, "which has no runner_url."),
        ({"health_url": None}, "which has no health_url."),
        (
            {"routing": "runner-id"},
            "which has no routing by label: its address would be another one after each restart.",
        ),
        ({"proxy": True}, "which has a proxy address, by which /discovery does not tell its label."),
    ],
)
def test_an_entry_that_could_not_be_read_back(app, changes, words):
    with node() as orchestrator:
        result = orchestrator.run(entry(app, "first"), entry(app, **changes))
    assert result["failure"] == "bad_document"
    assert f"The document is wrong at runners[1], {words}" in result["msg"]
    assert orchestrator.registry.posts == []


def test_entries_that_are_none(app):
    with node() as orchestrator:
        assert "runners[0], which is no mapping." in orchestrator.run("text")["msg"]
        said = orchestrator.run(entry(app), entry(app))["msg"]
    assert "runners[1], which has the label of an earlier entry." in said


# Taking them away


def test_hides_what_cannot_be_removed(app):
    with node() as orchestrator:
        orchestrator.run(entry(app), entry(app, "stays"))
        checked = orchestrator.run(entry(app), state="absent", check_mode=True)
        result = orchestrator.run(entry(app), state="absent", _ansible_diff=True)
        again = orchestrator.run(entry(app), state="absent")
    assert (checked["changed"], result["changed"], again["changed"]) == (True, True, False)
    assert result["runners"][0]["ready"] is False
    assert result["others"] == ["https://orch.example:8935/apps/stays/app"]
    assert result["diff"]["after"] == {}
    assert orchestrator.registry.posts[-1]["runners"][0]["healthy_status_code"] == 599


def test_comes_back_after_it_was_hidden(app):
    with node() as orchestrator:
        orchestrator.run(entry(app))
        orchestrator.run(entry(app), state="absent")
        result = orchestrator.run(entry(app))
    assert result["changed"]
    assert result["runners"][0]["ready"]


def test_nothing_to_hide_where_live_runners_are_off(app):
    with node(cli={"/registerLiveRunners": OFF}, service={"/discovery": OFF}) as orchestrator:
        result = orchestrator.run(entry(app), state="absent")
    assert not result.get("failed")
    assert not result["changed"]


def test_hidden_and_still_listed(app):
    with node() as one, node() as other:
        one.run(entry(app))
        result = run_module(
            live_runner,
            state="absent",
            document={"runners": [entry(app)]},
            cli_url=other.cli.url,
            service_url=one.service.url,
            timeout=0.2,
            interval=0.05,
        )
    assert result["failure"] == "still_listed"
    assert "chat is still listed after 0.2 s, though the node at" in result["msg"]


# Each way of failing


def test_nothing_listens_at_the_cli_port(app):
    with node() as orchestrator:
        result = orchestrator.run(entry(app), cli_url=f"http://127.0.0.1:{free_port()}")
    assert result["failure"] == "cli_unreachable"
    assert "gives no answer: the connection to 127.0.0.1:" in result["msg"]
    assert "it is the one of the node's -cliAddr" in result["msg"]
    assert not result["changed"]


@pytest.mark.parametrize("answer", [CLOSE, STALL])
def test_the_cli_port_says_nothing(app, answer):
    with node(cli={"/registerLiveRunners": answer}) as orchestrator:
        # A node looks at each health address while it is asked, for which it is given 3 s more.
        result = orchestrator.run(request_timeout=0.3)
    assert result["failure"] == "cli_unreachable"


def test_live_runners_are_off(app):
    with node(cli={"/registerLiveRunners": OFF}, service={"/discovery": OFF}) as orchestrator:
        result = orchestrator.run(entry(app))
    assert result["failure"] == "live_runners_off"
    assert (
        "runs without live runners. Set orchestrator_live_runners to true and run the role orchestrator"
        in result["msg"]
    )


def test_a_gateway(app):
    cli = {"/registerLiveRunners": OFF, "/IsOrchestrator": reply(body="false", content_type="text/plain")}
    with node(cli=cli) as gateway:
        result = gateway.run(entry(app))
    assert result["failure"] == "not_an_orchestrator"
    assert "is a gateway, and only orchestrators have live runners." in result["msg"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (NOT_FOUND, "its answer has status 404 (404 page not found)."),
        (reply(405, "Method not allowed", "text/plain"), "its answer has status 405 (Method not allowed)."),
        (reply(body="<html>", content_type="text/html"), "its answer is not the JSON of one."),
        (reply(body={"hello": 1}), "its answer is not the JSON of one."),
        (reply(body=[]), "its answer is not the JSON of one."),
        (reply(body={"runners": [{"app": "x"}]}), "its answer is not the JSON of one."),
    ],
)
def test_no_node_at_the_cli_port(app, answer, words):
    with node(cli={"/registerLiveRunners": answer}) as orchestrator:
        result = orchestrator.run(entry(app))
    assert result["failure"] == "not_a_node"
    assert words in result["msg"]
    assert "live runners came with 0.9.0" in result["msg"]


def test_the_node_refuses_an_entry(app):
    with node() as orchestrator:
        result = orchestrator.run(entry(app, app=" chat"))
    assert result["failure"] == "rejected"
    assert "takes none of the live runners: runners[0]: app must be trimmed." in result["msg"]
    assert not result["changed"]


def test_nothing_listens_at_the_service_address(app):
    with node() as orchestrator:
        result = orchestrator.run(entry(app), service_url=f"http://127.0.0.1:{free_port()}")
    assert result["failure"] == "service_unreachable"
    assert orchestrator.registry.posts == [], "what cannot be read back is not sent"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (NOT_FOUND, "its answer to /discovery has status 404 (404 page not found)."),
        (reply(body="hello", content_type="text/plain"), "its answer to /discovery is not the JSON of one."),
        (reply(body=[]), "its answer to /discovery is no list of orchestrators."),
        (reply(body=["x"]), "its answer to /discovery is no list of orchestrators."),
        (reply(body=[{"name": "x"}]), "its answer to /discovery is no list of orchestrators."),
        (reply(body=[{"address": "x", "runners": [{}]}]), "its answer to /discovery is not the JSON of one."),
        (reply(body=[{"address": "x", "runners": [{"url": 7}]}]), "its answer to /discovery is not the JSON of one."),
    ],
)
def test_no_orchestrator_at_the_service_address(app, answer, words):
    with node(service={"/discovery": answer}) as orchestrator:
        result = orchestrator.run(entry(app))
    assert result["failure"] == "not_a_service_address"
    assert words in result["msg"]


def test_a_node_without_live_runners_at_the_service_address(app):
    with node(service={"/discovery": OFF}) as orchestrator:
        result = orchestrator.run(entry(app))
    assert result["failure"] == "other_node"
    assert "it runs without live runners, though the node at the CLI port took them." in result["msg"]


def test_another_node_with_live_runners_at_the_service_address(app):
    with node() as one, node() as other:
        result = one.run(entry(app), service_url=other.service.url)
    assert result["failure"] == "other_node"
    assert "does not list chat, which the node at the CLI port took and finds healthy." in result["msg"]


def test_another_node_that_lists_the_same_label(app):
    with node() as one, node() as other:
        other.run(entry(app, capacity=7))
        result = one.run(entry(app), service_url=other.service.url)
    assert result["failure"] == "other_node"
    assert "lists chat with capacity 7 after the node at the CLI port took 1." in result["msg"]


def test_a_service_that_is_not_well(app):
    app.routes["/health"] = reply(503, {"status": "loading", "reason": "reading weights"})
    with node() as orchestrator:
        result = orchestrator.run(entry(app))
    assert result["failure"] == "not_healthy"
    assert (
        f"Live runner chat is not ready after 0.3 s: the orchestrator finds it unhealthy at {app.url}/health, where it"
        " wants status 200. Asked from this host, it answers 503 ("
    ) in result["msg"]
    assert "reading weights" in result["msg"]
    assert result["runners"][0]["healthy"] is False


def test_a_service_that_does_not_answer(app):
    dead = f"http://127.0.0.1:{free_port()}"
    with node() as orchestrator:
        result = orchestrator.run(entry(app, "well"), entry(app, runner_url=dead, health_url="/health"))
    assert result["failure"] == "not_healthy"
    assert f"unhealthy at {dead}/health" in result["msg"]
    assert "Asked from this host, it gives no answer: the connection to 127.0.0.1:" in result["msg"]
    assert [one["ready"] for one in result["runners"]] == [True, False]


def test_a_service_that_is_well_just_in_time(app):
    app.routes["/health"] = [reply(503), reply()]
    with node() as orchestrator:
        result = orchestrator.run(entry(app), timeout=0)
    assert result["runners"][0]["ready"], "being told makes the node look at once"


def test_the_service_address_goes_while_waiting(app):
    app.routes["/health"] = reply(503)
    with node() as orchestrator:
        registry = orchestrator.registry
        orchestrator.service.routes["/discovery"] = [registry.discovery, NOT_FOUND]
        result = orchestrator.run(entry(app))
    assert result["failure"] == "not_a_service_address"


def test_on_chain_with_a_price(app):
    with node(onchain=True) as orchestrator:
        result = orchestrator.run(entry(app, price_info={"price": 0.5, "currency": "usd", "unit": "hour"}))
    assert result["runners"][0]["price"] == {"price": "41", "currency": "wei", "unit": "seconds"}


def test_on_chain_without_a_price_feed(app):
    with node(onchain=True, price_feed=False) as orchestrator:
        result = orchestrator.run(entry(app, price_info={"price": 0.5}))
    assert result["failure"] == "no_price"
    assert "no price in wei for chat and would refuse every job" in result["msg"]


def test_every_documented_failure_is_tested():
    described = " ".join(yaml.safe_load(live_runner.RETURN)["failure"]["description"])
    names = re.findall(r"V\((\w+)\)", described)
    assert len(names) == 12
    tested = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in names if f'["failure"] == "{name}"' not in tested] == []
