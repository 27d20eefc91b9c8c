# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registrar decides, without a network and without a clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from _byoc import BUSY, LISTED, MISSING, UNREADABLE, UNSURE
from byoc_registrar import machine
from byoc_registrar.machine import Memory, Record, Rules, Sight

RULES = Rules(interval=2, healthy_checks=2, unhealthy_checks=3, refresh=300)
SICK = {"healthy": False, "health": "health answers 503 (loading)"}


class World:
    """A memory that is shown one sight after the other, two seconds apart, and an orchestrator that does as told."""

    def __init__(self, record=None, digest="d1"):
        self.memory = Memory(record=record)
        self.digest = digest
        self.now = 0.0
        self.fingerprint = "cert1"
        self.log = []

    def see(self, listing=MISSING, times=1, healthy=True, health="", refuse=None, words=""):
        for _number in range(times):
            self.now += 2
            sight = Sight(healthy, health, listing, self.fingerprint, 1, "unreachable" if words else "", words)
            self.memory, action, why = machine.look(self.memory, sight, self.digest, RULES, self.now)
            if action == machine.REGISTER:
                self.log.append(why)
                if refuse:
                    self.memory = machine.failed(self.memory, refuse, "It does not.", self.now)
                else:
                    self.memory = machine.registered(self.memory, self.digest, self.fingerprint, why, self.now)
            elif action == machine.UNREGISTER:
                self.log.append("unregister")
                self.memory = machine.unregistered(self.memory, self.now)
        return self

    @property
    def state(self):
        return self.memory.state


@pytest.fixture
def world():
    return World()


@pytest.fixture
def there():
    """Registered, and read back as such."""
    return World().see(MISSING, 2).see(LISTED)


def test_registers_after_enough_healthy_checks(world):
    assert world.see(MISSING).state == machine.WAITING
    assert world.memory.reason == "healthy 1 of 2 times in a row"
    assert world.see(MISSING).state == machine.REGISTERED
    assert world.log == ["the service is healthy"]


def test_a_sick_check_begins_the_count_again(world):
    world.see(MISSING).see(MISSING, **SICK).see(MISSING)
    assert world.log == []
    assert world.see(MISSING).log == ["the service is healthy"]


def test_never_registers_what_is_there(there):
    there.see(LISTED, 500).see(BUSY, 100).see(UNSURE, 2, **SICK).see(LISTED, 100)
    assert there.log == ["the service is healthy"]
    assert there.state == machine.REGISTERED


def test_unregisters_after_enough_sick_checks(there):
    assert there.see(UNSURE, 2, **SICK).state == machine.REGISTERED
    assert there.see(UNSURE, **SICK).state == machine.UNHEALTHY
    assert there.log[-1] == "unregister"
    assert there.memory.reason == "health answers 503 (loading)"
    there.see(MISSING, 10, **SICK)
    assert there.log.count("unregister") == 1
    assert there.see(MISSING, 2).state == machine.REGISTERED


def test_a_sick_service_without_our_record_is_unregistered_where_it_is_listed(world):
    world.see(LISTED, 3, **SICK)
    assert world.log == ["unregister"]


def test_a_restarted_orchestrator_is_told_at_once(there):
    there.fingerprint = "cert2"
    there.see(MISSING)
    assert there.log[-1] == "the orchestrator was restarted"
    assert there.memory.last_outage == 2


def test_a_dropped_capability_is_registered_again(there):
    assert there.see(MISSING).log[-1] == "the orchestrator had dropped it"


def test_a_renewed_certificate_is_no_restart(there):
    there.fingerprint = "cert2"
    there.see(LISTED, 5)
    assert len(there.log) == 1
    assert there.memory.record.fingerprint == "cert2"


def test_an_outage_of_the_orchestrator_is_survived_and_measured(there):
    there.see(machine.SILENT, 10, words="It is away.")
    assert there.state == machine.UNREACHABLE
    assert RULES.pause(there.memory.failures) == 5
    there.fingerprint = "cert2"
    there.see(MISSING)
    assert there.state == machine.REGISTERED
    assert there.memory.last_outage == 22
    assert RULES.pause(there.memory.failures) == 2


def test_an_orchestrator_that_comes_back_with_it_is_left_alone(there):
    there.see(machine.SILENT, 3, words="It is away.").see(LISTED)
    assert len(there.log) == 1
    assert there.state == machine.REGISTERED


def test_a_changed_declaration_is_registered_once(there):
    there.digest = "d2"
    there.see(LISTED, 5)
    assert there.log[1:] == ["its declaration changed"]


def test_takes_over_what_an_earlier_process_registered():
    world = World(record=Record("d1", "cert1"))
    assert world.see(LISTED).state == machine.REGISTERED
    assert world.log == []


def test_registers_over_what_somebody_else_registered(world):
    world.see(LISTED, 2)
    assert world.log == ["somebody else had registered it"]


def test_what_is_missing_at_the_start_needs_healthy_checks_too():
    world = World(record=Record("d1", "cert1"))
    assert world.see(MISSING).log == []
    assert world.see(MISSING).log == ["the orchestrator had dropped it"]


def test_leaked_slots_are_freed_after_a_while(there):
    there.see(BUSY, 150)
    assert len(there.log) == 1
    there.see(BUSY, 1)
    assert "leaks slots" in there.log[-1]
    there.see(LISTED).see(BUSY, 150)
    assert len(there.log) == 2


def test_a_refused_registration_is_tried_again_more_slowly(world):
    world.see(MISSING, 2, refuse="rejected")
    assert (world.state, world.memory.failure) == (machine.REFUSED, "rejected")
    world.see(MISSING, 3, refuse="rejected")
    assert RULES.pause(world.memory.failures) == 5
    assert world.see(MISSING).state == machine.REGISTERED
    assert world.memory.failures == 0


def test_what_is_no_longer_declared_is_unregistered(there):
    there.digest = None
    there.see(MISSING)
    assert there.state == machine.GONE
    assert there.log[-1] == "unregister"
    assert there.memory.record is None


def test_leaving_waits_for_the_orchestrator_only_if_it_was_registered(there):
    there.memory, action, _why = machine.look(there.memory, Sight(False), None, RULES, 100)
    assert action == machine.UNREGISTER
    failed = machine.failed(there.memory, "unreachable", "It is away.", 100)
    assert (failed.state, failed.failure) == (machine.LEAVING, "unreachable")
    never = replace(there.memory, record=None)
    assert machine.failed(never, "unreachable", "It is away.", 100).state == machine.GONE


class TestWithoutReadBack:
    """On-chain, where the orchestrator tells nothing."""

    @pytest.fixture
    def chain(self):
        return World().see(UNREADABLE, 2)

    def test_registers_once(self, chain):
        chain.see(UNREADABLE, 100)
        assert chain.log == ["the service is healthy"]
        assert chain.state == machine.REGISTERED

    def test_a_new_certificate_is_a_restart(self, chain):
        chain.fingerprint = "cert2"
        assert chain.see(UNREADABLE).log[-1] == "the orchestrator was restarted"

    def test_an_absence_of_the_service_raises_doubt(self, chain):
        chain.see(UNREADABLE, **SICK).see(UNREADABLE)
        assert len(chain.log) == 1
        assert chain.see(UNREADABLE).log[-1] == "the orchestrator may have dropped it"

    def test_an_absence_of_the_orchestrator_raises_doubt(self, chain):
        chain.see(machine.SILENT, words="It is away.").see(UNREADABLE)
        assert chain.log[-1] == "the orchestrator may have dropped it"

    def test_refreshes_now_and_then(self, chain):
        chain.see(UNREADABLE, 149)
        assert len(chain.log) == 1
        chain.see(UNREADABLE)
        assert chain.log[-1] == "the orchestrator does not tell whether it is still there"

    def test_a_changed_declaration_is_registered_once(self, chain):
        chain.digest = "d2"
        chain.see(UNREADABLE, 5)
        assert chain.log[1:] == ["its declaration changed"]
