# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From declared services to what is to be checked of them. Private to the collection."""

from __future__ import annotations

import re
import urllib.parse

from ansible_collections.livepeer.ai.plugins.module_utils._checks import UNKNOWN, make_check

LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|::1)")
NO_REQUEST = (
    "No request is declared for it, so nothing shows that it answers.",
    "Give the service a request under checks, with what its answer must hold.",
)
NO_GATEWAY = (
    "No job was sent: on a chain it is signed and paid by a gateway, and none is given.",
    "Set verification_gateway_url, or send the job from the gateway's host.",
)
NO_PAYER = (
    "No job was sent: on a chain a live runner wants to be paid, which this collection does not do.",
    "Use a client that pays for live runners.",
)
NO_CONTAINER = (
    "Its start was not watched: it is served by somebody else.",
    "Restart it where it runs, and watch its health address.",
)


def service_checks(services, network, orchestrator_url, gateway_url=""):
    """Where to look, what to send, which starts to watch, and a check for each thing that cannot be done."""
    plan = {"targets": [], "requests": [], "starts": [], "unsent": [], "unwatched": []}
    for service in services:
        plan["targets"].append({key: service[key] for key in ("name", "route", "health_url", "healthy_status")})
        obstacle = obstacle_of_requests(service, network != "offchain", gateway_url)
        if obstacle:
            plan["unsent"].append(unknown("service_request", service, obstacle))
        else:
            way = way_of(service, network != "offchain", orchestrator_url, gateway_url)
            plan["requests"] += [{**way, **request_of(check)} for check in service["checks"]]
        obstacle = NO_CONTAINER if not service["container"] else NO_REQUEST if not service["checks"] else None
        if obstacle:
            plan["unwatched"].append(unknown("service_start", service, obstacle))
        else:
            plan["starts"].append(start_of(service))
    return plan


def obstacle_of_requests(service, on_chain, gateway_url):
    if not service["checks"]:
        return NO_REQUEST
    if on_chain and service["route"] == "live_runner":
        return NO_PAYER
    return NO_GATEWAY if on_chain and not gateway_url else None


def way_of(service, on_chain, orchestrator_url, gateway_url):
    """To whom a request goes, and who may answer."""
    through_gateway = on_chain and service["route"] == "byoc"
    return {
        "api": service["route"],
        "capability": service["name"],
        "mode": service["mode"] if service["route"] == "live_runner" else "single-shot",
        "target": "gateway" if through_gateway else "orchestrator",
        "url": gateway_url if through_gateway else orchestrator_url,
        # A gateway knows an orchestrator by its announced address, which is never one of loopback.
        "include": [orchestrator_url] if through_gateway and not is_loopback(orchestrator_url) else [],
    }


def is_loopback(url):
    return bool(LOOPBACK.fullmatch(urllib.parse.urlsplit(url).hostname or ""))


def request_of(check):
    return {key: check[key] for key in ("path", "body", "stream", "expect", "timeout")}


def start_of(service):
    check = service["checks"][0]
    return {
        **{key: service[key] for key in ("name", "route", "container", "health_url", "healthy_status", "token")},
        "url": service["base_url"],
        "path": check["path"],
        "body": check["body"],
        "status": check["expect"].get("status") or 200,
        "request_timeout": check["timeout"],
        "timeout": service["start_timeout"],
    }


def unknown(check, service, obstacle):
    sentence, remedy = obstacle
    return make_check(check, f"{service['route']} {service['name']}", UNKNOWN, sentence, remedy=remedy)
