# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's log, as drivers of several generations wrote it."""

from __future__ import annotations

import re

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_host import Outcome
from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_log import PATTERN, SERIOUS, parse, read, refusals
from ansible_collections.livepeer.ai.tests.unit.nvidia_machine import JOURNAL, JOURNAL_LAST, JOURNAL_WHOLE, Machine

LINE = "NVRM: Xid (PCI:0000:65:00): 79, pid=1582259, name=nvc:[driver], GPU has fallen off the bus."


@pytest.mark.parametrize(
    ("line", "code", "address", "source", "text"),
    [
        (LINE, 79, "0000:65:00.0", "gpu", "pid=1582259, name=nvc:[driver], GPU has fallen off the bus."),
        (
            "NVRM: Xid (PCI:0000:05:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
            79,
            "0000:05:00.0",
            "gpu",
            "pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
        ),
        (
            "[6085126.134786] " + LINE,
            79,
            "0000:65:00.0",
            "gpu",
            "pid=1582259, name=nvc:[driver], GPU has fallen off the bus.",
        ),
        ("NVRM: Xid (0000:03:00): 14, Channel 00000001", 14, "0000:03:00.0", "gpu", "Channel 00000001"),
        ("NVRM: Xid (PCI:0000:83:00): 48", 48, "0000:83:00.0", "gpu", ""),
        ("NVRM: Xid (PCI:0000:3b:00 GPU-I:05): 13, pid=1, x", 13, "0000:3b:00.0", "gpu", "pid=1, x"),
        ("NVRM: Xid (PCI:000f:01:00): 119, Timeout", 119, "000f:01:00.0", "gpu", "Timeout"),
        (
            "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Non-fatal, Link 46 MC TS crumbstore MCTO",
            28006,
            "0000:c1:00.0",
            "nvswitch",
            "Non-fatal, Link 46 MC TS crumbstore MCTO",
        ),
    ],
)
def test_lines(line, code, address, source, text):
    assert parse(f"before\n{line}\r\nafter\n") == [
        {"code": code, "pci_address": address, "source": source, "count": 1, "text": text}
    ]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "NVRM: GPU 0000:65:00.0: GPU has fallen off the bus.",
        "NVRM: Xid errors are described elsewhere",
        "my-daemon: Xid (PCI:0000:01:00): 79, made up",
        "NVRM: Xid (PCI:0000:01:00): many",
        "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): Severity 1 Engine instance 46 Sub-engine instance 00",
    ],
)
def test_lines_that_tell_of_no_error(line):
    assert parse(line) == []


def test_each_kind_of_each_device_once():
    """A program that reads where it may not writes thousands of lines."""
    lines = [f"NVRM: Xid (PCI:0000:01:00): 31, pid={number}, MMU Fault" for number in range(2000)]
    lines.insert(1000, "NVRM: Xid (PCI:0000:02:00): 31, pid=1, MMU Fault")
    lines.append("NVRM: Xid (PCI:0000:01:00): 13, " + "x" * 1000)
    told = parse("\n".join(lines))
    assert [(one["code"], one["pci_address"], one["count"]) for one in told] == [
        (31, "0000:01:00.0", 2000),
        (31, "0000:02:00.0", 1),
        (13, "0000:01:00.0", 1),
    ]
    assert told[0]["text"] == "pid=1999, MMU Fault"
    assert len(told[2]["text"]) == 300


NO_PATTERNS = Outcome(1, "", "Compiled without pattern matching support\n")
NO_JOURNAL = Outcome(1, "", "No journal files were found.\n")
NOT_ALLOWED = Outcome(1, "", "dmesg: read kernel buffer failed: Operation not permitted\n")
FOUND, NOTHING = Outcome(0, LINE + "\n"), Outcome(1, "-- No entries --\n")
KERNEL_WORDS = Outcome(0, "Linux version 6.1.0-49-amd64\n")


@pytest.mark.parametrize(
    ("answers", "count", "source"),
    [
        ({JOURNAL: FOUND}, 1, "journal"),
        ({JOURNAL: NOTHING, JOURNAL_LAST: KERNEL_WORDS, "dmesg": FOUND}, 0, "journal"),
        # The journal of a container has nothing of the kernel.
        ({JOURNAL: NOTHING, JOURNAL_LAST: Outcome(0, "-- No entries --\n"), "dmesg": FOUND}, 1, "kernel"),
        ({JOURNAL: NOTHING, JOURNAL_LAST: NOTHING, "dmesg": NOT_ALLOWED}, 0, ""),
        ({JOURNAL: NO_PATTERNS, JOURNAL_WHOLE: FOUND}, 1, "journal"),
        ({JOURNAL: NO_JOURNAL, JOURNAL_WHOLE: NO_JOURNAL, "dmesg": FOUND}, 1, "kernel"),
        ({"dmesg": FOUND}, 1, "kernel"),
        ({JOURNAL: Outcome(None, timed_out=True), "dmesg": Outcome(0, "")}, 0, "kernel"),
        ({"dmesg": NOT_ALLOWED}, 0, ""),
        ({}, 0, ""),
    ],
)
def test_where_the_log_is_read(tmp_path, answers, count, source):
    machine = Machine(tmp_path)
    machine.commands = answers
    text, told = read(machine.host)
    assert (len(parse(text)), told) == (count, source)


def test_every_serious_error_says_what_to_do():
    for meaning, remedy in SERIOUS.values():
        assert meaning and remedy
        assert not remedy.endswith(".")


# As one entry of several lines, as dmesg shows such an entry, and as an entry for each line.
NEEDS_OPEN = """NVRM: The NVIDIA GPU 0000:02:00.0 (PCI ID: 10de:2c58)
NVRM: installed in this system requires use of the NVIDIA open kernel modules.
"""
NEEDS_OPEN_DMESG = """[    5.499014] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.105.08  Wed Oct 29 23:15:11
[    5.559842] NVRM: The NVIDIA GPU 0000:02:00.0 (PCI ID: 10de:2c58)
               NVRM: installed in this system requires use of the NVIDIA open kernel modules.
[    5.559858] NVRM: GPU 0000:02:00.0: RmInitAdapter failed! (0x22:0x56:884)
"""
NEEDS_PROPRIETARY = """[    9.1] NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:1bb1)
[    9.1] NVRM: installed in this system is not supported by open
[    9.1] NVRM: nvidia.ko because it does not include the required GPU
[    9.1] NVRM: System Processor (GSP).
"""
NEEDS_BRANCH = """NVRM: The NVIDIA GeForce GTX 780 GPU installed in this system is
NVRM:  supported through the NVIDIA 470.xx Legacy drivers. Please
NVRM:  visit http://www.nvidia.com/object/unix.html for more
"""


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (NEEDS_OPEN, [("0000:02:00.0", "open")]),
        (NEEDS_OPEN_DMESG * 3, [("0000:02:00.0", "open")]),
        (NEEDS_PROPRIETARY, [("0000:01:00.0", "proprietary")]),
        (NEEDS_BRANCH * 2, [("", "470.xx")]),
        (
            NEEDS_PROPRIETARY + NEEDS_BRANCH + NEEDS_OPEN,
            [("0000:01:00.0", "proprietary"), ("0000:02:00.0", "open"), ("", "470.xx")],
        ),
        (LINE, []),
        ("NVRM: The NVIDIA GPU 0000:02:00.0 (PCI ID: 10de:2c58)\nNVRM: is well\n", []),
        ("", []),
    ],
)
def test_gpus_that_a_module_refuses(text, refused):
    assert [(one["pci_address"], one["wants"]) for one in refusals(text)] == refused


@pytest.mark.parametrize("text", [NEEDS_OPEN, NEEDS_PROPRIETARY, NEEDS_BRANCH])
def test_the_journal_finds_what_a_refusal_is_read_from(text):
    """Also where each line is an entry of its own."""
    found = "\n".join(line for line in text.splitlines() if re.search(PATTERN, line))
    assert refusals(found) == refusals(text)
