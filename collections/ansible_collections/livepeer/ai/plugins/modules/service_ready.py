#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_ready
short_description: Wait until a service is ready, or say why it is not
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Asks a service's health address until it answers with the status that means ready. Any other status, no answer and a
    hanging one mean not yet.
  - Gives up early when hope is gone, which is when the container has ended, when it ends again and again, or when the
    service itself says that its loading failed (JSON with C(status=error)).
  - Says why in the words of the container's log.
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  url:
    description: The health address.
    type: str
    required: true
  status:
    description: The HTTP status that means ready.
    type: int
    default: 200
  container:
    description: Name of the service's container. Empty for a service that somebody else runs.
    type: str
    default: ""
  timeout:
    description: How many seconds to wait.
    type: int
    default: 600
  restarts:
    description: How many ends of the container are forgiven while waiting.
    type: int
    default: 2
  docker_socket:
    description: The socket of the Docker Engine.
    type: path
    default: /var/run/docker.sock
"""

EXAMPLES = r"""
- name: Wait for a service
  livepeer.ai.service_ready:
    url: http://127.0.0.1:8600/health
    container: livepeer-service-embeddings
"""

RETURN = r"""
seconds:
  description: How long the wait was.
  returned: always
  type: float
reason:
  description: Why the service is not ready.
  returned: failure
  type: str
log:
  description: The end of the container's log.
  returned: failure
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._http import HttpClient, HttpFailure, clause, redact, shorten
from ansible_collections.livepeer.ai.plugins.module_utils._runner_container import (
    DockerError,
    DockerSocket,
    likely_cause,
)

INTERVAL = 0.5
# The orchestrator gives a health address three seconds.
ANSWER_TIMEOUT = 3.0
SHOWN_LINES = 25


class ServiceReady:
    """Asks the health address and looks at the container until one of them decides."""

    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.docker = DockerSocket(self.params["docker_socket"])
        self.client = HttpClient(ANSWER_TIMEOUT)
        self.started = time.monotonic()
        self.baseline = None

    def run(self):
        while True:
            ready, said, hopeless = self.ask()
            if ready:
                self.module.exit_json(changed=False, seconds=self.seconds())
            if hopeless:
                self.fail(f"cannot load: {said}")
            self.look_at_container()
            if self.seconds() > self.params["timeout"]:
                self.fail(f"is not ready after {self.params['timeout']} s: {said}")
            time.sleep(INTERVAL)

    def seconds(self):
        return round(time.monotonic() - self.started, 1)

    def ask(self):
        """(whether it is ready, what it says, whether it says that it never will be)"""
        try:
            answer = self.client.get(self.params["url"])
        except HttpFailure as failure:
            return False, clause(failure.sentence), False
        if answer.status == self.params["status"]:
            return True, "", False
        status, reason = self.own_words(answer)
        words = f" ({shorten(redact(reason))})" if reason else ""
        return False, f"{redact(self.params['url'])} answers {answer.status}{words}", status == "error"

    @staticmethod
    def own_words(answer):
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            return "", ""
        return str(document.get("status") or ""), str(document.get("reason") or "")

    def look_at_container(self):
        if not self.params["container"]:
            return
        try:
            container = self.docker.inspect(self.params["container"])
        except DockerError:
            # An engine that restarts comes back, and the container with it.
            return
        if container is None:
            self.fail("is gone")
        if self.baseline is None:
            self.baseline = container.restarts
        if container.ended:
            self.fail("has ended and is not started again", ended=True)
        if container.restarts - self.baseline > self.params["restarts"]:
            self.fail("ends again and again", ended=True)

    def fail(self, what, ended=False):
        container, lines = self.last_words()
        # In the log of one that runs, words that sound like a cause may be none.
        cause = likely_cause(container, lines)[1] if container and ended else ""
        who = f"The container {self.params['container']}" if self.params["container"] else "The service"
        tail = "\n".join(lines) or "(empty)"
        log = f" The end of its log:\n{tail}" if container else ""
        self.module.fail_json(
            msg=f"{who} {what}{f': {cause}' if cause else ''}.{log}",
            reason=cause or what,
            log=lines,
            seconds=self.seconds(),
        )

    def last_words(self):
        """The container, if there is one to ask, and the end of its log."""
        if not self.params["container"]:
            return None, []
        try:
            container = self.docker.inspect(self.params["container"])
            return container, self.docker.log_tail(container, SHOWN_LINES) if container else []
        except DockerError:
            return None, []


def main():
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "status": {"type": "int", "default": 200},
            "container": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 600},
            "restarts": {"type": "int", "default": 2},
            "docker_socket": {"type": "path", "default": "/var/run/docker.sock"},
        },
        supports_check_mode=True,
    )
    ServiceReady(module).run()


if __name__ == "__main__":
    main()
