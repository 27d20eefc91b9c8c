# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same worker against a real Docker Engine: what it asks for is what the engine does."""

from __future__ import annotations

import fcntl
import json
import subprocess
import tempfile
from pathlib import Path

import pytest
from node_helpers.process import NodeProcess, eventually, free_port

BASE = "livepeer-lab/python:trixie"  # made by lab/lab.py
IMAGE = "livepeer-node-test/runner:1"
NAME = "upscale_org-real-docker_8300"
RUNNER = """
import http.server, json, os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # as process 1 it would not hear it otherwise
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        named = {"pipeline": os.environ["PIPELINE"], "model_id": os.environ["MODEL_ID"]}
        body = json.dumps({"/health": {"status": "OK"}, "/version": {**named, "version": "0.14.1"},
                           "/hardware/info": {**named, "gpu_info": {}}}[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8000), H).serve_forever()
"""
pytestmark = pytest.mark.docker


def docker(*arguments, **options):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True, **options).stdout


@pytest.fixture(scope="module")
def image():
    if not docker("images", "-q", BASE).strip():
        pytest.fail(f"there is no image {BASE}; make it first: lab/lab.py up --lab test")
    recipe = f'FROM {BASE}\nCMD ["python3", "-c", {json.dumps(RUNNER)}]\n'
    docker("build", "-q", "-t", IMAGE, "-", input=recipe)
    yield IMAGE
    docker("rmi", "-f", IMAGE)


@pytest.fixture
def node(image, tmp_path):
    service = f"127.0.0.1:{free_port()}"
    models = tmp_path / "models"
    models.mkdir()
    (tmp_path / "aiModels.json").write_text('[{"pipeline": "upscale", "model_id": "org/real_docker", "warm": true}]')
    arguments = (
        *("-orchestrator", "-aiWorker", "-serviceAddr", service, "-cliAddr", f"127.0.0.1:{free_port()}"),
        *("-aiModels", tmp_path / "aiModels.json", "-aiModelsDir", models, "-aiVerboseLogs"),
        *("-aiRunnerImageOverrides", json.dumps({"batch": {"upscale": image}})),
    )
    with (Path(tempfile.gettempdir()) / "livepeer-node-tests-8300").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = NodeProcess(arguments, tmp_path, "", {}, {})
        process.service, process.models = service, models
        try:
            process.says("Livepeer Running in Orchestrator Mode", 60)
            yield process
        finally:
            process.kill()
            subprocess.run(["docker", "rm", "-f", NAME], capture_output=True, check=False)


def test_the_container_is_what_the_facts_say(node):
    (found,) = json.loads(docker("inspect", NAME))
    labels = found["Config"]["Labels"]
    assert (labels["creator"], labels["creator_id"]) == ("ai-worker", node.service)
    assert {"PIPELINE=upscale", "MODEL_ID=org/real_docker", "VERBOSE_LOGGING=1"} <= set(found["Config"]["Env"])
    assert found["HostConfig"]["PortBindings"] == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8300"}]}
    assert found["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert [(m["Source"], m["Destination"], m["RW"]) for m in found["Mounts"]] == [(str(node.models), "/models", True)]


def test_a_killed_container_comes_back_and_none_is_left_at_the_end(node):
    docker("rm", "-f", NAME)
    eventually(lambda: node.log.count(f"Watching container container={NAME}") == 2, 30)
    assert docker("inspect", "-f", "{{.State.Status}}", NAME) == "running\n"
    assert node.terminate() == 0
    assert docker("ps", "-aq", "--filter", f"name={NAME}") == "", node.log
