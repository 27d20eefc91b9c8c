# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole hosts: what is told of one that is well, and the sentence for each thing that can be wrong."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_host import Outcome
from ansible_collections.livepeer.ai.plugins.modules import gpu_info
from ansible_collections.livepeer.ai.tests.unit.liars import reply, run_module, serve_docker
from ansible_collections.livepeer.ai.tests.unit.nvidia_machine import (
    FABRIC_MANAGER,
    JOURNAL,
    KERNEL,
    OPEN,
    SMI,
    SMI_CAPABILITIES,
    SMI_LIST,
    Machine,
    cdi_spec,
    hgx_h100,
    report,
    two_4090,
    uuids_of,
)

MIB = 1024**2
NAMES = ("GPU 0 (NVIDIA GeForce RTX 4090, 0000:01:00.0)", "GPU 1 (NVIDIA GeForce RTX 4090, 0000:41:00.0)")
H100 = ("GPU 0 (NVIDIA H100 80GB HBM3, 0000:19:00.0)", "GPU 1 (NVIDIA H100 80GB HBM3, 0000:3b:00.0)")
EXAMINE = "reboot the host; if it returns, check power, seating and riser of the card and have it examined."
RECOVERY = "GPU recovery action changed from"
REGENERATE = (
    "run `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`, or remove it where nvidia-cdi-refresh writes its own."
)
REFRESH = "run `systemctl restart nvidia-cdi-refresh`."
RESET = "drain the GPU and reset it (nvidia-smi --gpu-reset), or reboot; if it returns, have the card examined."


def engine(tmp_path, **info):
    """A Docker Engine that knows what is said here."""
    body = {"ServerVersion": "28.5.2", "DefaultRuntime": "runc", "Runtimes": {"runc": {}}, **info}
    return serve_docker(tmp_path / "docker.sock", {"/info": reply(body=body)})


def test_two_4090_that_are_well(tmp_path):
    told = two_4090(tmp_path).ask()
    uuids = uuids_of("550-2x-rtx-4090")
    assert told["sentences"] == [] and told["findings"] == []
    assert told["summary"] == "2 x NVIDIA GeForce RTX 4090, driver 550.163.01 (proprietary), CUDA 12.4."
    assert told["present"]
    assert told["kernel"] == KERNEL
    assert told["pci"] == [
        {"address": "0000:01:00.0", "device": "0x2684", "kind": "gpu", "driver": "nvidia"},
        {"address": "0000:01:00.1", "device": "0x22ba", "kind": "other", "driver": "snd_hda_intel"},
        {"address": "0000:41:00.0", "device": "0x2684", "kind": "gpu", "driver": "nvidia"},
    ]
    assert told["gpus"][1] == {
        "index": 1,
        "uuid": uuids[1],
        "name": "NVIDIA GeForce RTX 4090",
        "brand": "GeForce",
        "pci_bus_id": "0000:41:00.0",
        "memory_total": 24564 * MIB,
        "memory_free": 3968 * MIB,
        "memory_used": 20114 * MIB,
        "compute_capability": "8.9",
        "mig_enabled": False,
        "mig_pending": False,
        "mig_devices": [],
        "persistence": True,
        "compute_mode": "Default",
        "fabric_state": "",
        "recovery_action": "",
        "memory_repair": "",
        "problem": "",
    }
    assert told["driver"] == {
        "loaded": True,
        "version": "550.163.01",
        "flavour": "proprietary",
        "cuda_version": "12.4",
        "library_version": "550.163.01",
        "libraries": [
            {"name": name, "path": f"/usr/lib/x86_64-linux-gnu/{name}.so.550.163.01", "version": "550.163.01"}
            for name in ("libnvidia-ml", "libcuda")
        ],
        "package": "libnvidia-ml1",
        "package_version": "550.163.01-1",
        "matches": True,
        "module_version": "550.163.01",
        "module_flavour": "proprietary",
        "module_kernels": [KERNEL],
        "error": "",
    }
    assert told["nouveau"] == {"loaded": False, "available": True, "blacklisted": True}
    assert told["nvswitch"] == {"count": 0, "fabric_manager": "", "fabric_manager_version": ""}
    assert told["cdi"] == [
        {
            "path": "/var/run/cdi/nvidia.yaml",
            "kind": "nvidia.com/gpu",
            "devices": ["0", "1", *uuids, "all"],
            "driver_version": "550.163.01",
            "missing": [],
            "stale": False,
            "error": "",
        }
    ]
    assert (told["xid"], told["log_source"]) == ([], "journal")
    assert told["runfile"] == {"installed": False, "version": ""}


def test_an_hgx_h100_that_is_well(tmp_path):
    told = hgx_h100(tmp_path).ask()
    assert told["sentences"] == []
    assert told["summary"] == "2 x NVIDIA H100 80GB HBM3, driver 570.133.20 (open), CUDA 12.8."
    assert told["nvswitch"] == {"count": 4, "fabric_manager": "active", "fabric_manager_version": "570.133.20"}
    assert [gpu["fabric_state"] for gpu in told["gpus"]] == ["Completed", "Completed"]


def test_a_host_without_gpu_and_driver(tmp_path):
    machine = Machine(tmp_path)
    told = machine.ask()
    assert not told["present"]
    assert told["sentences"] == []
    assert told["summary"] == "No NVIDIA GPU, no NVIDIA driver is loaded."
    assert (told["gpus"], told["pci"], told["processes"], told["cdi"]) == ([], [], [], [])
    assert told["secure_boot"] == "unsupported"


def test_a_host_that_answers_nothing_at_all(tmp_path):
    machine = Machine(tmp_path)
    machine.commands = {}
    told = machine.ask()
    assert (told["sentences"], told["xid"], told["log_source"]) == ([], [], "")


JUNK = (
    "",
    "\n\n",
    "\x00\x01\x7f",
    "\ufffd" * 5000,
    "a: b: c = d\t,,,:::=> => (",
    "<nvidia_smi_log><gpu><mig_devices><mig_device/></mig_devices></gpu></nvidia_smi_log>",
    "NVRM: Xid (PCI:): 79\nNVRM: Xid (PCI:zz:zz): 99999999999999999999, \nLegacy drivers installed in this system",
    "Kernel Module  \nversion: \nlicense:\nLoadState=loaded",
    '{"kind": 1, "devices": [[[]]], "ServerVersion": {}}',
    "kind: nvidia.com/gpu\ndevices:\n- - - a\n",
)


@pytest.mark.parametrize("code", [0, 1, 255, None])
@pytest.mark.parametrize("junk", JUNK)
def test_nothing_odd_makes_it_fail(tmp_path, junk, code):
    """Every command and every file says the same nonsense."""
    machine = two_4090(tmp_path)
    for path in [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in ("vendor", "class")]:
        path.write_text(junk)
    machine.run = lambda _argv, _seconds: Outcome(code, junk, junk)
    told = machine.ask()
    assert told["present"]
    assert all(isinstance(sentence, str) for sentence in told["sentences"])


def test_nvidia_smi_is_not_asked_where_it_would_load_the_module(tmp_path):
    machine = two_4090(tmp_path)
    machine.remove("/proc/driver/nvidia/version")
    machine.remove("/sys/module/nvidia/version")
    (tmp_path / "sys/module/nvidia").rmdir()
    assert not machine.ask()["driver"]["loaded"]
    assert not [command for command in machine.asked if command.startswith("nvidia-smi")]


# The driver is not loaded: what stands in its way, the specific first.


def unloaded(tmp_path):
    machine = Machine(tmp_path)
    machine.pci("0000:01:00.0", driver="")
    return machine


def blocked_by_nouveau(machine):
    machine.file("/etc/modprobe.d/nvidia.conf", "blacklist nouveau\n")
    machine.pci("0000:01:00.0", driver="nouveau")
    machine.file("/sys/module/nouveau/initstate", "live\n")
    machine.builds("550.163.01")


def taken_by_nouveau(machine):
    """As distributions leave a host that nobody has installed a driver on."""
    machine.pci("0000:01:00.0", driver="nouveau")
    machine.file("/sys/module/nouveau/initstate", "live\n")


def given_to_machines(machine):
    machine.file("/etc/modprobe.d/nvidia.conf", "blacklist nouveau\n")
    machine.pci("0000:01:00.0", driver="vfio-pci")
    machine.builds("550.163.01")


def libraries_alone(machine):
    machine.installs("550.163.01")


def built_for_the_next_kernel(machine):
    machine.installs("550.163.01")
    machine.file("/lib/modules/6.1.0-50-amd64/modules.dep", "updates/dkms/nvidia-current.ko.xz:\n")


def unsigned(machine):
    machine.builds("550.163.01")
    machine.file("/etc/modprobe.d/nvidia.conf", "blacklist nouveau\n")
    machine.file("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\x06\x00\x00\x00\x01")


def waiting_for_reboot(machine):
    machine.builds("550.163.01", name="nvidia-current")
    machine.file("/etc/modprobe.d/nvidia.conf", "blacklist nouveau\n")


@pytest.mark.parametrize(
    ("happens", "sentence"),
    [
        (
            lambda machine: None,
            "1 NVIDIA GPU on the PCI bus, and no NVIDIA driver is installed: install one.",
        ),
        (
            taken_by_nouveau,
            "1 NVIDIA GPU on the PCI bus, and no NVIDIA driver is installed: install one.",
        ),
        (
            blocked_by_nouveau,
            "The kernel's own driver nouveau has the GPUs and keeps NVIDIA's from loading: "
            "blacklist nouveau, rebuild the initramfs and reboot.",
        ),
        (
            given_to_machines,
            "The GPUs (0000:01:00.0) are handed to virtual machines (driver vfio-pci): "
            "take them back before this host can use them.",
        ),
        (
            libraries_alone,
            "The driver's libraries are there (550.163.01), but no kernel module of it for the running kernel "
            f"{KERNEL}: install that kernel's headers and build the module (dkms autoinstall).",
        ),
        (
            built_for_the_next_kernel,
            f"The driver's module is built for 6.1.0-50-amd64 and not for the running kernel {KERNEL}: "
            "boot one of these, or install the running kernel's headers and build it for that too.",
        ),
        (
            unsigned,
            "The driver 550.163.01 is installed and not loaded, and Secure Boot, which is on, wants signed modules: "
            "sign the module and enrol its key (mokutil --import), or switch Secure Boot off.",
        ),
        (
            waiting_for_reboot,
            "The driver 550.163.01 is installed and not loaded: reboot, or run `modprobe nvidia` and read `dmesg`.",
        ),
    ],
)
def test_why_the_driver_is_not_loaded(tmp_path, happens, sentence):
    machine = unloaded(tmp_path)
    happens(machine)
    told = machine.ask()
    assert told["sentences"] == [sentence]
    assert told["summary"].startswith("1 NVIDIA GPU on the PCI bus, no NVIDIA driver is loaded")


# A loaded driver with one thing wrong: what happens to the host, and the one sentence that tells of it.


def updated_without_reboot(machine):
    """unattended-upgrades moved the libraries and the module on disk, 550 still runs."""
    machine.installs("580.95.05")
    machine.builds("580.95.05")
    machine.says(SMI, "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.95\n", 18)


def half_updated(machine):
    machine.remove("/usr/lib/x86_64-linux-gnu/libcuda.so.550.163.01")
    machine.file("/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05")
    machine.link("/usr/lib/x86_64-linux-gnu/libcuda.so.1", "libcuda.so.580.95.05")


def module_moved_alone(machine):
    machine.builds("580.95.05", "Dual MIT/GPL")


def libraries_removed(machine):
    machine.lacks("ldconfig -p")
    machine.says(SMI, "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.\n", 12)
    for name in ("libnvidia-ml", "libcuda"):
        machine.remove(f"/usr/lib/x86_64-linux-gnu/{name}.so.1")
        machine.remove(f"/usr/lib/x86_64-linux-gnu/{name}.so.550.163.01")


def smi_hangs(machine):
    machine.hangs(SMI)


def smi_missing(machine):
    machine.lacks(SMI)


def smi_cannot_reach_the_driver(machine):
    machine.says(
        SMI,
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
        "NVIDIA driver is installed and running.\n\n",
        9,
    )


def smi_finds_nothing(machine):
    machine.says(SMI, "No devices were found\n", 6)


def smi_speaks_in_tongues(machine):
    machine.says(SMI, '<?xml version="1.0" ?>\n<nvidia_smi_log>\n\t<gpu id="0000', 255)


def smi_warns(machine):
    machine.says(SMI, report("550-2x-rtx-4090") + "WARNING: infoROM is corrupted at gpu 0000:01:00.0\n", 14)


def one_fell_off(machine):
    """Exit status 0: nvidia-smi leaves the card out and says so on stderr only."""
    one = report("550-2x-rtx-4090").split('\t<gpu id="00000000:41:00.0">')[0] + "</nvidia_smi_log>"
    machine.says(SMI, one, 0, "Unable to determine the device handle for GPU1: 0000:41:00.0: Unknown Error\n")
    machine.says(JOURNAL, "NVRM: Xid (PCI:0000:41:00): 79, pid=811977, name=python3, GPU has fallen off the bus.\n")


def one_is_lost(machine):
    machine.says(SMI, report("550-2x-rtx-4090").replace("20114 MiB", "GPU is lost"), 15)


def one_needs_a_reset(machine):
    machine.says(SMI, report("550-2x-rtx-4090").replace("20114 MiB", "GPU requires reset"))


def nouveau_may_come_back(machine):
    machine.remove("/etc/modprobe.d/nvidia-blacklists-nouveau.conf")


def nouveau_beside(machine):
    machine.file("/sys/module/nouveau/initstate", "live\n")


def cdi_of_old_driver(machine):
    machine.file("/etc/cdi/nvidia.yaml", cdi_spec("535.183.01", "0", "1", "all"))


def cdi_without_devices(machine):
    machine.file("/var/run/cdi/nvidia.yaml", cdi_spec("550.163.01").replace("devices:\n", "devices: []\n"))


def cdi_of_one_gpu(machine):
    machine.file("/var/run/cdi/nvidia.yaml", cdi_spec("550.163.01", "0", "all"))


def cdi_written_by_hand(machine):
    machine.file("/etc/cdi/nvidia.yaml", "kind: nvidia.com/gpu\ndevices: &all\n  - {name: all}\n")


def cdi_twice(machine):
    machine.file("/var/run/cdi/nvidia-old.yaml", cdi_spec("550.163.01", "0", "1"))


def runfile_beside_package(machine):
    machine.file(
        "/var/lib/nvidia/log", "1.0-5709526 (570.95.26)\nNVIDIA Accelerated Graphics Driver for Linux-x86_64\n"
    )


def xid(line):
    return lambda machine: machine.says(JOURNAL, line + "\n")


@pytest.mark.parametrize(
    ("happens", "sentence"),
    [
        (
            updated_without_reboot,
            "The loaded kernel module is 550.163.01 and the libraries are 580.95.05, so nothing new can use a GPU "
            "(Driver/library version mismatch): "
            "reboot, or stop everything that uses the GPUs and load the module anew.",
        ),
        (
            half_updated,
            "The driver's libraries are of different versions (libnvidia-ml 550.163.01 and libcuda 580.95.05): "
            "finish the driver's update.",
        ),
        (
            module_moved_alone,
            "The driver 550.163.01 is loaded, and its next start would load 580.95.05: "
            "finish the driver's update, then reboot.",
        ),
        (
            libraries_removed,
            "The driver 550.163.01 is loaded, but its library libnvidia-ml.so is not on this host: "
            "reinstall the driver's packages.",
        ),
        (
            smi_hangs,
            "nvidia-smi did not answer within 60 seconds, so a GPU or the driver hangs: "
            "read `journalctl -k` for NVRM, and reboot the host if it stays so.",
        ),
        (
            smi_missing,
            "The driver 550.163.01 is loaded, but nvidia-smi is not installed: install the driver's tools.",
        ),
        (
            smi_cannot_reach_the_driver,
            "nvidia-smi says: NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
            "Make sure that the latest NVIDIA driver is installed and running.",
        ),
        (smi_finds_nothing, "nvidia-smi says: No devices were found."),
        (
            smi_speaks_in_tongues,
            "nvidia-smi says: nvidia-smi exited with 255 and printed nothing that can be understood.",
        ),
        (smi_warns, "nvidia-smi says: WARNING: infoROM is corrupted at gpu 0000:01:00.0."),
        (
            one_fell_off,
            "nvidia-smi shows 1 of the 2 GPUs on the PCI bus; it lacks 0000:41:00.0: "
            f"read `journalctl -k` for NVRM, then {EXAMINE}",
        ),
        (one_is_lost, f"{NAMES[1]} does not answer (GPU is lost): {EXAMINE}"),
        (one_needs_a_reset, f"{NAMES[1]} does not answer (GPU requires reset): {EXAMINE}"),
        (
            xid("NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus."),
            f"The GPU at 0000:01:00.0 reported falling off the bus since boot (Xid 79): {EXAMINE}",
        ),
        (
            xid("NVRM: Xid (PCI:0000:01:00): 48, pid=1, DBE\n" * 3),
            f"The GPU at 0000:01:00.0 reported an uncorrectable memory error since boot (Xid 48, 3 times): {RESET}",
        ),
        (
            xid(f"NVRM: Xid (PCI:0000:01:00): 154, {RECOVERY} 0x0 (None) to 0x1 (GPU Reset Required)"),
            "The GPU at 0000:01:00.0 asks for a recovery (Xid 154): GPU Reset Required.",
        ),
        (
            nouveau_may_come_back,
            "nouveau is not blacklisted and may take the GPUs at the next boot: "
            "write `blacklist nouveau` into a file of /etc/modprobe.d and rebuild the initramfs.",
        ),
        (
            nouveau_beside,
            "nouveau is loaded beside NVIDIA's driver: blacklist nouveau, rebuild the initramfs and reboot.",
        ),
        (
            cdi_of_old_driver,
            "The CDI specification /etc/cdi/nvidia.yaml is of driver 535.183.01, "
            f"and 550.163.01 is loaded: {REGENERATE}",
        ),
        (
            cdi_without_devices,
            f"The CDI specification /var/run/cdi/nvidia.yaml names no devices: {REFRESH}",
        ),
        (
            cdi_of_one_gpu,
            f"The CDI specification /var/run/cdi/nvidia.yaml lacks {uuids_of('550-2x-rtx-4090')[1]}: {REFRESH}",
        ),
        (
            cdi_written_by_hand,
            f"The CDI specification /etc/cdi/nvidia.yaml is not understood: {REGENERATE}",
        ),
        (
            cdi_twice,
            "The CDI specifications /var/run/cdi/nvidia-old.yaml and /var/run/cdi/nvidia.yaml name the same devices, "
            "so none of them can be used: remove the older file.",
        ),
        (
            runfile_beside_package,
            "A driver from a .run file (570.95.26) lies beside the package libnvidia-ml1: "
            "run `nvidia-uninstall`, then reinstall the package.",
        ),
    ],
)
def test_what_is_wrong_with_a_loaded_driver(tmp_path, happens, sentence):
    machine = two_4090(tmp_path)
    happens(machine)
    assert machine.ask()["sentences"] == [sentence]


REFUSES_PASCAL = (
    "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:1bb1)\nNVRM: installed in this system is not supported by open\n"
)
REFUSES_BLACKWELL = (
    "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:2b85)\n"
    "NVRM: installed in this system requires use of the NVIDIA open kernel modules.\n"
)


def test_a_gpu_that_the_open_module_refuses(tmp_path):
    """The module leaves again, as it found nothing to drive."""
    machine = unloaded(tmp_path)
    machine.builds("580.95.05", "Dual MIT/GPL")
    machine.file("/etc/modprobe.d/nvidia.conf", "blacklist nouveau\n")
    machine.says(JOURNAL, REFUSES_PASCAL)
    assert machine.ask()["sentences"] == [
        "The open kernel module refuses the GPU at 0000:01:00.0: if it is older than Turing, install the proprietary "
        "flavour of driver 580 or older; else it did not answer at boot, and a power cycle may help."
    ]


def test_a_gpu_that_the_proprietary_module_refuses(tmp_path):
    machine = two_4090(tmp_path)
    machine.says(SMI, "No devices were found\n", 6)
    machine.says(JOURNAL, REFUSES_BLACKWELL)
    told = machine.ask()
    assert told["refused"] == [{"pci_address": "0000:01:00.0", "wants": "open"}]
    assert told["sentences"] == [
        "The GPU at 0000:01:00.0 works with the open kernel module only, and the proprietary one is installed: "
        "install the driver's open flavour."
    ]


def test_a_refused_gpu_that_waits_for_a_reboot(tmp_path):
    machine = two_4090(tmp_path)
    machine.builds("550.163.01", "Dual MIT/GPL")
    machine.says(SMI, "No devices were found\n", 6)
    machine.says(JOURNAL, REFUSES_BLACKWELL)
    assert machine.ask()["sentences"] == [
        "The GPU at 0000:01:00.0 needs the open kernel module, which is installed while the other flavour is still "
        "loaded: reboot."
    ]


def test_one_of_two_gpus_that_needs_an_old_branch(tmp_path):
    machine = unloaded(tmp_path)
    machine.builds("580.95.05")
    machine.file("/etc/modprobe.d/nvidia.conf", "blacklist nouveau\n")
    machine.says(JOURNAL, "NVRM:  supported through the NVIDIA 470.xx Legacy drivers. Please\n")
    assert machine.ask()["sentences"] == [
        "The driver ignores a GPU that only the branch 470.xx supports: install that branch, or take the card out."
    ]


@pytest.mark.parametrize("words", [REFUSES_BLACKWELL, REFUSES_PASCAL])
def test_a_refusal_before_the_flavour_was_changed(tmp_path, words):
    """The log of this boot still has it; the GPUs are shown."""
    machine = two_4090(tmp_path)
    machine.says(JOURNAL, words)
    told = machine.ask()
    assert len(told["refused"]) == 1
    assert told["sentences"] == []


def test_a_lost_gpu_that_takes_the_whole_report_with_it(tmp_path):
    machine = two_4090(tmp_path)
    lost = "Unable to determine the device handle for GPU 0000:41:00.0: GPU is lost.  Reboot the system"
    machine.says(SMI, f"{lost}\n", 15)
    assert machine.ask()["sentences"] == [f"nvidia-smi says: {lost}."]


def fabric_manager(state, version="570.133.20"):
    def change(machine):
        machine.says(FABRIC_MANAGER, state)
        machine.says("nv-fabricmanager --version", f"Fabric Manager version is : {version}\n")

    return change


def h100_says(old, new):
    return lambda machine: machine.says(SMI, new.join(report("570-2x-h100").rsplit(old, 1)))


@pytest.mark.parametrize(
    ("happens", "sentence"),
    [
        (
            fabric_manager("LoadState=not-found\nActiveState=inactive\n"),
            "The host has 4 NVSwitches and no fabric manager, without which CUDA does not start: "
            "install nvidia-fabricmanager of the driver's version 570.133.20.",
        ),
        (
            fabric_manager("LoadState=loaded\nActiveState=failed\n"),
            "The host has 4 NVSwitches, and the fabric manager is failed, without which CUDA does not start: "
            "read `journalctl -u nvidia-fabricmanager` and start it.",
        ),
        (
            fabric_manager("LoadState=loaded\nActiveState=active\n", "570.124.06"),
            "The fabric manager is 570.124.06 and the driver 570.133.20, which must be the same: "
            "install the fabric manager of the driver's version.",
        ),
        (
            h100_says("<state>Completed", "<state>In Progress"),
            f"{H100[1]} did not join the NVLink fabric (In Progress): read `journalctl -u nvidia-fabricmanager`.",
        ),
        (
            h100_says("<gpu_recovery_action>None", "<gpu_recovery_action>Drain and Reset"),
            f"{H100[1]} asks for a recovery: Drain and Reset.",
        ),
        (
            h100_says("<remapped_row_failure>No", "<remapped_row_failure>Yes"),
            f"{H100[1]} can replace no more bad memory: have the card exchanged.",
        ),
        (
            h100_says("<remapped_row_pending>No", "<remapped_row_pending>Yes"),
            f"{H100[1]} will replace bad memory at its next reset: drain it and run nvidia-smi --gpu-reset.",
        ),
        (
            h100_says("<compute_mode>Default", "<compute_mode>Prohibited"),
            f"{H100[1]} lets no program compute: run `nvidia-smi -i 1 -c DEFAULT`.",
        ),
        (
            h100_says("<pending_mig>Disabled", "<pending_mig>Enabled"),
            f"{H100[1]} waits for a reset to change its MIG mode: drain it and run nvidia-smi --gpu-reset.",
        ),
        (
            xid("nvidia-nvswitch3: SXid (PCI:0000:08:00.0): 20034, Fatal, Link 30 LTSSM Fault Up"),
            "The NVSwitch at 0000:08:00.0 reported a fatal error since boot "
            "(SXid 20034, Fatal, Link 30 LTSSM Fault Up): drain the host and reboot it.",
        ),
    ],
)
def test_what_is_wrong_with_switched_gpus(tmp_path, happens, sentence):
    machine = hgx_h100(tmp_path)
    happens(machine)
    assert machine.ask()["sentences"] == [sentence]


@pytest.mark.parametrize(
    "line",
    [
        "NVRM: Xid (PCI:0000:01:00): 13, pid=4711, name=python3, Graphics SM Warp Exception on (GPC 7, TPC 7, SM 0)",
        "NVRM: Xid (PCI:0000:01:00): 31, pid=79749, name=exe, Ch 0000000a, MMU Fault",
        "NVRM: Xid (PCI:0000:01:00): 63, pid=1, Row Remapper: New row marked for remapping",
        f"NVRM: Xid (PCI:0000:01:00): 154, {RECOVERY} 0x2 (Node Reboot Required) to 0x0 (None)",
        "nvidia-nvswitch3: SXid (PCI:0000:08:00.0): 12028, Non-fatal, Link 46 egress non-posted PRIV error",
    ],
)
def test_what_is_told_but_is_no_finding(tmp_path, line):
    machine = two_4090(tmp_path)
    machine.says(JOURNAL, f"{line}\n")
    told = machine.ask()
    assert len(told["xid"]) == 1
    assert told["sentences"] == []


def test_a_switched_host_without_a_loaded_driver_has_one_trouble(tmp_path):
    """The fabric manager cannot run without the driver, so nothing is said of it."""
    machine = Machine(tmp_path)
    machine.pci("0000:19:00.0", "0x2330", "", "0x030200")
    machine.pci("0000:05:00.0", "0x22a3", "", "0x068000")
    told = machine.ask()
    assert told["nvswitch"]["count"] == 1
    assert len(told["sentences"]) == 1


def test_several_troubles_are_several_sentences(tmp_path):
    machine = two_4090(tmp_path)
    updated_without_reboot(machine)
    nouveau_may_come_back(machine)
    told = machine.ask()
    assert [finding["subject"] for finding in told["findings"]] == ["driver", "nouveau"]
    assert [finding["sentence"] for finding in told["findings"]] == told["sentences"]


def test_a_gpu_given_to_a_virtual_machine_is_not_missed(tmp_path):
    machine = two_4090(tmp_path)
    machine.pci("0000:81:00.0", driver="vfio-pci")
    assert machine.ask()["sentences"] == []


@pytest.mark.parametrize(("driver", "who"), [("", "no driver"), ("nouveau", "nouveau")])
def test_an_old_card_beside_that_the_driver_does_not_take(tmp_path, driver, who):
    machine = two_4090(tmp_path)
    machine.pci("0000:81:00.0", "0x128b", driver)
    machine.says(JOURNAL, "NVRM:  supported through the NVIDIA 470.xx Legacy drivers. Please\n")
    assert machine.ask()["sentences"] == [
        f"NVIDIA's driver has not taken the GPU at 0000:81:00.0 ({who} has it): read `journalctl -k` for NVRM; "
        "if it is too old for this driver, take the card out or install an older branch."
    ]


def test_docker_that_can_hand_out_gpus(tmp_path):
    with engine(tmp_path, Runtimes={"runc": {}, "nvidia": {"path": "nvidia-container-runtime"}}):
        told = two_4090(tmp_path).ask(docker_socket=str(tmp_path / "docker.sock"))
    assert told["runtimes"] == {
        "toolkit_version": "1.17.8",
        "hook": True,
        "docker": ["nvidia", "runc"],
        "docker_default": "runc",
        "docker_version": "28.5.2",
        "docker_cdi": False,
    }
    assert told["sentences"] == []


@pytest.mark.parametrize(
    ("info", "sentences"),
    [
        ({}, ["Docker has no way to give GPUs to containers: install the NVIDIA Container Toolkit."]),
        ({"Runtimes": {"nvidia": {}}}, []),
        ({"CDISpecDirs": ["/etc/cdi", "/var/run/cdi"]}, []),
    ],
)
def test_docker_without_the_hook(tmp_path, info, sentences):
    machine = two_4090(tmp_path)
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    with engine(tmp_path, **info):
        told = machine.ask(docker_socket=str(tmp_path / "docker.sock"))
    assert told["runtimes"]["docker_version"] == "28.5.2"
    assert told["sentences"] == sentences


@pytest.mark.parametrize("body", ["<html>", "[]", "null", '{"Runtimes": null}', '{"Runtimes": 5}'])
def test_docker_that_says_something_odd(tmp_path, body):
    with serve_docker(tmp_path / "docker.sock", {"/info": reply(body=body)}):
        told = two_4090(tmp_path).ask(docker_socket=str(tmp_path / "docker.sock"))
    assert (told["runtimes"]["docker"], told["runtimes"]["docker_version"]) == ([], "")


def test_processes_and_their_containers(tmp_path):
    machine = two_4090(tmp_path)
    machine.file("/proc/90123/cgroup", f"0::/system.slice/docker-{'3f' * 32}.scope\n")
    assert machine.ask()["processes"] == [
        {
            "gpu_uuid": uuids_of("550-2x-rtx-4090")[1],
            "pid": 90123,
            "name": "python3",
            "type": "C",
            "memory_used": 20104 * MIB,
            "container_id": "3f" * 32,
        }
    ]


def test_an_old_driver_that_knows_no_compute_capability(tmp_path):
    """470 refuses the query; index and UUID come from the listing."""
    machine = Machine(tmp_path)
    machine.pci("0000:00:1e.0", "0x1eb8", pci_class="0x030200")
    machine.loads("470.256.02")
    machine.installs("470.256.02")
    machine.says(SMI, report("470-tesla-t4"))
    machine.says(SMI_CAPABILITIES, 'Field "compute_cap" is not a valid field to query.\n\n', 2)
    machine.says(SMI_LIST, f"GPU 0: Tesla T4 (UUID: {uuids_of('470-tesla-t4')[0]})\n")
    told = machine.ask()
    assert [(gpu["index"], gpu["compute_capability"]) for gpu in told["gpus"]] == [(0, "")]
    assert told["driver"]["cuda_version"] == "11.4"
    assert told["sentences"] == []


def test_mig(tmp_path):
    machine = Machine(tmp_path)
    uuids = uuids_of("535-a100-mig")
    for address in ("0000:07:00.0", "0000:0f:00.0"):
        machine.pci(address, "0x20b0", pci_class="0x030200")
    machine.loads("535.183.01", OPEN)
    machine.installs("535.183.01")
    listing = (
        f"GPU 0: NVIDIA A100-SXM4-40GB (UUID: {uuids[0]})\n"
        "  MIG 3g.20gb     Device  0: (UUID: MIG-90155500-9a09-5016-9746-95ef09bd78a6)\n"
        "  MIG 3g.20gb     Device  1: (UUID: MIG-264aac46-78a8-5ba5-b310-98568efd5090)\n"
        f"GPU 1: NVIDIA A100-SXM4-40GB (UUID: {uuids[1]})\n"
    )
    machine.shows("535-a100-mig", f"0, {uuids[0]}, 8.0", f"1, {uuids[1]}, 8.0", listing=listing)
    machine.file("/etc/cdi/nvidia.yaml", cdi_spec("535.183.01", "0:0", "0:1", "1", "all"))
    told = machine.ask()
    assert told["gpus"][0]["mig_enabled"] and not told["gpus"][1]["mig_enabled"]
    assert told["gpus"][0]["mig_devices"] == [
        {"uuid": "MIG-90155500-9a09-5016-9746-95ef09bd78a6", "profile": "3g.20gb", "memory_total": 19968 * MIB},
        {"uuid": "MIG-264aac46-78a8-5ba5-b310-98568efd5090", "profile": "3g.20gb", "memory_total": 19968 * MIB},
    ]
    assert not told["cdi"][0]["stale"]
    assert [sentence.split(" waits")[0].split(" will")[0] for sentence in told["sentences"]] == [
        "GPU 1 (NVIDIA A100-SXM4-40GB, 0000:0f:00.0)"
    ] * 2


def test_a_superchip_of_which_one_gpu_is_lost(tmp_path):
    machine = Machine(tmp_path)
    for address in ("0008:01:00.0", "0009:01:00.0"):
        machine.pci(address, "0x2941", pci_class="0x030200")
    machine.loads("580.65.06", OPEN)
    machine.installs("580.65.06")
    machine.shows("580-gb200-lost", *(f"{i}, {uuid}, 10.0" for i, uuid in enumerate(uuids_of("580-gb200-lost"))))
    told = machine.ask()
    assert told["gpus"][1]["memory_total"] is None
    assert told["sentences"] == [f"GPU 1 (NVIDIA GB200, 0009:01:00.0) does not answer (GPU is lost): {EXAMINE}"]


def test_every_key_is_documented(tmp_path):
    """RETURN names what is told, no more and no less, at every depth."""

    def compare(described, told, place):
        assert set(described) == set(told), place
        for name, value in told.items():
            inner = described[name].get("contains")
            for one in (value if isinstance(value, list) else [value])[:1]:
                if inner or isinstance(one, dict) and name != "libraries":
                    compare(inner or {}, one, f"{place}.{name}")

    machine = two_4090(tmp_path)
    machine.says(JOURNAL, "NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.\n" + REFUSES_PASCAL)
    compare(yaml.safe_load(gpu_info.RETURN), machine.ask(), "RETURN")


def test_as_a_module():
    told = run_module(gpu_info, check_mode=True)
    assert not told["changed"]
    assert isinstance(told["present"], bool)
