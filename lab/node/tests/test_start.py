# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole process: its statuses, its order, its refusals, its end (facts 1.2-1.6, 2.3, 3.8, 6.1)."""

from __future__ import annotations

import fcntl
import http.client
import json
import socket
import sqlite3
import ssl
import tempfile
from pathlib import Path

import pytest
from livepeer_node.aimodels import Entry
from livepeer_node.settings import Settings
from livepeer_node.starter import Starter
from node_helpers.fake_docker import FakeRunner
from node_helpers.process import eventually, free_port, listens

LATEST = "livepeer/ai-runner:latest"
UPSCALE = [{"pipeline": "upscale", "model_id": "org/model", "warm": True}]


@pytest.fixture
def addresses():
    """Addresses nobody uses, as flags."""
    service, cli = free_port(), free_port()
    return {
        "service": service,
        "cli": cli,
        "flags": ("-serviceAddr", f"127.0.0.1:{service}", "-cliAddr", f"127.0.0.1:{cli}"),
    }


@pytest.fixture
def models(tmp_path):
    def write(content):
        file = tmp_path / "aiModels.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return write


def ends(node, status, text):
    assert node.wait() == status, node.log + node.output
    assert text in node.log + node.output, node.log + node.output


# --- command line and configuration ----------------------------------------------------------------------------
def test_version_prints_the_table_first_and_ends(start_node, tmp_path):
    file = tmp_path / "livepeer.conf"
    file.write_text("orchestrator\nserviceAddr host:8935\norchSecret /etc/secret\n")
    node = start_node("-config", file, "-version")
    assert node.wait() == 0
    table, version = node.output.split("Livepeer Node Version: ")
    assert "| OrchSecret   | ***" in table
    assert version.splitlines()[0] == "0.9.1"
    assert version.splitlines()[2].startswith("Architecture: ")
    assert not (tmp_path / "home/.lpData").exists()


def test_version_proves_a_candidate_file_but_not_its_values(start_node, tmp_path):
    file = tmp_path / "livepeer.conf"
    file.write_text("network nonsense\nmaxSessions zero\n")
    assert start_node("-config", file, "-version").wait() == 0
    file.write_text("networt offchain\n")
    ends(
        start_node("-config", file, "-version"),
        1,
        'Error parsing config: config file flag "networt" not defined in flag set',
    )


def test_an_unreadable_config_file_ends_with_1(start_node, tmp_path):
    ends(start_node("-config", tmp_path / "no.conf", "-version"), 1, "Error parsing config: open")


def test_usage_goes_to_stdout(start_node):
    node = start_node("-nonsense")
    assert node.wait() == 2
    assert node.output.startswith("flag provided but not defined: -nonsense\nUsage of ")
    assert start_node("-h").wait() == 0


def test_logs_are_glog_lines_on_stderr(start_node):
    node = start_node("-gateway", "-maxSessions", "0")
    assert node.wait() == 1
    assert node.log.startswith("F") and "] -maxSessions must be 'auto' or greater than zero" in node.log


# --- refusals and their statuses -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ((), 2, "No services enabled; must be at least one of"),
        (("-orchestrator", "-transcoder", "-maxSessions", "auto"), 1, "-maxSessions 'auto' cannot be used"),
        (("-gateway", "-maxSessions", "auto"), 1, "-maxSessions must be 'auto' or greater than zero"),
        (("-gateway", "-nvidia", "0", "-netint", "0"), 1, "both -netint and -nvidia"),
        (("-orchestrator", "-serviceAddr", "127.0.0.1:1"), 1, "requires an -orchSecret for standalone mode"),
        (("-orchestrator", "-orchSecret", "x"), 1, "Error getting service URI"),
        (("-orchestrator", "-orchSecret", "x", "-serviceAddr", "none"), 1, "Empty service URI"),
        (("-orchestrator", "-orchSecret", "x", "-serviceAddr", "host:port"), 1, 'invalid port ":port" after host'),
        (("-gateway", "-orchWebhookUrl", "host/list"), 1, "Error setting orch webhook URL"),
        (("-gateway", "-authWebhookUrl", "ftp://host"), 1, "URL should be HTTP or HTTPS"),
        (("-gateway", "-liveRunnerAddr", "ftp://host"), 1, "invalid -liveRunnerAddr: scheme must be http or https"),
        (("-orchestrator", "-transcoder", "-nvidia", "0"), 1, "self-test"),
        (("-remoteSigner",), 2, "Remote signer mode requires on-chain network"),
        (("-gateway", "-network", "arbitrum-one-mainnet"), 1, "using -ethUrl"),
        (("-gateway", "-aiModels", "typo.json"), 0, "expected <pipeline>:<model_id>:<warm>"),
        (("-orchestrator", "-aiModels", "sculpture:a/b:false"), 2, "Pipeline is not valid capability: sculpture"),
        (("-orchestrator", "-aiModels", ":a/b:false"), 2, "Pipeline is not valid capability"),
        (("-gateway", "-dataDir", "/proc/nothing"), 0, "Error opening DB"),
        (("-gateway", "-nodes", "a b"), 1, "No valid instance URLs parsed from -nodes"),
        (("-gateway", "-httpAddr", "bad host"), 0, "Error checking for local -httpAddr"),
    ],
)
def test_refusals(start_node, arguments, status, text):
    ends(start_node(*arguments), status, text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-aiRunnerImageOverrides", "{"), "Error unmarshaling image overrides"),
        (("-nvidia", "all"), "Error parsing -nvidia for devices: no devices found with vendor name 'Nvidia'"),
        (("-aiModelsDir", "/proc/nothing/here"), "Error creating models dir"),
    ],
)
def test_ai_worker_faults_end_with_0(start_node, addresses, arguments, text):
    ends(start_node("-orchestrator", "-aiWorker", *addresses["flags"], *arguments), 0, text)


def test_a_bad_file_ends_with_0(start_node, addresses, models):
    file = models('[{"pipeline": "upscale", "warm": "true"}]')
    ends(
        start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", file),
        0,
        "Error parsing -aiModels: json: cannot unmarshal string",
    )


def test_an_unreachable_docker_is_logged_first_and_then_ends_with_0(start_node, addresses, tmp_path):
    node = start_node(
        "-orchestrator", "-aiWorker", *addresses["flags"], environment={"DOCKER_HOST": f"unix://{tmp_path}/absent.sock"}
    )
    ends(node, 0, "Error starting AI worker: error creating docker manager")
    assert "Error removing existing AI worker containers" in node.log


def test_a_warm_failure_ends_with_0_and_leaves_no_container(start_node, addresses, docker, models):
    docker.images.add(LATEST)
    docker.on_start = lambda container: None
    node = start_node(
        "-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(UPSCALE), timing={"ready": 0.3}
    )
    ends(node, 0, "Error AI worker warming upscale container: timed out waiting for runner")
    assert "Graceful shutdown complete" in node.log
    assert docker.names == []


def test_an_absent_image_is_an_error_that_only_the_start_makes_fatal(start_node, addresses, models):
    node = start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(UPSCALE))
    ends(node, 0, "Error AI worker warming upscale container: Error response from daemon: No such image")
    assert "Error ensuring AI worker image available for upscale" in node.log


def test_too_many_warm_containers_end_with_0(quick_runner, start_node, addresses, docker, models):
    node = start_node(
        "-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models([{**UPSCALE[0], "capacity": 2}])
    )
    ends(node, 0, "Error AI worker warming upscale container: insufficient capacity")


def test_warm_beside_cold_ends_with_2(quick_runner, start_node, addresses, docker, models):
    both = [UPSCALE[0], {**UPSCALE[0], "warm": False}]
    ends(
        start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(both)),
        2,
        "Cannot have same model_id (org/model) as cold and warm",
    )
    # A panic runs no clean-up: the container is the next start's orphan.
    assert len(docker.names) == 1


def test_a_pipeline_in_other_letters_passes_the_check_and_crashes_at_the_port_table(start_node, addresses, models):
    file = models([{"pipeline": "Text-to-image", "model_id": "a/b", "warm": True}])
    ends(start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", file), 2, "panic: runtime error")


def test_an_ai_worker_alone_needs_models_secret_and_orchestrator(start_node, docker):
    docker.images.add(LATEST)
    ends(start_node("-aiWorker"), 0, "no model configuration was provided")
    cold = ("-aiWorker", "-aiModels", "upscale:a/b:false", "-cliAddr", f"127.0.0.1:{free_port()}")
    ends(start_node(*cold), 1, "Missing -orchSecret")
    ends(start_node(*cold, "-orchSecret", "x"), 1, "Missing -orchAddr")


def test_another_network_in_the_same_data_directory_ends_with_0(start_node, tmp_path):
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data/lpdb.sqlite3") as database:
        database.execute("CREATE TABLE kv (key STRING PRIMARY KEY, value STRING, updatedAt STRING)")
        database.execute("INSERT INTO kv VALUES ('chainID', '42161', '')")
    ends(start_node("-gateway", "-dataDir", tmp_path / "data"), 0, "expecting chainID of 42161, but got 0")


# --- what one entry of aiModels.json brings about ---------------------------------------------------------------
class RecordingWorker:
    def __init__(self):
        self.images, self.warmed, self.offered = [], [], []

    def ensure_image(self, *model):
        self.images.append(model)

    def warm(self, *model_endpoint_and_flags):
        self.warmed.append(model_endpoint_and_flags)

    def advertise(self, *offer):
        self.offered.append(offer)


@pytest.mark.parametrize(
    ("entry", "warmed", "capacity"),
    [
        (Entry("upscale", "a/b", warm=True), 1, 1),
        (Entry("upscale", "a/b"), 0, 1),
        (Entry("upscale", "a/b", capacity=3), 0, 1),
        # Managed: so many containers, but one job at a time is offered.
        (Entry("upscale", "a/b", warm=True, capacity=3), 3, 1),
        # External: registered whether warm or not, so many jobs, no container.
        (Entry("upscale", "a/b", url="http://h:8000", capacity=3), 1, 3),
        (Entry("upscale", "a/b", url="http://h:8000", warm=True), 1, 1),
    ],
)
def test_capacity_means_containers_or_parallel_calls(entry, warmed, capacity):
    worker = RecordingWorker()
    Starter(Settings(), {})._bring_up(worker, entry)
    assert worker.images == [("upscale", "a/b")]
    assert worker.warmed == [("upscale", "a/b", entry.url, "", {})] * warmed
    assert worker.offered == [("upscale", "a/b", entry.warm, capacity)]


# --- a node that runs ------------------------------------------------------------------------------------------
@pytest.fixture
def quick_runner(docker):
    """The image is there and its runner answers at once. Its port is the real 8300, so one test at a time has it."""
    docker.images.add(LATEST)
    with (Path(tempfile.gettempdir()) / "livepeer-node-tests-8300").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield docker


def cli_status(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/status")
    return json.loads(connection.getresponse().read())


def test_an_orchestrator_with_a_warm_model(quick_runner, start_node, addresses, docker, models, tmp_path):
    docker.add_container("old", {"creator": "ai-worker", "creator_id": f"127.0.0.1:{addresses['service']}"})
    node = start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(UPSCALE))
    node.says("Livepeer Running in Orchestrator Mode")
    assert docker.names == ["upscale_org-model_8300"]
    ((_, config),) = docker.created
    assert config["Labels"] == {"creator": "ai-worker", "creator_id": f"127.0.0.1:{addresses['service']}"}
    assert config["HostConfig"]["Mounts"][0]["Source"] == str(tmp_path / "home/.lpData/offchain/models")
    assert (tmp_path / "home/.lpData/offchain/models").is_dir()
    assert cli_status(addresses["cli"])["Version"] == "0.9.1"
    assert certificate_names(addresses["service"]) == b"127.0.0.1"
    # The self-check passes: the node still runs after it.
    node.says("Livepeer Node version: 0.9.1")
    assert node.terminate() == 0
    assert "Exiting Livepeer: terminated" in node.log
    assert "Stopped AI worker containers" in node.log
    assert docker.names == []


def certificate_names(port):
    """The DNS name in the self-signed certificate, taken from its raw bytes."""
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=5))
    return next(name for name in (b"127.0.0.1", b"localhost") if b"\x82" + bytes([len(name)]) + name in der)


def test_no_port_opens_before_the_models_are_warm(quick_runner, start_node, addresses, docker, models):
    docker.on_start = lambda container: None
    node = start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(UPSCALE))
    node.says("Starting managed container")
    assert not listens(addresses["cli"]) and not listens(addresses["service"])
    assert node.terminate() == 0
    assert docker.names == []


def test_a_killed_node_leaves_its_container_for_the_next_start(quick_runner, start_node, addresses, docker, models):
    arguments = ("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(UPSCALE))
    node = start_node(*arguments)
    node.says("Livepeer Running")
    first = list(docker.containers)
    node.kill()
    assert list(docker.containers) == first
    again = start_node(*arguments)
    again.says("Removed 1 existing AI worker containers")
    again.says("Livepeer Running")
    assert list(docker.containers) != first


def test_a_running_node_replaces_a_dead_runner(quick_runner, start_node, addresses, docker, models):
    node = start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(UPSCALE))
    node.says("Livepeer Running")
    docker.kill("upscale_org-model_8300")
    node.says("Container was kept warm, restarting")
    eventually(lambda: len(docker.created) == 2 and docker.containers)
    assert node.running


def test_a_cold_model_starts_no_container(quick_runner, start_node, addresses, docker, models):
    cold = [{**UPSCALE[0], "warm": False, "optimization_flags": {"SFAST": True}}]
    node = start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(cold))
    node.says("Livepeer Running")
    assert docker.created == []
    assert "has 'optimization_flags' set without 'warm'" in node.log


def test_models_without_a_worker_lift_the_demand_for_a_secret(start_node, addresses):
    node = start_node("-orchestrator", *addresses["flags"], "-aiModels", "upscale:a/b:true")
    node.says("Running an orchestrator in AI External Container mode")
    node.says("Livepeer Running in Orchestrator Mode")


@pytest.fixture
def silent_port():
    """A port that is taken and answers nothing: a free one might become the node's own."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_service_address_nobody_reaches_ends_with_0(start_node, addresses, silent_port):
    arguments = (
        "-orchestrator",
        "-orchSecret",
        "x",
        "-serviceAddr",
        f"127.0.0.1:{silent_port}",
        "-httpAddr",
        f"127.0.0.1:{addresses['service']}",
        "-cliAddr",
        f"127.0.0.1:{addresses['cli']}",
    )
    ends(start_node(*arguments), 0, "Orchestrator not available at https://127.0.0.1:")
    node = start_node(*arguments, "-startupAvailabilityCheck=false")
    node.says("Livepeer Running")
    assert eventually(lambda: listens(addresses["service"]))
    assert node.terminate() == 0


def test_an_http_service_address_needs_an_http_listener(start_node, addresses):
    port = addresses["service"]
    node = start_node(
        "-orchestrator",
        "-orchSecret",
        "x",
        "-serviceAddr",
        f"http://127.0.0.1:{port}",
        "-httpAddr",
        f"http://127.0.0.1:{port}",
        "-cliAddr",
        f"127.0.0.1:{addresses['cli']}",
    )
    node.says("Listening for RPC on http://")
    assert node.terminate() == 0


# --- ports that are taken --------------------------------------------------------------------------------------
@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_taken_service_port_ends_with_2(start_node, addresses, taken):
    ends(
        start_node(
            "-orchestrator",
            "-orchSecret",
            "x",
            "-serviceAddr",
            taken,
            "-httpAddr",
            taken,
            "-cliAddr",
            f"127.0.0.1:{addresses['cli']}",
        ),
        2,
        "Error starting Transcoder node",
    )


def test_a_taken_cli_port_ends_with_0(start_node, taken):
    ends(start_node("-gateway", "-cliAddr", taken), 0, "CLI webserver shut down")


@pytest.mark.parametrize("flag", ["-httpAddr", "-rtmpAddr"])
def test_a_taken_gateway_port_ends_with_0(start_node, taken, flag):
    free = {name: f"127.0.0.1:{free_port()}" for name in ("-httpAddr", "-rtmpAddr", "-cliAddr")}
    arguments = [word for pair in {**free, flag: taken}.items() for word in pair]
    ends(start_node("-gateway", *arguments), 0, "Error from media server")


# --- gateways --------------------------------------------------------------------------------------------------
@pytest.fixture
def start_gateway(start_node, tmp_path):
    def start(*arguments, host="127.0.0.1"):
        port = free_port()
        node = start_node(
            "-gateway",
            "-httpAddr",
            f"{host}:{port}",
            "-cliAddr",
            f"127.0.0.1:{free_port()}",
            "-rtmpAddr",
            f"127.0.0.1:{free_port()}",
            "-dataDir",
            tmp_path / "gateway",
            "-orchAddr",
            "127.0.0.1:1",
            *arguments,
        )
        node.says("Livepeer Running in Gateway Mode")
        return node, port

    return start


def status_of(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    return connection.getresponse().status


@pytest.mark.parametrize(
    ("host", "arguments", "ingest"),
    [
        ("127.0.0.1", (), True),
        ("0.0.0.0", (), False),
        ("0.0.0.0", ("-httpIngest",), True),
        ("127.0.0.1", ("-httpIngest=false",), False),
        ("0.0.0.0", ("-authWebhookUrl", "http://127.0.0.1:1/auth"), True),
    ],
)
def test_http_ingest(start_gateway, host, arguments, ingest):
    node, port = start_gateway(*arguments, host=host)
    assert status_of(port, "/healthz") == 200
    assert (status_of(port, "/text-to-image") != 404) is ingest
    assert ("HTTP ingest is disabled" in node.log) is (not ingest and not arguments)
    assert node.terminate() == 0


def test_orchestrator_and_gateway_together_are_an_orchestrator(start_node, addresses):
    node = start_node("-orchestrator", "-gateway", "-orchSecret", "x", *addresses["flags"])
    node.says("Livepeer Running in Orchestrator Mode")


def test_a_remote_worker_opens_only_its_cli_port(start_node, addresses, docker):
    docker.images.add(LATEST)
    node = start_node(
        "-aiWorker",
        "-aiModels",
        "upscale:a/b:false",
        "-orchSecret",
        "x",
        "-orchAddr",
        "127.0.0.1:1",
        *addresses["flags"],
    )
    node.says("Livepeer Running in AI Worker Mode")
    assert listens(addresses["cli"]) and not listens(addresses["service"])
    node.says("Unregistering AI worker: ")
    assert node.log.count("Registering AI worker to 127.0.0.1:1") and node.running


def orchestrator_info(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    connection.request("GET", "/_lab/orchestrator-info")
    return json.loads(connection.getresponse().read())


def offered(port):
    constraints = orchestrator_info(port)["capabilities"].get("constraints", {})
    return constraints.get("PerCapability", {}).get("30", {}).get("models", {})


@pytest.fixture
def lone_orchestrator(start_node, addresses, tmp_path):
    """An orchestrator without a worker of its own, and the flags of a worker that wants to join it."""
    data = tmp_path / "orchestrator"
    node = start_node("-orchestrator", "-orchSecret", "x", "-dataDir", data, *addresses["flags"])
    node.says("Livepeer Running in Orchestrator Mode")
    join = ("-aiWorker", "-orchAddr", f"127.0.0.1:{addresses['service']}", "-serviceAddr", "worker-1")
    return node, (*join, "-dataDir", tmp_path / "worker", "-cliAddr", f"127.0.0.1:{free_port()}")


def test_a_remote_worker_is_offered_by_its_orchestrator_while_it_is_there(
    quick_runner, start_node, lone_orchestrator, addresses, docker, models
):
    _orchestrator, join = lone_orchestrator
    worker = start_node(*join, "-orchSecret", "x", "-aiModels", models(UPSCALE))
    eventually(lambda: offered(addresses["service"]) == {"org/model": {"warm": True, "capacity": 1}})
    assert docker.created[0][1]["Labels"]["creator_id"] == "worker-1"
    worker.terminate()
    eventually(lambda: offered(addresses["service"]) == {})


def test_a_remote_worker_with_the_wrong_secret_stays_and_does_nothing(start_node, lone_orchestrator, addresses, docker):
    docker.images.add(LATEST)
    _orchestrator, join = lone_orchestrator
    worker = start_node(*join, "-orchSecret", "y", "-aiModels", "upscale:a/b:false")
    worker.says("Terminating AI Worker because of invalid secret")
    assert worker.running and offered(addresses["service"]) == {}


def test_a_live_model_of_a_remote_worker_ends_the_orchestrator_that_is_asked(
    start_node, lone_orchestrator, addresses, docker
):
    docker.images.add("livepeer/ai-runner:live-app-noop")
    orchestrator, join = lone_orchestrator
    worker = start_node(*join, "-orchSecret", "x", "-aiModels", "live-video-to-video:noop:false")
    worker.says("Livepeer Running in AI Worker Mode")

    def asked_until_it_ends():
        try:
            orchestrator_info(addresses["service"])
        except (OSError, http.client.HTTPException):
            return not orchestrator.running
        return False

    eventually(asked_until_it_ends)
    assert orchestrator.wait() == 2


# --- live pipelines --------------------------------------------------------------------------------------------
def test_a_live_pipeline_without_an_image_ends_with_0(start_node, addresses, models):
    live = [{"pipeline": "live-video-to-video", "model_id": "my-pipeline", "warm": True}]
    node = start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(live))
    ends(node, 0, "container: no container image found for live pipeline my-pipeline")


def test_an_external_live_pipeline_needs_no_image(start_node, addresses, models):
    runner = FakeRunner(pipeline="live-video-to-video", model_id="my-pipeline")
    live = [{"pipeline": "live-video-to-video", "model_id": "my-pipeline", "url": f"http://127.0.0.1:{runner.port}"}]
    try:
        node = start_node("-orchestrator", "-aiWorker", *addresses["flags"], "-aiModels", models(live))
        node.says("Livepeer Running in Orchestrator Mode")
        constraints = orchestrator_info(addresses["service"])["capabilities"]["constraints"]["PerCapability"]
    finally:
        runner.close()
    assert constraints == {"35": {"models": {"my-pipeline": {"runnerVersion": "0.14.1"}}}}
    assert "Error ensuring AI worker image available for live-video-to-video" in node.log
