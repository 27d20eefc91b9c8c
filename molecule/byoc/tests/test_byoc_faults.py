"""What a night shift meets: each fault, and the capability back on the network without anybody's help.

A capability is back when the orchestrator offers it and a job is answered, seen with requests of the test's own. The
times of return are printed (`molecule ... -- -s` or a failure shows them) and limited by what the role promises.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from byoctest import CONTAINER, NAME, TRIXIE, answered, job, offered, status
from labtest import process_of, run_playbook, wait_until

ORCHESTRATOR = "livepeer-orchestrator.service"
REGISTRAR = "livepeer-byoc-registrar.service"
# The promise: back on the network so many seconds after the side that was gone answers again.
BACK = 15


def capability(host, name: str = NAME) -> dict:
    return status(host)["capabilities"].get(name, {})


def registrations(host, name: str = NAME) -> int:
    return capability(host, name)["registrations"]


def healthy(host) -> bool:
    return host.run("curl --silent --fail --max-time 2 http://127.0.0.1:8600/health").rc == 0


def orchestrator_answers(url: str = TRIXIE) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2, verify=False).ok
    except requests.RequestException:
        return False


def seconds_until_back(what: str, limit: float = BACK, **where) -> None:
    seconds = wait_until(lambda: offered(**where) and answered(**where), limit, f"answered job after {what}")
    print(f"{what}: back after {seconds:.1f} s")


@pytest.fixture(autouse=True)
def registered(orch_trixie) -> Iterator[None]:
    """Every fault begins and ends with the capability on the network."""
    wait_until(lambda: offered() and answered(), 60, "registered capability before the fault")
    yield
    wait_until(lambda: offered() and answered(), 60, "registered capability after the fault")


def test_restarted_orchestrator_has_it_back(orch_trixie):
    orch_trixie.check_output("systemctl restart %s", ORCHESTRATOR)
    wait_until(orchestrator_answers, 120, "orchestrator after its restart")
    seconds_until_back("a restart of the orchestrator")


def test_killed_orchestrator_has_it_back(orch_trixie):
    orch_trixie.check_output("kill -9 %s", process_of(orch_trixie, ORCHESTRATOR))
    time.sleep(1)
    wait_until(orchestrator_answers, 120, "orchestrator after it was killed")
    seconds_until_back("a killed orchestrator")


def test_container_that_dies_is_back(orch_trixie):
    """As the kernel does when memory is out: the service's process is killed, whoever waits for an answer."""
    process = orch_trixie.check_output("docker inspect --format '{{.State.Pid}}' %s", CONTAINER)
    orch_trixie.check_output("kill -9 %s", process)
    wait_until(lambda: healthy(orch_trixie), 60, "container after it was killed")
    seconds_until_back("a killed container")


def test_container_that_hangs_is_taken_off_and_put_back(orch_trixie):
    orch_trixie.check_output("docker pause %s", CONTAINER)
    try:
        wait_until(lambda: not offered(), 30, "unregistered capability while the container hangs")
        wait_until(lambda: capability(orch_trixie)["state"] == "unhealthy", 5, "state unhealthy")
    finally:
        orch_trixie.check_output("docker unpause %s", CONTAINER)
    seconds_until_back("a container that hung")


def test_registrar_that_is_killed_takes_over_what_is_there(orch_trixie):
    """Registering again would set the node's count of running jobs to zero."""
    before = process_of(orch_trixie, REGISTRAR)
    orch_trixie.check_output("kill -9 %s", before)
    wait_until(lambda: process_of(orch_trixie, REGISTRAR) not in (before, "0"), 20, "new process of the registrar")
    wait_until(lambda: capability(orch_trixie).get("registered"), BACK, "capability in the registrar's status")
    assert offered()
    assert registrations(orch_trixie) == 0


def test_jobs_during_a_restart_of_the_registrar_are_not_lost(orch_trixie):
    restarted = threading.Event()

    def restart() -> None:
        orch_trixie.check_output("systemctl restart %s", REGISTRAR)
        restarted.set()

    with ThreadPoolExecutor(max_workers=50) as pool:
        threading.Thread(target=restart).start()
        answers = list(pool.map(lambda _: job(timeout=60), range(50)))
    assert restarted.wait(60)
    # The service itself refuses what is beyond its capacity with 503; nothing else may happen to a job.
    codes = {answer.status_code for answer in answers}
    assert codes <= {200, 503}, codes
    assert 200 in codes
    assert offered()


def test_orchestrator_that_is_gone_for_a_minute(orch_trixie):
    orch_trixie.check_output("systemctl stop %s", ORCHESTRATOR)
    time.sleep(60)
    assert capability(orch_trixie)["state"] == "unreachable"
    orch_trixie.check_output("systemctl start %s", ORCHESTRATOR)
    wait_until(orchestrator_answers, 120, "orchestrator after a minute")
    seconds_until_back("a minute without the orchestrator")


def test_secret_that_changed_is_picked_up(orch_trixie):
    """A wrong secret is 400 and not 401; systemd hands the registrar the current one at its next start."""
    secret = "/etc/livepeer/orchestrator/orch_secret"
    orch_trixie.check_output("cp --preserve %s /root/orch_secret", secret)
    try:
        # The node has the new one, and the registrar still the old.
        orch_trixie.check_output("echo another-secret-of-some-length-0123456789 > %s", secret)
        orch_trixie.check_output("systemctl restart %s", ORCHESTRATOR)
        wait_until(orchestrator_answers, 120, "orchestrator with another secret")
        wait_until(lambda: offered() and answered(), 30, "capability that was registered with the new secret")
        said = orch_trixie.check_output("journalctl --unit %s --no-pager --lines 200", REGISTRAR)
        assert "refuses the secret" in said, said
        assert "another-secret" not in said
    finally:
        orch_trixie.check_output("cp --preserve /root/orch_secret %s && rm /root/orch_secret", secret)
        orch_trixie.check_output("systemctl restart %s", ORCHESTRATOR)
        wait_until(orchestrator_answers, 120, "orchestrator with its own secret")


def declare(*changes: dict):
    """playbooks/byoc.yml with other declarations of the lab's service."""
    changes = [{"route": "byoc"} | change for change in changes]
    services = [f"{{{{ lab_embeddings | combine({json.dumps(change)}) }}}}" for change in changes]
    return run_playbook("byoc", "--limit", "orch-trixie", livepeer_services=services)


@pytest.fixture(scope="module")
def changes_of_declarations() -> Iterator[None]:
    """What is declared otherwise stays so until the last test that changes it; each run takes its time."""
    yield
    declare({})


def container_id(host, name: str = CONTAINER) -> str:
    return host.run("docker inspect --format '{{.Id}}' %s", name).stdout.strip()


@pytest.mark.usefixtures("changes_of_declarations")
class TestDeclarations:
    def test_price_changes_without_a_restart(self, orch_trixie):
        registrar, container = process_of(orch_trixie, REGISTRAR), container_id(orch_trixie)
        before = registrations(orch_trixie)
        run = declare({"price_per_unit": 3, "price_scaling": 2})
        assert run.code == 0, run.output
        # Off the chain the node tells no price. What the registrar counts is the witness, when it has written it down.
        assert capability(orch_trixie)["registered"]
        wait_until(lambda: registrations(orch_trixie) > before, BACK, "registration at another price")
        assert process_of(orch_trixie, REGISTRAR) == registrar
        assert container_id(orch_trixie) == container

    def test_renamed_capability_replaces_the_old_one_and_leaves_with_the_last(self, orch_trixie):
        renamed = "renamed-embeddings"
        run = declare({"name": renamed})
        assert run.code == 0, run.output
        assert not offered()
        assert offered(renamed) and answered(renamed)
        assert container_id(orch_trixie) == ""
        assert container_id(orch_trixie, f"livepeer-service-{renamed}")

        # Nothing is declared any more.
        run = declare()
        assert run.code == 0, run.output
        assert not offered(renamed)
        assert container_id(orch_trixie, f"livepeer-service-{renamed}") == ""
        for name in (NAME, renamed):
            assert not orch_trixie.file(f"/etc/livepeer/services/{name}").exists
        assert orch_trixie.check_output("docker images --quiet 'livepeer-service/*'") == ""

        run = declare({})
        assert run.code == 0, run.output

    def test_token_that_the_service_does_not_know(self, orch_trixie):
        """A worker's 401 makes go-livepeer drop the capability; the registrar puts it back, and says so."""
        run = declare({"token": "the-token-of-the-test"})
        assert run.code == 0, run.output
        assert answered()
        # The service reads its token at the start.
        token_file = f"/etc/livepeer/services/{NAME}/bearer_token"
        orch_trixie.check_output("echo another > %s", token_file)
        orch_trixie.check_output("docker restart %s", CONTAINER)
        wait_until(lambda: healthy(orch_trixie) and offered(), 60, "registered capability with another token")
        before = registrations(orch_trixie)
        answer = job()
        assert answer.status_code == 500 and "removing capability" in answer.text, answer.text
        wait_until(lambda: registrations(orch_trixie) > before, BACK, "new registration after the worker's 401")
        assert offered()
        said = orch_trixie.check_output("journalctl --unit %s --no-pager --lines 50", REGISTRAR)
        assert "the orchestrator had dropped it" in said, said
        # The role puts the token back.
        run = declare({"token": "the-token-of-the-test"})
        assert run.code == 0, run.output
        assert answered()

    def test_service_that_does_not_come_up_leaves_the_one_that_served(self, orch_trixie):
        run = declare({"env": {"MAX_QUEUE": "many"}, "start_timeout": 8})
        assert run.code != 0
        assert "is back and serves" in run.output, run.output
        # With the token that it had, which the failed one was not declared with.
        wait_until(lambda: offered() and answered(), BACK, "answered job of the service that was put back")
