# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thread per capability: look, decide, act, wait."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field, replace

from _byoc import MISSING, UNREADABLE, ByocFailure, Listing, NoAnswer, Orchestrator, exchange, one_line

from byoc_registrar import machine
from byoc_registrar.machine import Memory, Sight
from byoc_registrar.systemd import INFO, WARNING, log

HEALTH_SECONDS = 3.0
ORCHESTRATOR_SECONDS = 5.0
# How long to try to unregister at an orchestrator that is no longer configured.
GIVE_UP_SECONDS = 600.0


@dataclass
class Counters:
    """What only ever grows."""

    registrations: int = 0
    unregistrations: int = 0
    restarts_seen: int = 0
    failures: dict = field(default_factory=dict)


class Door:
    """Whether orchestrators ask for a secret: each certificate is tried once, and a port without one each minute."""

    def __init__(self):
        self.lock = threading.Lock()
        self.tried = {}

    def refuse_open(self, orchestrator):
        """An orchestrator without a secret lets anybody take our capability away, or put another in its place."""
        key = (orchestrator.url, orchestrator.fingerprint)
        with self.lock:
            known = self.tried.get(key)
            if known is None or (not orchestrator.fingerprint and time.monotonic() - known[1] > 60):
                # Forget older certificates: they never come back.
                self.tried = {other: one for other, one in self.tried.items() if other[0] != orchestrator.url}
                known = self.tried[key] = (orchestrator.is_open(), time.monotonic())
            if known[0]:
                del self.tried[key]
        if known[0]:
            sentence = f"The orchestrator at {orchestrator.url} takes registrations without a secret."
            raise ByocFailure("open_registration", sentence)


class Keeper(threading.Thread):
    """Keeps one name at one orchestrator as declared, or unregisters it once it is not."""

    def __init__(self, name, url, credentials, rules, records, door, service):
        super().__init__(name=name, daemon=True)
        self.capability_name = name
        self.orchestrator = Orchestrator(url, credentials.secret, ORCHESTRATOR_SECONDS)
        self.key = (self.orchestrator.url, name)
        self.rules = rules
        self.records = records
        self.door = door
        self.service = service
        self.capability = None
        self.memory = Memory(since=time.monotonic(), record=records.get(self.key), refreshed_at=time.monotonic())
        self.counters = Counters()
        self.healthy = False
        self.unreadable_at = ""
        self.left_at = None
        self.beat = time.monotonic()
        self.news = threading.Event()
        self.ending = False

    def declare(self, capability, rules):
        """Take over a new declaration, or None once there is none; at once, not at the next turn."""
        self.rules = rules
        if capability is not None:
            self.left_at = None
        elif self.left_at is None:
            self.left_at = time.monotonic()
        if capability != self.capability:
            self.capability = capability
            self.news.set()

    def end(self):
        """Stop looking. What is registered stays so."""
        self.ending = True
        self.news.set()

    def run(self):
        try:
            while not self.ending and self.memory.state != machine.GONE:
                self.beat = time.monotonic()
                self.news.clear()
                self.turn()
                took = time.monotonic() - self.beat
                self.news.wait(max(0.05, self.rules.pause(self.memory.failures) - took))
        except Exception as error:
            self.service.crashed(self.capability_name, error)

    def turn(self):
        capability = self.capability
        before = self.memory
        sight = self.see(capability) if capability else Sight(False, fingerprint=self.orchestrator.fingerprint)
        self.healthy = sight.healthy
        if before.record and sight.fingerprint and before.record.fingerprint not in ("", sight.fingerprint):
            self.counters.restarts_seen += sight.listing in (MISSING, UNREADABLE)
        digest = capability.digest if capability else None
        memory, action, why = machine.look(before, sight, digest, self.rules, time.monotonic())
        acts = action != machine.NOTHING and not self.ending
        if acts:
            memory = self.act(memory, action, why, capability)
        if capability is None and memory.state != machine.GONE:
            memory = self.give_up(memory)
        self.records.set(self.key, memory.record)
        self.tell(before, memory, acts)
        # Published as a whole; other threads only read it.
        self.memory = memory
        if memory.state != before.state:
            self.service.news.set()

    def see(self, capability):
        healthy, words = self.see_health(capability)
        try:
            listing = self.see_listing(capability, healthy)
        except ByocFailure as failure:
            return Sight(
                healthy, words, machine.SILENT, self.orchestrator.fingerprint, 0, failure.name, failure.sentence
            )
        return Sight(healthy, words, listing.state, self.orchestrator.fingerprint, listing.available)

    def see_health(self, capability):
        try:
            answer = exchange("GET", capability.health_url, timeout=HEALTH_SECONDS)
        except NoAnswer as problem:
            return False, problem.sentence
        if answer.status == capability.healthy_status:
            return True, ""
        return False, f"health answers {answer.status} ({health_reason(answer.text) or 'no text'})"

    def see_listing(self, capability, healthy):
        """Where the node does not tell, ask it only again when it has been restarted: it logs each question."""
        if self.unreadable_at:
            self.orchestrator.alive()
            if self.orchestrator.fingerprint == self.unreadable_at:
                return Listing(UNREADABLE)
        # A job would hang with the service.
        listing = self.orchestrator.listing(capability.name, probe=healthy)
        self.unreadable_at = self.orchestrator.fingerprint if listing.state == UNREADABLE else ""
        return listing

    def act(self, memory, action, why, capability):
        try:
            if action == machine.UNREGISTER:
                self.orchestrator.unregister(self.capability_name)
                self.counters.unregistrations += 1
                memory = machine.unregistered(memory, time.monotonic())
            else:
                self.door.refuse_open(self.orchestrator)
                self.orchestrator.register(capability.document)
                self.counters.registrations += 1
                memory = machine.registered(
                    memory, capability.digest, self.orchestrator.fingerprint, why, time.monotonic()
                )
                memory = replace(memory, available=capability.document["capacity"])
            self.service.secret_accepted()
        except ByocFailure as failure:
            self.counters.failures[failure.name] = self.counters.failures.get(failure.name, 0) + 1
            memory = machine.failed(memory, failure.name, failure.sentence, time.monotonic())
            if failure.name == "wrong_secret" and self.left_at is None:
                self.service.secret_refused()
        return memory

    def give_up(self, memory):
        """An orchestrator that is not ours any more may never come back."""
        if self.service.is_current(self.orchestrator.url) or time.monotonic() - self.left_at < GIVE_UP_SECONDS:
            return memory
        log(WARNING, f"{self.capability_name}: could not be unregistered at {self.orchestrator.url}: {memory.reason}")
        return replace(memory, state=machine.GONE, record=None)

    def tell(self, before, after, acted):
        """One line for each change of state, and for a registration that replaces an older one."""
        renewed = acted and after.state == machine.REGISTERED
        if not renewed and (before.state, before.failure) == (after.state, after.failure):
            return
        away = ""
        if after.state == machine.REGISTERED and after.last_outage != before.last_outage:
            away = f" after at most {after.last_outage:.1f} s away"
        level = INFO if after.state in (machine.REGISTERED, machine.WAITING, machine.GONE) else WARNING
        log(level, f"{self.capability_name}: {after.state}{away} ({after.reason.rstrip('.')})")

    def is_registered(self):
        return self.memory.state == machine.REGISTERED

    def describe(self):
        """The entry of status.json."""
        memory = self.memory
        return {
            "state": memory.state,
            "since": round(time.time() - (time.monotonic() - memory.since), 3),
            "reason": memory.reason,
            "failure": memory.failure,
            "registered": self.is_registered(),
            "healthy": self.healthy,
            "available_capacity": memory.available if self.is_registered() else 0,
            "registrations": self.counters.registrations,
            "unregistrations": self.counters.unregistrations,
            "orchestrator_restarts": self.counters.restarts_seen,
            "failures": dict(self.counters.failures),
            "last_outage_seconds": None if memory.last_outage is None else round(memory.last_outage, 1),
        }


def health_reason(text):
    """What a service says of its health, short: {"status": ..., "reason": ...} or plain text."""
    try:
        document = json.loads(text)
    except ValueError:
        return one_line(text, 80)
    if isinstance(document, dict):
        return one_line(": ".join(str(document[key]) for key in ("status", "reason") if document.get(key)), 80)
    return one_line(text, 80)
