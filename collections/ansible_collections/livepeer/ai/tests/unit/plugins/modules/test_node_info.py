# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both shapes of the network's capabilities, each way of not having them, and the declared against the advertised."""

from __future__ import annotations

import pytest

from ansible_collections.livepeer.ai.plugins.modules import node_info
from ansible_collections.livepeer.ai.tests.unit.liars import (
    STALL,
    free_port,
    reply,
    run_module,
    self_signed,
    serve,
)

PIPELINE, MODEL = "text-to-image", "SG161222/RealVisXL_V4.0_Lightning"
SERVICE = "https://Orch.Example:8935"
NORMAL = "https://orch.example:8935"
ADDRESS = "0xABCDEF0000000000000000000000000000000001"
ALL = ["status", "capabilities", "sessions"]


def capabilities(models=None, prices=None, **extra):
    orchestrator = {
        "address": ADDRESS,
        "local_address": ADDRESS,
        "orch_uri": SERVICE,
        "capabilities": {
            "capacities": {"27": 1},
            "version": "0.9.1",
            "constraints": {
                "PerCapability": {
                    "27": {"models": models or {MODEL: {"warm": True, "capacity": 1, "runnerVersion": "0.14.1"}}}
                }
            },
        },
        "price_info": {"pricePerUnit": 1, "pixelsPerUnit": 1},
        "capabilities_prices": [
            {"pricePerUnit": 4768371, "pixelsPerUnit": 1, "capability": 27, "constraint": MODEL},
            {"pricePerUnit": 5, "pixelsPerUnit": 1, "capability": 37, "constraint": "my-job"},
        ]
        if prices is None
        else prices,
        # The trap: hardware names a model here that is cold.
        "hardware": [{"pipeline": PIPELINE, "model_id": MODEL, "gpu_info": {}}],
    }
    orchestrator.update(extra)
    return reply(body={"capabilities_names": {"27": "Text to image"}, "orchestrators": [orchestrator]})


NOTHING = reply(500, 'network capabilities not available\n{"capabilities_names":{},"orchestrators":null}', "text/plain")
LEGACY = reply(
    body={
        "orchestrators": [
            {
                "address": ADDRESS,
                "pipelines": [
                    {
                        "type": "Text to image",
                        "models": [
                            {"name": MODEL, "status": {"Cold": 0, "Warm": 1}},
                            {"name": "org/cold", "status": {"Cold": 2, "Warm": 0}},
                        ],
                    }
                ],
            }
        ]
    }
)


def pools(warm=(SERVICE,), cold=(), key=f"27_{MODEL}"):
    def pool(urls):
        items = [{"url": url, "latency_score": 0.5, "in_flight": 0} for url in urls] or None
        return {"size": len(urls), "in_use": 0, "orchestrators": items}

    return reply(
        body={
            key: {
                "warm": pool(warm),
                "cold": pool(cold),
                "last_refresh": "2026-11-24T00:00:00Z",
                "suspended": {"list": {}, "current_count": 0},
            }
        }
    )


def gateway(**changes):
    routes = {
        "/status": reply(body={"Version": "0.9.1", "GOOS": "linux"}),
        "/IsOrchestrator": reply(body="false", content_type="text/plain"),
        "/EthChainID": reply(body="42161", content_type="text/plain"),
        "/getNetworkCapabilities": capabilities(),
        "/getAISessionPoolsInfo": reply(body={}),
    }
    routes.update({"/" + path: answer for path, answer in changes.items()})
    return serve(routes)


def offchain(**changes):
    return gateway(
        **{"EthChainID": reply(body="0", content_type="text/plain"), "getNetworkCapabilities": NOTHING, **changes}
    )


def expected(**changes):
    return [{"service_uri": SERVICE, "pipeline": PIPELINE, "model_id": MODEL, **changes}]


def run(**arguments):
    return run_module(node_info, **{"timeout": 1, **arguments})


def checks(result):
    return {one["check"]: one for one in result["checks"]}


def test_node_says_who_it_is():
    with gateway() as node:
        result = run(cli_url=node.url)
    assert result["node"]["version"] == "0.9.1"
    assert result["node"]["is_orchestrator"] is False
    assert (result["node"]["chain_id"], result["node"]["offchain"]) == ("42161", False)
    assert checks(result)["node_status"]["sentence"] == "The node answers, version 0.9.1."
    assert not result["changed"]


def test_node_that_is_down():
    result = run(cli_url=f"http://127.0.0.1:{free_port()}")
    assert result["failed"]
    assert "The node's CLI port gives no answer: the connection to 127.0.0.1:" in result["msg"]
    assert "journal" in result["msg"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(404, "404 page not found", "text/plain"), "/status gives status 404 (404 page not found)"),
        (reply(body="hello", content_type="text/html"), "/status is not JSON"),
        (reply(body=[]), "/status is not a JSON object"),
    ],
)
def test_not_a_node(answer, words):
    with gateway(status=answer) as node:
        result = run(cli_url=node.url)
    assert result["failed"]
    assert f"does not answer like a go-livepeer node: {words}" in result["msg"]


def test_service_address_with_its_own_certificate(tmp_path):
    with serve({"/healthz": reply(content_type="")}, self_signed(tmp_path / "cert.pem")) as node:
        result = run(service_url=node.url)
    assert checks(result)["service_address"]["status"] == "passed"


def test_service_address_that_is_another_server():
    with serve({}) as node:
        result = run(service_url=node.url)
    assert "answers 404 to /healthz" in result["msg"]


def test_service_address_that_is_down():
    result = run(service_url=f"https://127.0.0.1:{free_port()}", fail=False)
    assert result["verdict"] == "failed"
    assert "warm model is loaded" in checks(result)["service_address"]["remedy"]


def test_offers_in_one_shape():
    with gateway() as node:
        result = run(cli_url=node.url, gather=ALL)
    assert result["capabilities"]["known"]
    assert result["offers"] == [
        {
            "service_uri": NORMAL,
            "address": ADDRESS.lower(),
            "pipeline": PIPELINE,
            "model_id": MODEL,
            "warm": True,
            "capacity": 1,
            "capacity_in_use": 0,
            "price_per_unit": 4768371,
            "pixels_per_unit": 1,
            "runner_version": "0.14.1",
        },
        {
            "service_uri": NORMAL,
            "address": ADDRESS.lower(),
            "pipeline": "byoc",
            "model_id": "my-job",
            "warm": None,
            "capacity": None,
            "capacity_in_use": None,
            "price_per_unit": 5,
            "pixels_per_unit": 1,
            "runner_version": "",
        },
    ]


def test_what_is_left_out_is_zero():
    """protobuf's JSON leaves out what is zero: a cold model has no warm, a free one no pricePerUnit."""
    free = [{"pixelsPerUnit": 1, "capability": 27, "constraint": MODEL}]
    with gateway(getNetworkCapabilities=capabilities({MODEL: {"capacity": 1}}, free)) as node:
        offer = run(cli_url=node.url, gather=["capabilities"])["offers"][0]
    assert (offer["warm"], offer["price_per_unit"], offer["runner_version"]) == (False, 0, "")


def test_older_shape_behind_the_other_address():
    with serve({"/getOrchestratorAICapabilities": LEGACY}) as tool:
        result = run(capabilities_url=tool.url, gather=["capabilities"])
    assert result["capabilities"]["source"].endswith("/getOrchestratorAICapabilities")
    assert [(one["model_id"], one["warm"], one["capacity"]) for one in result["offers"]] == [
        (MODEL, True, 1),
        ("org/cold", False, 2),
    ]


def test_complete_address_and_token():
    with serve({"/ai/caps": capabilities()}) as tool:
        result = run(capabilities_url=tool.url + "/ai/caps", capabilities_token="sesame-open", gather=["capabilities"])
        assert tool.seen[0]["headers"]["Authorization"] == "Bearer sesame-open"
    assert len(result["offers"]) == 2
    assert "sesame-open" not in str(result)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NOTHING, "the gateway has collected no capabilities"),
        (
            reply(400, "Node must be gateway node to get network capabilities", "text/plain"),
            "the node is not a gateway",
        ),
        (reply(503, "busy", "text/plain"), "answers with status 503"),
        (reply(body="<html>", content_type="text/html"), "something else than capabilities"),
        (reply(body={"message": "moved"}), "no list of orchestrators"),
        (reply(body={"orchestrators": "many"}), "something else than capabilities"),
        (STALL, "no complete answer within 1 s"),
    ],
)
def test_an_outage_is_unknown(answer, reason):
    with gateway(getNetworkCapabilities=answer) as node:
        result = run(cli_url=node.url, gather=["capabilities"], expected=expected())
    assert not result["capabilities"]["known"]
    assert reason in result["capabilities"]["reason"]
    assert result["verdict"] == "unknown"
    assert "failed" not in result


def test_an_empty_network_is_known():
    with gateway(getNetworkCapabilities=reply(body={"capabilities_names": {}, "orchestrators": None})) as node:
        assert run(cli_url=node.url, gather=["capabilities"])["capabilities"]["known"]


def judged(result, check, status, words):
    found = checks(result)[check]
    assert found["status"] == status
    assert words in found["sentence"]
    assert bool(found["remedy"]) == (status != "passed")


def test_declared_is_advertised():
    declared = expected(warm=True, price_per_unit=4768371, pixels_per_unit=1, runner_version="0.14.1")
    with gateway() as node:
        result = run(cli_url=node.url, gather=ALL, expected=declared)
    judged(result, "capability", "passed", "The gateway lists the model, capacity 1.")
    judged(result, "capability_warm", "passed", "warm, as declared")
    judged(result, "capability_price", "passed", "the declared price, 4768371 wei per pixel")
    judged(result, "capability_version", "passed", "runner version 0.14.1, as declared")
    assert result["verdict"] == "passed"


@pytest.mark.parametrize(
    "price",
    [
        {"price_per_unit": "4.768371e6"},
        {"price_per_unit": 9536742, "pixels_per_unit": 2},
        {"price_per_unit": "0.000000000004768371", "currency": "eth"},
        # The node drops what is less than a wei.
        {"price_per_unit": 4768371.9},
    ],
)
def test_the_same_price_in_other_words(price):
    with gateway() as node:
        result = run(cli_url=node.url, gather=["capabilities"], expected=expected(**price))
    judged(result, "capability_price", "passed", "the declared price")


def test_declared_differs():
    declared = expected(warm=False, price_per_unit=5000000, runner_version="0.15.0")
    with gateway() as node:
        result = run(cli_url=node.url, gather=["capabilities"], expected=declared, fail=False)
    judged(result, "capability_warm", "failed", "has the model warm, declared is cold")
    judged(result, "capability_price", "failed", "4768371 wei per pixel, declared is 5000000")
    judged(result, "capability_version", "failed", "runner version 0.14.1, declared is 0.15.0")


def test_price_in_dollars_cannot_be_compared():
    with gateway() as node:
        result = run(cli_url=node.url, gather=["capabilities"], expected=expected(price_per_unit=0.1, currency="USD"))
    judged(result, "capability_price", "unknown", "declared in USD")


def test_model_is_not_listed():
    with gateway() as node:
        result = run(cli_url=node.url, gather=["capabilities"], expected=expected(model_id="org/other"), fail=False)
    judged(result, "capability", "failed", f"lists the orchestrator with byoc my-job, text-to-image {MODEL} only")


def test_orchestrator_is_not_listed():
    other = [{"service_uri": "https://other:8935", "pipeline": PIPELINE, "model_id": MODEL}]
    with gateway() as node:
        result = run(cli_url=node.url, gather=["capabilities"], expected=other)
    assert result["failed"]
    assert "does not list the orchestrator" in result["msg"]


def test_legacy_is_judged_by_address():
    with serve({"/getOrchestratorAICapabilities": LEGACY}) as tool:
        entry = [{"address": ADDRESS, "pipeline": PIPELINE, "model_id": MODEL, "warm": True, "price_per_unit": 1}]
        result = run(capabilities_url=tool.url, gather=["capabilities"], expected=entry)
    judged(result, "capability_warm", "passed", "The capabilities tool has the model warm")
    judged(result, "capability_price", "unknown", "gives no price")


def test_offchain_sessions_stand_in():
    declared = expected(service_uri="orch.example:8935", warm=True, price_per_unit=1, runner_version="1")
    with offchain(getAISessionPoolsInfo=pools()) as node:
        result = run(cli_url=node.url, gather=ALL, expected=declared)
    assert result["node"]["offchain"]
    assert result["sessions"][0]["service_uri"] == NORMAL
    judged(result, "capability", "passed", "holds a session with the orchestrator")
    judged(result, "capability_warm", "passed", "session pool has the model warm")
    judged(result, "capability_price", "unknown", "the network is offchain, where a gateway collects no capabilities")
    judged(result, "capability_version", "unknown", "offchain")
    assert result["verdict"] == "unknown"


def test_offchain_before_the_first_request():
    with offchain() as node:
        result = run(cli_url=node.url, gather=ALL, expected=expected())
    judged(result, "capability", "unknown", "has not looked for the model yet")


def test_a_live_pipeline_is_looked_for_by_streams_only():
    declared = [{"service_uri": NORMAL, "pipeline": "live-video-to-video", "model_id": "my-pipeline", "warm": True}]
    with offchain() as node:
        result = run(cli_url=node.url, gather=ALL, expected=declared)
    judged(result, "capability", "unknown", "has not looked for the model yet")
    assert "looks for a live pipeline only when a stream begins" in checks(result)["capability"]["remedy"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"capacity": 1}, "1 of its containers idle and 0 in use"),
        # Zeros are left out: it streams, or it still loads.
        ({"capacityInUse": 1}, "0 of its containers idle and 1 in use"),
        # An external runner is not counted.
        ({}, "0 of its containers idle and 0 in use"),
    ],
)
def test_a_live_pipeline_that_is_busy_is_offered_all_the_same(state, words):
    models = {"35": {"models": {"my-pipeline": {"warm": True, **state}}}}
    document = capabilities(capabilities={"constraints": {"PerCapability": models}})
    declared = [{"service_uri": NORMAL, "pipeline": "live-video-to-video", "model_id": "my-pipeline", "warm": True}]
    with gateway(getNetworkCapabilities=document) as node:
        result = run(cli_url=node.url, gather=ALL, expected=declared)
    judged(result, "capability", "passed", f"The gateway lists the model, {words}.")
    judged(result, "capability_warm", "passed", "has the model warm, as declared")


def test_offchain_with_somebody_else():
    with offchain(getAISessionPoolsInfo=pools(["https://other:8935"])) as node:
        result = run(cli_url=node.url, gather=ALL, expected=expected(), fail=False)
    judged(result, "capability", "failed", "holds https://other:8935, not the orchestrator")


def test_offchain_with_nobody():
    with offchain(getAISessionPoolsInfo=pools([])) as node:
        result = run(cli_url=node.url, gather=ALL, expected=expected(), fail=False)
    judged(result, "capability", "failed", "holds nobody")


def test_offchain_but_cold():
    with offchain(getAISessionPoolsInfo=pools([], [SERVICE])) as node:
        result = run(cli_url=node.url, gather=ALL, expected=expected(warm=True), fail=False)
    judged(result, "capability_warm", "failed", "has the model cold, declared is warm")


@pytest.mark.parametrize("answer", [reply(500, "no", "text/plain"), STALL, reply(body=[])])
def test_pools_that_do_not_answer(answer):
    with offchain(getAISessionPoolsInfo=answer) as node:
        result = run(cli_url=node.url, gather=ALL, expected=expected())
    assert checks(result)["capability"]["status"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Give cli_url, service_url or capabilities_url: there is nothing to ask."),
        (
            {"capabilities_url": "http://x", "gather": ["sessions"]},
            "gather has sessions, which only a gateway's CLI port knows: give cli_url.",
        ),
        (
            {"service_url": "http://x", "gather": ["capabilities"]},
            "gather has capabilities: give cli_url or capabilities_url to read them from.",
        ),
        (
            {"cli_url": "http://x", "expected": expected()},
            "expected is given, but gather has neither capabilities nor sessions to judge it by.",
        ),
        (
            {"cli_url": "http://x", "gather": ALL, "expected": expected(service_uri="")},
            "expected[0]: it needs service_uri or address, to know whose advertisement to read.",
        ),
        (
            {"cli_url": "http://x", "gather": ALL, "expected": expected(price_per_unit="cheap")},
            "expected[0]: price_per_unit is 'cheap'; it must be a number.",
        ),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    assert run(**arguments)["msg"] == message


def test_unknown_pipeline_is_named():
    result = run(cli_url="http://x", gather=ALL, expected=expected(pipeline="Text to image"))
    assert result["msg"].startswith("expected[0]: pipeline is 'Text to image'; it must be one of text-to-image, ")
