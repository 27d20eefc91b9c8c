# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A live stream at the orchestrator's service port: who gets one, its trickle channels, what the runner is told."""

from __future__ import annotations

import json
import threading
import time

import pytest
from livepeer_node import capabilities, sessions, trickle, web
from node_helpers.network import Site, fetch, post_json

LIVE = ("live-video-to-video", "my-pipeline")
REQUEST = {"publish_url": "", "subscribe_url": "", "model_id": "my-pipeline"}


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def runner(site):
    return site.runner({"publish_url": "", "subscribe_url": ""})


@pytest.fixture
def node(site, runner):
    return site.orchestrator(runner, LIVE)


def credentials(node):
    return {"Livepeer-Segment": node.orchestrator.info({})["auth_token"]}


def start(node, request=None, **headers):
    return post_json(f"{node.service_uri}/live-video-to-video", request or REQUEST, **{**credentials(node), **headers})


def started(node, **request):
    status, _kind, body = start(node, {**REQUEST, **request})
    assert status == 200, body
    return json.loads(body)


def told(runner):
    return json.loads(runner.last.body)


# --- who gets a stream -------------------------------------------------------------------------------------------
def test_a_stream_has_four_channels_and_the_runner_reads_what_the_gateway_writes(node, runner):
    answer = started(node, params={"strength": 0.5}, gateway_request_id="g", stream_id="s")
    stream = answer["manifest_id"]
    base = f"{node.service_uri}/ai/trickle/{stream}"
    assert answer == {
        "publish_url": base,
        "subscribe_url": f"{base}-out",
        "control_url": f"{base}-control",
        "events_url": f"{base}-events",
        "manifest_id": stream,
    }
    assert (runner.last.method, runner.last.path) == ("POST", "/live-video-to-video")
    assert told(runner) == {
        "subscribe_url": base,
        "publish_url": f"{base}-out",
        "control_url": f"{base}-control",
        "events_url": f"{base}-events",
        "model_id": "my-pipeline",
        "gateway_request_id": "g",
        "manifest_id": stream,
        "stream_id": "s",
        "params": {"strength": 0.5},
    }


def test_the_runner_may_be_given_another_host_for_the_channels_and_https_stays(site, runner):
    node = site.orchestrator(runner, LIVE, arguments=("-liveAITrickleHostForRunner=172.17.0.1:8935",))
    answer = started(node)
    assert answer["publish_url"].startswith(node.service_uri)
    stream = answer["manifest_id"]
    assert told(runner)["subscribe_url"] == f"https://172.17.0.1:8935/ai/trickle/{stream}"
    assert told(runner)["events_url"] == f"https://172.17.0.1:8935/ai/trickle/{stream}-events"


def test_identities_may_come_as_headers(node, runner):
    start(node, streamID="s", requestID="g")
    assert (told(runner)["stream_id"], told(runner)["gateway_request_id"]) == ("s", "g")


def test_faults_are_told_in_the_real_order(site, node, runner):
    url = f"{node.service_uri}/live-video-to-video"
    assert fetch(url, "POST", b"")[::2] == (400, b"EOF\n")
    wrong = {**REQUEST, "params": "x"}
    assert b"LiveVideoToVideoParams.params of type map[string]interface {}" in post_json(url, wrong)[2]
    assert fetch(url)[::2] == (200, b"")
    # Capacity before credentials: nobody needs any to learn that the node is full.
    assert post_json(url, {**REQUEST, "model_id": "other"})[::2] == (503, b"insufficient capacity\n")
    assert post_json(url, REQUEST)[::2] == (403, b"missing auth token\n")
    with pytest.raises(web.ProtocolError):
        post_json(url, {"publish_url": ""})
    assert runner.requests == []
    alone = site.orchestrator(None)
    assert start(alone)[::2] == (503, b"insufficient capacity\n")


def test_one_container_serves_one_stream(node):
    started(node)
    assert start(node)[0] == 503


def test_a_refusal_of_the_runner_closes_the_channels(node, runner):
    runner.answer = web.as_json({"detail": {"msg": "no such parameter"}}, 400)
    status, _kind, body = start(node)
    assert (status, body) == (500, b"live-video-to-video container returned 400: no such parameter\n")
    channel = told(runner)["subscribe_url"]
    assert fetch(f"{channel}/next")[0] == 404


def test_an_answer_that_is_no_json_drops_the_connection(node, runner):
    runner.answer = web.text("started")
    with pytest.raises(web.ProtocolError):
        start(node)


# --- what gateways see -------------------------------------------------------------------------------------------
def test_a_live_model_is_reported_with_idle_and_busy_containers():
    pool = {LIVE: {"warm": True, "capacity": 1, "in_use": 2, "runner_version": "0.14.1"}}
    described = capabilities.describe("0.9.1", pool)
    assert described["constraints"]["PerCapability"]["35"]["models"] == {
        "my-pipeline": {"warm": True, "capacity": 1, "runnerVersion": "0.14.1", "capacityInUse": 2}
    }
    assert described["bitstring"][0] >> 35 & 1


def test_a_batch_model_does_not_say_how_much_of_it_is_busy():
    pool = {("upscale", "a/b"): {"warm": True, "capacity": 1, "in_use": 2, "runner_version": ""}}
    described = capabilities.describe("0.9.1", pool)
    assert described["constraints"]["PerCapability"]["30"]["models"] == {"a/b": {"warm": True, "capacity": 1}}


def test_a_full_node_does_not_answer_who_asks_for_the_live_model(node):
    assert sessions.ask(node.service_uri, capability=35, model_id="my-pipeline")["orch_uri"] == node.service_uri
    started(node)
    with pytest.raises(OSError, match="status 500"):
        sessions.ask(node.service_uri, capability=35, model_id="my-pipeline")
    assert sessions.ask(node.service_uri)["orch_uri"] == node.service_uri


# --- channels ----------------------------------------------------------------------------------------------------
@pytest.fixture
def channels(node):
    return started(node)


def headers_of(url, method="GET", body=None):
    reply = web.call(method, url, body, timeout=10)
    return reply.status, dict(reply.headers), reply.read()


def test_a_segment_goes_in_and_comes_out(channels):
    url = channels["publish_url"]
    status, headers, _body = headers_of(f"{url}/0", "POST", b"one")
    assert (status, headers["Lp-Trickle-Seq"]) == (200, "0")
    status, headers, body = headers_of(f"{url}/0")
    assert (status, body, headers["Content-Type"], headers["Lp-Trickle-Seq"]) == (200, b"one", "video/MP2T", "0")
    assert fetch(f"{url}/next")[2] == b"1"
    assert fetch(f"{url}/-2")[2] == b"one"


def test_a_subscriber_waits_for_the_next_segment(channels):
    got = []
    waiting = threading.Thread(target=lambda: got.append(fetch(f"{channels['subscribe_url']}/-1")))
    waiting.start()
    time.sleep(0.3)
    assert got == []
    fetch(f"{channels['subscribe_url']}/-1", "POST", b"frame")
    waiting.join(5)
    assert got == [(200, "video/MP2T", b"frame")]


def test_a_segment_that_is_far_ahead_or_gone_is_470(channels):
    url = channels["publish_url"]
    assert headers_of(f"{url}/7")[0] == trickle.NO_SEGMENT
    for number in range(trickle.KEPT_SEGMENTS + 1):
        fetch(f"{url}/{number}", "POST", b"x")
    status, headers, body = headers_of(f"{url}/0")
    assert (status, headers["Lp-Trickle-Latest"], body) == (470, "6", b"Entry not found")


def test_all_channels_end_with_the_one_that_goes_in(channels):
    got = []
    waiting = threading.Thread(target=lambda: got.append(headers_of(f"{channels['subscribe_url']}/0")))
    waiting.start()
    time.sleep(0.3)
    assert fetch(channels["publish_url"], "DELETE")[0] == 200
    waiting.join(5)
    assert got[0][1]["Lp-Trickle-Closed"] == "terminated"
    assert fetch(f"{channels['events_url']}/0")[0] == 404
    assert fetch(channels["publish_url"], "DELETE")[::2] == (400, b"Invalid stream\n")


def test_a_channel_that_nobody_writes_to_is_closed_after_five_minutes(channels, monkeypatch):
    assert trickle.IDLE_SECONDS == 300
    monkeypatch.setattr(trickle, "IDLE_SECONDS", 0)
    time.sleep(0.01)
    assert fetch(f"{channels['publish_url']}/next")[0] == 404


@pytest.mark.parametrize(("path", "status"), [("nothing", 404), ("nothing/0", 404), ("nothing/next", 404)])
def test_a_channel_cannot_be_made_from_outside(node, path, status):
    assert fetch(f"{node.service_uri}/ai/trickle/{path}", "POST", b"x")[0] == status


def test_a_bad_segment_number_is_refused(channels):
    assert fetch(f"{channels['publish_url']}/first")[::2] == (400, b"Invalid idx\n")
