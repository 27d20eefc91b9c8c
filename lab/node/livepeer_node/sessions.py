# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a gateway finds an orchestrator: discovery, warm and cold pools, suspension (facts 5.3, 6.2).

The steps are upstream's, because a client sees them: no orchestrator reachable is a 503 after two to three seconds,
an orchestrator that lacks the model is twenty quick tries and a dropped connection, and one that failed once is
suspended but comes back at once when it is the only one.
"""

from __future__ import annotations

import queue
import random
import threading
import time
import urllib.parse
from dataclasses import dataclass
from datetime import datetime, timezone
from fractions import Fraction

from . import capabilities, log, orchestrator, web

CONNECT_SECONDS = 3
CALL_SECONDS = 8
CUTOFF_SECONDS = 6
RETRY_CONNECT_SECONDS = 1
POOL_SECONDS = 10 * 60
PENALTY = 3
REFRESH_BELOW = 8
# A token is renewed in the last tenth of its life.
RENEW_SECONDS = orchestrator.TOKEN_SECONDS * 0.1


class NoOrchestrators(Exception):
    """Discovery found nobody for the job."""


# --- discovery ---------------------------------------------------------------------------------------------------
def ask(url, **query):
    """What an orchestrator says of itself. A refused connection is tried again until the connect limit is over."""
    target = f"{url}{orchestrator.INFO_PATH}"
    if query:
        target += "?" + urllib.parse.urlencode(query)
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            reply = web.call("GET", target, timeout=CALL_SECONDS, connect_timeout=CONNECT_SECONDS)
            break
        except (OSError, web.ProtocolError):
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(RETRY_CONNECT_SECONDS, left))
    if reply.status != 200:
        raise OSError(f"Could not get orchestrator orch={url}: status {reply.status}")
    return reply.json()


class Discovery:
    """The pool of -orchAddr."""

    def __init__(self, node, metrics):
        self._node = node
        self._metrics = metrics
        self.urls = node.orch_addrs

    def find(self, capability, model_id, suspended):
        """Infos of the orchestrators that suit, suspended ones only where there are too few others."""
        answers = queue.SimpleQueue()
        for url in self.urls:
            arguments = (answers, url, capability, model_id)
            threading.Thread(target=self._ask, args=arguments, daemon=True).start()
        good = self._collect(answers)
        free = [info for info in good if not suspended(info["service_uri"])]
        held = [info for info in good if suspended(info["service_uri"])]
        found = free + held
        log.info(f"Done fetching orch info orchs={len(found)}/{len(self.urls)}")
        return found

    def _ask(self, answers, url, capability, model_id):
        account = self._node.eth
        query = {"capability": capability, "model_id": model_id}
        if account:
            query["sender"] = account.address
        try:
            info = ask(url, **query)
        except (OSError, ValueError, web.ProtocolError) as error:
            log.verbose(5, f"Discovery unsuccessful for orchestrator {url}, err={error}")
            self._metrics.add("discovery_errors_total", error_code=type(error).__name__, orchestrator_uri=url)
            answers.put(None)
            return
        # An orchestrator with -serviceAddr none has no address and takes no work.
        answers.put(info if info["service_uri"] and capabilities.suits(info, capability, model_id) else None)

    def _collect(self, answers):
        """Wait for all; once the discovery time-out has passed, one good answer is enough; six seconds is the end."""
        good, timeout = [], self._node.settings["discoveryTimeout"]
        begin = time.monotonic()
        check, end = begin + timeout, begin + CUTOFF_SECONDS
        for _url in self.urls:
            while True:
                now = time.monotonic()
                try:
                    info = answers.get(timeout=max(0.0, min(check, end) - now))
                    break
                except queue.Empty:
                    if good or time.monotonic() >= end:
                        return good
                    check = time.monotonic() + timeout
                    timeout = min(2 * timeout, CUTOFF_SECONDS)
            if info:
                good.append(info)
        return good


# --- sessions ----------------------------------------------------------------------------------------------------
@dataclass(eq=False)
class Session:
    """An orchestrator as one model's pool knows it."""

    info: dict
    warm: bool
    latency_score: float = 0.0
    in_flight: int = 0

    @property
    def url(self):
        return self.info["service_uri"]


class Suspender:
    """Orchestrators that failed, each with the count of refreshes at which it is forgiven."""

    def __init__(self):
        self.list = {}
        self.count = 0

    def suspend(self, url, penalty):
        self.list[url] = self.list.get(url, 0) + penalty

    def suspended(self, url):
        if self.list.get(url, 0) < self.count:
            self.list.pop(url, None)
        return self.list.get(url, 0)

    def signal_refresh(self):
        self.count += 1


class Pool:
    """Sessions that are free to be selected, and those in use."""

    def __init__(self, suspender, affordable):
        self._suspender = suspender
        self._affordable = affordable
        self.known = {}
        self.in_use = []
        self._free = []

    def __len__(self):
        return len(self.known)

    def select(self):
        candidates = [session for session in self._free if self._affordable(session)]
        if candidates:
            session = random.choice(candidates)
            self._free.remove(session)
            self.in_use.append(session)
        elif self.in_use:
            session = random.choice(self.in_use)
        else:
            return None
        session.in_flight += 1
        return session

    def add(self, sessions):
        for session in sessions:
            if session.url in self.known:
                self.known[session.url].info = session.info
                continue
            self.known[session.url] = session
            self._free.append(session)

    def complete(self, session):
        if self.known.get(session.url) is not session:
            return
        session.in_flight -= 1
        if session.in_flight > 0:
            return
        if session in self.in_use:
            self.in_use.remove(session)
        self._free.append(session)

    def remove(self, session):
        self.known.pop(session.url, None)
        for group in (self.in_use, self._free):
            if session in group:
                group.remove(session)
        last = self._suspender.list.get(session.url, 0)
        self._suspender.suspend(session.url, self._suspender.count + PENALTY - last)

    def describe(self):
        """One half of a getAISessionPoolsInfo item."""
        shown = [
            {"url": s.url, "latency_score": s.latency_score, "in_flight": s.in_flight} for s in self.known.values()
        ]
        return {"size": len(self), "in_use": len(self.in_use), "orchestrators": shown or None}


class Selector:
    """Warm and cold orchestrators of one (capability, model)."""

    def __init__(self, node, discovery, capability, model_id):
        self._node = node
        self._discovery = discovery
        self._capability = capability
        self._model_id = model_id
        self._lock = threading.Lock()
        self.suspender = Suspender()
        self.warm, self.cold = (Pool(self.suspender, self._affordable) for _ in range(2))
        self._initial_size = 0
        self._refreshed = 0.0
        self.last_refresh = None
        self.refresh()

    def refresh(self):
        """Raises NoOrchestrators; the pools stay as they are then."""
        self.suspender.signal_refresh()
        found = self._discovery.find(self._capability, self._model_id, self.suspender.suspended)
        if not found:
            raise NoOrchestrators("no orchestrators found")
        groups = {True: [], False: []}
        for info in found:
            if self._node.eth and not info["ticket_params"]:
                log.error(f"Missing ticket params orch={info['service_uri']}")
                continue
            if self.suspender.suspended(info["service_uri"]):
                continue
            warm = bool(capabilities.models_of(info, self._capability)[self._model_id].get("warm"))
            groups[warm].append(Session(info, warm))
        self.warm.add(groups[True])
        self.cold.add(groups[False])
        self._initial_size = len(groups[True]) + len(groups[False]) + len(self.suspender.list)
        self._refreshed = time.monotonic()
        self.last_refresh = datetime.now(timezone.utc)

    def select(self):
        """A session, warm before cold, or None."""
        with self._lock:
            if self._should_refresh():
                try:
                    self.refresh()
                except NoOrchestrators as error:
                    log.info(f"Error refreshing AISessionSelector err={error}")
            return self.warm.select() or self.cold.select()

    def _should_refresh(self):
        size = len(self.warm) + len(self.cold)
        if size == 0:
            # Everybody is suspended or gone: forgive, and look again.
            for _ in range(PENALTY):
                self.suspender.signal_refresh()
        half = -(-min(len(self._discovery.urls), self._initial_size) // 2)
        return size < min(REFRESH_BELOW, half) or time.monotonic() > self._refreshed + POOL_SECONDS

    def _affordable(self, session):
        """Within -maxPricePerCapability for this model or its pipeline, else -maxPricePerUnit; none set: any price."""
        limits = self._node.max_prices
        limit = limits.get((self._capability, self._model_id), limits.get((self._capability, "default")))
        limit = self._node.max_price if limit is None else limit
        price = session.info["price_info"]
        return not limit or not price or Fraction(price.get("pricePerUnit", 0), price["pixelsPerUnit"]) <= limit

    def complete(self, session):
        with self._lock:
            self._pool(session).complete(session)

    def remove(self, session):
        with self._lock:
            self._pool(session).remove(session)

    def _pool(self, session):
        return self.warm if session.warm else self.cold

    def renew(self, session):
        """A fresh token for a session whose token is about to end; raises OSError."""
        if session.info["auth_token_expiration"] - RENEW_SECONDS < time.time():
            session.info = ask(session.url, capability=self._capability, model_id=self._model_id)

    def describe(self):
        with self._lock:
            return {
                "cold": self.cold.describe(),
                "warm": self.warm.describe(),
                "last_refresh": self.last_refresh.isoformat().replace("+00:00", "Z"),
                "suspended": {"list": dict(self.suspender.list), "current_count": self.suspender.count},
            }


class Manager:
    """One selector per capability and model, made at the first request that finds somebody."""

    def __init__(self, node, discovery):
        self._node = node
        self._discovery = discovery
        self._selectors = {}
        self._lock = threading.Lock()

    def selector(self, capability, model_id):
        key = f"{capability}_{model_id}"
        with self._lock:
            if key not in self._selectors:
                self._selectors[key] = Selector(self._node, self._discovery, capability, model_id)
            return self._selectors[key]

    def describe(self):
        with self._lock:
            selectors = dict(self._selectors)
        return {key: selector.describe() for key, selector in sorted(selectors.items())}
