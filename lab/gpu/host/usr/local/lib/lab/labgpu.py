"""What the stand-in kernel of a described host knows: the description, where things are made visible, and its memory.

Standard library only; it runs in the host with Debian's Python.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

DESCRIPTION = Path("/etc/lab/hardware.json")
PCI = Path("/sys/bus/pci/devices")
MODULES = Path("/sys/module")
PROC_DRIVER = Path("/proc/driver")
DEV = Path("/dev")
# Gone at every boot. What `driver` holds is what the loaded driver would answer; containers get it with the GPUs.
MEMORY = Path("/run/lab")
STATE = MEMORY / "gpu"

NVIDIA = "0x10de"
SWITCH_DEVICE = "0x22a3"
NVIDIA_MAJOR = 195
UVM_MAJOR = 508
CAPS_MAJOR = 509
SWITCH_MAJOR = 504
CONTROL_MINOR = 255
MODESET_MINOR = 254


def description() -> dict[str, Any]:
    return json.loads(DESCRIPTION.read_text(encoding="utf-8"))


def gpus(hardware: dict[str, Any]) -> list[dict[str, Any]]:
    """Each GPU with what its model gives it; its place in the list is its minor number."""
    return [{**hardware.get("model", {}), **gpu, "minor": minor} for minor, gpu in enumerate(hardware["gpus"])]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def answer(*argv: str) -> str:
    """Standard output of a command, empty when it fails."""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def blacklisted(module: str) -> bool:
    """Whether modprobe's configuration keeps a device from bringing the module in."""
    return f"blacklist {module}" in answer("modprobe", "--showconfig").splitlines()


def is_loaded(module: str) -> bool:
    return (MODULES / module.replace("-", "_") / "initstate").exists()


def bind(address: str, driver: str) -> None:
    """The device's link to its driver; an empty name takes it away."""
    link = PCI / address / "driver"
    link.unlink(missing_ok=True)
    if driver:
        link.symlink_to(f"../../../../bus/pci/drivers/{driver}")


def make_node(path: Path, major: int, minor: int) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, 0o020666, os.makedev(major, minor))
    path.chmod(0o666)
