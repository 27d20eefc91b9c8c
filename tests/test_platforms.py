"""The GPU host's roles on every platform they name: complete data, and the packages that would be installed there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
ROLES = ROOT / "collections/ansible_collections/livepeer/ai/roles"
GPU_HOST_ROLES = ("container_engine", "nvidia_container_toolkit", "nvidia_driver")

# (distribution, version, release, family, kernel): what Ansible says of each; Rocky and Alma share Red Hat's data.
PLATFORMS = {
    "Debian-12": ("Debian", "12.11", "bookworm", "Debian", "6.1.0-37-amd64"),
    "Debian-13": ("Debian", "13.1", "trixie", "Debian", "6.12.41+deb13-amd64"),
    "Ubuntu-22.04": ("Ubuntu", "22.04", "jammy", "Debian", "5.15.0-151-generic"),
    "Ubuntu-24.04": ("Ubuntu", "24.04", "noble", "Debian", "6.8.0-71-generic"),
    "RedHat-9": ("RedHat", "9.6", "Plow", "RedHat", "5.14.0-570.12.1.el9_6.x86_64"),
    "Rocky-9": ("Rocky", "9.6", "Blue Onyx", "RedHat", "5.14.0-570.12.1.el9_6.x86_64"),
    "AlmaLinux-9": ("AlmaLinux", "9.6", "Sage Margay", "RedHat", "5.14.0-570.12.1.el9_6.x86_64"),
}
# A word of each address that tells whose packages they are.
ADDRESSES = {
    "nvidia_driver": {
        "Debian-12": "/debian12/",
        "Debian-13": "/debian13/",
        "Ubuntu-22.04": "/ubuntu2204/",
        "Ubuntu-24.04": "/ubuntu2404/",
        "RedHat-9": "/rhel9/",
    },
    "container_engine": {
        "Debian-12": "/linux/debian",
        "Debian-13": "/linux/debian",
        "Ubuntu-22.04": "/linux/ubuntu",
        "Ubuntu-24.04": "/linux/ubuntu",
        "RedHat-9": "/linux/rhel",
    },
    "nvidia_container_toolkit": {
        "Debian-12": "/stable/deb/",
        "Debian-13": "/stable/deb/",
        "Ubuntu-22.04": "/stable/deb/",
        "Ubuntu-24.04": "/stable/deb/",
        "RedHat-9": "/stable/rpm/",
    },
}
UNSUPPORTED = {"Fedora-42": ("Fedora", "42", "", "RedHat", "6.14.0-63.fc42.x86_64")}


def facts_of(distribution: str, version: str, release: str, family: str, kernel: str) -> dict:
    return {
        "distribution": distribution,
        "distribution_version": version,
        "distribution_major_version": version.split(".")[0],
        "distribution_release": release,
        "os_family": family,
        "kernel": kernel,
        "architecture": "x86_64",
        "pkg_mgr": "apt" if family == "Debian" else "dnf",
        "service_mgr": "systemd",
        "python": {"executable": sys.executable, "version": {"major": 3, "minor": 11, "micro": 0}},
    }


def resolve(role: str, platforms: dict, folder: Path, **variables) -> tuple[subprocess.CompletedProcess, dict]:
    """Run the dry run; its result, and what each platform would install."""
    hosts = {name: {"platform_facts": facts_of(*facts)} for name, facts in platforms.items()}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    extra = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "platform_role": role,
        "platform_output": str(folder),
        **variables,
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "tests/platforms/resolve.yml"]
    command += ["-i", str(folder / "hosts.yml"), "-e", json.dumps(extra)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    specs = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    return result, specs


@pytest.mark.parametrize("role", GPU_HOST_ROLES)
def test_platform_files_hold_the_same_keys(role: str) -> None:
    """Tasks never ask for the distribution; so a key that one file lacks is an undefined variable on that platform."""
    files = sorted((ROLES / role / "vars/platforms").glob("*.yml"))
    assert {path.stem for path in files} == {"Debian-12", "Debian-13", "Ubuntu-22.04", "Ubuntu-24.04", "RedHat-9"}

    def keys(value, prefix: str = "") -> set[str]:
        if not isinstance(value, dict):
            return {prefix}
        return {name for key, inner in value.items() for name in keys(inner, f"{prefix}.{key}")} | {prefix}

    by_file = {path.stem: keys(yaml.safe_load(path.read_text())) for path in files}
    everywhere = set.union(*by_file.values())
    assert {name: sorted(everywhere - found) for name, found in by_file.items() if found != everywhere} == {}


@pytest.mark.parametrize("role", GPU_HOST_ROLES)
def test_every_platform_resolves(role: str, tmp_path: Path) -> None:
    result, specs = resolve(role, PLATFORMS, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(specs) == set(PLATFORMS)
    for platform, spec in specs.items():
        assert spec["packages"], platform
        assert all(isinstance(name, str) and name for name in spec["packages"]), platform
        assert spec["repository"]["url"].startswith("https://"), platform
        assert spec["repository"]["key_fingerprint"], platform
    for platform, word in ADDRESSES[role].items():
        assert word in specs[platform]["repository"]["url"]
    # One data file for the family, and nothing in the spec that would tell them apart.
    assert specs["RedHat-9"] == specs["Rocky-9"] == specs["AlmaLinux-9"]


def test_driver_brings_headers_of_the_running_kernel(tmp_path: Path) -> None:
    """Where packages of headers have the name of their kernel; the Red Hat family has versions of kernel-devel."""
    _result, specs = resolve("nvidia_driver", PLATFORMS, tmp_path)
    for platform, facts in PLATFORMS.items():
        if facts[3] == "Debian":
            assert f"linux-headers-{facts[4]}" in specs[platform]["packages"]


@pytest.mark.parametrize("role", GPU_HOST_ROLES)
def test_other_platforms_are_refused_by_name(role: str, tmp_path: Path) -> None:
    result, specs = resolve(role, UNSUPPORTED, tmp_path)
    assert result.returncode != 0
    assert specs == {}
    assert "Fedora 42" in result.stdout
