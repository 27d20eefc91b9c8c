# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What go-livepeer accepts as aiModels.json, and what is wrong with a list of models. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import (
    LIVE_PIPELINE,
    UnsupportedError,
    nearest,
    release,
)
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import (
    ProblemsError,
    is_number,
    size_in_bytes,
    type_name,
)

# What go-livepeer reads, in the order the document is written.
KEYS = (
    "pipeline",
    "model_id",
    "url",
    "token",
    "warm",
    "capacity",
    "optimization_flags",
    "gateway",
    "price_per_unit",
    "pixels_per_unit",
    "currency",
)
# One list of models serves several roles: these keys are not for go-livepeer and are left out of the document.
OTHER_KEYS = ("revision", "allow_patterns", "ignore_patterns", "vram")
FIXED_CURRENCIES = ("wei", "eth")
FEED_CURRENCIES = ("usd",)


def is_whole(value):
    return is_number(value) and value == int(value)


def is_price_above_zero(price):
    """A price as -pricePerUnit takes it: digits, perhaps a fraction, perhaps a currency."""
    number = re.match(r"\d+(\.\d+)?", str(price or ""))
    return bool(number) and float(number.group()) > 0


class ModelsError(ProblemsError):
    """All problems of a list of models, in one sentence for the person who wrote it."""


class Entry:
    """One model of the list, and what is wrong with it."""

    def __init__(self, index, entry, document):
        self.index = index
        self.entry = entry
        self.document = document
        self.problems = []

    def complain(self, key, why):
        model = self.entry.get("model_id") if isinstance(self.entry, Mapping) else None
        name = f" ({model})" if isinstance(model, str) and model else ""
        self.problems.append(f"entry {self.index}{name}, {key}: {why}")

    def get(self, key, default=None):
        return self.entry.get(key, default)

    @property
    def managed(self):
        """True if go-livepeer starts the container itself."""
        return not self.get("url")

    @property
    def warm_runners(self):
        """How many containers this entry keeps running."""
        if not (self.managed and self.get("warm") is True):
            return 0
        capacity = self.get("capacity", 1)
        return capacity if is_number(capacity) else 1

    def check(self):
        if not isinstance(self.entry, Mapping):
            self.complain("the entry", f"is {type_name(self.entry)}, must be a mapping with pipeline and model_id")
            return self.problems
        self.check_keys()
        self.check_pipeline_and_model()
        self.check_external()
        self.check_warm_and_capacity()
        self.check_flags()
        self.check_vram()
        self.check_price()
        return self.problems

    def check_keys(self):
        known = (*KEYS, *OTHER_KEYS)
        for key, value in self.entry.items():
            if key not in known:
                hint = nearest(key, known) or f"; go-livepeer reads {', '.join(KEYS)}"
                self.complain(key, f"is not a key of a model{hint}")
            elif value is None:
                self.complain(key, "is null, which go-livepeer refuses: leave the key out to keep its default")

    def usable(self, key):
        """The key's value if there is one to judge; null has been reported already."""
        return key in self.entry and self.entry[key] is not None

    def text(self, key):
        """The value if it is text, None if absent; anything else is a problem."""
        if not self.usable(key):
            return None
        value = self.entry[key]
        if not isinstance(value, str):
            # Without the value: a token is a credential.
            self.complain(key, f"is {type_name(value)}, must be text: quote it")
            return None
        return value

    def check_pipeline_and_model(self):
        for key in ("pipeline", "model_id"):
            if key not in self.entry or self.entry[key] == "":
                self.complain(key, "is missing: name it")
        pipeline, model = self.text("pipeline"), self.text("model_id")
        if model and model != model.strip():
            self.complain("model_id", "begins or ends with white space: remove it")
        if not pipeline:
            return
        try:
            self.document.release.pipeline(pipeline)
        except UnsupportedError as error:
            hint = (
                ""
                if "did you mean" in str(error) or pipeline in self.document.release.removed
                else (f"; use one of {', '.join(sorted(self.document.release.pipelines))}")
            )
            self.complain("pipeline", f"{error}{hint}")
            return
        if pipeline == LIVE_PIPELINE and model and self.managed:
            try:
                self.document.release.image(pipeline, model, self.document.image_overrides)
            except UnsupportedError as error:
                self.complain("model_id", str(error))

    def check_external(self):
        url = self.text("url")
        if url is not None:
            schemes = ("ws", "wss") if self.document.serverless else ("http", "https")
            if url != url.strip() or any(character.isspace() for character in url):
                self.complain("url", "holds white space: remove it")
            elif not self._is_absolute(url, schemes):
                beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
                self.complain("url", f"is not an absolute URL: begin it with {beginnings} and a host")
        self.text("token")
        self.text("gateway")

    @staticmethod
    def _is_absolute(url, schemes):
        try:
            parts = urlsplit(url)
            # Reading the port parses it: text or a number beyond 65535 raises.
            return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            return False

    def check_warm_and_capacity(self):
        if self.usable("warm") and not isinstance(self.entry["warm"], bool):
            self.complain("warm", f"is {type_name(self.entry['warm'])}, must be true or false without quotes")
        if not self.usable("capacity"):
            return
        capacity = self.entry["capacity"]
        if isinstance(capacity, bool) or not isinstance(capacity, int):
            self.complain("capacity", f"is {type_name(capacity)} ({capacity!r}), must be a whole number without quotes")
        elif capacity < 1:
            self.complain("capacity", f"is {capacity}, must be 1 or more")

    def check_flags(self):
        if not self.usable("optimization_flags"):
            return
        flags = self.entry["optimization_flags"]
        if not isinstance(flags, Mapping):
            self.complain("optimization_flags", f"is {type_name(flags)}, must map names to text or booleans")
            return
        for name, value in flags.items():
            # The values may be credentials (HF_TOKEN is set this way): name the flag, never show its value.
            if value is None:
                self.complain("optimization_flags", f"{name} is null: give it text or a boolean, or leave it out")
            elif not isinstance(value, (str, bool)):
                kind, rule = type_name(value), "go-livepeer takes text or booleans only: quote it"
                self.complain("optimization_flags", f"{name} is {kind}, {rule}")

    def check_vram(self):
        # A few bytes are a number whose unit was forgotten.
        if self.usable("vram") and (size_in_bytes(self.entry["vram"]) or 0) < 1024**2:
            self.complain("vram", f"is {self.entry['vram']!r}, must be a size such as 12GiB, or a number of bytes")

    def check_price(self):
        for key in ("price_per_unit", "pixels_per_unit"):
            if self.usable(key) and not is_number(self.entry[key]):
                hint = "write it without quotes (and 1e-6 as 1.0e-6, YAML reads the former as text)"
                self.complain(key, f"is {type_name(self.entry[key])}, go-livepeer takes a JSON number only: {hint}")
        price, pixels = self.get("price_per_unit"), self.get("pixels_per_unit")
        if is_number(price) and price < 0:
            self.complain("price_per_unit", f"is {price}, must be 0 or more")
        if is_number(pixels) and not (is_whole(pixels) and pixels > 0):
            self.complain("pixels_per_unit", f"is {pixels}, must be a positive whole number")
        if self.document.on_chain and not self.usable("price_per_unit") and not self.document.base_price_is_set:
            self.complain(
                "price_per_unit",
                f"is missing: on {self.document.network} every model needs its own,"
                " or the node a price per unit above 0 for all",
            )
        self.check_currency()

    def check_currency(self):
        currency = self.text("currency")
        if not currency or currency.lower() in FIXED_CURRENCIES:
            return
        if currency.lower() not in FEED_CURRENCIES:
            self.complain("currency", f"{currency!r} is unknown: use wei, eth or USD")
        elif not self.document.on_chain:
            self.complain("currency", f"{currency} needs a price feed, and offchain has none: leave it out or use wei")
        elif not self.document.price_feed:
            self.complain("currency", f"{currency} needs a price feed and none is set: set one or use wei or eth")


class Document:
    """The whole list and the node it is meant for."""

    def __init__(
        self,
        models,
        version,
        network="offchain",
        price_per_unit=None,
        price_feed=True,
        gpus=1,
        containers_per_gpu=1,
        image_overrides=None,
        serverless=False,
        name="models",
    ):
        self.models = models
        self.release = release(version)
        self.network = network
        self.on_chain = network != "offchain"
        self.base_price_is_set = is_price_above_zero(price_per_unit)
        self.price_feed = price_feed
        self.slots = max(int(gpus), 1) * max(int(containers_per_gpu), 1)
        self.slots_text = f"{max(int(gpus), 1)} GPU(s) with {max(int(containers_per_gpu), 1)} container(s) each"
        self.image_overrides = image_overrides or {}
        self.serverless = serverless
        self.name = name

    def validated(self):
        if isinstance(self.models, (str, bytes, Mapping)) or not isinstance(self.models, Sequence):
            raise ModelsError(f"{self.name} is {type_name(self.models)}, must be a list of models")
        entries = [Entry(index, entry, self) for index, entry in enumerate(self.models)]
        problems = [problem for entry in entries for problem in entry.check()]
        if all(isinstance(entry.entry, Mapping) for entry in entries):
            problems += self.clashes(entries) + self.overcommitment(entries) + self.serverless_rules(entries)
        if problems:
            count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
            text = f"{self.name} has {count}: {'; '.join(problems)}."
            raise ModelsError(text, [f"{self.name}, {problem}." for problem in problems])
        return [{key: entry.entry[key] for key in KEYS if key in entry.entry} for entry in entries]

    @staticmethod
    def clashes(entries):
        """The same model once warm and once cold ends the node with a panic."""
        first, problems = {}, []
        for entry in entries:
            key, warm = (str(entry.get("pipeline")), str(entry.get("model_id"))), entry.get("warm", False)
            earlier = first.setdefault(key, (entry.index, warm))
            if earlier[1] != warm:
                problems.append(
                    f"entry {entry.index} ({key[1]}), warm: entry {earlier[0]} has the same {key[0]} model with"
                    f" warm: {str(earlier[1]).lower()}, give both the same"
                )
        return problems

    def overcommitment(self, entries):
        """Warm runners are started one by one and never share a slot; the first without one ends the node."""
        wanted = sum(entry.warm_runners for entry in entries)
        if wanted <= self.slots:
            return []
        holders = ", ".join(
            f"entry {entry.index} ({entry.get('model_id')}) wants {entry.warm_runners}"
            for entry in entries
            if entry.warm_runners
        )
        return [
            f"warm: {wanted} warm runners do not fit {self.slots_text} ({holders}): set warm: false on some,"
            " add GPUs, or raise the containers per GPU"
        ]

    def serverless_rules(self, entries):
        if not self.serverless:
            return []
        only = entries[0] if len(entries) == 1 else None
        if (
            only
            and (only.get("pipeline"), only.get("model_id")) == (LIVE_PIPELINE, "scope")
            and only.get("url")
            and only.get("capacity", 0)
        ):
            return []
        return [
            f"serverless: needs exactly one entry, {LIVE_PIPELINE} with model_id scope,"
            " a ws:// or wss:// url and a capacity"
        ]
