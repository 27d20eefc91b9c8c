"""The hosts of the lab `test` as testinfra sees them, the Hub's counters and faults, and playbook runs.

Hosts are looked at through `docker exec`, which knows nothing of Ansible or of the roles' variables.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import testinfra

ROOT = Path(__file__).resolve().parent.parent
LAB = "test"
SUBNET = os.environ.get("LAB_TEST_SUBNET_PREFIX") or "172.29.11"
HUB = f"http://{SUBNET}.10:8080/_lab"


def lab_host(name: str):
    return testinfra.get_host(f"docker://livepeer-{LAB}-{name}")


class Hub:
    """The Hub stand-in's counters and faults."""

    def stats(self) -> dict:
        return requests.get(f"{HUB}/stats", timeout=10).json()

    def reset(self) -> None:
        requests.post(f"{HUB}/reset", timeout=10).raise_for_status()

    def fault(self, **fault) -> None:
        requests.post(f"{HUB}/faults", json=[fault], timeout=10).raise_for_status()


@dataclass
class Run:
    """What an ansible-playbook run said."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """Tasks that changed something, on all hosts."""
        recap = re.findall(r"\bchanged=(\d+)", self.output)
        assert recap, f"no recap in:\n{self.output}"
        return sum(map(int, recap))


def playbook_command(name: str, *arguments: str, **variables) -> list[str]:
    command = [str(Path(sys.executable).parent / "ansible-playbook"), f"playbooks/{name}.yml"]
    command += ["-i", "inventories/lab", "-i", "molecule/inventory", *arguments]
    if variables:
        command += ["-e", json.dumps(variables)]
    return command


def run_playbook(name: str, *arguments: str, **variables) -> Run:
    """Run a playbook as a user would; extra keywords are extra variables."""
    # Without molecule's own settings, of which the colours would hide words from the tests.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    command = playbook_command(name, *arguments, **variables)
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    return Run(result.returncode, result.stdout + result.stderr)


def wait_until(true: Callable[[], object], seconds: float, what: str) -> float:
    """Poll until `true()` is true; the seconds it took. `what` completes 'no ... within'."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            pytest.fail(f"no {what} within {seconds:.0f} s")
        time.sleep(0.5)
    return time.monotonic() - began


def process_of(host, unit: str) -> str:
    """The id of a unit's main process, 0 without one."""
    return host.check_output("systemctl show --property=MainPID --value %s", unit)


def arguments_of(host, process: str) -> list[str]:
    return host.check_output("tr '\\0' '\\n' < /proc/%s/cmdline", process).splitlines()


def status_of(host, process: str) -> dict[str, str]:
    """The fields of /proc/<pid>/status."""
    lines = host.check_output("cat /proc/%s/status", process).splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def listeners_of(host, process: str) -> set[str]:
    """Where a process accepts TCP connections, as address:port."""
    lines = host.check_output("ss --no-header --listening --tcp --numeric --processes").splitlines()
    return {line.split()[3] for line in lines if f"pid={process}," in line}


def answers(host, url: str) -> bool:
    """A request on the host itself succeeds; certificates of nodes are self-signed."""
    return status_code(host, url).startswith("2")


def status_code(host, url: str) -> str:
    """The HTTP status of a GET from a host, 000 if no answer came."""
    return host.run(
        "curl --silent --insecure --max-time 3 --output /dev/null --write-out '%%{http_code}' %s", url
    ).stdout


def passed_through(host, url: str, model_id: str) -> dict:
    """What frames.py says of a picture that went through a live runner of the host: `sent` and `came`."""
    program = (ROOT / "lab/ai_runner/frames.py").read_text(encoding="utf-8")
    host.check_output(f"cat > /root/frames.py <<'LAST LINE'\n{program}\nLAST LINE")
    # Docker's bridge on the host is where the runner reaches the program.
    return json.loads(host.check_output("python3 /root/frames.py %s --host 172.17.0.1 --model-id %s", url, model_id))


def assert_confined(host, unit: str, data_dir: str) -> None:
    """The process itself, whatever its unit says, writes to its own data and nowhere else and has no rights."""
    process = process_of(host, unit)
    status = status_of(host, process)
    assert status["NoNewPrivs"] == "1"
    assert {status[name] for name in ("CapBnd", "CapEff", "CapPrm")} == {"0" * 16}

    def writable(directory: str) -> bool:
        # As root, but among the mounts of the process: what is read-only here is so for everybody.
        probe = f"touch {directory}/.probe && rm {directory}/.probe"
        return host.run("nsenter --target %s --mount sh -c %s", process, probe).rc == 0

    assert writable(data_dir)
    assert [path for path in ("/usr", "/etc", "/var/lib", "/opt", "/boot", "/home", "/root") if writable(path)] == []
    # A /tmp of its own, and one that is no way to other processes.
    host.check_output("touch /tmp/of-the-host")
    assert host.run("nsenter --target %s --mount test -e /tmp/of-the-host", process).rc != 0
    host.check_output("rm /tmp/of-the-host")
    assert host.run("nsenter --target %s --mount sh -c 'echo 1 > /proc/sys/kernel/panic'", process).rc != 0
