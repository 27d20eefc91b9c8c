"""A gateway that only its own host reaches, and what it takes to let others in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from labtest import (
    ROOT,
    SUBNET,
    arguments_of,
    assert_confined,
    listeners_of,
    process_of,
    status_code,
    status_of,
    wait_until,
)

UNIT = "livepeer-gateway"
CONFIG = "/etc/livepeer/gateway"
DATA = "/var/lib/livepeer/gateway"
LOCAL = "http://127.0.0.1:9935"
PUBLIC = f"http://{SUBNET}.31:9935"
ROUTES = [
    "audio-to-text",
    "image-to-image",
    "image-to-text",
    "image-to-video",
    "llm",
    "segment-anything-2",
    "text-to-image",
    "text-to-speech",
    "upscale",
]


def test_unit_is_up_now_and_after_a_reboot(gateway):
    assert gateway.service(UNIT).is_running
    assert gateway.service(UNIT).is_enabled
    assert gateway.check_output("systemctl show --property=NRestarts --value %s", UNIT) == "0"


def test_runs_as_a_user_without_docker(gateway):
    user = gateway.user("livepeer")
    assert user.shell == "/usr/sbin/nologin"
    status = status_of(gateway, process_of(gateway, UNIT))
    assert set(status["Uid"].split()) == {str(user.uid)}
    assert str(gateway.group("docker").gid) not in status["Groups"].split(), "whoever has Docker is root"


def test_process_is_confined(gateway):
    assert_confined(gateway, UNIT, DATA)


def test_command_line_is_a_path(gateway):
    arguments = arguments_of(gateway, process_of(gateway, UNIT))
    assert arguments[-2:] == ["-config", f"{CONFIG}/livepeer.conf"]


def test_who_may_read_its_files(gateway):
    found = {
        path: access
        for access, path in (
            line.split(maxsplit=1)
            for line in gateway.check_output(f"find {CONFIG} {DATA} -printf '%m-%u-%g %p\\n'").splitlines()
        )
    }
    assert found[CONFIG] == "750-root-livepeer"
    assert found[f"{CONFIG}/livepeer.conf"] == "640-root-livepeer"
    assert found[f"{CONFIG}/secrets.env"] == "600-root-root"
    assert found[DATA] == "750-livepeer-livepeer"
    assert f"{CONFIG}/candidate" not in found


def test_data_is_its_own(gateway):
    """go-livepeer would otherwise share ~/.lpData with an orchestrator on the same host, and lose."""
    assert gateway.file(f"{DATA}/lpdb.sqlite3").user == "livepeer"
    assert f"dataDir {DATA}" in gateway.file(f"{CONFIG}/livepeer.conf").content_string.splitlines()


def test_only_its_own_host_reaches_it(gateway, orch_bookworm):
    sockets = listeners_of(gateway, process_of(gateway, UNIT))
    assert sockets == {"127.0.0.1:9935", "127.0.0.1:5935", "127.0.0.1:1935"}
    assert status_code(gateway, f"{LOCAL}/healthz") == "200"
    assert status_code(orch_bookworm, f"{PUBLIC}/healthz") == "000"


def test_every_pipeline_has_its_route(gateway):
    """Without ingest each of them is 404, and /healthz is 200 all the same."""
    assert status_code(gateway, f"{LOCAL}/no-such-pipeline") == "404"
    assert {route: status_code(gateway, f"{LOCAL}/{route}") for route in ROUTES} == dict.fromkeys(ROUTES, "200")


# Changes and refusals


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"gateway_http_addr": "0.0.0.0:9935"}, "gateway_public_ok"),
        ({"gateway_http_addr": "0.0.0.0:9935", "gateway_public_ok": True}, "gateway_allowed_sources"),
        (
            {
                "gateway_http_addr": "0.0.0.0:9935",
                "gateway_public_ok": True,
                "gateway_allowed_sources": ["clients.example.org"],
            },
            "clients.example.org",
        ),
        ({"gateway_orchestrators": []}, "gateway_orchestrators is empty"),
    ],
    ids=["not acknowledged", "nobody named", "a name for an address", "no orchestrators"],
)
def test_refusal_names_what_is_wrong_and_touches_nothing(playbook, gateway, variables, words):
    before = process_of(gateway, UNIT)
    run = playbook("gateway", **variables)
    assert run.code != 0
    assert words in " ".join(run.output.split())
    assert run.changed == 0
    assert process_of(gateway, UNIT) == before


@pytest.fixture
def public(playbook, gateway) -> Iterator[None]:
    """A gateway on all interfaces that one of the two other hosts may use; the declared one returns afterwards."""
    run = playbook(
        "gateway",
        gateway_http_addr="0.0.0.0:9935",
        gateway_public_ok=True,
        gateway_allowed_sources=[f"{SUBNET}.21", "2001:db8::/32"],
        # The same release from the controller is the same binary.
        gateway_binary_src=str(ROOT / "build/node/livepeer-linux-amd64.tar.gz"),
        gateway_binary_url="",
    )
    try:
        assert run.code == 0, run.output
        yield
    finally:
        run = playbook("gateway")
        assert run.code == 0, run.output


def is_filtered(host) -> bool:
    return "livepeer_gateway" in host.check_output("nft list tables")


def test_public_gateway_lets_in_whom_it_names(public, gateway, orch_bookworm, orch_trixie):
    assert is_filtered(gateway)
    assert "0.0.0.0:9935" in listeners_of(gateway, process_of(gateway, UNIT))
    assert status_code(orch_bookworm, f"{PUBLIC}/healthz") == "200"
    assert status_code(orch_trixie, f"{PUBLIC}/healthz") == "000"
    assert status_code(gateway, f"{LOCAL}/healthz") == "200"
    assert status_code(gateway, f"{PUBLIC}/healthz") == "200"
    # What is not the gateway's stays as it was, and so does the way in.
    assert orch_trixie.run("timeout 3 bash -c %s", f"</dev/tcp/{SUBNET}.31/22").rc == 0
    assert len(gateway.file("/opt/livepeer").listdir()) == 1

    gateway.check_output("systemctl restart %s", UNIT)
    wait_until(lambda: status_code(orch_bookworm, f"{PUBLIC}/healthz") == "200", 30, "answer after a restart")
    assert is_filtered(gateway)
    assert status_code(orch_trixie, f"{PUBLIC}/healthz") == "000"

    gateway.check_output("systemctl stop %s", UNIT)
    assert not is_filtered(gateway)


def test_gateway_that_is_not_public_any_more_is_closed(gateway, orch_bookworm):
    assert not is_filtered(gateway)
    assert status_code(orch_bookworm, f"{PUBLIC}/healthz") == "000"
    assert status_code(gateway, f"{LOCAL}/healthz") == "200"
