# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BYOC at the orchestrator: the registry of capabilities in memory, tokens for gateways, jobs (facts 4.1-4.3).

Every orchestrator has these routes, and no flag turns them off. What the real node loses, leaks and drops is lost,
leaked and dropped here too.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import secrets
import threading
from dataclasses import dataclass, field
from fractions import Fraction

from . import aimodels, capabilities, forward, gojson, log, sse, tables, web

JOB_HEADER = "Livepeer"
SENDER_HEADER = "Livepeer-Eth-Address"
CAPABILITY_HEADER = "Livepeer-Capability"
PAYMENT_HEADER = "Livepeer-Payment"
BALANCE_HEADER = "Livepeer-Balance"
STREAM_BALANCE_HEADER = "Livepeer-Payment-Balance"
JOB_PREFIX = "/process/request/"
NO_TIMEOUT = "no timeout_seconds set with request, timeout_seconds is required"
NO_SENDER_RESERVE = "insufficient sender reserve"
SIGNATURE_DIGITS = 130
# The parameters of tickets expire so many blocks after the one seen last.
TICKET_BLOCKS = 10

_SETTINGS = gojson.Struct(
    "core.ExternalCapability",
    {
        "name": "string",
        "description": "string",
        "url": "string",
        "capacity": "int",
        "price_per_unit": "int64",
        "price_scaling": "int64",
        "currency": "string",
        "token": "string",
        "Load": "int",
    },
)
JOB_REQUEST = gojson.Struct(
    "byoc.JobRequest",
    {
        "id": "string",
        "request": "string",
        "parameters": "string",
        "capability": "string",
        "capability_url": "string",
        "sender": "string",
        "sig": "string",
        "timeout_seconds": "int",
    },
)
JOB_DETAILS = gojson.Struct("byoc.JobRequestDetails", {"stream_id": "string"})
_SENDER = gojson.Struct("byoc.JobSender", {"addr": "string", "sig": "string"})


class Refused(Exception):
    """Why a job is not taken, with its status."""

    def __init__(self, text, status=400):
        super().__init__(text)
        self.status = status


class BadSignature(ValueError):
    """No hex, or on-chain not the length of a signature."""


# --- the registry ------------------------------------------------------------------------------------------------
@dataclass
class Capability:
    """A registered capability; `load` counts the jobs that were admitted and not given back."""

    name: str
    url: str
    capacity: int
    token: str = field(repr=False)
    price: Fraction
    load: int = 0


class Registry:
    """Capabilities by name, in memory only: a restart forgets them. Prices stay when their capability goes."""

    def __init__(self):
        self._lock = threading.Lock()
        self._capabilities = {}
        self._prices = {}

    def register(self, capability):
        """Take it, or put it in the place of an older one of that name, whose load is forgotten."""
        with self._lock:
            self._capabilities[capability.name] = capability
            self._prices[capability.name] = capability.price

    def remove(self, name):
        with self._lock:
            self._capabilities.pop(name, None)

    def get(self, name):
        return self._capabilities.get(name)

    def price(self, name):
        return self._prices.get(name, Fraction(0))

    def free(self, name):
        """What a token calls available: more than the capacity where an old job gave back what it never took."""
        known = self.get(name)
        return max(0, known.capacity - known.load) if known else 0

    def reserve(self, name):
        """Count a job in, whether or not there is room; None where nobody registered the name."""
        with self._lock:
            known = self._capabilities.get(name)
            if known:
                known.load += 1
            return known

    def give_back(self, name):
        """Count a job out of whatever holds the name now, which may be a younger registration."""
        with self._lock:
            if name in self._capabilities:
                self._capabilities[name].load -= 1

    def network_prices(self):
        """The items of capabilities_prices: capability 37, the name as its constraint."""
        with self._lock:
            names = list(self._capabilities)
        return [
            {**price_of(self.price(name)), "capability": tables.BYOC_CAPABILITY, "constraint": name}
            for name in names
            if self.price(name) >= 0
        ]


def price_of(price):
    """A price as protobuf's JSON shows it: whole wei, and no zero. What is below one wei is for nothing."""
    return capabilities.without_zeros({"pricePerUnit": math.floor(price), "pixelsPerUnit": 1})


# --- what tokens and jobs share ----------------------------------------------------------------------------------
def parse_job(header):
    """The job of a Livepeer header; raises ValueError with the text a gateway shows."""
    try:
        document = base64.b64decode(header.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("ErrorSegEncoding") from None
    job = gojson.decode(document, JOB_REQUEST)
    if job["timeout_seconds"] == 0:
        raise ValueError(NO_TIMEOUT)
    return job


def check_signature(text, onchain):
    """Hex, with or without 0x where it is long enough; "0x" alone is none, which is what offchain gateways send."""
    digits = text[2:] if len(text) > SIGNATURE_DIGITS else text
    if not re.fullmatch(r"([0-9a-fA-F]{2})*", digits):
        raise BadSignature(text)
    if onchain and len(digits) != SIGNATURE_DIGITS:
        raise BadSignature(text)


class Byoc:
    """The routes under /capability/ and /process/ of one orchestrator."""

    def __init__(self, node):
        self._node = node
        self.registry = Registry()
        self._routes = {
            "/capability/register": self._register,
            "/capability/unregister": self._unregister,
            "/process/token": self._token,
        }

    def handle(self, request):
        """The answer, or None where the path is not BYOC's."""
        if request.path in self._routes:
            return self._routes[request.path](request)
        return self._job(request) if request.path.startswith(JOB_PREFIX) else None

    # --- registration --------------------------------------------------------------------------------------------
    def _unauthorized(self, request):
        """The bare secret, compared as text. Without a secret a request without header is as good as any."""
        if request.method != "POST":
            return web.error("Method not allowed", 405)
        if request.headers.get("Authorization", "") != self._node.orch_secret:
            return web.error("invalid authorization", 400)
        return None

    def _register(self, request):
        refusal = self._unauthorized(request)
        if refusal:
            return refusal
        try:
            known = self._declared(gojson.decode(request.body, _SETTINGS))
        except gojson.JsonError as error:
            log.error(f"Error registering capability: {error}")
            return web.Response(400, f"Error registering capability: {error}".encode(), _JSON)
        self.registry.register(known)
        log.info(
            f"registered capability remoteAddr={request.remote} capability={known.name} url={known.url} "
            f"price={known.price.numerator}/{known.price.denominator} auth_token={_go_bool(known.token)}"
        )
        return web.Response(200, b"ok", _JSON)

    def _declared(self, settings):
        """A currency without a feed is a panic in the handler; offchain there is no feed at all."""
        price, currency = Fraction(settings["price_per_unit"], settings["price_scaling"] or 1), settings["currency"]
        try:
            if not self._node.eth and currency.lower() not in ("", "wei", "eth"):
                raise aimodels.PriceError("PriceFeedWatcher is not initialized")
            wei = aimodels.to_wei(price, currency)
        except aimodels.PriceError as error:
            log.error(f"http: panic serving {self._node.http_addr}: error converting price: {error}")
            raise web.Abort from error
        return Capability(
            settings["name"], settings["url"], settings["capacity"], settings["token"], wei, settings["Load"]
        )

    def _unregister(self, request):
        refusal = self._unauthorized(request)
        if refusal:
            return refusal
        # The body is the bare name: one with a line feed behind it is another name, and nobody's.
        name = request.body.decode("utf-8", "replace")
        self.registry.remove(name)
        log.info(f"removed capability remoteAddr={request.remote} capability={name}")
        return web.Response(200, b"ok", _JSON)

    # --- tokens --------------------------------------------------------------------------------------------------
    def _token(self, request):
        if request.method != "GET":
            return web.error("Method not allowed", 405)
        sender_header = request.headers.get(SENDER_HEADER, "")
        if not sender_header:
            return web.error("Must have eth address and signature on address in Livepeer-Eth-Address header", 400)
        try:
            sender = gojson.decode(base64.b64decode(sender_header.encode("ascii"), validate=True), _SENDER)
            check_signature(sender["sig"], bool(self._node.eth))
        except ValueError as error:
            log.info(
                f"generate token failed, invalid request with bad eth address header remoteAddr={request.remote} "
                f"err={error}"
            )
            return web.error("Invalid eth address header ", 400)
        name = request.headers.get(CAPABILITY_HEADER, "")
        if not name:
            return web.error(
                "Job capabilities not provided, must provide comma separated capabilities in "
                "Livepeer-Capability header",
                400,
            )
        return self._token_for(sender, name)

    def _token_for(self, sender, name):
        free = self.registry.free(name)
        price = self._price(name)
        if price is None:
            return web.error(f"Could not get price err={NO_SENDER_RESERVE}", 503)
        if price > 0:
            return web.error(f"Could not get ticket params err={NO_SENDER_RESERVE}", 400)
        token = {"sender_address": sender, "price": price_of(price), "service_addr": self._node.service_uri}
        if self._node.eth:
            token["ticket_params"] = self._ticket_params()
        if free:
            token["available_capacity"] = free
        token["LastNonce"] = 0
        return web.Response(200, json.dumps(token).encode() + b"\n", _JSON)

    def _price(self, name):
        """Whole wei per second; None where it cannot be said, as it depends on a deposit and nobody here has one."""
        if not self._node.eth:
            return 0
        price = self.registry.price(name)
        return None if price > 0 and self._node.settings["autoAdjustPrice"] else math.floor(price)

    def _ticket_params(self):
        """Those of a price of nothing: no face value, no chance to win."""
        account = self._node.eth
        return {
            "recipient": _base64(bytes.fromhex(account.recipient.removeprefix("0x"))),
            "recipient_rand_hash": _base64(secrets.token_bytes(32)),
            "seed": _base64(secrets.token_bytes(32)),
            "expiration_block": _base64(TICKET_BLOCKS.to_bytes(1, "big")),
            "expiration_params": {"creation_round": 1, "creation_round_block_hash": _base64(secrets.token_bytes(32))},
        }

    # --- jobs ----------------------------------------------------------------------------------------------------
    def _job(self, request):
        if request.method != "POST":
            return web.error("Method not allowed", 405)
        try:
            job = self._admitted(request)
        except Refused as error:
            return web.error(str(error), error.status)
        known = self.registry.get(job["capability"])
        headers = {"Content-Type": request.headers.get("Content-Type", "")}
        if known and known.token:
            headers["Authorization"] = f"Bearer {known.token}"
        rest = request.path.removeprefix(JOB_PREFIX)
        url = job["capability_url"] + (f"/{forward.quoted(rest)}" if rest else "")
        exchange = forward.Exchange("POST", url, request.body, headers, request.gone)
        return self._answer(exchange, job)

    def _admitted(self, request):
        """The job, counted in; each check in the node's order (facts 4.3)."""
        try:
            job = parse_job(request.headers.get(JOB_HEADER, ""))
            check_signature(job["sig"], bool(self._node.eth))
        except ValueError as error:
            if str(error) == NO_TIMEOUT:
                raise Refused(NO_TIMEOUT) from error
            log.error(f"job failed verification: {error}")
            raise Refused("Could not verify job creds") from error
        known = self.registry.reserve(job["capability"])
        if not known:
            raise Refused("No capacity available for capability", 503)
        job["capability_url"] = known.url
        self._check_payment(request, job["capability"])
        try:
            gojson.decode(job["request"], JOB_DETAILS)
        except gojson.JsonError as error:
            # Counted in, never out.
            raise Refused(f"Unable to unmarshal job request details err={error}") from error
        log.info(
            f"job request verified id={job['id']} sender={job['sender']} capability={job['capability']} "
            f"timeout={job['timeout_seconds']}"
        )
        return job

    def _check_payment(self, request, name):
        price = self._price(name)
        if price is None:
            # Counted in, never out.
            raise Refused("Could not get job price")
        if price <= 0:
            return
        if request.headers.get(PAYMENT_HEADER):
            # No ticket can be valid here, and a payment that fails leaves a nil balance, which is dereferenced.
            self.registry.give_back(name)
            log.error("http: panic serving: runtime error: invalid memory address or nil pointer dereference")
            raise web.Abort
        self.registry.give_back(name)
        raise Refused("Insufficient balance for request")

    def _answer(self, exchange, job):
        name = job["capability"]
        try:
            exchange.head(job["timeout_seconds"])
        except forward.Failed as error:
            log.error(f"job not able to be processed err={error} ")
            # Too late, or given up by the client: the capability stays, and so does the job's place in it.
            if not isinstance(error, (forward.TimedOut, forward.Gone)):
                log.error(f"removing capability {name} due to error {error}")
                self.registry.remove(name)
            return _failed(f"job not able to be processed, removing capability err={error}")
        if exchange.status == 401:
            exchange.close()
            log.error(f"received 401 Unauthorized from worker, removing capability {name}")
            self.registry.remove(name)
            return _failed("job not able to be processed, removing capability err=worker auth token failed")
        kind = exchange.headers.get("Content-Type", "")
        headers = {"Content-Type": kind, "X-Metadata": exchange.headers.get("X-Metadata", "")}
        if "text/event-stream" in kind:
            return self._streamed(exchange, job, headers)
        return self._whole(exchange, name, headers)

    def _whole(self, exchange, name, headers):
        try:
            body = exchange.read()
        except forward.Failed as error:
            log.error(f"Unable to read response err={error}")
            return _failed(str(error), headers)
        finally:
            self.registry.give_back(name)
        if exchange.status > 399:
            text = body.decode("utf-8", "replace")
            log.error(f"error processing request err={text} ")
            return _failed(text, headers, exchange.status)
        log.verbose(4, "Job processed successfully")
        return web.Response(200, body, {**headers, BALANCE_HEADER: "0"})

    def _streamed(self, exchange, job, headers):
        headers = {
            **headers,
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-cache",
            "Connection": "keep-alive",
            STREAM_BALANCE_HEADER: "0",
        }
        lines = sse.from_service(exchange, job["timeout_seconds"])
        return web.Response(200, sse.Held(lines, lambda: self.registry.give_back(job["capability"])), headers)


_JSON = {"Content-Type": "application/json"}


def _failed(text, headers=None, status=500):
    """http.Error on top of the headers that are set already."""
    answer = web.error(text, status)
    answer.headers = {**(headers or {}), BALANCE_HEADER: "0", **answer.headers}
    return answer


def _go_bool(value):
    return "true" if value else "false"


def _base64(data):
    return base64.b64encode(data).decode()
