# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which model runs on which GPU, so that nothing is ever over-committed. Private to the collection.

What go-livepeer does (cmd/livepeer/starter, ai/worker/docker.go of v0.9.1), and what follows for a plan:

* It starts the warm runners one after the other, in the order of the models, each in the first free slot. Slots are
  every GPU once in the order of -nvidia, then every GPU again, -aiRunnerContainersPerGPU times. It never looks at
  memory: a plan can choose the GPUs, their order, the order of the models and the number of slots, and nothing else.
* A warm runner is never evicted. A slot that no warm runner holds is taken by any model for which a request comes while
  no runner of its own is in the pool, warm models included: while it is busy, and for up to 5 s after it was, because
  the end of a request is noticed at the next tick of the watcher only. So a single warm model comes to fill the GPUs
  that are left, and a plan must be able to stand the largest model in each slot left.
* External runners hold no slot.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError, release
from ansible_collections.livepeer.ai.plugins.plugin_utils._placement import host_port, managed, slots
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import (
    ProblemsError,
    size_in_bytes,
    size_text,
    type_name,
)

# Two digits of a runner's port are left for its place and its GPU.
HIGHEST_GPU = 9
MOST_PLACES = 10
# Steps of the search before it gives up; hosts with ten different cards stay below it.
PATIENCE = 200000
GB = 1000**3
# The card that upstream's documentation asks for (docs.livepeer.org, ai/pipelines): no measure of a model, only a hint
# for one that declares no size.
DOCUMENTED_MEMORY = {
    "text-to-image": 24 * GB,
    "image-to-image": 20 * GB,
    "image-to-video": 24 * GB,
    "upscale": 24 * GB,
    "audio-to-text": 12 * GB,
    "image-to-text": 4 * GB,
    "segment-anything-2": 6 * GB,
    "llm": 16 * GB,
    "text-to-speech": 12 * GB,
}


class PlanError(ProblemsError):
    """What is wrong or does not fit, in sentences for the person who declared it."""

    def __init__(self, problems):
        super().__init__(" ".join(problems), problems)


class OutOfPatienceError(Exception):
    """The search was ended before it knew."""


@dataclasses.dataclass(frozen=True)
class Card:
    """One GPU of a host and what runners may use of it."""

    index: int
    name: str
    memory: int
    reserved: int

    @property
    def room(self):
        return max(self.memory - self.reserved, 0)

    def text(self):
        name = f" ({self.name})" if self.name else ""
        kept = f" ({size_text(self.reserved)} reserved)" if self.reserved else ""
        return f"GPU {self.index}{name} has {size_text(self.room)}{kept}"


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """A complete answer: cards and entries in the order in which go-livepeer is told of them."""

    cards: tuple
    entries: tuple
    places: int


class Entry:
    """One declared model; its size is None where it declares none."""

    def __init__(self, model):
        self.model = model
        self.pipeline, self.model_id = model["pipeline"], model["model_id"]
        self.size = size_in_bytes(model["vram"]) if model.get("vram") is not None else None
        self.warm = model.get("warm") is True
        self.runners = int(model.get("capacity") or 1) if self.warm else 0

    @property
    def kind(self):
        """Entries of one kind are the same to the search."""
        return (-1 if self.size is None else self.size, self.runners)

    def text(self):
        return f"{self.model_id} ({size_text(self.size) if self.size is not None else 'vram unknown'})"


def cards_of(gpus, reserved, name):
    """The cards of a host, or PlanError with everything that is wrong with their list."""
    problems, cards = [], []
    if isinstance(gpus, (str, bytes, Mapping)) or not isinstance(gpus, Sequence):
        raise PlanError([f"{name} is {type_name(gpus)}, must be a list of GPUs, each with index and memory."])
    for number, gpu in enumerate(gpus):
        try:
            card = _card(gpu, reserved)
        except ValueError as error:
            problems.append(f"{name}, entry {number}: {error}.")
            continue
        if card.index in [one.index for one in cards]:
            problems.append(f"{name}, entry {number}: GPU {card.index} is there twice; list each once.")
        cards.append(card)
    if problems:
        raise PlanError(problems)
    return cards


def _card(gpu, reserved):
    if not isinstance(gpu, Mapping):
        raise ValueError(f"is {type_name(gpu)}, must be a mapping with index and memory")
    index = gpu.get("index")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index <= HIGHEST_GPU:
        raise ValueError(
            f"index is {index!r}, must be a number from 0 to {HIGHEST_GPU}: the port of a runner has one digit for it"
        )
    # gpu_info says memory_total.
    memory = size_in_bytes(gpu.get("memory", gpu.get("memory_total"))) or 0
    if memory < 1024**2:
        raise ValueError(f"memory is {gpu.get('memory')!r}, must be a size such as 24GiB, or a number of bytes")
    kept = gpu.get("reserved", reserved)
    kept = 0 if kept in (0, "0", "", None) else size_in_bytes(kept)
    if kept is None:
        raise ValueError("reserved must be a size such as 1GiB, or 0")
    return Card(index, str(gpu.get("name") or ""), memory, kept)


def entries_of(models, version, name):
    """The managed models, or PlanError; what else may be wrong with a model is the business of the filter ai_models."""
    known, problems, entries = release(version), [], []
    for number, model in enumerate(managed(models)):
        where = f"{name}, {model.get('model_id') or f'entry {number}'}"
        try:
            known.pipeline(model.get("pipeline"))
        except UnsupportedError as error:
            problems.append(f"{where}: {error}.")
            continue
        if model.get("vram") is not None and size_in_bytes(model["vram"]) is None:
            problems.append(f"{where}: vram is {model['vram']!r}, must be a size such as 12GiB, or a number of bytes.")
            continue
        entries.append(Entry(model))
    if problems:
        raise PlanError(problems)
    return entries


def different(choices):
    """Those of some choices of cards that differ in room."""
    seen = set()
    for cards in choices:
        rooms = tuple(card.room for card in cards)
        if rooms not in seen:
            seen.add(rooms)
            yield cards


def different_orders(cards):
    """All orders of the cards that differ in room."""
    if not cards:
        yield ()
    for first in different((card,) for card in cards):
        for rest in different_orders(tuple(card for card in cards if card not in first)):
            yield (*first, *rest)


class Planner:
    """All that is known of one host, and the search for an arrangement that fits."""

    def __init__(
        self,
        models,
        gpus,
        version,
        containers_per_gpu=0,
        reserved=0,
        keep_order=False,
        name="orchestrator_models",
        gpus_name="the GPUs",
    ):
        self.name, self.gpus_name = name, gpus_name
        self.release = release(version)
        self.models = list(models)
        self.cards = tuple(cards_of(gpus, reserved, gpus_name))
        self.entries = entries_of(self.models, version, name)
        self.warm = tuple(entry for entry in self.entries if entry.warm)
        self.cold = [entry for entry in self.entries if not entry.warm]
        self.wanted = sum(entry.runners for entry in self.warm)
        self.keep_order = keep_order
        self.given = int(containers_per_gpu or 0)
        if not 0 <= self.given <= MOST_PLACES:
            raise PlanError([f"containers per GPU is {self.given}, must be from 1 to {MOST_PLACES}."])
        sizes = [entry.size for entry in self.entries]
        self.has_unknown = None in sizes
        self.largest = max([size for size in sizes if size is not None], default=0)
        self.patience = PATIENCE

    # --- whether one arrangement fits -------------------------------------------------------------

    def loads(self, cards, places):
        """What the slots without a warm runner may come to take of each card; None if one cannot stand it."""
        room_for = [0] * len(cards)
        for position in range(self.wanted, len(cards) * places):
            room_for[position % len(cards)] += self.largest
            if self.has_unknown and places > 1:
                return None
        return room_for if all(load <= card.room for load, card in zip(room_for, cards)) else None

    def add(self, loads, cards, places, position, entry):
        """The loads with all runners of an entry from a position on, or None."""
        loads = list(loads)
        for at in range(position, position + entry.runners):
            card = at % len(cards)
            if entry.size is None:
                # Nobody knows what is left beside it.
                if places > 1:
                    return None
                continue
            loads[card] += entry.size
            if loads[card] > cards[card].room:
                return None
        return loads

    def fits(self, arrangement):
        cards, places, position = arrangement.cards, arrangement.places, 0
        if self.wanted > len(cards) * places:
            return False
        loads = self.loads(cards, places)
        for entry in arrangement.entries:
            loads = None if loads is None else self.add(loads, cards, places, position, entry)
            position += entry.runners
        return loads is not None

    # --- the search -------------------------------------------------------------------------------

    def arrangement(self):
        """The first that fits: few runners on a card, many cards, the declared order where it will do; or None."""
        # A cold model needs a slot that no warm one holds; better none than no plan.
        for spare in (1, 0) if self.cold and self.warm else (1 if self.cold else 0,):
            for places in (self.given,) if self.given else range(1, MOST_PLACES + 1):
                found = self.with_places(places, self.wanted + spare)
                if found:
                    return found
        return None

    def with_places(self, places, least):
        declared = Arrangement(self.cards, self.warm, places)
        if len(self.cards) * places >= least and self.fits(declared):
            return declared
        if self.keep_order:
            return None
        for number in range(len(self.cards), 0, -1):
            if number * places < least:
                break
            for cards in self.orders(number, places):
                entries = self.order_of_entries(cards, places)
                if entries is not None:
                    return Arrangement(cards, entries, places)
        return None

    def orders(self, number, places):
        """Choices of cards, and orders of them that make a difference, the largest cards first."""
        cards = sorted(self.cards, key=lambda card: (-card.room, card.index))
        # Entries of one runner can be listed so that any card gets any of them: then it matters only which cards get
        # one more than others.
        alone = all(entry.runners == 1 for entry in self.warm)
        for chosen in different(itertools.combinations(cards, number)):
            if self.hopeless(chosen, places):
                continue
            if alone:
                firsts = different(itertools.combinations(chosen, self.wanted % number))
            else:
                firsts = different_orders(chosen)
            for first in firsts:
                self.spend()
                yield (*first, *(card for card in chosen if card not in first))

    def hopeless(self, cards, places):
        """Whether no order can help: too much in all, too little room on the smallest card, or too few large ones."""
        sizes = [entry.size or 0 for entry in self.warm for _number in range(entry.runners)]
        sizes = sorted(sizes + [self.largest] * (len(cards) * places - self.wanted))
        rooms = sorted(card.room for card in cards)
        return (
            sum(sizes) > sum(rooms)
            or sum(sizes[:places]) > rooms[0]
            or any(size > rooms[number // places] for number, size in enumerate(sizes))
        )

    def spend(self):
        self.patience -= 1
        if self.patience < 0:
            raise OutOfPatienceError

    def order_of_entries(self, cards, places):
        """An order of the warm models that fits these cards, or None."""
        loads = self.loads(cards, places)
        if loads is None:
            return None
        kinds = {}
        for entry in self.warm:
            kinds.setdefault(entry.kind, []).append(entry)
        ordered = sorted(kinds, reverse=True)
        dead = set()

        def place(position, left, loads):
            if not any(left):
                return []
            state = (position, left, tuple(loads))
            if state in dead:
                return None
            self.spend()
            for number, kind in enumerate(ordered):
                if not left[number]:
                    continue
                entry = kinds[kind][-left[number]]
                after = self.add(loads, cards, places, position, entry)
                if after is None:
                    continue
                fewer = (*left[:number], left[number] - 1, *left[number + 1 :])
                rest = place(position + entry.runners, fewer, after)
                if rest is not None:
                    return [entry, *rest]
            dead.add(state)
            return None

        found = place(0, tuple(len(kinds[kind]) for kind in ordered), loads)
        return None if found is None else tuple(found)

    # --- the answer -------------------------------------------------------------------------------

    def plan(self):
        """The plan as a mapping, or PlanError that says what does not fit."""
        if self.entries and not self.cards:
            raise PlanError([f"{self.gpus_name} has no GPU, and {self.name} has models that need one."])
        try:
            found = self.arrangement() if self.entries else Arrangement((), (), self.given or 1)
        except OutOfPatienceError:
            found = None
        if found is None:
            raise PlanError(self.reasons())
        return self.told(found)

    def told(self, found):
        indexes = [card.index for card in found.cards]
        runners = self.runners(found)
        left = self.slots_left(found)
        return {
            "nvidia": ",".join(map(str, indexes)),
            "gpus": indexes,
            "containers_per_gpu": found.places,
            "models": self.ordered_models(found),
            "runners": runners,
            "cards": [self.told_card(card, runners, left) for card in found.cards],
            "unused_gpus": sorted(card.index for card in self.cards if card not in found.cards),
            "cold": [{"pipeline": one.pipeline, "model_id": one.model_id, "has_slot": bool(left)} for one in self.cold],
            "external": [
                {"pipeline": model["pipeline"], "model_id": model["model_id"]}
                for model in self.models
                if model.get("url")
            ],
            "warnings": self.warnings(found, runners, left),
        }

    def ordered_models(self, found):
        """As the node is to list them; those without a warm runner stay in their order behind."""
        warm = [entry.model for entry in found.entries]
        return warm + [model for model in self.models if not any(model is one for one in warm)]

    def runners(self, found):
        """Where each warm runner comes to be."""
        each = [entry for entry in found.entries for _number in range(entry.runners)]
        places = slots([card.index for card in found.cards], found.places)
        return [
            {
                "pipeline": entry.pipeline,
                "model_id": entry.model_id,
                "gpu": gpu,
                "place": place,
                "port": host_port(self.release.pipeline(entry.pipeline).port_base, place, gpu),
                "vram": entry.size or 0,
            }
            for entry, (place, gpu) in zip(each, places)
        ]

    def slots_left(self, found):
        return [gpu for _place, gpu in slots([card.index for card in found.cards], found.places)][self.wanted :]

    def told_card(self, card, runners, left):
        return {
            "index": card.index,
            "name": card.name,
            "memory": card.memory,
            "reserved": card.reserved,
            "warm": sum(one["vram"] for one in runners if one["gpu"] == card.index),
            "free_slots": left.count(card.index),
        }

    def warnings(self, found, runners, left):
        told = []
        for entry in self.entries:
            if entry.size is None:
                told.append(self.unknown_text(entry, found, runners))
        if self.cold and not left:
            names = ", ".join(entry.model_id for entry in self.cold)
            told.append(
                f"{names} can never start: warm runners hold all {self.wanted} slots and are never evicted;"
                " add a GPU, make another model cold, or allow more containers per GPU."
            )
        for card in self.cards:
            if card not in found.cards:
                told.append(f"{card.text()} and is left out: no runner that could come to it fits there for certain.")
        return list(dict.fromkeys(told))

    def unknown_text(self, entry, found, runners):
        mine = [
            one["gpu"] for one in runners if one["model_id"] == entry.model_id and one["pipeline"] == entry.pipeline
        ]
        cards = [card for card in found.cards if not mine or card.index in mine]
        asks = DOCUMENTED_MEMORY.get(entry.pipeline, 0)
        small = [card.text() for card in cards if card.memory < asks]
        hint = f"; upstream asks for a card of {asks // GB} GB, and {', '.join(small)}" if small else ""
        return (
            f"{entry.model_id} declares no vram, so it has a GPU for itself and nothing says that it fits there{hint}:"
            f" declare vram in {self.name}."
        )

    # --- why there is none ------------------------------------------------------------------------

    def reasons(self):
        problems = self.too_large() + self.too_many()
        if problems:
            return problems
        if self.keep_order:
            return self.reasons_of_the_order()
        if self.patience < 0:
            return [
                f"No arrangement of {self.listed()} was found after {PATIENCE} steps; give the host fewer warm models."
            ]
        return [self.unfitting()]

    def listed(self):
        return ", ".join(
            f"{entry.text()}{f' x {entry.runners}' if entry.runners > 1 else ''}" for entry in self.warm or self.cold
        )

    def rooms(self):
        return ", ".join(card.text() for card in self.cards)

    def too_large(self):
        largest = max(card.room for card in self.cards)
        return [
            f"{entry.model_id} needs {size_text(entry.size)}, and no GPU of this host has as much: {self.rooms()};"
            " give the model to another host, or correct its vram."
            for entry in self.entries
            if entry.size is not None and entry.size > largest
        ]

    def too_many(self):
        most = len(self.cards) * (self.given or MOST_PLACES)
        if self.wanted > most:
            return [
                f"{self.wanted} warm runners have {most} slots ({len(self.cards)} GPU(s) with"
                f" {self.given or MOST_PLACES} container(s) each); make some cold, add GPUs,"
                " or allow more containers per GPU."
            ]
        total, room = sum((e.size or 0) * e.runners for e in self.warm), sum(card.room for card in self.cards)
        if total > room:
            return [
                f"The warm models of {self.name} need {size_text(total)} together ({self.listed()}), and all GPUs of"
                f" this host have {size_text(room)} ({self.rooms()}); give the host fewer warm models."
            ]
        return []

    def unfitting(self):
        unknown = [entry.model_id for entry in self.entries if entry.size is None]
        sizes = (
            f" {', '.join(unknown)} declares no vram, and what has none needs a GPU for itself: declare it."
            if unknown
            else ""
        )
        return (
            f"No order of models and GPUs puts {self.listed()} on the GPUs of this host ({self.rooms()}), because"
            " go-livepeer fills every GPU once before any twice, and starts any model in a slot that is left;"
            f" give the host fewer warm models, or more alike GPUs.{sizes}"
        )

    def reasons_of_the_order(self):
        """Which GPU the declared order over-commits, and an order that would not."""
        places = self.given or max(1, -(-self.wanted // len(self.cards)))
        as_declared = Arrangement(self.cards, self.warm, places)
        runners, left = self.runners(as_declared), self.slots_left(as_declared)
        problems = []
        for card in self.cards:
            mine = [one for one in runners if one["gpu"] == card.index]
            names = [f"{one['model_id']} {size_text(one['vram']) if one['vram'] else '(vram unknown)'}" for one in mine]
            names += [f"{size_text(self.largest)} for any model in a slot left"] * left.count(card.index)
            need = sum(one["vram"] for one in mine) + self.largest * left.count(card.index)
            if need > card.room:
                problems.append(f"{card.text()}, and go-livepeer puts {size_text(need)} on it ({', '.join(names)}).")
        return [*(problems or [self.unfitting()]), self.better_order()]

    def better_order(self):
        other = self.free_copy()
        try:
            found = other.arrangement()
        except OutOfPatienceError:
            found = None
        if found is None:
            return "Give the host fewer warm models, or correct their vram."
        order = ", ".join(entry.model_id for entry in found.entries) or "(none)"
        return (
            f"It fits with -nvidia {','.join(str(card.index) for card in found.cards)}, {found.places} container(s)"
            f" per GPU and the warm models in the order {order}."
        )

    def free_copy(self):
        other = object.__new__(Planner)
        other.__dict__.update(self.__dict__, keep_order=False, given=0, patience=PATIENCE)
        return other


def gpu_plan(models, gpus, version, **options):
    """The plan of one host for a list of GPUs; of several for a mapping of names to such lists."""
    if isinstance(models, (str, bytes, Mapping)) or not isinstance(models, Sequence):
        raise PlanError(
            [f"{options.get('name', 'orchestrator_models')} is {type_name(models)}, must be a list of models."]
        )
    if not all(isinstance(model, Mapping) and model.get("model_id") for model in models):
        raise PlanError([f"{options.get('name', 'orchestrator_models')} has an entry without pipeline and model_id."])
    if isinstance(gpus, Mapping):
        return Fleet(models, gpus, version, options).plan()
    return Planner(models, gpus, version, **options).plan()


class Fleet:
    """Models that may go to any of several hosts. An entry stays on one host."""

    def __init__(self, models, hosts, version, options):
        self.options = {"name": "orchestrator_models", **options}
        if self.options.pop("keep_order", False):
            raise PlanError(["keep_order is for one host: over several the plan chooses."])
        self.version = version
        self.hosts = {str(host): gpus for host, gpus in hosts.items()}
        self.models = list(models)
        self.patience = PATIENCE // 100
        self.known = {}

    def fits(self, host, numbers):
        key = (host, numbers)
        if key not in self.known:
            self.patience -= 1
            if self.patience < 0:
                raise OutOfPatienceError
            try:
                self.known[key] = self.host_plan(host, numbers)
            except PlanError:
                self.known[key] = None
        return self.known[key] is not None

    def host_plan(self, host, numbers):
        mine = [self.models[number] for number in sorted(numbers)]
        plan = Planner(mine, self.hosts[host], self.version, gpus_name=f"the GPUs of {host}", **self.options).plan()
        if any(not one["has_slot"] for one in plan["cold"]):
            raise PlanError([f"A cold model has no slot on {host}."])
        return plan

    def plan(self):
        # What is wrong with the lists themselves is said first, of all hosts.
        problems = []
        for host, gpus in self.hosts.items():
            try:
                cards_of(gpus, self.options.get("reserved", 0), f"the GPUs of {host}")
            except PlanError as error:
                problems += error.problems
        try:
            entries_of(self.models, self.version, self.options["name"])
        except PlanError as error:
            problems += error.problems
        if problems:
            raise PlanError(problems)
        try:
            found = self.spread(self.largest_first(), {host: frozenset() for host in self.hosts})
        except OutOfPatienceError:
            found = None
        if found is None:
            raise PlanError(self.reasons())
        return {"hosts": {host: self.host_plan(host, numbers) for host, numbers in found.items()}}

    def largest_first(self):
        """Those that are hardest to place first; external ones need nothing and are last."""

        def weight(number):
            model = self.models[number]
            size = size_in_bytes(model["vram"]) if model.get("vram") is not None else 2**62
            return (bool(model.get("url")), -(size or 0) * int(model.get("capacity") or 1), number)

        return sorted(range(len(self.models)), key=weight)

    def spread(self, numbers, given):
        if not numbers:
            return given
        first, *rest = numbers
        tried = set()
        # The least filled host first, so that models are spread.
        for host in sorted(given, key=lambda one: len(given[one])):
            alike = (repr(self.hosts[host]), given[host])
            if alike in tried:
                continue
            tried.add(alike)
            more = given[host] | {first}
            if self.fits(host, more):
                found = self.spread(rest, {**given, host: more})
                if found:
                    return found
        return None

    def reasons(self):
        alone = [
            f"{self.models[number]['model_id']} fits no host, even alone ({', '.join(self.hosts) or 'there is none'});"
            " correct its vram, or add a GPU that can hold it."
            for number in range(len(self.models))
            if not any(self._fits_alone(host, number) for host in self.hosts)
        ]
        names = ", ".join(model["model_id"] for model in self.models)
        return alone or [
            f"{names} do not fit the GPUs of {', '.join(self.hosts)} together; add GPUs, or declare fewer."
        ]

    def _fits_alone(self, host, number):
        try:
            self.host_plan(host, frozenset({number}))
        except PlanError:
            return False
        return True
