# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver and the hardware as /proc, /sys, the linker and the packages show them."""

from __future__ import annotations

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _nvidia_driver
from ansible_collections.livepeer.ai.tests.unit.nvidia_machine import KERNEL, LIBDIR, OPEN, PROPRIETARY, Machine


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("text", "version", "flavour"),
    [
        (PROPRIETARY.format(version="535.183.01"), "535.183.01", "proprietary"),
        (PROPRIETARY.format(version="470.256.02"), "470.256.02", "proprietary"),
        (OPEN.format(version="570.133.20"), "570.133.20", "open"),
        (OPEN.format(version="615.23").replace("x86_64", "aarch64"), "615.23", "open"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module  570.86.15  Release Build\n", "570.86.15", "open"),
        ("NVRM version: something else\n", "", ""),
    ],
)
def test_the_loaded_module(machine, text, version, flavour):
    machine.file("/proc/driver/nvidia/version", text)
    assert _nvidia_driver.loaded_module(machine.host) == {"loaded": True, "version": version, "flavour": flavour}


@pytest.mark.parametrize("module", ["nvidia", "nvidia_current"])
def test_a_module_that_only_sysfs_knows(machine, module):
    machine.file(f"/sys/module/{module}/version", "550.163.01\n")
    expected = {"loaded": True, "version": "550.163.01", "flavour": ""}
    assert _nvidia_driver.loaded_module(machine.host) == expected


def test_no_module(machine):
    assert _nvidia_driver.loaded_module(machine.host) == {"loaded": False, "version": "", "flavour": ""}


@pytest.mark.parametrize(
    ("name", "licence", "flavour"),
    [
        ("nvidia", "NVIDIA", "proprietary"),
        ("nvidia-current", "NVIDIA", "proprietary"),
        ("nvidia", "Dual MIT/GPL", "open"),
    ],
)
def test_the_module_on_disk(machine, name, licence, flavour):
    machine.builds("550.163.01", licence, name)
    expected = {"module_version": "550.163.01", "module_flavour": flavour}
    assert _nvidia_driver.module_on_disk(machine.host) == expected


def test_no_module_on_disk(machine):
    machine.says("modinfo nvidia", "", 1, "modinfo: ERROR: Module nvidia not found.\n")
    assert _nvidia_driver.module_on_disk(machine.host) == {"module_version": "", "module_flavour": ""}


def test_the_kernels_that_have_a_module(machine):
    for kernel, line in (
        ("6.1.0-49-amd64", "updates/dkms/nvidia-current.ko.xz: kernel/x.ko\n"),
        ("6.1.0-50-amd64", "kernel/nvidia.ko: kernel/x.ko\n"),
        (
            "6.1.0-51-amd64",
            "kernel/drivers/platform/x86/nvidia-wmi-ec-backlight.ko:\nkernel/nvidia-drm.ko: kernel/x.ko\n",
        ),
    ):
        machine.file(f"/lib/modules/{kernel}/modules.dep", line)
    assert _nvidia_driver.module_kernels(machine.host) == ["6.1.0-49-amd64", "6.1.0-50-amd64"]


# Libraries.


def found(machine):
    return {library["name"]: library["version"] for library in _nvidia_driver.libraries(machine.host)}


def test_debians_alternatives(machine):
    """The linker's link leads over /etc/alternatives into the directory of the driver."""
    for name in ("libnvidia-ml", "libcuda"):
        alternative = f"/etc/alternatives/nvidia--{name}.so.1-x86_64-linux-gnu"
        machine.link(f"{LIBDIR}/{name}.so.1", alternative)
        machine.link(alternative, f"{LIBDIR}/nvidia/current/{name}.so.1")
        machine.link(f"{LIBDIR}/nvidia/current/{name}.so.1", f"{name}.so.550.163.01")
        machine.file(f"{LIBDIR}/nvidia/current/{name}.so.550.163.01")
    machine.says("ldconfig -p", f"\tlibnvidia-ml.so.1 (libc6,x86-64) => {LIBDIR}/libnvidia-ml.so.1\n")
    assert found(machine) == {"libnvidia-ml": "550.163.01", "libcuda": "550.163.01"}
    path = _nvidia_driver.libraries(machine.host)[0]["path"]
    assert path == f"{LIBDIR}/nvidia/current/libnvidia-ml.so.550.163.01"


def test_the_first_that_fits_is_the_one_that_programs_get(machine):
    """32 bits, forward compatibility and stubs do not count."""
    for directory, version in (
        ("/usr/lib32", "535.1"),
        ("/usr/local/cuda-12.8/compat", "570.9"),
        ("/usr/lib64/stubs", "1.2"),
        ("/usr/lib64", "550.163.01"),
        ("/opt/lib64", "560.1"),
    ):
        machine.file(f"{directory}/libcuda.so.{version}")
        machine.link(f"{directory}/libcuda.so.1", f"libcuda.so.{version}")
    machine.says(
        "ldconfig -p",
        "\tlibcuda.so.1 (libc6) => /usr/lib32/libcuda.so.1\n"
        "\tlibcuda.so.1 (libc6,x86-64) => /usr/local/cuda-12.8/compat/libcuda.so.1\n"
        "\tlibcuda.so.1 (libc6,x86-64) => /usr/lib64/stubs/libcuda.so.1\n"
        "\tlibcuda.so.1 (libc6,x86-64) => /usr/lib64/libcuda.so.1\n"
        "\tlibcuda.so.1 (libc6,x86-64) => /opt/lib64/libcuda.so.1\n",
    )
    assert found(machine) == {"libcuda": "550.163.01"}


def test_arm(machine):
    machine.file("/usr/lib/aarch64-linux-gnu/libcuda.so.580.95.05")
    machine.link("/usr/lib/aarch64-linux-gnu/libcuda.so.1", "libcuda.so.580.95.05")
    machine.says("ldconfig -p", "\tlibcuda.so.1 (libc6,AArch64) => /usr/lib/aarch64-linux-gnu/libcuda.so.1\n")
    assert found(machine) == {"libcuda": "580.95.05"}


def test_libraries_without_the_linkers_cache(machine):
    machine.file("/usr/lib64/libnvidia-ml.so.570.133.20")
    assert found(machine) == {"libnvidia-ml": "570.133.20"}


def test_a_link_into_nothing_is_no_library(machine):
    machine.link(f"{LIBDIR}/libcuda.so.1", "libcuda.so.550.163.01")
    machine.says("ldconfig -p", f"\tlibcuda.so.1 (libc6,x86-64) => {LIBDIR}/libcuda.so.1\n")
    assert found(machine) == {}


# Packages.

FILE = f"{LIBDIR}/libnvidia-ml.so.570.133.20"
VERSION_OF = "dpkg-query -W -f ${db:Status-Status}\t${Version}\n "


def owner(machine):
    return _nvidia_driver.owner(machine.host, FILE)


@pytest.mark.parametrize(
    ("asked", "answer", "package"),
    [
        (FILE, f"libnvidia-ml1:amd64: {FILE}\n", "libnvidia-ml1:amd64"),
        (FILE[4:], f"libnvidia-compute-570:amd64: {FILE[4:]}\n", "libnvidia-compute-570:amd64"),
        (FILE, f"diversion by glx-diversions from: {FILE}\nlibnvidia-ml1: {FILE}\n", "libnvidia-ml1"),
        (FILE, f"libnvidia-ml1:i386, libnvidia-ml1:amd64: {FILE}\n", "libnvidia-ml1:i386"),
    ],
)
def test_the_package_of_a_file_on_debian(machine, asked, answer, package):
    machine.says(f"dpkg-query -S {FILE}", "", 1, "dpkg-query: no path found matching pattern\n")
    machine.says(f"dpkg-query -S {asked}", answer)
    machine.says(VERSION_OF + package, "config-files\t1\ninstalled\t570.133.20-1\n")
    assert owner(machine) == (package.split(":")[0], "570.133.20-1")


def test_a_file_that_no_package_owns_on_debian(machine):
    """rpm can be installed there as well, and knows nothing."""
    for path in (FILE, FILE[4:]):
        machine.says(f"dpkg-query -S {path}", "", 1, f"dpkg-query: no path found matching pattern {path}\n")
    machine.says("rpm -qf --qf %{NAME}\t%{EVR}\n " + FILE, "wrong\t1\n")
    assert owner(machine) == ("", "")


@pytest.mark.parametrize(
    ("answer", "code", "expected"),
    [
        ("nvidia-driver-cuda-libs\t3:570.133.20-1.el9\n", 0, ("nvidia-driver-cuda-libs", "3:570.133.20-1.el9")),
        (f"file {FILE} is not owned by any package\n", 1, ("", "")),
    ],
)
def test_the_package_of_a_file_on_red_hat(machine, answer, code, expected):
    machine.says("rpm -qf --qf %{NAME}\t%{EVR}\n " + FILE, answer, code)
    assert owner(machine) == expected


def test_no_package_manager(machine):
    assert owner(machine) == ("", "")
    assert _nvidia_driver.owner(machine.host, "") == ("", "")


# A driver of NVIDIA's installer.


def test_the_record_of_a_runfile(machine):
    machine.file(
        "/var/lib/nvidia/log", "1.0-57013320 (570.133.20)\nNVIDIA Accelerated Graphics Driver\nINSTALLED_FILE: x\n"
    )
    assert _nvidia_driver.runfile(machine.host) == {"installed": True, "version": "570.133.20"}


def test_the_log_that_an_uninstalled_runfile_left_behind(machine):
    machine.file("/var/log/nvidia-installer.log", "nvidia-installer log file '/var/log/nvidia-installer.log'\n")
    assert _nvidia_driver.runfile(machine.host) == {"installed": False, "version": ""}


@pytest.mark.parametrize(("package", "installed"), [("", True), ("some-package", False)])
def test_the_uninstaller_of_a_runfile(machine, package, installed):
    machine.file("/usr/bin/nvidia-uninstall", "", 0o755)
    machine.says(
        "dpkg-query -S /usr/bin/nvidia-uninstall", f"{package}: /usr/bin/nvidia-uninstall\n", 0 if package else 1
    )
    assert _nvidia_driver.runfile(machine.host)["installed"] is installed


# Firmware and kernel.


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, "unsupported"),
        ({"SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": b"\x06\x00\x00\x00\x01"}, "enabled"),
        ({"SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": b"\x16\x00\x00\x00\x00"}, "disabled"),
        ({"BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c": b"\x07\x00\x00\x00\x00\x00"}, "disabled"),
    ],
)
def test_secure_boot(machine, files, state):
    for name, content in files.items():
        machine.file(f"/sys/firmware/efi/efivars/{name}", content)
    assert _nvidia_driver.secure_boot(machine.host) == state


@pytest.mark.parametrize(
    ("path", "text", "blacklisted"),
    [
        ("/etc/modprobe.d/x.conf", "blacklist nouveau\n", True),
        ("/usr/lib/modprobe.d/nvidia.conf", "options x y=1\n  blacklist   nouveau # no\n", True),
        ("/run/modprobe.d/x.conf", "install nouveau /bin/false\n", True),
        ("/lib/modprobe.d/x.conf", "alias nouveau off\n", True),
        ("/proc/cmdline", "root=/dev/sda1 ro modprobe.blacklist=nouveau quiet\n", True),
        ("/proc/cmdline", "rd.driver.blacklist=nova_core,nouveau\n", True),
        ("/proc/cmdline", "module_blacklist=nouveau", True),
        ("/etc/modprobe.d/x.conf", "# blacklist nouveau\n", False),
        ("/etc/modprobe.d/x.conf", "blacklist nouveau_not\nblacklist nvidiafb\n", False),
        ("/etc/modprobe.d/x.conf", "install nouveau /sbin/modprobe --ignore-install nouveau\n", False),
        ("/etc/modprobe.d/x.conf.dpkg-old", "blacklist nouveau\n", False),
        ("/proc/cmdline", "nouveau.modeset=0\n", False),
    ],
)
def test_nouveau_is_blacklisted(machine, path, text, blacklisted):
    machine.file(path, text)
    assert _nvidia_driver.nouveau(machine.host)["blacklisted"] is blacklisted


def test_nouveau_is_there_and_loaded(machine):
    assert _nvidia_driver.nouveau(machine.host) == {"loaded": False, "available": False, "blacklisted": False}
    machine.file("/sys/module/nouveau/initstate", "live\n")
    machine.file(f"/lib/modules/{KERNEL}/modules.dep", "kernel/drivers/gpu/drm/nouveau/nouveau.ko.xz: kernel/a.ko.xz\n")
    assert _nvidia_driver.nouveau(machine.host) == {"loaded": True, "available": True, "blacklisted": False}


@pytest.mark.parametrize(
    ("pci_class", "device", "driver", "kind"),
    [
        ("0x030000", "0x2684", "nvidia", "gpu"),
        ("0x030200", "0x2330", "", "gpu"),
        ("0x040300", "0x22ba", "snd_hda_intel", "other"),
        ("0x0c0330", "0x1ad8", "xhci_hcd", "other"),
        ("0x068000", "0x22a3", "nvidia-nvswitch", "nvswitch"),
        ("0x068000", "0x22a3", "", "nvswitch"),
        ("0x068000", "0x1af1", "", "nvswitch"),
        ("0x068000", "0x1ac2", "nvidia-nvswitch", "nvswitch"),
        ("0x068000", "0x2342", "", "other"),  # a bridge of Grace Hopper
        ("0x068000", "odd", "", "other"),
        ("", "", "", "other"),
    ],
)
def test_pci(machine, pci_class, device, driver, kind):
    machine.pci("0000:65:00.0", device, driver, pci_class)
    assert _nvidia_driver.pci_devices(machine.host) == [
        {"address": "0000:65:00.0", "device": device, "kind": kind, "driver": driver}
    ]


def test_other_vendors(machine):
    machine.pci("0000:65:00.0", vendor="0x1002")
    assert _nvidia_driver.pci_devices(machine.host) == []


ID, OTHER = "3f" * 32, "07" * 32


@pytest.mark.parametrize(
    ("text", "container"),
    [
        (f"0::/system.slice/docker-{ID}.scope\n", ID),
        (f"0::/../docker-{ID}.scope\n", ID),
        (f"12:devices:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/system.slice/containerd.service\n", ID),
        (f"1:name=systemd:/docker/{OTHER}/docker/{ID}\n", ID),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", ID),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n", ID),
        ("0::/system.slice/livepeer-orchestrator.service\n", ""),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", ""),
        ("", ""),
    ],
)
def test_the_container_of_a_process(machine, text, container):
    machine.file("/proc/4711/cgroup", text)
    assert _nvidia_driver.container_of(machine.host, 4711) == container
