# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start-up in the real node's order, with its refusals and exit statuses (facts 1.3, 1.5, 2.3).

log.stop() ends with status 0 as a plain return upstream does, log.fatal(text) with 1, log.fatal(text, 2) with 2,
and log.panic() with 2. The order matters: it decides which of two faults is reported.
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import sqlite3
import threading
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from . import (
    addresses,
    aimodels,
    availability,
    cli,
    eth,
    gateway,
    gpus,
    live_runners,
    log,
    orchestrator,
    pricing,
    remote,
    tables,
)
from .addresses import UrlError
from .docker_api import DockerClient, DockerError
from .node import (
    AI_WORKER,
    GATEWAY,
    ORCHESTRATOR,
    ChainMismatch,
    Node,
    check_or_store_chain_id,
    default_address,
    split_host_port,
)
from .settings import Settings, home_directory
from .tls import TlsError
from .worker import ImageOverrides, Panic, Timing, Worker, WorkerError, gpu_slots, remove_orphans

_NO_SERVICE = (
    "No services enabled; must be at least one of -gateway, -transcoder, -aiWorker, -orchestrator, -redeemer, "
    "-reward or -initializeRound"
)


class Starter:
    """Brings one node up and keeps it until it is told to end."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], timing: Timing | None = None) -> None:
        self._settings = settings
        self._environment = environment
        self._timing = timing or Timing()
        self._stopping = threading.Event()
        self._node: Node | None = None
        self._creator_id = settings["serviceAddr"] or settings["ethAcctAddr"]
        self._rtmp: socket.socket | None = None

    def cancel(self) -> None:
        """End the node from outside, wherever its start-up is."""
        self._stopping.set()
        if self._node and self._node.worker:
            self._node.worker.interrupt()

    def run(self) -> None:
        """Start, serve, and return when the node ends; raises log.Exit with any status."""
        try:
            self._start()
            self._stopping.wait()
        except log.Exit as leaving:
            if leaving.code == 0:
                self._stop_worker()
            raise
        except (Panic, aimodels.PriceError) as error:
            log.panic(str(error))
        self._stop_worker()

    def _start(self) -> None:
        self._check_limits()
        self._remove_orphans()
        self._choose_network()
        data_dir = self._prepare_data_dir()
        secret = self._settings.value_or_file("orchSecret")
        self._check_instances()
        self._check_transcoder()
        kind = self._kind()
        node = self._node = Node(self._settings, kind, data_dir, orch_secret=secret, stopping=self._stopping)
        node.orch_addrs = addresses.orchestrators(self._settings["orchAddr"])
        self._join_chain(node)
        node.models = self._read_models()
        if self._settings["aiWorker"]:
            node.worker = self._make_worker(node)
            if self._stopping.is_set():  # a signal that came before there was a worker to interrupt
                node.worker.interrupt()
        self._bring_up_models(node)
        self._check_model_source(node)
        self._check_urls()
        {GATEWAY: self._settle_gateway, ORCHESTRATOR: self._settle_orchestrator, AI_WORKER: self._settle_worker}[kind](
            node
        )
        self._check_constraints()
        self._serve(node)

    # --- before the node has a type ------------------------------------------------------------------------------
    def _check_limits(self) -> None:
        text = self._settings["maxSessions"]
        if text == "auto" and self._settings["orchestrator"]:
            if self._settings["transcoder"]:
                log.fatal("-maxSessions 'auto' cannot be used when both -orchestrator and -transcoder are specified")
        elif not re.fullmatch(r"\+?0*[1-9][0-9]*", text):
            log.fatal("-maxSessions must be 'auto' or greater than zero")
        if self._settings["netint"] and self._settings["nvidia"]:
            log.fatal("both -netint and -nvidia arguments specified, this is not supported")

    def _remove_orphans(self) -> None:
        """As early as upstream does it; a Docker that cannot be reached is only logged here (facts 3.8)."""
        if not self._settings["aiWorker"]:
            return
        try:
            removed = remove_orphans(DockerClient(self._environment), self._creator_id, self._timing)
        except DockerError as error:
            log.error(f"Error removing existing AI worker containers: {error}")
            return
        if removed:
            log.info(f"Removed {removed} existing AI worker containers")

    def _choose_network(self) -> None:
        network = self._settings["network"]
        if "rinkeby" in network and network in tables.ETH_CONTROLLERS:
            log.warning("The Rinkeby/ArbRinkeby networks are deprecated.")
        if network in tables.ETH_CONTROLLERS:
            self._settings["ethController"] = self._settings["ethController"] or tables.ETH_CONTROLLERS[network]
            log.info(f"***Livepeer is running on the {network} network: {self._settings['ethController']}***")
        else:
            log.info(f"***Livepeer is running on the {network} network***")

    def _prepare_data_dir(self) -> Path:
        if not self._settings["dataDir"]:
            home = home_directory(self._environment)
            self._settings["dataDir"] = os.path.join(home, ".lpData", self._settings["network"])
        path = Path(self._settings["dataDir"])
        if not path.exists():
            log.info(f"Creating data dir: {path}")
            try:
                path.mkdir(mode=0o755, parents=True)
            except OSError as error:
                log.error(f"Error creating datadir: {error}")
        try:
            sqlite3.connect(path / "lpdb.sqlite3").close()
        except sqlite3.Error as error:
            log.stop(f"Error opening DB: {error}")
        return path

    def _check_instances(self) -> None:
        if not self._settings["nodes"]:
            return
        try:
            found = addresses.instances(self._settings["nodes"])
        except UrlError as error:
            log.fatal(f"No valid instance URLs parsed from -nodes: {error}")
        if not found:
            log.fatal("No valid instance URLs parsed from -nodes: <nil>")
        log.info(f"Configured nodes: {','.join(found)}")

    def _check_transcoder(self) -> None:
        """The NVENC self-test cannot pass here: this stand-in has no encoder (facts 1.7)."""
        devices = self._settings["nvidia"]
        if not self._settings["transcoder"] or not devices:
            return
        try:
            found = gpus.parse_devices(devices)
        except gpus.NoDevices as error:
            log.fatal(f"Error while parsing '-nvidia []' flag: {error}", 2)
        log.info(f"Transcoding on these Nvidia devices: {found}")
        if self._settings["testTranscoder"]:
            log.fatal(f"Nvidia devices {found}: no NVENC encoder answers the self-test")

    def _kind(self) -> str:
        """The first that matches decides (facts 1.5)."""
        settings = self._settings
        if settings["remoteSigner"] and settings["network"] == tables.OFFCHAIN:
            log.fatal("Remote signer mode requires on-chain network", 2)
        if settings["redeemer"] or settings["remoteSigner"]:
            self._not_stood_in("a redeemer or remote signer")
        if settings["orchestrator"]:
            return ORCHESTRATOR
        if settings["transcoder"]:
            self._not_stood_in("a transcoder")
        if settings["aiWorker"]:
            return AI_WORKER
        if settings["broadcaster"]:
            log.warning(
                "-broadcaster flag is deprecated and will be removed in a future release. Please use -gateway instead"
            )
        if settings["broadcaster"] or settings["gateway"]:
            return GATEWAY
        if settings["reward"] or settings["initializeRound"]:
            self._not_stood_in("a reward service")
        log.fatal(_NO_SERVICE, 2)

    @staticmethod
    def _not_stood_in(what: str) -> NoReturn:
        log.fatal(f"this stand-in for go-livepeer cannot be {what}; the real node can", 70)

    # --- the chain -----------------------------------------------------------------------------------------------
    def _join_chain(self, node: Node) -> None:
        if node.offchain:
            log.info("***Livepeer is in off-chain mode***")
            try:
                check_or_store_chain_id(node.data_dir, 0)
            except (ChainMismatch, sqlite3.Error) as error:
                log.stop(str(error))
            return
        weights = [self._settings[f"select{name}"] for name in ("StakeWeight", "PriceWeight", "RandFreq")]
        if abs(math.fsum(weights) - 1) > 0.0001:
            log.fatal(
                "Incorrect parameters for selection algorithm, err=sum of selection algorithm weights must be 1.0, "
                "stakeWeight={:g}, priceWeight={:g}, randWeight={:g}".format(*weights),
                2,
            )
        try:
            node.eth = eth.open_account(self._settings, node.data_dir)
        except eth.EthError as error:
            _leave(str(error), error.exit_code)
        if self._settings["orchestrator"]:
            pricing.set_orchestrator_prices(node)
            if not re.fullmatch(r"\+?[0-9]+", self._settings["ticketEV"]):
                log.stop(
                    f"-ticketEV must be a valid integer, but {self._settings['ticketEV']} provided. "
                    "Restart the node with a different valid value for -ticketEV"
                )
        if node.kind == GATEWAY:
            if self._settings["depositMultiplier"] <= 0:
                log.panic(
                    f"-depositMultiplier must be greater than 0, but {self._settings['depositMultiplier']} "
                    "provided. Restart the node with a valid value for -depositMultiplier"
                )
            pricing.set_gateway_limits(node)

    # --- the models and their containers -------------------------------------------------------------------------
    def _read_models(self) -> list[aimodels.Entry]:
        if not self._settings["aiModels"]:
            return []
        try:
            return aimodels.parse(self._settings["aiModels"])
        except aimodels.ModelsError as error:
            log.stop(f"Error parsing -aiModels: {error}")

    def _make_worker(self, node: Node) -> Worker:
        slots = self._slots()
        models_dir = self._settings["aiModelsDir"] or os.path.abspath(node.data_dir / "models")
        try:
            os.makedirs(models_dir, mode=0o755, exist_ok=True)
        except OSError as error:
            log.stop(f"Error creating models dir {models_dir}: {error}")
        overrides = self._image_overrides()
        if self._settings["aiServerless"]:
            self._check_serverless(node)
        try:
            docker = DockerClient(self._environment)
            remove_orphans(docker, self._creator_id, self._timing)
        except DockerError as error:
            log.stop(f"Error starting AI worker: error creating docker manager: {error}")
        return Worker(
            docker, slots, models_dir, overrides, self._creator_id, self._settings["aiVerboseLogs"], self._timing
        )

    def _slots(self) -> list[str]:
        if not self._settings["nvidia"]:
            log.warning("!!! No GPU discovered, using CPU for AIWorker !!!")
            found = ["emulated-0"]
        else:
            try:
                found = gpus.parse_devices(self._settings["nvidia"])
            except gpus.NoDevices as error:
                log.stop(f"Error parsing -nvidia for devices: {error}")
        return gpu_slots(found, self._settings["aiRunnerContainersPerGPU"])

    def _image_overrides(self) -> ImageOverrides:
        text, image = self._settings["aiRunnerImageOverrides"], self._settings["aiRunnerImage"]
        try:
            overrides = ImageOverrides.parse(text) if text else ImageOverrides()
        except ValueError as error:
            log.stop(f"Error unmarshaling image overrides: {error}")
        if image:
            log.warning(
                "-aiRunnerImage flag is deprecated and will be removed in a future release. "
                "Please use -aiRunnerImageOverrides instead"
            )
            if not overrides.default:
                overrides = ImageOverrides(image, overrides.batch, overrides.live)
        return overrides

    def _check_serverless(self, node: Node) -> NoReturn:
        if len(node.models) != 1:
            log.stop(f"Serverless requires exactly one AI model config, got {len(node.models)}")
        entry = node.models[0]
        if (entry.pipeline, entry.model_id) != (tables.LIVE_PIPELINE, "scope"):
            log.stop(f"Serverless only supports live-video-to-video/scope, got {entry.pipeline}/{entry.model_id}")
        self._not_stood_in("a serverless AI worker")

    def _bring_up_models(self, node: Node) -> None:
        """One entry after another, blocking; no port is open before the last has ended (facts 2.3)."""
        for entry in node.models:
            if aimodels.capability_of(entry.pipeline) is None:
                raise Panic(f"Pipeline is not valid capability: {entry.pipeline}\n")
            if node.worker:
                self._bring_up(node.worker, entry)
            if not node.offchain:
                pricing.set_model_price(node, entry)

    def _bring_up(self, worker: Worker, entry: aimodels.Entry) -> None:
        try:
            worker.ensure_image(entry.pipeline, entry.model_id)
        except (WorkerError, DockerError) as error:
            log.error(f"Error ensuring AI worker image available for {entry.pipeline}: {error}")
        # Capacity means containers for a managed model, parallel calls for an external one (facts 2.4).
        containers = entry.capacity if entry.capacity and not entry.url else 1
        capacity = entry.capacity if entry.capacity and entry.url else 1
        if entry.warm or entry.url:
            for _ in range(containers):
                self._warm(worker, entry)
        if entry.optimization_flags and not entry.warm:
            log.warning(
                f"Model {entry.model_id} has 'optimization_flags' set without 'warm'. "
                "Optimization flags are currently only used for warm containers."
            )
        worker.advertise(entry.pipeline, entry.model_id, entry.warm, capacity)

    @staticmethod
    def _warm(worker: Worker, entry: aimodels.Entry) -> None:
        try:
            worker.warm(entry.pipeline, entry.model_id, entry.url, entry.token, entry.optimization_flags)
        except (WorkerError, DockerError) as error:
            log.stop(f"Error AI worker warming {entry.pipeline} container: {error}")

    def _check_model_source(self, node: Node) -> None:
        if node.kind == AI_WORKER and not self._settings["aiModels"]:
            log.stop(
                "The '-aiWorker' flag was set, but no model configuration was provided. "
                "Please specify the model configuration using the '-aiModels' flag."
            )

    # --- what each type of node settles --------------------------------------------------------------------------
    def _check_urls(self) -> None:
        for name, what in (
            ("authWebhookUrl", "auth webhook URL"),
            ("liveAIAuthWebhookUrl", "live AI auth webhook URL"),
            ("remoteSignerWebhookUrl", "remote signer webhook URL"),
        ):
            self._check_url(name, f"Error setting {what}")

    def _check_url(self, name: str, what: str) -> None:
        if self._settings[name]:
            try:
                addresses.http_url(self._settings[name])
            except UrlError as error:
                log.fatal(f"{what} {error}")

    def _settle_gateway(self, node: Node) -> None:
        settings = self._settings
        for name, port in (
            ("rtmpAddr", tables.GATEWAY_RTMP_PORT),
            ("httpAddr", tables.GATEWAY_HTTP_PORT),
            ("cliAddr", tables.GATEWAY_CLI_PORT),
        ):
            settings[name] = default_address(settings[name], "127.0.0.1", str(port))
        if settings["remoteSignerUrl"]:
            self._not_stood_in("a gateway with a remote signer")
        self._check_url("orchWebhookUrl", "Error setting orch webhook URL")
        if not settings["orchWebhookUrl"] and not node.orch_addrs and node.offchain:
            log.error("No orchestrator specified; transcoding will not happen")
        node.http_ingest = self._http_ingest()
        self._check_url("verifierUrl", "Error setting verifier URL")

    def _http_ingest(self) -> bool:
        """On a public address it is off unless the flag or an auth webhook says otherwise (facts 6.1)."""
        try:
            local = addresses.is_local(self._settings["httpAddr"])
        except UrlError as error:
            log.stop(f"Error checking for local -httpAddr: {error}")
        if self._settings.given("httpIngest"):
            return self._settings["httpIngest"]
        if local or self._settings["authWebhookUrl"]:
            return True
        log.warning(
            "HTTP ingest is disabled because -httpAddr is publicly accessible. "
            "To enable, configure -authWebhookUrl or use the -httpIngest flag"
        )
        return False

    def _settle_orchestrator(self, node: Node) -> None:
        settings = self._settings
        settings["cliAddr"] = default_address(settings["cliAddr"], "127.0.0.1", str(tables.ORCHESTRATOR_CLI_PORT))
        node.service_uri = self._service_uri()
        if not node.service_uri and not settings["nodes"]:
            log.fatal("Empty service URI and no additional nodes specified; set -serviceAddr or -nodes")
        if not node.offchain and not addresses.is_public(node.service_uri):
            log.warning(
                "**Warning -serviceAddr is a not a public address or hostname; "
                "this is not recommended for onchain networks**"
            )
        # Without a port in the service URI the listener takes a random one (facts 1.6).
        port = urllib.parse.urlsplit(node.service_uri).port
        settings["httpAddr"] = default_address(settings["httpAddr"], "", str(port or ""))
        if settings["transcoder"] or settings["aiWorker"] or node.orch_secret:
            return
        if not settings["aiModels"]:
            log.fatal(
                "Running an orchestrator requires an -orchSecret for standalone mode or -transcoder for "
                "orchestrator+transcoder mode"
            )
        log.info("Running an orchestrator in AI External Container mode")

    def _service_uri(self) -> str:
        text = self._settings["serviceAddr"]
        if not text:
            # The real node asks api.ipify.org; in a closed network that is its failure (facts 1.6).
            log.error('Could not look up public IP err="this stand-in asks no public service for its address"')
            log.fatal("Error getting service URI: no public IP; set -serviceAddr")
        try:
            return addresses.service_uri(text)
        except UrlError as error:
            log.fatal(f"Error getting service URI: {error}")

    def _settle_worker(self, node: Node) -> None:
        self._settings["cliAddr"] = default_address(
            self._settings["cliAddr"], "127.0.0.1", str(tables.AI_WORKER_CLI_PORT)
        )

    def _check_constraints(self) -> None:
        try:
            json.loads(self._settings["aiMinRunnerVersion"])
        except ValueError as error:
            log.error(f"Error parsing min runner version constraints: {error}")
        if self._settings["liveRunnerAddr"]:
            try:
                addresses.absolute_http_url(self._settings["liveRunnerAddr"])
            except UrlError as error:
                log.fatal(f"invalid -liveRunnerAddr: {error}")

    # --- servers -------------------------------------------------------------------------------------------------
    def _serve(self, node: Node) -> None:
        self._start_cli(node)
        if node.kind == GATEWAY:
            self._start_gateway(node)
        elif node.kind == ORCHESTRATOR:
            self._start_orchestrator(node)
        else:
            self._start_remote_worker(node)
        mode = {ORCHESTRATOR: "Orchestrator", GATEWAY: "Gateway", AI_WORKER: "AI Worker"}[node.kind]
        log.info(f"***Livepeer Running in {mode} Mode***")
        if node.kind == GATEWAY:
            log.info(f"Video Ingest Endpoint - rtmp://{node.settings['rtmpAddr']}")
        log.info(f"Livepeer Node version: {node.version}")

    @staticmethod
    def _start_cli(node: Node) -> None:
        log.info(f"CLI server listening on {node.cli_addr}")
        try:
            cli.start(node)
        except (OSError, ValueError, OverflowError) as error:
            log.error(_listen_text(node.cli_addr, error))
            log.info("CLI webserver shut down")
            raise log.Exit(0) from error

    def _start_gateway(self, node: Node) -> None:
        try:
            self._open_rtmp(node.settings["rtmpAddr"])
            log.info(f"HTTP Server listening on http://{node.http_addr}")
            gateway.start(node)
        except (OSError, ValueError, OverflowError) as error:
            log.info(f"LPMS Server Error: {error}.  Quitting...")
            log.info(f"Error from media server: {_listen_text(node.http_addr, error)}")
            raise log.Exit(0) from error

    def _open_rtmp(self, address: str) -> None:
        """Hold the port, as the real gateway does; nobody speaks RTMP behind it."""
        self._rtmp = socket.create_server(split_host_port(address))

    def _start_orchestrator(self, node: Node) -> None:
        node.live_runners = live_runners.start(node, self._timing)
        try:
            orchestrator.start(node)
        except (OSError, ValueError, OverflowError, TlsError) as error:
            log.fatal(f'Error starting Transcoder node: err="{_listen_text(node.http_addr, error)}"', 2)
        if not node.service_uri:
            log.info("Orchestrator is not performing work")
        elif self._settings["startupAvailabilityCheck"]:
            threading.Thread(target=self._check_availability, args=(node,), daemon=True).start()

    def _check_availability(self, node: Node) -> None:
        """Two seconds after the start the node must reach itself at its service address (facts 1.6)."""
        if self._stopping.wait(self._timing.availability_delay):
            return
        check = availability.DISCOVERY if node.live_runners else availability.PING
        if check.passes(node.service_uri):
            return
        log.info(
            f"Orchestrator not available at {node.service_uri} ({node.http_addr}) via {check.name} check; shutting down"
        )
        log.info("Orchestrator server shut down")
        self._stopping.set()

    @staticmethod
    def _start_remote_worker(node: Node) -> None:
        if not node.orch_secret:
            log.fatal("Missing -orchSecret")
        if not node.orch_addrs:
            log.fatal("Missing -orchAddr")
        remote.Client(node).start()

    def _stop_worker(self) -> None:
        worker = self._node.worker if self._node else None
        if worker is None:
            return
        if worker.stop():
            log.info("Stopped AI worker containers")
        else:
            log.error("Error stopping AI worker containers: context deadline exceeded")


def _leave(text: str, code: int) -> NoReturn:
    if code == 0:
        log.stop(text)
    log.fatal(text, code)


def _listen_text(address: str, error: Exception) -> str:
    reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    return f"listen tcp {address}: bind: {reason}"
