# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a GPU host, one sentence each with what to do. Private to the collection."""

from __future__ import annotations

import re

from ansible_collections.livepeer.ai.plugins.module_utils import _nvidia_log

RELOAD = "reboot, or stop everything that uses the GPUs and load the module anew"
FABRIC_WAITS = ("Not Started", "In Progress")
NEXT_ACTION = re.compile(r"to 0x[0-9a-fA-F]+ \(([^)]*)\)")


def _count(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _bus(told):
    return [device for device in told["pci"] if device["kind"] == "gpu"]


def _name(gpu):
    return f"GPU {gpu['index']} ({gpu['name'] or 'unknown'}, {gpu['pci_bus_id']})"


def _addresses(devices):
    return ", ".join(device["address"] for device in devices)


def _ours(told):
    """The GPUs that NVIDIA's driver should have: all but those that were handed to virtual machines."""
    return [gpu for gpu in _bus(told) if gpu["driver"] != "vfio-pci"]


def _unseen(told):
    """The GPUs on the bus that nvidia-smi does not show, if it shows any."""
    shown = {gpu["pci_bus_id"] for gpu in told["gpus"]}
    refused = {one["pci_address"] for one in _refused(told)}
    return [gpu for gpu in _ours(told) if gpu["address"] not in shown | refused] if shown else []


def _fallen(told):
    """Those of them that the driver had taken: a GPU that fell off the bus stays bound to its driver."""
    return [gpu for gpu in _unseen(told) if gpu["driver"] == "nvidia"]


def _refused(told):
    """The GPUs that the module refuses, unless what was refused at boot is mended by now."""
    shown = {gpu["pci_bus_id"] for gpu in told["gpus"]}
    flavour = told["driver"]["flavour"] or told["driver"]["module_flavour"]
    if not flavour or not _bus(told):
        return []
    refused = [one for one in told["refused"] if one["wants"] != flavour]
    return [one for one in refused if not (one["pci_address"] in shown or shown and not one["pci_address"])]


def _refusals(told):
    for one in _refused(told):
        if one["wants"] == told["driver"]["module_flavour"]:
            yield (
                f"The GPU at {one['pci_address']} needs the {one['wants']} kernel module, "
                "which is installed while the other flavour is still loaded: reboot."
            )
        elif one["wants"] == "open":
            yield (
                f"The GPU at {one['pci_address']} works with the open kernel module only, and the proprietary one is "
                "installed: install the driver's open flavour."
            )
        elif one["wants"] == "proprietary":
            yield (
                f"The open kernel module refuses the GPU at {one['pci_address']}: if it is older than Turing, install "
                "the proprietary flavour of driver 580 or older; else it did not answer at boot, and a power cycle may "
                "help."
            )
        else:
            yield (
                f"The driver ignores a GPU that only the branch {one['wants']} supports: "
                "install that branch, or take the card out."
            )


def _not_loaded(told):
    driver, gpus = told["driver"], _bus(told)
    if driver["loaded"] or not gpus or _refused(told):
        return
    version = driver["module_version"] or driver["library_version"]
    installed = version or driver["module_kernels"]
    if not _ours(told):
        yield (
            f"The GPUs ({_addresses(gpus)}) are handed to virtual machines (driver vfio-pci): "
            "take them back before this host can use them."
        )
    elif not installed:
        yield f"{_count(len(gpus), 'NVIDIA GPU')} on the PCI bus, and no NVIDIA driver is installed: install one."
    elif told["nouveau"]["loaded"]:
        yield (
            "The kernel's own driver nouveau has the GPUs and keeps NVIDIA's from loading: "
            "blacklist nouveau, rebuild the initramfs and reboot."
        )
    elif not driver["module_version"] and driver["module_kernels"]:
        yield (
            f"The driver's module is built for {', '.join(driver['module_kernels'])} and not for the running kernel "
            f"{told['kernel']}: boot one of these, or install the running kernel's headers and build it for that too."
        )
    elif not driver["module_version"]:
        yield (
            f"The driver's libraries are there ({version}), but no kernel module of it for the running kernel "
            f"{told['kernel']}: install that kernel's headers and build the module (dkms autoinstall)."
        )
    elif told["secure_boot"] == "enabled":
        yield (
            f"The driver {version} is installed and not loaded, and Secure Boot, which is on, wants signed modules: "
            "sign the module and enrol its key (mokutil --import), or switch Secure Boot off."
        )
    else:
        yield f"The driver {version} is installed and not loaded: reboot, or run `modprobe nvidia` and read `dmesg`."


def _versions(told):
    driver = told["driver"]
    if not driver["loaded"]:
        return
    versions = {library["version"] for library in driver["libraries"]}
    if not versions:
        yield (
            f"The driver {driver['version']} is loaded, but its library libnvidia-ml.so is not on this host: "
            "reinstall the driver's packages."
        )
    elif len(versions) > 1:
        told_versions = " and ".join(f"{library['name']} {library['version']}" for library in driver["libraries"])
        yield f"The driver's libraries are of different versions ({told_versions}): finish the driver's update."
    elif driver["version"] and not driver["matches"]:
        yield (
            f"The loaded kernel module is {driver['version']} and the libraries are {driver['library_version']}, "
            f"so nothing new can use a GPU (Driver/library version mismatch): {RELOAD}."
        )
    elif driver["module_version"] not in ("", driver["version"]):
        yield (
            f"The driver {driver['version']} is loaded, and its next start would load {driver['module_version']}: "
            "finish the driver's update, then reboot."
        )


def _smi(told):
    driver = told["driver"]
    # Libraries that are missing or of another version have their sentence already.
    ill_fitting = driver["version"] and not driver["matches"]
    if not driver["loaded"] or not driver["error"] or ill_fitting or _refused(told):
        return
    if "did not answer" in driver["error"]:
        yield (
            f"{driver['error']}, so a GPU or the driver hangs: "
            "read `journalctl -k` for NVRM, and reboot the host if it stays so."
        )
    elif "not installed" in driver["error"]:
        yield f"The driver {driver['version']} is loaded, but nvidia-smi is not installed: install the driver's tools."
    elif not _fallen(told) and not any(gpu["problem"] for gpu in told["gpus"]):
        yield f"nvidia-smi says: {driver['error'].rstrip('.')}."


def _gpus(told):
    gone = _fallen(told)
    if gone:
        yield (
            f"nvidia-smi shows {len(told['gpus'])} of the {_count(len(_ours(told)), 'GPU')} on the PCI bus; it lacks "
            f"{_addresses(gone)}: read `journalctl -k` for NVRM, then {_nvidia_log.REBOOT}."
        )
    for gpu in _unseen(told):
        if gpu not in gone:
            yield (
                f"NVIDIA's driver has not taken the GPU at {gpu['address']} ({gpu['driver'] or 'no driver'} has it): "
                "read `journalctl -k` for NVRM; if it is too old for this driver, take the card out or install an "
                "older branch."
            )
    for gpu in told["gpus"]:
        if gpu["problem"]:
            yield f"{_name(gpu)} does not answer ({gpu['problem']}): {_nvidia_log.REBOOT}."
        elif gpu["recovery_action"]:
            yield f"{_name(gpu)} asks for a recovery: {gpu['recovery_action']}."
        if gpu["memory_repair"] == "failed":
            yield f"{_name(gpu)} can replace no more bad memory: have the card exchanged."
        elif gpu["memory_repair"] == "pending":
            yield f"{_name(gpu)} will replace bad memory at its next reset: drain it and run nvidia-smi --gpu-reset."
        if gpu["compute_mode"] == "Prohibited":
            yield f"{_name(gpu)} lets no program compute: run `nvidia-smi -i {gpu['index']} -c DEFAULT`."
        if gpu["mig_pending"]:
            yield f"{_name(gpu)} waits for a reset to change its MIG mode: drain it and run nvidia-smi --gpu-reset."


def _xid(told):
    # A GPU that is gone has its sentence already.
    gone = {gpu["address"] for gpu in _fallen(told)} | {gpu["pci_bus_id"] for gpu in told["gpus"] if gpu["problem"]}
    asks = {gpu["pci_bus_id"] for gpu in told["gpus"] if gpu["recovery_action"]}
    for error in told["xid"]:
        code, address = error["code"], error["pci_address"]
        if error["source"] == "nvswitch":
            if error["text"].startswith("Fatal"):
                yield (
                    f"The NVSwitch at {address} reported a fatal error since boot (SXid {code}, {error['text']}): "
                    "drain the host and reboot it."
                )
        elif code == _nvidia_log.RECOVERY:
            action = NEXT_ACTION.search(error["text"])
            if address not in gone | asks and action and action.group(1) != "None":
                yield f"The GPU at {address} asks for a recovery (Xid {code}): {action.group(1)}."
        elif code in _nvidia_log.SERIOUS and not (code == 79 and address in gone):
            meaning, remedy = _nvidia_log.SERIOUS[code]
            times = "" if error["count"] == 1 else f", {error['count']} times"
            yield f"The GPU at {address} reported {meaning} since boot (Xid {code}{times}): {remedy}."


def _nouveau(told):
    state, driver = told["nouveau"], told["driver"]
    installed = driver["loaded"] or driver["module_version"]
    if _bus(told) and state["loaded"] and driver["loaded"]:
        yield "nouveau is loaded beside NVIDIA's driver: blacklist nouveau, rebuild the initramfs and reboot."
    elif _bus(told) and installed and state["available"] and not state["blacklisted"]:
        yield (
            "nouveau is not blacklisted and may take the GPUs at the next boot: "
            "write `blacklist nouveau` into a file of /etc/modprobe.d and rebuild the initramfs."
        )


def _nvswitch(told):
    switch, driver = told["nvswitch"], told["driver"]
    state, version = switch["fabric_manager"], switch["fabric_manager_version"]
    if not switch["count"] or not driver["loaded"]:
        return
    switches = f"The host has {switch['count']} NVSwitch{'' if switch['count'] == 1 else 'es'}"
    if not state:
        yield (
            f"{switches} and no fabric manager, without which CUDA does not start: "
            f"install nvidia-fabricmanager of the driver's version {driver['version']}."
        )
    elif state != "active":
        yield (
            f"{switches}, and the fabric manager is {state}, without which CUDA does not start: "
            "read `journalctl -u nvidia-fabricmanager` and start it."
        )
    if version and driver["version"] and version != driver["version"]:
        yield (
            f"The fabric manager is {version} and the driver {driver['version']}, which must be the same: "
            "install the fabric manager of the driver's version."
        )
    if state == "active" and version in ("", driver["version"]):
        waiting = [gpu for gpu in told["gpus"] if gpu["fabric_state"] in FABRIC_WAITS]
        if waiting:
            yield (
                f"{', '.join(_name(gpu) for gpu in waiting)} did not join the NVLink fabric "
                f"({waiting[0]['fabric_state']}): read `journalctl -u nvidia-fabricmanager`."
            )


def _cdi(told):
    seen = {}
    for spec in told["cdi"]:
        if spec["error"]:
            yield f"The CDI specification {spec['path']} is {spec['error']}: {_refresh(spec)}."
        elif not spec["devices"]:
            yield f"The CDI specification {spec['path']} names no devices: {_refresh(spec)}."
        elif (
            spec["driver_version"] and told["driver"]["loaded"] and spec["driver_version"] != told["driver"]["version"]
        ):
            yield (
                f"The CDI specification {spec['path']} is of driver {spec['driver_version']}, "
                f"and {told['driver']['version']} is loaded: {_refresh(spec)}."
            )
        elif spec["missing"]:
            yield f"The CDI specification {spec['path']} lacks {', '.join(spec['missing'])}: {_refresh(spec)}."
        clash = sorted({other for device in spec["devices"] for other in seen.get(_place(spec, device), ())})
        if clash:
            yield (
                f"The CDI specifications {', '.join(clash)} and {spec['path']} name the same devices, "
                "so none of them can be used: remove the older file."
            )
        for device in spec["devices"]:
            seen.setdefault(_place(spec, device), []).append(spec["path"])


def _place(spec, device):
    return spec["path"].rpartition("/")[0], spec["kind"], device


def _refresh(spec):
    """What brings a specification up to date: the toolkit's own unit writes to /var/run/cdi, people to /etc/cdi."""
    if spec["path"].startswith("/var/run/"):
        return "run `systemctl restart nvidia-cdi-refresh`"
    return (
        f"run `nvidia-ctk cdi generate --output={spec['path']}`, or remove it where nvidia-cdi-refresh writes its own"
    )


def _runtimes(told):
    runtimes = told["runtimes"]
    if not runtimes["docker_version"] or not told["driver"]["loaded"] or not _ours(told):
        return
    by_cdi = runtimes["docker_cdi"] and any(spec["kind"].endswith("nvidia.com/gpu") for spec in told["cdi"])
    if not runtimes["hook"] and "nvidia" not in runtimes["docker"] and not by_cdi:
        yield "Docker has no way to give GPUs to containers: install the NVIDIA Container Toolkit."


def _runfile(told):
    if told["runfile"]["installed"] and told["driver"]["package"]:
        yield (
            f"A driver from a .run file ({told['runfile']['version'] or 'of unknown version'}) lies beside the package "
            f"{told['driver']['package']}: run `nvidia-uninstall`, then reinstall the package."
        )


CHECKS = (
    ("driver", _refusals),
    ("driver", _not_loaded),
    ("driver", _versions),
    ("driver", _smi),
    ("gpu", _gpus),
    ("xid", _xid),
    ("nouveau", _nouveau),
    ("nvswitch", _nvswitch),
    ("cdi", _cdi),
    ("runtime", _runtimes),
    ("runfile", _runfile),
)


def findings(told):
    """All that is wrong: [{subject, sentence}], empty when all is well."""
    return [{"subject": subject, "sentence": sentence} for subject, check in CHECKS for sentence in check(told)]


def summary(told):
    """The host in one sentence, whether or not anything is wrong."""
    driver, bus = told["driver"], _bus(told)
    names = {}
    for gpu in told["gpus"]:
        names[gpu["name"] or "unknown"] = names.get(gpu["name"] or "unknown", 0) + 1
    hardware = ", ".join(f"{count} x {name}" for name, count in names.items())
    hardware = hardware or (_count(len(bus), "NVIDIA GPU") + " on the PCI bus" if bus else "No NVIDIA GPU")
    if not driver["loaded"]:
        installed = driver["module_version"] or driver["library_version"]
        return f"{hardware}, no NVIDIA driver is loaded" + (f" ({installed} is installed)." if installed else ".")
    flavour = f" ({driver['flavour']})" if driver["flavour"] else ""
    cuda = f", CUDA {driver['cuda_version']}" if driver["cuda_version"] else ""
    return f"{hardware}, driver {driver['version'] or 'of unknown version'}{flavour}{cuda}."
