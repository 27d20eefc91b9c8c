"""What the role leaves on a host, as the host itself sees it. Faults are in test_byoc_faults.py."""

from __future__ import annotations

import json

import pytest
from byoctest import NAME, NOBODY, TRIXIE, encoded, status
from labtest import arguments_of, assert_confined, process_of, status_of

REGISTRAR = "livepeer-byoc-registrar.service"
STATE = "/var/lib/livepeer-byoc"
SECRET = "/etc/livepeer/orchestrator/orch_secret"


def curl(host, *arguments: str) -> str:
    words = ["curl", "--silent", "--insecure", "--fail", "--max-time", "20", *arguments]
    return host.check_output(" ".join(["%s"] * len(words)), *words)


def test_the_registrar_says_it_is_registered(orch_trixie):
    assert list(status(orch_trixie)["capabilities"]) == [NAME]
    entry = status(orch_trixie)["capabilities"][NAME]
    assert (entry["state"], entry["registered"], entry["healthy"]) == ("registered", True, True)
    text = orch_trixie.check_output("systemctl show --property=StatusText --value %s", REGISTRAR)
    assert text == "1 of 1 capabilities registered"


def test_the_orchestrator_says_so_too(orch_trixie):
    sender = encoded({"addr": NOBODY, "sig": ""})
    headers = ["--header", f"Livepeer-Eth-Address: {sender}", "--header", f"Livepeer-Capability: {NAME}"]
    token = json.loads(curl(orch_trixie, *headers, f"{TRIXIE}/process/token"))
    assert token["available_capacity"] >= 1


def test_a_job_is_answered(orch_trixie):
    job = {"id": "1", "request": "{}", "parameters": "{}", "capability": NAME, "sender": NOBODY, "sig": ""}
    header = encoded({**job, "timeout_seconds": 20})
    body = json.dumps({"texts": ["a quiet harbour at dawn"]})
    arguments = ["--header", f"Livepeer: {header}", "--header", "Content-Type: application/json", "--data", body]
    assert json.loads(curl(orch_trixie, *arguments, f"{TRIXIE}/process/request/v1/infer"))


def test_the_registrar_is_confined(orch_trixie):
    assert_confined(orch_trixie, REGISTRAR, STATE)
    process = process_of(orch_trixie, REGISTRAR)
    assert "0" not in status_of(orch_trixie, process)["Uid"].split()
    # A user that is in no file, and gone with the service.
    assert orch_trixie.run("grep byoc /etc/passwd").rc == 1


def test_the_secret_is_shown_nowhere(orch_trixie):
    secret = orch_trixie.check_output("cat %s", SECRET)
    process = process_of(orch_trixie, REGISTRAR)
    shown = "\n".join(arguments_of(orch_trixie, process))
    shown += orch_trixie.check_output("tr '\\0' '\\n' < /proc/%s/environ", process)
    shown += orch_trixie.check_output("journalctl --unit %s --no-pager", REGISTRAR)
    shown += orch_trixie.check_output("cat /run/livepeer-byoc/* /etc/livepeer/byoc/registrar.json")
    shown += orch_trixie.check_output("cat %s/registrations.json", STATE)
    assert secret not in shown


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/etc/livepeer/byoc/tokens.json", 0o600),
        ("/etc/livepeer/byoc/registrar.json", 0o644),
        ("/run/livepeer-byoc/status.json", 0o644),
        (f"{STATE}/registrations.json", 0o600),
    ],
)
def test_modes(orch_trixie, path, mode):
    assert orch_trixie.file(path).mode == mode


def test_the_registrar_comes_back_with_the_host(orch_trixie):
    service = orch_trixie.service(REGISTRAR)
    assert service.is_running and service.is_enabled


def test_a_host_whose_services_go_another_way_has_no_registrar(orch_bookworm):
    assert not orch_bookworm.file("/etc/livepeer/byoc").exists
    assert not orch_bookworm.file(f"/etc/systemd/system/{REGISTRAR}").exists
