# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BYOC at the gateway: tokens from the whole pool, then one orchestrator after another (facts 4.4, 4.6)."""

from __future__ import annotations

import base64
import json
import queue
import random
import secrets
import threading
import time
from dataclasses import dataclass

from . import byoc, forward, gojson, log, sse, web
from .eth import ZERO_ADDRESS

SEARCH_SECONDS = 1
TOKEN_SECONDS = 0.5
# An orchestrator has this much longer than the job itself.
JOB_GRACE = 5

_FILTER = gojson.Struct("byoc.JobOrchestratorsFilter", {"exclude": ["string"], "include": ["string"]})
_PARAMETERS = gojson.Struct(
    "byoc.JobParameters",
    {
        "orchestrators": _FILTER,
        "enable_video_ingress": "bool",
        "enable_video_egress": "bool",
        "enable_data_output": "bool",
    },
)
# What net/http recognises by its first bytes, as far as services answer with it.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"OggS\x00", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"<?xml", "text/xml; charset=utf-8"),
)
_SNIFFED = 512


class BadJob(Exception):
    """400 with this text."""


@dataclass
class Token:
    """An orchestrator that offers the capability and has room."""

    url: str
    has_tickets: bool


def sniffed(body):
    """The Content-Type that net/http gives a body whose handler set none: JSON is plain text to it."""
    head = body[:_SNIFFED]
    for start, kind in _SIGNATURES:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] in (b"WAVE", b"WEBP"):
        return {b"WAVE": "audio/wave", b"WEBP": "image/webp"}[head[8:12]]
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "text/html; charset=utf-8"
    binary = any(byte < 0x20 and byte not in b"\t\n\x0c\r\x1b" for byte in head)
    return "application/octet-stream" if binary else web.TEXT


class Gateway:
    """/process/request/ of one gateway."""

    def __init__(self, node):
        self._node = node

    def handle(self, request):
        """The answer, or None where the path is not BYOC's."""
        if not request.path.startswith(byoc.JOB_PREFIX):
            return None
        if request.method != "POST":
            return web.error("Method not allowed", 405)
        try:
            job, tokens = self._prepared(request)
        except BadJob as error:
            log.error(f"Error setting up job: {error}")
            return web.error(str(error), 400)
        return self._tried(request, job, tokens)

    # --- the job and who can do it -------------------------------------------------------------------------------
    def _prepared(self, request):
        try:
            job = byoc.parse_job(request.headers.get(byoc.JOB_HEADER, ""))
        except ValueError as error:
            raise BadJob(f"Unable to parse job request, err={error}") from error
        try:
            gojson.decode(job["request"], byoc.JOB_DETAILS)
        except gojson.JsonError as error:
            raise BadJob(f"Unable to unmarshal job request err={error}") from error
        try:
            wanted = gojson.decode(job["parameters"], _PARAMETERS)["orchestrators"]
        except gojson.JsonError as error:
            raise BadJob(f"Unable to unmarshal job parameters err={error}") from error
        tokens = self._search(job["capability"], wanted)
        if not tokens:
            raise BadJob(f"No orchestrators found for capability {job['capability']}")
        return job, tokens

    def _search(self, capability, wanted):
        """Tokens with room in the order they came, of those that came within a second."""
        urls = [url for url in self._node.orch_addrs if url not in wanted["exclude"]]
        if wanted["include"]:
            urls = [url for url in urls if url in wanted["include"]]
        if not self._node.orch_addrs and self._node.offchain:
            # A gateway without a pool; the nil interface is called.
            log.error("http: panic serving: runtime error: invalid memory address or nil pointer dereference")
            raise web.Abort
        answers = queue.SimpleQueue()
        for url in random.sample(urls, len(urls)):
            threading.Thread(target=self._ask, args=(url, capability, answers), daemon=True).start()
        tokens, deadline = [], time.monotonic() + SEARCH_SECONDS
        for _url in urls:
            try:
                token = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if token:
                tokens.append(token)
        return tokens

    def _ask(self, url, capability, answers):
        sender = json.dumps({"addr": self._address, "sig": self._signature()})
        headers = {
            byoc.SENDER_HEADER: base64.b64encode(sender.encode()).decode(),
            byoc.CAPABILITY_HEADER: capability,
        }
        try:
            reply = forward.Exchange("GET", f"{url}/process/token", headers=headers).head(TOKEN_SECONDS)
            if reply.status != 200:
                raise ValueError(f"status {reply.status}")
            document = json.loads(reply.read())
            offered = document.get("available_capacity", 0) > 0
            token = Token(document.get("service_addr", ""), "ticket_params" in document)
        except (forward.Failed, ValueError, TypeError, AttributeError) as error:
            log.error(f"Failed to get token from Orchestrator {url} err={error}")
            answers.put(None)
            return
        answers.put(token if offered else None)

    # --- who he is -----------------------------------------------------------------------------------------------
    @property
    def _address(self):
        return self._node.eth.address if self._node.eth else ZERO_ADDRESS

    def _signature(self):
        """Of the right shape on-chain, nothing is signed here; offchain "0x" alone, which no orchestrator takes."""
        return "0x" + (secrets.token_hex(byoc.SIGNATURE_DIGITS // 2) if self._node.eth else "")

    def _signed(self, job):
        document = {**job, "sender": self._address, "sig": self._signature()}
        return base64.b64encode(json.dumps(document).encode()).decode()

    # --- one orchestrator after another --------------------------------------------------------------------------
    def _tried(self, request, job, tokens):
        for token in tokens:
            answer = self._at(token, request, job)
            if answer:
                return answer
        # Nothing was written, which is a success to net/http.
        return web.Response(200)

    def _at(self, token, request, job):
        """The answer of one orchestrator, or None where the next one is to be tried."""
        headers = {
            "Content-Type": request.headers.get("Content-Type", ""),
            byoc.JOB_HEADER: self._signed(job),
        }
        url = token.url + forward.quoted(request.path)
        exchange = forward.Exchange("POST", url, request.body, headers, request.gone)
        try:
            exchange.head(job["timeout_seconds"] + JOB_GRACE)
            if "text/event-stream" in exchange.headers.get("Content-Type", "") and exchange.status < 400:
                return self._streamed(token, exchange, job)
            body = exchange.read()
        except forward.Failed as error:
            log.error(f"job not able to be processed by Orchestrator {token.url} err={error} ")
            return None
        if exchange.status > 399:
            text = body.decode("utf-8", "replace")
            log.error(f"error processing request err={text} ")
            return web.error(text, exchange.status) if exchange.status < 500 else None
        self._settle(token)
        return web.Response(200, body, {**_head(token, exchange), "Content-Type": sniffed(body)})

    def _streamed(self, token, exchange, job):
        headers = {
            **_head(token, exchange),
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-cache",
            "Connection": "keep-alive",
        }

        def events():
            yield from sse.from_orchestrator(exchange, job["timeout_seconds"])
            self._settle(token)

        return web.Response(200, sse.Held(events(), exchange.close), headers)

    @staticmethod
    def _settle(token):
        """What was used is booked to the tickets' recipient; an offchain orchestrator names none, and that panics."""
        if not token.has_tickets:
            log.error("http: panic serving: runtime error: invalid memory address or nil pointer dereference")
            raise web.Abort


def _head(token, exchange):
    return {
        byoc.BALANCE_HEADER: exchange.headers.get(byoc.BALANCE_HEADER, ""),
        "X-Metadata": exchange.headers.get("X-Metadata", ""),
        "X-Orchestrator-Url": token.url,
    }
