#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: runner_health
short_description: Wait until an AI runner is ready, and say why it is not
version_added: "1.0.0"
description:
  - Asks C(/health) of an ai-runner and judges the body as well as the status code, because a runner that failed
    says so with code 200.
  - V(OK) and V(IDLE) are ready. V(LOADING), a refused connection and code 500 are not ready yet. V(ERROR) has failed.
    A batch runner opens its port only when its model is loaded.
  - A runner does not answer at all while it computes, so one answer is given a long time before it counts as missing.
  - If the runner does not become ready, its container is found through the Docker socket, and the last lines of its
    log and the likely cause come along.
  - Requires access to the Docker socket, unless O(url) is given; then it is only used to explain a failure.
author: "livepeer.ai contributors (@livepeer-ai)"
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  url:
    description:
      - Base address of the runner, for example V(http://127.0.0.1:8000).
      - If left out, the containers that the node made for O(pipeline) and O(model_id) are asked, every one of them.
        Which port one has depends on the GPU it was given.
    type: str
    default: ""
  pipeline:
    description: Pipeline that the runner must serve.
    type: str
    default: ""
  model_id:
    description: Model that the runner must serve.
    type: str
    default: ""
  container:
    description: Name of the container behind O(url), if it is not the one that publishes its port.
    type: str
    default: ""
  timeout:
    description: Seconds to wait until the runner is ready. With V(0) it is asked once.
    type: float
    default: 300
  interval:
    description: Seconds between two questions.
    type: float
    default: 1
  request_timeout:
    description: Seconds that one answer may take. A runner that computes answers nothing until it is done.
    type: float
    default: 60
  consecutive:
    description: How many ready answers in a row are wanted.
    type: int
    default: 2
  log_lines:
    description: How many of the container's last log lines to bring along on failure.
    type: int
    default: 30
  docker_socket:
    description: Path of the Docker Engine's socket.
    type: path
    default: /var/run/docker.sock
  fail:
    description: Whether a failed check fails the task. With V(false) it is only reported, in RV(checks).
    type: bool
    default: true
seealso:
  - module: livepeer.ai.gateway_request
    description: A healthy runner can still fail every request; send it one.
"""

EXAMPLES = r"""
- name: Wait for the warm runner of a model, whatever GPU it was given
  livepeer.ai.runner_health:
    pipeline: text-to-image
    model_id: SG161222/RealVisXL_V4.0_Lightning

- name: Wait for an external runner
  livepeer.ai.runner_health:
    url: http://192.0.2.40:8000
    timeout: 600
"""

RETURN = r"""
verdict:
  description: V(passed) if every runner became ready, V(failed) if not.
  returned: always
  type: str
  sample: passed
checks:
  description: The judgement, with C(check), C(subject), C(status), C(sentence), C(seconds), C(remedy) and, if it
    failed, C(log_tail).
  returned: always
  type: list
  elements: dict
  sample:
    - check: runner_health
      subject: text-to-image SG161222/RealVisXL_V4.0_Lightning
      status: passed
      sentence: The runner is ready (OK) with runner version 0.14.1.
      seconds: 1.01
      remedy: ""
failure:
  description:
    - Name of what is wrong, empty if nothing is.
    - V(no_docker), V(no_container), V(not_ready), V(loading), V(error_state), V(bad_state), V(not_json),
      V(wrong_model), V(http_NNN), V(exited), V(restart_loop)
      or one of the names of an unanswered request such as V(refused) and V(timeout).
  returned: always
  type: str
  sample: exited
cause:
  description: Likely cause, read from the container, for example V(cuda_out_of_memory), V(missing_file), V(killed)
    or V(exited). Empty if unknown.
  returned: always
  type: str
  sample: missing_file
log_tail:
  description: Last lines of the container's log on failure, without tokens.
  returned: always
  type: list
  elements: str
  sample: ["FileNotFoundError: model_index.json"]
status:
  description: What the runner said last, V(OK), V(IDLE), V(LOADING) or V(ERROR), empty if it said nothing.
  returned: always
  type: str
  sample: OK
seconds:
  description: How long the waiting took.
  returned: always
  type: float
  sample: 1.01
version:
  description: Version of the runner, empty if it does not tell.
  returned: always
  type: str
  sample: 0.14.1
hardware:
  description: GPUs as the runner sees them, by index.
  returned: always
  type: dict
  sample: {"0": {"id": "GPU-1", "name": "NVIDIA L4", "memory_total": 23034, "memory_free": 9000}}
runners:
  description: Every runner that was asked, with C(url), C(status), C(version), C(hardware) and C(container).
  returned: always
  type: list
  elements: dict
  sample:
    - url: http://127.0.0.1:8000
      status: OK
      version: 0.14.1
      hardware: {}
      container:
        name: text-to-image_SG161222-RealVisXL-V4.0-Lightning_8000
        image: livepeer/ai-runner:latest
        status: running
        exit_code: 0
        restarts: 0
"""

import time
import urllib.parse

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, finish, make_check
from ansible_collections.livepeer.ai.plugins.module_utils._http import (
    HttpClient,
    HttpFailure,
    clause,
    join_url,
    redact,
    shorten,
)
from ansible_collections.livepeer.ai.plugins.module_utils._runner_container import (
    DockerError,
    DockerSocket,
    likely_cause,
)

READY = "ready"
NOT_YET = "not yet"
BROKEN = "broken"
READY_STATES = ("OK", "IDLE")
# Ways of not answering that no waiting mends.
HOPELESS = ("bad_url", "certificate", "tls", "not_http")
# A container that ended is seen twice before it counts: the node may be about to replace it.
ENDED_SIGHTINGS = 2

REMEDIES = {
    "no_docker": "Start the Docker Engine, run the task as a user who may use it, or give url.",
    "no_container": (
        "Check that the model is warm in aiModels.json and read the orchestrator's journal: the node makes the "
        "container."
    ),
    "loading": "Allow more time, and look at the disk: weights that are read for the first time load slowly.",
    "error_state": "Read the container's log and restart the orchestrator, which makes a new container.",
    "not_json": "Check the address: a runner answers with a JSON Content-Type, and the node crashes on anything else.",
    "wrong_model": "Correct the address, or stop the container that has taken the port.",
    "bad_state": "Check the address and the image: no known runner answers so.",
    "server_error": "Read the container's log; a live runner answers so for the first seconds only.",
}


class Sighting:
    """One look at one runner."""

    def __init__(self, state, failure="", sentence="", remedy="", status=""):
        self.state = state
        self.failure = failure
        self.sentence = sentence
        self.remedy = remedy
        self.status = status


class RunnerHealth:
    """Looks at every runner of the model again and again until all are ready, one is broken or the time is up."""

    def __init__(self, module):
        params = module.params
        self.module = module
        self.url = params["url"]
        self.pipeline, self.model_id = params["pipeline"], params["model_id"]
        self.container_name = params["container"]
        self.timeout, self.interval = params["timeout"], params["interval"]
        self.consecutive = max(1, params["consecutive"])
        self.log_lines = params["log_lines"]
        self.client = HttpClient()
        self.docker = DockerSocket(params["docker_socket"])
        self.request_timeout = params["request_timeout"]
        self.started = time.monotonic()
        self.deadline = self.started + self.timeout
        self.docker_problem = ""
        self.ended_seen = {}

    def run(self):
        if not self.url and not (self.pipeline and self.model_id):
            self.module.fail_json(msg="Give url, or pipeline and model_id to find the runner's container by.")
        sighting, url = self.wait()
        seconds = time.monotonic() - self.started
        result = {"failure": "", "cause": "", "log_tail": [], "status": sighting.status, "seconds": round(seconds, 3)}
        result["runners"] = [self.describe(address, container) for address, container in self.targets() if address]
        for key, empty in (("version", ""), ("hardware", {})):
            result[key] = next((runner[key] for runner in result["runners"] if runner[key]), empty)
        if sighting.state == READY:
            check = self.passed(sighting, result, seconds)
        else:
            check = self.failed(sighting, url, result, seconds)
        finish(self.module, result, [check])

    def subject(self):
        return (f"{self.pipeline} {self.model_id}").strip() or redact(self.url)

    def wait(self):
        """The last sighting that matters, and the address it was made at."""
        in_a_row = 0
        while True:
            sighting, url = self.look()
            in_a_row = in_a_row + 1 if sighting.state == READY else 0
            if in_a_row >= self.consecutive or sighting.state == BROKEN:
                return sighting, url
            # Asked once, one good answer is all there can be.
            if sighting.state == READY and not self.timeout:
                return sighting, url
            if time.monotonic() + self.interval > self.deadline:
                return self.out_of_time(sighting), url
            time.sleep(self.interval)

    def out_of_time(self, sighting):
        """Ready, but too late to be sure of it, is not ready."""
        if sighting.state == READY:
            return Sighting(
                NOT_YET,
                "not_ready",
                f"it was not ready {self.consecutive} times in a row",
                REMEDIES["loading"],
                sighting.status,
            )
        return sighting

    def look(self):
        """The worst sighting of all runners of the model."""
        targets = self.targets()
        if self.docker_problem:
            return Sighting(
                BROKEN, "no_docker", f"its container cannot be looked for, {self.docker_problem}", REMEDIES["no_docker"]
            ), ""
        if not targets:
            return Sighting(NOT_YET, "no_container", "no container of the node serves it", REMEDIES["no_container"]), ""
        sightings = [(self.sight(url, container), url) for url, container in targets]
        for state in (BROKEN, NOT_YET):
            for sighting, url in sightings:
                if sighting.state == state:
                    return sighting, url
        return sightings[0]

    def targets(self):
        """(address, container or None) of each runner to ask."""
        if self.url:
            return [(self.url, self.container_behind(self.url))]
        try:
            runners = [
                one for one in self.docker.runners() if (one.pipeline, one.model_id) == (self.pipeline, self.model_id)
            ]
        except DockerError as error:
            self.docker_problem = str(error)
            return []
        # A leftover of an earlier start says nothing while a later container of the same port is there.
        newest = {}
        for container in sorted(runners, key=lambda one: (not one.ended, one.created)):
            newest[container.url or container.id] = container
        return [(container.url, container) for container in newest.values()]

    def container_behind(self, url):
        """The container of an address, None if there is none. Docker's silence is no fault of the runner."""
        try:
            if self.container_name:
                return self.docker.inspect(self.container_name)
            port = urllib.parse.urlsplit(url).port
            published = [one for one in self.docker.all() if port in one.ports.values()]
        except (DockerError, ValueError):
            return None
        return max(published, key=lambda one: (not one.ended, one.is_runner, one.created), default=None)

    def sight(self, url, container):
        if container and container.ended:
            return self.sight_ended(container)
        try:
            answer = self.get(url, "health")
        except HttpFailure as failure:
            state = BROKEN if failure.name in HOPELESS else NOT_YET
            return Sighting(state, failure.name, clause(failure.sentence), failure.remedy)
        if answer.status >= 500:
            return Sighting(
                NOT_YET,
                f"http_{answer.status}",
                f"/health answers {answer.status} ({answer.error_text()})",
                REMEDIES["server_error"],
            )
        if answer.status != 200:
            return Sighting(BROKEN, f"http_{answer.status}", f"/health answers {answer.status}", REMEDIES["bad_state"])
        return self.sight_body(url, answer)

    def get(self, url, path):
        """An answer may take no longer than the time limit leaves; a single look has the whole request_timeout."""
        left = self.deadline - time.monotonic() if self.timeout else self.request_timeout
        return self.client.get(join_url(url, path), timeout=max(1.0, min(self.request_timeout, left)))

    def sight_ended(self, container):
        self.ended_seen[container.id] = self.ended_seen.get(container.id, 0) + 1
        final = self.ended_seen[container.id] >= ENDED_SIGHTINGS
        return Sighting(BROKEN if final else NOT_YET, "exited", f"its container {container.name} has ended")

    def sight_body(self, url, answer):
        if not answer.is_json:
            kind = answer.content_type or "no Content-Type"
            return Sighting(BROKEN, "not_json", f"/health answers with {kind} instead of JSON", REMEDIES["not_json"])
        try:
            status = answer.json()["status"]
        except (ValueError, KeyError, TypeError):
            return Sighting(
                BROKEN, "not_json", f"/health holds no status ({shorten(answer.text, 80)})", REMEDIES["not_json"]
            )
        if status == "ERROR":
            return Sighting(BROKEN, "error_state", "it reports ERROR", REMEDIES["error_state"], status)
        if status == "LOADING":
            return Sighting(NOT_YET, "loading", "it is still loading", REMEDIES["loading"], status)
        if status not in READY_STATES:
            return Sighting(
                BROKEN, "bad_state", f"it reports the unknown status {shorten(str(status), 40)}", REMEDIES["bad_state"]
            )
        return self.sight_identity(url, status)

    def sight_identity(self, url, status):
        """Something that is healthy but serves another model is not what was asked for."""
        told = self.json_of(url, "version")
        for key, wanted in (("pipeline", self.pipeline), ("model_id", self.model_id)):
            if wanted and told.get(key) and told[key] != wanted:
                sentence = "it serves {} {}".format(told.get("pipeline"), told.get("model_id"))
                return Sighting(BROKEN, "wrong_model", sentence, REMEDIES["wrong_model"], status)
        return Sighting(READY, status=status)

    def json_of(self, url, path):
        """What the runner tells about itself; nothing if it does not, which is allowed."""
        try:
            value = self.get(url, path).json()
        except (HttpFailure, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def describe(self, url, container):
        runner = {
            "url": redact(url),
            "status": "",
            "version": "",
            "hardware": {},
            "container": container.describe() if container else {},
        }
        if container is None or not container.ended:
            runner["status"] = str(self.json_of(url, "health").get("status") or "")
        if runner["status"] in READY_STATES:
            runner["version"] = str(self.json_of(url, "version").get("version") or "")
            runner["hardware"] = self.json_of(url, "hardware/info").get("gpu_info") or {}
        return runner

    def passed(self, sighting, result, seconds):
        sentence = f"The runner is ready ({sighting.status})"
        if len(result["runners"]) > 1:
            sentence = "All {} runners are ready ({})".format(len(result["runners"]), sighting.status)
        if result["version"]:
            sentence += " with runner version {}".format(result["version"])
        return make_check("runner_health", self.subject(), PASSED, sentence + ".", seconds)

    def failed(self, sighting, url, result, seconds):
        result["failure"] = sighting.failure
        sentence = f"The runner is not ready after {seconds:.0f} s: {sighting.sentence}"
        remedy = sighting.remedy
        container = next((one for address, one in self.targets() if address == url), None)
        if container:
            if sighting.failure != "exited" and container.restarts and container.status != "running":
                result["failure"] = "restart_loop"
            result["log_tail"], note = self.log_of(container)
            result["cause"], why, cure = likely_cause(container, result["log_tail"])
            sentence += self.container_words(container, why) + note
            remedy = cure or remedy
        check = make_check("runner_health", self.subject(), FAILED, sentence + ".", seconds, remedy)
        # The container may be gone when somebody reads the report.
        return dict(check, log_tail=result["log_tail"])

    def container_words(self, container, why):
        words = ""
        if container.restarts:
            words += f", restarted {container.restarts} times"
        if why:
            words += f"; likely cause: {why}"
        return words

    def log_of(self, container):
        try:
            return self.docker.log_tail(container, self.log_lines), ""
        except DockerError as error:
            return [], f" (its log cannot be read: {error})"


def main():
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "default": ""},
            "pipeline": {"type": "str", "default": ""},
            "model_id": {"type": "str", "default": ""},
            "container": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 300},
            "interval": {"type": "float", "default": 1},
            "request_timeout": {"type": "float", "default": 60},
            "consecutive": {"type": "int", "default": 2},
            "log_lines": {"type": "int", "default": 30},
            "docker_socket": {"type": "path", "default": "/var/run/docker.sock"},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    RunnerHealth(module).run()


if __name__ == "__main__":
    main()
