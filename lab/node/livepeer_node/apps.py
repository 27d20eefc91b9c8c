# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live runners on the service port: /discovery, and requests passed on below /apps/ (facts 7.5)."""

from __future__ import annotations

import hmac
import http.client
import json
import re
import urllib.parse

from . import forward, live_runners, log, web
from .eth import ZERO_ADDRESS
from .sse import Held

TOKEN_HEADER = "Livepeer-Session-Token"
PAYER_HEADER = "Livepeer-Payer-Address"
PAYMENT_HEADERS = ("Livepeer-Payment", "Livepeer-Segment")
NOT_SUPPORTED = "live runners are not supported"
# Headers of one connection, not of the message (RFC 9110, 7.6.1), and what a proxy of Go's takes away besides.
_HOP_BY_HOP = {
    "connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade",
}  # fmt: skip
_NOT_SENT = _HOP_BY_HOP | {
    "host", "content-length", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
    "livepeer-runner-route", "livepeer-session-id", "livepeer-session-token", "livepeer-session-control",
}  # fmt: skip
# Named by this server itself.
_NOT_RETURNED = _HOP_BY_HOP | {"content-length", "server", "date"}


class Apps:
    """The routes of live runners of one orchestrator; without a registry they all say that there is none."""

    def __init__(self, node):
        self._node = node
        part = "([^/]+)"
        self._routes = [
            (re.compile(pattern), method, view)
            for pattern, method, view in (
                ("/discovery", "GET", self._discovery),
                ("/runners/heartbeat", "POST", self._heartbeat),
                (f"/runners/{part}/unregister", "POST", self._unregister),
                (f"/runner/{part}/session/{part}/stop", "POST", self._stop_inside),
                (f"/apps/{part}/session", "POST", self._open_session),
                (f"/apps/{part}/session/{part}/stop", "POST", self._stop_session),
                (f"/apps/{part}/session/{part}/app/(.*)", None, self._in_session),
                (f"/apps/{part}/app/(.*)", None, self._single_shot),
            )
        ]

    @property
    def _registry(self):
        return self._node.live_runners

    def handle(self, request):
        """The answer, or None where the path is not a live runner's."""
        for pattern, method, view in self._routes:
            match = pattern.fullmatch(request.path)
            if not match:
                continue
            if method and request.method not in (method, "HEAD" if method == "GET" else method):
                refusal = web.error("Method Not Allowed", 405)
                refusal.headers["Allow"] = "GET, HEAD" if method == "GET" else method
                return refusal
            return self._guarded(view, request, match.groups())
        return None

    def _guarded(self, view, request, parts):
        if self._registry is None:
            return _refused(NOT_SUPPORTED, 404)
        try:
            return view(request, *parts)
        except live_runners.RunnerError as error:
            return _refused(str(error), error.status)

    # --- what there is -------------------------------------------------------------------------------------------
    def _discovery(self, _request):
        entry = {"address": self._node.service_uri} if self._node.service_uri else {}
        offers = self._registry.offers()
        return web.as_json([{**entry, "runners": offers} if offers else entry])

    # --- runners that register themselves ------------------------------------------------------------------------
    def _heartbeat(self, request):
        """The registration that a static runner does without; only its refusals are stood in for (NETWORK.md)."""
        if not self._node.orch_secret:
            return _refused("dynamic live runner registration is disabled", 404)
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._node.orch_secret.encode()):
            return _refused("invalid registration authorization", 401)
        return _refused("this stand-in takes static live runners only", 501)

    def _unregister(self, _request, route):
        self._registry.find(route)
        return _refused("static runner cannot unregister with heartbeat credentials", 400)

    def _stop_inside(self, request, route, session):
        runner = self._registry.with_session(route, session)
        token = request.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(token.encode(), runner.session_token(session).encode()):
            return _refused("invalid authorization", 401)
        return self._stop_session(request, route, session)

    # --- sessions ------------------------------------------------------------------------------------------------
    def _open_session(self, request, route):
        runner = self._registry.ready(route)
        if runner.entry["mode"] != live_runners.PERSISTENT:
            return _refused("only persistent runners have sessions", 400)
        unpaid = self._unpaid(request, runner)
        if unpaid:
            return unpaid
        _runner, session = self._registry.reserve(route)
        base = f"{self._node.service_uri}/apps/{urllib.parse.quote(route)}/session/{session}"
        return web.as_json({"session_id": session, "app_url": f"{base}/app", "control_url": base})

    def _stop_session(self, _request, route, session):
        self._registry.release(route, session)
        return web.Response(204)

    def _in_session(self, request, route, session, path):
        runner = self._registry.with_session(route, session)
        return self._passed_on(request, runner, session, path, lambda: None)

    # --- single requests -----------------------------------------------------------------------------------------
    def _single_shot(self, request, route, path):
        runner = self._registry.ready(route)
        if runner.entry["mode"] != live_runners.SINGLE_SHOT:
            return _refused("runner is not single-shot", 400)
        unpaid = self._unpaid(request, runner)
        if unpaid:
            return unpaid
        runner, session = self._registry.reserve(route)
        return self._passed_on(request, runner, session, path, lambda: self._registry.release(route, session))

    def _unpaid(self, request, runner):
        """On-chain nothing is free, and no ticket can be made here: the challenge, or why there is none."""
        if not self._registry.onchain:
            return None
        if not self._registry.price(runner):
            reason = "converted live runner price must be at least one wei"
            return _refused(f"live runner price unavailable: {reason}", 503)
        if any(request.headers.get(name) for name in PAYMENT_HEADERS):
            return _refused("ErrSegEncoding", 403)
        payer = request.headers.get(PAYER_HEADER, "")
        if not re.fullmatch(r"(0[xX])?[0-9a-fA-F]{40}", payer) or payer == ZERO_ADDRESS:
            message = {"error": {"message": "invalid live runner payment signer address"}}
            return web.Response(402, json.dumps(message).encode() + b"\n", {"Content-Type": "application/json"})
        return _refused("insufficient sender reserve", 500)

    # --- the proxy -----------------------------------------------------------------------------------------------
    def _passed_on(self, request, runner, session, path, release):
        base = urllib.parse.urlsplit(runner.entry["runner_url"])
        target = f"{base.scheme}://{base.netloc}{base.path.rstrip('/')}/{forward.quoted(path)}"
        if request.raw_query:
            target += f"?{request.raw_query}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_SENT}
        headers.update(self._session_headers(runner, session))
        body = request.body or (b"" if "Content-Length" in request.headers else None)
        exchange = forward.Exchange(request.method, target, body, headers, request.gone)
        try:
            exchange.head()
        except forward.Failed as error:
            release()
            # Without the method and the URL, which only Go's client puts before it, not its transport.
            return _refused(error.reason, 502)
        body = Held(_streamed(exchange), release)
        if exchange.status in web.NO_BODY:
            body.close()
            body = b""
        return web.Response(exchange.status, body, _returned(exchange.headers))

    def _session_headers(self, runner, session):
        control = self._node.settings["liveRunnerAddr"] or self._node.service_uri
        return {
            "Livepeer-Runner-Route": runner.route,
            "Livepeer-Session-Id": session,
            TOKEN_HEADER: runner.session_token(session),
            "Livepeer-Session-Control": f"{control.rstrip('/')}/runner/{runner.route}/session/{session}",
        }


def _streamed(exchange):
    """A body that breaks off breaks off here too."""
    try:
        yield from exchange.pieces()
    except forward.Failed as error:
        log.error(f"httputil: ReverseProxy read error during body copy: {error}")
        raise web.Abort from error


def _returned(headers):
    kept = http.client.HTTPMessage()
    for name, value in headers.items():
        if name.lower() not in _NOT_RETURNED:
            kept.add_header(name, value)
    return kept


def _refused(message, status):
    log.error(f"HTTP Response Error statusCode={status} err={message}")
    return web.error(message, status)
