"""`playbooks/gpu_host.yml --check` on bare hosts: it says what it would do, changes nothing and fails on nothing."""

from __future__ import annotations

import re

import pytest
from labtest import ROOT, lab_host

NAMES = ("gpu-bookworm", "gpu-trixie", "gpu-4090", "gpu-h100")
GPU_HOSTS = str(ROOT / "molecule/site_gpu/inventory")

# What a login and Ansible itself leave behind, and the host's own housekeeping.
OWN_TRACES = re.compile(
    r"^/(home/ops(/\.ansible.*)?|root(/\.ansible.*)?|var/log/.*|var/lib/systemd(/.*)?|var/lib/private.*|tmp|var/tmp)$"
)
MARK = "/run/before-check"


@pytest.fixture(scope="module")
def hosts() -> dict:
    hosts = {name: lab_host(name) for name in NAMES}
    for host in hosts.values():
        # On a bare host, or this says nothing about the first run.
        assert not host.exists("dockerd")
        assert not host.exists("nvidia-smi")
        host.check_output(f"touch {MARK}")
    return hosts


def test_check_changes_nothing_and_fails_on_nothing(hosts, playbook) -> None:
    run = playbook("gpu_host", "-i", GPU_HOSTS, "--check", "--diff")
    assert run.code == 0, run.output
    assert len(re.findall(r"failed=0", run.output)) >= len(NAMES), run.output
    for name, host in hosts.items():
        touched = host.check_output(f"find / -xdev -cnewer {MARK} -not -path '/run/*'").splitlines()
        assert [path for path in touched if not OWN_TRACES.match(path)] == [], name


def test_check_says_what_would_come(hosts, playbook) -> None:
    run = playbook("gpu_host", "-i", GPU_HOSTS, "--check", "--diff")
    for package in ("nvidia-smi", "docker-ce", "docker.io", "nvidia-container-toolkit"):
        assert package in run.output, f"{package} is not announced:\n{run.output}"
    # A host that does not declare a GPU is no business of this playbook.
    recap = run.output.rpartition("PLAY RECAP")[2]
    assert not re.search(r"^orch-trixie\s+: ok=[1-9]", recap, re.M), recap
