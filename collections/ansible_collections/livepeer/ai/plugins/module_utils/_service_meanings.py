# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each answer to a job for a service means, which the status code alone never tells. Private to the collection."""

from __future__ import annotations

import re

# The node's own words, behind a status: {who answers: ((status, pattern, name of the failure), ...)}. First match wins.
# What no row knows came from the service, for the node passes its refusals on.
_ORCHESTRATOR = (
    (400, r"Could not verify job creds", "bad_credentials"),
    (400, r"no timeout_seconds|Unable to unmarshal job", "bad_job"),
    (400, r"Insufficient balance|Could not get job price", "insufficient_balance"),
    (402, r"", "insufficient_balance"),
    (503, r"No capacity available for capability", "not_registered"),
    (500, r"worker auth token failed", "worker_unauthorized"),
    # Despite their words these two remove nothing: the time was over, or whoever asked has left.
    (500, r"removing capability err=(context deadline exceeded$|.*context canceled)", "worker_timeout"),
    (500, r"removing capability", "worker_unreachable"),
)
SAYINGS = {
    ("byoc", "orchestrator"): (
        (400, r"No orchestrators found|Unable to parse job request", "is_a_gateway"),
        *_ORCHESTRATOR,
    ),
    ("byoc", "gateway"): (
        (400, r"Unable to parse job request", "bad_job"),
        (400, r"No orchestrators found|Unable to find orchestrators", "no_orchestrators"),
        # A gateway passes the refusals of an orchestrator on.
        *_ORCHESTRATOR,
    ),
    ("live_runner", "orchestrator"): (
        (404, r"runner not found", "runner_not_found"),
        (404, r"live runners are not supported", "live_runners_off"),
        (503, r"no capacity available for runner", "no_capacity"),
        (502, r"", "worker_unreachable"),
        (402, r"", "payment_required"),
        (500, r"insufficient sender reserve", "payment_required"),
        (400, r"runner is not single-shot|only persistent runners have sessions", "wrong_mode"),
        (409, r"session already exists", "session_exists"),
    ),
}
# Refusals of the service itself, which a check may ask for.
OF_THE_WORKER = ("worker_busy", "worker_refused", "worker_error")


def name_of(api, target, status, said):
    """The name of the failure behind a status and the words with it."""
    for known, pattern, name in SAYINGS[api, target]:
        if status == known and re.search(pattern, said):
            return name
    if status == 503:
        return "worker_busy"
    if 400 <= status < 500:
        return "worker_refused"
    # A gateway never passes these on: it tries the next orchestrator instead.
    if status >= 500 and target == "orchestrator":
        return "worker_error"
    return f"http_{status}"


def _same(sentence, remedy, *targets):
    return {target: (sentence, remedy) for target in targets or ("gateway", "orchestrator")}


_CLOSED = "Read the journal of the node: a handler crashed, as it does for a job with a payment that it cannot make."
_WORKER = {
    "worker_refused": _same(
        "The service refused the request: {said}.",
        "Correct the body or the path; the node only passes this on.",
    ),
    "worker_error": _same("The service failed: {said}.", "Read the log of the service's container.", "orchestrator"),
    "worker_busy": _same(
        "The service takes no more work now (503): {said}.",
        "Ask again later, or raise its capacity. A service that is still loading answers so as well.",
        "orchestrator",
    ),
    "other_status": _same("{said}.", "Correct the service, or the status that is expected."),
    "bad_payload": {
        "gateway": (
            "What came back through the gateway is not what was expected: {said}.",
            "Ask the service itself to see whether it or the way to it is at fault.",
        ),
        "orchestrator": (
            "What came back is not what was expected: {said}.",
            "Ask the service itself, and correct it or what is expected of it.",
        ),
    },
    "stream_not_ended": _same(
        "The stream did not end: {said}.",
        "End each stream with the line data: [DONE], without which a node sends blank lines until the time is up.",
    ),
}

MEANINGS = {
    "byoc": {
        **_WORKER,
        "empty_200": {
            "gateway": (
                "The gateway answered 200 with an empty body, which is a failure: every orchestrator that offers the "
                "capability failed or answered 5xx.",
                "Read the orchestrators' journals for the capability: its service is down, too slow, or refuses the "
                "token, and may have lost its registration by that.",
            ),
            "orchestrator": (
                "The orchestrator answered 200 with an empty body: the service said nothing.",
                "Ask the service itself; an answer without a body proves nothing.",
            ),
        },
        "no_orchestrators": _same(
            "The gateway found no orchestrator for the capability ({said}).",
            "Check that the capability is registered and has free capacity, that the gateway is pinned to its "
            "orchestrator and has the reserve that it wants, and that both are on a chain: off chain a gateway's "
            "signature is never accepted.",
            "gateway",
        ),
        "offchain_gateway": _same(
            "The gateway is off chain, and go-livepeer's orchestrators refuse the empty signature that it sends with "
            "BYOC jobs ({said}).",
            "Send the job straight to the orchestrator (target: orchestrator), run the gateway on a chain, or make "
            "the service a live runner.",
            "gateway",
        ),
        "no_orchestrator_url": _same(
            "The answer does not say which orchestrator it is from (X-Orchestrator-Url).",
            "Check that the address is a gateway's, and that no proxy before it removes the header.",
            "gateway",
        ),
        "is_a_gateway": _same(
            "The address is a gateway's, not an orchestrator's ({said}).",
            "Give the orchestrator's service address, or set target to gateway.",
            "orchestrator",
        ),
        "bad_credentials": _same(
            "The orchestrator does not accept the sender of the job ({said}): it is on a chain, where jobs are signed.",
            "Send the job through a gateway, which signs and pays.",
        ),
        "bad_job": _same("The node cannot read the job: {said}.", "Correct timeout, request or parameters."),
        "insufficient_balance": _same(
            "The capability has a price and the sender too little balance for a minute of it ({said}).",
            "Fund the gateway's deposit and reserve, or lower the price; without a gateway nobody pays.",
        ),
        "not_registered": _same(
            "The orchestrator does not know the capability ({said}).",
            "Register it: a registration is lost with a restart, a failed connection or a 401 of the service. "
            "Where a registrar runs, read its journal.",
        ),
        "worker_unauthorized": _same(
            "The service refused the orchestrator's bearer token with 401, so the orchestrator removed the capability "
            "({said}).",
            "Register the capability with the token that the service wants.",
        ),
        "worker_timeout": _same(
            "The service did not answer in time ({said}); the orchestrator holds its slot until the capability is "
            "registered again.",
            "Allow more time or make the service faster, and register the capability again.",
        ),
        "worker_unreachable": _same(
            "The orchestrator could not reach the service, so it removed the capability ({said}).",
            "Start the service, check the URL it is registered with, and register it again.",
        ),
        "closed_without_reply": _same("The node gives no answer: {said}.", _CLOSED),
        "not_found_everywhere": _same(
            "The gateway answers 404 to BYOC jobs while /healthz is well: its HTTP ingest is off.",
            "Start the gateway with -httpIngest; it is off by itself when -httpAddr is not a loopback address.",
            "gateway",
        ),
        "not_a_node": {
            "gateway": (
                "The address answers 404, to /healthz as well: it is no gateway's HTTP port.",
                "Use the gateway's HTTP address; its CLI port is another.",
            ),
            "orchestrator": (
                "The address answers 404 to BYOC jobs: it is no orchestrator's service port.",
                "Use the orchestrator's service address; its CLI port is another.",
            ),
        },
    },
    "live_runner": {
        **_WORKER,
        "empty_200": _same(
            "The service answered 200 with an empty body.",
            "Ask the service itself; an answer without a body proves nothing.",
            "orchestrator",
        ),
        "live_runners_off": _same(
            "The orchestrator has no live runners ({said}).",
            "Start it with -liveRunnerConfig (orchestrator_live_runners), and check that this is its service address.",
            "orchestrator",
        ),
        "runner_not_found": _same(
            "The orchestrator has no healthy live runner of this label ({said}).",
            "Check the label, and the health of the service: a runner whose health check fails is hidden.",
            "orchestrator",
        ),
        "no_capacity": _same(
            "Every slot of the live runner is taken ({said}).",
            "Ask again later, stop sessions that nobody uses, or raise the capacity.",
            "orchestrator",
        ),
        "worker_unreachable": _same(
            "The orchestrator could not reach the live runner (502, {said}).",
            "Read the log of the service's container, and check the runner_url as the orchestrator sees it.",
            "orchestrator",
        ),
        "payment_required": _same(
            "The live runner wants to be paid, as each does on a chain ({said}).",
            "Use a client that pays for live runners; this module does not.",
            "orchestrator",
        ),
        "wrong_mode": _same(
            "The live runner is of the other mode: {said}.",
            "Set mode to what the runner is declared with; a persistent one is used in sessions only.",
            "orchestrator",
        ),
        "session_exists": _same(
            "The live runner refuses another session: {said}.", "Stop the session that exists.", "orchestrator"
        ),
        "session_not_stopped": _same(
            "The job was answered, but its session could not be stopped: {said}.",
            "Read the orchestrator's journal: the session holds a slot until the runner is unhealthy or the node "
            "restarts.",
            "orchestrator",
        ),
    },
}
