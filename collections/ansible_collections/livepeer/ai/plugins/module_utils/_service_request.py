# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job for a service of one's own: through BYOC or as a client of a live runner. Private to the collection."""

from __future__ import annotations

import json
import time
import urllib.parse

from ansible_collections.livepeer.ai.plugins.module_utils._byoc_job import HEADER, chosen_orchestrators, job_header
from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, make_check
from ansible_collections.livepeer.ai.plugins.module_utils._http import (
    HttpClient,
    HttpFailure,
    clause,
    join_url,
    shorten,
)
from ansible_collections.livepeer.ai.plugins.module_utils._network import normal_uri, same_service
from ansible_collections.livepeer.ai.plugins.module_utils._request import Request, RequestFailure, counted, quote
from ansible_collections.livepeer.ai.plugins.module_utils._service_answers import (
    LARGEST_ANSWER,
    EventReader,
    judge_body,
    judge_events,
    read_events,
    shown,
)
from ansible_collections.livepeer.ai.plugins.module_utils._service_meanings import MEANINGS, OF_THE_WORKER, name_of

# What the router of a Go server says to a path that it does not have.
NO_ROUTE = "404 page not found"
# How much longer than the service the node itself may take: a gateway looks for orchestrators and waits some seconds
# longer than they do, and its own words about a service that is too slow are worth more than ours.
GRACE = 10.0


class ServiceRequest(Request):
    """Posts JSON to a path of a service and holds the answer against what is expected."""

    api = ""
    grace = 0.0

    def __init__(self, module):
        super().__init__(module)
        params = module.params
        self.meanings = MEANINGS[self.api]
        self.capability, self.path = params["capability"], params["path"].strip("/")
        self.timeout, self.stream = params["timeout"], params["stream"]
        self.body = json.dumps(params["body"]).encode("utf-8")
        # The certificate of an orchestrator is self-signed and new at every start: nothing could be verified.
        validate = params["validate_certs"] and self.target == "gateway"
        self.client = HttpClient(self.timeout + self.grace, validate)
        self.result.update(answer=None, events=0, balance="")
        self.result["orchestrators"] = {"candidates": [], "expected": [], "judgement": "unknown"}

    def refuse_nonsense(self):
        for name in ("pipeline", "model_id", "files", "dest", "token"):
            if self.module.params[name]:
                self.module.fail_json(msg=f"{name} is given, but it is for pipelines and api is {self.api}.")
        if not self.path:
            self.module.fail_json(msg="path is empty; give the route of the service, for example v1/infer.")

    def subject(self):
        return f"{self.api} {self.capability} {self.path}"

    def check_name(self):
        return "service_request"

    def post(self, url, headers=None):
        """The answer, whatever its status; the seconds count the whole of it."""
        reader = EventReader() if self.stream else None
        headers = {"Content-Type": "application/json", **(headers or {})}
        started = time.monotonic()
        try:
            answer = self.client.request("POST", url, self.body, headers, read=reader)
        except HttpFailure as failure:
            if reader is None or not reader.data:
                raise
            # Some of it came, which tells more than that the rest did not.
            came = counted(len(read_events(reader.text)[0]), "event")
            raise RequestFailure("stream_not_ended", f"after {came} {clause(failure.sentence)}") from failure
        finally:
            self.result["seconds"] = round(time.monotonic() - started, 3)
        self.result["status_code"] = answer.status
        self.result["balance"] = answer.headers.get("Livepeer-Balance") or ""
        return answer

    def judge(self, answer):
        """The sentence for an answer as it was expected; RequestFailure for any other."""
        wanted = self.expect.get("status") or 200
        if answer.status >= 400:
            failure = self.refusal(answer)
            if answer.status != wanted or failure.name not in OF_THE_WORKER:
                raise failure
        elif answer.status != wanted:
            raise RequestFailure("other_status", f"The answer has status {answer.status}, expected was {wanted}")
        if answer.status < 400 and not answer.body.strip():
            raise RequestFailure("empty_200")
        self.result["text"] = shown(answer.text)
        if self.stream and answer.status == 200:
            sentence, self.result["events"] = judge_events(answer.text, self.expect)
            return sentence
        sentence, value = judge_body(answer.text, self.expect)
        self.result["answer"] = value if len(answer.body) <= LARGEST_ANSWER else None
        return sentence if wanted == 200 else f"As expected, status {wanted} came back: {quote(answer.text)}"

    def refusal(self, answer):
        """The failure behind a status of 400 or more."""
        said = answer.error_text().rstrip(".") or "without a word"
        name = name_of(self.api, self.target, answer.status, answer.text)
        if answer.status == 404 and answer.text.strip() == NO_ROUTE:
            # The node has no such route, or the service behind it has none and says so in the same words.
            name = self.why_no_route() or name
        return RequestFailure(name, said)

    def why_no_route(self):
        """The name of the failure if the node itself has no such route, empty if the service has none."""
        raise NotImplementedError

    def status_of(self, url):
        """The status of a GET, 0 without an answer."""
        try:
            return self.client.get(url, timeout=10).status
        except HttpFailure:
            return 0


class ByocRequest(ServiceRequest):
    """A job for a capability, through a gateway or straight to an orchestrator off chain."""

    api = "byoc"
    grace = GRACE

    def __init__(self, module):
        super().__init__(module)
        params = module.params
        self.cli_url = params["cli_url"]
        self.include, self.exclude = params["include"], params["exclude"]
        self.request, self.parameters = params["request"], params["parameters"]
        self.expected = params["orchestrators"] or self.include
        self.result["orchestrators"]["expected"] = [normal_uri(one) for one in self.expected]

    def refuse_nonsense(self):
        super().refuse_nonsense()
        if self.target == "runner":
            self.module.fail_json(msg="target is runner, but a BYOC job goes to a gateway or an orchestrator.")
        if self.module.params["mode"] != "single-shot":
            self.module.fail_json(msg="mode is persistent, but only live runners have sessions.")
        if self.target == "orchestrator":
            for name in ("include", "exclude", "orchestrators"):
                if self.module.params[name]:
                    self.module.fail_json(msg=f"{name} is given, but only a gateway chooses among orchestrators.")

    def ask(self, prepared):
        answer = self.post(self.job_url(), {HEADER: self.header()})
        sentence = self.judge(answer)
        if self.target == "gateway" and answer.status < 400:
            self.note_orchestrator(answer)
        return sentence

    def job_url(self):
        return join_url(self.url, f"process/request/{self.path}")

    def header(self):
        parameters = chosen_orchestrators(self.parameters, self.include, self.exclude)
        return job_header(self.capability, self.timeout, self.request, parameters, self.target == "orchestrator")

    def note_orchestrator(self, answer):
        url = answer.headers.get("X-Orchestrator-Url") or ""
        if not url:
            raise RequestFailure("no_orchestrator_url")
        self.result["orchestrators"]["candidates"] = [normal_uri(url)]

    def refusal(self, answer):
        failure = super().refusal(answer)
        if failure.name == "no_orchestrators" and self.is_offchain():
            failure.name = "offchain_gateway"
        return failure

    def is_offchain(self):
        """Only the CLI port of the gateway tells; without it the cause stays one of several."""
        if not self.cli_url:
            return False
        try:
            answer = self.client.get(join_url(self.cli_url, "EthChainID"), timeout=10)
        except HttpFailure:
            return False
        return answer.status == 200 and answer.text.strip() == "0"

    def why_no_route(self):
        # A node with the route refuses any other method before it looks at anything else.
        if self.status_of(self.job_url()) == 405:
            return ""
        if self.target == "gateway" and self.status_of(join_url(self.url, "healthz")) == 200:
            return "not_found_everywhere"
        return "not_a_node"

    def further_checks(self, status):
        found = self.result["orchestrators"]["candidates"]
        if status != PASSED or not found or not (self.expected or self.exclude):
            return []
        unwanted = any(same_service(found[0], one) for one in self.exclude)
        if not unwanted and any(same_service(found[0], one) for one in self.expected or found):
            self.result["orchestrators"]["judgement"] = "expected"
            return [make_check("answering_orchestrator", self.full_subject(), PASSED, f"{found[0]} answered.")]
        self.result["orchestrators"]["judgement"] = "unexpected"
        self.result["failure"] = "wrong_orchestrator"
        meant = f"expected was {' or '.join(self.expected)}" if self.expected else "which was excluded"
        sentence = f"The answer came from {found[0]}, {meant}."
        remedy = (
            "Spell included and excluded orchestrators exactly as the gateway's own list does (-orchAddr), and compare "
            "them with the service address that the orchestrator announces."
        )
        return [make_check("answering_orchestrator", self.full_subject(), FAILED, sentence, remedy=remedy)]


class LiveRunnerRequest(ServiceRequest):
    """A request to the application behind a live runner, in a session of its own if the runner is persistent."""

    api = "live_runner"

    def __init__(self, module):
        # Live runners have no gateway: their clients speak to the orchestrator.
        module.params["target"] = "orchestrator"
        super().__init__(module)
        self.persistent = module.params["mode"] == "persistent"

    def refuse_nonsense(self):
        super().refuse_nonsense()
        for name in ("include", "exclude", "orchestrators", "request", "parameters"):
            if self.module.params[name]:
                self.module.fail_json(msg=f"{name} is given, but a live runner takes no such thing; it is for BYOC.")

    def ask(self, prepared):
        if not self.persistent:
            return self.judge(self.post(self.runner_url(f"app/{self.path}")))
        session = self.open_session()
        try:
            sentence = self.judge(self.post(join_url(session["app_url"], self.path)))
        except BaseException:
            # The job's own failure is the one to tell.
            self.stop_session(session)
            raise
        problem = self.stop_session(session)
        if problem:
            raise RequestFailure("session_not_stopped", problem)
        return sentence

    def runner_url(self, path):
        return join_url(self.url, "apps/{}/{}".format(urllib.parse.quote(self.capability, safe=""), path))

    def open_session(self):
        answer = self.client.request("POST", self.runner_url("session"), b"")
        if answer.status >= 400:
            raise self.refusal(answer)
        try:
            session = answer.json()
            return {"id": str(session["session_id"]), "app_url": urllib.parse.urljoin(self.url, session["app_url"])}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = f"the answer holds no session ({shorten(answer.text, 80)})"
            raise RequestFailure("bad_payload", said) from error

    def stop_session(self, session):
        """What went wrong, empty if the slot is free again."""
        path = "session/{}/stop".format(urllib.parse.quote(session["id"], safe=""))
        try:
            answer = self.client.request("POST", self.runner_url(path), b"", timeout=10)
        except HttpFailure as failure:
            return clause(failure.sentence)
        return "" if answer.status < 300 else f"{answer.status}, {answer.error_text()}"

    def why_no_route(self):
        return "live_runners_off" if self.status_of(join_url(self.url, "discovery")) == 404 else ""
