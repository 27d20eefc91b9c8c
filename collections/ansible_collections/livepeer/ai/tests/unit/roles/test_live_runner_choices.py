# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role live_runner refuses before it changes anything, and what its switch in the role orchestrator does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.livepeer.ai.tests.unit.liars import reply, serve

ROLES = Path(__file__).resolve().parents[3] / "roles"
REPOSITORY = Path(__file__).resolve().parents[7]
OFF = reply(404, "live runners are not supported\n", "text/plain; charset=utf-8")
NODE = {
    "/registerLiveRunners": reply(body={"runners": []}),
    "/discovery": reply(body=[{"address": "https://gpu1.example.com:8935"}]),
    "/IsOrchestrator": reply(body="true", content_type="text/plain"),
}
EXTERNAL = {"name": "chat", "route": "live_runner", "source": "external", "url": "http://192.0.2.7:9000"}


def ansible(tmp_path, tasks, *arguments, **variables):
    play = {"name": "Try", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([{**play, **variables}]))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", *arguments, str(playbook)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def preflight(tmp_path):
    """Run the role's preflight against a node on this machine."""

    def run(*services, routes=None, file='{"runners": []}', **variables):
        path = tmp_path / "live_runners.json"
        if file is not None:
            path.write_text(file)
        with contextlib.ExitStack() as stack:
            node = stack.enter_context(serve({**NODE, **(routes or {})}))
            facts = {
                "ansible_python_interpreter": sys.executable,
                "live_runner_services": list(services),
                "live_runner_orchestrator_cli_url": node.url,
                "live_runner_orchestrator_url": node.url,
                "live_runner_config_path": str(path),
                **variables,
            }
            role = {"name": "livepeer.ai.live_runner", "tasks_from": "preflight"}
            return ansible(tmp_path, [{"name": "Judge", "ansible.builtin.include_role": role}], vars=facts)

    return run


def test_a_service_that_can_be_served(preflight):
    code, said = preflight(EXTERNAL)
    assert code == 0, said


@pytest.mark.parametrize(
    ("services", "given", "words"),
    [
        (
            [{**EXTERNAL, "mode": "oneshot"}],
            {},
            "live_runner_services has a problem: entry 0 (chat), mode: is 'oneshot'",
        ),
        (
            [EXTERNAL, {**EXTERNAL, "name": "again"}],
            {},
            "live_runner_services has a problem: again, url: leads to http://192.0.2.7:9000, where chat is as well",
        ),
        (
            [EXTERNAL],
            {"live_runner_network": "arbitrum-one-mainnet"},
            "price: is missing: on-chain, go-livepeer takes no",
        ),
        ([EXTERNAL], {"routes": {"/registerLiveRunners": OFF, "/discovery": OFF}}, "runs without live runners. Set"),
        ([EXTERNAL], {"file": None}, "does not exist on this host, though the orchestrator takes live runners"),
        ([EXTERNAL], {"file": "{"}, "holds no JSON, so the orchestrator would not start with it"),
    ],
)
def test_what_is_refused(preflight, services, given, words):
    code, said = preflight(*services, **given)
    assert code != 0
    assert words in said


def test_without_services_no_node_is_asked(preflight):
    code, said = preflight(routes={"/registerLiveRunners": OFF, "/discovery": OFF}, file=None)
    assert code == 0, said


@pytest.mark.parametrize("switch", [None, False, True])
def test_the_switch_of_the_orchestrator(tmp_path, switch):
    settings = "{{ __orchestrator_settings | livepeer.ai.node_config(orchestrator_version, others='skip') }}"
    tasks = [
        {
            "name": "Show",
            "ansible.builtin.debug": {"msg": f"CONFIG {settings} PROOFS {{{{ __orchestrator_node.proofs }}}}"},
        }
    ]
    code, said = ansible(
        tmp_path,
        tasks,
        *([] if switch is None else ["--extra-vars", f'{{"orchestrator_live_runners": {str(switch).lower()}}}']),
        vars_files=[str(ROLES / "orchestrator/defaults/main.yml"), str(ROLES / "orchestrator/vars/main.yml")],
        vars={"orchestrator_service_addr": "gpu1.example.com:8935"},
    )
    assert code == 0, said
    path = yaml.safe_load((ROLES / "live_runner/defaults/main.yml").read_text())["live_runner_config_path"]
    if switch:
        assert f"liveRunnerConfig {path}" in said
        assert "json.tool" in said
    else:
        assert "liveRunner" not in said
        assert "PROOFS []" in said
