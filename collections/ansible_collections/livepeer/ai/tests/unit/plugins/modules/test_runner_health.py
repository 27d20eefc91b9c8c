# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each state of a runner and of its container, from servers that answer like them."""

from __future__ import annotations

import json
import struct
import urllib.parse

import pytest

from ansible_collections.livepeer.ai.plugins.modules import runner_health
from ansible_collections.livepeer.ai.tests.unit.liars import (
    CLOSE,
    STALL,
    free_port,
    reply,
    run_module,
    serve,
    serve_docker,
)

PIPELINE, MODEL = "text-to-image", "SG161222/RealVisXL_V4.0_Lightning"
GPU = {"0": {"id": "GPU-1", "name": "NVIDIA L4", "memory_total": 23034, "memory_free": 9000}}


def health(status):
    return reply(body={"status": status})


def routes(*healths, model=MODEL):
    return {
        "/health": list(healths),
        "/version": reply(body={"pipeline": PIPELINE, "model_id": model, "version": "0.14.1"}),
        "/hardware/info": reply(body={"pipeline": PIPELINE, "model_id": model, "gpu_info": GPU}),
    }


def run(**arguments):
    arguments = {"timeout": 1, "interval": 0.05, "docker_socket": "/nonexistent/docker.sock", **arguments}
    return run_module(runner_health, **arguments)


def container(
    state="running", exit_code=0, port=8000, name="one", restarts=0, error="", oom=False, created="2026", env=None
):
    return {
        "Id": name,
        "Name": f"/{name}",
        "Created": created,
        "RestartCount": restarts,
        "State": {"Status": state, "ExitCode": exit_code, "Error": error, "OOMKilled": oom},
        "Config": {
            "Tty": False,
            "Image": "livepeer/ai-runner:latest",
            "Labels": {"creator": "ai-worker"},
            "Env": env or [f"PIPELINE={PIPELINE}", f"MODEL_ID={MODEL}"],
        },
        "HostConfig": {"PortBindings": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}},
    }


def docker(tmp_path, *containers, log=""):
    """Docker's answers about some containers; logs come framed, as they do without a terminal."""
    line = log.encode()
    framed = struct.pack(">BxxxI", 2, len(line)) + line
    answers = {"/containers/json": reply(body=[{"Id": one["Id"]} for one in containers])}
    for one in containers:
        answers[f"/containers/{one['Id']}/json"] = reply(body=one)
        answers[f"/containers/{one['Id']}/logs"] = reply(body=framed, content_type="application/octet-stream")
    return serve_docker(tmp_path / "docker.sock", answers)


@pytest.mark.parametrize("status", ["OK", "IDLE"])
def test_ready(status):
    with serve(routes(health(status))) as runner:
        result = run(url=runner.url, pipeline=PIPELINE, model_id=MODEL)
    assert "failed" not in result
    assert not result["changed"]
    assert (result["verdict"], result["status"], result["version"], result["hardware"]) == (
        "passed",
        status,
        "0.14.1",
        GPU,
    )
    assert result["checks"][0]["check"] == "runner_health"
    assert result["checks"][0]["sentence"] == f"The runner is ready ({status}) with runner version 0.14.1."
    assert result["checks"][0]["remedy"] == ""


def test_ready_counts_in_a_row():
    """One good answer between two bad ones is not enough."""
    with serve(routes(health("OK"), reply(500, {"detail": {"msg": "no"}}), health("OK"), health("OK"))) as runner:
        result = run(url=runner.url, timeout=5)
        asked = [one["path"] for one in runner.seen].count("/health")
    assert result["verdict"] == "passed"
    # Four while it waits, one more for the report.
    assert asked == 5


def test_loading_becomes_ready():
    with serve(routes(reply(500, {"detail": {"msg": "x"}}), health("LOADING"), health("IDLE"))) as runner:
        assert run(url=runner.url, timeout=5)["verdict"] == "passed"


def told(result, failure, words, remedy=""):
    assert result["failed"]
    assert result["failure"] == failure
    check = result["checks"][0]
    assert check["status"] == "failed"
    assert words in check["sentence"]
    assert check["sentence"].endswith(".")
    assert remedy in check["remedy"]
    assert check["remedy"]
    assert result["msg"] == f"{check['sentence']} {check['remedy']}"


def test_refused_is_not_yet_until_the_time_is_up():
    result = run(url=f"http://127.0.0.1:{free_port()}", timeout=0.3)
    told(result, "refused", "The runner is not ready after 0 s: the connection to 127.0.0.1:")
    assert result["seconds"] >= 0.2


def test_error_with_code_200_fails_at_once():
    with serve(routes(health("ERROR"))) as runner:
        result = run(url=runner.url, timeout=60)
    told(result, "error_state", "it reports ERROR", "restart the orchestrator")
    assert result["seconds"] < 5


def test_still_loading():
    with serve(routes(health("LOADING"))) as runner:
        told(run(url=runner.url, timeout=0.2), "loading", "still loading", "Allow more time")


def test_server_error_that_stays():
    with serve(routes(reply(500, {"detail": {"msg": "Failed to retrieve pipeline status."}}))) as runner:
        told(run(url=runner.url, timeout=0.2), "http_500", "/health answers 500 (Failed to retrieve pipeline status.)")


def test_not_json_would_crash_the_node():
    with serve({"/health": reply(body='{"status": "OK"}', content_type="text/plain")}) as runner:
        told(run(url=runner.url), "not_json", "answers with text/plain instead of JSON", "crashes")


@pytest.mark.parametrize("body", ["[]", '[{"status": "OK"}, 503]', "{}", "OK"])
def test_no_status_in_the_body(body):
    with serve({"/health": reply(body=body)}) as runner:
        told(run(url=runner.url), "not_json", "/health holds no status")


def test_unknown_status():
    with serve(routes(health("FINE"))) as runner:
        told(run(url=runner.url), "bad_state", "unknown status FINE")


def test_not_a_runner():
    with serve({}) as other:
        told(run(url=other.url), "http_404", "/health answers 404")


def test_another_model_has_the_port():
    with serve(routes(health("OK"), model="org/other")) as runner:
        result = run(url=runner.url, pipeline=PIPELINE, model_id=MODEL)
    told(result, "wrong_model", "it serves text-to-image org/other")


def test_silence():
    with serve({"*": STALL}) as runner:
        told(run(url=runner.url, timeout=0.1, request_timeout=1), "timeout", "no complete answer within 1 s")


def test_closed():
    with serve({"*": CLOSE}) as runner:
        told(run(url=runner.url, timeout=0.1), "closed_without_reply", "closed the connection without a reply")


def test_never_ready_often_enough():
    with serve(routes(health("OK"))) as runner:
        told(run(url=runner.url, timeout=0.2, interval=0.15, consecutive=9), "not_ready", "not ready 9 times in a row")


def test_one_look_is_one_look():
    with serve(routes(health("OK"))) as runner:
        assert run(url=runner.url, timeout=0)["verdict"] == "passed"


def test_failure_only_reported():
    result = run(url=f"http://127.0.0.1:{free_port()}", timeout=0, fail=False)
    assert "failed" not in result
    assert result["verdict"] == "failed"


def test_check_mode_only_looks_anyway():
    with serve(routes(health("OK"))) as runner:
        assert run(url=runner.url, check_mode=True)["verdict"] == "passed"


def test_nothing_to_look_for():
    assert run()["msg"] == "Give url, or pipeline and model_id to find the runner's container by."


def test_found_by_pipeline_and_model(tmp_path):
    with serve(routes(health("OK"))) as runner:
        port = runner.server_address[1]
        old = container("exited", 1, port, "old", created="2025")
        other = container(port=free_port(), name="other", env=["PIPELINE=upscale", f"MODEL_ID={MODEL}"])
        with docker(tmp_path, old, other, container(port=port, name="new")) as engine:
            result = run(pipeline=PIPELINE, model_id=MODEL, docker_socket=str(tmp_path / "docker.sock"))
            asked = engine.seen[0]["path"]
    assert result["verdict"] == "passed"
    assert [one["url"] for one in result["runners"]] == [f"http://127.0.0.1:{port}"]
    assert result["runners"][0]["container"]["name"] == "new"
    assert json.loads(urllib.parse.parse_qs(asked.partition("?")[2])["filters"][0]) == {"label": ["creator=ai-worker"]}


def test_every_runner_of_the_model_counts(tmp_path):
    with serve(routes(health("OK"))) as good, serve(routes(health("ERROR"))) as bad:
        both = [container(port=server.server_address[1], name=name) for server, name in ((good, "good"), (bad, "bad"))]
        with docker(tmp_path, *both):
            result = run(pipeline=PIPELINE, model_id=MODEL, docker_socket=str(tmp_path / "docker.sock"))
    told(result, "error_state", "it reports ERROR")
    assert len(result["runners"]) == 2


def test_no_container(tmp_path):
    with docker(tmp_path):
        result = run(pipeline=PIPELINE, model_id=MODEL, timeout=0.1, docker_socket=str(tmp_path / "docker.sock"))
    told(result, "no_container", "no container of the node serves it", "aiModels.json")


def test_no_docker():
    told(
        run(pipeline=PIPELINE, model_id=MODEL, timeout=60),
        "no_docker",
        "its container cannot be looked for",
        "Docker Engine",
    )


CAUSES = [
    (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "cuda_out_of_memory",
        "CUDA out of memory",
    ),
    (
        "FileNotFoundError: [Errno 2] No such file or directory: '/models/models--x'",
        "missing_file",
        "a file of the model is missing",
    ),
    (
        "OSError: org/m does not appear to have a file named config.json",
        "missing_file",
        "a file of the model is missing",
    ),
    ("huggingface_hub.errors.LocalEntryNotFoundError: Cannot find the requested files", "missing_file", "missing"),
    ("safetensors_rust.SafetensorError: Error while deserializing header", "damaged_file", "is damaged"),
    ("huggingface_hub.errors.GatedRepoError: 403 Client Error", "gated", "gated"),
    ("RuntimeError: CUDA error: no kernel image is available for execution", "gpu_unsupported", "other GPUs"),
    ("OSError: [Errno 28] No space left on device", "disk_full", "the disk is full"),
    ("ModuleNotFoundError: No module named 'runner'", "image_broken", "its program cannot start"),
    ("it was dark and then it was not", "exited", "it exited with code 3"),
]


@pytest.mark.parametrize(("log", "cause", "words"), CAUSES)
def test_container_that_ended(tmp_path, log, cause, words):
    one = container("exited", 3, free_port(), restarts=3)
    with docker(tmp_path, one, log=f"loading\n{log}\n"):
        result = run(pipeline=PIPELINE, model_id=MODEL, timeout=60, docker_socket=str(tmp_path / "docker.sock"))
    told(result, "exited", "its container one has ended, restarted 3 times; likely cause: ")
    assert words in result["checks"][0]["sentence"]
    assert result["cause"] == cause
    assert f"({log})." in result["checks"][0]["sentence"]
    assert result["log_tail"] == result["checks"][0]["log_tail"] == ["loading", log]
    # No waiting for what will not come back.
    assert result["seconds"] < 5


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.6", "driver_too_old"),
        ('could not select device driver "" with capabilities: [[gpu]]', "gpu_unreachable"),
        ("Bind for 127.0.0.1:8000 failed: port is already allocated", "port_taken"),
    ],
)
def test_container_that_never_started(tmp_path, error, cause):
    with docker(tmp_path, container("exited", 128, free_port(), error=error)):
        result = run(pipeline=PIPELINE, model_id=MODEL, docker_socket=str(tmp_path / "docker.sock"))
    assert result["cause"] == cause


def test_killed_for_memory(tmp_path):
    with docker(tmp_path, container("exited", 137, free_port(), oom=True)):
        result = run(pipeline=PIPELINE, model_id=MODEL, docker_socket=str(tmp_path / "docker.sock"))
    told(result, "exited", "likely cause: it was killed", "memory")
    assert result["cause"] == "killed"


def test_restart_loop_behind_an_address(tmp_path):
    port = free_port()
    with docker(tmp_path, container("restarting", 1, port, restarts=2), log="RuntimeError: no\n"):
        result = run(url=f"http://127.0.0.1:{port}", timeout=0.2, docker_socket=str(tmp_path / "docker.sock"))
    told(result, "restart_loop", "restarted 2 times; likely cause: it exited with code 1")


def test_container_by_name(tmp_path):
    with docker(tmp_path, container("exited", 1, 1, "mine"), log="CUDA out of memory\n"):
        result = run(
            url=f"http://127.0.0.1:{free_port()}", container="mine", docker_socket=str(tmp_path / "docker.sock")
        )
    assert result["cause"] == "cuda_out_of_memory"


def test_tokens_stay_out_of_the_log_tail(tmp_path):
    token = "hf_" + "a" * 34
    with docker(tmp_path, container("exited", 1, free_port()), log=f"HF_TOKEN={token}\n"):
        result = run(pipeline=PIPELINE, model_id=MODEL, docker_socket=str(tmp_path / "docker.sock"))
    assert result["log_tail"] == ["HF_TOKEN=hf_***"]
