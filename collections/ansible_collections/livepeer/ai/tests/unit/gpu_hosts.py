# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gpu_info returns on hosts of different kinds, for tests of what is made of it."""

from __future__ import annotations

import copy

from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_findings import findings

GIB = 1024**3
LIBRARIES = ("libnvidia-ml", "libcuda")


def gpu(index, name="NVIDIA GeForce RTX 4090", brand="GeForce", memory=24 * GIB, arch="8.9", **changes):
    return {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": name,
        "brand": brand,
        "pci_bus_id": f"0000:0{index + 1}:00.0",
        "memory_total": memory,
        "memory_free": memory,
        "memory_used": 0,
        "compute_capability": arch,
        "mig_enabled": False,
        "mig_pending": False,
        "mig_devices": [],
        "persistence": True,
        "compute_mode": "Default",
        "fabric_state": "",
        "recovery_action": "",
        "memory_repair": "",
        "problem": "",
        **changes,
    }


def process(index, memory, container_id="", name="python3", pid=4711):
    told = {"gpu_uuid": f"GPU-{index}", "pid": pid, "name": name, "type": "C"}
    return {**told, "memory_used": memory, "container_id": container_id}


def xid(code, address, source="gpu"):
    return {"code": code, "pci_address": address, "source": source, "count": 1, "text": ""}


def libraries(version):
    return [{"name": name, "path": f"/usr/lib/{name}.so.{version}", "version": version} for name in LIBRARIES]


HEALTHY = {
    "changed": False,
    "present": True,
    "gpus": [gpu(0), gpu(1)],
    "processes": [],
    "pci": [
        {"address": f"0000:0{number}:00.0", "device": "0x2684", "kind": "gpu", "driver": "nvidia"} for number in (1, 2)
    ],
    "driver": {
        "loaded": True,
        "version": "580.95.05",
        "flavour": "open",
        "cuda_version": "13.0",
        "library_version": "580.95.05",
        "libraries": libraries("580.95.05"),
        "package": "libnvidia-ml1",
        "package_version": "580.95.05-1",
        "matches": True,
        "module_version": "580.95.05",
        "module_flavour": "open",
        "module_kernels": ["6.12.57+deb13-amd64"],
        "error": "",
    },
    "nouveau": {"loaded": False, "available": True, "blacklisted": True},
    "secure_boot": "disabled",
    "nvswitch": {"count": 0, "fabric_manager": "", "fabric_manager_version": ""},
    "cdi": [],
    "runtimes": {
        "toolkit_version": "1.18.1",
        "hook": True,
        "docker": ["runc", "nvidia"],
        "docker_default": "runc",
        "docker_version": "28.5.2",
        "docker_cdi": True,
    },
    "xid": [],
    "refused": [],
    "log_source": "journal",
    "runfile": {"installed": False, "version": ""},
    "kernel": "6.12.57+deb13-amd64",
}
NO_DRIVER = {
    "gpus": [],
    "driver.loaded": False,
    "driver.version": "",
    "driver.flavour": "",
    "driver.cuda_version": "",
    "driver.library_version": "",
    "driver.libraries": [],
    "driver.package": "",
    "driver.package_version": "",
    "driver.matches": False,
    "driver.module_version": "",
    "driver.module_flavour": "",
    "driver.module_kernels": [],
}


def host(changes=None):
    """A healthy host with two RTX 4090, changed at dotted keys, and what gpu_info would find wrong with it."""
    info = copy.deepcopy(HEALTHY)
    for path, value in (changes or {}).items():
        *holders, key = path.split(".")
        where = info
        for holder in holders:
            where = where[holder]
        where[key] = value
    info["findings"] = findings(info)
    info["sentences"] = [finding["sentence"] for finding in info["findings"]]
    return info
