#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_ready
short_description: Wait until a go-livepeer node serves, or say why it does not
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Waits until a node's CLI port answers C(/status), its HTTP port answers C(/healthz), and every warm runner it should
    have answers C(/health) with status 200 and V(OK) or V(IDLE) in the body.
  - A started unit proves nothing, because go-livepeer ends most failed starts with exit status 0, and opens its ports
    only after every warm runner has loaded.
  - Gives up early when the unit has ended more often than O(deaths) allows, and says why in the words of the journal.
  - The journal is quoted without the table of settings that the node prints, and with the values of O(secrets_file)
    hidden.
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  unit:
    description: The systemd unit of the node.
    type: str
    required: true
  cli_url:
    description: The base URL of the node's CLI port.
    type: str
    required: true
  health_url:
    description:
      - The URL of the node's C(/healthz).
      - Its certificate is not verified, because the node makes a new one at every start.
    type: str
    required: true
  creator_id:
    description: The label by which the node's runners are found, its service address.
    type: str
    default: ""
  runners:
    description: The warm runners it must have.
    type: list
    elements: dict
    default: []
    suboptions:
      pipeline:
        description: The pipeline.
        type: str
        required: true
      model_id:
        description: The model.
        type: str
        required: true
  docker_socket:
    description: The socket of the Docker Engine.
    type: path
    default: /var/run/docker.sock
  fresh:
    description: Whether the unit has just been started, so that every end of it counts, earlier ones too.
    type: bool
    default: false
  deaths:
    description: How many ends of the unit are forgiven.
    type: int
    default: 0
  settle:
    description:
      - How many seconds everything must stay well before the node counts as ready.
      - An orchestrator that cannot reach its own service address ends some seconds after its ports have opened.
    type: int
    default: 0
  timeout:
    description: How many seconds to wait.
    type: int
    default: 900
  secrets_file:
    description: An environment file whose values are hidden where the journal repeats them.
    type: path
"""

EXAMPLES = r"""
- name: Wait for an orchestrator with one warm runner
  livepeer.ai.node_ready:
    unit: livepeer-orchestrator.service
    cli_url: http://127.0.0.1:7935
    health_url: https://127.0.0.1:8935/healthz
    creator_id: gpu1.example.com:8935
    runners:
      - pipeline: text-to-image
        model_id: SG161222/RealVisXL_V4.0_Lightning
"""

RETURN = r"""
version:
  description: The version that the node reports.
  returned: success
  type: str
runners:
  description: The warm runners, each with name, url and status.
  returned: success
  type: list
  elements: dict
seconds:
  description: How long the wait was.
  returned: always
  type: float
reason:
  description: Why the node does not serve.
  returned: failure
  type: str
journal:
  description: The end of its journal.
  returned: failure
  type: list
  elements: str
"""

import json
import ssl
import time
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils import _journal
from ansible_collections.livepeer.ai.plugins.module_utils._runner_container import (
    DockerError,
    DockerSocket,
    likely_cause,
)

INTERVAL = 1.0
# go-livepeer lets Docker start a failed runner this often, then waits for it all the same until its own time is up.
RUNNER_RESTARTS = 3
# A runner answers nothing while it computes; one that computes for longer is asked again.
RUNNER_TIMEOUT = 20
JOURNAL_LINES = 200
SHOWN_LINES = 25


class NotYet(Exception):
    """Something is missing that may still come. The text says what."""


class NodeReady:
    """Asks the unit, the ports and the runners until all is well or hope is gone."""

    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.docker = DockerSocket(self.params["docker_socket"])
        self.runner_trouble = ""
        self.started = time.monotonic()
        self.baseline = None if not self.params["fresh"] else 0
        # Only the node's own addresses are asked: no proxy, and no check of a certificate that is new at every start.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def run(self):
        well_since = None
        while True:
            self.watch_runners()
            if self.is_dead(self.unit_state()):
                self.fail("ended")
            try:
                answer = self.ask()
                waiting_for = "staying well"
                well_since = well_since or time.monotonic()
            except NotYet as missing:
                waiting_for = str(missing)
                well_since = None
            if well_since and time.monotonic() - well_since >= self.params["settle"]:
                self.module.exit_json(changed=False, seconds=self.seconds(), **answer)
            if self.seconds() > self.params["timeout"]:
                self.fail(f"is not ready after {self.params['timeout']} s: {waiting_for}")
            time.sleep(INTERVAL)

    def seconds(self):
        return round(time.monotonic() - self.started, 1)

    def unit_state(self):
        properties = "--property=ActiveState,SubState,NRestarts,LoadState"
        _rc, out, _err = self.module.run_command(["systemctl", "show", properties, self.params["unit"]])
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def is_dead(self, state):
        """True if the unit has ended more often than is forgiven, or will not be started again."""
        if state.get("ActiveState") in ("inactive", "failed") or state.get("LoadState") == "not-found":
            return True
        deaths = int(state.get("NRestarts") or 0) + (state.get("SubState") == "auto-restart")
        if self.baseline is None:
            self.baseline = deaths
        return deaths - self.baseline > self.params["deaths"]

    def watch_runners(self):
        """Remember why a runner ended: the node removes the container, and its log, before it ends itself."""
        if not self.params["runners"]:
            return
        try:
            for container in self.docker.runners():
                if container.creator_id == self.params["creator_id"] and container.restarts + container.ended:
                    _name, sentence, remedy = likely_cause(container, self.docker.log_tail(container, 30))
                    self.runner_trouble = f" The runner {container.name}: {sentence}. {remedy}"
                    if container.ended and (container.restarts >= RUNNER_RESTARTS or container.exit_code == 0):
                        self.fail("has a runner that will not start again")
        except DockerError:
            # The engine's absence shows in what the node itself says.
            return

    def ask(self):
        """What a ready node tells; NotYet otherwise."""
        status, body = self.get(f"{self.params['cli_url']}/status", "its CLI port")
        version = self.json(body).get("Version")
        if status != 200 or not version:
            raise NotYet(f"its CLI port answers /status with {status}")
        status, _body = self.get(self.params["health_url"], "its HTTP port")
        if status != 200:
            raise NotYet(f"its HTTP port answers /healthz with {status}")
        return {"version": version, "runners": self.warm_runners() if self.params["runners"] else []}

    def get(self, url, who, timeout=5):
        try:
            with self.opener.open(url, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, ValueError) as error:
            raise NotYet(f"{who} does not answer ({getattr(error, 'reason', error)})") from error

    @staticmethod
    def json(body):
        try:
            found = json.loads(body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def warm_runners(self):
        """The node's containers, one for each wanted runner, all of them healthy."""
        try:
            existing = [c for c in self.docker.runners() if c.creator_id == self.params["creator_id"]]
        except DockerError as error:
            raise NotYet(str(error)) from error
        found = []
        for wanted in self.params["runners"]:
            name = f"{wanted['pipeline']} {wanted['model_id']}"
            runner = next((c for c in existing if f"{c.pipeline} {c.model_id}" == name), None)
            if runner is None or not runner.url:
                raise NotYet(f"it has no container for {name}")
            existing.remove(runner)
            found.append({"name": runner.name, "url": runner.url, "status": self.runner_status(name, runner)})
        return found

    def runner_status(self, name, runner):
        code, body = self.get(f"{runner.url}/health", f"the runner of {name}", RUNNER_TIMEOUT)
        status = self.json(body).get("status")
        if code != 200 or status not in ("OK", "IDLE"):
            raise NotYet(f"the runner of {name} answers /health with {code} and status {status!r}")
        return status

    def journal(self):
        command = ["journalctl", "--no-pager", "--output=cat", f"--lines={JOURNAL_LINES}"]
        command += ["--unit", self.params["unit"]]
        if self.params["fresh"]:
            # Ten seconds more than the wait: the unit was started shortly before this module.
            command.append(f"--since=-{int(self.seconds()) + 10}s")
        _rc, out, _err = self.module.run_command(command)
        return _journal.readable(out.splitlines(), self.secrets())

    def secrets(self):
        """Values that must not be repeated, read where they lie: they never pass through a task's arguments."""
        try:
            with open(self.params["secrets_file"] or "", encoding="utf-8") as file:
                return [line.strip().split("=", 1)[1].strip('"') for line in file if "=" in line]
        except OSError:
            return []

    def fail(self, what):
        lines = self.journal()
        reason = _journal.reason(lines)
        tail = "\n".join(lines[-SHOWN_LINES:]) or "(empty)"
        self.module.fail_json(
            msg=(
                f"{self.params['unit']} {what}{f': {reason}' if reason else ''}.{self.runner_trouble}"
                f" The end of its journal:\n{tail}"
            ),
            reason=reason or what,
            journal=lines[-SHOWN_LINES:],
            seconds=self.seconds(),
        )


def main():
    runner = {"pipeline": {"type": "str", "required": True}, "model_id": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "cli_url": {"type": "str", "required": True},
            "health_url": {"type": "str", "required": True},
            "creator_id": {"type": "str", "default": ""},
            "runners": {"type": "list", "elements": "dict", "default": [], "options": runner},
            "docker_socket": {"type": "path", "default": "/var/run/docker.sock"},
            "fresh": {"type": "bool", "default": False},
            "deaths": {"type": "int", "default": 0},
            "settle": {"type": "int", "default": 0},
            "timeout": {"type": "int", "default": 900},
            "secrets_file": {"type": "path", "no_log": False},
        },
        supports_check_mode=True,
    )
    NodeReady(module).run()


if __name__ == "__main__":
    main()
