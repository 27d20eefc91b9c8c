# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration and the credentials."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from dataclasses import dataclass

from _byoc import registration, service_error

from byoc_registrar.machine import Rules

NUMBERS = {"interval": (0.2, 60), "healthy_checks": (1, 100), "unhealthy_checks": (1, 100), "refresh": (10, 86400)}


class SettingsError(Exception):
    """One sentence that says what is wrong."""


@dataclass(frozen=True)
class Capability:
    """One declared capability, with all that is needed to judge and register it."""

    name: str
    health_url: str
    healthy_status: int
    document: dict
    digest: str


@dataclass(frozen=True)
class Settings:
    digest: str
    orchestrator: str
    rules: Rules
    capabilities: dict


@dataclass(frozen=True)
class Credentials:
    """What systemd hands over at the start: the orchestrator's secret, and the tokens of services by name."""

    secret: str
    tokens: dict


def read_credentials(directory):
    """systemd gives a service its credentials in a directory that nobody else can read."""
    if not directory:
        raise SettingsError("systemd handed over no credentials: start the registrar as its unit does")
    try:
        with open(os.path.join(directory, "orch_secret"), encoding="utf-8") as file:
            # The node trims its own copy in the same way.
            secret = file.read().strip()
        with open(os.path.join(directory, "tokens"), encoding="utf-8") as file:
            tokens = json.load(file)
    except FileNotFoundError as error:
        raise SettingsError(
            f"systemd did not hand over the credential {os.path.basename(error.filename)}; in a container this takes "
            "shared mounts, mount --make-rshared /"
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"the credentials cannot be read: {type(error).__name__}") from None
    if not secret:
        raise SettingsError("the file of the orchestrator's secret is empty")
    return Credentials(secret, {str(name): str(token) for name, token in tokens.items()})


def read(path, credentials):
    """The configuration, judged whole before any of it is used."""
    try:
        with open(path, "rb") as file:
            raw = file.read()
        document = json.loads(raw.decode("utf-8"))
        capabilities = [_capability(item, credentials) for item in document["capabilities"]]
        orchestrator = str(document["orchestrator"]).rstrip("/")
        rules = Rules(**{name: _number(document, name) for name in NUMBERS})
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SettingsError(f"{path} is not a configuration: {type(error).__name__} {error}") from error
    problem = service_error(orchestrator)
    if problem:
        raise SettingsError(f"{path}: the orchestrator's address {orchestrator} is wrong, {problem}")
    by_name = {one.name: one for one in capabilities}
    if len(by_name) != len(capabilities):
        raise SettingsError(f"{path} declares a capability twice")
    return Settings(hashlib.sha256(raw).hexdigest(), orchestrator, rules, by_name)


def _number(document, name):
    lowest, highest = NUMBERS[name]
    value = document[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise ValueError(f"{name} is not a number from {lowest} to {highest}")
    return value


def _capability(item, credentials):
    document = registration({**item, "url": item["base_url"]}, credentials.tokens.get(item["name"], ""))
    problem = service_error(item["health_url"])
    if problem or not item["name"] or item["capacity"] < 1:
        raise ValueError(f"the capability {item['name']} cannot be served ({problem or 'no capacity'})")
    # Keyed, because the token is part of it and the digest is written to disk.
    text = json.dumps(document, sort_keys=True).encode()
    digest = hmac.new(credentials.secret.encode(), text, hashlib.sha256).hexdigest()
    return Capability(item["name"], item["health_url"], int(item["healthy_status"]), document, digest)
