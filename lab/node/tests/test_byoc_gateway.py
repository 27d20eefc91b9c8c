# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BYOC at the gateway against facts 4.4 and 4.6: who is found, who is tried, and the answers that lie."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from livepeer_node import byoc_gateway, web
from node_helpers.network import Site, account, fetch, url_of
from node_helpers.process import eventually, free_port

CHAIN = ("-network=arbitrum-one-mainnet",)
SSE = {"Content-Type": "text/event-stream"}


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def dropped():
    return pytest.raises((ConnectionError, http.client.HTTPException))


def orchestrator(site, service=None, capability="echo", **declaration):
    """One on-chain that offers a capability."""
    node = site.orchestrator(None, eth=account(), arguments=CHAIN)
    offer(node, service, capability, **declaration)
    return node


def offer(node, service, capability="echo", **declaration):
    values = {"name": capability, "url": service.url if service else "http://127.0.0.1:9", "capacity": 1}
    body = json.dumps({**values, **declaration})
    assert fetch(f"{node.service_uri}/capability/register", "POST", body)[0] == 200


def gateway(site, *orchestrators):
    return site.gateway(*orchestrators, eth=account(), arguments=CHAIN)


def header(**values):
    job = {"request": "{}", "parameters": "{}", "capability": "echo", "timeout_seconds": 10, **values}
    return {"Livepeer": base64.b64encode(json.dumps(job).encode()).decode(), "Content-Type": "application/json"}


def send(node, path="v1/infer", body=b"{}", **values):
    return web.call("POST", url_of(node, f"/process/request/{path}"), body, header(**values), timeout=20)


def answer(node, **values):
    reply = send(node, **values)
    return reply.status, reply.read()


# --- what goes through -------------------------------------------------------------------------------------------
def test_a_job_goes_through_and_says_who_did_it(site):
    service = site.service(web.Response(200, b'{"a": 1}', {"Content-Type": "application/json", "X-Metadata": "m"}))
    offering = orchestrator(site, service)
    reply = send(gateway(site, offering), "v1/a%20b?q=1")
    assert (reply.status, reply.read()) == (200, b'{"a": 1}')
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.headers["X-Orchestrator-Url"] == offering.service_uri
    assert reply.headers["X-Metadata"] == "m"
    assert reply.headers["Livepeer-Balance"] == "0"
    assert service.last.target == "/v1/a%20b"


def test_fifty_jobs_at_once(site):
    offering = orchestrator(site, site.service(lambda request: web.Response(200, request.body)), capacity=1000)
    through = gateway(site, offering)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: answer(through, body=b"%d" % number), range(50)))
    # A busy machine may take longer than a second for a token, which is a true answer of a gateway.
    assert all(found in ((200, b"%d" % number), NOBODY) for number, found in enumerate(answers))
    assert sum(status == 200 for status, _body in answers) > 10


def test_events_come_as_they_are_made_and_end_at_done(site):
    go_on = threading.Event()

    def events():
        yield b"data: one\n\n"
        go_on.wait(20)
        yield b"data: [DONE]\n\n"

    offering = orchestrator(site, site.service(lambda _request: web.Response(200, events(), SSE)))
    reply = send(gateway(site, offering), "v1/infer/stream")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/event-stream"
    assert reply.headers["X-Orchestrator-Url"] == offering.service_uri
    found = reply.lines()
    assert next(found) == "data: one"
    go_on.set()
    assert list(found) == ["", 'data: {"balance": 0.000}', "", "", "data: [DONE]"]
    eventually(lambda: offering.orchestrator.byoc.registry.free("echo") == 1, what="the place of a finished stream")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "text/plain; charset=utf-8"),
        (b"{}", "text/plain; charset=utf-8"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"RIFF....WAVEfmt ", "audio/wave"),
        (b"<html><p>", "text/html; charset=utf-8"),
        (b"\x00\x01\x02", "application/octet-stream"),
    ],
)
def test_the_type_of_an_answer_is_guessed(body, kind):
    assert byoc_gateway.sniffed(body) == kind


# --- what is refused ---------------------------------------------------------------------------------------------
NOBODY = (400, b"No orchestrators found for capability echo\n")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"timeout_seconds": 0}, "Unable to parse job request, err=no timeout_seconds set with request, timeout"),
        ({"timeout_seconds": "9"}, "Unable to parse job request, err=json: cannot unmarshal string into Go struct"),
        ({"request": ""}, "Unable to unmarshal job request err=unexpected end of JSON input\n"),
        ({"parameters": ""}, "Unable to unmarshal job parameters err=unexpected end of JSON input\n"),
        (
            {"parameters": '{"orchestrators": []}'},
            "Unable to unmarshal job parameters err=json: cannot unmarshal array",
        ),
    ],
)
def test_what_a_job_needs(site, values, text):
    status, body = answer(gateway(site), **values)
    assert (status, body.decode().startswith(text)) == (400, True), body


def test_other_methods_and_headers_that_are_none(site):
    node = gateway(site)
    assert fetch(url_of(node, "/process/request/x"))[::2] == (405, b"Method not allowed\n")
    text = b"Unable to parse job request, err=ErrorSegEncoding\n"
    assert fetch(url_of(node, "/process/request/x"), "POST", b"", {"Livepeer": "%"})[::2] == (400, text)


def test_without_ingest_there_is_no_byoc(site):
    node = site.gateway("https://127.0.0.1:9", http_ingest=False)
    assert answer(node) == (404, b"404 page not found\n")


def test_nobody_is_found(site):
    full, priced = orchestrator(site, capacity=0), orchestrator(site, price_per_unit=5)
    assert answer(gateway(site, full, priced, f"https://127.0.0.1:{free_port()}")) == NOBODY
    assert answer(gateway(site)) == NOBODY


def test_offchain_byoc_through_a_gateway_is_impossible(site, dropped):
    offering = site.orchestrator(None)
    offer(offering, site.service())
    assert answer(site.gateway(offering)) == NOBODY
    with dropped:
        answer(site.gateway())


def test_an_onchain_gateway_drops_the_answer_of_an_offchain_orchestrator(site, dropped):
    service, offering = site.service(), site.orchestrator(None)
    offer(offering, service)
    with dropped:
        answer(gateway(site, offering))
    assert len(service.requests) == 1


def test_orchestrators_are_included_and_excluded_by_their_exact_urls(site):
    one, two = site.service(web.text("one")), site.service(web.text("two"))
    first, second = orchestrator(site, one), orchestrator(site, two)
    node = gateway(site, first, second)

    def chosen(**wanted):
        return answer(node, parameters=json.dumps({"orchestrators": wanted}))

    assert chosen(include=[second.service_uri]) == (200, b"two")
    assert chosen(exclude=[second.service_uri]) == (200, b"one")
    assert chosen(include=[f"{second.service_uri}/"]) == NOBODY
    assert chosen(include=[first.service_uri], exclude=[first.service_uri]) == NOBODY


# --- what fails --------------------------------------------------------------------------------------------------
def test_the_next_one_is_tried_and_when_all_fail_the_answer_is_an_empty_success(site):
    broken, sound = site.service(web.text("no", 500)), site.service(web.text("yes"))
    bad, good = orchestrator(site, broken, capacity=50), orchestrator(site, sound, capacity=50)
    both = gateway(site, bad, good)
    assert {answer(both) for _ in range(6)} == {(200, b"yes")}
    reply = send(gateway(site, bad))
    assert (reply.status, reply.read()) == (200, b"")
    assert "X-Orchestrator-Url" not in reply.headers


def test_a_service_that_refuses_ends_the_search(site):
    node = gateway(site, orchestrator(site, site.service(web.as_json({"detail": "no"}, 422))))
    assert answer(node) == (422, b'{"detail": "no"}\n\n')


def test_a_service_that_is_gone_is_an_empty_success_and_then_nobodys(site):
    offering = orchestrator(site)
    node = gateway(site, offering)
    assert answer(node) == (200, b"")
    assert answer(node) == NOBODY
