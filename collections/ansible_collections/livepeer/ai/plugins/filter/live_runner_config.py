# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in live_runner_config.yml."""

from __future__ import annotations

from urllib.parse import urlsplit

from ansible.errors import AnsibleFilterError

# The node's client follows these and waits on after a 1xx, so it never sees one as the answer.
UNSEEN_STATUSES = (*range(100, 200), 301, 302, 303, 307, 308)
LOOPBACK = ("localhost", "::1", "0.0.0.0")


def _place(url):
    """The address as a connection sees it, so that two spellings of one are told to be one."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = "127.0.0.1" if host in LOOPBACK or host.startswith("127.") else host
    return host, parts.port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/")


def _problems(service, on_chain, places):
    """What go-livepeer would refuse, or take and then not serve, as ends of sentences."""
    price = service["price"].get("price", 0)
    if on_chain and price <= 0:
        yield "price", "is missing: on-chain, go-livepeer takes no live runner without one above 0"
    if service["healthy_status"] in UNSEEN_STATUSES:
        yield (
            "healthy_status",
            f"is {service['healthy_status']}, which go-livepeer never sees because it follows redirects and waits for"
            " the final answer: let the health address answer another one, such as 200",
        )
    if "\N{REPLACEMENT CHARACTER}" in service["metadata"]:
        yield "metadata", "holds the replacement character U+FFFD, which go-livepeer refuses: remove it"
    place = _place(service["base_url"])
    if place in places:
        yield (
            "url" if not service["container"] else "port",
            f"leads to {service['base_url']}, where {places[place]} is as well: go-livepeer counts sessions by label"
            " and would send one service the jobs of two, so declare one with the capacity of both",
        )
    places.setdefault(place, service["name"])


def _runner(service):
    runner = {
        "label": service["name"],
        # The other kind of address is a new one at every start of the node.
        "routing": "label",
        "runner_url": service["base_url"],
        "health_url": service["health_url"],
        "healthy_status_code": service["healthy_status"],
        "app": service["app"],
        "version": service["version"],
        "metadata": service["metadata"],
        "mode": service["mode"],
        "capacity": service["capacity"],
    }
    if service["price"]:
        runner["price_info"] = {key: service["price"][key] for key in ("price", "currency", "unit")}
    return runner


def live_runner_config(services, variable="live_runner_services", network="offchain"):
    """Turn declared services into the document of -liveRunnerConfig."""
    places = {}
    problems = [
        f"{service['name']}, {key}: {why}"
        for service in services
        for key, why in _problems(service, network != "offchain", places)
    ]
    if problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        raise AnsibleFilterError(f"{variable} has {count}: {'; '.join(problems)}.")
    return {"runners": [_runner(service) for service in services]}


class FilterModule:
    def filters(self):
        return {"live_runner_config": live_runner_config}
