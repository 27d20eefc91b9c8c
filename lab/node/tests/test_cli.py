# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CLI port against facts 5.2 to 5.4 and 8."""

from __future__ import annotations

import http.client
import json
from fractions import Fraction
from types import SimpleNamespace

import pytest
from livepeer_node import capabilities, cli, crypto, web
from node_helpers.network import MODEL, Site, fetch, post_json, url_of
from node_helpers.process import eventually

T2I = ("text-to-image", MODEL)
ADDRESS = crypto.checksum_address(bytes(range(20)))


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.stop()


def get(base, path):
    return fetch(base + path)


def plain(base, path):
    status, _kind, body = get(base, path)
    return status, body.decode()


class Chain:
    """The account's endpoint, without network."""

    def number(self, method, *_parameters):
        return {"eth_blockNumber": 0x1234, "eth_getBalance": 5}[method]

    def view(self, _contract, signature, *_words):
        return [{"balanceOf(address)": 6, "currentRound()": 7}[signature].to_bytes(32, "big")]


def account():
    contracts = {"LivepeerToken": "0x1", "RoundsManager": "0x2"}
    return SimpleNamespace(address=ADDRESS, recipient=ADDRESS, chain_id=42161, rpc=Chain(), contracts=contracts)


# --- every node --------------------------------------------------------------------------------------------------
def test_status_has_the_real_keys_and_the_version(site):
    gateway = site.gateway("https://orch.lab:8935")
    status, kind, body = get(site.cli(gateway), "/status")
    document = json.loads(body)
    assert (status, kind) == (200, "application/json")
    assert list(document) == [
        "Manifests",
        "InternalManifests",
        "StreamInfo",
        "OrchestratorPool",
        "OrchestratorPoolInfos",
        "Version",
        "GolangRuntimeVersion",
        "GOArch",
        "GOOS",
        "RegisteredTranscodersNumber",
        "RegisteredTranscoders",
        "LocalTranscoding",
        "BroadcasterPrices",
    ]
    assert document["Version"] == "0.9.1"
    assert document["OrchestratorPool"] == ["https://orch.lab:8935"]
    assert document["OrchestratorPoolInfos"] == [{"Url": "https://orch.lab:8935", "Score": 1, "Latency": None}]
    orchestrator = json.loads(get(site.cli(site.orchestrator(None)), "/status")[2])
    assert (orchestrator["OrchestratorPool"], orchestrator["OrchestratorPoolInfos"]) == ([], None)


def test_is_orchestrator_and_chain_id_are_text(site):
    orchestrator, gateway = site.cli(site.orchestrator(None)), site.cli(site.gateway())
    assert plain(orchestrator, "/IsOrchestrator") == (200, "true")
    assert plain(gateway, "/IsOrchestrator") == (200, "false")
    assert plain(gateway, "/EthChainID") == (200, "0")
    assert plain(site.cli(site.gateway(eth=account())), "/EthChainID") == (200, "42161")


@pytest.mark.parametrize("path", ["/", "/healthz", "/getOrchestrators", "/metrics"])
def test_what_the_cli_port_does_not_have(site, path):
    assert plain(site.cli(site.gateway()), path) == (404, "404 page not found\n")


def test_a_taken_port_is_an_error(site):
    gateway = site.gateway()
    gateway.settings["cliAddr"] = site.cli(gateway).removeprefix("http://")
    with pytest.raises(OSError, match="in use"):
        cli.start(gateway)


def test_log_level_is_read_and_set(site):
    base = site.cli(site.gateway())
    assert plain(base, "/setLogLevel") == (400, "missing form param: loglevel\n")
    assert plain(base, "/setLogLevel?loglevel=loud") == (400, "parameter 'logLevel' not defined\n")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert fetch(f"{base}/setLogLevel", "POST", b"loglevel=6", form)[::2] == (200, b"")
    assert plain(base, "/getLogLevel") == (200, "6")
    fetch(f"{base}/setLogLevel", "POST", b"loglevel=3", form)


def test_live_runners_are_not_supported_without_a_registry(site):
    base = site.cli(site.orchestrator(None))
    assert plain(base, "/registerLiveRunners") == (405, "Method not allowed\n")
    assert post_json(f"{base}/registerLiveRunners", {})[::2] == (404, b"live runners are not supported\n")


# --- the network -------------------------------------------------------------------------------------------------
def test_network_capabilities_are_for_gateways(site):
    text = "Node must be gateway node to get network capabilities\n"
    assert plain(site.cli(site.orchestrator(None)), "/getNetworkCapabilities") == (400, text)


def test_offchain_network_capabilities_are_500_with_text_and_json_in_one_body(site):
    gateway = site.gateway(site.orchestrator(site.runner(), T2I))
    status, kind, body = get(site.cli(gateway), "/getNetworkCapabilities")
    line, rest = body.split(b"\n", 1)
    assert (status, kind, line) == (500, "text/plain; charset=utf-8", b"network capabilities not available")
    assert json.loads(rest)["orchestrators"] is None


def on_chain(*more):
    return ("-network=arbitrum-one-mainnet", *more)


def test_onchain_network_capabilities_show_models_warmth_and_prices(site):
    prices = {("default", 27, MODEL): Fraction(12)}
    orchestrator = site.orchestrator(site.runner(), T2I, eth=account(), prices=prices)
    free = site.orchestrator(site.runner(), T2I)
    gateway = site.gateway(orchestrator, free, eth=account(), arguments=on_chain())
    status, _kind, body = get(site.cli(gateway), "/getNetworkCapabilities")
    document = json.loads(body)
    assert status == 200
    assert document["capabilities_names"]["27"] == "Text to image"
    assert document["capabilities_names"]["37"] == "byoc"
    # The offchain orchestrator names no price and is skipped.
    (item,) = document["orchestrators"]
    assert set(item) == set(capabilities.NETWORK_KEYS)
    assert (item["orch_uri"], item["address"], item["local_address"]) == (orchestrator.service_uri, ADDRESS, ADDRESS)
    assert item["capabilities"]["constraints"]["PerCapability"]["27"]["models"][MODEL]["warm"] is True
    assert item["capabilities_prices"] == [
        {"pricePerUnit": 12, "pixelsPerUnit": 1, "capability": 27, "constraint": MODEL}
    ]
    assert item["hardware"] == [{"pipeline": "text-to-image", "model_id": MODEL}]


def test_network_capabilities_are_asked_again_after_the_report_interval_only(site):
    orchestrator = site.orchestrator(site.runner(), T2I, eth=account())
    slow = site.cli(site.gateway(orchestrator, eth=account(), arguments=on_chain()))
    quick = site.cli(site.gateway(orchestrator, eth=account(), arguments=on_chain("-liveAICapReportInterval=100ms")))

    def warm(base):
        item = json.loads(get(base, "/getNetworkCapabilities")[2])["orchestrators"][0]
        return item["capabilities"]["constraints"]["PerCapability"]["27"]["models"][MODEL].get("warm", False)

    assert warm(slow) and warm(quick)
    orchestrator.worker.warm[T2I] = False
    eventually(lambda: not warm(quick), what="the second report")
    assert warm(slow)


def test_session_pools_are_empty_until_the_first_request(site):
    gateway = site.gateway(site.orchestrator(site.runner(), T2I))
    base = site.cli(gateway)
    assert json.loads(get(base, "/getAISessionPoolsInfo")[2]) == {}
    post_json(url_of(gateway, "/text-to-image"), {"prompt": "x", "model_id": MODEL})
    pools = json.loads(get(base, "/getAISessionPoolsInfo")[2])
    assert list(pools) == [f"27_{MODEL}"]
    assert pools[f"27_{MODEL}"]["warm"]["size"] == 1


def test_a_price_limit_can_be_set_on_gateways_only(site):
    query = "/setMaxPriceForCapability?maxPricePerUnit=10&pixelsPerUnit=2&currency=wei&pipeline=text-to-image&modelID=m"
    gateway = site.gateway()
    assert plain(site.cli(gateway), query) == (200, "")
    assert gateway.max_prices == {(27, "m"): Fraction(5)}
    text = "Node must be gateway node to set max price per capability\n"
    assert plain(site.cli(site.orchestrator(None)), query) == (400, text)
    assert plain(site.cli(gateway), query.replace("currency=wei", "currency=")) == (
        400,
        "missing form param: currency\n",
    )


# --- the chain ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", cli.NEEDS_CHAIN)
def test_offchain_what_needs_a_chain_is_500_missing_eth_client(site, name):
    assert plain(site.cli(site.gateway()), f"/{name}") == (500, "missing ETH client\n")


def test_onchain_the_account_is_shown(site):
    base = site.cli(site.orchestrator(None, eth=account(), base_prices={"default": Fraction(3, 2)}))
    assert plain(base, "/ethAddr") == (200, ADDRESS)
    assert plain(base, "/ethBalance") == (200, "5")
    assert plain(base, "/tokenBalance") == (200, "6")
    assert plain(base, "/currentRound") == (200, "7")
    assert get(base, "/currentBlock")[::2] == (200, b"\x12\x34")
    info = json.loads(get(base, "/orchestratorInfo")[2])
    assert set(info) == {"Transcoder", "PriceInfo"}
    assert (info["Transcoder"]["Active"], info["PriceInfo"]) == (False, "3/2")


def test_offchain_the_current_block_drops_the_connection(site):
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        get(site.cli(site.gateway()), "/currentBlock")


# --- metrics -----------------------------------------------------------------------------------------------------
def test_metrics_only_with_monitor_and_under_the_real_names(site):
    runner = site.runner()
    orchestrator = site.orchestrator(runner, T2I, arguments=["-monitor"])
    gateway = site.gateway(orchestrator, arguments=["-monitor", "-aiProcessingRetryTimeout=1ms"])
    post_json(url_of(gateway, "/text-to-image"), {"prompt": "x", "model_id": MODEL})
    runner.answer = web.as_json({"detail": {"msg": "boom"}}, 500)
    post_json(url_of(gateway, "/text-to-image"), {"prompt": "x", "model_id": MODEL})
    status, kind, body = get(site.cli(gateway), "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4")
    seen = body.decode()
    assert "livepeer_versions{" in seen
    assert f'model_name="{MODEL}",node_id=' in seen
    assert "livepeer_ai_models_requested{" in seen
    assert "livepeer_ai_request_errors{" in seen
    assert 'node_type="bctr"' in seen
    orchestrators = get(site.cli(orchestrator), "/metrics")[2].decode()
    assert 'node_type="orch"' in orchestrators
    assert "livepeer_ai_container_idle{" in orchestrators
