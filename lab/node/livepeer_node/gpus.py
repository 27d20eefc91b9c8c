# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""-nvidia: a list taken as it is, or "all" counted from the PCI devices (facts 1.7)."""

from __future__ import annotations

from pathlib import Path

PCI_DEVICES = Path("/sys/bus/pci/devices")
_NVIDIA_VENDOR = "0x10de"
_DISPLAY_CLASS = "0x03"


class NoDevices(Exception):
    """-nvidia all found no card."""


def parse_devices(text: str) -> list[str]:
    """Ids as written, unchecked; "all" becomes 0…n-1."""
    if text != "all":
        return text.split(",")
    count = sum(_is_nvidia_display(device) for device in sorted(PCI_DEVICES.glob("*")))
    if not count:
        raise NoDevices("no devices found with vendor name 'Nvidia'")
    return [str(n) for n in range(count)]


def _is_nvidia_display(device: Path) -> bool:
    try:
        vendor, kind = (device / "vendor").read_text(), (device / "class").read_text()
    except OSError:
        return False
    return vendor.strip() == _NVIDIA_VENDOR and kind.startswith(_DISPLAY_CLASS)
