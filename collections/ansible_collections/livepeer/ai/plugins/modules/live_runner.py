#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: live_runner
short_description: Tell an orchestrator that runs about live runners, and see it list them
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Sends a document of static live runners to the CLI port of a go-livepeer orchestrator, which takes it without a
    restart, and reads back from C(/discovery) at its service address that each of them is ready.
  - The node keeps what it is told in memory. It survives a restart if the same document is the file of
    C(-liveRunnerConfig), which the role P(livepeer.ai.live_runner#role) writes.
  - The document is sent each time, because C(/discovery) shows only a part of what the node was told. That is harmless,
    an entry keeps its id and its sessions. Whether something changed is found by comparing what C(/discovery) shows
    before and after, and, with both O(document) and O(path), by comparing these two.
  - go-livepeer 0.9.1 removes no live runner while it runs. With O(state=absent) it is told to wait for a health status
    that no server answers. That hides the runner and ends its sessions; the node forgets it with its next restart.
  - The certificate of the service address is not verified, because the node makes a new self-signed one at every start.
extends_documentation_fragment:
  - livepeer.ai._attributes
attributes:
  check_mode:
    support: full
    details:
      - Only C(/discovery) is read. A node that does not answer is a warning then, it may not be installed yet.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description: Whether the live runners of the document are to be there.
    type: str
    choices: [present, absent]
    default: present
  document:
    description:
      - The document, a mapping with C(runners), as P(livepeer.ai.live_runner_config#filter) makes it. Each entry has
        C(routing) V(label) and no proxy.
      - One without entries only asks whether the node takes live runners.
    type: dict
  path:
    description:
      - A file on the host that holds such a document.
      - Beside O(document), the file that the node reads at its start. What differs from it counts as a change.
    type: path
  cli_url:
    description: Base URL of the node's CLI port. It has no authentication, so it is on loopback.
    type: str
    default: http://127.0.0.1:7935
  service_url:
    description: Base URL at which the same node's service address answers.
    type: str
    default: https://127.0.0.1:8935
  wait:
    description: Whether to wait until each live runner is listed as ready, or none of them with O(state=absent).
    type: bool
    default: true
  timeout:
    description: How many seconds to wait. The node looks at the health of its live runners every 5 s.
    type: float
    default: 60
  interval:
    description: Seconds between two looks.
    type: float
    default: 1
  request_timeout:
    description: Seconds that one answer may take, and 3 more for each health address that the node looks at meanwhile.
    type: float
    default: 15
seealso:
  - module: livepeer.ai.gateway_request
    description: A runner that is ready can still fail every request; send it one.
"""

EXAMPLES = r"""
- name: Register a live runner with a node that runs
  livepeer.ai.live_runner:
    document:
      runners:
        - label: my-llm
          routing: label
          runner_url: http://127.0.0.1:8600
          health_url: http://127.0.0.1:8600/health
          app: my-llm
          mode: single-shot
          capacity: 2

- name: Give the node what its file holds
  livepeer.ai.live_runner:
    path: /etc/livepeer/orchestrator/live_runners.json

- name: Hide them from clients
  livepeer.ai.live_runner:
    path: /etc/livepeer/orchestrator/live_runners.json
    state: absent
"""

RETURN = r"""
runners:
  description:
    - Each live runner of the document, with C(label), C(ready) (whether C(/discovery) lists it), C(healthy) (the node's
      own verdict when it was told, null if it was not), C(runner_id), and as far as it is listed C(url), C(app),
      C(mode), C(version), C(metadata), C(capacity) and C(price) (on-chain, in wei).
  returned: always
  type: list
  elements: dict
  sample:
    - label: my-llm
      ready: true
      healthy: true
      runner_id: runner_ABCDEFGH
      url: https://gpu1.example.com:8935/apps/my-llm/app
      app: my-llm
      mode: single-shot
      version: ""
      metadata: ""
      capacity: 2
      price: {}
others:
  description: Addresses of live runners that are listed and not in the document.
  returned: always
  type: list
  elements: str
  sample: []
failure:
  description:
    - Name of what is wrong, empty if nothing is.
    - V(bad_document), V(cli_unreachable), V(not_a_node), V(not_an_orchestrator), V(live_runners_off), V(rejected),
      V(service_unreachable), V(not_a_service_address), V(other_node), V(not_healthy), V(no_price) or V(still_listed).
  returned: always
  type: str
  sample: not_healthy
seconds:
  description: How long the waiting took.
  returned: always
  type: float
  sample: 0.02
"""

import json
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._http import (
    HttpClient,
    HttpFailure,
    clause,
    join_url,
    redact,
    shorten,
)
from ansible_collections.livepeer.ai.plugins.module_utils._live_runner import (
    DEFAULT_STATUS,
    DocumentError,
    as_shown,
    health_address,
    read_discovery,
    read_document,
    withdrawn,
)

OFF = "live runners are not supported"
NO_REGISTRY = ("live_runners_off", "not_an_orchestrator")
# How long the node itself gives a health address, at every registration and one after the other.
HEALTH_TIMEOUT = 3


class LiveRunnerFailure(Exception):
    """What is wrong, by name, in a sentence, and what to do about it."""

    def __init__(self, name, sentence, remedy):
        super().__init__(sentence)
        self.name = name
        self.sentence = sentence
        self.remedy = remedy


class LiveRunners:
    """Looks, tells the node, and looks again until it shows what it was told."""

    def __init__(self, module):
        params = module.params
        self.module = module
        self.absent = params["state"] == "absent"
        self.cli_url, self.service_url = params["cli_url"], params["service_url"]
        self.timeout, self.interval = params["timeout"], params["interval"]
        self.client = HttpClient(params["request_timeout"], validate_certs=False)
        self.started = time.monotonic()
        self.entries = []
        self.told = {}
        self.before, self.seen, self.others = {}, {}, []
        self.differs_from_file = False
        self.sent = False

    def run(self):
        try:
            self.read_documents()
            self.before = self.first_look()
            if not self.module.check_mode:
                self.tell()
                if self.module.params["wait"]:
                    self.wait()
                else:
                    self.look()
        except LiveRunnerFailure as failure:
            self.module.fail_json(
                msg=f"{failure.sentence} {failure.remedy}", **self.result(failure.name, self.sent and self.changed())
            )
        self.module.exit_json(**self.result("", self.changed()))

    # What is wanted

    def read_documents(self):
        document, path = self.module.params["document"], self.module.params["path"]
        given = document if document is not None else self.read_file(path)
        where = f"The document in {path}" if document is None else "The document"
        try:
            entries = read_document(given)
        except DocumentError as error:
            raise LiveRunnerFailure("bad_document", f"{where} {error}.", "Correct it; nothing was sent.") from error
        self.entries = [withdrawn(entry) for entry in entries] if self.absent else entries
        if document is not None and path and not self.absent:
            self.differs_from_file = self.read_file(path, missing={"runners": []}) != document

    def read_file(self, path, missing=None):
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError as error:
            if missing is not None:
                return missing
            raise LiveRunnerFailure("bad_document", f"{path} does not exist.", "Write the document first.") from error
        except (OSError, ValueError) as error:
            # A file that is there and cannot be read ends the node at its next start, so it differs from any document.
            if missing is not None:
                return None
            raise LiveRunnerFailure(
                "bad_document", f"{path} holds no JSON ({error}).", "Correct it: the node would not start with it."
            ) from error

    # What is there

    def first_look(self):
        """Before anything is sent: a node whose answer cannot be read back is told nothing."""
        try:
            return self.look()
        except LiveRunnerFailure as failure:
            if self.module.check_mode:
                self.module.warn(f"{failure.sentence} Before the role orchestrator has run, that is so.")
            elif failure.name not in NO_REGISTRY:
                raise
            # A node without live runners lists none; what its CLI port says of that comes next.
            return {}

    def look(self):
        """What /discovery shows, by label."""
        where = redact(self.service_url)
        try:
            answer = self.client.get(join_url(self.service_url, "discovery"))
        except HttpFailure as failure:
            raise LiveRunnerFailure(
                "service_unreachable",
                f"The service address {where} gives no answer: {clause(failure.sentence)}.",
                "Correct service_url, or read the orchestrator's journal. " + failure.remedy,
            ) from failure
        if answer.status == 404 and OFF in answer.text:
            raise self.live_runners_off(f"The node at {where}")
        try:
            if answer.status != 200:
                raise ValueError(f"has status {answer.status} ({shorten(answer.text, 120)})")
            self.seen, unlabelled = read_discovery(answer.json())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = str(error) if str(error).startswith(("has ", "is ")) else "is not the JSON of one"
            raise LiveRunnerFailure(
                "not_a_service_address",
                f"{where} is no service address of an orchestrator: its answer to /discovery {said}.",
                "Correct service_url.",
            ) from error
        labels = [entry["label"] for entry in self.entries]
        self.others = unlabelled + [shown["url"] for label, shown in self.seen.items() if label not in labels]
        return self.seen

    # What the node is told

    def tell(self):
        """Register, and keep the node's verdict on each entry."""
        limit = self.client.timeout + HEALTH_TIMEOUT * len(self.entries)
        try:
            answer = self.client.post_json(
                join_url(self.cli_url, "registerLiveRunners"), {"runners": self.entries}, timeout=limit
            )
        except HttpFailure as failure:
            raise LiveRunnerFailure(
                "cli_unreachable",
                f"The CLI port {redact(self.cli_url)} gives no answer: {clause(failure.sentence)}.",
                "Start the orchestrator, or correct cli_url: it is the one of the node's -cliAddr. " + failure.remedy,
            ) from failure
        if answer.status == 404 and OFF in answer.text:
            if self.absent:
                return
            raise self.live_runners_off(f"The node at {redact(self.cli_url)}")
        if answer.status == 400:
            raise LiveRunnerFailure(
                "rejected",
                f"The orchestrator takes none of the live runners: {shorten(answer.text)}.",
                "Correct the entry; the node keeps what it had.",
            )
        try:
            if answer.status != 200:
                raise ValueError(f"has status {answer.status} ({shorten(answer.text, 120)})")
            self.told = {one["label"]: one for one in answer.json()["runners"] or []}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = str(error) if str(error).startswith("has ") else "is not the JSON of one"
            raise LiveRunnerFailure(
                "not_a_node",
                f"{redact(self.cli_url)} is no CLI port of a go-livepeer that has live runners: its answer {said}.",
                "Correct cli_url, or install go-livepeer 0.9.1: live runners came with 0.9.0.",
            ) from error
        self.sent = bool(self.entries)

    def live_runners_off(self, who):
        if self.cli_text("IsOrchestrator") == "false":
            return LiveRunnerFailure(
                "not_an_orchestrator",
                f"{who} is a gateway, and only orchestrators have live runners.",
                "Correct cli_url: an orchestrator's is http://127.0.0.1:7935 unless its -cliAddr says otherwise.",
            )
        return LiveRunnerFailure(
            "live_runners_off",
            f"{who} runs without live runners.",
            "Set orchestrator_live_runners to true and run the role orchestrator, which restarts it with them.",
        )

    def cli_text(self, path):
        """A word of the node's CLI port, empty if it does not tell."""
        try:
            answer = self.client.get(join_url(self.cli_url, path))
        except HttpFailure:
            return ""
        return answer.text.strip() if answer.status == 200 else ""

    # What the node shows then

    def wait(self):
        if self.absent:
            self.until(lambda: not self.listed(), self.still_listed)
            return
        self.until(lambda: not self.unlisted(), self.not_listed)
        self.refuse_other_values()
        self.refuse_missing_prices()

    def until(self, reached, explain):
        deadline = time.monotonic() + self.timeout
        while True:
            failure = self.look_again()
            if failure is None and reached():
                return
            if time.monotonic() + self.interval > deadline:
                failure = failure or explain()
                if failure is None:
                    return
                raise failure
            time.sleep(self.interval)

    def look_again(self):
        """Look after the node was told; the failure if that shows nothing."""
        try:
            self.look()
        except LiveRunnerFailure as failure:
            if failure.name not in NO_REGISTRY:
                return failure
            if not self.absent:
                return self.other_node("runs without live runners, though the node at the CLI port took them")
            self.seen = {}
        return None

    def listed(self):
        return [entry["label"] for entry in self.entries if entry["label"] in self.seen]

    def unlisted(self):
        return [entry for entry in self.entries if entry["label"] not in self.seen]

    def not_listed(self):
        """Why live runners are missing, asked of the node once more and of their health addresses; None if none is."""
        # Telling it makes the node look at each health address at once.
        self.tell()
        self.look()
        missing = self.unlisted()
        healthy = [entry["label"] for entry in missing if self.told.get(entry["label"], {}).get("healthy")]
        if healthy:
            return self.other_node(
                f"does not list {', '.join(healthy)}, which the node at the CLI port took and finds healthy"
            )
        if not missing:
            return None
        return LiveRunnerFailure(
            "not_healthy",
            " ".join(self.unhealthy(entry) for entry in missing),
            "Read the log of the service; the orchestrator lists it by itself once its health address is well.",
        )

    def unhealthy(self, entry):
        address = health_address(entry)
        wanted = entry.get("healthy_status_code") or DEFAULT_STATUS
        try:
            answer = self.client.get(address, timeout=HEALTH_TIMEOUT)
            text = shorten(answer.text, 120)
            said = f"it answers {answer.status}" + (f" ({text})" if text else "")
        except HttpFailure as failure:
            said = f"it gives no answer: {clause(failure.sentence)}"
        return (
            f"Live runner {entry['label']} is not ready after {self.timeout:g} s: the orchestrator finds it unhealthy"
            f" at {redact(address)}, where it wants status {wanted}. Asked from this host, {said}."
        )

    def still_listed(self):
        return LiveRunnerFailure(
            "still_listed",
            f"{', '.join(self.listed())} is still listed after {self.timeout:g} s,"
            f" though the node at {redact(self.cli_url)} was told to hide it.",
            "Check that service_url and cli_url are those of the same node.",
        )

    def other_node(self, why):
        return LiveRunnerFailure(
            "other_node",
            f"Another node answers at {redact(self.service_url)}: it {why}.",
            "Correct service_url and cli_url, which must be those of the same node.",
        )

    def refuse_other_values(self):
        for entry in self.entries:
            label, shown = entry["label"], self.seen[entry["label"]]
            wrong = [key for key, value in as_shown(entry).items() if shown[key] != value]
            if wrong:
                raise self.other_node(
                    f"lists {label} with {wrong[0]} {shown[wrong[0]]!r} after the node at the CLI port took"
                    f" {as_shown(entry)[wrong[0]]!r}"
                )

    def refuse_missing_prices(self):
        """Without one, the node lists a runner all the same and answers its jobs with 503."""
        if self.cli_text("EthChainID") in ("", "0"):
            return
        without = [entry["label"] for entry in self.entries if not self.seen[entry["label"]]["price"]]
        if without:
            raise LiveRunnerFailure(
                "no_price",
                f"The orchestrator has no price in wei for {', '.join(without)} and would refuse every job:"
                " its price feed does not answer, or the price is less than one wei.",
                "Look for the price feed in its journal or raise the price, and run this again: it tries anew then.",
            )

    # What is said

    def changed(self):
        labels = [entry["label"] for entry in self.entries]
        if self.absent:
            return any(label in self.before for label in labels)
        return self.differs_from_file or self.view(self.before) != self.after()

    def after(self):
        if self.module.check_mode:
            return {} if self.absent else {entry["label"]: as_shown(entry) for entry in self.entries}
        return self.view(self.seen)

    def view(self, seen):
        """What is compared: the document's own runners, without addresses, sessions and prices in wei."""
        return {
            entry["label"]: {key: seen[entry["label"]][key] for key in as_shown(entry)}
            for entry in self.entries
            if entry["label"] in seen
        }

    def result(self, failure, changed):
        result = {
            "changed": bool(changed),
            "failure": failure,
            "runners": [self.describe(entry["label"]) for entry in self.entries],
            "others": self.others,
            "seconds": round(time.monotonic() - self.started, 3),
        }
        if self.module._diff:
            where = f"live runners of {redact(self.service_url)}"
            result["diff"] = {
                "before_header": where,
                "after_header": where,
                "before": self.view(self.before),
                "after": self.after(),
            }
        return result

    def describe(self, label):
        told = self.told.get(label, {})
        described = {
            "label": label,
            "ready": label in self.seen,
            "healthy": told.get("healthy"),
            "runner_id": told.get("runner_id", ""),
        }
        return {**described, **self.seen.get(label, {})}


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "document": {"type": "dict"},
            "path": {"type": "path"},
            "cli_url": {"type": "str", "default": "http://127.0.0.1:7935"},
            "service_url": {"type": "str", "default": "https://127.0.0.1:8935"},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 60},
            "interval": {"type": "float", "default": 1},
            "request_timeout": {"type": "float", "default": 15},
        },
        required_one_of=[("document", "path")],
        supports_check_mode=True,
    )
    LiveRunners(module).run()


if __name__ == "__main__":
    main()
