# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs for services through BYOC and live runners, and every way in which a node does not do them."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _service_request
from ansible_collections.livepeer.ai.plugins.modules import gateway_request
from ansible_collections.livepeer.ai.tests.unit.liars import (
    CLOSE,
    STALL,
    free_port,
    reply,
    run_module,
    self_signed,
    serve,
)
from ansible_collections.livepeer.ai.tests.unit.strict_nodes import (
    REFUSED,
    SLOW,
    UNAUTHORIZED,
    Gateway,
    LiveRunners,
    Orchestrator,
    answer,
    sse,
    text,
)

NAME = "sentence-embeddings"
FIRST, SECOND = "https://192.0.2.21:8935", "https://192.0.2.22:8935"


def embed(_path, body):
    return answer({"vectors": [[0.5, 0.25]] * len(body["texts"]), "model": "wordllama"})


def run(url, api="byoc", **arguments):
    arguments = {"url": url, "api": api, "capability": NAME, "path": "v1/infer", "timeout": 1, **arguments}
    arguments.setdefault("body", {"texts": ["a", "b"]})
    return run_module(gateway_request, **arguments)


def passed(result, words):
    assert "failed" not in result, result.get("msg")
    assert (result["verdict"], result["failure"], result["changed"]) == ("passed", "", False)
    check = result["checks"][0]
    assert check["check"] == "service_request"
    assert words in check["sentence"]
    assert check["sentence"].endswith(".")
    return result


def told(result, failure, words, remedy=""):
    assert result["failed"]
    assert result["failure"] == failure, result["msg"]
    check = next(check for check in result["checks"] if check["status"] == "failed")
    assert words in check["sentence"]
    assert check["sentence"].endswith((".", "…"))
    assert ".." not in check["sentence"]
    assert check["remedy"].endswith(".")
    assert remedy in check["remedy"]
    assert result["msg"] == f"{check['sentence']} {check['remedy']}"
    return result


@contextlib.contextmanager
def gateway(*pool, onchain=True):
    with serve(Gateway(pool, onchain).routes()) as server:
        yield server


@contextlib.contextmanager
def orchestrator(services, **arguments):
    node = Orchestrator(services, **arguments)
    with serve(node.routes()) as server:
        server.node = node
        yield server


def direct(service, **arguments):
    """The result of a job straight to an orchestrator with one service."""
    with orchestrator({NAME: service}) as node:
        return run(node.url, target="orchestrator", **arguments)


# --- BYOC that works ------------------------------------------------------------------------------


def test_job_through_a_gateway():
    node = Orchestrator({NAME: embed})
    with gateway(node) as server:
        result = passed(run(server.url, timeout=29.5), "JSON of")
        job = json.loads(base64.b64decode(server.seen[0]["headers"]["Livepeer"]))
    assert job == {"request": "{}", "parameters": "{}", "capability": NAME, "timeout_seconds": 30}
    assert server.seen[0]["headers"]["Content-Type"] == "application/json"
    assert node.jobs[0][1:] == ("v1/infer", {"texts": ["a", "b"]})
    assert result["answer"]["vectors"] == [[0.5, 0.25]] * 2
    assert result["status_code"] == 200
    assert result["balance"] == "0.000"
    assert result["orchestrators"] == {"candidates": [FIRST], "expected": [], "judgement": "unknown"}
    assert result["checks"][0]["subject"] == f"byoc {NAME} v1/infer"


def test_job_straight_to_an_orchestrator(tmp_path):
    node = Orchestrator({NAME: embed})
    with serve(node.routes(), self_signed(tmp_path / "cert.pem")) as server:
        result = passed(run(server.url, target="orchestrator", request={"stream_id": "1"}), "JSON of")
    job = node.jobs[0][0]
    assert job["sender"] == "0x" + "0" * 40
    assert job["sig"] == ""
    assert job["id"]
    assert json.loads(job["request"]) == {"stream_id": "1"}
    assert result["orchestrators"]["candidates"] == []


def test_included_and_excluded_orchestrators():
    pool = [Orchestrator({NAME: embed}, FIRST), Orchestrator({NAME: embed}, SECOND)]
    with gateway(*pool) as server:
        result = passed(run(server.url, include=[SECOND], occasion="after a restart"), "JSON of")
        assert {check["subject"] for check in result["checks"]} == {f"byoc {NAME} v1/infer after a restart"}
        assert result["checks"][1]["sentence"] == f"{SECOND} answered."
        assert result["orchestrators"]["judgement"] == "expected"
        result = passed(run(server.url, exclude=[FIRST], parameters={"enable_data_output": True}), "JSON of")
        parameters = json.loads(json.loads(base64.b64decode(server.seen[-1]["headers"]["Livepeer"]))["parameters"])
    assert result["orchestrators"]["candidates"] == [SECOND]
    assert parameters == {"enable_data_output": True, "orchestrators": {"exclude": [FIRST]}}


def test_next_orchestrator_answers_when_the_first_fails():
    pool = [Orchestrator({NAME: REFUSED}, FIRST), Orchestrator({NAME: embed}, SECOND)]
    with gateway(*pool) as server:
        assert passed(run(server.url), "JSON")["orchestrators"]["candidates"] == [SECOND]


@pytest.mark.parametrize("target", ["gateway", "orchestrator"])
def test_stream(target):
    events = sse({"index": 0, "vector": [0.5]}, {"index": 1, "vector": [0.25]})
    node = Orchestrator({NAME: events})
    served = Gateway([node]) if target == "gateway" else node
    with serve(served.routes()) as server:
        result = run(server.url, target=target, stream=True, expect={"events": 2, "keys": ["vector"]})
    passed(result, "A stream of 2 events came back and ended with [DONE].")
    assert result["events"] == 2
    assert result["answer"] is None


def test_stream_is_not_waited_for_beyond_its_end():
    """A node that keeps the connection open after [DONE] costs no time."""
    events = {**sse({"index": 0}), "length": 10_000_000}
    passed(direct(events, stream=True), "1 event")


@pytest.mark.parametrize(
    "expect",
    [
        {"keys": ["vectors", "vectors.0.1", "model"]},
        {"min_items": {"vectors": 2, "vectors.0": 2}},
        {"contains": "WordLLama"},
    ],
)
def test_met_expectations(expect):
    passed(direct(embed, expect=expect), "JSON of")


def test_refusal_of_the_service_may_be_what_is_expected():
    refusal = reply(422, {"detail": "texts is missing"})
    result = passed(direct(refusal, expect={"status": 422, "contains": "missing"}), "As expected, status 422 came back")
    assert result["status_code"] == 422


def test_text_answer():
    result = passed(direct(answer("eno owt", "text/plain"), expect={"contains": "owt"}), "Text of 7 characters")
    assert result["answer"] is None
    assert result["text"] == "eno owt"


def test_large_answer_is_judged_and_not_handed_on():
    result = passed(direct(answer({"vectors": [1.0] * 400_000}), expect={"min_items": {"vectors": 400_000}}), "JSON")
    assert result["answer"] is None
    assert len(result["text"]) == 2000


# --- BYOC that does not ---------------------------------------------------------------------------


@pytest.mark.parametrize("service", [REFUSED, SLOW, UNAUTHORIZED, reply(500, "boom", "text/plain"), CLOSE])
def test_empty_200_of_a_gateway_whose_orchestrators_failed(service):
    with gateway(Orchestrator({NAME: service})) as server:
        result = told(run(server.url), "empty_200", "200 with an empty body, which is a failure", "may have lost")
    assert result["status_code"] == 200


def test_empty_200_of_an_orchestrator():
    told(direct(answer(b"")), "empty_200", "the service said nothing")


def test_nobody_offers_the_capability():
    with gateway(Orchestrator({})) as server:
        told(run(server.url), "no_orchestrators", f"No orchestrators found for capability {NAME}", "is registered")


@pytest.mark.parametrize(("chain_id", "failure"), [("0", "offchain_gateway"), ("42161", "no_orchestrators")])
def test_gateway_off_chain(chain_id, failure):
    with gateway(Orchestrator({NAME: embed}), onchain=False) as server:
        with serve({"/EthChainID": reply(body=chain_id, content_type="text/plain")}) as cli:
            told(run(server.url, cli_url=cli.url), failure, "No orchestrators found for capability")
        told(run(server.url, cli_url=f"http://127.0.0.1:{free_port()}"), "no_orchestrators", "found no orchestrator")


def test_answer_of_another_orchestrator():
    """A gateway that leaves the choice out: an answer may come from anybody."""
    with gateway(Orchestrator({NAME: embed}, SECOND)) as server:
        result = run(server.url, orchestrators=[FIRST])
    told(result, "wrong_orchestrator", f"came from {SECOND}, expected was {FIRST}", "exactly")
    assert result["orchestrators"]["judgement"] == "unexpected"
    assert [check["status"] for check in result["checks"]] == ["passed", "failed"]


def test_answer_of_an_excluded_orchestrator():
    """The gateway's pool knows it by another spelling than the one that was excluded."""
    lying = {**answer({"vectors": []}), "headers": {"X-Orchestrator-Url": FIRST}}
    with serve({"*": lying}) as server:
        told(run(server.url, exclude=[FIRST + "/"]), "wrong_orchestrator", "which was excluded")


def test_answer_without_the_name_of_its_orchestrator():
    with serve({"*": answer({"vectors": []})}) as server:
        told(run(server.url), "no_orchestrator_url", "X-Orchestrator-Url", "proxy")


@pytest.mark.parametrize("target", ["gateway", "orchestrator"])
def test_too_little_balance(target):
    node = Orchestrator({NAME: embed}, prices=[NAME])
    served = Gateway([node]) if target == "gateway" else node
    with serve(served.routes()) as server:
        told(run(server.url, target=target), "insufficient_balance", "Insufficient balance for request", "deposit")


@pytest.mark.parametrize("target", ["gateway", "orchestrator"])
@pytest.mark.parametrize("status", [400, 404, 422, 429])
def test_refusal_of_the_service_is_passed_on(target, status):
    node = Orchestrator({NAME: reply(status, {"detail": "texts is missing"})})
    served = Gateway([node]) if target == "gateway" else node
    with serve(served.routes()) as server:
        result = told(run(server.url, target=target), "worker_refused", "texts is missing", "passes this on")
    assert result["status_code"] == status


@pytest.mark.parametrize("target", ["gateway", "orchestrator"])
def test_route_that_the_service_does_not_have(target):
    node = Orchestrator({NAME: text(404, "404 page not found")})
    served = Gateway([node]) if target == "gateway" else node
    with serve(served.routes()) as server:
        told(run(server.url, target=target), "worker_refused", "404 page not found")


@pytest.mark.parametrize(
    ("service", "failure", "words", "remedy"),
    [
        (UNAUTHORIZED, "worker_unauthorized", "with 401, so the orchestrator removed", "token that the service wants"),
        (REFUSED, "worker_unreachable", "removed the capability", "Start the service"),
        (SLOW, "worker_timeout", "holds its slot", "register the capability again"),
        # The service's answer came when its time was over already.
        (
            reply(500, "job not able to be processed, removing capability err=context deadline exceeded\n"),
            "worker_timeout",
            "holds its slot",
            "register the capability again",
        ),
        (reply(500, "boom", "text/plain"), "worker_error", "The service failed: boom.", "log"),
        (reply(503, {"detail": {"msg": "loading"}}), "worker_busy", "no more work now (503): loading", "loading"),
        (CLOSE, "closed_without_reply", "closed the connection without a reply", "handler crashed"),
    ],
)
def test_failures_of_the_service(service, failure, words, remedy):
    told(direct(service), failure, words, remedy)


def test_refused_service_is_then_not_registered():
    with orchestrator({NAME: REFUSED}) as node:
        told(run(node.url, target="orchestrator"), "worker_unreachable", "connection refused")
        told(run(node.url, target="orchestrator"), "not_registered", "No capacity available", "registrar")


def test_orchestrator_on_a_chain_wants_a_signature():
    with orchestrator({NAME: embed}, onchain=True) as node:
        told(run(node.url, target="orchestrator"), "bad_credentials", "where jobs are signed", "through a gateway")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("gateway", "Unable to parse job request, err=no timeout_seconds set with request"),
        ("gateway", "Unable to unmarshal job request err=unexpected end of JSON input"),
        ("gateway", "Unable to unmarshal job parameters err=unexpected end of JSON input"),
        ("orchestrator", "no timeout_seconds set with request, timeout_seconds is required"),
        ("orchestrator", "Unable to unmarshal job request details err=unexpected end of JSON input"),
    ],
)
def test_node_that_cannot_read_the_job(target, said):
    with serve({"*": text(400, said)}) as server:
        told(run(server.url, target=target), "bad_job", said)


def test_silence(monkeypatch):
    monkeypatch.setattr(_service_request.ByocRequest, "grace", 0.2)
    told(direct(STALL, timeout=0.3), "timeout", "gave no complete answer within 0.5 s")


def test_nobody_listens():
    told(run(f"http://127.0.0.1:{free_port()}"), "refused", "The gateway gives no answer: the connection")


def test_gateway_without_ingest():
    with serve({"/healthz": reply(body=b""), "*": text(404, "404 page not found")}) as server:
        told(run(server.url), "not_found_everywhere", "HTTP ingest is off")


@pytest.mark.parametrize(("target", "words"), [("gateway", "no gateway's"), ("orchestrator", "no orchestrator's")])
def test_not_a_node(target, words):
    with serve({"*": text(404, "404 page not found")}) as server:
        told(run(server.url, target=target), "not_a_node", words)


def test_gateway_asked_like_an_orchestrator():
    with gateway() as server:
        told(run(server.url, target="orchestrator"), "is_a_gateway", "is a gateway's", "service address")


def test_status_of_a_gateway_itself():
    with serve({"*": text(500, "Streaming not supported")}) as server:
        told(run(server.url), "http_500", "status 500 (Streaming not supported)")


# --- answers that are not what was expected -------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "expect", "words"),
    [
        (embed, {"keys": ["scores"]}, "no key 'scores' (it has vectors, model)"),
        (answer([1, 2]), {"keys": ["vectors"]}, "it is no JSON object"),
        (answer({}), {"keys": ["vectors"]}, "(it has none)"),
        (answer("not json"), {"keys": ["vectors"]}, "is not JSON (not json)"),
        (embed, {"min_items": {"vectors": 3}}, "list 'vectors' has 2 items, expected were 3"),
        (embed, {"min_items": {"model": 1}}, "has no list 'model'"),
        (embed, {"contains": "harbour"}, "does not hold 'harbour'"),
    ],
)
def test_not_as_expected(service, expect, words):
    told(direct(service, expect=expect), "bad_payload", words)


def test_not_as_expected_through_a_gateway():
    with gateway(Orchestrator({NAME: embed})) as server:
        told(run(server.url, expect={"keys": ["scores"]}), "bad_payload", "through the gateway")


def test_success_where_a_refusal_was_expected():
    told(direct(embed, expect={"status": 422}), "other_status", "has status 200, expected was 422.")


def test_refusal_of_the_node_is_never_the_expected_one():
    with orchestrator({}) as node:
        told(run(node.url, target="orchestrator", expect={"status": 503}), "not_registered", "does not know")


@pytest.mark.parametrize(
    ("events", "expect", "failure", "words"),
    [
        (sse({"index": 0}, done=False), {}, "stream_not_ended", "after 1 event no [DONE] came"),
        (sse(), {}, "bad_payload", "has 0 events, expected were 1"),
        (sse({"index": 0}), {"events": 2}, "bad_payload", "has 1 event, expected were 2"),
        (sse({"error": "out of memory"}), {}, "bad_payload", "reports an error (out of memory)"),
        (sse({"index": 0}), {"keys": ["vector"]}, "bad_payload", "no event of the stream holds 'vector'"),
        (sse("hello"), {"contains": "harbour"}, "bad_payload", "the stream does not hold 'harbour'"),
    ],
)
def test_bad_stream(events, expect, failure, words):
    told(direct(events, stream=True, expect=expect), failure, words)


def test_flood_of_blank_lines_behind_a_stream_without_end():
    flood = answer('data: {"index": 0}\n\n' + "\n" * 1_000_000, "text/event-stream")
    told(direct(flood, stream=True), "stream_not_ended", "after 1 event", "blank lines until the time is up")


def test_stream_that_stalls(monkeypatch):
    monkeypatch.setattr(_service_request.ByocRequest, "grace", 0.1)
    monkeypatch.setattr(_service_request, "EventReader", stalling_reader)
    told(direct(sse({"index": 0}), stream=True, timeout=0.2), "stream_not_ended", "after 1 event 127.0.0.1")


def stalling_reader():
    class Stalling(_EventReader):
        def __call__(self, answer, deadline):
            self.data = answer.read1(20)
            raise TimeoutError("timed out")

    return Stalling()


_EventReader = _service_request.EventReader


def test_refused_stream_is_a_refusal():
    told(direct(reply(422, {"detail": "texts is missing"}), stream=True), "worker_refused", "texts is missing")


# --- live runners ---------------------------------------------------------------------------------


@contextlib.contextmanager
def live(app=embed, certificate=None, **runner):
    node = LiveRunners({NAME: {"mode": "single-shot", "app": app, **runner}})
    with serve(node.routes(), certificate) as server:
        node.address, server.node = server.url, node
        yield server


def test_single_shot(tmp_path):
    with live(certificate=self_signed(tmp_path / "cert.pem")) as server:
        result = passed(run(server.url, "live_runner", expect={"keys": ["vectors"]}), "JSON of")
        assert server.seen[0]["path"] == f"/apps/{NAME}/app/v1/infer"
        assert "Livepeer" not in server.seen[0]["headers"]
    assert result["checks"][0]["subject"] == f"live_runner {NAME} v1/infer"


def test_stream_of_a_live_runner():
    with live(sse({"index": 0}, balance=False)) as server:
        passed(run(server.url, "live_runner", stream=True), "1 event")


def test_persistent_runner_has_its_session_stopped():
    with live(mode="persistent") as server:
        passed(run(server.url, "live_runner", mode="persistent"), "JSON of")
        assert server.node.sessions == {}
        assert [request["path"] for request in server.seen] == [
            f"/apps/{NAME}/session",
            f"/apps/{NAME}/run/s1/v1/infer",
            f"/apps/{NAME}/session/s1/stop",
        ]


def test_session_is_stopped_after_a_failure_as_well():
    with live(reply(500, "boom", "text/plain"), mode="persistent") as server:
        told(run(server.url, "live_runner", mode="persistent"), "worker_error", "boom")
        assert server.node.sessions == {}


def test_session_that_cannot_be_stopped():
    with live(mode="persistent") as server:
        server.routes[f"/apps/{NAME}/session/s1/stop"] = text(404, "session not found")
        told(run(server.url, "live_runner", mode="persistent"), "session_not_stopped", "404, session not found", "slot")
        server.routes[f"/apps/{NAME}/session/s1/stop"] = CLOSE
        server.node.sessions.clear()
        told(run(server.url, "live_runner", mode="persistent"), "session_not_stopped", "without a reply")


@pytest.mark.parametrize("said", [reply(body={"session_id": "s1"}), reply(body="ok"), reply(body=[])])
def test_session_that_is_none(said):
    with serve({"*": said}) as server:
        told(run(server.url, "live_runner", mode="persistent"), "bad_payload", "holds no session")


@pytest.mark.parametrize(
    ("runner", "arguments", "failure", "words"),
    [
        ({"healthy": False}, {}, "runner_not_found", "no healthy live runner"),
        ({}, {"capability": "other"}, "runner_not_found", "runner not found"),
        ({"capacity": 0}, {}, "no_capacity", "Every slot"),
        ({"mode": "persistent", "capacity": 0}, {"mode": "persistent"}, "no_capacity", "Every slot"),
        ({"app": REFUSED}, {}, "worker_unreachable", "502, bad gateway"),
        ({"price": 1}, {}, "payment_required", "wants to be paid, as each does on a chain (payment required)."),
        ({"app": text(500, "insufficient sender reserve")}, {}, "payment_required", "insufficient sender reserve"),
        ({"mode": "persistent"}, {}, "wrong_mode", "runner is not single-shot"),
        ({}, {"mode": "persistent"}, "wrong_mode", "only persistent runners have sessions"),
        ({"app": reply(503, {"detail": "loading"})}, {}, "worker_busy", "loading"),
        ({"app": reply(401, {"detail": "token"})}, {}, "worker_refused", "token"),
        ({"app": reply(500, "boom", "text/plain")}, {}, "worker_error", "boom"),
        ({"app": text(404, "404 page not found")}, {}, "worker_refused", "404 page not found"),
        ({"app": answer(b"")}, {}, "empty_200", "empty body"),
        ({"app": CLOSE}, {}, "closed_without_reply", "without a reply"),
        ({"app": answer({"a": 1})}, {"expect": {"keys": ["b"]}}, "bad_payload", "no key 'b'"),
    ],
)
def test_failures_of_live_runners(runner, arguments, failure, words):
    app = runner.pop("app", embed)
    with live(app, **runner) as server:
        told(run(server.url, "live_runner", **arguments), failure, words)
    runner["app"] = app


def test_another_session_is_refused():
    with serve({"*": text(409, "session already exists")}) as server:
        told(run(server.url, "live_runner", mode="persistent"), "session_exists", "session already exists")


def test_live_runners_are_off():
    with serve({"*": text(404, "404 page not found")}) as server:
        told(run(server.url, "live_runner"), "live_runners_off", "has no live runners", "orchestrator_live_runners")


def test_slow_live_runner():
    with live(STALL) as server:
        told(run(server.url, "live_runner", timeout=0.3), "timeout", "The orchestrator gives no answer", "")


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "/"}, "path is empty; give the route of the service, for example v1/infer."),
        ({"pipeline": "llm"}, "pipeline is given, but it is for pipelines and api is byoc."),
        ({"files": {"image": "sample"}}, "files is given, but it is for pipelines and api is byoc."),
        ({"target": "runner"}, "target is runner, but a BYOC job goes to a gateway or an orchestrator."),
        (
            {"target": "orchestrator", "include": [FIRST]},
            "include is given, but only a gateway chooses among orchestrators.",
        ),
        ({"mode": "persistent"}, "mode is persistent, but only live runners have sessions."),
        (
            {"api": "live_runner", "exclude": [FIRST]},
            "exclude is given, but a live runner takes no such thing; it is for BYOC.",
        ),
        (
            {"api": "pipeline", "pipeline": "llm", "model_id": "m"},
            "path is given, but it is for services and api is pipeline.",
        ),
        (
            {"api": "pipeline", "pipeline": "llm", "model_id": "m", "target": "orchestrator"},
            "target is orchestrator, but a pipeline is asked for at a gateway or a runner.",
        ),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    assert run("http://127.0.0.1:9", **arguments)["msg"] == message


def test_pipelines_still_need_pipeline_and_model():
    result = run_module(gateway_request, url="http://127.0.0.1:9")
    assert result["msg"] == "api is pipeline but all of the following are missing: pipeline, model_id"


@pytest.mark.parametrize("api", ["byoc", "live_runner"])
def test_check_mode_sends_nothing(api):
    with serve({}) as server:
        result = run_module(gateway_request, check_mode=True, url=server.url, api=api, capability=NAME, path="v1/infer")
        assert server.seen == []
    assert result["verdict"] == "unknown"
    assert "check run" in result["checks"][0]["sentence"]
