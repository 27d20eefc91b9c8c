# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health and offer of a service, looked at once, waited for, and timed after a restart."""

from __future__ import annotations

import itertools
import time

import pytest

from ansible_collections.livepeer.ai.plugins.modules import service_info
from ansible_collections.livepeer.ai.tests.unit.liars import CLOSE, free_port, reply, run_module, self_signed, serve
from ansible_collections.livepeer.ai.tests.unit.strict_nodes import LiveRunners, Orchestrator, text

NAME = "sentence-embeddings"


def run(check_mode=False, **arguments):
    return run_module(service_info, check_mode, **{"name": NAME, "interval": 0.02, **arguments})


def health(url, **arguments):
    return run(health_url=f"{url}/health", gather=["health"], **arguments)


def offer(url, **arguments):
    return run(orchestrator_url=url, gather=["offer"], **arguments)


def judged(result, status, words, remedy=""):
    check = result["checks"][0]
    assert check["status"] == status
    assert words in check["sentence"]
    assert check["sentence"].endswith(".")
    assert ".." not in check["sentence"]
    assert remedy in check["remedy"]
    assert bool(check["remedy"]) == (status != "passed")
    assert result.get("failed", False) == (status == "failed")
    assert not result["changed"]
    return result


def test_healthy():
    with serve({"/health": reply(body={"status": "ready"})}) as service:
        result = judged(health(service.url), "passed", "answers 200.")
    assert result["checks"][0]["check"] == "service_health"
    assert result["checks"][0]["subject"] == f"byoc {NAME}"
    assert result["available"] is None


def test_another_status_may_mean_healthy():
    with serve({"/health": reply(204, b"", "")}) as service:
        judged(health(service.url, healthy_status=204), "passed", "answers 204.")
        judged(health(service.url), "failed", "it answers 204.", "Read the log")


@pytest.mark.parametrize(
    ("answer", "words", "remedy"),
    [
        (reply(503, {"status": "loading", "reason": "weights"}), "answers 503 (loading, weights)", "Allow more time"),
        (reply(500, {"status": "error", "reason": "no file"}), "answers 500 (error, no file)", "Read the log"),
        (reply(500, "boom", "text/plain"), "answers 500 (boom)", "Read the log"),
        (reply(500, b""), "answers 500.", "Read the log"),
        (CLOSE, "closed the connection without a reply", "Read the log"),
    ],
)
def test_not_healthy(answer, words, remedy):
    with serve({"/health": answer}) as service:
        judged(health(service.url), "failed", words, remedy)


def test_health_is_waited_for():
    with serve({"/health": [reply(503, {"status": "loading"})] * 3 + [reply(body={"status": "ready"})]}) as service:
        judged(health(service.url, timeout=5), "passed", "answers 200")
        assert len(service.seen) == 4


def test_capability_offered(tmp_path):
    with serve(Orchestrator({NAME: reply()}).routes(), self_signed(tmp_path / "cert.pem")) as node:
        result = judged(offer(node.url), "passed", "The orchestrator offers it, 1 slot is free.")
        assert [request["path"] for request in node.seen] == ["/process/token"], "no job, which could do harm"
    assert result["available"] == 1
    assert result["checks"][0]["check"] == "capability_offered"


def test_capability_not_offered():
    with serve(Orchestrator({}).routes()) as node:
        result = judged(offer(node.url), "failed", "no free slot", "registrar's journal")
        assert len(node.seen) == 1
    assert result["available"] == 0


def test_orchestrator_is_down():
    judged(offer(f"http://127.0.0.1:{free_port()}"), "failed", "refused", "Check that the orchestrator runs")


def test_not_an_orchestrator():
    with serve({}) as node:
        judged(offer(node.url), "failed", "/process/token answers 404", "service address")


def test_chain_hides_the_offer():
    with serve(Orchestrator({NAME: reply()}, onchain=True).routes()) as node:
        judged(offer(node.url), "unknown", "cannot be seen there.", "CLI port of a gateway")


def prices(*names):
    listed = [{"capability": 37, "constraint": name, "pricePerUnit": 1, "pixelsPerUnit": 1} for name in names]
    return reply(body={"orchestrators": [{"orch_uri": "https://192.0.2.21:8935", "capabilities_prices": listed}]})


@pytest.mark.parametrize(
    ("listing", "status", "words"),
    [
        (prices("other", NAME), "passed", "The gateway's list of capabilities has it."),
        (prices("other"), "unknown", "does not have it (yet)."),
        (reply(500, "network capabilities not available\n{}", "text/plain"), "unknown", "does not have it (yet)."),
        (CLOSE, "unknown", "does not have it (yet)."),
    ],
)
def test_gateway_on_a_chain_tells(listing, status, words):
    node = Orchestrator({NAME: reply()}, onchain=True)
    with serve(node.routes()) as server, serve({"/getNetworkCapabilities": listing}) as cli:
        judged(offer(server.url, gateway_cli_url=cli.url), status, words)


@pytest.mark.parametrize("mode", ["single-shot", "persistent"])
@pytest.mark.parametrize(("capacity", "words"), [(1, "1 slot is free"), (0, "0 slots are free")])
def test_live_runner_offered(mode, capacity, words):
    with serve(LiveRunners({NAME: {"mode": mode, "app": None, "capacity": capacity}}).routes()) as node:
        result = judged(offer(node.url, route="live_runner"), "passed", words)
    assert result["available"] == capacity
    assert result["checks"][0]["subject"] == f"live_runner {NAME}"


@pytest.mark.parametrize(
    ("runners", "words"),
    [
        ({}, "it shows none."),
        ({NAME: {"mode": "persistent", "app": None, "healthy": False}}, "it shows none."),
        ({"other": {"mode": "persistent", "app": None}}, "it shows other."),
    ],
)
def test_live_runner_not_offered(runners, words):
    with serve(LiveRunners(runners).routes()) as node:
        judged(offer(node.url, route="live_runner"), "failed", words, "health of the service")


@pytest.mark.parametrize("answer", [text(404, "live runners are not supported"), reply(body={}), reply(body="no json")])
def test_live_runners_are_off(answer):
    with serve({"/discovery": answer}) as node:
        judged(offer(node.url, route="live_runner"), "failed", "shows no live runners", "-liveRunnerConfig")


def test_live_runner_of_a_node_that_is_down():
    down = f"http://127.0.0.1:{free_port()}"
    judged(offer(down, route="live_runner"), "failed", "The orchestrator gives no answer", "Start the service")


# --- after a restart ------------------------------------------------------------------------------


def returning(after, answers=0):
    """An orchestrator that answers after some looks, and has the capability again after some more."""
    away, back = Orchestrator({}), Orchestrator({NAME: reply()})
    looks = itertools.count(1)

    def token(request):
        look = next(looks)
        return CLOSE if look <= answers else (back if look > after else away).token(request)

    return {"/process/token": token}


def test_time_to_return_counts_from_the_first_answer():
    began = time.monotonic()
    with serve(returning(8, answers=3)) as node:
        result = judged(offer(node.url, timeout=10, within=5, occasion="after a restart"), "passed", "first answer.")
    check = result["checks"][0]
    assert 0 < check["seconds"] < time.monotonic() - began
    assert check["subject"] == f"byoc {NAME} after a restart"
    assert f"{check['seconds']:.1f} s after" in check["sentence"]


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A systemctl that knows when the orchestrator started: 40 s ago."""

    def make(said=None):
        said = int((time.monotonic() - 40) * 1e6) if said is None else said
        script = tmp_path / "systemctl"
        script.write_text(f'#!/bin/sh\ntest "$5" = "" && test "$4" = orchestrator.service && echo "{said}"\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


def test_offer_that_is_back_before_the_first_look(systemctl):
    systemctl()
    with serve(returning(0)) as node:
        result = judged(
            offer(node.url, timeout=10, within=5, unit="orchestrator.service"),
            "passed",
            "s after the start of orchestrator.service.",
        )
    assert "at most 40." in result["checks"][0]["sentence"]
    assert 40 <= result["checks"][0]["seconds"] < 45, "late, but nobody saw it missing"


@pytest.mark.parametrize("said", ["", "0", "n/a"])
def test_nobody_tells_when_the_unit_started(systemctl, said):
    systemctl(said)
    with serve(returning(0)) as node:
        result = judged(offer(node.url, timeout=10, within=5, unit="orchestrator.service"), "passed", "1 slot is free.")
    assert result["checks"][0]["seconds"] < 5


def test_too_late_is_a_failure():
    with serve(returning(10_000)) as node:
        began = time.monotonic()
        judged(offer(node.url, timeout=30, within=0.3), "failed", "Within 0.3 s of the orchestrator's answer")
    assert time.monotonic() - began < 5


def test_node_that_stays_down_is_waited_for_until_the_timeout():
    began = time.monotonic()
    judged(offer(f"http://127.0.0.1:{free_port()}", timeout=0.3, within=0.1), "failed", "refused")
    assert 0.2 < time.monotonic() - began < 5


def test_check_run_looks_once():
    with serve(returning(10_000)) as node:
        result = run(True, orchestrator_url=node.url, gather=["offer"], timeout=30, fail=False)
        assert len(node.seen) == 1
    assert result["verdict"] == "failed"


@pytest.mark.parametrize(
    ("gather", "message"),
    [
        ("health", "gather has health, which needs health_url."),
        ("offer", "gather has offer, which needs orchestrator_url."),
    ],
)
def test_bad_input_is_one_sentence(gather, message):
    assert run(gather=[gather])["msg"] == message
