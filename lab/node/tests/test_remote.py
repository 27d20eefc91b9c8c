# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote AI workers at an orchestrator that has none of its own: joining, jobs, and what stays when they leave."""

from __future__ import annotations

import contextlib
import json

import pytest
from livepeer_node import remote, web
from livepeer_node.node import Node
from node_helpers.network import (
    MODEL,
    LendingWorker,
    Site,
    data_url,
    fetch,
    picture,
    png,
    post_form,
    post_json,
    settings,
)
from node_helpers.process import eventually

T2I, UPSCALE = ("text-to-image", MODEL), ("upscale", MODEL)
SECRET = "sesame"


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def node(site):
    return site.orchestrator(None, orch_secret=SECRET)


def credentials(node):
    return {"Livepeer-Segment": node.orchestrator.info({})["auth_token"]}


def t2i(node):
    return post_json(f"{node.service_uri}/text-to-image", {"prompt": "x", "model_id": MODEL}, **credentials(node))


def offered(node):
    constraints = node.orchestrator.info({})["capabilities"].get("constraints", {}).get("PerCapability", {})
    return {(number, name): state for number, each in constraints.items() for name, state in each["models"].items()}


def join(site, node, runner, *models, secret=SECRET, capacity=1):
    """A worker in a thread, registered until the orchestrator is gone."""
    worker = LendingWorker(runner, dict.fromkeys(models, True), capacity=capacity)
    made = Node(settings(), "aiworker", site._folder, orch_secret=secret, orch_addrs=[node.service_uri], worker=worker)
    remote.Client(made).start()
    return worker


def registration(node, *models, secret=SECRET, capacity=1):
    """A worker that registers and answers nothing; close() makes it leave."""
    told = [{"pipeline": p, "model_id": m, "warm": True, "capacity": capacity} for p, m in models]
    body = json.dumps({"secret": secret, "models": told, "hardware": [{"pipeline": p} for p, _m in models]})
    return web.call("POST", node.service_uri + remote.REGISTER_PATH, body.encode(), timeout=5)


@contextlib.contextmanager
def registered(node, *models, **options):
    reply = registration(node, *models, **options)
    assert reply.status == 200
    try:
        yield reply
    finally:
        reply._raw.close()
        reply._connection.close()


def test_the_models_of_all_workers_are_offered_together(node):
    with registered(node, T2I, capacity=2), registered(node, T2I, UPSCALE):
        assert offered(node) == {
            ("27", MODEL): {"warm": True, "capacity": 3},
            ("30", MODEL): {"warm": True, "capacity": 1},
        }
        assert [each["pipeline"] for each in node.orchestrator.info({})["hardware"]] == [T2I[0], T2I[0], UPSCALE[0]]
    eventually(lambda: offered(node) == {})


def test_a_wrong_secret_is_refused(node):
    reply = registration(node, T2I, secret="other")
    assert (reply.status, reply.read()) == (403, b"invalid secret\n")
    assert offered(node) == {}


def test_an_orchestrator_with_a_worker_of_its_own_takes_no_others(site):
    combined = site.orchestrator(site.runner(), UPSCALE, orch_secret=SECRET)
    assert registration(combined, T2I).status == 404


def test_a_job_is_done_by_the_remote_workers_runner(site, node):
    runner = site.runner()
    join(site, node, runner, T2I)
    eventually(lambda: offered(node))
    status, _kind, body = t2i(node)
    assert status == 200, body
    url = json.loads(body)["images"][0]["url"]
    assert url.startswith(node.service_uri) and fetch(url)[2]
    assert json.loads(runner.last.body)["prompt"] == "x"


def test_a_file_travels_with_its_job(site, node):
    runner = site.runner({"images": [{"url": data_url("image/png", png(16, 12)), "seed": 1, "nsfw": False}]})
    join(site, node, runner, UPSCALE)
    eventually(lambda: offered(node))
    form = {"image": picture(), "prompt": "x", "model_id": MODEL}
    assert post_form(f"{node.service_uri}/upscale", form, **credentials(node))[0] == 200
    assert png() in runner.last.body


def test_an_error_of_the_runner_comes_back_as_its_text(site, node):
    join(site, node, site.runner(web.as_json({"detail": {"msg": "too large"}}, 400)), T2I)
    eventually(lambda: offered(node))
    assert t2i(node)[::2] == (500, b"text-to-image container returned 400: too large\n")


def test_nobody_has_room(node):
    assert t2i(node)[::2] == (503, b"insufficient capacity\n")
    with registered(node, UPSCALE):
        assert t2i(node)[::2] == (503, b"insufficient capacity\n")


def test_a_dead_worker_is_noticed_by_the_first_job_only(node):
    with registered(node, T2I):
        pass
    eventually(lambda: offered(node) == {})
    assert t2i(node)[::2] == (500, b"no workers available\n")
    assert t2i(node)[::2] == (503, b"insufficient capacity\n")


def test_every_job_adds_to_the_offer(site, node):
    """Upstream's fault: the end of a job gives back what its beginning never took."""
    join(site, node, site.runner(), T2I)
    eventually(lambda: offered(node))
    for _job in range(2):
        assert t2i(node)[0] == 200
    assert offered(node)["27", MODEL]["capacity"] == 3


def test_results_need_the_protocol_and_the_secret(node):
    url = node.service_uri + remote.RESULTS_PATH
    assert fetch(url, "POST", b"{}")[::2] == (401, b"Unauthorized\n")
    headers = {"Authorization": remote.PROTOCOL, "Credentials": "other"}
    assert fetch(url, "POST", b"{}", headers)[::2] == (401, b"invalid secret\n")
    assert fetch(url, "POST", b"{}", {**headers, "Credentials": SECRET})[0] == 400


def test_a_gateway_finds_a_model_of_a_remote_worker(site, node):
    join(site, node, site.runner(), T2I)
    eventually(lambda: offered(node))
    gateway = site.gateway(node)
    url = f"http://127.0.0.1:{gateway.gateway.port}/text-to-image"
    assert post_json(url, {"prompt": "x", "model_id": MODEL})[0] == 200
