"""What the role leaves on hosts that serve, and what it says about hosts that do not."""

from __future__ import annotations

import json

import pytest

REPORT = "/var/lib/livepeer/verification/report.json"
MEDIA = "/var/lib/livepeer/verification/media"


def results_of(host) -> list[dict]:
    return json.loads(host.file(REPORT).content_string)["results"]


def statuses(results: list[dict]) -> dict[str, str]:
    return {result["check"]: result["status"] for result in results}


@pytest.mark.parametrize("name", ["orch_bookworm", "orch_trixie", "gateway"])
def test_report_is_for_everybody_to_read(name, request):
    report = request.getfixturevalue(name).file(REPORT)
    assert (report.mode, report.user) == (0o644, "root")


@pytest.mark.parametrize("name", ["orch_bookworm", "orch_trixie"])
def test_orchestrators_serve(name, request):
    found = statuses(results_of(request.getfixturevalue(name)))
    assert found == dict.fromkeys(("service_address", "node_status", "runner_health", "runner_request"), "passed")


def test_gateway_answers(gateway):
    results = results_of(gateway)
    assert [result for result in results if result["status"] == "failed"] == []
    assert {"gateway_request", "answering_orchestrator", "node_status"} <= set(statuses(results))
    pictures = gateway.check_output(f"ls {MEDIA}").split()
    assert any(name.endswith(".png") for name in pictures)


def test_stopped_gateway_is_told_from_the_rest(gateway, playbook):
    gateway.check_output("systemctl stop livepeer-gateway")
    try:
        run = playbook("verify", "--limit", "gateways")
        assert run.code != 0
        # The table wraps its sentences.
        words = " ".join(run.output.split())
        assert "The gateway gives no answer: the connection to 127.0.0.1:9935 was refused." in words
        assert statuses(results_of(gateway))["gateway_request"] == "failed"
    finally:
        gateway.check_output("systemctl start livepeer-gateway")


def test_gateway_without_ingest_is_told_by_name(gateway, playbook):
    """Asked on its CLI port a node has no AI routes at all, as a gateway has none without ingest."""
    run = playbook("verify", "--limit", "gateways", verification_gateway_url="http://127.0.0.1:5935")
    assert run.code != 0
    assert "no gateway's HTTP port" in " ".join(run.output.split())


def test_check_run_sends_nothing_and_never_fails(gateway, playbook):
    before = gateway.file(REPORT).content_string
    gateway.check_output("systemctl stop livepeer-gateway")
    try:
        run = playbook("verify", "--limit", "gateways", "--check")
        assert run.code == 0, run.output
        assert gateway.file(REPORT).content_string == before
    finally:
        gateway.check_output("systemctl start livepeer-gateway")
