# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which driver the role takes for a GPU, which it refuses, and whom it never reboots: its own tasks, made-up hosts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[7]

MAXWELL, PASCAL, VOLTA = "0x13c2", "0x1b80", "0x1db6"
TURING, TURING_16, AMPERE, A100 = "0x1eb8", "0x2182", "0x2204", "0x20b5"
ADA, HOPPER, GRACE_HOPPER = "0x2684", "0x2330", "0x2342"
BLACKWELL, B200, UNKNOWN, KEPLER = "0x2b85", "0x2901", "0x3fff", "0x102d"


@dataclass
class Case:
    """A host and what becomes of it: the package with the kernel modules, or words of the refusal."""

    devices: tuple[str, ...]
    outcome: str
    platform: tuple[str, str, str] = ("Debian", "13.1", "x86_64")
    switches: int = 0
    fabric_manager: tuple[str, ...] = ()
    lent: tuple[str, ...] = ()
    settings: dict = field(default_factory=dict)


OPEN, PROPRIETARY = "nvidia-kernel-open-dkms", "nvidia-kernel-dkms"
DISTRIBUTION = {"nvidia_driver_source": "distribution"}
BOOKWORM = ("Debian", "12.11", "x86_64")

CASES = {
    "ada": Case((ADA, ADA), OPEN),
    "hopper": Case((HOPPER,), OPEN),
    "ampere": Case((A100, AMPERE), OPEN),
    "turing": Case((TURING, TURING_16), OPEN),
    "blackwell": Case((BLACKWELL, B200), OPEN),
    "newer-than-the-table": Case((UNKNOWN,), OPEN),
    "grace-hopper": Case(
        (GRACE_HOPPER,),
        "nvidia-dkms-580-open",
        ("Ubuntu", "24.04", "aarch64"),
        settings={"nvidia_driver_version": "580"},
    ),
    "pascal-580": Case((PASCAL,), PROPRIETARY, settings={"nvidia_driver_version": "580"}),
    "ada-550": Case((ADA,), PROPRIETARY, settings={"nvidia_driver_version": "550.163.01-1"}),
    "ada-550-asked-for-open": Case(
        (ADA,), OPEN, settings={"nvidia_driver_version": "550", "nvidia_driver_flavour": "open"}
    ),
    "ada-beside-volta": Case((ADA, VOLTA), PROPRIETARY, settings={"nvidia_driver_version": "580"}),
    "ada-debian-13": Case((ADA,), PROPRIETARY, settings=DISTRIBUTION),
    "ada-debian-12": Case((ADA,), PROPRIETARY, BOOKWORM, settings=DISTRIBUTION),
    "no-gpu-for-an-image": Case((), OPEN, settings={"nvidia_driver_without_gpu_ok": True}),
    "only-the-host-s-own-count": Case((ADA,), OPEN, lent=(KEPLER,)),
    "ubuntu-550": Case(
        (ADA,), "nvidia-dkms-550", ("Ubuntu", "22.04", "x86_64"), settings={"nvidia_driver_version": "550"}
    ),
    "ubuntu-580": Case(
        (ADA,), "nvidia-dkms-580-open", ("Ubuntu", "22.04", "x86_64"), settings={"nvidia_driver_version": "580"}
    ),
    "ubuntu-newest": Case((ADA,), "nvidia-dkms-open", ("Ubuntu", "24.04", "x86_64")),
    "ubuntu-own": Case((ADA,), "nvidia-dkms-580-server-open", ("Ubuntu", "24.04", "x86_64"), settings=DISTRIBUTION),
    "rocky": Case((ADA,), "kmod-nvidia-open-dkms", ("Rocky", "9.6", "x86_64")),
    "rocky-pascal": Case(
        (PASCAL,), "kmod-nvidia-latest-dkms", ("Rocky", "9.6", "x86_64"), settings={"nvidia_driver_version": "580"}
    ),
    # The fabric manager comes with NVSwitches only, under the name that it has in the branch.
    "switches": Case((HOPPER,), OPEN, switches=4, fabric_manager=("nvidia-fabricmanager",)),
    "switches-550": Case(
        (HOPPER,),
        PROPRIETARY,
        switches=4,
        fabric_manager=("nvidia-fabricmanager-550",),
        settings={"nvidia_driver_version": "550"},
    ),
    "switches-not-wanted": Case((HOPPER,), OPEN, switches=4, settings={"nvidia_driver_fabric_manager": "absent"}),
    "switches-off-the-bus": Case(
        (B200,), OPEN, fabric_manager=("nvidia-fabricmanager",), settings={"nvidia_driver_fabric_manager": "present"}
    ),
    # And what is refused, before anything changed.
    "no-gpu": Case((), "No NVIDIA GPU is on the PCI bus"),
    "pascal-newest": Case(
        (PASCAL,), 'generation Pascal, which drivers up to branch 580 know.*set nvidia_driver_version: "580"\\.'
    ),
    "maxwell-590": Case(
        (MAXWELL,),
        "up to branch 580 know, but nvidia_driver_version is 590",
        settings={"nvidia_driver_version": "590.48"},
    ),
    "kepler": Case((KEPLER,), "no driver that the role installs knows it"),
    "blackwell-550": Case(
        (BLACKWELL,),
        "since branch 570 know, but nvidia_driver_version is 550",
        settings={"nvidia_driver_version": "550"},
    ),
    "blackwell-debian": Case(
        (BLACKWELL,),
        "of branch 550; set a newer nvidia_driver_version and nvidia_driver_source: nvidia",
        settings=DISTRIBUTION,
    ),
    "blackwell-proprietary": Case(
        (BLACKWELL,), "work with the open kernel modules only", settings={"nvidia_driver_flavour": "proprietary"}
    ),
    "pascal-open": Case(
        (PASCAL,),
        "cannot have the open kernel modules",
        settings={"nvidia_driver_version": "580", "nvidia_driver_flavour": "open"},
    ),
    "blackwell-beside-pascal": Case(
        (BLACKWELL, PASCAL), "no driver serves both", settings={"nvidia_driver_version": "580"}
    ),
    "debian-12-open": Case(
        (ADA,),
        "open kernel modules of an older version",
        BOOKWORM,
        settings={**DISTRIBUTION, "nvidia_driver_flavour": "open"},
    ),
    "switches-debian": Case((HOPPER,), "Debian 13 has no package of it", switches=4, settings=DISTRIBUTION),
    "rocky-own": Case(
        (ADA,),
        "have no NVIDIA driver of their own; set nvidia_driver_source: nvidia",
        ("Rocky", "9.6", "x86_64"),
        settings=DISTRIBUTION,
    ),
    "debian-12-arm": Case((ADA,), "nvidia has no driver for Debian 12 on aarch64", ("Debian", "12.11", "aarch64")),
}


def host_of(case: Case) -> dict:
    distribution, version, architecture = case.platform
    devices = [(device, "") for device in case.devices] + [(device, "vfio-pci") for device in case.lent]
    pci = [
        {"address": f"0000:{number:02x}:00.0", "device": device, "kind": "gpu", "driver": driver}
        for number, (device, driver) in enumerate(devices, 1)
    ]
    return {
        "made_up_distribution": distribution,
        "made_up_version": version,
        "made_up_family": "RedHat" if distribution == "Rocky" else "Debian",
        "made_up_architecture": architecture,
        "__nvidia_driver_gpu": {"present": bool(pci), "pci": pci, "nvswitch": {"count": case.switches}},
        **case.settings,
    }


PLAY = """
- name: Choose a driver
  hosts: all
  gather_facts: false
  tasks:
    - name: Pretend to have gathered facts
      ansible.builtin.set_fact:
        cacheable: true
        ansible_distribution: "{{ made_up_distribution }}"
        ansible_distribution_version: "{{ made_up_version }}"
        ansible_distribution_major_version: "{{ made_up_version | split('.') | first }}"
        ansible_os_family: "{{ made_up_family }}"
        ansible_architecture: "{{ made_up_architecture }}"
        ansible_kernel: 6.1.0-40-amd64
        ansible_pkg_mgr: apt
    - name: Load what the platform calls things
      ansible.builtin.include_role:
        name: livepeer.ai.nvidia_driver
        tasks_from: platform.yml
        public: true
    - name: Judge the source
      ansible.builtin.include_role:
        name: livepeer.ai.nvidia_driver
        tasks_from: preflight_source.yml
    - name: Judge the GPUs
      ansible.builtin.include_role:
        name: livepeer.ai.nvidia_driver
        tasks_from: preflight_gpus.yml
    - name: Write down what would be installed
      ansible.builtin.copy:
        content: "{{ __nvidia_driver_package_spec.packages | to_json }}"
        dest: "{{ output }}/{{ inventory_hostname }}.json"
        mode: "0600"
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, list[str] | str]:
    """All hosts in one run: the packages, or the sentence."""
    folder = tmp_path_factory.mktemp("choices")
    (folder / "play.yml").write_text(PLAY)
    (folder / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {name: host_of(case) for name, case in CASES.items()}}})
    )
    extra = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "output": str(folder)}
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        str(folder / "hosts.yml"),
        "-e",
        json.dumps(extra),
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    done = subprocess.run(
        [*command, str(folder / "play.yml")], capture_output=True, text=True, check=False, env=environment
    )
    found: dict[str, list[str] | str] = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    # The assertion's own message, not the longer "Task failed".
    for name, result in re.findall(r"^(?:fatal|failed): \[([^\]]+)\][^{]*(\{.*\})$", done.stdout, re.MULTILINE):
        found.setdefault(name, json.loads(result)["msg"])
    return found


@pytest.mark.parametrize("name", CASES)
def test_driver_for_a_gpu(outcomes, name):
    outcome, case = outcomes[name], CASES[name]
    if isinstance(outcome, list):
        modules = [package for package in outcome if "dkms" in package]
        assert modules == [case.outcome]
        assert tuple(package for package in outcome if "fabric" in package) == case.fabric_manager
    else:
        assert re.search(case.outcome, outcome), outcome


GUARD = """
- name: Reboot, but not this machine
  hosts: all
  gather_facts: false
  tasks:
    - name: Load what the platform calls things
      ansible.builtin.include_role:
        name: livepeer.ai.nvidia_driver
        tasks_from: platform.yml
        public: true
    - name: Reboot
      ansible.builtin.include_role:
        name: livepeer.ai.nvidia_driver
        tasks_from: reboot.yml
      vars:
        nvidia_driver_reboot_ok: true
        nvidia_driver_reboot_required: true
        nvidia_driver_reboot_reason: nouveau drives the GPU.
"""


def test_the_machine_that_ansible_runs_on_is_not_rebooted(tmp_path):
    (tmp_path / "play.yml").write_text(GUARD)
    python = f"ansible_python_interpreter={sys.executable}"
    # In check mode, so that a mistake here costs nobody a machine.
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local", "-e", python]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    command += ["--check", str(tmp_path / "play.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())
    assert "REBOOT NEEDED" in said
    assert "this is the machine that Ansible itself runs on" in said
    assert "Reboot the host" not in said
