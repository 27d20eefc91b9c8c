# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts with live runners: what the flags need, which texts refuse, what a restart keeps (facts 1.6, 7.1)."""

from __future__ import annotations

import json
import socket

import pytest
from livepeer_node import web
from node_helpers.network import Service, fetch
from node_helpers.process import eventually, free_port, listens


@pytest.fixture
def service():
    made = Service(web.text("done"))
    yield made
    made.stop()


@pytest.fixture
def config(tmp_path):
    """config(entry, …) writes a document and returns its path."""

    def write(*entries):
        path = tmp_path / "runners.json"
        path.write_text(json.dumps({"runners": entries}))
        return path

    return write


@pytest.fixture
def start(start_node, tmp_path):
    """start(…) starts an orchestrator, always at the same addresses."""
    port, cli = free_port(), free_port()

    def run(*arguments, secret=("-orchSecret", "s3cret")):
        node = start_node(
            *("-orchestrator", "-serviceAddr", f"127.0.0.1:{port}", "-cliAddr", f"127.0.0.1:{cli}"),
            *("-dataDir", tmp_path / "data", *secret, *arguments),
            timing={"runner_health": 0.1, "runner_health_timeout": 1},
        )
        node.url, node.port, node.cli_url = f"https://127.0.0.1:{port}", port, f"http://127.0.0.1:{cli}"
        return node

    return run


def entry(service, **values):
    url = service if isinstance(service, str) else service.url
    known = {"label": "echo", "routing": "label", "runner_url": url, "health_url": "/health", "app": "echo"}
    return {**known, "mode": "single-shot", **values}


def ends(node, status, text):
    assert node.wait() == status, node.log
    assert text in node.log, node.log


def offers(node):
    (found,) = json.loads(fetch(f"{node.url}/discovery")[2])
    return [runner["url"] for runner in found.get("runners", [])]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "error reading -liveRunnerConfig: open {path}: no such file or directory"),
        ("", "error registering -liveRunnerConfig: unexpected end of JSON input"),
        ("[]", "error registering -liveRunnerConfig: json: cannot unmarshal array into Go value of type"),
        ('{"runners": [{}]}', "error registering -liveRunnerConfig: runners[0]: label is required and must be trimmed"),
    ],
)
def test_a_config_that_cannot_be_used_ends_with_1(start, tmp_path, content, text):
    path = tmp_path / "runners.json"
    if content is not None:
        path.write_text(content)
    ends(start("-liveRunnerConfig", path), 1, text.format(path=path))


def test_the_flags_need_a_secret(start, config):
    ends(start("-useLiveRunners", "-transcoder", secret=()), 1, "running with -useLiveRunners requires -orchSecret")
    # The document alone does not lift the demand for a secret, whatever the documentation says.
    ends(start("-liveRunnerConfig", config(), secret=()), 1, "Running an orchestrator requires an -orchSecret")


def test_a_config_needs_no_secret_where_the_orchestrator_needs_none(start, config):
    node = start("-liveRunnerConfig", config(), "-transcoder", secret=())
    node.says("No -orchSecret configured; dynamic LiveRunner heartbeat registration is disabled")
    node.says("Livepeer Running in Orchestrator Mode")


def test_a_bad_proxy_template_ends_with_1(start):
    text = "invalid -liveRunnerProxyUrl: live runner proxy url must contain exactly one {proxy} placeholder"
    ends(start("-useLiveRunners", "-liveRunnerProxyUrl", "https://h/run"), 1, text)


def test_an_empty_config_is_filled_at_run_time_and_forgotten_at_the_next_start(start, config, service):
    path = config()
    node = start("-liveRunnerConfig", path)
    node.says(f"Registered 0 static live runners from {path}")
    eventually(lambda: listens(node.port))
    assert offers(node) == []
    document = json.dumps({"runners": [entry(service)]})
    assert fetch(f"{node.cli_url}/registerLiveRunners", "POST", document)[0] == 200
    assert offers(node) == [f"{node.url}/apps/echo/app"]
    assert fetch(f"{node.url}/apps/echo/app/x", "POST", b"{}")[::2] == (200, b"done")
    assert node.terminate() == 0
    node = start("-liveRunnerConfig", path)
    eventually(lambda: listens(node.port))
    assert offers(node) == []


def test_a_config_outlives_a_restart_and_byoc_does_not(start, config, service):
    path = config(entry(service), entry(service, label="ill", health_url="http://127.0.0.1:1/"))
    declaration = json.dumps({"name": "echo", "url": service.url, "capacity": 1})
    job = {"Livepeer": "eyJpZCI6IjEiLCJyZXF1ZXN0Ijoie30iLCJjYXBhYmlsaXR5IjoiZWNobyIsInRpbWVvdXRfc2Vjb25kcyI6NX0="}
    answers = []
    for secret in ({"Authorization": "s3cret"}, None):
        node = start("-liveRunnerConfig", path)
        eventually(lambda node=node: listens(node.port))
        assert offers(node) == [f"{node.url}/apps/echo/app"]
        if secret:
            assert fetch(f"{node.url}/capability/register", "POST", declaration, secret)[0] == 200
        answers.append(fetch(f"{node.url}/process/request/x", "POST", b"", job)[::2])
        assert node.terminate() == 0
    assert answers == [(200, b"done"), (503, b"No capacity available for capability\n")]


def test_a_health_check_that_hangs_delays_the_service_port(start, config):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        node = start("-liveRunnerConfig", config(entry(url)))
        eventually(lambda: "CLI server listening" in node.log)
        assert not listens(node.port)
        eventually(lambda: listens(node.port))
        assert offers(node) == []


def test_the_self_check_asks_discovery(start, start_node, config, tmp_path):
    node = start("-liveRunnerConfig", config())
    node.says("Livepeer Node version: 0.9.1")
    eventually(lambda: listens(node.port))
    lost = start_node(
        *("-orchestrator", "-orchSecret", "x", "-useLiveRunners", "-serviceAddr", f"127.0.0.1:{free_port()}"),
        *("-httpAddr", f"127.0.0.1:{free_port()}", "-cliAddr", f"127.0.0.1:{free_port()}"),
        *("-dataDir", tmp_path / "lost"),
    )
    ends(lost, 0, "via discovery check; shutting down")
    assert node.running
