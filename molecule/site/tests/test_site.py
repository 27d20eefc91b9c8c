"""After playbooks/site.yml: what the report says is so, and a second run has nothing to do."""

from __future__ import annotations

import json

from labtest import LAB, ROOT
from PIL import Image

RESULTS = ROOT / "build" / LAB


def started(host, unit: str) -> str:
    """When a unit was last started: it changes with every restart."""
    return host.check_output("systemctl show --property=ActiveEnterTimestampMonotonic --value %s", unit)


def containers(host) -> str:
    return host.check_output("docker ps --quiet --no-trunc | sort")


def test_second_run_changes_nothing_and_asks_the_hub_for_nothing(hub, playbook, orch_bookworm, orch_trixie, gateway):
    def state() -> list[str]:
        return [
            started(orch_bookworm, "livepeer-orchestrator"),
            started(orch_trixie, "livepeer-orchestrator"),
            started(gateway, "livepeer-gateway"),
            containers(orch_bookworm),
            containers(orch_trixie),
        ]

    before = state()
    run = playbook("site")
    assert run.code == 0, run.output
    assert run.changed == 0, run.output
    assert hub.stats()["total"] == 0, hub.stats()["log"]
    assert state() == before


def test_check_mode_of_a_second_run_predicts_nothing(hub, playbook):
    run = playbook("site", "--check")
    assert run.code == 0, run.output
    assert run.changed == 0, run.output


def test_report_has_every_host_and_no_failure():
    report = json.loads((RESULTS / "report.json").read_text(encoding="utf-8"))
    results = report["results"]
    assert {result["host"] for result in results} >= {"orch-bookworm", "orch-trixie", "gateway"}
    assert [result for result in results if result["status"] == "failed"] == []
    assert all(result["sentence"] and result["seconds"] >= 0 for result in results)
    passed = {result["check"] for result in results if result["status"] == "passed"}
    assert {"runner_health", "gateway_request"} <= passed


def test_picture_opens_at_the_size_that_was_asked_for():
    pictures = list(RESULTS.rglob("*.png"))
    assert pictures
    with Image.open(pictures[0]) as picture:
        picture.load()
        assert picture.size == (768, 512)
        assert len(picture.getcolors(maxcolors=1 << 24)) > 100, "an empty canvas is no picture"


def test_no_secret_in_the_report(orch_bookworm, orch_trixie):
    """The nodes' own secrets, as they lie on the hosts, are in nothing that a run leaves on the controller."""
    secrets = [
        host.file("/etc/livepeer/orchestrator/orch_secret").content_string.strip()
        for host in (orch_bookworm, orch_trixie)
    ]
    assert all(len(secret) >= 32 for secret in secrets) and len(set(secrets)) == 2
    for path in RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert [secret for secret in secrets if secret in text] == []
