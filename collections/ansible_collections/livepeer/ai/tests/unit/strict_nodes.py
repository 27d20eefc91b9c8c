# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes for the tiny servers that take jobs as strictly as go-livepeer does, and fail as it does."""

from __future__ import annotations

import base64
import binascii
import json
import re
import urllib.parse

from ansible_collections.livepeer.ai.tests.unit.liars import CLOSE, STALL, reply

REFUSED = "refused"  # a service that nothing listens for
SLOW = "slow"  # one that answers after the job's time
UNAUTHORIZED = "unauthorized"  # one that wants another token


def text(status, words, **headers):
    return {**reply(status, words + "\n", "text/plain; charset=utf-8"), "headers": headers}


def answer(body, kind="application/json", **headers):
    return {**reply(body=body, content_type=kind), "headers": headers}


def sse(*events, done=True, balance=True):
    lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events]
    if done:
        lines += ['data: {"balance": 0.000}\n\n'] * balance + ["data: [DONE]\n\n"]
    return answer("".join(lines), "text/event-stream")


def header_of(request):
    """The job in the Livepeer header; ValueError if it is not one."""
    try:
        job = json.loads(base64.b64decode(request["headers"].get("Livepeer", ""), validate=True))
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(job, dict) or not isinstance(job.get("timeout_seconds", 0), int):
        raise ValueError("json: cannot unmarshal")
    return job


class Orchestrator:
    """The service port. services: {capability: function of (path, body) or one of the words above}."""

    def __init__(self, services, url="https://192.0.2.21:8935", onchain=False, prices=()):
        self.services, self.url, self.onchain, self.prices = services, url, onchain, prices
        self.jobs, self.leaked = [], []

    def routes(self):
        return {"*": self.serve, "/healthz": reply(body=b"")}

    def serve(self, request):
        path = request["path"]
        if path == "/process/token":
            return self.token(request)
        if not path.startswith("/process/request/"):
            return text(404, "404 page not found")
        if request["method"] != "POST":
            return text(405, "Method not allowed")
        return self.job(request, path[len("/process/request/") :])

    def token(self, request):
        sender = json.loads(base64.b64decode(request["headers"].get("Livepeer-Eth-Address", "")))
        if not self.signature_holds(sender["sig"]):
            return text(400, "Invalid eth address header ")
        name = request["headers"]["Livepeer-Capability"]
        token = {"sender_address": sender, "price": {"pixelsPerUnit": 1}, "service_addr": self.url}
        if name in self.services:
            token["available_capacity"] = 1
        return reply(body=token)

    def signature_holds(self, signature):
        try:
            raw = bytes.fromhex(signature[2:] if len(signature) == 132 else signature)
        except ValueError:
            return False
        return len(raw) == 65 if self.onchain else True

    def job(self, request, path):
        try:
            job = header_of(request)
        except ValueError as error:
            return text(400, f"Could not verify job creds err={error}")
        if not job.get("timeout_seconds"):
            return text(400, "no timeout_seconds set with request, timeout_seconds is required")
        if not self.signature_holds(job["sig"]) or not re.fullmatch(r"0x[0-9a-fA-F]{40}", job["sender"]):
            return text(400, "Could not verify job creds")
        name = job["capability"]
        if name not in self.services:
            return text(503, "No capacity available for capability")
        if name in self.prices:
            return text(400, "Insufficient balance for request")
        if not isinstance(json.loads(job["request"]), dict):
            return text(400, "Unable to unmarshal job request details err=json")
        self.jobs.append((job, path, json.loads(request["body"])))
        return self.forward(name, path, request)

    def forward(self, name, path, request):
        service = self.services[name]
        removing = "job not able to be processed, removing capability err="
        if service == SLOW:
            self.leaked.append(name)
            return text(500, f'{removing}Post "http://127.0.0.1:8600/{path}": context canceled')
        if service == UNAUTHORIZED:
            del self.services[name]
            return text(500, f"{removing}worker auth token failed")
        if service == REFUSED:
            del self.services[name]
            said = "dial tcp 127.0.0.1:8600: connect: connection refused"
            return text(500, f'{removing}Post "http://127.0.0.1:8600/{path}": {said}')
        told = service(path, json.loads(request["body"])) if callable(service) else service
        if told in (CLOSE, STALL):
            return told
        if told["status"] < 400:
            return {**told, "status": 200, "headers": {**told.get("headers", {}), "Livepeer-Balance": "0.000"}}
        return {**told, "content_type": "text/plain; charset=utf-8"}


class Gateway:
    """The HTTP port. pool: orchestrators in the order in which their tokens come."""

    def __init__(self, pool, onchain=True):
        self.pool, self.onchain = pool, onchain
        self.signature = "0x" + "ab" * 65 if onchain else "0x"

    def routes(self):
        return {"*": self.serve, "/healthz": reply(body=b"")}

    def serve(self, request):
        if not request["path"].startswith("/process/request/"):
            return text(404, "404 page not found")
        if request["method"] != "POST":
            return text(405, "Method not allowed")
        try:
            job = header_of(request)
            if not job.get("timeout_seconds"):
                raise ValueError("no timeout_seconds set with request, timeout_seconds is required")
        except ValueError as error:
            return text(400, f"Unable to parse job request, err={error}")
        parsed = {}
        for key, word in (("request", "request"), ("parameters", "parameters")):
            try:
                parsed[key] = json.loads(job.get(key, ""))
            except ValueError:
                return text(400, f"Unable to unmarshal job {word} err=unexpected end of JSON input")
        return self.send(request, job, parsed["parameters"].get("orchestrators") or {})

    def send(self, request, job, choice):
        include, exclude = choice.get("include") or [], choice.get("exclude") or []
        offering = [
            one
            for one in self.pool
            if one.signature_holds(self.signature)
            and job["capability"] in one.services
            and one.url not in exclude
            and (not include or one.url in include)
        ]
        if not offering:
            return text(400, f"No orchestrators found for capability {job['capability']}")
        signed = {**job, "id": "1", "sender": "0x" + "12" * 20, "sig": self.signature}
        for orchestrator in offering:
            raw = base64.b64encode(json.dumps(signed).encode()).decode()
            told = orchestrator.serve({**request, "headers": {**request["headers"], "Livepeer": raw}})
            if told in (CLOSE, STALL) or told["status"] >= 500:
                continue
            if told["status"] >= 400:
                return told
            kind = told["content_type"] if "event-stream" in told["content_type"] else "text/plain; charset=utf-8"
            return {
                **told,
                "content_type": kind,
                "headers": {**told["headers"], "X-Orchestrator-Url": orchestrator.url},
            }
        return {**reply(body=b"", content_type="")}


class LiveRunners:
    """The service port of an orchestrator with live runners: {label: {mode, capacity, app}}."""

    def __init__(self, runners):
        self.runners = runners
        self.sessions, self.seen = {}, []
        self.address = ""

    def routes(self):
        return {"*": self.serve}

    def serve(self, request):
        parts = [urllib.parse.unquote(part) for part in request["path"].strip("/").split("/")]
        if parts == ["discovery"]:
            return self.discovery()
        if parts[0] != "apps" or len(parts) < 3:
            return text(404, "404 page not found")
        label, rest = parts[1], parts[2:]
        runner = self.runners.get(label)
        if not runner or not runner.get("healthy", True):
            return text(404, "runner not found")
        if rest[0] == "session":
            return self.session(runner, label, rest)
        if len(rest) > 1 and rest[0] == "run":
            return (
                self.proxy(runner, "/".join(rest[2:]), request) if rest[1] in self.sessions else text(404, "no session")
            )
        if runner["mode"] != "single-shot":
            return text(400, "runner is not single-shot")
        if runner.get("capacity", 1) < 1:
            return text(503, "no capacity available for runner")
        if runner.get("price"):
            return text(402, "payment required")
        return self.proxy(runner, "/".join(rest[1:]), request)

    def discovery(self):
        ready = [
            {
                "url": f"{self.address}/apps/{label}/{'app' if runner['mode'] == 'single-shot' else 'session'}",
                "app": runner.get("name", label),
                "mode": runner["mode"],
                "capacity": 1,
                "capacity_used": 1 - runner.get("capacity", 1),
                "capacity_available": runner.get("capacity", 1),
            }
            for label, runner in self.runners.items()
            if runner.get("healthy", True)
        ]
        return reply(body=[{"address": self.address, **({"runners": ready} if ready else {})}])

    def session(self, runner, label, rest):
        if runner["mode"] == "single-shot":
            return text(400, "only persistent runners have sessions")
        if len(rest) == 3 and rest[2] == "stop":
            return reply(204, b"", "") if self.sessions.pop(rest[1], None) else text(404, "session not found")
        if len(self.sessions) >= runner.get("capacity", 1):
            return text(503, "no capacity available for runner")
        self.sessions["s1"] = label
        url = f"{self.address}/apps/{label}/run/s1"
        return reply(body={"session_id": "s1", "app_url": url, "control_url": url + "/control"})

    def proxy(self, runner, path, request):
        if runner["app"] == REFUSED:
            return text(502, "bad gateway")
        self.seen.append((path, json.loads(request["body"])))
        return runner["app"](path, json.loads(request["body"])) if callable(runner["app"]) else runner["app"]
