# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nvidia-smi of several driver generations. The reports in fixtures/nvidia_smi have the elements and their order as
these drivers print them; names, numbers and UUIDs are made up."""

from __future__ import annotations

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _nvidia_smi
from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_smi import (
    ABSENT,
    amount,
    ask,
    complaint,
    complete,
    pci_address,
    read_capabilities,
    read_listing,
    read_report,
    value,
)
from ansible_collections.livepeer.ai.tests.unit.nvidia_machine import (
    SMI,
    SMI_CAPABILITIES,
    SMI_LIST,
    Machine,
    report,
    uuids_of,
)

MIB = 1024**2

# Report, driver, CUDA, and of each GPU: name, brand, address, MiB in all, free and used, persistence.
GENERATIONS = (
    # R470, the last for Kepler: DTD v11, no reserved memory, no architecture; a T4 of a cloud.
    ("470-tesla-t4", "470.256.02", "11.4", [("Tesla T4", "Tesla", "0000:00:1e.0", 15109, 14088, 1021, False)]),
    # R525: DTD v12, reserved memory beside used; a desktop with a display.
    (
        "525-rtx-3090",
        "525.147.05",
        "12.0",
        [("NVIDIA GeForce RTX 3090", "GeForce", "0000:0b:00.0", 24576, 17681, 6411, False)],
    ),
    # R535: two data centre cards, the first divided by MIG.
    (
        "535-a100-mig",
        "535.183.01",
        "12.2",
        [
            ("NVIDIA A100-SXM4-40GB", "NVIDIA", "0000:07:00.0", 40960, 40265, 87, True),
            ("NVIDIA A100-SXM4-40GB", "NVIDIA", "0000:0f:00.0", 40960, 40347, 4, True),
        ],
    ),
    # R550: two consumer cards, one of them busy.
    (
        "550-2x-rtx-4090",
        "550.163.01",
        "12.4",
        [
            ("NVIDIA GeForce RTX 4090", "GeForce", "0000:01:00.0", 24564, 24080, 2, True),
            ("NVIDIA GeForce RTX 4090", "GeForce", "0000:41:00.0", 24564, 3968, 20114, True),
        ],
    ),
    # R570: two cards of an HGX board behind NVSwitches.
    (
        "570-2x-h100",
        "570.133.20",
        "12.8",
        [
            ("NVIDIA H100 80GB HBM3", "NVIDIA", "0000:19:00.0", 81559, 81079, 1, True),
            ("NVIDIA H100 80GB HBM3", "NVIDIA", "0000:3b:00.0", 81559, 81079, 1, True),
        ],
    ),
    # R580: DTD v13, a superchip whose second GPU is lost, in PCI domains of their own.
    (
        "580-gb200-lost",
        "580.65.06",
        "13.0",
        [
            ("NVIDIA GB200", "NVIDIA", "0008:01:00.0", 189471, 188416, 0, True),
            ("NVIDIA GB200", "NVIDIA", "0009:01:00.0", None, None, None, True),
        ],
    ),
    # R580 on a GPU that shares the host's memory and has none of its own to tell of.
    ("580-gb10", "580.95.05", "13.0", [("NVIDIA GB10", "NVIDIA RTX", "000f:01:00.0", None, None, None, True)]),
    # R615: versions under new names beside the old ones, with comments between.
    ("615-b300", "615.23", "13.4", [("NVIDIA B300", "NVIDIA", "0002:81:00.0", 286524, 285248, 0, True)]),
)


@pytest.mark.parametrize(("name", "driver", "cuda", "gpus"), GENERATIONS, ids=[row[0] for row in GENERATIONS])
def test_generations(name, driver, cuda, gpus):
    read = read_report(report(name))
    assert (read["driver_version"], read["cuda_version"]) == (driver, cuda)
    assert [gpu["uuid"] for gpu in read["gpus"]] == uuids_of(name)
    assert [gpu["index"] for gpu in read["gpus"]] == list(range(len(gpus)))
    keys = ("name", "brand", "pci_bus_id", "memory_total", "memory_free", "memory_used", "persistence")
    expected = [
        (*row[:3], *(number if number is None else number * MIB for number in row[3:6]), row[6]) for row in gpus
    ]
    assert [tuple(gpu[key] for key in keys) for gpu in read["gpus"]] == expected


def test_only_the_new_names():
    """From CUDA 14 on the old names are gone."""
    text = report("615-b300")
    for name in ("driver_version", "cuda_version"):
        text = text.replace(f"<{name}>", "<gone>").replace(f"</{name}>", "</gone>")
    read = read_report(text)
    assert (read["driver_version"], read["cuda_version"]) == ("615.23", "13.4")


def test_mig_of_the_report():
    first, second = read_report(report("535-a100-mig"))["gpus"]
    assert first["mig_enabled"] and not first["mig_pending"]
    assert first["mig_devices"] == [{"uuid": "", "profile": "", "memory_total": 19968 * MIB}] * 2
    assert not second["mig_enabled"] and second["mig_pending"]
    assert (first["memory_repair"], second["memory_repair"]) == ("", "pending")


def test_processes_of_the_report():
    """One of them has a name that is no XML, as nvidia-smi prints it."""
    processes = read_report(report("525-rtx-3090").replace("&amp;", "&"))["processes"]
    assert [(one["pid"], one["type"], one["memory_used"], one["name"]) for one in processes] == [
        (1502, "G", 92 * MIB, "/usr/lib/xorg/Xorg"),
        (4410, "C", 6300 * MIB, "python"),
        (4411, "C+G", None, "...AAAAA= --shared-files & <tmp>"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<gpu_temp>37 C", "<gpu_temp>GPU is lost", "GPU is lost"),
        ("<gpu_temp>37 C", "<gpu_temp>[Unknown Error]", "Unknown Error"),
        ("<used>1021 MiB", "<used>ERR!", "ERR!"),
        ("<state>", "<state>", ""),
        ("/usr/bin/python3", "[GPU is lost]", ""),
    ],
)
def test_fields_of_a_broken_gpu(old, new, problem):
    gpu = read_report(report("470-tesla-t4").replace(old, new))["gpus"][0]
    assert gpu["problem"] == problem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No devices were found\n",
        "<nvidia_smi_log>",
        report("470-tesla-t4")[:3000],
        "<nvidia_smi_log><gpu></nvidia_smi_log>",
        "<nvidia_smi_log>&unknown;</nvidia_smi_log>",
        "+-----------------------------------------+\n| NVIDIA-SMI 550.163.01 |\n",
    ],
)
def test_what_is_no_report(text):
    assert read_report(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "<nvidia_smi_log></nvidia_smi_log>",
        "<nvidia_smi_log><gpu/></nvidia_smi_log>",
        '<nvidia_smi_log><gpu id="x"><uuid/><fb_memory_usage><total>many</total></fb_memory_usage>'
        "<processes><process_info><pid>N/A</pid></process_info></processes></gpu></nvidia_smi_log>",
        "<nvidia_smi_log><driver_version>ERR!</driver_version><gpu><product_name>\x01\x02</product_name></gpu></nvidia_smi_log>",
    ],
)
def test_a_report_that_lacks_everything(text):
    read = read_report(text)
    assert (read["driver_version"], read["cuda_version"], read["processes"]) == ("", "", [])
    for gpu in read["gpus"]:
        assert (gpu["uuid"], gpu["name"], gpu["pci_bus_id"], gpu["memory_total"]) == ("", "", "", None)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("24564 MiB", 24564 * MIB),
        ("24564", 24564 * MIB),
        (" 80 GiB ", 80 * 1024 * MIB),
        ("512 KiB", 512 * 1024),
        ("0 MiB", 0),
        ("7 B", 7),
        ("N/A", None),
        ("[N/A]", None),
        ("Not Supported", None),
        ("GPU is lost", None),
        ("", None),
        ("-1 MiB", None),
        ("1.5 GiB", None),
    ],
)
def test_amounts(text, number):
    assert amount(text) == number


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("00000000:65:00.0", "0000:65:00.0"),
        ("0000:0B:00.0", "0000:0b:00.0"),
        ("0000:65:00", "0000:65:00.0"),
        ("00000008:01:00.0", "0008:01:00.0"),
        ("00010000:01:00.0", "10000:01:00.0"),
        ("65:00.0", "0000:65:00.0"),
        ("N/A", ""),
        ("", ""),
    ],
)
def test_addresses(text, address):
    assert pci_address(text) == address


@pytest.mark.parametrize("text", [*ABSENT, "N/A", "[Unknown Error]", "ERR!", "GPU is lost", "\n\t None \n"])
def test_values_that_are_none(text):
    assert value(text) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (report("470-tesla-t4"), ""),
        ("No devices were found\n", "No devices were found"),
        (
            "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.95\n",
            "Failed to initialize NVML: Driver/library version mismatch NVML library version: 580.95",
        ),
        (
            "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover "
            "this GPU\n\n",
            "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover "
            "this GPU",
        ),
        ("Unable to determine it: Unknown Error\n" + report("470-tesla-t4"), "Unable to determine it: Unknown Error"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_complaints(text, words):
    assert complaint(text) == words


def test_capabilities():
    text = (
        "0, GPU-a, 8.9\n1, GPU-b, 12.0\n2, GPU-c, [N/A]\n3, GPU-d, [GPU is lost]\n4, [Unknown Error], 8.9\n"
        "Unable to determine the device handle for GPU5: 0000:5F:00.0: Unknown Error\n, , \n"
    )
    assert read_capabilities(text) == {"GPU-a": (0, "8.9"), "GPU-b": (1, "12.0"), "GPU-c": (2, ""), "GPU-d": (3, "")}
    assert read_capabilities('Field "compute_cap" is not a valid field to query.\n') == {}


def test_listing():
    """Also as R450 named MIG devices."""
    text = (
        "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-a)\n"
        "  MIG 3g.20gb     Device  0: (UUID: MIG-1)\n"
        "  MIG 1c.3g.20gb  Device  1: (UUID: MIG-2)\n"
        "Unable to determine the device handle for gpu 0000:0F:00.0: Unknown Error\n"
        "GPU 2: A100-SXM4-40GB (UUID: GPU-b)\n"
        "  MIG 1g.5gb Device 0: (UUID: MIG-GPU-b/7/0)\n"
    )
    assert read_listing(text) == {
        "GPU-a": (0, [("3g.20gb", "MIG-1"), ("1c.3g.20gb", "MIG-2")]),
        "GPU-b": (2, [("1g.5gb", "MIG-GPU-b/7/0")]),
    }


def test_indexes_are_nvidia_smis_own():
    """A lost GPU keeps its index, so the second that is shown may be the third."""
    gpus = [{"uuid": f"GPU-{name}", "index": place, "mig_devices": []} for place, name in enumerate("ab")]
    complete(gpus, {"GPU-b": (2, "8.6"), "GPU-a": (0, "8.6")}, {})
    assert [(gpu["uuid"], gpu["index"]) for gpu in gpus] == [("GPU-a", 0), ("GPU-b", 2)]


def test_mig_devices_that_do_not_fit_the_listing_stay_without_a_profile():
    gpus = [{"uuid": "GPU-a", "index": 0, "mig_devices": [{"uuid": "", "profile": "", "memory_total": 1}]}]
    complete(gpus, {}, {"GPU-a": (0, [("1g.5gb", "MIG-1"), ("1g.5gb", "MIG-2")])})
    assert gpus[0]["mig_devices"] == [{"uuid": "", "profile": "", "memory_total": 1}]


def test_nothing_more_is_asked_of_an_nvidia_smi_that_hangs(tmp_path):
    machine = Machine(tmp_path)
    machine.hangs(SMI)
    assert ask(machine.host, 30) == (_nvidia_smi.EMPTY, "nvidia-smi did not answer within 30 seconds")
    assert machine.asked == [SMI]


def test_an_nvidia_smi_that_hangs_later(tmp_path):
    machine = Machine(tmp_path)
    machine.says(SMI, report("550-2x-rtx-4090"))
    machine.hangs(SMI_CAPABILITIES)
    machine.hangs(SMI_LIST)
    read, error = ask(machine.host, 30)
    assert [gpu["compute_capability"] for gpu in read["gpus"]] == ["", ""]
    assert error == ""
