#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: service_info
short_description: Whether a service is healthy, and whether the network can find it
version_added: "1.0.0"
description:
  - Asks a service for its health, and its orchestrator whether it offers the service.
  - A BYOC capability is looked for with the token that a gateway would fetch. On a chain that needs a funded account;
    there the prices that a gateway has collected are read, and what cannot be seen is V(unknown).
  - A live runner is looked for in C(/discovery), which hides those that are not healthy.
  - Sends no job, so it costs nothing and removes no registration.
author: "livepeer.ai contributors (@livepeer-ai)"
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  name:
    description: Name of the capability, or label of the live runner.
    type: str
    required: true
  route:
    description: How the network reaches it.
    type: str
    choices: [byoc, live_runner]
    default: byoc
  gather:
    description: What to look at.
    type: list
    elements: str
    choices: [health, offer]
    default: [health, offer]
  health_url:
    description: Health address of the service. Needed for V(health).
    type: str
    default: ""
  healthy_status:
    description: Status that means healthy.
    type: int
    default: 200
  orchestrator_url:
    description:
      - Service address of the orchestrator. Needed for V(offer).
      - Its certificate is not verified. It is self-signed, and new at every start.
    type: str
    default: ""
  gateway_cli_url:
    description: CLI port of a gateway on a chain, to look for a capability where its orchestrator does not tell.
    type: str
    default: ""
  timeout:
    description: Seconds to wait for each of them. With V(0) it is looked once.
    type: float
    default: 0
  within:
    description:
      - Seconds within which the offer must be there, counted from the first answer of the orchestrator that is seen.
        Later is a failure.
      - With V(0) there is no such limit.
    type: float
    default: 0
  unit:
    description:
      - Unit of the orchestrator, if it has just been restarted. If it answers at the first look already, the seconds
        are counted from the start of its process, which is longer than the truth and never shorter.
    type: str
    default: ""
  interval:
    description: Seconds between two looks.
    type: float
    default: 0.25
  occasion:
    description: Words behind the subject of the checks, for example V(after a restart).
    type: str
    default: ""
  fail:
    description: Whether a failed check fails the task. With V(false) it is only reported, in RV(checks).
    type: bool
    default: true
seealso:
  - module: livepeer.ai.gateway_request
  - module: livepeer.ai.service_restart
"""

EXAMPLES = r"""
- name: Look whether the embeddings are healthy and offered
  livepeer.ai.service_info:
    name: sentence-embeddings
    health_url: http://127.0.0.1:8600/health
    orchestrator_url: https://127.0.0.1:8935

- name: Measure how long the capability is away after a restart of the orchestrator
  livepeer.ai.service_info:
    name: sentence-embeddings
    orchestrator_url: https://127.0.0.1:8935
    gather: [offer]
    timeout: 900
    within: 15
    unit: livepeer-orchestrator.service
"""

RETURN = r"""
verdict:
  description: V(failed) if one check failed, else V(unknown) if one is unknown, else V(passed).
  returned: always
  type: str
  sample: passed
checks:
  description:
    - The judgements, each with C(check), C(subject), C(status), C(sentence), C(seconds) and C(remedy).
    - C(service_health) and C(capability_offered). With O(within) the seconds of the latter count from the first answer
      of the orchestrator.
  returned: always
  type: list
  elements: dict
  sample:
    - check: capability_offered
      subject: byoc sentence-embeddings
      status: passed
      sentence: The orchestrator offers it, 1 slot is free.
      seconds: 0.012
      remedy: ""
available:
  description: Free slots that are offered, null if that is not known.
  returned: always
  type: int
  sample: 1
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils import _byoc
from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, UNKNOWN, finish, make_check
from ansible_collections.livepeer.ai.plugins.module_utils._http import (
    HttpClient,
    HttpFailure,
    clause,
    join_url,
    shorten,
)
from ansible_collections.livepeer.ai.plugins.module_utils._live_runner import read_discovery
from ansible_collections.livepeer.ai.plugins.module_utils._network import read_capabilities
from ansible_collections.livepeer.ai.plugins.module_utils._request import counted
from ansible_collections.livepeer.ai.plugins.module_utils._service_health import look_at_health

# The node gives a health address three seconds; a gateway gives a token half a second, on better days than a restart.
ANSWER_TIMEOUT = 5.0


class Look:
    """What one look found. answered: the server said something, good or bad."""

    def __init__(self, status, sentence, remedy="", answered=True):
        self.status = status
        self.sentence = sentence
        self.remedy = remedy
        self.answered = answered


class ServiceInfo:
    """Looks again and again until all is well or the time is up."""

    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.client = HttpClient(ANSWER_TIMEOUT, validate_certs=False)
        self.available = None

    def run(self):
        self.refuse_nonsense()
        checks = []
        if "health" in self.params["gather"]:
            checks.append(self.watch("service_health", self.look_at_health))
        if "offer" in self.params["gather"]:
            look = self.look_at_token if self.params["route"] == "byoc" else self.look_at_discovery
            checks.append(self.watch("capability_offered", look, self.params["within"]))
        finish(self.module, {"available": self.available}, checks)

    def refuse_nonsense(self):
        for part, option in (("health", "health_url"), ("offer", "orchestrator_url")):
            if part in self.params["gather"] and not self.params[option]:
                self.module.fail_json(msg=f"gather has {part}, which needs {option}.")

    def watch(self, check, look, within=0.0):
        """The check of the first look that is no failure, or of the last one; a late one is a failure with a limit."""
        started, answered, at_once, looks = time.monotonic(), None, False, 0
        deadline = started + (0 if self.module.check_mode else self.params["timeout"])
        while True:
            seen, looks = look(), looks + 1
            now = time.monotonic()
            if answered is None and seen.answered:
                # What answers at the first look may have done so for a while.
                answered, at_once = now, looks == 1
            limit = deadline if not within or answered is None else min(deadline, answered + within)
            if seen.status != FAILED or now + self.params["interval"] > limit:
                break
            time.sleep(self.params["interval"])
        seconds = time.monotonic() - started
        if within and answered is not None:
            seconds = self.tell_return(seen, within, answered, at_once)
        subject = f"{self.params['route']} {self.params['name']} {self.params['occasion']}".strip()
        return make_check(check, subject, seen.status, seen.sentence, seconds, seen.remedy)

    def tell_return(self, seen, within, answered, at_once):
        """The seconds that the offer was away, put into the sentence as well."""
        seconds, words = time.monotonic() - answered, "{:.1f} s after the orchestrator's first answer"
        if seen.status == FAILED:
            seen.sentence = (
                f"Within {within:g} s of the orchestrator's answer it was not back: {clause(seen.sentence)}."
            )
            return seconds
        began = self.start_of_unit() if at_once else None
        if began is not None:
            seconds, words = time.monotonic() - began, f"at most {{:.1f}} s after the start of {self.params['unit']}"
        if seen.status == PASSED and (began is not None or not at_once):
            seen.sentence = f"{seen.sentence.rstrip('.')}, {words.format(seconds)}."
        return seconds

    def start_of_unit(self):
        """When the unit's process started, on the clock that time.monotonic reads; None if nobody tells."""
        if not self.params["unit"]:
            return None
        command = ["systemctl", "show", "--value", "--property=ExecMainStartTimestampMonotonic", self.params["unit"]]
        _rc, out, _err = self.module.run_command(command)
        return int(out) / 1e6 if out.strip().isdigit() and int(out) else None

    # --- health ---

    def look_at_health(self):
        healthy, said, remedy = look_at_health(self.client, self.params["health_url"], self.params["healthy_status"])
        if healthy:
            return Look(PASSED, f"The health address answers {self.params['healthy_status']}.")
        return Look(FAILED, f"The service is not healthy: {said}.", remedy)

    # --- BYOC ---

    def look_at_token(self):
        # Not asked further: a job that tells a busy capability from a missing one can cost a registration.
        orchestrator = _byoc.Orchestrator(self.params["orchestrator_url"], timeout=ANSWER_TIMEOUT)
        try:
            found = orchestrator.listing(self.params["name"], probe=False)
        except _byoc.ByocFailure as failure:
            return Look(FAILED, failure.sentence, failure.remedy, answered=failure.name != "unreachable")
        if found.state == _byoc.UNREADABLE:
            return self.look_at_prices()
        self.available = found.available
        if found.state == _byoc.LISTED:
            return Look(PASSED, f"The orchestrator offers it, {self.free_slots()}.")
        return Look(
            FAILED,
            "The orchestrator offers no free slot of it: it is not registered, or every slot is taken.",
            "Read the registrar's journal. A restart of the orchestrator, a failed connection and a 401 of the service "
            "cost a registration, and each job that times out keeps its slot until the next one.",
        )

    def free_slots(self):
        return f"{counted(self.available, 'slot')} {'is' if self.available == 1 else 'are'} free"

    def look_at_prices(self):
        """On a chain a gateway's list names the capabilities of its orchestrators, but not whether a slot is free."""
        unknown = "The orchestrator gives tokens to funded accounts only, so what it offers cannot be seen there"
        if not self.params["gateway_cli_url"]:
            return Look(UNKNOWN, f"{unknown}.", "Give the CLI port of a gateway on the chain, whose list has it.")
        try:
            answer = self.client.get(join_url(self.params["gateway_cli_url"], "getNetworkCapabilities"))
            offers = read_capabilities(answer.json()) if answer.status == 200 else []
        except (HttpFailure, ValueError):
            offers = []
        if any((one["pipeline"], one["model_id"]) == ("byoc", self.params["name"]) for one in offers):
            return Look(PASSED, "The gateway's list of capabilities has it.")
        remedy = "Let the gateway ask again (-liveAICapReportInterval, 25 minutes unless set), or send a job."
        return Look(UNKNOWN, f"{unknown}, and the gateway's list does not have it (yet).", remedy)

    # --- live runners ---

    def look_at_discovery(self):
        try:
            answer = self.client.get(join_url(self.params["orchestrator_url"], "discovery"))
        except HttpFailure as failure:
            return Look(FAILED, f"The orchestrator gives no answer: {clause(failure.sentence)}.", failure.remedy, False)
        try:
            if answer.status != 200:
                raise ValueError(f"is {answer.status}")
            runners = read_discovery(answer.json())[0]
        except (ValueError, KeyError, TypeError):
            said = shorten(answer.text, 80) or "no text"
            return Look(
                FAILED,
                f"The orchestrator shows no live runners (/discovery answers {answer.status}, {said}).",
                "Start it with -liveRunnerConfig (orchestrator_live_runners), and check its service address.",
            )
        if self.params["name"] not in runners:
            shown = ", ".join(sorted(runners)) or "none"
            return Look(
                FAILED,
                f"The orchestrator hides it or does not have it; it shows {shown}.",
                "Check the health of the service, which decides, and that the live runner was sent to the node.",
            )
        self.available = self.free_of(answer.json(), runners[self.params["name"]]["url"])
        return Look(PASSED, f"The orchestrator offers it, {self.free_slots()}.")

    @staticmethod
    def free_of(document, url):
        shown = [runner for part in document for runner in part.get("runners") or []]
        return next(int(runner.get("capacity_available") or 0) for runner in shown if runner["url"] == url)


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "route": {"type": "str", "choices": ["byoc", "live_runner"], "default": "byoc"},
            "gather": {
                "type": "list",
                "elements": "str",
                "choices": ["health", "offer"],
                "default": ["health", "offer"],
            },
            "health_url": {"type": "str", "default": ""},
            "healthy_status": {"type": "int", "default": 200},
            "orchestrator_url": {"type": "str", "default": ""},
            "gateway_cli_url": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 0},
            "within": {"type": "float", "default": 0},
            "unit": {"type": "str", "default": ""},
            "interval": {"type": "float", "default": 0.25},
            "occasion": {"type": "str", "default": ""},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    ServiceInfo(module).run()


if __name__ == "__main__":
    main()
