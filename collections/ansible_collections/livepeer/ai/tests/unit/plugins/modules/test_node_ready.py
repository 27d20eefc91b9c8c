# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a node: against servers that answer as one, and a systemd that is told what to say."""

from __future__ import annotations

import struct

import pytest

from ansible_collections.livepeer.ai.plugins.modules import node_ready
from ansible_collections.livepeer.ai.tests.unit.liars import reply, run_module, serve, serve_docker

UNIT = "livepeer-orchestrator.service"
CREATOR = "gpu1.example.com:8935"
MODEL = {"pipeline": "llm", "model_id": "a/b"}


class Systemd:
    """What systemctl and journalctl say; the last state stays."""

    def __init__(self, *states, journal=""):
        self.states = list(states)
        self.journal = journal
        self.asked = []

    def __call__(self, command, **_options):
        self.asked.append(command)
        if command[0] == "journalctl":
            return 0, self.journal, ""
        active, sub, restarts = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return 0, f"ActiveState={active}\nSubState={sub}\nNRestarts={restarts}\nLoadState=loaded\n", ""


RUNNING = ("active", "running", 0)


@pytest.fixture
def systemd(monkeypatch):
    """Replace what the module runs; waiting takes no time."""
    monkeypatch.setattr(node_ready, "INTERVAL", 0.02)

    def pretend(*states, journal=""):
        told = Systemd(*(states or [RUNNING]), journal=journal)
        # No function, so it stays unbound: it gets the command and not the module.
        monkeypatch.setattr(node_ready.AnsibleModule, "run_command", told)
        return told

    return pretend


def node(status=None, health=None):
    return {"/status": status or reply(body={"Version": "0.9.1"}), "/healthz": health or reply(body=b"")}


def wait(server, **arguments):
    urls = {"cli_url": server.url, "health_url": f"{server.url}/healthz"}
    return run_module(node_ready, **{"unit": UNIT, "timeout": 1, **urls, **arguments})


def container(port, creator=CREATOR, status="running", restarts=0, exit_code=0, **model):
    model = {**MODEL, **model}
    name = f"{model['pipeline']}-{port}"
    return {
        "Id": name,
        "Name": f"/{name}",
        "RestartCount": restarts,
        "State": {"Status": status, "ExitCode": exit_code},
        "Config": {
            "Image": "livepeer/ai-runner:llm",
            "Labels": {"creator": "ai-worker", "creator_id": creator},
            "Env": [f"PIPELINE={model['pipeline']}", f"MODEL_ID={model['model_id']}"],
        },
        "HostConfig": {"PortBindings": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}},
    }


def engine(tmp_path, *containers, log="Traceback"):
    line = log.encode()
    answers = {"/containers/json": reply(body=[{"Id": one["Id"]} for one in containers])}
    for one in containers:
        answers[f"/containers/{one['Id']}/json"] = reply(body=one)
        answers[f"/containers/{one['Id']}/logs"] = reply(body=struct.pack(">BxxxI", 2, len(line)) + line)
    return serve_docker(tmp_path / "docker.sock", answers)


def port_of(server):
    return server.server_address[1]


def test_ready(systemd):
    systemd()
    with serve(node()) as server:
        result = wait(server)
    assert (result["changed"], result["version"], result["runners"]) == (False, "0.9.1", [])


def test_waits_until_the_ports_open(systemd):
    systemd()
    routes = node(status=[reply(503, "starting"), reply(body={}), reply(body={"Version": "0.9.1"})])
    with serve(routes) as server:
        assert wait(server, timeout=5)["version"] == "0.9.1"
        assert [one["path"] for one in server.seen].count("/status") == 3


def test_stays_well_for_a_while(systemd):
    systemd(
        RUNNING, RUNNING, RUNNING, ("activating", "auto-restart", 0), journal="Orchestrator not available at https://x "
    )
    with serve(node()) as server:
        result = wait(server, settle=5, timeout=10)
    assert result["failed"]
    assert result["msg"].startswith(f"{UNIT} ended: it cannot reach itself at its service address https://x: open")


def test_deaths_before_the_wait_are_forgiven_unless_the_start_was_fresh(systemd):
    systemd(("active", "running", 3))
    with serve(node()) as server:
        assert wait(server)["version"] == "0.9.1"
        assert wait(server, fresh=True)["failed"]
        assert wait(server, fresh=True, deaths=3)["version"] == "0.9.1"


@pytest.mark.parametrize("state", [("failed", "failed", 0), ("inactive", "dead", 0)])
def test_a_unit_that_will_not_start_again_is_not_waited_for(systemd, state):
    systemd(state, journal="Missing -orchSecret")
    with serve({}) as server:
        result = wait(server, timeout=60)
    assert result["seconds"] < 5
    assert result["reason"] == "it has no orchSecret"
    assert result["msg"] == f"{UNIT} ended: it has no orchSecret. The end of its journal:\nMissing -orchSecret"


def test_time_is_up(systemd):
    systemd()
    with serve(node(health=reply(404, ""))) as server:
        result = wait(server, timeout=0)
    assert result["reason"] == "is not ready after 0 s: its HTTP port answers /healthz with 404"
    assert result["msg"].endswith("The end of its journal:\n(empty)")


def test_ports_that_nobody_answers(systemd):
    systemd()
    with serve({}) as server:
        pass
    assert "its CLI port does not answer ([Errno 111] Connection refused)" in wait(server, timeout=0)["msg"]


def test_warm_runners_of_this_node_only(systemd, tmp_path):
    systemd()
    routes = {**node(), "/health": reply(body={"status": "IDLE"})}
    with serve(routes) as server:
        port = port_of(server)
        wanted = {"runners": [MODEL], "creator_id": CREATOR, "docker_socket": str(tmp_path / "docker.sock")}
        with engine(tmp_path, container(1, creator="other:8935"), container(port)):
            result = wait(server, **wanted)
        assert result["runners"] == [{"name": f"llm-{port}", "url": f"http://127.0.0.1:{port}", "status": "IDLE"}]


def test_two_warm_runners_of_one_model_are_two_containers(systemd, tmp_path):
    systemd()
    with (
        serve({**node(), "/health": reply(body={"status": "OK"})}) as server,
        engine(tmp_path, container(port_of(server))),
    ):
        result = wait(
            server,
            runners=[MODEL, MODEL],
            creator_id=CREATOR,
            docker_socket=str(tmp_path / "docker.sock"),
            timeout=0,
        )
    assert "it has no container for llm a/b" in result["msg"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(body={"status": "LOADING"}), "answers /health with 200 and status 'LOADING'"),
        (reply(body={"status": "ERROR"}), "answers /health with 200 and status 'ERROR'"),
        (reply(503, {"status": "OK"}), "answers /health with 503 and status 'OK'"),
        (reply(body=[{"status": "OK"}, 503]), "answers /health with 200 and status None"),
        (reply(body=b"<html>"), "answers /health with 200 and status None"),
    ],
)
def test_runner_is_judged_by_body_and_code(systemd, tmp_path, answer, words):
    systemd()
    with serve({**node(), "/health": answer}) as server, engine(tmp_path, container(port_of(server))):
        socket = str(tmp_path / "docker.sock")
        result = wait(server, runners=[MODEL], creator_id=CREATOR, docker_socket=socket, timeout=0)
    assert f"the runner of llm a/b {words}" in result["msg"]


LIVE = {"pipeline": "live-video-to-video", "model_id": "my-pipeline"}


def test_a_live_pipeline_is_waited_for_until_it_is_idle(systemd, tmp_path):
    """The node opens its ports while a live runner still loads: first 500, then LOADING, then IDLE."""
    systemd()
    states = [reply(500, {"detail": {"msg": "Failed to retrieve pipeline status."}})]
    states += [reply(body={"status": status}) for status in ("LOADING", "IDLE")]
    with serve({**node(), "/health": states}) as server, engine(tmp_path, container(port_of(server), **LIVE)):
        result = wait(
            server, timeout=5, runners=[LIVE], creator_id=CREATOR, docker_socket=str(tmp_path / "docker.sock")
        )
        asked = [one["path"] for one in server.seen].count("/health")
    assert [runner["status"] for runner in result["runners"]] == ["IDLE"]
    assert asked == 3


def test_a_live_pipeline_that_streams_is_ready(systemd, tmp_path):
    systemd()
    routes = {**node(), "/health": reply(body={"status": "OK"})}
    with serve(routes) as server, engine(tmp_path, container(port_of(server), **LIVE)):
        result = wait(server, runners=[LIVE], creator_id=CREATOR, docker_socket=str(tmp_path / "docker.sock"))
    assert [runner["status"] for runner in result["runners"]] == ["OK"]


def test_docker_is_gone(systemd):
    systemd()
    with serve(node()) as server:
        result = wait(server, runners=[MODEL], docker_socket="/nonexistent.sock", timeout=0)
    assert "the Docker Engine at /nonexistent.sock does not answer" in result["msg"]


def test_a_runner_that_ended_for_good_is_not_waited_for(systemd, tmp_path):
    systemd()
    ended = container(1, status="exited", restarts=3, exit_code=1)
    with serve({}) as server, engine(tmp_path, ended, log="torch.OutOfMemoryError: CUDA out of memory"):
        socket = str(tmp_path / "docker.sock")
        result = wait(server, runners=[MODEL], creator_id=CREATOR, docker_socket=socket, timeout=60)
    assert result["seconds"] < 5
    assert "has a runner that will not start again" in result["msg"]
    assert "The runner llm-1: the GPU has too little memory for the model" in result["msg"]


def test_secrets_are_hidden_where_the_journal_repeats_them(systemd, tmp_path):
    (tmp_path / "secrets.env").write_text('LP_ETHURL="https://rpc/KEY"\n')
    systemd(("failed", "failed", 0), journal="| EthUrl | https://rpc/KEY |\nE1 x 1 a:1] dial https://rpc/KEY failed")
    with serve({}) as server:
        result = wait(server, secrets_file=str(tmp_path / "secrets.env"))
    assert "KEY" not in result["msg"] + str(result["journal"])
    assert "dial (hidden) failed" in result["msg"]


def test_journal_of_this_start_only(systemd):
    told = systemd(("failed", "failed", 0))
    with serve({}) as server:
        wait(server, fresh=True)
    assert any(part.startswith("--since=-") for part in told.asked[-1])
