# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declared service may say, and what is wrong with a list of them. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import nearest
from ansible_collections.livepeer.ai.plugins.plugin_utils._ai_models import FEED_CURRENCIES, FIXED_CURRENCIES
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import ProblemsError, is_number, type_name

ROUTES = ("byoc", "live_runner")
SOURCES = ("template", "build", "image", "external")
CONTAINER_PREFIX = "livepeer-service-"

# Every key of a declaration and its default, in the order in which people read it.
DEFAULTS = {
    "name": "",
    "route": "byoc",
    "source": "",
    "path": "",
    "image": "",
    "url": "",
    "port": 0,
    "container_port": 8000,
    "health_path": "/health",
    "healthy_status": 200,
    "start_timeout": 600,
    "description": "",
    "capacity": 1,
    "price_per_unit": 0,
    "price_scaling": 1,
    "currency": "wei",
    "price": {},
    "app": "",
    "mode": "single-shot",
    "version": "",
    "metadata": "",
    "token": "",
    "models": [],
    "gpus": [],
    "gpu_mode": "runtime",
    "env": {},
    "command": [],
    "memory": "",
    "cpus": 0,
    "shm_size": "",
    "network": "",
    "restart_policy": "unless-stopped",
    "user": "",
    "hardened": None,
    "build_args": {},
    "checks": [],
}
MODEL_DEFAULTS = {"model_id": "", "revision": "main", "allow_patterns": [], "ignore_patterns": []}
CHECK_DEFAULTS = {"path": "v1/infer", "body": {}, "expect": {}, "timeout": 60, "stream": False}
EXPECT_KEYS = ("contains", "status", "keys", "min_items", "events")
PRICE_DEFAULTS = {"price": 0, "currency": "usd", "unit": "hour"}

# What each source must name, and what it may not because nothing would come of it.
NEEDS = {"template": ("path", "port"), "build": ("path", "port"), "image": ("image", "port"), "external": ("url",)}
OF_A_CONTAINER = (
    "port",
    "container_port",
    "models",
    "gpus",
    "gpu_mode",
    "env",
    "command",
    "memory",
    "cpus",
    "shm_size",
    "network",
    "restart_policy",
    "user",
    "hardened",
)
USELESS = {
    "template": ("image", "url"),
    "build": ("image", "url"),
    "image": ("path", "url", "build_args"),
    "external": ("path", "image", "build_args", *OF_A_CONTAINER),
}

CHOICES = {
    "route": ROUTES,
    "source": SOURCES,
    "mode": ("single-shot", "persistent"),
    "gpu_mode": ("runtime", "cdi"),
    "restart_policy": ("no", "on-failure", "always", "unless-stopped"),
}
# Least and greatest; go-livepeer reads the price of a capability as int64.
WHOLE_NUMBERS = {
    "port": (1, 65535),
    "container_port": (1, 65535),
    "healthy_status": (100, 599),
    "start_timeout": (1, 86400),
    "capacity": (1, 2**31 - 1),
    "price_per_unit": (0, 2**63 - 1),
    "price_scaling": (1, 2**63 - 1),
}
TEXTS = (
    "path",
    "image",
    "url",
    "health_path",
    "description",
    "currency",
    "app",
    "version",
    "metadata",
    "token",
    "user",
)
PRICE_UNITS = ("hour", "720p", "fixed")

# What the role says to the container itself.
RESERVED_ENV = (
    "BEARER_TOKEN_FILE",
    "HF_HUB_CACHE",
    "HF_HUB_OFFLINE",
    "MAX_CONCURRENCY",
    "MODEL_DIR",
    "MODEL_ID",
    "MODEL_REVISION",
    "PORT",
)

# The name becomes part of an image's name as well, which Docker takes only with single separators inside.
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
NETWORK = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
BUILT_IN_NETWORKS = ("bridge", "host", "none", "default")
# An image's reference, not judged beyond what cannot be one.
REFERENCE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]*")
SIZE = re.compile(r"([1-9]\d*)([bkmg]|[kmg]ib)?", re.IGNORECASE)


class ServicesError(ProblemsError):
    """All problems of a list of services, in one sentence for the person who wrote it."""


def is_text(value):
    return isinstance(value, str)


def is_list(value):
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def docker_size(text):
    """A size as Docker writes it (4g), of one that people write (4GiB, 4g); None if it is neither."""
    match = SIZE.fullmatch(text)
    return f"{match.group(1)}{(match.group(2) or 'b')[0].lower()}" if match else None


def scalar_text(value):
    """Text for a container's environment; YAML's booleans as programs spell them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_base_url(url):
    try:
        parts = urlsplit(url)
        # Reading the port parses it: text or a number beyond 65535 raises.
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return whole and not (parts.query or parts.fragment or "@" in parts.netloc or any(one.isspace() for one in url))


class Service:
    """One declaration, what is wrong with it, and the same with every key present."""

    def __init__(self, index, entry, network):
        self.index = index
        self.entry = entry
        self.on_chain = network != "offchain"
        self.problems = []

    def complain(self, key, why):
        name = self.entry.get("name") if isinstance(self.entry, Mapping) else None
        shown = f" ({name})" if is_text(name) and name else ""
        self.problems.append(f"entry {self.index}{shown}, {key}: {why}")

    def given(self, key):
        """Whether the key says something: null has been reported, and a default says nothing."""
        return self.entry.get(key) is not None and self.entry[key] != DEFAULTS[key]

    def get(self, key):
        value = self.entry.get(key)
        return DEFAULTS[key] if value is None else value

    def check(self, judges_network):
        if not isinstance(self.entry, Mapping):
            self.complain("the entry", f"is {type_name(self.entry)}, must be a mapping with name and source")
            return
        self.check_keys()
        self.check_name()
        self.check_kinds()
        self.check_source()
        self.check_addresses()
        self.check_container()
        self.check_models()
        self.check_checks()
        self.check_offer()
        if judges_network:
            self.check_network()

    def check_keys(self):
        for key, value in self.entry.items():
            if key not in DEFAULTS:
                hint = nearest(str(key), DEFAULTS) or f"; a service has {', '.join(DEFAULTS)}"
                self.complain(key, f"is not a key of a service{hint}")
            elif value is None and key != "hardened":
                self.complain(key, "is null: leave the key out to keep its default")

    def check_name(self):
        name = self.entry.get("name")
        if name is None or name == "":
            self.complain("name", "is missing: name the capability")
        elif not is_text(name):
            self.complain("name", f"is {type_name(name)}, must be text: quote it")
        elif not NAME.fullmatch(name) or len(name) > 63:
            self.complain(
                "name",
                f"{name!r} cannot name a container: use up to 63 lower-case letters and digits, with single"
                " dots, underscores or hyphens between them",
            )

    def check_kinds(self):
        """Values of the right type, without showing those that may be credentials."""
        for key in TEXTS:
            if key in self.entry and self.entry[key] is not None and not is_text(self.entry[key]):
                self.complain(key, f"is {type_name(self.entry[key])}, must be text: quote it")
        for key, choices in CHOICES.items():
            value = self.entry.get(key)
            # YAML reads a bare no as false.
            if value is not None and value not in choices:
                self.complain(key, f"is {value!r}, must be one of {', '.join(choices)}{self._quoted(value)}")
        for key, (least, most) in WHOLE_NUMBERS.items():
            value = self.entry.get(key)
            if value is None:
                continue
            if not is_whole(value):
                self.complain(key, f"is {type_name(value)} ({value!r}), must be a whole number without quotes")
            elif not least <= value <= most and not (key == "port" and value == 0):
                self.complain(key, f"is {value}, must be from {least} to {most}")

    @staticmethod
    def _quoted(value):
        return ": quote it" if value is False else ""

    def check_source(self):
        source = self.entry.get("source")
        if source is None or source == "":
            self.complain("source", f"is missing: use one of {', '.join(SOURCES)}")
        if source not in SOURCES:
            return
        for key in NEEDS[source]:
            if not self.given(key) and self.entry.get(key, 0) is not None:
                self.complain(key, f"is missing: source {source} needs it")
        for key in USELESS[source]:
            if self.given(key):
                what = "is for containers" if key in OF_A_CONTAINER else "is for another source"
                self.complain(key, f"{what} and source is {source}: leave it out")

    def check_addresses(self):
        url, path, image = self.get("url"), self.get("health_path"), self.get("image")
        if is_text(url) and url and not is_base_url(url):
            # Without the value: a user's password may be in it.
            self.complain("url", "is not the base of a service: begin it with http:// or https:// and a host, no query")
        elif is_text(url) and url.endswith("/"):
            self.complain("url", f"{url} ends with a slash, which go-livepeer would double: remove it")
        if is_text(path) and (not path.startswith("/") or any(one.isspace() for one in path)):
            self.complain("health_path", f"is {path!r}, must begin with a slash and hold no white space")
        if is_text(image) and image and not REFERENCE.fullmatch(image):
            self.complain("image", f"{image!r} is not a reference of an image such as registry.example/name@sha256:...")

    def check_container(self):
        for key in ("memory", "shm_size"):
            value = self.get(key)
            if not is_text(value) or (value and not docker_size(value)):
                self.complain(key, f"is {value!r}, must be a size in quotes such as 4g or 512MiB")
        cpus = self.get("cpus")
        if not is_number(cpus) or cpus < 0:
            self.complain("cpus", f"is {cpus!r}, must be a number such as 1.5, or 0 for no limit")
        network = self.get("network")
        if not is_text(network) or (network and not NETWORK.fullmatch(network)) or network in BUILT_IN_NETWORKS:
            self.complain("network", f"is {network!r}, must be the name of a Docker network of your own")
        if self.entry.get("hardened") is not None and not isinstance(self.entry["hardened"], bool):
            self.complain("hardened", f"is {type_name(self.entry['hardened'])}, must be true or false without quotes")
        gpus = self.get("gpus")
        if not is_list(gpus) or not all(is_whole(gpu) and gpu >= 0 for gpu in gpus):
            self.complain("gpus", "must be a list of GPU indexes such as [0]")
        elif len(set(gpus)) != len(gpus):
            self.complain("gpus", "names a GPU twice")
        command = self.get("command")
        if not is_list(command) or not all(is_text(word) for word in command):
            self.complain("command", "must be a list of words, each text")
        self.check_variables("env")
        self.check_variables("build_args")
        for name in self.get("env") if isinstance(self.get("env"), Mapping) else ():
            if name in RESERVED_ENV:
                self.complain("env", f"{name} is what the role itself tells the container: leave it out")

    def check_variables(self, key):
        values = self.get(key)
        if not isinstance(values, Mapping):
            self.complain(key, f"is {type_name(values)}, must map names to values")
            return
        for name, value in values.items():
            # The values may be credentials: name the variable, never show its value.
            if not is_text(name) or not ENV_NAME.fullmatch(name):
                self.complain(key, f"{name!r} cannot be the name of a variable")
            elif not isinstance(value, (str, bool)) and not is_number(value):
                self.complain(key, f"{name} is {type_name(value)}, must be text, a number or a boolean")

    def check_models(self):
        models = self.get("models")
        if not is_list(models):
            self.complain("models", f"is {type_name(models)}, must be a list of mappings with model_id")
            return
        seen = set()
        for model in models:
            if not isinstance(model, Mapping) or not is_text(model.get("model_id")):
                self.complain("models", "has an entry without model_id: name the repository")
                continue
            model_id = model["model_id"]
            if not MODEL_ID.fullmatch(model_id):
                self.complain("models", f"{model_id!r} is not the name of a repository such as organisation/name")
            if model_id in seen:
                self.complain("models", f"{model_id} is named twice: a host has one revision of it")
            seen.add(model_id)
            for key, value in model.items():
                if key not in MODEL_DEFAULTS:
                    hint = nearest(str(key), MODEL_DEFAULTS) or f"; it has {', '.join(MODEL_DEFAULTS)}"
                    self.complain("models", f"{key} of {model_id} is not a key of a model{hint}")
                elif key == "revision" and not (is_text(value) and value):
                    self.complain("models", f"revision of {model_id} must be text: quote it")
                elif key.endswith("_patterns") and not (is_list(value) and all(is_text(one) for one in value)):
                    self.complain("models", f"{key} of {model_id} must be a list of patterns")

    def check_checks(self):
        checks = self.get("checks")
        if not is_list(checks) or not all(isinstance(check, Mapping) for check in checks):
            self.complain("checks", "must be a list of mappings such as {path: v1/infer, body: {...}}")
            return
        for number, check in enumerate(checks):
            for key in check:
                if key not in CHECK_DEFAULTS:
                    hint = nearest(str(key), CHECK_DEFAULTS) or f"; it has {', '.join(CHECK_DEFAULTS)}"
                    self.complain("checks", f"{key} of check {number} is not a key of a check{hint}")
            full = {**CHECK_DEFAULTS, **check}
            if not is_text(full["path"]) or not full["path"].strip("/"):
                self.complain("checks", f"path of check {number} must be text such as v1/infer")
            if not isinstance(full["body"], Mapping):
                self.complain("checks", f"body of check {number} is {type_name(full['body'])}, must be a mapping")
            if not is_number(full["timeout"]) or full["timeout"] <= 0:
                self.complain("checks", f"timeout of check {number} must be a number of seconds above 0")
            if not isinstance(full["stream"], bool):
                self.complain("checks", f"stream of check {number} must be true or false without quotes")
            self.check_expectation(number, full["expect"])

    def check_expectation(self, number, expect):
        if not isinstance(expect, Mapping):
            self.complain("checks", f"expect of check {number} is {type_name(expect)}, must be a mapping")
            return
        for key, value in expect.items():
            if key not in EXPECT_KEYS:
                hint = nearest(str(key), EXPECT_KEYS) or f"; use {', '.join(EXPECT_KEYS)}"
                self.complain("checks", f"{key} in expect of check {number} is not something to expect{hint}")
            elif key == "status" and not (is_whole(value) and 100 <= value <= 599):
                self.complain("checks", f"status in expect of check {number} must be an HTTP status")
            elif key == "contains" and not is_text(value):
                self.complain("checks", f"contains in expect of check {number} must be text: quote it")
            elif key == "keys" and not (is_list(value) and all(is_text(one) for one in value)):
                self.complain("checks", f"keys in expect of check {number} must be a list of names")
            elif key == "min_items" and not (isinstance(value, Mapping) and all(map(is_whole, value.values()))):
                self.complain("checks", f"min_items in expect of check {number} must map names of lists to numbers")
            elif key == "events" and not (is_whole(value) and value > 0):
                self.complain("checks", f"events in expect of check {number} must be a number of events above 0")

    def check_offer(self):
        """What the network is told of the service."""
        app, metadata, token = self.get("app"), self.get("metadata"), self.get("token")
        if is_text(app) and app != app.strip():
            self.complain("app", "begins or ends with white space: remove it")
        if is_text(metadata) and len(metadata.encode()) > 1024:
            self.complain("metadata", f"has {len(metadata.encode())} bytes, go-livepeer takes 1024")
        if is_text(token) and not (token.isascii() and token.isprintable() and " " not in token):
            self.complain("token", "holds white space or characters that no HTTP header takes: remove them")
        if token and self.get("route") == "live_runner":
            self.complain(
                "token", "is set, but the node sends live runners none, so each request would get 401: remove it"
            )
        self.check_currency()
        self.check_price()

    def check_currency(self):
        currency = self.get("currency")
        if is_text(currency) and currency.lower() not in FIXED_CURRENCIES + FEED_CURRENCIES:
            self.complain("currency", f"{currency!r} is unknown: use wei, eth or usd")

    def check_price(self):
        price = self.get("price")
        if not isinstance(price, Mapping):
            self.complain("price", f"is {type_name(price)}, must be a mapping such as {{price: 0.5, unit: hour}}")
            return
        for key in price:
            if key not in PRICE_DEFAULTS:
                hint = nearest(str(key), PRICE_DEFAULTS) or f"; it has {', '.join(PRICE_DEFAULTS)}"
                self.complain("price", f"{key} is not a key of a price{hint}")
        full = {**PRICE_DEFAULTS, **price}
        if not is_number(full["price"]) or full["price"] < 0 or (price and "price" not in price):
            self.complain("price", "price must be a number above 0, without quotes")
        if full["currency"] != "usd":
            self.complain("price", f"currency is {full['currency']!r}, go-livepeer takes usd only")
        if full["unit"] not in PRICE_UNITS:
            self.complain("price", f"unit is {full['unit']!r}, must be one of {', '.join(PRICE_UNITS)}")

    def check_network(self):
        """Judged for the role's own route only: the network of the other route's node is not known here."""
        price, currency = self.get("price"), self.get("currency")
        needs_feed = is_text(currency) and currency.lower() in FEED_CURRENCIES
        if self.get("route") == "byoc" and not self.on_chain and needs_feed:
            self.complain("currency", f"{currency} needs a price feed, and offchain has none: use wei or eth")
        if self.get("route") == "live_runner" and self.on_chain and isinstance(price, Mapping):
            amount = price.get("price", 0)
            if is_number(amount) and amount <= 0:
                self.complain("price", "is missing: on-chain, go-livepeer takes no live runner without one above 0")

    def complete(self):
        """Every key present, values as the roles use them, and what follows from them."""
        full = {key: own_copy(self.get(key)) for key in DEFAULTS}
        external = full["source"] == "external"
        full["app"] = full["app"] or full["name"]
        full["currency"] = full["currency"].lower()
        full["price"] = {**PRICE_DEFAULTS, **full["price"]} if full["price"] else {}
        full["hardened"] = full["source"] == "template" if full["hardened"] is None else full["hardened"]
        for key in ("memory", "shm_size"):
            full[key] = docker_size(full[key]) if full[key] else ""
        for key in ("env", "build_args"):
            full[key] = {name: scalar_text(value) for name, value in full[key].items()}
        full["models"] = [{**own_copy(MODEL_DEFAULTS), **model} for model in full["models"]]
        full["checks"] = [self._complete_check(check) for check in full["checks"]]
        full["container"] = "" if external else CONTAINER_PREFIX + full["name"]
        full["base_url"] = full["url"] if external else f"http://127.0.0.1:{full['port']}"
        full["health_url"] = full["base_url"] + full["health_path"]
        return full

    @staticmethod
    def _complete_check(check):
        full = {**own_copy(CHECK_DEFAULTS), **check}
        full["path"] = full["path"].strip("/")
        return full


def clashes(services):
    """Names and ports that two services want; judged over all routes, because they share a host."""
    problems = []
    for key, why in (("name", "give each its own"), ("port", "two containers cannot have it, give each its own")):
        first = {}
        for service in services:
            value = service.get(key)
            if not value or not isinstance(value, (str, int)):
                continue
            earlier = first.setdefault(value, service)
            if earlier is not service:
                service.complain(key, f"{value} is that of entry {earlier.index} as well: {why}")
                problems.append(service.problems.pop())
    return problems


def own_copy(value):
    """The same value in mappings and lists of our own.

    Not copy.deepcopy: Ansible's containers know all variables of the host, and would have them copied as well, which
    takes seconds.
    """
    if isinstance(value, Mapping):
        return {key: own_copy(item) for key, item in value.items()}
    return [own_copy(item) for item in value] if is_list(value) else value


def service_declarations(services, variable, route=None, network="offchain"):
    """The list judged as a whole; the entries of the route with every key present, all of them without a route."""
    if route is not None and route not in ROUTES:
        raise ServicesError(f"route is {route!r}, must be one of {', '.join(ROUTES)}")
    if not is_list(services):
        raise ServicesError(f"{variable} is {type_name(services)}, must be a list of services")
    judged = [Service(index, entry, network) for index, entry in enumerate(services)]
    for service in judged:
        entry_route = service.get("route") if isinstance(service.entry, Mapping) else None
        service.check(judges_network=route is None or entry_route == route)
    problems = [problem for service in judged for problem in service.problems]
    problems += clashes([service for service in judged if isinstance(service.entry, Mapping)])
    if problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        text = f"{variable} has {count}: {'; '.join(problems)}."
        raise ServicesError(text, [f"{variable}, {problem}." for problem in problems])
    return [service.complete() for service in judged if route in (None, service.get("route"))]
