# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of its NVIDIA hardware and driver without nvidia-smi. Private to the collection."""

from __future__ import annotations

import os
import re

NVIDIA = "0x10de"
PCI_DEVICES = "/sys/bus/pci/devices"
GPU_CLASSES = ("0x0300", "0x0302")  # VGA compatible controller, 3D controller
BRIDGE_CLASS = "0x0680"
# The switches that NVIDIA's open driver knows. The class alone does not do: Grace Hopper has other bridges of it.
NVSWITCH_DEVICES = (range(0x1AE8, 0x1AE9), range(0x1AF0, 0x1B00), range(0x22A0, 0x22A8))
NVSWITCH_DRIVER = "nvidia-nvswitch"

PROC_VERSION = "/proc/driver/nvidia/version"
# Debian's module can show itself under its package's name.
MODULES = ("nvidia", "nvidia_current")
MODULE_FILE = re.compile(r"/nvidia(?:-current)?\.ko(?:\.\w+)?:")
KERNEL_MODULE = re.compile(r"Kernel Module\s+(?:for\s+\S+\s+)?(\d+\.\d+(?:\.\d+)*)")
VERSION = re.compile(r"\d{3,}\.\d+(?:\.\d+)*")

LIBRARIES = ("libnvidia-ml", "libcuda")
LIBRARY_DIRECTORIES = (
    "/usr/lib/*-linux-gnu",
    "/usr/lib/*-linux-gnu/nvidia/current",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/nvidia/lib64",
)
# Forward compatibility packages and stubs for linking are not the driver's.
FOREIGN = re.compile(r"/(?:compat|stubs)/")
CACHED = re.compile(r"^\s*(\S+) \(([^)]*)\) => (\S+)$", re.MULTILINE)

RUNFILE_LOG = "/var/lib/nvidia/log"
RUNFILE_TOOL = "/usr/bin/nvidia-uninstall"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
MODPROBE_FILES = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)
BLACKLISTED = re.compile(
    r"^\s*(?:blacklist\s+nouveau|install\s+nouveau\s+\S*/?(?:false|true)|alias\s+nouveau\s+off)\b", re.MULTILINE
)
COMMAND_LINE = re.compile(r"(?:^|\s)(?:module_blacklist|(?:rd\.driver|modprobe)[.]blacklist)=\S*\bnouveau\b")


def pci_devices(host):
    """NVIDIA's devices on the PCI bus, with the driver that each is bound to."""
    found = []
    for path in host.glob(f"{PCI_DEVICES}/*"):
        if host.read(f"{path}/vendor").strip() == NVIDIA:
            device, driver = host.read(f"{path}/device").strip(), host.link_name(f"{path}/driver")
            kind = _kind(host.read(f"{path}/class").strip(), device, driver)
            found.append({"address": os.path.basename(path), "device": device, "kind": kind, "driver": driver})
    return found


def _kind(pci_class, device, driver):
    if pci_class.startswith(GPU_CLASSES):
        return "gpu"
    try:
        number = int(device, 16)
    except ValueError:
        return "other"
    known = driver == NVSWITCH_DRIVER or any(number in numbers for numbers in NVSWITCH_DEVICES)
    return "nvswitch" if pci_class.startswith(BRIDGE_CLASS) and known else "other"


def loaded_module(host):
    """{loaded, version, flavour} of the kernel module that runs now."""
    text = host.read(PROC_VERSION)
    first = text.partition("\n")[0]
    match = KERNEL_MODULE.search(first)
    version = match.group(1) if match else ""
    for module in MODULES:
        version = version or host.read(f"/sys/module/{module}/version").strip()
    loaded = bool(text) or any(host.exists(f"/sys/module/{module}") for module in MODULES)
    flavour = ("open" if "Open Kernel Module" in first else "proprietary") if match else ""
    return {"loaded": loaded, "version": version if VERSION.fullmatch(version) else "", "flavour": flavour}


def module_on_disk(host):
    """{module_version, module_flavour} of the kernel module that the running kernel would load at its next start."""
    for name in ("nvidia", "nvidia-current"):
        outcome = host.run("modinfo", name)
        if outcome.ok:
            fields = dict(re.findall(r"^(version|license):\s*(.*?)\s*$", outcome.out, re.MULTILINE))
            flavour = "proprietary" if fields.get("license") == "NVIDIA" else "open"
            return {"module_version": fields.get("version", ""), "module_flavour": flavour}
    return {"module_version": "", "module_flavour": ""}


def module_kernels(host):
    """The kernels that have a module of NVIDIA's, whichever of them runs."""
    found = host.glob("/lib/modules/*/modules.dep")
    return [path.split("/")[3] for path in found if MODULE_FILE.search(host.read(path))]


def libraries(host):
    """The user-space libraries that a program would get: [{name, path, version}]."""
    cached = _cached(host)
    found = []
    for name in LIBRARIES:
        for path in [*cached.get(f"{name}.so.1", []), *_in_directories(host, name)]:
            file = host.resolve(path)
            version = os.path.basename(file).partition(".so.")[2]
            if VERSION.fullmatch(version):
                found.append({"name": name, "path": file, "version": version})
                break
    return found


def _cached(host):
    """What the linker's cache holds for 64 bits, in its order."""
    found = {}
    outcome = host.run("ldconfig", "-p")
    for name, flags, path in CACHED.findall(outcome.out if outcome.ok else ""):
        if "64" in flags and not FOREIGN.search(path):
            found.setdefault(name, []).append(path)
    return found


def _in_directories(host, name):
    return [path for directory in LIBRARY_DIRECTORIES for path in host.glob(f"{directory}/{name}.so.*.*")]


def owner(host, path):
    """(package, version) of the package that a file belongs to, both empty if it belongs to none."""
    # With /lib merged into /usr, dpkg knows a file by the one name that its package used.
    for name in dict.fromkeys((path, path[4:] if path.startswith("/usr/") else f"/usr{path}")) if path else ():
        outcome = host.run("dpkg-query", "-S", name)
        if outcome.missing:
            return _rpm_owner(host, path)
        for line in outcome.out.splitlines() if outcome.ok else []:
            packages, colon, _file = line.rpartition(": ")
            if colon and not line.startswith("diversion by"):
                package = packages.split(",")[0].strip()
                return package.partition(":")[0], debian_version(host, package)
    return "", ""


def _rpm_owner(host, path):
    outcome = host.run("rpm", "-qf", "--qf", "%{NAME}\t%{EVR}\n", path)
    name, _tab, version = outcome.out.partition("\n")[0].partition("\t")
    return (name, version) if outcome.ok and version else ("", "")


def debian_version(host, pattern):
    """The version of the first installed package of that name or pattern."""
    outcome = host.run("dpkg-query", "-W", "-f", "${db:Status-Status}\t${Version}\n", pattern)
    for line in outcome.out.splitlines():
        status, _tab, version = line.partition("\t")
        if status == "installed":
            return version
    return ""


def runfile(host):
    """Whether a driver of NVIDIA's own installer is there. Its installer relies on the same record, and keeps it until
    it is uninstalled; its log in /var/log stays behind and proves nothing."""
    record = host.read(RUNFILE_LOG).partition("\n")[0]
    version = re.search(r"\((\d+\.\d+(?:\.\d+)*)\)", record)
    installed = bool(version) or (host.exists(RUNFILE_TOOL) and not owner(host, RUNFILE_TOOL)[0])
    return {"installed": installed, "version": version.group(1) if version else ""}


def secure_boot(host):
    """enabled, disabled, or unsupported by the firmware that the host was started with."""
    state = host.read_bytes(SECURE_BOOT)
    if state:
        return "enabled" if state[-1] == 1 else "disabled"
    return "disabled" if host.glob(os.path.dirname(SECURE_BOOT) + "/*") else "unsupported"


def nouveau(host):
    """Whether the kernel's own driver runs, could run, and is kept from running."""
    files = [path for directory in MODPROBE_FILES for path in host.glob(f"{directory}/*.conf")]
    return {
        "loaded": host.exists("/sys/module/nouveau"),
        "available": "/nouveau.ko" in host.read(f"/lib/modules/{host.kernel}/modules.dep"),
        "blacklisted": any(BLACKLISTED.search(host.read(path)) for path in files)
        or bool(COMMAND_LINE.search(host.read("/proc/cmdline"))),
    }


def container_of(host, pid):
    """The id of the container that a process runs in, whatever engine and cgroup version, or empty."""
    found = re.findall(r"[0-9a-f]{64}", host.read(f"/proc/{pid}/cgroup"))
    return found[-1] if found else ""
