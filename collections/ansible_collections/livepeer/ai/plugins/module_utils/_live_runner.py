# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an orchestrator is told of live runners, and what it shows of them. Private to the collection."""

from __future__ import annotations

import re
import urllib.parse

# A status that no server answers. Told to wait for it, a node finds the runner unhealthy, hides it and ends its
# sessions: the only way to take one from a node that runs, because a registry entry itself goes with a restart only.
WITHDRAWN_STATUS = 599
DEFAULT_STATUS = 200

# Of all that a node is told, /discovery shows these; addresses and prices as declared stay private.
SHOWN = ("app", "mode", "version", "metadata", "capacity")
# The node's own defaults for them.
SHOWN_DEFAULTS = {"app": "", "mode": "persistent", "version": "", "metadata": "", "capacity": 1}

ROUTE = re.compile(r"/apps/([^/]+)/(?:app|session)")


class DocumentError(ValueError):
    """Why something is no document of live runners, as the end of a sentence."""


def read_document(value):
    """The entries of a document. Only what this collection relies on is judged; the node judges the rest."""
    if not isinstance(value, dict) or not isinstance(value.get("runners"), list):
        raise DocumentError('has no list "runners"')
    labels = set()
    for index, entry in enumerate(value["runners"]):
        problem = _problem(entry) or ("has the label of an earlier entry" if entry["label"] in labels else "")
        if problem:
            raise DocumentError(f"is wrong at runners[{index}], which {problem}")
        labels.add(entry["label"])
    return value["runners"]


def _problem(entry):
    if not isinstance(entry, dict):
        return "is no mapping"
    for key in ("label", "runner_url", "health_url"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            return f"has no {key}"
    if entry.get("routing") != "label":
        return "has no routing by label: its address would be another one after each restart"
    if entry.get("proxy"):
        return "has a proxy address, by which /discovery does not tell its label"
    return ""


def as_shown(entry):
    """What /discovery shows of an entry once the node has it."""
    shown = {key: entry.get(key) or SHOWN_DEFAULTS[key] for key in SHOWN}
    shown["mode"] = shown["mode"].replace("single_shot", "single-shot")
    return shown


def withdrawn(entry):
    """The entry that makes the node hide the same label."""
    return {**entry, "healthy_status_code": WITHDRAWN_STATUS}


def health_address(entry):
    """Where the node asks for health; a path stands for one below the runner's own address."""
    address = entry["health_url"]
    return entry["runner_url"].rstrip("/") + address if address.startswith("/") else address


def read_discovery(value):
    """({label: what is shown}, [URLs of runners without a label]) of /discovery; ValueError if it is something else."""
    if not isinstance(value, list) or not value or not all(isinstance(part, dict) for part in value):
        raise ValueError("is no list of orchestrators")
    labelled, others = {}, []
    for part in value:
        runners = part.get("runners") or []
        # Without either key it could be any list of mappings.
        if "address" not in part or not isinstance(runners, list):
            raise ValueError("is no list of orchestrators")
        for runner in runners:
            match = ROUTE.search(urllib.parse.urlsplit(runner["url"]).path)
            if not match:
                others.append(runner["url"])
                continue
            shown = {key: runner.get(key) or SHOWN_DEFAULTS[key] for key in SHOWN}
            shown["url"] = runner["url"]
            shown["price"] = runner.get("price_info") or {}
            labelled[urllib.parse.unquote(match.group(1))] = shown
    return labelled, others
