"""`playbooks/gpu_host.yml --check` on bare hosts: it says what it would do, changes nothing and fails on nothing."""

from __future__ import annotations

import re

import pytest
from labtest import ROOT, Run, lab_host, run_playbook

NAMES = ("gpu-bookworm", "gpu-trixie", "gpu-4090", "gpu-h100")
GPU_HOSTS = str(ROOT / "molecule/site_gpu/inventory")

# What a login and Ansible itself leave behind, the journal, and apt's cache, which a mere question renews.
OWN_TRACES = re.compile(
    r"^/(home/ops(/\.ansible.*)?|root(/\.ansible.*)?|var/log(/.*)?|var/lib/systemd(/.*)?|run|tmp|var/tmp"
    r"|var|var/cache|var/cache/apt(/(src)?pkgcache\.bin)?)$"
)
MARK = "/run/before-check"


@pytest.fixture(scope="module")
def hosts() -> dict:
    return {name: lab_host(name) for name in NAMES}


@pytest.fixture(scope="module")
def checked(hosts) -> Run:
    """The playbook's run in check mode, on hosts that remember when it began."""
    for host in hosts.values():
        # On a bare host, or this says nothing about the first run.
        assert not host.exists("dockerd")
        assert not host.exists("nvidia-smi")
        host.check_output(f"touch {MARK}")
    return run_playbook("gpu_host", "-i", GPU_HOSTS, "--check", "--diff")


def test_check_fails_on_nothing(checked) -> None:
    assert checked.code == 0, checked.output


@pytest.mark.parametrize("name", NAMES)
def test_check_changes_nothing(checked, hosts, name) -> None:
    touched = hosts[name].check_output(f"find / -xdev -cnewer {MARK} -not -path '/run/*'").splitlines()
    assert [path for path in touched if not OWN_TRACES.match(path)] == []


def test_check_says_what_would_come(checked) -> None:
    for package in ("nvidia-smi", "nvidia-kernel-open-dkms", "docker-ce", "docker.io", "nvidia-container-toolkit"):
        assert package in checked.output, f"{package} is not announced"


def test_hosts_without_a_declared_gpu_are_left_alone(checked) -> None:
    recap = checked.output.rpartition("PLAY RECAP")[2]
    for name in ("orch-bookworm", "orch-trixie", "gateway"):
        assert re.search(rf"^{name}\s+: ok=0 ", recap, re.M), recap
