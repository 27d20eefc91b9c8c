#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_info
short_description: What a host's NVIDIA GPUs, driver and container runtimes are, and what is wrong with them
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Tells which NVIDIA GPUs are on the PCI bus and which the driver shows, whether the loaded kernel module, the
    user-space libraries and the installed packages are of one version, and whether containers can get the GPUs.
  - Says in RV(sentences) what is wrong, one sentence each with what to do. Nothing that is wrong makes the module fail,
    and neither does a host without a GPU or without a driver.
  - Needs nothing but Python's standard library, loads no kernel module and asks C(nvidia-smi) only if the driver is
    loaded, because C(nvidia-smi) would load it.
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  timeout:
    description:
      - How many seconds C(nvidia-smi) may take for one answer. It hangs when a GPU or the driver does.
    type: float
    default: 60
  docker_socket:
    description: The socket of the Docker Engine.
    type: path
    default: /var/run/docker.sock
notes:
  - As another user than root, some answers may be missing (containers of processes, the kernel's log, the Docker
    Engine). They are empty then, and RV(log_source) is empty if the log could not be read.
seealso:
  - module: livepeer.ai.node_host_info
"""

EXAMPLES = r"""
- name: Look at the GPUs of this host
  livepeer.ai.gpu_info:
  register: gpu

- name: Say what is wrong, if anything is
  ansible.builtin.debug:
    msg: "{{ gpu.sentences }}"

- name: Refuse to go on with a driver that was updated without a reboot
  ansible.builtin.assert:
    that: gpu.driver.matches or not gpu.driver.loaded
    fail_msg: "{{ gpu.sentences | join(' ') }}"

- name: Require eight GPUs with 80 GB and a driver for CUDA 12.8
  ansible.builtin.assert:
    that:
      - gpu.gpus | selectattr('memory_total', 'gt', 79 * 1000 ** 3) | length == 8
      - gpu.driver.cuda_version is version('12.8', '>=')
"""

RETURN = r"""
present:
  description: Whether an NVIDIA GPU is on the PCI bus.
  returned: always
  type: bool
summary:
  description: The host in one sentence, whether or not anything is wrong.
  returned: always
  type: str
  sample: 2 x NVIDIA GeForce RTX 4090, driver 580.95.05 (open), CUDA 13.0.
sentences:
  description: What is wrong, one sentence each with what to do; empty when all is well.
  returned: always
  type: list
  elements: str
findings:
  description: The same as RV(sentences), told apart by what they are about.
  returned: always
  type: list
  elements: dict
  contains:
    subject:
      description: One of C(driver), C(gpu), C(xid), C(nouveau), C(nvswitch), C(cdi), C(runtime), C(runfile).
      type: str
    sentence: {description: The sentence., type: str}
kernel:
  description: The running kernel.
  returned: always
  type: str
pci:
  description: NVIDIA's devices on the PCI bus.
  returned: always
  type: list
  elements: dict
  contains:
    address: {description: "The address, such as C(0000:01:00.0).", type: str}
    device: {description: "The device id, such as C(0x2684).", type: str}
    kind: {description: "C(gpu), C(nvswitch) or C(other), such as the sound of a graphics card.", type: str}
    driver: {description: "The kernel driver that has it, or empty.", type: str}
gpus:
  description: The GPUs that C(nvidia-smi) shows, in the order of their indexes.
  returned: always
  type: list
  elements: dict
  contains:
    index: {description: "The index, as C(nvidia-smi) and CUDA in PCI order use it.", type: int}
    uuid: {description: The UUID., type: str}
    name: {description: The product name., type: str}
    brand: {description: "The brand, such as C(GeForce).", type: str}
    pci_bus_id: {description: "The PCI address, as in RV(pci).", type: str}
    memory_total: {description: "Bytes of memory, null if the driver does not tell.", type: int}
    memory_free: {description: "Bytes free, null if the driver does not tell.", type: int}
    memory_used: {description: "Bytes used, null if the driver does not tell.", type: int}
    compute_capability: {description: "Such as C(8.9); empty if the driver is too old to tell.", type: str}
    mig_enabled: {description: Whether it is divided by MIG., type: bool}
    mig_pending: {description: Whether MIG will be switched on or off by the next reset., type: bool}
    mig_devices:
      description: The devices that MIG makes of it.
      type: list
      elements: dict
      contains:
        uuid: {description: "The UUID, or empty.", type: str}
        profile: {description: "The profile, such as C(3g.20gb), or empty.", type: str}
        memory_total: {description: "Bytes of memory, null if the driver does not tell.", type: int}
    persistence: {description: Whether the driver keeps it initialised while nobody uses it., type: bool}
    compute_mode: {description: "C(Default), C(Exclusive_Process) or C(Prohibited).", type: str}
    fabric_state: {description: "Its state in the NVLink fabric, empty where there is none.", type: str}
    recovery_action: {description: "What it asks for to recover, or empty.", type: str}
    memory_repair: {description: "C(pending) or C(failed) if memory must be replaced, else empty.", type: str}
    problem: {description: "What the driver says instead of values, such as C(GPU is lost), or empty.", type: str}
processes:
  description: The processes on the GPUs.
  returned: always
  type: list
  elements: dict
  contains:
    gpu_uuid: {description: The GPU., type: str}
    pid: {description: The process., type: int}
    name: {description: Its program., type: str}
    type: {description: "C(C) for compute, C(G) for graphics, C(C+G) for both.", type: str}
    memory_used: {description: "Bytes of the GPU's memory, null if the driver does not tell.", type: int}
    container_id: {description: "The id of its container, or empty.", type: str}
driver:
  description: The driver, as it is loaded and as it is installed.
  returned: always
  type: dict
  contains:
    loaded: {description: Whether its kernel module is loaded., type: bool}
    version: {description: "The version of the loaded module, or empty.", type: str}
    flavour: {description: "C(open) or C(proprietary), empty if it is not loaded.", type: str}
    cuda_version: {description: "The newest CUDA that it supports, such as C(12.8), or empty.", type: str}
    library_version: {description: "The version of the user-space library, or empty.", type: str}
    libraries:
      description: The libraries a program would get, with name, path and version.
      type: list
      elements: dict
    package: {description: "The package that the library belongs to, or empty.", type: str}
    package_version: {description: "The version of that package, or empty.", type: str}
    matches: {description: Whether the loaded module and the libraries are of one version., type: bool}
    module_version: {description: "The version of the module that the running kernel would load, or empty.", type: str}
    module_flavour: {description: "The flavour of that module, or empty.", type: str}
    module_kernels: {description: The kernels on this host that have a module., type: list, elements: str}
    error: {description: "What C(nvidia-smi) complained about, or empty.", type: str}
nouveau:
  description: The kernel's own driver.
  returned: always
  type: dict
  contains:
    loaded: {description: Whether it is loaded., type: bool}
    available: {description: Whether the running kernel has it., type: bool}
    blacklisted: {description: Whether modprobe's files or the kernel's command line keep it out., type: bool}
secure_boot:
  description: C(enabled), C(disabled) or C(unsupported).
  returned: always
  type: str
nvswitch:
  description: The NVSwitches and what runs them.
  returned: always
  type: dict
  contains:
    count: {description: How many are on the PCI bus., type: int}
    fabric_manager:
      description: "C(active), C(inactive), C(failed) or another state of the unit, empty if there is none."
      type: str
    fabric_manager_version: {description: "The version of the fabric manager, or empty.", type: str}
cdi:
  description: NVIDIA's CDI specifications in C(/etc/cdi) and C(/var/run/cdi).
  returned: always
  type: list
  elements: dict
  contains:
    path: {description: The file., type: str}
    kind: {description: "The kind, such as C(nvidia.com/gpu).", type: str}
    devices: {description: The names of its devices., type: list, elements: str}
    driver_version: {description: "The version of the driver whose files it mounts, or empty.", type: str}
    missing: {description: UUIDs of the GPUs that it does not offer., type: list, elements: str}
    stale:
      description: Whether it is of another driver than the loaded one, names no devices or lacks a GPU.
      type: bool
    error: {description: "C(not understood) if it cannot be read, or empty.", type: str}
runtimes:
  description: What gives GPUs to containers.
  returned: always
  type: dict
  contains:
    toolkit_version: {description: "The version of the NVIDIA Container Toolkit, or empty.", type: str}
    hook: {description: Whether the hook is there that C(docker run --gpus) needs., type: bool}
    docker: {description: The runtimes that the Docker Engine knows., type: list, elements: str}
    docker_default: {description: "The one that it uses by default, or empty.", type: str}
    docker_version: {description: "The version of the Docker Engine, empty if it does not answer.", type: str}
    docker_cdi: {description: Whether the Docker Engine reads CDI specifications., type: bool}
xid:
  description: The driver's errors since boot, each kind of each device once.
  returned: always
  type: list
  elements: dict
  contains:
    code: {description: "The number, such as C(79).", type: int}
    pci_address: {description: The PCI address of the device., type: str}
    source: {description: "C(gpu) or C(nvswitch).", type: str}
    count: {description: How often it was reported., type: int}
    text: {description: What was said the last time., type: str}
refused:
  description: The GPUs that a kernel module refused since boot, because it does not fit them.
  returned: always
  type: list
  elements: dict
  contains:
    pci_address: {description: "The PCI address of the GPU, empty if it was not told.", type: str}
    wants: {description: "C(open), C(proprietary), or the driver's branch that it needs.", type: str}
log_source:
  description:
    - Where the kernel's log was read, C(journal) or C(kernel). Empty if it could not be read, so that RV(xid) and
      RV(refused) are unknown rather than empty.
  returned: always
  type: str
runfile:
  description: A driver that was installed by NVIDIA's C(.run) file.
  returned: always
  type: dict
  contains:
    installed: {description: Whether there is one., type: bool}
    version: {description: "Its version, or empty.", type: str}
"""

import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils import (
    _nvidia_cdi,
    _nvidia_driver,
    _nvidia_findings,
    _nvidia_log,
    _nvidia_smi,
)
from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_host import Host
from ansible_collections.livepeer.ai.plugins.module_utils._runner_container import DockerError, DockerSocket

HOOK = "nvidia-container-runtime-hook"
FABRIC_MANAGER = "nvidia-fabricmanager"
VERSION = re.compile(r"\d+\.\d+[0-9A-Za-z.~+-]*")


class GpuInfo:
    """Answers from /proc, /sys, the packages, nvidia-smi, the kernel's log, CDI specifications and Docker."""

    def __init__(self, params, host=None):
        self.params = params
        self.host = host or Host()
        self.engine = DockerSocket(params["docker_socket"])

    def answer(self):
        pci = _nvidia_driver.pci_devices(self.host)
        driver, report = self.driver()
        log, log_source = _nvidia_log.read(self.host)
        told = {
            "present": any(device["kind"] == "gpu" for device in pci),
            "kernel": self.host.kernel,
            "pci": pci,
            "gpus": report["gpus"],
            "processes": self.processes(report["processes"]),
            "driver": driver,
            "nouveau": _nvidia_driver.nouveau(self.host),
            "secure_boot": _nvidia_driver.secure_boot(self.host),
            "nvswitch": self.nvswitch(pci),
            "cdi": _nvidia_cdi.read(self.host, driver["version"], report["gpus"]),
            "runtimes": self.runtimes(),
            "xid": _nvidia_log.parse(log),
            "refused": _nvidia_log.refusals(log),
            "log_source": log_source,
            "runfile": _nvidia_driver.runfile(self.host),
        }
        told["findings"] = _nvidia_findings.findings(told)
        told["sentences"] = [finding["sentence"] for finding in told["findings"]]
        told["summary"] = _nvidia_findings.summary(told)
        return told

    def driver(self):
        """The driver as loaded and as installed, and what nvidia-smi reports."""
        module = _nvidia_driver.loaded_module(self.host)
        libraries = _nvidia_driver.libraries(self.host)
        report, error = _nvidia_smi.EMPTY, ""
        if module["loaded"]:
            report, error = _nvidia_smi.ask(self.host, self.params["timeout"])
        library = libraries[0] if libraries else {"path": "", "version": ""}
        package, package_version = _nvidia_driver.owner(self.host, library["path"])
        module["version"] = module["version"] or report["driver_version"]
        driver = {
            **module,
            **_nvidia_driver.module_on_disk(self.host),
            "module_kernels": _nvidia_driver.module_kernels(self.host),
            "cuda_version": report["cuda_version"],
            "library_version": library["version"],
            "libraries": libraries,
            "package": package,
            "package_version": package_version,
            "matches": bool(module["version"]) and {one["version"] for one in libraries} == {module["version"]},
            "error": error,
        }
        return driver, report

    def processes(self, found):
        return [{**one, "container_id": _nvidia_driver.container_of(self.host, one["pid"])} for one in found]

    def nvswitch(self, pci):
        return {
            "count": sum(device["kind"] == "nvswitch" for device in pci),
            "fabric_manager": self.unit_state(FABRIC_MANAGER),
            "fabric_manager_version": self.version_of("nv-fabricmanager"),
        }

    def unit_state(self, unit):
        """The state of a systemd unit, empty if there is no such unit."""
        outcome = self.host.run("systemctl", "show", f"{unit}.service", "--property=LoadState,ActiveState")
        state = dict(line.partition("=")[::2] for line in outcome.out.splitlines())
        return state.get("ActiveState", "") if state.get("LoadState") in ("loaded", "masked") else ""

    def version_of(self, program):
        """The version that a program says it has, empty if it is not there or says none."""
        outcome = self.host.run(program, "--version")
        match = VERSION.search(outcome.out) if outcome.ok else None
        return match.group(0) if match else ""

    def docker(self):
        """What the Docker Engine says of itself, nothing if it does not answer or not as one does."""
        try:
            told = self.engine.info()
        except (DockerError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def runtimes(self):
        engine = self.docker()
        runtimes = engine.get("Runtimes")
        return {
            "toolkit_version": self.version_of("nvidia-ctk"),
            "hook": bool(self.host.which(HOOK)),
            "docker": sorted(runtimes) if isinstance(runtimes, dict) else [],
            "docker_default": str(engine.get("DefaultRuntime") or ""),
            "docker_version": str(engine.get("ServerVersion") or ""),
            # The engine names the directories only if CDI is switched on.
            "docker_cdi": bool(engine.get("CDISpecDirs")),
        }


def main():
    module = AnsibleModule(
        argument_spec={
            "timeout": {"type": "float", "default": 60},
            "docker_socket": {"type": "path", "default": "/var/run/docker.sock"},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **GpuInfo(module.params).answer())


if __name__ == "__main__":
    main()
