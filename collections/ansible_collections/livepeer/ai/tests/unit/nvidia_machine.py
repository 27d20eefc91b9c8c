# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts with NVIDIA hardware, as files below a directory and answers of commands, for the tests of gpu_info."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_host import Host, Outcome
from ansible_collections.livepeer.ai.plugins.module_utils._nvidia_log import PATTERN
from ansible_collections.livepeer.ai.plugins.modules.gpu_info import GpuInfo

REPORTS = Path(__file__).parent / "fixtures/nvidia_smi"
KERNEL = "6.1.0-49-amd64"

SMI = "nvidia-smi -q -x"
SMI_CAPABILITIES = "nvidia-smi --query-gpu=index,uuid,compute_cap --format=csv,noheader"
SMI_LIST = "nvidia-smi -L"
JOURNAL_WHOLE = "journalctl --dmesg --boot --no-pager --output=cat"
JOURNAL = f"{JOURNAL_WHOLE} --grep={PATTERN} --case-sensitive=yes"
JOURNAL_LAST = f"{JOURNAL_WHOLE} --lines=1"
FABRIC_MANAGER = "systemctl show nvidia-fabricmanager.service --property=LoadState,ActiveState"

PROPRIETARY = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Sun May 12 19:39:15 UTC 2024\n"
    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14+deb12u1) \n"
)
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build  "
    "(dvs-builder@U22-I3-B17-02-5)  Tue Sep 23 09:55:41 UTC 2025\n"
    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14+deb12u1) \n"
)
LIBDIR = "/usr/lib/x86_64-linux-gnu"


def report(name):
    return (REPORTS / f"{name}.xml").read_text()


def uuids_of(name):
    return re.findall(r"<uuid>(.*)</uuid>", report(name))


def cdi_spec(version, *names):
    """A specification as nvidia-ctk 1.17 writes it."""
    devices = "".join(
        f'    - name: "{name}"\n      containerEdits:\n        deviceNodes:\n            - path: /dev/nvidia0\n'
        for name in names
    )
    return f"""---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
{devices}containerEdits:
    env:
        - NVIDIA_VISIBLE_DEVICES=void
    deviceNodes:
        - path: /dev/nvidiactl
    hooks:
        - hookName: createContainer
          path: /usr/bin/nvidia-cdi-hook
          args:
            - nvidia-cdi-hook
            - create-symlinks
            - --link
            - libcuda.so.1::/usr/lib/x86_64-linux-gnu/libcuda.so
    mounts:
        - hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.{version}
          containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.{version}
          options:
            - ro
            - nosuid
"""


class Machine:
    """A bare host, to which a test adds what it is about."""

    def __init__(self, root):
        self.root = Path(root)
        self.commands = {
            JOURNAL: Outcome(1, "-- No entries --\n"),
            JOURNAL_LAST: Outcome(0, "systemd[1]: Reached target basic.target\n"),
        }
        self.asked = []

    def file(self, path, content="", mode=0o644):
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        target.chmod(mode)

    def link(self, path, target):
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def remove(self, path):
        (self.root / path.lstrip("/")).unlink()

    def says(self, command, out="", code=0, err=""):
        self.commands[command] = Outcome(code, out, err)

    def hangs(self, command):
        self.commands[command] = Outcome(None, timed_out=True)

    def lacks(self, *commands):
        for command in commands:
            self.commands.pop(command, None)

    def pci(self, address, device="0x2684", driver="nvidia", pci_class="0x030000", vendor="0x10de"):
        path = f"/sys/bus/pci/devices/{address}"
        for name, content in (("vendor", vendor), ("device", device), ("class", pci_class)):
            self.file(f"{path}/{name}", f"{content}\n")
        if driver:
            self.link(f"{path}/driver", f"../../../../bus/pci/drivers/{driver}")

    def loads(self, version, text=PROPRIETARY):
        self.file("/proc/driver/nvidia/version", text.format(version=version))
        self.file("/sys/module/nvidia/version", f"{version}\n")

    def builds(self, version, flavour="NVIDIA", name="nvidia"):
        """The module lies on the disk, beside the kernel's own nouveau."""
        path = f"/lib/modules/{KERNEL}/updates/dkms/{name}.ko"
        nouveau = "kernel/drivers/gpu/drm/nouveau/nouveau.ko: kernel/drivers/gpu/drm/drm.ko\n"
        self.file(f"/lib/modules/{KERNEL}/modules.dep", f"{nouveau}updates/dkms/{name}.ko:\n")
        fields = (
            f"filename:       {path}\nversion:        {version}\nlicense:        {flavour}\nsrcversion:     8A1B2C3D\n"
        )
        self.says(f"modinfo {name}", fields)

    def installs(self, version, package="libnvidia-ml1", package_version=None):
        """The libraries are there, of a Debian package."""
        for name in ("libnvidia-ml", "libcuda"):
            for old in (self.root / LIBDIR.lstrip("/")).glob(f"{name}.so.*"):
                old.unlink()
            self.file(f"{LIBDIR}/{name}.so.{version}")
            self.link(f"{LIBDIR}/{name}.so.1", f"{name}.so.{version}")
        self.says(
            "ldconfig -p",
            "612 libs found in cache `/etc/ld.so.cache'\n"
            f"\tlibnvidia-ml.so.1 (libc6,x86-64) => {LIBDIR}/libnvidia-ml.so.1\n"
            f"\tlibcuda.so.1 (libc6,x86-64) => {LIBDIR}/libcuda.so.1\n",
        )
        file = f"{LIBDIR}/libnvidia-ml.so.{version}"
        self.says(f"dpkg-query -S {file}", f"{package}:amd64: {file}\n")
        self.says(
            f"dpkg-query -W -f ${{db:Status-Status}}\t${{Version}}\n {package}:amd64",
            f"installed\t{package_version or version + '-1'}\n",
        )

    def shows(self, name, *capabilities, listing=""):
        """nvidia-smi answers with a report, and with index, UUID and capability of each GPU."""
        self.says(SMI, report(name))
        self.says(SMI_CAPABILITIES, "".join(f"{line}\n" for line in capabilities))
        self.says(SMI_LIST, listing)

    def run(self, argv, _seconds):
        self.asked.append(" ".join(argv))
        return self.commands.get(" ".join(argv), Outcome(None))

    @property
    def host(self):
        return Host(str(self.root), self.run, KERNEL)

    def ask(self, **params):
        return GpuInfo({"timeout": 60.0, "docker_socket": "/nonexistent.sock", **params}, self.host).answer()


def _well_kept(root, version, module_text, licence, name, capability):
    """What the healthy hosts have in common."""
    machine, uuids = Machine(root), uuids_of(name)
    machine.pci("0000:02:00.0", "0x1533", "igb", "0x020000", vendor="0x8086")
    machine.loads(version, module_text)
    machine.builds(version, licence)
    machine.installs(version)
    machine.shows(name, *(f"{index}, {uuid}, {capability}" for index, uuid in enumerate(uuids)))
    machine.file("/etc/modprobe.d/nvidia-blacklists-nouveau.conf", "# a comment\nblacklist nouveau\n")
    machine.file("/var/run/cdi/nvidia.yaml", cdi_spec(version, "0", "1", *uuids, "all"))
    machine.says("nvidia-ctk --version", "NVIDIA Container Toolkit CLI version 1.17.8\ncommit: f202b80a9b9d0db0\n")
    machine.file("/usr/bin/nvidia-container-runtime-hook", "#!/bin/sh\n", 0o755)
    return machine


def two_4090(root):
    """Two RTX 4090 with Debian 13's driver, the container toolkit and CDI; nothing is wrong."""
    machine = _well_kept(root, "550.163.01", PROPRIETARY, "NVIDIA", "550-2x-rtx-4090", "8.9")
    for address in ("0000:01:00.0", "0000:41:00.0"):
        machine.pci(address)
    machine.pci("0000:01:00.1", "0x22ba", "snd_hda_intel", "0x040300")
    return machine


def hgx_h100(root):
    """Two of the GPUs of an HGX H100, with its four NVSwitches, the open driver and a fabric manager; all is well."""
    machine = _well_kept(root, "570.133.20", OPEN, "Dual MIT/GPL", "570-2x-h100", "9.0")
    for address in ("0000:19:00.0", "0000:3b:00.0"):
        machine.pci(address, "0x2330", pci_class="0x030200")
    for bus in ("05", "06", "07", "08"):
        machine.pci(f"0000:{bus}:00.0", "0x22a3", "nvidia-nvswitch", "0x068000")
    machine.says(FABRIC_MANAGER, "LoadState=loaded\nActiveState=active\n")
    machine.says("nv-fabricmanager --version", "Fabric Manager version is : 570.133.20\n")
    return machine
