# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a service: against servers that answer as one, and an engine that is told what to say."""

from __future__ import annotations

import struct

import pytest

from ansible_collections.livepeer.ai.plugins.modules import service_ready
from ansible_collections.livepeer.ai.tests.unit.liars import CLOSE, STALL, reply, run_module, serve, serve_docker

NAME = "livepeer-service-chat"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(service_ready, "INTERVAL", 0.02)
    monkeypatch.setattr(service_ready, "ANSWER_TIMEOUT", 0.3)


def state(status="running", restarts=0, exit_code=0, killed=False):
    return reply(
        body={
            "Id": NAME,
            "Name": f"/{NAME}",
            "RestartCount": restarts,
            "State": {"Status": status, "ExitCode": exit_code, "OOMKilled": killed},
            "Config": {},
        }
    )


def engine(tmp_path, *states, log="loading"):
    line = log.encode()
    return serve_docker(
        tmp_path / "docker.sock",
        {
            f"/containers/{NAME}/json": list(states) or [state()],
            f"/containers/{NAME}/logs": reply(body=struct.pack(">BxxxI", 2, len(line)) + line),
        },
    )


def wait(server, tmp_path, **arguments):
    given = {"url": f"{server.url}/health", "container": NAME, "timeout": 1, "docker_socket": f"{tmp_path}/docker.sock"}
    return run_module(service_ready, **{**given, **arguments})


LOADING = reply(503, {"status": "loading", "reason": "reading weights"})
READY = reply(200, {"status": "ready"})


def test_ready(tmp_path):
    with serve({"/health": [LOADING, CLOSE, LOADING, READY]}) as server, engine(tmp_path):
        result = wait(server, tmp_path, timeout=10)
        assert result["changed"] is False
        assert len(server.seen) == 4


def test_the_status_is_exact(tmp_path):
    with serve({"/health": reply(204)}) as server, engine(tmp_path):
        assert wait(server, tmp_path, timeout=0)["failed"]
        assert "failed" not in wait(server, tmp_path, status=204)


def test_time_is_up_with_the_services_own_reason(tmp_path):
    with serve({"/health": LOADING}) as server, engine(tmp_path, log="step 3 of 9"):
        result = wait(server, tmp_path, timeout=0)
    assert result["reason"] == f"is not ready after 0 s: {server.url}/health answers 503 (reading weights)"
    assert result["msg"].startswith(f"The container {NAME} is not ready after 0 s")
    assert result["msg"].endswith("The end of its log:\nstep 3 of 9")
    assert result["log"] == ["step 3 of 9"]


def test_a_hanging_service_is_not_ready(tmp_path):
    with serve({"/health": STALL}) as server, engine(tmp_path):
        result = wait(server, tmp_path, timeout=0)
    assert "gave no complete answer within 0.3 s" in result["reason"]


def test_a_service_that_failed_to_load_is_not_waited_for(tmp_path):
    failed = reply(500, {"status": "error", "reason": "no such tensor"})
    with serve({"/health": [LOADING, failed]}) as server, engine(tmp_path):
        result = wait(server, tmp_path, timeout=60)
    assert result["seconds"] < 10
    assert result["msg"].startswith(
        f"The container {NAME} cannot load: {server.url}/health answers 500 (no such tensor)."
    )


@pytest.mark.parametrize("answer", [reply(500, "internal error", "text/plain"), reply(500, [1]), reply(404, {})])
def test_any_other_answer_may_pass(tmp_path, answer):
    with serve({"/health": [answer, READY]}) as server, engine(tmp_path):
        assert "failed" not in wait(server, tmp_path, timeout=10)


def test_an_ended_container_is_not_waited_for(tmp_path):
    with serve({"/health": CLOSE}) as server, engine(tmp_path, state("exited", exit_code=3), log="cannot start"):
        result = wait(server, tmp_path, timeout=60)
    assert result["seconds"] < 10
    assert result["reason"] == "it exited with code 3 (cannot start)"
    assert result["msg"].startswith(f"The container {NAME} has ended and is not started again: it exited with code 3")


def test_a_crash_loop_is_not_waited_for(tmp_path):
    states = [state(restarts=5), state(restarts=6), state("restarting", restarts=8, exit_code=137, killed=True)]
    with serve({"/health": CLOSE}) as server, engine(tmp_path, *states):
        result = wait(server, tmp_path, timeout=60)
    assert result["seconds"] < 10
    assert "ends again and again: it was killed" in result["msg"]


def test_earlier_restarts_are_forgiven(tmp_path):
    with serve({"/health": [CLOSE, CLOSE, READY]}) as server, engine(tmp_path, state(restarts=40), state(restarts=42)):
        assert "failed" not in wait(server, tmp_path, timeout=10)


def test_a_container_that_is_gone(tmp_path):
    with serve({"/health": CLOSE}) as server, serve_docker(tmp_path / "docker.sock", {}):
        result = wait(server, tmp_path, timeout=60)
    assert result["msg"] == f"The container {NAME} is gone."


def test_an_engine_that_is_away_comes_back(tmp_path):
    with serve({"/health": [CLOSE, READY]}) as server:
        assert "failed" not in wait(server, tmp_path, timeout=10)


def test_a_service_of_somebody_else(tmp_path):
    with serve({"/health": reply(503, "no")}) as server:
        result = wait(server, tmp_path, timeout=0, container="")
    assert result["msg"] == f"The service is not ready after 0 s: {server.url}/health answers 503."


def test_secrets_are_not_repeated(tmp_path):
    words = reply(503, {"status": "loading", "reason": "token hf_abcdefghijklmnopqrstuvwx refused"})
    with serve({"/health": words}) as server, engine(tmp_path, log="hf_abcdefghijklmnopqrstuvwx"):
        result = wait(server, tmp_path, timeout=0)
    assert "abcdefghijkl" not in str(result)
