# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of live runners: the static document, health every five seconds, sessions (facts 7.2-7.5)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import re
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from . import addresses, aimodels, gojson, log

PERSISTENT, SINGLE_SHOT = "persistent", "single-shot"
BY_ID, BY_LABEL = "runner-id", "label"
READY, UNAVAILABLE = "ready", "unavailable"
METADATA_BYTES = 1024
_ID_BYTES = 5
_DIVISORS = {"hour": 3600, "720p": 3600 * 1280 * 720 * 30, "fixed": 1}
_UNITS_SHOWN = {"hour": "seconds", "720p": "720p-pixel-seconds", "fixed": "fixed"}

_GPU = gojson.Struct("runner.gpuAlias", {"id": "string", "name": "string", "vram_mb": "int"})
_PRICE = gojson.Struct("runner.LiveRunnerPriceInfo", {"price": "json.Number", "currency": "string", "unit": "string"})
_ENTRY = gojson.Struct(
    "runner.StaticLiveRunnerConfigEntry",
    {
        "label": "string",
        "routing": "string",
        "proxy": "bool",
        "runner_url": "string",
        "version": "string",
        "metadata": "string",
        "mode": "string",
        "gpu": gojson.Optional(_GPU, lambda index: {"id": str(index), "name": "", "vram_mb": 0}),
        "app": "string",
        "capacity": "int",
        "price_info": _PRICE,
        "health_url": "string",
        "healthy_status_code": "int",
    },
)
_CONFIG = gojson.Struct("runner.StaticLiveRunnerConfig", {"runners": [_ENTRY]})


class RunnerError(Exception):
    """Why a runner cannot be used or registered, with the status that says so."""

    def __init__(self, text, status=400):
        super().__init__(text)
        self.status = status


NOT_FOUND = "runner not found"


# --- the document ------------------------------------------------------------------------------------------------
def entries_of(document, onchain):
    """The checked and completed entries of a document, all or none; raises RunnerError."""
    try:
        found = gojson.decode(document, _CONFIG)["runners"]
    except gojson.JsonError as error:
        raise RunnerError(str(error)) from error
    labels = set()
    for check in (_complete, lambda entry: _check(entry, onchain, labels)):
        for index, entry in enumerate(found):
            try:
                check(entry)
            except ValueError as error:
                raise RunnerError(f"runners[{index}]: {error}") from error
    return found


def _complete(entry):
    entry["routing"] = entry["routing"].strip() or BY_ID
    if entry["routing"] not in (BY_ID, BY_LABEL):
        raise ValueError(f'routing must be "{BY_ID}" or "{BY_LABEL}"')
    entry["healthy_status_code"] = entry["healthy_status_code"] or 200
    health = urllib.parse.urlsplit(entry["health_url"])
    if not health.scheme and not health.netloc and health.path.startswith("/"):
        if not _is_http(entry["runner_url"]):
            raise ValueError("invalid runner_url")
        entry["health_url"] = entry["runner_url"].rstrip("/") + entry["health_url"]


def _is_http(text):
    try:
        parts = addresses.parse_request_uri(text)
    except addresses.UrlError:
        return False
    return bool(parts.netloc) and parts.scheme in ("http", "https")


def _check(entry, onchain, labels):
    """The node's order; what is found first is what is said."""
    if not entry["label"] or entry["label"] != entry["label"].strip():
        raise ValueError("label is required and must be trimmed")
    if not entry["health_url"]:
        raise ValueError("health_url is required")
    if not _is_http(entry["health_url"]):
        raise ValueError("invalid health_url")
    if not 100 <= entry["healthy_status_code"] <= 599:
        raise ValueError("healthy_status_code must be a valid HTTP status code")
    if not _is_http(entry["runner_url"]):
        raise ValueError("invalid runner_url")
    if not entry["app"] or entry["app"] != entry["app"].strip():
        raise ValueError("app must be trimmed")
    _check_metadata(entry["metadata"])
    entry["mode"] = {"": PERSISTENT, "single_shot": SINGLE_SHOT}.get(entry["mode"], entry["mode"])
    if entry["mode"] not in (PERSISTENT, SINGLE_SHOT):
        raise ValueError(f'mode must be "{PERSISTENT}" or "{SINGLE_SHOT}"')
    if entry["capacity"] < 0:
        raise ValueError("capacity must be >= 0")
    entry["capacity"] = entry["capacity"] or 1
    if onchain:
        _check_price(entry["price_info"])
    if entry["label"] in labels:
        raise ValueError(f'duplicate label "{entry["label"]}"')
    if entry["routing"] == BY_LABEL and "/" in entry["label"]:
        raise ValueError(f'label cannot contain / when routing is "{BY_LABEL}"')
    labels.add(entry["label"])


def _check_metadata(text):
    if len(text.encode()) > METADATA_BYTES:
        raise ValueError(f"metadata must be at most {METADATA_BYTES} bytes")
    if "\ufffd" in text:
        raise ValueError("metadata must not contain Unicode replacement character U+FFFD")


def _check_price(info):
    if not info["price"].strip():
        raise ValueError("price_info.price is required")
    if Fraction(info["price"]) <= 0:
        raise ValueError("price_info.price must be a positive decimal")
    info["currency"] = info["currency"].strip().lower() or "usd"
    if info["currency"] != "usd":
        raise ValueError("price_info.currency must be usd")
    info["unit"] = info["unit"].strip().lower() or "hour"
    if info["unit"] not in _DIVISORS:
        raise ValueError("price_info.unit must be hour, 720p, or fixed")


# --- runners -----------------------------------------------------------------------------------------------------
@dataclass
class Runner:
    """A registered runner. Its id, its seed and its sessions outlive a change of its entry."""

    runner_id: str
    seed: bytes = field(repr=False)
    entry: dict = field(default_factory=dict)
    status: str = UNAVAILABLE
    sessions: set = field(default_factory=set)

    @property
    def route(self):
        return self.entry["label"] if self.entry["routing"] == BY_LABEL else self.runner_id

    @property
    def ready(self):
        return self.status == READY

    def session_token(self, session):
        digest = hmac.new(self.seed, f"session:{session}".encode(), hashlib.sha256).digest()
        return _lower_base32(digest)

    def registration(self):
        """The runner as the answer to its registration shows it."""
        entry = self.entry
        return {
            "runner_id": self.runner_id,
            "label": entry["label"],
            "app": entry["app"],
            **({"proxy": True} if entry["proxy"] else {}),
            "runner_url": entry["runner_url"],
            "mode": entry["mode"],
            "health_url": entry["health_url"],
            "healthy_status_code": entry["healthy_status_code"],
            "healthy": self.ready,
        }


def _lower_base32(data):
    return base64.b32encode(data).decode().rstrip("=").lower()


def random_name(prefix):
    return f"{prefix}_{_lower_base32(secrets.token_bytes(_ID_BYTES))}"


class Registry:
    """Live runners by route. Nothing is ever taken out but by a restart; what is ill is only hidden."""

    def __init__(self, service_uri, onchain, interval, timeout):
        self.service_uri = service_uri
        self.onchain = onchain
        self._timeout = timeout
        self._lock = threading.Lock()
        self._registering = threading.Lock()
        self._by_label = {}
        self._stopping = threading.Event()
        threading.Thread(target=self._watch, args=(interval,), daemon=True).start()

    def stop(self):
        self._stopping.set()

    # --- registration --------------------------------------------------------------------------------------------
    def register(self, document):
        """Add the runners of a document, or change those whose label is known; their registrations."""
        entries = entries_of(document, self.onchain)
        health = [self._healthy(entry) for entry in entries]
        with self._registering, self._lock:
            return [self._upsert(entry, healthy) for entry, healthy in zip(entries, health, strict=True)]

    def _upsert(self, entry, healthy):
        runner = self._by_label.get(entry["label"])
        known = runner is not None
        if not known:
            runner = self._by_label[entry["label"]] = Runner(random_name("runner"), secrets.token_bytes(32))
        runner.entry = entry
        self._settle(runner, healthy)
        if not known:
            log.slog(
                "INFO",
                "static live runner registered",
                runner_id=runner.runner_id,
                app=entry["app"],
                runner_url=entry["runner_url"],
                healthy=str(healthy).lower(),
            )
        return runner.registration()

    @staticmethod
    def _settle(runner, healthy):
        runner.status = READY if healthy else UNAVAILABLE
        if not healthy:
            runner.sessions.clear()

    # --- health --------------------------------------------------------------------------------------------------
    def _watch(self, interval):
        """One after another, as upstream does: a runner that hangs delays those behind it by three seconds."""
        due = time.monotonic()
        while True:
            # A ticker: what a round takes comes off the wait for the next one.
            due = max(due + interval, time.monotonic())
            if self._stopping.wait(due - time.monotonic()):
                return
            with self._lock:
                runners = [(runner, runner.entry) for runner in self._by_label.values()]
            for runner, entry in runners:
                healthy = self._healthy(entry)
                with self._lock:
                    self._judge(runner, entry, healthy)

    def _judge(self, runner, entry, healthy):
        before = runner.status
        self._settle(runner, healthy)
        if runner.status != before:
            log.slog(
                "INFO",
                "static live runner health changed",
                runner_id=runner.runner_id,
                app=entry["app"],
                status=runner.status,
                health_url=entry["health_url"],
            )

    def _healthy(self, entry):
        return _status_of(entry["health_url"], self._timeout) == entry["healthy_status_code"]

    # --- use -----------------------------------------------------------------------------------------------------
    def ready(self, route):
        """The runner of a route; raises RunnerError where there is none, or an ill one."""
        runner = self.find(route)
        if not runner.ready:
            raise RunnerError(NOT_FOUND, 404)
        return runner

    def find(self, route):
        with self._lock:
            found = [runner for runner in self._by_label.values() if runner.route == route]
        if not found:
            raise RunnerError(NOT_FOUND, 404)
        return found[-1]

    def reserve(self, route):
        """(runner, session): one place of its capacity."""
        runner = self.ready(route)
        with self._lock:
            if len(runner.sessions) >= runner.entry["capacity"]:
                raise RunnerError("no capacity available for runner", 503)
            session = random_name("session")
            runner.sessions.add(session)
        log.slog(
            "INFO",
            "live runner session reserved",
            runner_id=runner.runner_id,
            session_id=session,
            app=runner.entry["app"],
        )
        return runner, session

    def with_session(self, route, session):
        runner = self.ready(route)
        if session not in runner.sessions:
            raise RunnerError("runner session not found", 404)
        return runner

    def release(self, route, session):
        """Also a session that nobody knows; only an unknown runner is refused."""
        runner = self.find(route)
        with self._lock:
            known = session in runner.sessions
            runner.sessions.discard(session)
        if known:
            log.slog("INFO", "live runner session released", runner_id=runner.runner_id, session_id=session)

    def offers(self):
        """The runners of /discovery: those that are ready, each without the address it is reached at inside."""
        with self._lock:
            return [self._offer(runner) for runner in self._by_label.values() if runner.ready]

    def _offer(self, runner):
        entry, used = runner.entry, len(runner.sessions)
        offer = {
            "url": f"{self.service_uri}/apps/{urllib.parse.quote(runner.route)}/"
            + ("app" if entry["mode"] == SINGLE_SHOT else "session")
        }
        if entry["gpu"]:
            offer["gpu"] = {key: value for key, value in entry["gpu"].items() if value}
        offer["app"] = entry["app"]
        offer.update({key: entry[key] for key in ("version", "metadata", "mode") if entry[key]})
        offer.update(capacity=entry["capacity"], capacity_used=used, capacity_available=entry["capacity"] - used)
        price = self.price(runner)
        return {**offer, "price_info": price} if price else offer

    def price(self, runner):
        """On-chain: whole wei per second, pixel-second or request; None offchain, and where it comes to nothing."""
        if not self.onchain:
            return None
        info = runner.entry["price_info"]
        wei = int(aimodels.to_wei(Fraction(info["price"]) / _DIVISORS[info["unit"]], info["currency"]))
        return {"price": wei, "currency": "wei", "unit": _UNITS_SHOWN[info["unit"]]} if wei else None


def _status_of(url, timeout):
    """The status of a GET after redirects, or None. Certificates are verified here, unlike anywhere else."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"User-Agent": "Go-http-client/1.1"})
    try:
        with contextlib.closing(opener.open(request, timeout=timeout)) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return error.code
    except (OSError, ValueError, http.client.HTTPException):
        return None


# --- start-up ----------------------------------------------------------------------------------------------------
def check_proxy_template(text):
    """-liveRunnerProxyUrl: one {proxy}, in the host or as the last part of the path."""
    what = "live runner proxy url"
    text = text.strip()
    if text.count("{proxy}") != 1:
        raise addresses.UrlError(f"{what} must contain exactly one {{proxy}} placeholder")
    try:
        parts = addresses.parse_request_uri(text.replace("{proxy}", "proxy-placeholder"))
    except addresses.UrlError as error:
        raise addresses.UrlError(f"{what} must be an absolute URL") from error
    if not parts.scheme or not parts.netloc:
        raise addresses.UrlError(f"{what} must be an absolute URL")
    if parts.scheme not in ("http", "https"):
        raise addresses.UrlError(f"{what} scheme must be http or https")
    in_path = "proxy-placeholder" in parts.path
    if not in_path and "proxy-placeholder" not in parts.netloc:
        raise addresses.UrlError(f"{what} placeholder must be in the host or path")
    if in_path and not re.search(r"/proxy-placeholder/?\Z", parts.path):
        raise addresses.UrlError(f"{what} path placeholder must be the final path segment")


def start(node, timing):
    """The registry of a node that has live runners, or None; log.fatal() where the settings do not allow one."""
    settings = node.settings
    path = settings["liveRunnerConfig"]
    if not settings["useLiveRunners"] and not path:
        return None
    if not node.orch_secret and not path:
        log.fatal("running with -useLiveRunners requires -orchSecret")
    if settings["liveRunnerProxyUrl"]:
        try:
            check_proxy_template(settings["liveRunnerProxyUrl"])
        except addresses.UrlError as error:
            log.fatal(f"invalid -liveRunnerProxyUrl: {error}")
    elif not node.service_uri:
        log.panic("invalid live runner proxy url: live runner proxy url requires service URI")
    if not node.orch_secret:
        log.warning("No -orchSecret configured; dynamic LiveRunner heartbeat registration is disabled")
    registry = Registry(node.service_uri, not node.offchain, timing.runner_health, timing.runner_health_timeout)
    if path:
        _read(registry, path)
    return registry


def _read(registry, path):
    try:
        document = Path(path).read_bytes()
    except OSError as error:
        log.fatal(f"error reading -liveRunnerConfig: open {path}: {(error.strerror or '').lower()}")
    try:
        found = registry.register(document)
    except RunnerError as error:
        log.fatal(f"error registering -liveRunnerConfig: {error}")
    log.info(f"Registered {len(found)} static live runners from {path}")
