#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Read what a Livepeer node says about itself and the network
version_added: "1.0.0"
description:
  - Reads the CLI port of a go-livepeer node, a public tool that speaks like one, and the service address of an
    orchestrator,
    and returns all of it in one shape.
  - Holds what is advertised against what was declared when O(expected) is given.
  - An outage of a source makes its part V(unknown), never V(failed), and the reason comes along. Only the node's
    own C(/status) and
    C(/healthz) can fail, because those must answer.
author: "livepeer.ai contributors (@livepeer-ai)"
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  cli_url:
    description:
      - Address of the CLI port, for example V(http://127.0.0.1:5935) for a gateway or V(http://127.0.0.1:7935) for
        an orchestrator.
      - The port has no authentication and can move funds, so a node serves it on loopback; run the module on the
        node's host.
    type: str
    default: ""
  service_url:
    description:
      - Service address of an orchestrator, for example V(https://192.0.2.21:8935). Its C(/healthz) must answer with
        200.
      - The certificate is not validated. The node makes a new self-signed one at every start and every Livepeer
        client accepts it.
    type: str
    default: ""
  capabilities_url:
    description:
      - Where the network's capabilities are read, if not from O(cli_url).
      - Either the base address of a gateway's CLI or of a public tool, or the complete address of the document.
        The shape of C(/getNetworkCapabilities) and the older one of C(/getOrchestratorAICapabilities) are understood.
    type: str
    default: ""
  capabilities_token:
    description: Bearer token for O(capabilities_url).
    type: str
    default: ""
  gather:
    description:
      - V(status) reads C(/status), C(/IsOrchestrator) and C(/EthChainID).
      - V(capabilities) reads the network's capabilities. A node has them only if it is a gateway on a chain.
      - V(sessions) reads C(/getAISessionPoolsInfo) of a gateway. It is empty until the first request for a model,
        and works off chain too.
    type: list
    elements: str
    choices: [status, capabilities, sessions]
    default: [status]
  expected:
    description:
      - Models that must be advertised, each with the orchestrator that must do so.
      - Judged against RV(offers) where the capabilities are known, otherwise against RV(sessions). Needs one of
        them in O(gather).
    type: list
    elements: dict
    default: []
    suboptions:
      service_uri:
        description: Service address of the orchestrator. The scheme may be left out; case does not matter.
        type: str
        default: ""
      address:
        description: Ethereum address of the orchestrator, for sources that do not tell service addresses. Case does
          not matter.
        type: str
        default: ""
      pipeline:
        description: Name of the pipeline, for example V(text-to-image).
        type: str
        required: true
      model_id:
        description: Model, as in aiModels.json.
        type: str
        required: true
      warm:
        description: Whether it must be advertised as warm. Not judged if left out.
        type: bool
      price_per_unit:
        description: Declared price, a number. Not judged if left out.
        type: raw
      pixels_per_unit:
        description: Pixels that O(expected[].price_per_unit) buys.
        type: raw
        default: 1
      currency:
        description: Currency of the price, V(wei) or V(eth). A price in another one cannot be compared and gives
          V(unknown).
        type: str
        default: wei
      runner_version:
        description: Version of the runner that must be advertised. Not judged if left out.
        type: str
        default: ""
  timeout:
    description: Seconds that one answer may take.
    type: float
    default: 15
  validate_certs:
    description: Whether the certificates of O(cli_url) and O(capabilities_url) must be trusted.
    type: bool
    default: true
  fail:
    description: Whether a failed check fails the task. With V(false) it is only reported, in RV(checks).
    type: bool
    default: true
seealso:
  - module: livepeer.ai.runner_health
  - module: livepeer.ai.gateway_request
"""

EXAMPLES = r"""
- name: Ask the orchestrator on this host
  livepeer.ai.node_info:
    cli_url: http://127.0.0.1:7935
    service_url: https://192.0.2.21:8935

- name: See that the gateway advertises what was declared
  livepeer.ai.node_info:
    cli_url: http://127.0.0.1:5935
    gather: [status, capabilities, sessions]
    expected:
      - service_uri: https://192.0.2.21:8935
        pipeline: text-to-image
        model_id: SG161222/RealVisXL_V4.0_Lightning
        warm: true
        price_per_unit: 4768371
        pixels_per_unit: 1

- name: Look at the network through a public tool
  livepeer.ai.node_info:
    capabilities_url: https://gateway.example.org/getNetworkCapabilities
    gather: [capabilities]
"""

RETURN = r"""
verdict:
  description: V(failed) if one check failed, else V(unknown) if one is unknown, else V(passed).
  returned: always
  type: str
  sample: passed
checks:
  description: Every judgement, each with C(check), C(subject), C(status), C(sentence), C(seconds) and C(remedy).
  returned: always
  type: list
  elements: dict
  sample:
    - check: node_status
      subject: http://127.0.0.1:5935
      status: passed
      sentence: The node answers, version 0.9.1.
      seconds: 0.004
      remedy: ""
node:
  description:
    - What the node says of itself; C(reachable), C(version), C(is_orchestrator), C(chain_id), C(offchain) and the
      complete C(status).
    - Keys are null where the node gave no answer.
  returned: when O(gather) has V(status)
  type: dict
  sample:
    reachable: true
    version: 0.9.1
    is_orchestrator: false
    chain_id: "0"
    offchain: true
    status: {}
capabilities:
  description: Whether the network's capabilities are C(known), where they were read (C(source)), and if not the
    C(reason).
  returned: when O(gather) has V(capabilities)
  type: dict
  sample:
    known: false
    source: http://127.0.0.1:5935/getNetworkCapabilities
    reason: the network is offchain, where a gateway collects no capabilities
offers:
  description:
    - What orchestrators advertise, one item for each orchestrator and model. Addresses are in lower case.
    - Keys are null where the source does not tell.
  returned: when O(gather) has V(capabilities)
  type: list
  elements: dict
  sample:
    - service_uri: https://192.0.2.21:8935
      address: "0x00000000000000000000000000000000000000a1"
      pipeline: text-to-image
      model_id: SG161222/RealVisXL_V4.0_Lightning
      warm: true
      capacity: 1
      capacity_in_use: 0
      price_per_unit: 4768371
      pixels_per_unit: 1
      runner_version: 0.14.1
sessions:
  description: Orchestrators in the gateway's session pools, one item for each orchestrator and model.
  returned: when O(gather) has V(sessions)
  type: list
  elements: dict
  sample:
    - pipeline: text-to-image
      model_id: SG161222/RealVisXL_V4.0_Lightning
      service_uri: https://192.0.2.21:8935
      warm: true
      in_flight: 0
      latency_score: 0
      suspended: false
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
from ansible_collections.livepeer.ai.plugins.module_utils._network import (
    asked_models,
    judge_offers,
    judge_sessions,
    problem_of_expected,
    read_capabilities,
    read_sessions,
    unknown_offer,
)

DOCUMENTS = ("getNetworkCapabilities", "getOrchestratorAICapabilities")
OFFCHAIN = "the network is offchain, where a gateway collects no capabilities"
NOT_COLLECTED = (
    "the gateway has collected no capabilities: it is offchain, or none of its orchestrators answered with a price yet"
)
NOT_A_GATEWAY = "the node is not a gateway, and only gateways collect the network's capabilities"


class NodeInfo:
    """Asks each source once and judges what came back."""

    def __init__(self, module):
        params = module.params
        self.module = module
        self.cli_url = params["cli_url"]
        self.service_url = params["service_url"]
        self.capabilities_url = params["capabilities_url"]
        self.gather = params["gather"]
        self.expected = params["expected"]
        self.client = HttpClient(params["timeout"], params["validate_certs"])
        self.tool = HttpClient(params["timeout"], params["validate_certs"], params["capabilities_token"])
        self.service = HttpClient(params["timeout"], validate_certs=False)
        self.checks = []
        self.result = {}
        self.offchain = None
        self.asked = set()
        self.sessions_reason = ""

    def run(self):
        self.refuse_nonsense()
        if self.service_url:
            self.read_healthz()
        if "status" in self.gather and self.cli_url:
            self.read_status()
        if "capabilities" in self.gather:
            self.read_capabilities()
        if "sessions" in self.gather:
            self.read_sessions()
        if self.expected:
            self.judge_expected()
        finish(self.module, self.result, self.checks)

    def refuse_nonsense(self):
        if not (self.cli_url or self.service_url or self.capabilities_url):
            self.module.fail_json(msg="Give cli_url, service_url or capabilities_url: there is nothing to ask.")
        if "sessions" in self.gather and not self.cli_url:
            self.module.fail_json(msg="gather has sessions, which only a gateway's CLI port knows: give cli_url.")
        if "capabilities" in self.gather and not (self.cli_url or self.capabilities_url):
            self.module.fail_json(msg="gather has capabilities: give cli_url or capabilities_url to read them from.")
        if self.expected and not {"capabilities", "sessions"} & set(self.gather):
            self.module.fail_json(
                msg="expected is given, but gather has neither capabilities nor sessions to judge it by."
            )
        for number, entry in enumerate(self.expected):
            problem = problem_of_expected(entry)
            if problem:
                self.module.fail_json(msg=f"expected[{number}]: {problem}.")

    def read_healthz(self):
        started = time.monotonic()
        subject = redact(self.service_url)
        try:
            answer = self.service.get(join_url(self.service_url, "healthz"))
            good = answer.status == 200
            sentence = (
                "The service address answers." if good else f"The service address answers {answer.status} to /healthz."
            )
            remedy = "Check that the address is the orchestrator's and not another server's."
        except HttpFailure as failure:
            good, sentence = False, f"The service address gives no answer: {clause(failure.sentence)}."
            remedy = (
                "Look at the orchestrator's journal: it opens its ports only when every warm model is loaded. "
                + failure.remedy
            )
        self.checks.append(
            make_check(
                "service_address", subject, PASSED if good else FAILED, sentence, time.monotonic() - started, remedy
            )
        )

    def read_status(self):
        started = time.monotonic()
        node = {
            "reachable": False,
            "version": None,
            "is_orchestrator": None,
            "chain_id": None,
            "offchain": None,
            "status": None,
        }
        try:
            status = self.json_of("status")
            node.update(reachable=True, version=status.get("Version"), status=status)
            node["is_orchestrator"] = {"true": True, "false": False}.get(self.text_of("IsOrchestrator"))
            node["chain_id"] = self.text_of("EthChainID")
            node["offchain"] = None if node["chain_id"] is None else node["chain_id"] == "0"
            sentence, remedy = "The node answers, version {}.".format(node["version"]), ""
        except HttpFailure as failure:
            sentence, remedy = (
                f"The node's CLI port gives no answer: {clause(failure.sentence)}.",
                "Look at the node's journal. " + failure.remedy,
            )
        except ValueError as error:
            sentence, remedy = f"The CLI port does not answer like a go-livepeer node: {error}.", "Correct cli_url."
        self.offchain = node["offchain"]
        self.result["node"] = node
        status = PASSED if node["reachable"] else FAILED
        self.checks.append(
            make_check("node_status", redact(self.cli_url), status, sentence, time.monotonic() - started, remedy)
        )

    def json_of(self, path):
        answer = self.client.get(join_url(self.cli_url, path))
        if answer.status != 200:
            raise ValueError(f"/{path} gives status {answer.status} ({shorten(answer.text, 120)})")
        try:
            value = answer.json()
        except ValueError as error:
            raise ValueError(f"/{path} is not JSON") from error
        if not isinstance(value, dict):
            raise ValueError(f"/{path} is not a JSON object")
        return value

    def text_of(self, path):
        """A word of the node, None if it does not know the question."""
        try:
            answer = self.client.get(join_url(self.cli_url, path))
        except HttpFailure:
            return None
        return answer.text.strip() if answer.status == 200 else None

    def read_capabilities(self):
        urls = self.capability_urls()
        offers, reason, source = None, "", urls[0]
        for source in urls:
            offers, reason, gone = self.read_offers(source)
            if not gone:
                break
        self.result["capabilities"] = {"known": offers is not None, "source": redact(source), "reason": reason}
        self.result["offers"] = offers or []

    def capability_urls(self):
        base = self.capabilities_url or self.cli_url
        path = urllib.parse.urlsplit(base).path
        if path.strip("/"):
            return [base]
        return [join_url(base, document) for document in DOCUMENTS]

    def read_offers(self, url):
        """The offers or the reason why they are unknown, and whether an older address of the document may do better."""
        client = self.tool if self.capabilities_url else self.client
        try:
            answer = client.get(url)
        except HttpFailure as failure:
            return None, clause(failure.sentence), False
        if answer.status == 500 and "network capabilities not available" in answer.text:
            return None, OFFCHAIN if self.is_offchain() else NOT_COLLECTED, False
        if answer.status == 400 and "must be gateway node" in answer.text:
            return None, NOT_A_GATEWAY, False
        if answer.status != 200:
            return None, f"{redact(url)} answers with status {answer.status}", answer.status == 404
        try:
            return read_capabilities(answer.json()), "", False
        except (ValueError, AttributeError, TypeError) as error:
            return (
                None,
                f"{redact(url)} answers with something else than capabilities ({shorten(str(error), 120)})",
                False,
            )

    def is_offchain(self):
        """Both an offchain node and one that nobody answered yet say the same; the chain id tells them apart."""
        if self.offchain is None and self.cli_url:
            self.offchain = self.text_of("EthChainID") == "0"
        return self.offchain

    def read_sessions(self):
        sessions = []
        try:
            document = self.json_of("getAISessionPoolsInfo")
            sessions, self.asked = read_sessions(document), asked_models(document)
        except HttpFailure as failure:
            self.sessions_reason = clause(failure.sentence)
        except (ValueError, AttributeError, TypeError) as error:
            self.sessions_reason = str(error)
        self.result["sessions"] = sessions

    def judge_expected(self):
        known = self.result.get("capabilities", {}).get("known")
        reason = self.result.get("capabilities", {}).get("reason") or "the network's capabilities were not read"
        for entry in self.expected:
            if known:
                source = "The capabilities tool" if self.capabilities_url else "The gateway"
                self.checks.extend(judge_offers(entry, self.result["offers"], source))
            elif "sessions" not in self.gather or self.sessions_reason:
                # In order and each once: a node that is down gives both parts the same reason.
                why = dict.fromkeys(part for part in (reason, self.sessions_reason) if part)
                self.checks.append(unknown_offer(entry, "; ".join(why)))
            else:
                self.checks.extend(judge_sessions(entry, self.asked, self.result["sessions"], reason))


def main():
    expected = {
        "service_uri": {"type": "str", "default": ""},
        "address": {"type": "str", "default": ""},
        "pipeline": {"type": "str", "required": True},
        "model_id": {"type": "str", "required": True},
        "warm": {"type": "bool"},
        "price_per_unit": {"type": "raw"},
        "pixels_per_unit": {"type": "raw", "default": 1},
        "currency": {"type": "str", "default": "wei"},
        "runner_version": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "cli_url": {"type": "str", "default": ""},
            "service_url": {"type": "str", "default": ""},
            "capabilities_url": {"type": "str", "default": ""},
            "capabilities_token": {"type": "str", "default": "", "no_log": True},
            "gather": {
                "type": "list",
                "elements": "str",
                "choices": ["status", "capabilities", "sessions"],
                "default": ["status"],
            },
            "expected": {"type": "list", "elements": "dict", "default": [], "options": expected},
            "timeout": {"type": "float", "default": 15},
            "validate_certs": {"type": "bool", "default": True},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    NodeInfo(module).run()


if __name__ == "__main__":
    main()
