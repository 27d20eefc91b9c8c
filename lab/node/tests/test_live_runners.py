# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live runners against facts 7: the document, health, sessions, and what is passed on."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from livepeer_node import live_runners, web
from node_helpers.network import Site, account, fetch, post_json
from node_helpers.process import eventually, free_port

TEXT = "text/plain; charset=utf-8"


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.stop()


def entry(service=None, **values):
    url = service if isinstance(service, str) else service.url if service else "http://127.0.0.1:9"
    known = {"label": "echo", "routing": "label", "runner_url": url, "health_url": "/health", "app": "text/echo"}
    return {**known, "mode": "single-shot", **values}


def discovered(node):
    status, kind, body = fetch(f"{node.service_uri}/discovery")
    assert (status, kind) == (200, "application/json")
    (found,) = json.loads(body)
    assert found["address"] == node.service_uri
    return found.get("runners")


def ask(node, path="v1/infer", method="POST", body=b"{}", label="echo", headers=None):
    return fetch(f"{node.service_uri}/apps/{label}/app/{path}", method, body, headers)


# --- the document ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("document", ['{"runners": []}', "{}", "null", '{"runners": null}'])
def test_a_document_without_runners_is_taken(document):
    assert live_runners.entries_of(document, onchain=True) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"routing": "name"}, 'routing must be "runner-id" or "label"'),
        ({"label": ""}, "label is required and must be trimmed"),
        ({"label": " a"}, "label is required and must be trimmed"),
        ({"label": "a/b"}, 'label cannot contain / when routing is "label"'),
        ({"runner_url": "127.0.0.1:9"}, "invalid runner_url"),
        ({"runner_url": "ftp://a", "health_url": "http://a"}, "invalid runner_url"),
        ({"health_url": ""}, "health_url is required"),
        ({"health_url": "health"}, "invalid health_url"),
        ({"healthy_status_code": 600}, "healthy_status_code must be a valid HTTP status code"),
        ({"app": ""}, "app must be trimmed"),
        ({"app": "a "}, "app must be trimmed"),
        ({"metadata": "x" * 1025}, "metadata must be at most 1024 bytes"),
        ({"metadata": "\ufffd"}, "metadata must not contain Unicode replacement character U+FFFD"),
        ({"mode": "single"}, 'mode must be "persistent" or "single-shot"'),
        ({"capacity": -1}, "capacity must be >= 0"),
    ],
)
def test_a_bad_entry_refuses_the_whole_document(change, text):
    document = json.dumps({"runners": [entry(label="good"), entry(**change)]})
    with pytest.raises(live_runners.RunnerError) as caught:
        live_runners.entries_of(document, onchain=False)
    assert str(caught.value) == f"runners[1]: {text}"


def test_labels_are_unique():
    with pytest.raises(live_runners.RunnerError, match=r'runners\[1\]: duplicate label "echo"'):
        live_runners.entries_of(json.dumps({"runners": [entry(), entry()]}), onchain=False)


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (None, "price_info.price is required"),
        ({"price": 0}, "price_info.price must be a positive decimal"),
        ({"price": "0.5", "currency": "eth"}, "price_info.currency must be usd"),
        ({"price": 1, "unit": "second"}, "price_info.unit must be hour, 720p, or fixed"),
    ],
)
def test_a_price_is_required_on_chain_only(price, text):
    document = json.dumps({"runners": [entry(price_info=price)]})
    assert live_runners.entries_of(document, onchain=False)
    with pytest.raises(live_runners.RunnerError, match=text):
        live_runners.entries_of(document, onchain=True)


def test_defaults_are_filled_in():
    bare = {"label": "a", "runner_url": "http://h:1/", "health_url": "/ok", "app": "a", "gpu": 1, "mode": "single_shot"}
    (found,) = live_runners.entries_of(json.dumps({"runners": [bare]}), onchain=False)
    assert found["routing"] == "runner-id"
    assert found["health_url"] == "http://h:1/ok"
    assert found["healthy_status_code"] == 200
    assert found["mode"] == "single-shot"
    assert found["capacity"] == 1
    assert found["gpu"]["id"] == "1"


# --- registering over the CLI port -------------------------------------------------------------------------------
def test_runners_are_added_and_changed_by_label_and_never_removed(site):
    service, node = site.service(), site.orchestrator(None)
    site.live_runners(node)
    base = site.cli(node)

    def register(*entries):
        status, kind, body = post_json(f"{base}/registerLiveRunners", {"runners": entries})
        assert (status, kind) == (200, "application/json"), body
        return json.loads(body)["runners"]

    (first,) = register(entry(service))
    assert first == {
        "runner_id": first["runner_id"],
        "label": "echo",
        "app": "text/echo",
        "runner_url": service.url,
        "mode": "single-shot",
        "health_url": f"{service.url}/health",
        "healthy_status_code": 200,
        "healthy": True,
    }
    (again,) = register(entry(service, app="text/other", capacity=3))
    assert again["runner_id"] == first["runner_id"]
    assert [(runner["app"], runner["capacity"]) for runner in discovered(node)] == [("text/other", 3)]
    assert register() == []
    assert len(discovered(node)) == 1
    register(entry(service, routing="runner-id"))
    assert ask(node)[0] == 404
    assert ask(node, label=first["runner_id"])[0] == 200


def test_a_bad_document_is_400_and_changes_nothing(site):
    service, node = site.service(), site.orchestrator(None)
    site.live_runners(node)
    base = site.cli(node)
    document = {"runners": [entry(service), entry(service, label="")]}
    answer = post_json(f"{base}/registerLiveRunners", document)
    assert answer == (400, TEXT, b"runners[1]: label is required and must be trimmed\n")
    assert fetch(f"{base}/registerLiveRunners", "POST", b"")[::2] == (400, b"unexpected end of JSON input\n")
    assert discovered(node) is None


# --- discovery and health ----------------------------------------------------------------------------------------
def test_without_a_registry_every_route_says_so(site):
    node = site.orchestrator(None)
    for path, method in (("/discovery", "GET"), ("/apps/a/app/b", "POST"), ("/apps/a/session", "POST")):
        assert fetch(node.service_uri + path, method)[::2] == (404, b"live runners are not supported\n")
    assert fetch(f"{node.service_uri}/discovery", "POST", b"")[::2] == (405, b"Method Not Allowed\n")


def test_discovery_shows_the_orchestrators_addresses_only(site):
    service, node = site.service(), site.orchestrator(None)
    site.live_runners(
        node,
        entry(service, version="1", metadata="m", gpu={"id": "0", "name": "none"}, capacity=2),
        entry(service, label="many", mode="persistent"),
    )
    one, many = discovered(node)
    assert one == {
        "url": f"{node.service_uri}/apps/echo/app",
        "gpu": {"id": "0", "name": "none"},
        "app": "text/echo",
        "version": "1",
        "metadata": "m",
        "mode": "single-shot",
        "capacity": 2,
        "capacity_used": 0,
        "capacity_available": 2,
    }
    assert many["url"] == f"{node.service_uri}/apps/many/session"


def test_a_runner_is_hidden_while_it_is_ill_and_comes_back_by_itself(site):
    service, node = site.service(), site.orchestrator(None)
    site.live_runners(node, entry(service), entry(service, label="strange", healthy_status_code=503))
    assert [runner["url"].split("/")[4] for runner in discovered(node)] == ["echo"]
    service.health = 503
    eventually(lambda: [r["url"].split("/")[4] for r in discovered(node) or []] == ["strange"])
    assert ask(node)[::2] == (404, b"runner not found\n")
    service.health = 200
    eventually(lambda: ask(node)[0] == 200)


def test_a_runner_may_be_registered_before_it_is_up(site):
    node, port = site.orchestrator(None), free_port()
    site.live_runners(node, entry(f"http://127.0.0.1:{port}"))
    assert discovered(node) is None
    site.add(web.Server("127.0.0.1", port, lambda _request: web.text("")).start())
    eventually(lambda: discovered(node))


def test_a_health_check_that_hangs_is_a_failure(site):
    node, go_on = site.orchestrator(None), threading.Event()

    def hang(_request):
        go_on.wait(20)
        return web.text("")

    server = site.add(web.Server("127.0.0.1", 0, hang).start())
    site.live_runners(node, entry(f"http://127.0.0.1:{server.port}"), timeout=0.2)
    assert discovered(node) is None
    go_on.set()
    eventually(lambda: discovered(node))


# --- single-shot -------------------------------------------------------------------------------------------------
def test_everything_of_a_request_reaches_the_runner(site):
    answer = web.Response(201, b"{}", {"Content-Type": "application/json", "X-Own": "yes"})
    service, node = site.service(answer), site.orchestrator(None)
    site.live_runners(node, entry(f"{service.url}/base", health_url=f"{service.url}/health"))
    headers = {"X-Other": "yes", "Livepeer-Session-Id": "mine"}
    reply = web.call("PUT", f"{node.service_uri}/apps/echo/app/v1/a%20b?q=1&r=a%2Fb", b"body", headers, timeout=10)
    assert (reply.status, reply.read(), reply.headers["X-Own"]) == (201, b"{}", "yes")
    seen = service.last
    assert (seen.method, seen.target, seen.body) == ("PUT", "/base/v1/a%20b?q=1&r=a%2Fb", b"body")
    assert seen.headers["Host"] == f"127.0.0.1:{service.port}"
    assert seen.headers["X-Other"] == "yes"
    session = seen.headers["Livepeer-Session-Id"]
    assert session.startswith("session_")
    assert seen.headers["Livepeer-Runner-Route"] == "echo"
    assert len(seen.headers["Livepeer-Session-Token"]) == 52
    assert seen.headers["Livepeer-Session-Control"] == f"{node.service_uri}/runner/echo/session/{session}"


@pytest.mark.parametrize("status", [204, 400, 401, 500, 503])
def test_the_runners_status_is_passed_on_and_the_runner_stays(site, status):
    service, node = site.service(web.text("" if status == 204 else "no", status)), site.orchestrator(None)
    site.live_runners(node, entry(service))
    assert ask(node)[::2] == (status, b"" if status == 204 else b"no")
    assert discovered(node)[0]["capacity_available"] == 1


def test_an_answer_streams(site):
    go_on = threading.Event()

    def events():
        yield b"data: one\n\n"
        go_on.wait(20)
        yield b"data: [DONE]\n\n"

    headers = {"Content-Type": "text/event-stream"}
    service, node = site.service(lambda _request: web.Response(200, events(), headers)), site.orchestrator(None)
    site.live_runners(node, entry(service))
    reply = web.call("POST", f"{node.service_uri}/apps/echo/app/stream", b"{}", timeout=20)
    found = reply.lines()
    assert next(found) == "data: one"
    assert discovered(node)[0]["capacity_used"] == 1
    go_on.set()
    assert list(found) == ["", "data: [DONE]", ""]
    eventually(lambda: discovered(node)[0]["capacity_used"] == 0)


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


def test_capacity_is_enforced(site, slow):
    node = site.orchestrator(None)
    site.live_runners(node, entry(slow, capacity=2))
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(ask, node) for _ in range(2)]
        eventually(lambda: len(slow.requests) == 2)
        assert ask(node)[::2] == (503, b"no capacity available for runner\n")
        slow.go_on.set()
        assert [done.result()[0] for done in running] == [200, 200]
    eventually(lambda: discovered(node)[0]["capacity_available"] == 2)


def test_a_client_that_leaves_gives_its_place_back(site, slow):
    node = site.orchestrator(None)
    site.live_runners(node, entry(slow))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = http.client.HTTPSConnection(node.service_uri.removeprefix("https://"), context=context)
    client.request("POST", "/apps/echo/app/x", b"")
    eventually(lambda: slow.requests)
    client.close()
    eventually(lambda: discovered(node)[0]["capacity_available"] == 1)


def test_fifty_requests_at_once(site):
    service, node = site.service(lambda request: web.Response(200, request.body)), site.orchestrator(None)
    site.live_runners(node, entry(service, capacity=50), interval=60)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: ask(node, body=b"%d" % number)[::2], range(50)))
    assert answers == [(200, b"%d" % number) for number in range(50)]


def test_a_runner_that_is_gone_is_502_until_its_health_is_looked_at(site):
    service, node = site.service(), site.orchestrator(None)
    site.live_runners(node, entry(service), interval=60)
    service.stop()
    text = f"dial tcp 127.0.0.1:{service.port}: connect: connection refused\n"
    assert ask(node)[::2] == (502, text.encode())
    assert discovered(node)[0]["capacity_available"] == 1
    site.add(web.Server("127.0.0.1", service.port, lambda _request: web.text("")).start())


def test_unknown_runners_and_wrong_modes(site):
    service, node = site.service(), site.orchestrator(None)
    site.live_runners(node, entry(service), entry(service, label="many", mode="persistent"))
    assert ask(node, label="nobody")[::2] == (404, b"runner not found\n")
    assert ask(node, label="many")[::2] == (400, b"runner is not single-shot\n")
    answer = fetch(f"{node.service_uri}/apps/echo/session", "POST", b"")
    assert answer[::2] == (400, b"only persistent runners have sessions\n")
    assert fetch(f"{node.service_uri}/apps/many/session")[::2] == (405, b"Method Not Allowed\n")


# --- sessions ----------------------------------------------------------------------------------------------------
@pytest.fixture
def persistent(site):
    service, node = site.service(), site.orchestrator(None)
    node.service, node.registry = service, site.live_runners(node, entry(service, mode="persistent"))
    return node


def opened(node):
    status, _kind, body = fetch(f"{node.service_uri}/apps/echo/session", "POST", b"")
    assert status == 200, body
    return json.loads(body)


def test_a_session_is_opened_used_and_stopped(persistent):
    session = opened(persistent)
    base = f"{persistent.service_uri}/apps/echo/session/{session['session_id']}"
    assert (session["app_url"], session["control_url"]) == (f"{base}/app", base)
    assert fetch(f"{session['app_url']}/v1/infer?q=1", "POST", b"{}")[0] == 200
    assert persistent.service.last.target == "/v1/infer?q=1"
    assert persistent.service.last.headers["Livepeer-Session-Id"] == session["session_id"]
    full = fetch(f"{persistent.service_uri}/apps/echo/session", "POST", b"")
    assert full[::2] == (503, b"no capacity available for runner\n")
    assert fetch(f"{base}/stop", "POST", b"")[::2] == (204, b"")
    assert fetch(f"{session['app_url']}/x", "POST", b"")[::2] == (404, b"runner session not found\n")
    assert fetch(f"{base}/stop", "POST", b"")[0] == 204
    opened(persistent)


def test_illness_ends_sessions(persistent):
    session = opened(persistent)
    persistent.service.health = 503
    eventually(lambda: fetch(f"{session['app_url']}/x", "POST", b"")[::2] == (404, b"runner not found\n"))
    persistent.service.health = 200
    eventually(lambda: discovered(persistent))
    assert fetch(f"{session['app_url']}/x", "POST", b"")[::2] == (404, b"runner session not found\n")


def test_a_runner_stops_its_own_session_with_the_token_it_was_given(persistent):
    session = opened(persistent)
    fetch(f"{session['app_url']}/x", "POST", b"")
    seen = persistent.service.last.headers
    control = f"{seen['Livepeer-Session-Control']}/stop"
    assert fetch(control, "POST", b"", {"Livepeer-Session-Token": "x"})[::2] == (401, b"invalid authorization\n")
    assert fetch(control, "POST", b"", {"Livepeer-Session-Token": seen["Livepeer-Session-Token"]})[0] == 204
    assert discovered(persistent)[0]["capacity_available"] == 1


# --- on-chain ----------------------------------------------------------------------------------------------------
def test_on_chain_nothing_is_free(site):
    service = site.service()
    node = site.orchestrator(None, eth=account(), arguments=("-network=arbitrum-one-mainnet",))
    site.live_runners(
        node,
        entry(service, price_info={"price": "1.08", "unit": "hour"}),
        entry(service, label="tiny", price_info={"price": 0.000000000000000000001, "unit": "fixed"}),
        onchain=True,
    )
    paid, tiny = discovered(node)
    # 1.08 USD an hour are 0.0003 a second, a ten-millionth of an ETH at 3000 USD.
    assert paid["price_info"] == {"price": 10**11, "currency": "wei", "unit": "seconds"}
    assert "price_info" not in tiny
    status, kind, body = ask(node)
    assert (status, kind) == (402, "application/json")
    assert json.loads(body) == {"error": {"message": "invalid live runner payment signer address"}}
    payer = {"Livepeer-Payer-Address": "0x" + "ab" * 20}
    assert ask(node, headers=payer)[::2] == (500, b"insufficient sender reserve\n")
    status, _kind, body = ask(node, label="tiny")
    assert (status, body.startswith(b"live runner price unavailable")) == (503, True)
    assert service.requests == []


# --- runners that register themselves ----------------------------------------------------------------------------
def test_heartbeats_are_refused(site):
    node = site.orchestrator(None)
    site.live_runners(node)
    url = f"{node.service_uri}/runners/heartbeat"
    assert fetch(url, "POST", b"{}")[::2] == (404, b"dynamic live runner registration is disabled\n")
    node.orch_secret = "s3cret"
    assert fetch(url, "POST", b"{}")[::2] == (401, b"invalid registration authorization\n")
    status, _kind, body = fetch(url, "POST", b"{}", {"Authorization": "s3cret"})
    assert (status, body) == (501, b"this stand-in takes static live runners only\n")


# --- flags -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("https://h/run/{proxy}", None),
        ("https://{proxy}.h", None),
        ("https://h/run", "must contain exactly one {proxy} placeholder"),
        ("/run/{proxy}", "must be an absolute URL"),
        ("ftp://h/{proxy}", "scheme must be http or https"),
        ("https://h/?p={proxy}", "placeholder must be in the host or path"),
        ("https://h/{proxy}/x", "path placeholder must be the final path segment"),
    ],
)
def test_proxy_templates(template, text):
    if text is None:
        live_runners.check_proxy_template(template)
        return
    with pytest.raises(ValueError, match=text.replace("{", r"\{").replace("}", r"\}")):
        live_runners.check_proxy_template(template)
