# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an inventory, read from its variables alone. Private to the collection."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja2 import Undefined

from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, UNKNOWN, make_check
from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import nearest
from ansible_collections.livepeer.ai.plugins.module_utils._network import normal_uri, same_service
from ansible_collections.livepeer.ai.plugins.plugin_utils._declared import declared_models
from ansible_collections.livepeer.ai.plugins.plugin_utils._services import is_list

ROLES = Path(__file__).resolve().parents[2] / "roles"
# Every host is judged in a process of its own, which reads them again: the one in C is ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What Ansible says first of an error that an inner template had.
INSIDE = "A captured exception marker was tripped: "
# Below this, a name is one of the inventory's own rather than a slip of the pen.
ALIKE = 0.9


class UnreadableError(ValueError):
    """A variable whose template fails, in the words of the template."""


@functools.cache
def entry_points(role):
    """The options of each entry point of a role."""
    text = (ROLES / role / "meta/argument_specs.yml").read_text(encoding="utf-8")
    specs = yaml.load(text, Loader=LOADER)["argument_specs"]
    return {name: spec.get("options") or {} for name, spec in specs.items()}


def role_options(role):
    """What the role's main entry point takes."""
    return entry_points(role).get("main", {})


def known_names(role):
    """Every variable that one of its entry points reads."""
    return {name for options in entry_points(role).values() for name in options}


def public_roles():
    """The roles that people write variables for."""
    names = (path.parents[1].name for path in ROLES.glob("*/meta/argument_specs.yml"))
    return sorted(name for name in names if not name.startswith("_"))


def plain(value):
    """The same in mappings and lists of our own, each template evaluated on the way."""
    if isinstance(value, Undefined):
        # Its text is what is missing; asking for it raises.
        raise UnreadableError(str(value))
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if is_list(value) else value


class Variables:
    """The variables of one host as a template sees them."""

    def __init__(self, context):
        self.context = context
        self.names = set(context.get_all())

    def read(self, name):
        """The value, or UnreadableError."""
        try:
            return plain(self.context.resolve(name))
        except Exception as error:
            # Whatever a template may raise is what is wrong with the variable.
            text = " ".join(str(error).split()).removeprefix(INSIDE)
            raise UnreadableError(text or type(error).__name__) from error


class HostChecks:
    """Everything that is wrong with the variables of one host."""

    def __init__(self, context, host, roles):
        self.variables = Variables(context)
        self.host = host
        self.roles = roles
        self.found = []
        self.seen = set()

    def add(self, check, variable, status, sentence, remedy):
        if sentence not in self.seen:
            self.seen.add(sentence)
            self.found.append({**make_check(check, variable, status, sentence, remedy=remedy), "host": self.host})

    def checks(self, rules):
        arguments = list(self.arguments())
        # The words in which a variable says that it cannot be read, wherever it is used.
        said = {text for _variable, _sentence, _remedy, text in arguments if text}
        for rule in rules:
            self.judge(rule, said)
        complained = {check["subject"] for check in self.found}
        for variable, sentence, remedy, _text in arguments:
            if variable not in complained:
                self.add("declaration", variable, FAILED, sentence, remedy)
        self.misspelt()
        if not self.found:
            self.add("inventory", self.host, PASSED, "What is declared for this host can work, as far as it tells.", "")
        return self.found

    def judge(self, rule, said):
        try:
            problems = self.variables.read(rule["problems"])
        except UnreadableError as error:
            # A rule that reads a variable which is reported already has nothing to add.
            if not any(text in str(error) for text in said):
                sentence = f"{rule['variable']} could not be judged: {str(error).rstrip('.')}."
                self.add(rule["check"], rule["variable"], UNKNOWN, sentence, "Correct what the message names.")
            return
        for sentence in [problems] if isinstance(problems, str) else problems:
            if sentence:
                self.add(rule["check"], rule["variable"], rule.get("status", FAILED), sentence, rule["remedy"])

    def arguments(self):
        """(variable, sentence, remedy, text) for each variable that the role using it would refuse."""
        for role in self.roles:
            for name, spec in role_options(role).items():
                if name not in self.variables.names:
                    if spec.get("required"):
                        remedy = f"Set {name} for this host, its group, or all; the role {role} needs it."
                        yield name, f"{name} is not set.", remedy, f"'{name}' is undefined"
                    continue
                try:
                    value = self.variables.read(name)
                except UnreadableError as error:
                    text = str(error)
                    yield name, f"{name} cannot be read: {text.rstrip('.')}.", f"Give {name} a value.", text
                    continue
                for text in ArgumentSpecValidator({name: spec}).validate({name: value}).error_messages:
                    remedy = f"See ansible-doc -t role livepeer.ai.{role} for what {name} takes."
                    yield name, f"{name}: {text.rstrip('.')}.", remedy, ""

    def misspelt(self):
        """Variables that nobody reads, one letter beside one that a role does."""
        for role in public_roles():
            known = known_names(role)
            for name in sorted(self.variables.names):
                if name.startswith(f"{role}_") and name not in known:
                    hint = nearest(name, [one for one in sorted(known) if _alike(name, one)])
                    if hint:
                        sentence = f"{name} is not a variable of the role {role}{hint}, so nothing reads it."
                        self.add("declaration", name, FAILED, sentence, "Correct its name, or remove it.")

    def shared(self, names):
        """What the checks over several hosts read; null where it is missing or cannot be read."""
        values = {}
        for name in names:
            try:
                values[name] = self.variables.read(name) if name in self.variables.names else None
            except UnreadableError:
                values[name] = None
        return values


def _alike(one, other):
    """Whether two names are the same but for a slip, by how many of their letters are in both in order."""
    return difflib.SequenceMatcher(None, one, other).ratio() >= ALIKE


def inventory_checks(context, rules, host, roles, shared=()):
    """The checks of a host, and of its variables those that other hosts' checks read."""
    judged = HostChecks(context, host, roles)
    return {"checks": judged.checks(rules), "shared": judged.shared(shared)}


class Fleet:
    """What is wrong between hosts: {host: values of variables}, null where a host has none."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.found = []

    def add(self, host, variable, status, sentence, remedy):
        self.found.append({**make_check("fleet", variable, status, sentence, remedy=remedy), "host": host})

    def of(self, name):
        return {host: values[name] for host, values in self.hosts.items() if values.get(name)}

    def checks(self):
        self.twins()
        for host, peers in self.of("gateway_orchestrators").items():
            for peer in peers if is_list(peers) else []:
                self.peer(host, str(peer))
        for host, requests in self.of("verification_requests").items():
            self.requests(host, requests if is_list(requests) else [])
        return self.found

    def twins(self):
        """Nodes of one address remove each other's runners on a host, and gateways take them for one."""
        first = {}
        for host, address in self.of("orchestrator_service_addr").items():
            earlier = first.setdefault(normal_uri(str(address)).partition("://")[2], host)
            if earlier != host:
                self.add(
                    host,
                    "orchestrator_service_addr",
                    FAILED,
                    f"orchestrator_service_addr is {address}, which is that of {earlier} as well.",
                    "Give each orchestrator the address at which gateways reach it alone.",
                )

    def peer(self, host, peer):
        served = self.of("orchestrator_service_addr")
        serving = [one for one, address in served.items() if same_service(peer, str(address))]
        if serving:
            self.networks(host, serving[0])
            return
        alike = [(one, address) for one, address in served.items() if _name_of(peer) == _name_of(str(address)) != ""]
        if alike:
            other, address = alike[0]
            self.add(
                host,
                "gateway_orchestrators",
                FAILED,
                f"gateway_orchestrators has {peer}, but {other} is served at {address}.",
                f"Write {address} into gateway_orchestrators, or correct orchestrator_service_addr of {other}.",
            )
        elif served:
            self.add(
                host,
                "gateway_orchestrators",
                UNKNOWN,
                f"gateway_orchestrators has {peer}, which is no orchestrator of this inventory.",
                f"If one of them is meant, write its address: {', '.join(map(str, served.values()))}.",
            )

    def networks(self, gateway, orchestrator):
        own = self.hosts[gateway].get("gateway_network")
        other = self.hosts[orchestrator].get("orchestrator_network")
        if own and other and own != other:
            self.add(
                gateway,
                "gateway_network",
                FAILED,
                f"gateway_network is {own}, and {orchestrator}, which it sends to, is on {other}.",
                "Give both the same network: a gateway pays, or does not, as its own network has it.",
            )

    def requests(self, host, requests):
        """Requests for models that nobody declares; only where all orchestrators are of this inventory."""
        peers = [str(peer) for peer in self.hosts[host].get("gateway_orchestrators") or []]
        served = self.of("orchestrator_service_addr").values()
        if not all(any(same_service(peer, str(address)) for address in served) for peer in peers):
            return
        try:
            declared = declared_models(self.hosts.values(), peers)
        except (KeyError, TypeError, AttributeError):
            # A malformed list of models is reported where it is.
            return
        models = {(one["pipeline"], one["model_id"]) for one in declared}
        for request in requests:
            wanted = (request.get("pipeline"), request.get("model_id")) if isinstance(request, Mapping) else None
            if wanted and wanted not in models:
                listed = ", ".join(" ".join(one) for one in sorted(models)) or "none"
                self.add(
                    host,
                    "verification_requests",
                    FAILED,
                    f"verification_requests asks for {wanted[0]} {wanted[1]}, which none of its orchestrators has.",
                    f"Declare it in orchestrator_models, or ask for one of those: {listed}.",
                )


def _name_of(address):
    """The host of an address, without its port."""
    return normal_uri(address).partition("://")[2].rpartition(":")[0]


def fleet_conflicts(hosts):
    return Fleet(hosts).checks()
