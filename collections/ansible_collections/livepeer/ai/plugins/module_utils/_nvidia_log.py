# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NVIDIA's driver writes into the kernel's log: errors, and GPUs that it refuses. Private to the collection."""

from __future__ import annotations

import re

from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_smi import pci_address

RESET = "drain the GPU and reset it (nvidia-smi --gpu-reset), or reboot; if it returns, have the card examined"
REBOOT = "reboot the host; if it returns, check power, seating and riser of the card and have it examined"

# What needs a person, as NVIDIA's Xid catalog says (docs.nvidia.com/deploy/xid-errors): code, meaning, what to do.
# All others are told as well, but a program's own fault and what the GPU repaired by itself are no finding.
SERIOUS = {
    48: ("an uncorrectable memory error", RESET),
    62: ("a halt of its internal controller", RESET),
    64: ("a failure to replace bad memory", RESET),
    74: ("an error of an NVLink connection", RESET),
    79: ("falling off the bus", REBOOT),
    92: ("a high rate of corrected memory errors", "have the card examined"),
    94: ("a contained memory error", "restart the program that had it, and reset the GPU when it is idle"),
    95: ("an uncontained memory error", RESET),
    109: ("a task that the GPU could not switch away from", RESET),
    110: ("a security fault", RESET),
    119: ("a timeout of its system processor (GSP)", RESET),
    120: ("an error of its system processor (GSP)", RESET),
    136: ("an NVLink connection that does not train", RESET),
    140: ("an unrecovered memory error", RESET),
    143: ("a failure to initialise", RESET),
    158: ("a fatal timeout", RESET),
}
RECOVERY = 154  # "GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)"

# GPUs say Xid, NVSwitches SXid. With MIG the address is followed by the instance, old drivers leave PCI: out.
GPU = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)[^)]*\): (\d+)(?:,\s*(.*))?$")
SWITCH = re.compile(r"nvidia-nvswitch\d+: SXid \((?:PCI:)?([0-9a-fA-F:.]+)[^)]*\): (\d+)(?:,\s*(.*))?$")
LONGEST_TEXT = 300
# A module that does not fit a GPU says so here alone. The kernel may keep the lines together or as one entry each.
REFUSAL = re.compile(
    r"The NVIDIA GPU ([0-9a-fA-F:.]+) \(PCI ID: [^)]*\)\s[^\n]*?installed in this system "
    r"(is not supported by open|requires use of the NVIDIA open kernel modules)"
)
LEGACY = re.compile(r"supported through the NVIDIA (\S+) Legacy drivers")
PATTERN = r"S?Xid \(|NVRM: The NVIDIA |installed in this system|Legacy drivers"
JOURNAL = ("journalctl", "--dmesg", "--boot", "--no-pager", "--output=cat")
SECONDS = 30.0


def parse(text):
    """The errors of a log, each kind of each device once with how often and its last words."""
    found = {}
    for line in text.splitlines():
        for source, pattern in (("gpu", GPU), ("nvswitch", SWITCH)):
            match = pattern.search(line.rstrip())
            if match:
                address, code, words = match.groups()
                key = (source, int(code), pci_address(address))
                count = found[key]["count"] + 1 if key in found else 1
                found[key] = {
                    "code": int(code),
                    "pci_address": pci_address(address),
                    "source": source,
                    "count": count,
                    "text": (words or "")[:LONGEST_TEXT],
                }
    return list(found.values())


def refusals(text):
    """The GPUs that a module refused and what they want instead: open, proprietary, or a branch such as 470.xx."""
    wants = {address: "proprietary" if "not supported" in words else "open" for address, words in REFUSAL.findall(text)}
    found = [{"pci_address": pci_address(address), "wants": flavour} for address, flavour in wants.items()]
    return found + [{"pci_address": "", "wants": branch} for branch in dict.fromkeys(LEGACY.findall(text))]


def read(host):
    """(text, where it was read) of the kernel's log since boot, as far as it is of interest here: journal, kernel, or
    nothing at all, which is not the same as an empty log."""
    text = _journal(host)
    if text is not None:
        return text, "journal"
    outcome = host.run("dmesg", seconds=SECONDS)
    return (outcome.out, "kernel") if outcome.ok else ("", "")


def _journal(host):
    """What the journal has, None if it cannot be read or has nothing of the kernel, as in a container."""
    for argv in ((*JOURNAL, f"--grep={PATTERN}", "--case-sensitive=yes"), JOURNAL):
        outcome = host.run(*argv, seconds=SECONDS)
        # Nothing found ends with 1 and an empty stderr; a journal that is not there or not ours to read says so.
        if outcome.code in (0, 1) and not outcome.err.strip():
            filled = _has_lines(outcome) or _has_lines(host.run(*JOURNAL, "--lines=1", seconds=SECONDS))
            return outcome.out if filled else None
    return None


def _has_lines(outcome):
    return outcome.ok and bool(outcome.out.strip()) and "-- No entries --" not in outcome.out
