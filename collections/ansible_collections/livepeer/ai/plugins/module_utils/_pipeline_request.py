# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request of a batch pipeline, to a gateway or to a runner. Private to the collection."""

from __future__ import annotations

import json
import os
import time

from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, UNKNOWN, make_check
from ansible_collections.livepeer.ai.plugins.module_utils._http import HttpClient, HttpFailure, join_url
from ansible_collections.livepeer.ai.plugins.module_utils._network import normal_uri, read_sessions, same_service
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_answers import PipelineAnswers
from ansible_collections.livepeer.ai.plugins.module_utils._pipelines import (
    CONTENT_TYPES,
    JSON_TEXT,
    MEANINGS,
    PIPELINES,
    SAMPLES,
)
from ansible_collections.livepeer.ai.plugins.module_utils._request import Request, RequestFailure


def json_text(value):
    return value if isinstance(value, str) else json.dumps(value)


class PipelineRequest(PipelineAnswers, Request):
    """Sends the request, follows the answer to its media and judges them."""

    meanings = MEANINGS

    def __init__(self, module):
        super().__init__(module)
        params = module.params
        self.pipeline, self.model_id = params["pipeline"], params["model_id"]
        self.kind = PIPELINES[self.pipeline]
        self.parameters = {
            key: value
            for key, value in {**self.kind["parameters"], **params["parameters"]}.items()
            if value is not None
        }
        self.files = params["files"]
        self.dest = params["dest"]
        self.cli_url, self.expected = params["cli_url"], params["orchestrators"]
        self.client = HttpClient(params["timeout"], params["validate_certs"], params["token"])
        # Media and session pools are not behind the runner's token.
        self.plain_client = HttpClient(min(params["timeout"], 60), params["validate_certs"])
        self.result["orchestrators"] = {
            "candidates": [],
            "expected": [normal_uri(one) for one in self.expected],
            "judgement": "unknown",
        }

    def prepare(self):
        return self.upload()

    def ask(self, prepared):
        return self.judge(self.send(prepared))

    def further_checks(self, status):
        self.read_candidates()
        return [self.judge_orchestrators()] if self.expected and status == PASSED else []

    def subject(self):
        return f"{self.pipeline} {self.model_id}"

    # --- the request ---

    def refuse_nonsense(self):
        if self.target == "orchestrator":
            self.module.fail_json(msg="target is orchestrator, but a pipeline is asked for at a gateway or a runner.")
        for name in ("path", "body", "stream", "request", "include", "exclude", "capability"):
            if self.module.params[name]:
                self.module.fail_json(msg=f"{name} is given, but it is for services and api is pipeline.")
        wanted = self.kind.get("file")
        for name in self.files:
            if name != wanted:
                wants = f"takes {wanted}" if wanted else "takes no file"
                self.module.fail_json(msg=f"files has {name}, but the pipeline {self.pipeline} {wants}.")
        if self.expected and not self.cli_url:
            self.module.fail_json(
                msg="orchestrators is given without cli_url: only the gateway's CLI port knows who could have answered."
            )
        if self.dest and not self.module.check_mode and not os.path.isdir(self.dest):
            self.module.fail_json(msg=f"dest is {self.dest}, which is not a directory; create it first.")

    def upload(self):
        """(file name, content type, bytes) of the input file, None if the pipeline takes none."""
        name = self.kind.get("file")
        if name is None:
            return None
        path = self.files.get(name) or "sample"
        if path == "sample":
            file_name, content_type, make = SAMPLES[name]
            return file_name, content_type, make()
        try:
            with open(path, "rb") as stream:
                content = stream.read()
        except OSError as error:
            self.module.fail_json(msg=f"files.{name} is {path}, which cannot be read on this host: {error.strerror}.")
        return (
            os.path.basename(path),
            CONTENT_TYPES.get(os.path.splitext(path)[1].lower(), "application/octet-stream"),
            content,
        )

    def is_sample(self):
        return (self.files.get(self.kind.get("file")) or "sample") == "sample"

    def send(self, upload):
        """The answer with a body that says 200 and is one; RequestFailure for anything else."""
        url = join_url(self.url, self.pipeline)
        started = time.monotonic()
        try:
            if self.kind["body"] == "json":
                answer = self.client.post_json(url, self.json_body())
            else:
                answer = self.client.post_multipart(url, self.form_fields(), {self.kind["file"]: upload})
        finally:
            self.result["seconds"] = round(time.monotonic() - started, 3)
        self.result["status_code"] = answer.status
        if answer.status != 200:
            raise self.refusal(answer)
        if not answer.body.strip():
            raise RequestFailure("empty_200")
        return answer

    def json_body(self):
        body = {key: json_text(value) if key in JSON_TEXT else value for key, value in self.parameters.items()}
        body["model" if self.pipeline == "llm" else "model_id"] = self.model_id
        return body

    def form_fields(self):
        fields = {
            key: json_text(value) if not isinstance(value, str) else value for key, value in self.parameters.items()
        }
        fields["model_id"] = self.model_id
        return fields

    def refusal(self, answer):
        """The failure behind a status code other than 200."""
        # A gateway puts a colon before the words of a runner, and nothing before it.
        said = answer.error_text().lstrip(": ") or "without a word"
        if answer.status == 404:
            return RequestFailure(self.why_not_found(), said)
        if answer.status == 500 and answer.is_json:
            return RequestFailure("server_error_json", said)
        return RequestFailure(f"http_{answer.status}", said)

    def why_not_found(self):
        """One missing route, all of them, or the wrong server: two more questions tell."""
        if self.target == "runner":
            return "not_found"
        other = "text-to-image" if self.pipeline != "text-to-image" else "image-to-image"
        try:
            # With ingest on, a GET to an AI route breaks a rule of the API and is answered with an empty 200.
            if self.plain_client.get(join_url(self.url, other)).status != 404:
                return "not_found"
            healthy = self.plain_client.get(join_url(self.url, "healthz")).status == 200
        except HttpFailure:
            healthy = False
        return "not_found_everywhere" if healthy else "not_a_gateway"

    # --- who answered ---

    def read_candidates(self):
        """Everyone whom the gateway knows for this model; which of them took the job it does not tell."""
        if not self.cli_url:
            return
        try:
            sessions = read_sessions(self.plain_client.get(join_url(self.cli_url, "getAISessionPoolsInfo")).json())
        except (HttpFailure, ValueError, AttributeError, TypeError):
            return
        found = {
            one["service_uri"]
            for one in sessions
            if (one["pipeline"], one["model_id"]) == (self.pipeline, self.model_id)
        }
        self.result["orchestrators"]["candidates"] = sorted(found)

    def judge_orchestrators(self):
        info = self.result["orchestrators"]
        good = [one for one in info["candidates"] if any(same_service(one, other) for other in info["expected"])]
        others = [one for one in info["candidates"] if one not in good]
        if not info["candidates"]:
            sentence, status = "The gateway's session pools do not tell who could have answered.", UNKNOWN
            remedy = "Check cli_url; the pools are read right after the request."
        elif not others:
            info["judgement"] = "expected"
            sentence, status, remedy = "Only {} could have answered.".format(", ".join(good)), PASSED, ""
        elif not good:
            info["judgement"] = "unexpected"
            sentence, status = (
                "The answer came from {}, expected was {}.".format(" or ".join(others), " or ".join(info["expected"])),
                FAILED,
            )
            remedy = "Pin the gateway to the orchestrators it should use (-orchAddr)."
        else:
            info["judgement"] = "mixed"
            sentence, status = (
                "The answer came from {} or from {}; the gateway does not tell.".format(
                    " or ".join(good), " or ".join(others)
                ),
                UNKNOWN,
            )
            remedy = "Pin a gateway to the expected orchestrators alone to be sure."
        return make_check("answering_orchestrator", self.full_subject(), status, sentence, remedy=remedy)
