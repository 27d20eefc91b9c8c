# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about one capability, given what was seen. Pure: no network, no clock, no files.

`look` turns a memory and a sight into the next memory and an action; `registered`, `unregistered` and `failed` say how
the action went. Times are seconds of a clock that only runs forward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from _byoc import BUSY, LISTED, MISSING, UNREADABLE, UNSURE

# States, as status.json and the log name them.
WAITING = "waiting"  # not registered: the service has not been healthy often enough yet
REGISTERED = "registered"
UNHEALTHY = "unhealthy"  # not registered: the service is not healthy
UNREACHABLE = "unreachable"  # the orchestrator cannot be asked
REFUSED = "refused"  # the orchestrator did not take the registration
LEAVING = "leaving"  # no longer declared, and to be unregistered
GONE = "gone"  # unregistered for good

# Actions.
NOTHING = "nothing"
REGISTER = "register"
UNREGISTER = "unregister"

# A sight of an orchestrator that did not answer, beside the states of read-back.
SILENT = "silent"


@dataclass(frozen=True)
class Rules:
    """How patient to be."""

    interval: float = 2.0
    healthy_checks: int = 2
    unhealthy_checks: int = 3
    refresh: float = 300.0
    # The way back after an outage is no longer than this and one look.
    longest_pause: float = 5.0

    def pause(self, failures):
        """Seconds until the next look: longer after each failure in a row, up to a limit."""
        if not failures:
            return self.interval
        return max(self.interval, min(self.longest_pause, self.interval * 2 ** (min(failures, 10) - 1)))


@dataclass(frozen=True)
class Record:
    """What was registered last: a digest of the declaration, and the certificate of the orchestrator that took it."""

    digest: str
    fingerprint: str = ""


@dataclass(frozen=True)
class Sight:
    """One look at the service and at the orchestrator."""

    healthy: bool
    health: str = ""
    listing: str = MISSING
    fingerprint: str = ""
    available: int = 0
    failure: str = ""
    words: str = ""


@dataclass(frozen=True)
class Memory:
    """All that is known of one capability."""

    state: str = WAITING
    since: float = 0.0
    reason: str = "not looked at yet"
    failure: str = ""
    healthy: int = 0
    unhealthy: int = 0
    record: Record | None = None
    refreshed_at: float = 0.0
    # The orchestrator may have lost the registration without our seeing it. Matters where it cannot be read back.
    doubt: bool = False
    busy_since: float | None = None
    failures: int = 0
    # When it was read back last, and when it was seen last before it was lost.
    seen_at: float | None = None
    lost_at: float | None = None
    last_outage: float | None = None
    available: int = 0


def look(memory, sight, digest, rules, now):
    """The next memory, an action and the reason for it. The digest is None once it is no longer declared."""
    memory = _take_in(memory, sight, now)
    if digest is None:
        # Also if it was never seen: unregistering what is not there is harmless.
        return _enter(memory, LEAVING, "no longer declared", now), UNREGISTER, "no longer declared"
    if memory.unhealthy >= rules.unhealthy_checks:
        return _unfit(memory, sight, now)
    if sight.listing == SILENT:
        memory = _enter(memory, UNREACHABLE, sight.words, now, sight.failure)
        return replace(memory, failures=memory.failures + 1), NOTHING, ""
    why = _reason_to_register(memory, sight, digest, rules, now)
    if not why:
        return _settled(memory, sight, now), NOTHING, ""
    if not sight.healthy or memory.healthy < rules.healthy_checks:
        if sight.listing in (LISTED, BUSY) and memory.record:
            # An older declaration of it is served meanwhile.
            return memory, NOTHING, ""
        words = f"healthy {memory.healthy} of {rules.healthy_checks} times in a row" if sight.healthy else sight.health
        return replace(_enter(memory, WAITING, words, now), failures=0), NOTHING, ""
    return memory, REGISTER, why


def registered(memory, digest, fingerprint, why, now):
    """The orchestrator took the registration."""
    outage = None if memory.lost_at is None else now - memory.lost_at
    memory = replace(
        memory,
        record=Record(digest, fingerprint),
        refreshed_at=now,
        doubt=False,
        busy_since=None,
        failures=0,
        last_outage=memory.last_outage if outage is None else outage,
        lost_at=None,
        seen_at=now,
    )
    return _enter(memory, REGISTERED, why, now)


def unregistered(memory, now):
    """The orchestrator has it no longer."""
    memory = replace(memory, record=None, failures=0, busy_since=None, available=0, seen_at=None)
    return _enter(memory, GONE, "unregistered", now) if memory.state == LEAVING else memory


def failed(memory, name, sentence, now):
    """The orchestrator did not do what it was asked."""
    memory = replace(memory, failures=memory.failures + 1)
    if memory.state == LEAVING and not memory.record and name == "unreachable":
        # Never registered by us, and nobody there to ask.
        return _enter(memory, GONE, sentence, now)
    if memory.state in (LEAVING, UNHEALTHY):
        return replace(memory, reason=f"{memory.reason.partition(' (')[0]} ({sentence.rstrip('.')})", failure=name)
    return _enter(memory, UNREACHABLE if name == "unreachable" else REFUSED, sentence, now, name)


def _take_in(memory, sight, now):
    """Count, and believe what was read back."""
    memory = replace(
        memory,
        healthy=memory.healthy + 1 if sight.healthy else 0,
        unhealthy=0 if sight.healthy else memory.unhealthy + 1,
        available=sight.available,
        # A job that met the service's absence made the orchestrator drop the capability.
        doubt=memory.doubt or sight.listing == SILENT or not sight.healthy,
    )
    if sight.listing in (LISTED, BUSY) and memory.record:
        # Still there, so a new certificate was a renewal and not a restart.
        record = replace(memory.record, fingerprint=sight.fingerprint)
        memory = replace(memory, doubt=False, seen_at=now, record=record)
    elif sight.listing == MISSING and memory.seen_at is not None and memory.lost_at is None:
        memory = replace(memory, lost_at=memory.seen_at)
    if sight.listing == BUSY:
        return replace(memory, busy_since=now if memory.busy_since is None else memory.busy_since)
    return memory if sight.listing == UNSURE else replace(memory, busy_since=None)


def _unfit(memory, sight, now):
    memory = _enter(memory, UNHEALTHY, sight.health, now)
    if sight.listing == SILENT:
        return replace(memory, failures=memory.failures + 1), NOTHING, ""
    if memory.record or sight.listing in (LISTED, BUSY):
        return memory, UNREGISTER, sight.health
    return replace(memory, failures=0), NOTHING, ""


def _reason_to_register(memory, sight, digest, rules, now):
    """Why to register now, empty if it is registered as declared or nobody can say yet.

    Never because of the time alone where it can be read back: to register again sets the count of running jobs to zero.
    """
    record = memory.record
    restarted = bool(record and record.fingerprint and sight.fingerprint and record.fingerprint != sight.fingerprint)
    if sight.listing == UNSURE:
        return ""
    if sight.listing == MISSING:
        if not record:
            return "the service is healthy"
        return "the orchestrator was restarted" if restarted else "the orchestrator had dropped it"
    if not record:
        return "the service is healthy" if sight.listing == UNREADABLE else "somebody else had registered it"
    if record.digest != digest:
        return "its declaration changed"
    if sight.listing == UNREADABLE:
        return _reason_without_read_back(memory, restarted, rules, now)
    if memory.busy_since is not None and now - memory.busy_since >= rules.refresh:
        return f"no slot was free for {rules.refresh:.0f} s, and the orchestrator leaks slots of jobs that time out"
    return ""


def _reason_without_read_back(memory, restarted, rules, now):
    if restarted:
        return "the orchestrator was restarted"
    if memory.doubt:
        return "the orchestrator may have dropped it"
    if now - memory.refreshed_at >= rules.refresh:
        return "the orchestrator does not tell whether it is still there"
    return ""


def _settled(memory, sight, now):
    """Nothing is to be done."""
    memory = replace(memory, failures=0)
    if sight.listing == UNSURE or memory.record is None:
        return memory
    if memory.state == REGISTERED:
        return memory
    outage = None if memory.lost_at is None else now - memory.lost_at
    memory = replace(memory, lost_at=None, last_outage=memory.last_outage if outage is None else outage)
    return _enter(memory, REGISTERED, "it is there as declared", now)


def _enter(memory, state, reason, now, failure=""):
    if state == memory.state:
        return replace(memory, reason=reason, failure=failure)
    lost_at = memory.lost_at
    if memory.state == REGISTERED and lost_at is None:
        lost_at = now if memory.seen_at is None else memory.seen_at
    return replace(memory, state=state, since=now, reason=reason, failure=failure, lost_at=lost_at)
