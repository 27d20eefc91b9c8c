"""What the role leaves on hosts that serve, and what it says about hosts that do not."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator

import pytest
from labtest import answers, lab_host, wait_until
from PIL import Image

REPORT = "/var/lib/livepeer/verification/report.json"
MEDIA = "/var/lib/livepeer/verification/media"
REALVIS = "text-to-image SG161222/RealVisXL_V4.0_Lightning"
BLIP = "image-to-text Salesforce/blip-image-captioning-large"
HOSTS = ["orch-bookworm", "orch-trixie", "gateway"]


def results_of(host) -> list[dict]:
    return json.loads(host.file(REPORT).content_string)["results"]


def statuses(results: list[dict]) -> dict[str, str]:
    return {result["check"]: result["status"] for result in results}


def of_subject(results: list[dict], subject: str) -> dict[str, str]:
    """The statuses of the checks of one model."""
    return statuses([result for result in results if result["subject"].startswith(subject)])


@pytest.mark.parametrize("name", HOSTS)
def test_report_is_for_everybody_to_read(name):
    report = lab_host(name).file(REPORT)
    assert (report.mode, report.user) == (0o644, "root")


@pytest.mark.parametrize("name", HOSTS)
def test_every_check_says_what_it_found_and_what_to_do(name):
    results = results_of(lab_host(name))
    assert results
    for result in results:
        assert set(result) == {"check", "subject", "status", "sentence", "seconds", "remedy", "host"}
        assert result["host"] == name
        assert result["status"] in ("passed", "failed", "unknown")
        assert result["sentence"].endswith(".")
        assert isinstance(result["seconds"], float)
        assert result["remedy"] or result["status"] == "passed"


@pytest.mark.parametrize("name", ["orch-bookworm", "orch-trixie"])
def test_orchestrators_serve(name):
    found = statuses(results_of(lab_host(name)))
    assert found == dict.fromkeys(
        (
            *("service_address", "node_status", "runner_health", "runner_request"),
            *("service_health", "capability_offered", "service_request"),
        ),
        "passed",
    )


def test_gateway_answers_from_the_orchestrator_that_was_meant(gateway):
    results = results_of(gateway)
    for model in (REALVIS, BLIP):
        assert of_subject(results, model) == {"gateway_request": "passed", "answering_orchestrator": "passed"}


def test_picture_opens_at_the_size_that_was_asked_for(gateway):
    (path,) = gateway.check_output(f"ls {MEDIA}/*.png").split()
    with Image.open(io.BytesIO(gateway.file(path).content)) as picture:
        picture.load()
        assert picture.size == (768, 512)
        assert len(picture.getcolors(maxcolors=1 << 24)) > 100, "an empty canvas is no picture"


def test_caption_is_a_text(gateway):
    (path,) = gateway.check_output(f"ls {MEDIA}/*.txt").split()
    assert len(gateway.file(path).content_string.split()) >= 3


# Services of one's own

SERVICE = "sentence-embeddings"
CONTAINER = f"livepeer-service-{SERVICE}"
HEALTH = "http://127.0.0.1:8600/health"
ROUTES = [("orch-trixie", "byoc"), ("orch-bookworm", "live_runner")]


@pytest.mark.parametrize(("name", "route"), ROUTES)
def test_service_is_proven_by_its_own_route(name, route):
    found = of_subject(results_of(lab_host(name)), f"{route} {SERVICE}")
    assert found == dict.fromkeys(("service_health", "capability_offered", "service_request"), "passed")


def test_restarted_service_is_honest_and_comes_back(playbook):
    """Containers first, then the orchestrators; what is measured is in the report."""
    run = playbook("../molecule/verification/service_start", verification_service_restart=True)
    assert run.code == 0, run.output
    for name, route in ROUTES:
        results = [one for one in results_of(lab_host(name)) if one["subject"].startswith(f"{route} {SERVICE}")]
        (start,) = [one for one in results if one["check"] == "service_start"]
        assert "answered a request at once" in start["sentence"]
        for what in ("its container", "the orchestrator"):
            after = [one for one in results if one["subject"].endswith(f"after a restart of {what}")]
            assert statuses(after) == dict.fromkeys(("capability_offered", "service_request"), "passed")


@pytest.fixture(params=ROUTES, ids=lambda param: param[1])
def without_service(request) -> Iterator[tuple]:
    """The container of one of the two hosts is stopped, and whoever looks after it has seen that."""
    host, route = lab_host(request.param[0]), request.param[1]
    host.check_output("docker stop %s", CONTAINER)
    time.sleep(20)
    yield host, request.param[0], route
    host.check_output("docker start %s", CONTAINER)
    wait_until(lambda: answers(host, HEALTH), 60, "healthy service")
    time.sleep(20)


def test_stopped_service_is_told(without_service, playbook):
    host, name, route = without_service
    run = playbook("verify", "--limit", name, verification_service_timeout=1)
    assert run.code != 0
    failed = {
        one["check"]: one["sentence"]
        for one in results_of(host)
        if one["subject"].startswith(f"{route} {SERVICE}") and one["status"] == "failed"
    }
    assert set(failed) == {"service_health", "capability_offered", "service_request"}
    assert "refused" in failed["service_health"]
    told = {"byoc": "does not know the capability", "live_runner": "no healthy live runner"}
    assert told[route] in failed["service_request"]


def test_job_through_the_gateway_off_chain_is_told_why_it_cannot_be(gateway, orch_trixie, playbook):
    """An answer of go-livepeer itself: its gateway signs with nothing, off chain, and no orchestrator takes that."""
    run = playbook(
        "verify",
        "--limit",
        "gateway",
        verification_services="{{ hostvars['orch-trixie'].livepeer_services }}",
        verification_services_network="arbitrum-one-mainnet",
        verification_services_checks=["service_request"],
    )
    assert run.code != 0
    assert "The gateway is off chain" in " ".join(run.output.split())


# What it says when something is wrong


@pytest.fixture
def without_blip(orch_trixie) -> Iterator[None]:
    """One of the two orchestrators is down."""
    orch_trixie.check_output("systemctl stop livepeer-orchestrator")
    yield
    orch_trixie.check_output("systemctl start livepeer-orchestrator")
    wait_until(lambda: answers(orch_trixie, "https://127.0.0.1:8935/healthz"), 60, "answer on the service port")


def test_stopped_orchestrator_is_told_and_all_else_is_checked(without_blip, gateway, orch_trixie, playbook):
    run = playbook(
        "verify", "--limit", "orch-trixie,gateway", verification_runner_timeout=3, verification_service_timeout=1
    )
    assert run.code != 0
    stopped = results_of(orch_trixie)
    failed = {result["check"]: result for result in stopped if result["status"] == "failed"}
    # The container of the service is none of the node's, and lives on.
    assert set(failed) == {"service_address", "node_status", "runner_health", "capability_offered", "service_request"}
    assert all(result["remedy"] in " ".join(run.output.split()) for result in failed.values())
    assert "journal" in failed["service_address"]["remedy"]
    asked = results_of(gateway)
    assert of_subject(asked, BLIP)["gateway_request"] == "failed"
    assert of_subject(asked, REALVIS)["gateway_request"] == "passed"


@pytest.fixture
def without_gateway(gateway) -> Iterator[None]:
    gateway.check_output("systemctl stop livepeer-gateway")
    yield
    gateway.check_output("systemctl start livepeer-gateway")
    wait_until(lambda: answers(gateway, "http://127.0.0.1:9935/healthz"), 60, "answer of the gateway")


def test_stopped_gateway_is_told_from_the_rest(without_gateway, gateway, playbook):
    run = playbook("verify", "--limit", "gateway")
    assert run.code != 0
    # The table wraps its sentences.
    words = " ".join(run.output.split())
    assert "The gateway gives no answer: the connection to 127.0.0.1:9935 was refused." in words
    assert statuses(results_of(gateway))["gateway_request"] == "failed"


def test_check_run_sends_nothing_and_never_fails(without_gateway, gateway, playbook):
    before = gateway.file(REPORT).content_string
    run = playbook("verify", "--limit", "gateway", "--check")
    assert run.code == 0, run.output
    assert gateway.file(REPORT).content_string == before


def test_gateway_without_ingest_is_told_by_name(playbook):
    """Asked on its CLI port a node has no AI routes at all, as a gateway has none without ingest."""
    run = playbook("verify", "--limit", "gateway", verification_gateway_url="http://127.0.0.1:5935")
    assert run.code != 0
    assert "no gateway's HTTP port" in " ".join(run.output.split())
