"""The hosts of the lab `test` as testinfra sees them, the Hub's counters and faults, and playbook runs.

Hosts are looked at through `docker exec`, which knows nothing of Ansible or of the roles' variables.
"""

from __future__ import annotations

import json
import os
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
        return sum(int(word.partition("=")[2]) for word in self.output.split() if word.startswith("changed="))


def playbook_command(name: str, *arguments: str, **variables) -> list[str]:
    command = [str(Path(sys.executable).parent / "ansible-playbook"), f"playbooks/{name}.yml"]
    command += ["-i", "inventories/lab", "-i", "molecule/inventory", *arguments]
    if variables:
        command += ["-e", json.dumps(variables)]
    return command


def run_playbook(name: str, *arguments: str, **variables) -> Run:
    """Run a playbook as a user would; extra keywords are extra variables."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
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
