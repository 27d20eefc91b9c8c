"""What a loaded driver says of one GPU: single fields, and its element of `nvidia-smi -q -x`.

The element has the shape that drivers of branch 580 print (nvsmi_device_v12.dtd). `@PERSISTENCE@`, `@FABRIC_STATE@` and
`@FABRIC_STATUS@` are filled in by nvidia-smi, since daemons change them while the driver stays loaded.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

NOT_AVAILABLE = "N/A"


def bus_id(address: str) -> str:
    """NVML's spelling of a PCI address: eight digits of domain, capitals."""
    domain, rest = address.split(":", 1)
    return f"{int(domain, 16):08X}:{rest.upper()}"


def free_mib(gpu: dict[str, Any]) -> int:
    return gpu["memory_mib"] - gpu["reserved_mib"] - gpu.get("used_mib", 0)


def fields(gpu: dict[str, Any]) -> dict[str, str]:
    """Files that nvidia-smi reads; those named as a field of --query-gpu are one."""
    return {
        "name": gpu["name"],
        "uuid": gpu["uuid"],
        "pci.bus_id": bus_id(gpu["address"]),
        "compute_cap": gpu["compute_capability"],
        "memory.total": str(gpu["memory_mib"]),
        "memory.reserved": str(gpu["reserved_mib"]),
        "memory.used": str(gpu.get("used_mib", 0)),
        "memory.free": str(free_mib(gpu)),
        "mig.mode.current": "Disabled" if gpu["mig"] else "[N/A]",
        "power.limit": f"{gpu['power_limit_watts']}.00",
    }


def _mib(value: int) -> str:
    return f"{value} MiB"


def _tree(gpu: dict[str, Any], version: str) -> dict[str, Any]:
    """Names and texts in the order of the real output; a nested table is a nested element."""
    domain, bus, rest = gpu["address"].split(":")
    device, subsystem = gpu["device"][2:].upper(), gpu["subsystem_device"][2:].upper()
    mig = "Disabled" if gpu["mig"] else NOT_AVAILABLE
    data_centre = gpu["brand"] != "GeForce"
    limit = f"{gpu['power_limit_watts']}.00 W"
    none = NOT_AVAILABLE
    return {
        "product_name": gpu["name"],
        "product_brand": gpu["brand"],
        "product_architecture": gpu["architecture"],
        "display_mode": "Disabled",
        "display_attached": "No",
        "display_active": "Disabled",
        "persistence_mode": "@PERSISTENCE@",
        "addressing_mode": "HMM" if version.startswith("58") else "None",
        "mig_mode": {"current_mig": mig, "pending_mig": mig},
        "mig_devices": "None",
        "accounting_mode": "Disabled",
        "accounting_mode_buffer_size": "4000",
        "driver_model": {"current_dm": none, "pending_dm": none},
        "serial": str(1650524000000 + gpu["minor"]) if data_centre else "0",
        "uuid": gpu["uuid"],
        "minor_number": str(gpu["minor"]),
        "vbios_version": gpu["vbios"],
        "multigpu_board": "No",
        "board_id": f"0x{int(bus, 16) << 8:x}",
        "gpu_module_id": str(gpu["minor"] + 1) if data_centre else "1",
        "gpu_operation_mode": {"current_gom": none, "pending_gom": none},
        "gsp_firmware_version": version,
        "gpu_virtualization_mode": {"virtualization_mode": "None", "host_vgpu_mode": none},
        "gpu_reset_status": {"reset_required": none, "drain_and_reset_recommended": none},
        "gpu_recovery_action": "None",
        "pci": {
            "pci_bus": bus.upper(),
            "pci_device": rest.split(".")[0].upper(),
            "pci_domain": domain.upper(),
            "pci_base_class": str(int(gpu["class"][2:4], 16)),
            "pci_sub_class": str(int(gpu["class"][4:6], 16)),
            "pci_device_id": f"{device}10DE",
            "pci_bus_id": bus_id(gpu["address"]),
            "pci_sub_system_id": f"{subsystem}{gpu['subsystem_vendor'][2:].upper()}",
        },
        "fan_speed": none if data_centre else "0 %",
        "performance_state": "P0" if data_centre else "P8",
        "fb_memory_usage": {
            "total": _mib(gpu["memory_mib"]),
            "reserved": _mib(gpu["reserved_mib"]),
            "used": _mib(gpu.get("used_mib", 0)),
            "free": _mib(free_mib(gpu)),
        },
        "bar1_memory_usage": {
            "total": _mib(gpu["bar1_mib"]),
            "used": _mib(1),
            "free": _mib(gpu["bar1_mib"] - 1),
        },
        "compute_mode": "Default",
        "utilization": {"gpu_util": "0 %", "memory_util": "0 %", "encoder_util": "0 %", "decoder_util": "0 %"},
        "encoder_stats": {"session_count": "0", "average_fps": "0", "average_latency": "0"},
        "ecc_mode": {
            "current_ecc": "Enabled" if data_centre else "Disabled",
            "pending_ecc": "Enabled" if data_centre else "Disabled",
        },
        "temperature": {"gpu_temp": "31 C"},
        "gpu_power_readings": {
            "power_state": "P0" if data_centre else "P8",
            "average_power_draw": none,
            "instant_power_draw": "24.11 W",
            "current_power_limit": limit,
            "default_power_limit": limit,
        },
        "fabric": {
            "state": "@FABRIC_STATE@" if data_centre else none,
            "status": "@FABRIC_STATUS@" if data_centre else none,
        },
        "processes": {},
        "accounted_processes": {},
        "capabilities": {"egm": "disabled"},
    }


def _grow(parent: ElementTree.Element, tree: dict[str, Any]) -> None:
    for name, value in tree.items():
        child = ElementTree.SubElement(parent, name)
        if isinstance(value, dict):
            _grow(child, value)
            if not value:
                # The real output closes an empty list on a line of its own.
                child.text = "\n\t\t"
        else:
            child.text = value


def element(gpu: dict[str, Any], version: str) -> str:
    root = ElementTree.Element("gpu", id=bus_id(gpu["address"]))
    _grow(root, _tree(gpu, version))
    ElementTree.indent(root, "\t", level=1)
    return "\t" + ElementTree.tostring(root, encoding="unicode") + "\n"
