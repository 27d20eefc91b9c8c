#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: service_restart
short_description: Restart the container of a service, and watch that it says healthy only when it is
version_added: "1.0.0"
description:
  - Stops the container, starts it again and watches its health address from the first moment.
  - The moment it says healthy, a request must be answered. One that says so while it still loads is given jobs that it
    cannot do, which is how most services lie.
  - The service is away meanwhile. Its orchestrator may drop a capability whose service it cannot reach.
author: "livepeer.ai contributors (@livepeer-ai)"
extends_documentation_fragment:
  - livepeer.ai._attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is restarted. RV(verdict) is V(unknown).
  diff_mode:
    support: N/A
    details:
      - The container is the same before and after.
  idempotent:
    support: none
    details:
      - It restarts the container each time.
options:
  name:
    description: Name of the service, for the report.
    type: str
    required: true
  route:
    description: How the network reaches it, for the report.
    type: str
    choices: [byoc, live_runner]
    default: byoc
  container:
    description: Name of its container.
    type: str
    required: true
  health_url:
    description: Health address of the service.
    type: str
    required: true
  healthy_status:
    description: Status that means healthy.
    type: int
    default: 200
  url:
    description: Base address of the service, without the route of the request.
    type: str
    required: true
  path:
    description: Route of the request.
    type: str
    default: v1/infer
  body:
    description: What is posted to it, as JSON.
    type: dict
    default: {}
  status:
    description: Status that the request is answered with.
    type: int
    default: 200
  token:
    description: Bearer token that the service wants.
    type: str
    default: ""
  request_timeout:
    description: Seconds that the answer to the request may take.
    type: float
    default: 60
  timeout:
    description: Seconds that the service may take to become healthy.
    type: float
    default: 600
  docker_socket:
    description: Socket of the Docker Engine.
    type: path
    default: /var/run/docker.sock
  fail:
    description: Whether a failed check fails the task. With V(false) it is only reported, in RV(checks).
    type: bool
    default: true
seealso:
  - module: livepeer.ai.service_info
"""

EXAMPLES = r"""
- name: Watch a start of the embeddings
  livepeer.ai.service_restart:
    name: sentence-embeddings
    container: livepeer-service-sentence-embeddings
    health_url: http://127.0.0.1:8600/health
    url: http://127.0.0.1:8600
    body:
      texts: [a quiet harbour at dawn]
"""

RETURN = r"""
verdict:
  description: V(passed), V(failed) or V(unknown).
  returned: always
  type: str
  sample: passed
checks:
  description:
    - The judgement C(service_start), with C(check), C(subject), C(status), C(sentence), C(seconds) and C(remedy).
  returned: always
  type: list
  elements: dict
  sample:
    - check: service_start
      subject: byoc sentence-embeddings
      status: passed
      sentence: It said healthy 4.2 s after its start and answered a request at once; before, 37 looks found it loading.
      seconds: 4.2
      remedy: ""
seen:
  description: What the looks at the health address found, in order, with C(said), C(looks) and C(since) in seconds.
  returned: always
  type: list
  elements: dict
  sample:
    - said: it answers 503 (loading)
      looks: 37
      since: 0.1
"""

import json
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, UNKNOWN, finish, make_check
from ansible_collections.livepeer.ai.plugins.module_utils._http import HttpClient, HttpFailure, clause, join_url
from ansible_collections.livepeer.ai.plugins.module_utils._request import counted
from ansible_collections.livepeer.ai.plugins.module_utils._runner_container import (
    DockerError,
    DockerSocket,
    likely_cause,
)
from ansible_collections.livepeer.ai.plugins.module_utils._service_health import look_at_health

# Short, because a lie may last for a moment only.
INTERVAL = 0.1
# The node gives a health address three seconds.
HEALTH_TIMEOUT = 3.0
# Docker kills a container that does not end by itself; the service's own time to end may be long.
ORDER_TIMEOUT = 300.0
LOG_LINES = 25


class ServiceRestart:
    """Stops, starts, watches."""

    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.docker = DockerSocket(module.params["docker_socket"])
        self.health = HttpClient(HEALTH_TIMEOUT, validate_certs=False)
        self.client = HttpClient(module.params["request_timeout"], validate_certs=False, token=module.params["token"])
        self.seen = []
        self.restarted = False
        self.started = time.monotonic()

    def run(self):
        try:
            container = self.docker.inspect(self.params["container"])
            if container is None:
                sentence = f"There is no container {self.params['container']}."
                self.finish(FAILED, sentence, "Run the role that starts it first.")
            if self.module.check_mode:
                self.finish(UNKNOWN, "Nothing was restarted, because this is a check run.", "Run without --check.")
            self.restarted = True
            self.docker.stop(container, ORDER_TIMEOUT)
            taken, _said, _remedy = self.look()
            self.started = time.monotonic()
            self.docker.start(container, ORDER_TIMEOUT)
            if taken:
                self.finish_taken()
            self.watch()
        except DockerError as error:
            self.finish(
                FAILED, f"The container cannot be restarted: {error}.", "Read the journal of the Docker Engine."
            )

    def look(self):
        return look_at_health(self.health, self.params["health_url"], self.params["healthy_status"])

    def watch(self):
        restarts = None
        while True:
            healthy, said, remedy = self.look()
            if healthy:
                self.judge_first_request()
            self.note(said)
            container = self.docker.inspect(self.params["container"])
            if container is None or container.ended or restarts not in (None, container.restarts):
                self.finish_ended(container)
            restarts = container.restarts
            if self.seconds() > self.params["timeout"]:
                self.finish(FAILED, f"After {self.params['timeout']:g} s it is not healthy: {said}.", remedy)
            time.sleep(INTERVAL)

    def note(self, said):
        """Equal findings in a row are one line."""
        if not self.seen or self.seen[-1]["said"] != said:
            self.seen.append({"said": said, "looks": 0, "since": round(self.seconds(), 1)})
        self.seen[-1]["looks"] += 1

    def seconds(self):
        return time.monotonic() - self.started

    def judge_first_request(self):
        after = f"{self.seconds():.1f} s after its start"
        problem = self.problem_of_request()
        if problem:
            self.finish(
                FAILED,
                f"It said healthy {after} and did not answer a request then: {problem}.",
                "Let the service say healthy only when its model is loaded; until then 503 is right.",
            )
        before = f"; before, {self.history()}" if self.seen else ""
        self.finish(PASSED, f"It said healthy {after} and answered a request at once{before}.")

    def history(self):
        return ", then ".join(f"{counted(part['looks'], 'look')} found that {part['said']}" for part in self.seen)

    def problem_of_request(self):
        body, headers = json.dumps(self.params["body"]).encode("utf-8"), {"Content-Type": "application/json"}
        try:
            answer = self.client.request("POST", join_url(self.params["url"], self.params["path"]), body, headers)
        except HttpFailure as failure:
            return clause(failure.sentence)
        if answer.status != self.params["status"]:
            said = answer.error_text().rstrip(".")
            return f"it answered {answer.status}" + (f" ({said})" if said else "")
        return "" if answer.body.strip() else "its answer was empty"

    def finish_taken(self):
        """What answers while the container is stopped is not the service, and nothing could be learnt from it."""
        url = self.params["health_url"]
        sentence = f"{url} said healthy while the container was stopped: something else answers there."
        self.finish(FAILED, sentence, "Free the port, or correct the health address.")

    def finish_ended(self, container):
        lines = self.docker.log_tail(container, LOG_LINES) if container else []
        _name, cause, remedy = likely_cause(container, lines) if container else ("", "it is gone", "")
        last = f": {cause}" if cause else ""
        self.finish(FAILED, f"Its container ended while it started{last}.", remedy or "Read the log of the container.")

    def finish(self, status, sentence, remedy=""):
        subject = f"{self.params['route']} {self.params['name']}"
        check = make_check("service_start", subject, status, sentence, self.seconds(), remedy)
        finish(self.module, {"seen": self.seen}, [check], changed=self.restarted)


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "route": {"type": "str", "choices": ["byoc", "live_runner"], "default": "byoc"},
            "container": {"type": "str", "required": True},
            "health_url": {"type": "str", "required": True},
            "healthy_status": {"type": "int", "default": 200},
            "url": {"type": "str", "required": True},
            "path": {"type": "str", "default": "v1/infer"},
            "body": {"type": "dict", "default": {}},
            "status": {"type": "int", "default": 200},
            "token": {"type": "str", "default": "", "no_log": True},
            "request_timeout": {"type": "float", "default": 60},
            "timeout": {"type": "float", "default": 600},
            "docker_socket": {"type": "path", "default": "/var/run/docker.sock"},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    ServiceRestart(module).run()


if __name__ == "__main__":
    main()
