# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BYOC at the orchestrator against facts 4.1-4.3 and 4.6: what it takes, forwards, forgets and leaks."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from livepeer_node import web
from node_helpers.network import Site, account, fetch
from node_helpers.process import eventually, free_port

SECRET = "s3cret"
SIGNATURE = "0x" + "1b" * 65
ZERO = "0x" + "0" * 40
SSE = {"Content-Type": "text/event-stream"}


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def dropped():
    return pytest.raises((ConnectionError, http.client.HTTPException))


def on_chain(site, *arguments):
    chain = ("-network=arbitrum-one-mainnet", *arguments)
    return site.orchestrator(None, orch_secret=SECRET, eth=account(), arguments=chain)


@pytest.fixture
def node(site):
    return site.orchestrator(None, orch_secret=SECRET)


def encoded(document):
    return base64.b64encode(json.dumps(document).encode()).decode()


def register(node, secret=SECRET, **declaration):
    values = {"name": "echo", "url": "http://127.0.0.1:9", "capacity": 1, **declaration}
    return fetch(f"{node.service_uri}/capability/register", "POST", json.dumps(values), {"Authorization": secret})


def unregister(node, body, secret=SECRET):
    return fetch(f"{node.service_uri}/capability/unregister", "POST", body, {"Authorization": secret})


def ask_token(node, name="echo", sig=""):
    headers = {"Livepeer-Eth-Address": encoded({"addr": ZERO, "sig": sig}), "Livepeer-Capability": name}
    return fetch(f"{node.service_uri}/process/token", headers=headers)


def token(node, name="echo", sig=""):
    status, _kind, body = ask_token(node, name, sig)
    assert status == 200, body
    return json.loads(body)


def available(node, name="echo"):
    return token(node, name).get("available_capacity", 0)


def job_header(**values):
    job = {"id": "1", "request": "{}", "parameters": "{}", "capability": "echo", "timeout_seconds": 10, "sender": ZERO}
    return encoded({**job, "sig": "", **values})


def job(node, path="v1/infer", body=b"{}", **values):
    headers = {"Livepeer": job_header(**values), "Content-Type": "application/json"}
    return fetch(f"{node.service_uri}/process/request/{path}", "POST", body, headers)


# --- registration ------------------------------------------------------------------------------------------------
def test_registering_needs_the_bare_secret_and_a_post(node):
    assert register(node) == (200, "application/json", b"ok")
    assert register(node, secret=f"Bearer {SECRET}")[::2] == (400, b"invalid authorization\n")
    assert register(node, secret="")[::2] == (400, b"invalid authorization\n")
    assert unregister(node, "echo", secret="")[::2] == (400, b"invalid authorization\n")
    for path in ("register", "unregister"):
        assert fetch(f"{node.service_uri}/capability/{path}")[::2] == (405, b"Method not allowed\n")


def test_without_a_secret_anybody_registers(site):
    node = site.orchestrator(None)
    assert fetch(f"{node.service_uri}/capability/register", "POST", b'{"name": "echo"}')[0] == 200


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "unexpected end of JSON input"),
        ("[]", "json: cannot unmarshal array into Go value of type core.ExternalCapability"),
        (
            '{"capacity": 1.5}',
            "json: cannot unmarshal number 1.5 into Go struct field ExternalCapability.capacity of type int",
        ),
        (
            '{"price_per_unit": "3"}',
            "json: cannot unmarshal string into Go struct field ExternalCapability.price_per_unit of type int64",
        ),
        ('{"name": 3}', "json: cannot unmarshal number into Go struct field ExternalCapability.name of type string"),
        ("{} x", "invalid character 'x' after top-level value"),
    ],
)
def test_a_declaration_of_wrong_types_is_refused(node, body, text):
    answer = fetch(f"{node.service_uri}/capability/register", "POST", body, {"Authorization": SECRET})
    assert answer == (400, "application/json", f"Error registering capability: {text}".encode())


def test_keys_in_any_case_null_and_unknown_keys_are_taken(node):
    body = '{"NAME": "echo", "Capacity": 3, "price_per_unit": null, "colour": "blue", "load": 1}'
    assert fetch(f"{node.service_uri}/capability/register", "POST", body, {"Authorization": SECRET})[0] == 200
    assert available(node) == 2


def test_a_currency_without_a_feed_drops_the_connection_and_registers_nothing(site, node, dropped):
    for currency in ("usd", "moon"):
        with dropped:
            register(node, currency=currency)
    assert available(node) == 0
    for currency in ("", "WEI", "eth"):
        assert register(node, currency=currency)[0] == 200
    chained = on_chain(site)
    assert register(chained, currency="usd")[0] == 200
    with dropped:
        register(chained, currency="moon")


def test_unregistering_takes_the_bare_name_and_says_ok_to_any(node):
    register(node)
    assert unregister(node, "echo\n") == (200, "application/json", b"ok")
    assert unregister(node, '"echo"')[0] == 200
    assert available(node) == 1
    assert unregister(node, "echo")[0] == 200
    assert available(node) == 0


def test_the_registry_does_not_outlive_the_process(site, node):
    register(node)
    assert available(site.orchestrator(None, orch_secret=SECRET)) == 0


# --- tokens ------------------------------------------------------------------------------------------------------
def test_a_token_shows_price_address_and_free_places(node):
    register(node, capacity=4, price_per_unit=5)
    assert token(node) == {
        "sender_address": {"addr": ZERO, "sig": ""},
        "price": {"pixelsPerUnit": 1},
        "service_addr": node.service_uri,
        "available_capacity": 4,
        "LastNonce": 0,
    }


def test_an_unknown_or_unlimited_capability_has_no_places(node):
    register(node, name="endless", capacity=0)
    for name in ("nobody", "endless", "echo,endless"):
        assert "available_capacity" not in token(node, name)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "Must have eth address and signature on address in Livepeer-Eth-Address header\n"),
        ({"Livepeer-Eth-Address": "%"}, "Invalid eth address header \n"),
        ({"Livepeer-Eth-Address": encoded([])}, "Invalid eth address header \n"),
        ({"Livepeer-Eth-Address": encoded({"addr": ZERO, "sig": "0x"})}, "Invalid eth address header \n"),
        (
            {"Livepeer-Eth-Address": encoded({"addr": ZERO, "sig": ""})},
            "Job capabilities not provided, must provide comma separated capabilities in Livepeer-Capability header\n",
        ),
    ],
)
def test_what_a_token_needs(node, headers, text):
    assert fetch(f"{node.service_uri}/process/token", headers=headers)[::2] == (400, text.encode())


def test_a_token_is_got(node):
    assert fetch(f"{node.service_uri}/process/token", "POST", b"")[::2] == (405, b"Method not allowed\n")


# --- jobs --------------------------------------------------------------------------------------------------------
def test_a_job_reaches_the_service_with_its_path_body_and_type_and_nothing_else(site, node):
    service = site.service(web.Response(201, b'{"a": 1}', {"Content-Type": "application/json", "X-Metadata": "m"}))
    register(node, url=f"{service.url}/base", token="t0ken")
    headers = {"Livepeer": job_header(), "Content-Type": "text/x-own", "X-Other": "no", "Cookie": "no"}
    reply = web.call("POST", f"{node.service_uri}/process/request/v1/a%20b?q=1", b"body", headers, timeout=10)
    assert (reply.status, reply.read()) == (200, b'{"a": 1}')
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["X-Metadata"] == "m"
    assert reply.headers["Livepeer-Balance"] == "0"
    seen = service.last
    assert (seen.method, seen.target, seen.body) == ("POST", "/base/v1/a%20b", b"body")
    assert seen.headers["Content-Type"] == "text/x-own"
    assert seen.headers["Authorization"] == "Bearer t0ken"
    assert not {"X-Other", "Cookie", "Livepeer"} & set(seen.headers)
    assert available(node) == 1


def test_checks_come_in_the_nodes_order(node):
    url = f"{node.service_uri}/process/request/x"
    assert fetch(url)[::2] == (405, b"Method not allowed\n")
    for header in ("", "%", encoded([])):
        assert fetch(url, "POST", b"", {"Livepeer": header})[::2] == (400, b"Could not verify job creds\n")
    no_timeout = b"no timeout_seconds set with request, timeout_seconds is required\n"
    assert job(node, timeout_seconds=0, sig="0x")[::2] == (400, no_timeout)
    for sig in ("0x", "abc", "zz"):
        assert job(node, sig=sig)[::2] == (400, b"Could not verify job creds\n")
    assert job(node, request="x")[::2] == (503, b"No capacity available for capability\n")


def test_a_request_that_is_no_object_is_refused_and_keeps_its_place(site, node):
    register(node, url=site.service().url, capacity=2)
    status, _kind, body = job(node, request="[]")
    assert status == 400
    assert body.startswith(b"Unable to unmarshal job request details err=json: cannot unmarshal array")
    assert available(node) == 1


@pytest.mark.parametrize("status", [400, 404, 422, 500, 503])
def test_the_services_error_is_passed_on_as_text_and_the_capability_stays(site, node, status):
    register(node, url=site.service(web.as_json({"detail": "no"}, status)).url)
    assert job(node) == (status, "text/plain; charset=utf-8", b'{"detail": "no"}\n')
    assert available(node) == 1


def test_a_401_of_the_service_removes_the_capability(site, node):
    register(node, url=site.service(web.text("no", 401)).url)
    text = b"job not able to be processed, removing capability err=worker auth token failed\n"
    assert job(node)[::2] == (500, text)
    assert available(node) == 0
    assert job(node)[0] == 503


def test_a_refused_connection_removes_the_capability(node):
    port = free_port()
    register(node, url=f"http://127.0.0.1:{port}")
    status, _kind, body = job(node)
    assert status == 500
    assert body.decode() == (
        f'job not able to be processed, removing capability err=Post "http://127.0.0.1:{port}/v1/infer": '
        f"dial tcp 127.0.0.1:{port}: connect: connection refused\n"
    )
    assert available(node) == 0


def hang_up(_request):
    raise web.Abort


def test_a_service_that_dies_over_a_job_is_removed_too(site, node):
    register(node, url=site.service(hang_up).url)
    status, _kind, body = job(node)
    assert (status, body.endswith(b": EOF\n")) == (500, True)
    assert available(node) == 0


@pytest.fixture
def slow(site):
    """A service that answers when it is told to."""
    go_on = threading.Event()

    def answer(_request):
        go_on.wait(20)
        return web.text("late")

    service = site.service(answer)
    service.go_on = go_on
    yield service
    go_on.set()


def test_a_job_out_of_time_keeps_its_place_until_the_next_registration(node, slow):
    register(node, url=slow.url, capacity=2)
    status, _kind, body = job(node, timeout_seconds=1)
    assert status == 500
    assert body.endswith(b'/v1/infer": context canceled\n')
    assert available(node) == 1
    register(node, url=slow.url, capacity=2)
    assert available(node) == 2


def test_a_client_that_leaves_keeps_the_place_taken_too(node, slow):
    register(node, url=slow.url, capacity=2)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = http.client.HTTPSConnection(node.service_uri.removeprefix("https://"), context=context)
    client.request("POST", "/process/request/x", b"", {"Livepeer": job_header()})
    eventually(lambda: slow.requests)
    client.close()
    slow.go_on.wait(0.5)
    assert available(node) == 1
    slow.go_on.set()
    assert job(node)[0] == 200
    assert available(node) == 1


def test_a_full_capability_takes_more_and_a_fresh_registration_counts_wrong(node, slow):
    register(node, url=slow.url, capacity=1)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(job, node) for _ in range(2)]
        eventually(lambda: len(slow.requests) == 2)
        assert available(node) == 0
        register(node, url=slow.url, capacity=1)
        slow.go_on.set()
        assert [done.result()[0] for done in jobs] == [200, 200]
    assert available(node) == 3


def test_fifty_jobs_at_once(site, node):
    service = site.service(lambda request: web.Response(200, request.body))
    register(node, url=service.url, capacity=50)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: job(node, body=b"%d" % number), range(50)))
    assert [(status, body) for status, _kind, body in answers] == [(200, b"%d" % number) for number in range(50)]
    assert available(node) == 50


# --- streams -----------------------------------------------------------------------------------------------------
def lines(node, **values):
    """The status, and the lines as they come."""
    headers = {"Livepeer": job_header(**values)}
    reply = web.call("POST", f"{node.service_uri}/process/request/v1/infer/stream", b"{}", headers, timeout=20)
    return reply, reply.lines()


def test_a_stream_comes_as_it_is_made_with_the_balance_before_its_end(site, node):
    go_on = threading.Event()

    def events():
        yield b"data: one\n\n"
        go_on.wait(20)
        yield b"data: [DONE]\n\n"

    register(node, url=site.service(lambda _request: web.Response(200, events(), SSE)).url)
    reply, found = lines(node)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/event-stream"
    assert reply.headers["Livepeer-Payment-Balance"] == "0"
    assert [next(found), next(found)] == ["data: one", ""]
    assert available(node) == 0
    go_on.set()
    assert [next(found) for _ in range(4)] == ['data: {"balance": 0.000}', "", "", "data: [DONE]"]
    # After the end come blank lines for as long as the job might have lasted.
    assert [next(found) for _ in range(20)] == [""] * 20
    found.close()
    eventually(lambda: available(node) == 1, what="the place of a client that left")


def test_a_stream_without_an_end_is_blank_until_the_time_is_over(site, node):
    register(node, url=site.service(lambda _request: web.Response(200, iter([b"data: one\n"]), SSE)).url)
    _reply, found = lines(node, timeout_seconds=1)
    first, *rest = found
    assert first == "data: one"
    assert len(rest) > 5
    assert set(rest) == {""}
    eventually(lambda: available(node) == 1)


def test_a_line_too_long_for_the_scanner_ends_the_stream(site, node):
    long = b"data: " + b"x" * 65536 + b"\ndata: [DONE]\n"
    register(node, url=site.service(lambda _request: web.Response(200, iter([b"data: one\n", long]), SSE)).url)
    _reply, found = lines(node, timeout_seconds=1)
    assert "".join(found) == "data: one"


# --- on-chain ----------------------------------------------------------------------------------------------------
def test_signatures_have_their_length_on_chain(site):
    node = on_chain(site)
    register(node, url=site.service().url)
    for sig in ("", "ab", "0x", SIGNATURE + "ab", "zz" * 65):
        assert ask_token(node, sig=sig)[::2] == (400, b"Invalid eth address header \n")
        assert job(node, sig=sig)[::2] == (400, b"Could not verify job creds\n")
    for sig in (SIGNATURE, SIGNATURE[2:]):
        assert token(node, sig=sig)["available_capacity"] == 1
        assert job(node, sig=sig)[0] == 200


def test_a_free_capability_needs_no_deposit(site):
    node = on_chain(site)
    register(node)
    found = token(node, sig=SIGNATURE)
    assert found["price"] == {"pixelsPerUnit": 1}
    assert base64.b64decode(found["ticket_params"]["recipient"]).hex() == "ab" * 20
    assert not {"face_value", "win_prob"} & set(found["ticket_params"])


def test_a_price_is_out_of_reach_without_a_deposit(site):
    node = on_chain(site)
    register(node, price_per_unit=5, capacity=2)
    assert ask_token(node, sig=SIGNATURE)[::2] == (503, b"Could not get price err=insufficient sender reserve\n")
    # The job has its place by then, and keeps it.
    assert job(node, sig=SIGNATURE)[::2] == (400, b"Could not get job price\n")
    assert node.orchestrator.byoc.registry.free("echo") == 1


def test_a_price_that_is_not_adjusted_needs_a_balance(site, dropped):
    node = on_chain(site, "-autoAdjustPrice=false")
    register(node, price_per_unit=5, price_scaling=2, capacity=2)
    status, _kind, body = ask_token(node, sig=SIGNATURE)
    assert (status, body) == (400, b"Could not get ticket params err=insufficient sender reserve\n")
    assert job(node, sig=SIGNATURE)[::2] == (400, b"Insufficient balance for request\n")
    assert node.orchestrator.byoc.registry.free("echo") == 2
    headers = {"Livepeer": job_header(sig=SIGNATURE), "Livepeer-Payment": "AAAA"}
    with dropped:
        fetch(f"{node.service_uri}/process/request/x", "POST", b"", headers)


def test_prices_are_shown_to_gateways_as_capability_37_in_whole_wei(site):
    node = on_chain(site)
    register(node, price_per_unit=7, price_scaling=2)
    register(node, name="cheap", price_per_unit=1, price_scaling=2)
    assert node.orchestrator.info({})["capabilities_prices"] == [
        {"pricePerUnit": 3, "pixelsPerUnit": 1, "capability": 37, "constraint": "echo"},
        {"pixelsPerUnit": 1, "capability": 37, "constraint": "cheap"},
    ]
    unregister(node, "echo")
    assert [item["constraint"] for item in node.orchestrator.info({})["capabilities_prices"]] == ["cheap"]
