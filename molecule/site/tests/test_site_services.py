"""One declaration, two hosts and two routes: what concerns more than one host."""

from __future__ import annotations

from byoctest import BOOKWORM, CONTAINER, TRIXIE, answered, offered
from labtest import wait_until


def test_two_hosts_offer_the_same_name(orch_trixie, orch_bookworm, playbook):
    """And the word `route` moves a service there and back while its container runs on."""
    container = orch_bookworm.check_output("docker inspect --format '{{.Id}}' %s", CONTAINER)
    services = ["{{ lab_embeddings | combine({'route': 'byoc'}) }}"]
    for name in ("byoc", "live_runner"):
        run = playbook(name, "--limit", "orch-bookworm", livepeer_services=services)
        assert run.code == 0, run.output
    assert answered(url=TRIXIE) and answered(url=BOOKWORM)
    # One host's trouble is not the other's.
    orch_bookworm.check_output("docker pause %s", CONTAINER)
    try:
        wait_until(lambda: not offered(url=BOOKWORM), 30, "unregistered capability on one host")
        assert offered(url=TRIXIE)
    finally:
        orch_bookworm.check_output("docker unpause %s", CONTAINER)
    for name in ("byoc", "live_runner"):
        run = playbook(name, "--limit", "orch-bookworm")
        assert run.code == 0, run.output
    assert not offered(url=BOOKWORM)
    assert orch_bookworm.check_output("docker inspect --format '{{.Id}}' %s", CONTAINER) == container
