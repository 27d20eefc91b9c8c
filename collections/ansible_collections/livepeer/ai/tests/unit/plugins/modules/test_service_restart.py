# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts of services that tell the truth about themselves, and of services that lie."""

from __future__ import annotations

import json

import pytest

from ansible_collections.livepeer.ai.plugins.modules import service_restart
from ansible_collections.livepeer.ai.tests.unit.liars import CLOSE, reply, run_module, serve, serve_docker

LOADING = reply(503, {"status": "loading", "reason": "weights"})
READY = reply(body={"status": "ready"})
VECTORS = reply(body={"vectors": [[0.5]]})
DONE = reply(204, b"", "")


def inspected(status="running", restarts=0, exit_code=0):
    return reply(
        body={
            "Id": "abc",
            "Name": "/livepeer-service-one",
            "RestartCount": restarts,
            "State": {"Status": status, "ExitCode": exit_code, "Error": "", "OOMKilled": False},
            "Config": {"Tty": True, "Image": "one", "Labels": {}, "Env": []},
            "HostConfig": {},
        }
    )


def engine(**changes):
    routes = {
        "/containers/livepeer-service-one/json": inspected(),
        "/containers/abc/stop": DONE,
        "/containers/abc/start": DONE,
        "/containers/abc/logs": reply(body="ModuleNotFoundError: No module named 'service'", content_type="text/plain"),
    }
    return {**routes, **{f"/containers/{key}": value for key, value in changes.items()}}


def run(tmp_path, health, infer=None, docker=None, check_mode=False, **arguments):
    """The result, the orders to the engine and the requests to the service."""
    service_routes = {"/health": health, "/v1/infer": infer or VECTORS}
    with serve_docker(tmp_path / "docker.sock", docker or engine()) as socket, serve(service_routes) as service:
        result = run_module(
            service_restart,
            check_mode,
            **{
                "name": "one",
                "container": "livepeer-service-one",
                "health_url": f"{service.url}/health",
                "url": service.url,
                "body": {"texts": ["a"]},
                "docker_socket": str(tmp_path / "docker.sock"),
                "timeout": 5,
                **arguments,
            },
        )
        orders = [request["path"] for request in socket.seen if request["method"] == "POST"]
        return result, orders, service.seen


def judged(result, status, words, remedy=""):
    check = result["checks"][0]
    assert check["check"] == "service_start"
    assert check["status"] == status, check["sentence"]
    assert words in check["sentence"]
    assert check["sentence"].endswith((".", "…"))
    assert remedy in check["remedy"]
    assert result.get("failed", False) == (status == "failed")
    return result


def test_honest_start(tmp_path):
    # The first look is that at the stopped container.
    result, orders, seen = run(tmp_path, [CLOSE, CLOSE, LOADING, LOADING, READY], token="s3cret")
    judged(result, "passed", "and answered a request at once; before, 1 look found that 127.0.0.1:")
    assert "then 2 looks found that it answers 503 (loading, weights)." in result["checks"][0]["sentence"]
    assert result["changed"]
    assert orders == ["/containers/abc/stop", "/containers/abc/start"]
    assert [part["looks"] for part in result["seen"]] == [1, 2]
    assert json.loads(seen[-1]["body"]) == {"texts": ["a"]}
    assert seen[-1]["headers"]["Authorization"] == "Bearer s3cret"
    assert "Authorization" not in seen[0]["headers"]
    assert "s3cret" not in json.dumps({key: value for key, value in result.items() if key != "invocation"})


def test_service_that_is_healthy_at_the_first_look(tmp_path):
    judged(run(tmp_path, [CLOSE, READY])[0], "passed", "answered a request at once.")


@pytest.mark.parametrize(
    ("infer", "words"),
    [
        (reply(503, {"detail": {"msg": "loading"}}), "it answered 503 (loading)."),
        (reply(500, b""), "it answered 500."),
        (reply(body=b""), "its answer was empty."),
        (CLOSE, "closed the connection without a reply."),
    ],
)
def test_service_that_lies(tmp_path, infer, words):
    judged(run(tmp_path, [CLOSE, LOADING, READY], infer)[0], "failed", words, "until then 503 is right")


def test_refusal_may_be_the_expected_answer(tmp_path):
    judged(run(tmp_path, [CLOSE, READY], reply(422, {"detail": "x"}), status=422)[0], "passed", "at once.")


def test_something_else_has_the_port(tmp_path):
    result, orders, _seen = run(tmp_path, READY)
    judged(result, "failed", "while the container was stopped: something else answers there.", "Free the port")
    assert orders[-1] == "/containers/abc/start", "it is not left stopped"


def test_never_healthy(tmp_path):
    result, _orders, _seen = run(tmp_path, LOADING, timeout=0.3)
    judged(result, "failed", "After 0.3 s it is not healthy: it answers 503 (loading, weights).", "Allow more time")


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ([inspected(), inspected("exited", exit_code=1)], "ended while it started: the image does not fit"),
        ([inspected(), inspected(), inspected(restarts=1)], "ended while it started"),
        ([inspected(), reply(404, {"message": "No such container"})], "ended while it started: it is gone."),
    ],
)
def test_container_that_ends(tmp_path, states, words):
    docker = engine(**{"livepeer-service-one/json": states})
    judged(run(tmp_path, CLOSE, docker=docker)[0], "failed", words)


def test_no_container(tmp_path):
    docker = engine(**{"livepeer-service-one/json": reply(404, {"message": "No such container"})})
    result, orders, seen = run(tmp_path, READY, docker=docker)
    judged(result, "failed", "There is no container livepeer-service-one.", "role")
    assert (orders, seen, result["changed"]) == ([], [], False)


def test_engine_that_refuses(tmp_path):
    docker = engine(**{"abc/start": reply(500, {"message": "port is already allocated"})})
    judged(run(tmp_path, CLOSE, docker=docker)[0], "failed", "answers 500 to the order to start livepeer-service-one")


def test_engine_is_gone(tmp_path):
    result = run(tmp_path, READY, docker_socket="/nonexistent.sock")[0]
    judged(result, "failed", "does not answer", "Docker Engine")


def test_check_run_restarts_nothing(tmp_path):
    result, orders, seen = run(tmp_path, READY, check_mode=True)
    judged(result, "unknown", "Nothing was restarted")
    assert (orders, seen, result["changed"]) == ([], [], False)
