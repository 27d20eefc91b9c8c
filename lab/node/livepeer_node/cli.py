# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CLI port: status, network capabilities, session pools, the account (facts 5.2-5.4). It asks nobody who he is."""

from __future__ import annotations

import platform
from fractions import Fraction

from . import aimodels, capabilities, eth, live_runners, log, tables, web
from .metrics import Metrics
from .node import GATEWAY, ORCHESTRATOR, split_host_port

# What needs a chain.
NEEDS_CHAIN = (
    "orchestratorInfo", "currentRound", "initializeRound", "roundInitialized", "withdrawFees", "claimEarnings",
    "delegatorInfo", "orchestratorEarningPoolsForRound", "registeredOrchestrators", "reward", "protocolParameters",
    "contractAddresses", "ethAddr", "tokenBalance", "ethBalance", "requestTokens", "maxGasPrice", "minGasPrice",
    "unlock", "cancelUnlock", "withdraw", "senderInfo", "ticketBrokerParams",
)  # fmt: skip
TRANSCODING_OPTIONS = [
    "P144p25fps16x9", "P144p30fps16x9", "P240p25fps16x9", "P240p30fps16x9", "P240p30fps4x3", "P360p25fps16x9",
    "P360p30fps16x9", "P360p30fps4x3", "P576p25fps16x9", "P576p30fps16x9", "P720p25fps16x9", "P720p30fps16x9",
    "P720p30fps4x3", "P720p60fps16x9",
]  # fmt: skip


def start(node):
    """Bind the CLI port and serve; raises OSError when it is taken."""
    cli = Cli(node)
    node.cli = cli
    return cli


class Cli:
    def __init__(self, node):
        self._node = node
        self.metrics = Metrics(node)
        self._routes = {
            "/status": self._status,
            "/EthChainID": lambda _: web.text(str(node.eth.chain_id if node.eth else 0)),
            "/currentBlock": self._current_block,
            "/IsOrchestrator": lambda _: web.text(_go_bool(node.kind == ORCHESTRATOR)),
            "/IsRedeemer": lambda _: web.text(_go_bool(False)),
            "/getBroadcastConfig": self._broadcast_config,
            "/getAvailableTranscodingOptions": lambda _: web.as_json(TRANSCODING_OPTIONS),
            "/setMaxPriceForCapability": self._set_max_price,
            "/getAISessionPoolsInfo": self._session_pools,
            "/getNetworkCapabilities": self._network_capabilities,
            "/registerLiveRunners": self._register_live_runners,
            "/setLogLevel": self._set_log_level,
            "/getLogLevel": lambda _: web.text(str(log.verbosity())),
            "/debug": lambda _: web.text("\n\nLatestPlaylist: <nil>"),
            **{f"/{name}": self._needing_chain(name) for name in NEEDS_CHAIN},
        }
        if node.settings["monitor"]:
            self._routes["/metrics"] = self._show_metrics
        self._server = web.Server(*split_host_port(node.cli_addr), self._handle).start()

    @property
    def port(self):
        return self._server.port

    def stop(self):
        self._server.stop()

    def _handle(self, request):
        route = self._routes.get(request.path)
        return route(request) if route else web.not_found()

    @property
    def _gateway(self):
        return getattr(self._node, "gateway", None)

    # --- the node ------------------------------------------------------------------------------------------------
    def _status(self, _request):
        node = self._node
        return web.as_json(
            {
                "Manifests": {},
                "InternalManifests": {},
                "StreamInfo": {},
                "OrchestratorPool": list(node.orch_addrs) if node.kind == GATEWAY else [],
                "OrchestratorPoolInfos": self._pool_infos(),
                "Version": node.version,
                "GolangRuntimeVersion": tables.GO_RUNTIME.rpartition(" ")[2],
                "GOArch": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
                "GOOS": "linux",
                "RegisteredTranscodersNumber": 0,
                "RegisteredTranscoders": [],
                "LocalTranscoding": not node.orch_secret or node.settings["transcoder"],
                "BroadcasterPrices": {address: _rational(price) for address, price in node.base_prices.items()},
            }
        )

    def _pool_infos(self):
        if self._node.kind != GATEWAY or not self._node.orch_addrs:
            return None
        return [{"Url": url, "Score": 1, "Latency": None} for url in self._node.orch_addrs]

    def _current_block(self, _request):
        """Raw bytes, no text. Offchain no block was ever seen, and the nil number is dereferenced."""
        if not self._node.eth:
            raise web.Abort
        try:
            number = self._node.eth.rpc.number("eth_blockNumber")
        except eth.RpcError as error:
            return web.error(f"could not query last seen block: {error}", 500)
        body = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return web.Response(200, body, {"Content-Type": "application/octet-stream"})

    def _broadcast_config(self, _request):
        price = self._node.max_price
        return web.as_json(
            {
                "MaxPrice": _rational(price) if price else None,
                "TranscodingOptions": "P240p30fps16x9,P360p30fps16x9",
            }
        )

    def _set_log_level(self, request):
        level = request.form("loglevel")
        if not level:
            return web.error("missing form param: loglevel", 400)
        if not level.lstrip("-").isdigit():
            return web.error("parameter 'logLevel' not defined", 400)
        log.set_verbosity(level)
        return web.text("")

    def _show_metrics(self, _request):
        """The counters of whichever server runs beside this one."""
        server = self._gateway or getattr(self._node, "orchestrator", None)
        metrics = server.metrics if server else self.metrics
        for (pipeline, model_id), state in (self._node.worker.pool_status() if self._node.worker else {}).items():
            labels = {"pipeline": pipeline, "model_name": model_id}
            metrics.set("ai_container_in_use", state["in_use"], **labels)
            metrics.set("ai_container_idle", state["capacity"], **labels)
        return web.Response(200, metrics.render().encode(), {"Content-Type": "text/plain; version=0.0.4"})

    # --- the network ---------------------------------------------------------------------------------------------
    def _session_pools(self, _request):
        return web.as_json(self._gateway.sessions.describe() if self._gateway else {})

    def _network_capabilities(self, _request):
        if self._node.kind != GATEWAY:
            return web.error("Node must be gateway node to get network capabilities", 400)
        known = self._gateway.network.orchestrators if self._gateway else None
        document = web.as_json({"capabilities_names": capabilities.names(), "orchestrators": known})
        if known is not None:
            return document
        # The handler goes on after its error: two bodies, one status.
        failed = web.error("network capabilities not available", 500)
        failed.body += document.body
        return failed

    def _set_max_price(self, request):
        values = {n: request.form(n) for n in ("maxPricePerUnit", "pixelsPerUnit", "currency", "pipeline", "modelID")}
        for name, value in values.items():
            if not value:
                return web.error(f"missing form param: {name}", 400)
        if self._node.kind != GATEWAY:
            return web.error("Node must be gateway node to set max price per capability", 400)
        capability = aimodels.capability_of(values["pipeline"])
        if capability is None:
            return web.error("pipeline not supported", 400)
        try:
            price, pixels = Fraction(values["maxPricePerUnit"]), Fraction(values["pixelsPerUnit"])
            if pixels <= 0:
                return web.error(f"pixels per unit must be greater than 0, provided {values['pixelsPerUnit']}", 400)
            wei = aimodels.to_wei(price / pixels, values["currency"])
        except aimodels.PriceError as error:
            return web.error(f"error converting price: {error}", 400)
        except (ValueError, ZeroDivisionError):
            return web.error(f"Error parsing pricePerUnit value: {values['maxPricePerUnit']}", 400)
        if wei <= 0:
            return web.error(f"pricePerPixel needs to be > 0: {float(wei):.3f}", 400)
        self._node.max_prices[capability, values["modelID"]] = wei
        return web.text("")

    # --- live runners --------------------------------------------------------------------------------------------
    def _register_live_runners(self, request):
        """The document of -liveRunnerConfig at run time; runners are added and changed by label, never removed."""
        if request.method != "POST":
            return web.error("Method not allowed", 405)
        registry = self._node.live_runners
        if registry is None:
            return web.error("live runners are not supported", 404)
        try:
            return web.as_json({"runners": registry.register(request.body)})
        except live_runners.RunnerError as error:
            return web.error(str(error), error.status)

    # --- the chain -----------------------------------------------------------------------------------------------
    def _needing_chain(self, name):
        views = {
            "ethAddr": lambda account: web.text(account.address),
            "ethBalance": _eth_balance,
            "tokenBalance": self._token_balance,
            "currentRound": lambda account: web.text(str(_number(account, "RoundsManager", "currentRound()"))),
            "contractAddresses": lambda account: web.as_json(account.contracts),
            "orchestratorInfo": self._orchestrator_info,
            "senderInfo": lambda _account: web.as_json(_NO_DEPOSIT),
        }

        def route(_request):
            account = self._node.eth
            if not account:
                return web.error("missing ETH client", 500)
            if name not in views:
                return web.error("execution reverted", 500)
            try:
                return views[name](account)
            except (eth.RpcError, TypeError, ValueError) as error:
                return web.error(str(error), 500)

        return route

    def _token_balance(self, account):
        owner = eth.word_of_address(account.address)
        return web.text(str(_number(account, "LivepeerToken", "balanceOf(address)", owner)))

    def _orchestrator_info(self, account):
        """Nobody is registered on the chain that this stand-in talks to."""
        base = self._node.base_prices.get("default")
        transcoder = {
            "Address": account.address.lower(),
            "ServiceURI": "",
            **{name: 0 for name in _TRANSCODER_NUMBERS},
            "Active": False,
            "Status": "Not Registered",
            "PricePerPixel": None,
        }
        price = _rational(base) if base is not None else None
        return web.as_json({"Transcoder": transcoder, "PriceInfo": price})


_TRANSCODER_NUMBERS = (
    "LastRewardRound", "RewardCut", "FeeShare", "DelegatedStake", "ActivationRound", "DeactivationRound",
    "LastActiveStakeUpdateRound",
)  # fmt: skip
_NO_DEPOSIT = {
    "Deposit": 0,
    "WithdrawRound": 0,
    "Reserve": {"FundsRemaining": 0, "ClaimedInCurrentRound": 0},
}


def _eth_balance(account):
    return web.text(str(account.rpc.number("eth_getBalance", account.address, "latest")))


def _number(account, contract, signature, *words):
    return int.from_bytes(account.rpc.view(account.contracts[contract], signature, *words)[0], "big")


def _go_bool(value):
    return "true" if value else "false"


def _rational(value):
    """big.Rat as JSON: a text, without denominator when that is one."""
    return str(value)
