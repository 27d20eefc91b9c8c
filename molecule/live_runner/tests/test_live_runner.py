"""Live runners as clients see them, and what becomes of them when the service or the orchestrator goes.

The host on Debian 12 serves the lab's embeddings as a live runner. The one on Debian 13 serves them by BYOC, which is
the other role's business: here it is an orchestrator that has live runners and none declared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
import urllib3
from labtest import SUBNET, arguments_of, process_of, wait_until

# The node's certificate is self-signed and new at every start.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

NAME = "sentence-embeddings"
CONTAINER = f"livepeer-service-{NAME}"
UNIT = "livepeer-orchestrator"
CONFIG = "/etc/livepeer/orchestrator/live_runners.json"
BOOKWORM = f"https://{SUBNET}.21:8935"
TRIXIE = f"https://{SUBNET}.22:8935"
SERVICE = "{{ lab_embeddings | combine(%s) }}"
# The node looks at health every 5 s and gives an answer 3 s.
NOTICED = 12
BACK = 15


def listed(url: str = BOOKWORM) -> dict[str, dict]:
    """The live runners that clients find, by their label; none while the node does not answer."""
    try:
        (orchestrator,) = requests.get(f"{url}/discovery", timeout=3, verify=False).json()
    except requests.ConnectionError:
        return {}
    return {runner["url"].split("/apps/")[1].split("/")[0]: runner for runner in orchestrator.get("runners", [])}


def embed(*texts: str) -> requests.Response:
    return requests.post(f"{BOOKWORM}/apps/{NAME}/app/v1/infer", json={"texts": list(texts)}, timeout=30, verify=False)


def answered() -> bool:
    try:
        return embed("a quiet harbour").status_code == 200
    except requests.ConnectionError:
        return False


def seconds_until_back(what: str, limit: float = BACK) -> None:
    seconds = wait_until(lambda: NAME in listed() and answered(), limit, f"answered request after {what}")
    print(f"{what}: back after {seconds:.1f} s")


def container_id(host) -> str:
    return host.check_output("docker inspect --format '{{.Id}}' %s", CONTAINER)


def entry(**changes) -> list[str]:
    """The lab's declaration with changes, as a value for the role's list."""
    return [SERVICE % json.dumps({"route": "live_runner", **changes})]


@pytest.fixture
def declared(playbook) -> Iterator[None]:
    """Whatever a test declares, the inventory's own declaration is back after it."""
    yield
    run = playbook("live_runner", "--limit", "orch-bookworm")
    assert run.code == 0, run.output


def test_clients_find_it():
    (runner,) = [listed()[NAME]]
    assert runner["url"] == f"{BOOKWORM}/apps/{NAME}/app"
    assert runner["app"] == NAME
    assert runner["mode"] == "single-shot"
    assert runner["capacity"] == 2


def test_a_request_goes_through():
    answer = embed("a quiet harbour at dawn", "a busy port at noon")
    assert answer.status_code == 200
    vectors = answer.json()["embeddings"]
    assert len(vectors) == 2
    assert len(vectors[0]) == answer.json()["dimensions"] == 256
    assert vectors[0] != vectors[1]


def test_the_service_answers_for_itself():
    answer = requests.post(f"{BOOKWORM}/apps/{NAME}/app/v1/infer", json={"texts": 7}, timeout=30, verify=False)
    assert answer.status_code == 400
    assert "texts" in answer.text


def test_a_node_that_is_given_none():
    assert listed(TRIXIE) == {}
    assert requests.get(f"{TRIXIE}/discovery", timeout=3, verify=False).status_code == 200


def test_the_node_starts_with_what_it_was_told(orch_bookworm):
    arguments = arguments_of(orch_bookworm, process_of(orch_bookworm, UNIT))
    assert arguments[-2:] == ["-config", "/etc/livepeer/orchestrator/livepeer.conf"]
    assert (
        f"liveRunnerConfig {CONFIG}"
        in orch_bookworm.file("/etc/livepeer/orchestrator/livepeer.conf").content_string.splitlines()
    )
    file = orch_bookworm.file(CONFIG)
    assert (file.user, file.group, file.mode) == ("root", "livepeer", 0o640)
    (runner,) = json.loads(file.content_string)["runners"]
    assert (runner["label"], runner["routing"]) == (NAME, "label")
    assert runner["health_url"] == "http://127.0.0.1:8600/health"


def test_the_service_is_on_loopback_only(orch_bookworm):
    lines = orch_bookworm.check_output("ss --no-header --listening --tcp --numeric").splitlines()
    assert {line.split()[3] for line in lines if line.split()[3].endswith(":8600")} == {"127.0.0.1:8600"}


# What a night shift meets


def test_a_restarted_orchestrator_has_it_back(orch_bookworm):
    orch_bookworm.check_output("systemctl restart %s", UNIT)
    wait_until(lambda: orch_bookworm.run("curl -sfk %s/healthz", BOOKWORM).rc == 0, 120, "restarted orchestrator")
    seconds_until_back("a restart of the orchestrator")


def test_a_killed_service_comes_back(orch_bookworm):
    process = orch_bookworm.check_output("docker inspect --format '{{.State.Pid}}' %s", CONTAINER)
    orch_bookworm.check_output("kill -9 %s", process)
    # Docker starts it again, and the node finds it well by itself.
    wait_until(
        lambda: orch_bookworm.run("curl -sf http://127.0.0.1:8600/health").rc == 0, 60, "service that is well again"
    )
    seconds_until_back("a killed service")
    assert orch_bookworm.check_output("docker inspect --format '{{.State.Pid}}' %s", CONTAINER) != process


def test_a_hung_service_is_hidden_and_comes_back(orch_bookworm):
    orch_bookworm.check_output("docker pause %s", CONTAINER)
    try:
        seconds = wait_until(lambda: NAME not in listed(), NOTICED, "hiding of a hung service")
        print(f"a hung service: hidden after {seconds:.1f} s")
        assert embed("anybody there").status_code == 404
    finally:
        orch_bookworm.check_output("docker unpause %s", CONTAINER)
    seconds_until_back("a hung service")


# Changes


def test_what_clients_see_changes_without_a_restart(orch_bookworm, playbook, declared):
    node, container = process_of(orch_bookworm, UNIT), container_id(orch_bookworm)
    variables = {"live_runner_services": entry(version="2.0", metadata="of the test")}
    checked = playbook("live_runner", "--limit", "orch-bookworm", "--check", "--diff", **variables)
    assert '"version": "2.0"' in checked.output
    assert "version" not in listed()[NAME], "check mode tells nobody"
    run = playbook("live_runner", "--limit", "orch-bookworm", **variables)
    assert run.code == 0, run.output
    assert run.changed == checked.changed == 2, run.output
    assert (listed()[NAME]["version"], listed()[NAME]["metadata"]) == ("2.0", "of the test")
    assert (process_of(orch_bookworm, UNIT), container_id(orch_bookworm)) == (node, container)
    assert playbook("live_runner", "--limit", "orch-bookworm", **variables).changed == 0


def test_one_word_moves_a_service(orch_bookworm, playbook, declared):
    node, container = process_of(orch_bookworm, UNIT), container_id(orch_bookworm)
    run = playbook("live_runner", "--limit", "orch-bookworm", live_runner_services=entry(route="byoc"))
    assert run.code == 0, run.output
    assert f"{NAME}: hidden from clients now." in run.output
    assert listed() == {}
    assert embed("anybody there").status_code == 404
    assert json.loads(orch_bookworm.file(CONFIG).content_string) == {"runners": []}
    # Its container is the other role's now, and goes on.
    assert container_id(orch_bookworm) == container
    assert process_of(orch_bookworm, UNIT) == node


def test_what_is_declared_no_more_goes(orch_bookworm, playbook, declared):
    run = playbook("live_runner", "--limit", "orch-bookworm", live_runner_services=[])
    assert run.code == 0, run.output
    assert listed() == {}
    assert orch_bookworm.run("docker inspect %s", CONTAINER).rc != 0
    assert playbook("live_runner", "--limit", "orch-bookworm", live_runner_services=[]).changed == 0


# Refusals


def test_two_services_at_one_address_are_refused(orch_bookworm, playbook):
    second = {"name": "again", "route": "live_runner", "source": "external", "url": "http://localhost:8600"}
    run = playbook("live_runner", "--limit", "orch-bookworm", live_runner_services=[*entry(), second])
    assert run.code != 0
    assert "live_runner_services has a problem: again, url: leads to http://localhost:8600, where" in run.output
    assert run.changed == 0


def test_another_orchestrator_at_the_service_address(playbook, declared):
    run = playbook(
        "live_runner", "--limit", "orch-bookworm", live_runner_orchestrator_url=TRIXIE, live_runner_timeout=3
    )
    assert run.code != 0
    assert f"Another node answers at {TRIXIE}: it does not list {NAME}" in run.output
    assert NAME in listed(), "the right one keeps it"
    assert listed(TRIXIE) == {}


def test_an_orchestrator_that_does_not_answer(playbook):
    run = playbook("live_runner", "--limit", "orch-bookworm", live_runner_orchestrator_cli_url="http://127.0.0.1:7999")
    assert run.code != 0
    assert (
        "The CLI port http://127.0.0.1:7999 gives no answer: the connection to 127.0.0.1:7999 was refused."
        in run.output
    )
    assert run.changed == 0
