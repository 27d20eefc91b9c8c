"""What the role does where a driver cannot work, and how it moves from one version to another.

Each run has all four hosts in it, because a run of its own for every fault would take too long.
"""

from __future__ import annotations

import json

import pytest
from labtest import ROOT, lab_host

GPU_HOSTS = str(ROOT / "molecule/site_gpu/inventory")
NAMES = ("gpu-bookworm", "gpu-trixie", "gpu-4090", "gpu-h100")
MARK = "/run/before-refusal"
# What nvidia-installer writes down, and looks for itself.
RUNFILE_RECORD = "/var/lib/nvidia/log"
FOREIGN = "/usr/local/lib/libnvidia-ml.so"


@pytest.fixture
def hosts() -> dict:
    return {name: lab_host(name) for name in NAMES}


@pytest.fixture
def driver(playbook):
    """The driver's part of the playbook; a value may be told apart by host."""

    def run(*names: str, **variables):
        for name, value in variables.items():
            if isinstance(value, dict):
                variables[name] = f"{{{{ {json.dumps(value)}[inventory_hostname] }}}}"
        return playbook("gpu_host", "-i", GPU_HOSTS, "--limit", ",".join(names), "--tags", "nvidia_driver", **variables)

    return run


def said(run) -> str:
    return " ".join(run.output.split())


def hardware(host, **values) -> None:
    """Describe the machine anew and start it, as if somebody had been in its firmware."""
    described = json.loads(host.file("/etc/lab/hardware.json").content_string) | values
    host.check_output("printf %%s %s > /etc/lab/hardware.json", json.dumps(described))
    host.check_output("systemctl restart lab-hardware.service")


def touched(host) -> list[str]:
    """What has been written since the mark."""
    return host.check_output(
        f"find /etc /usr /boot /lib/modules /var/lib/dkms /var/lib/dpkg -cnewer {MARK} -type f"
    ).split()


def test_what_cannot_work_is_refused_before_anything_changed(hosts, driver):
    trixie, rtx, h100 = hosts["gpu-trixie"], hosts["gpu-4090"], hosts["gpu-h100"]
    rtx.check_output(f"mkdir -p /var/lib/nvidia && echo 'NVIDIA Driver (575.64.05)' > {RUNFILE_RECORD}")
    h100.check_output("cp /etc/lab/hardware.json /run/hardware.json")
    hardware(h100, secure_boot=True)
    try:
        for host in hosts.values():
            host.check_output(f"sleep 0.1; touch {MARK}")
        run = driver(
            *NAMES,
            nvidia_driver_flavour={
                "gpu-bookworm": "open",
                "gpu-trixie": "auto",
                "gpu-4090": "auto",
                "gpu-h100": "auto",
            },
            nvidia_driver_source={
                "gpu-bookworm": "distribution",
                "gpu-trixie": "nvidia",
                "gpu-4090": "nvidia",
                "gpu-h100": "nvidia",
            },
        )
        assert run.code != 0
        assert run.output.count("failed=1") == len(NAMES), run.output
        assert run.changed == 0
        assert "open kernel modules of an older version than the rest of the driver" in said(run)
        assert "This host has the NVIDIA driver of the distribution (nvidia-smi 550.163.01" in said(run)
        assert "575.64.05 from a .run file" in said(run)
        assert "nvidia-uninstall --silent" in said(run)
        assert (
            "Secure Boot is on, and the key that DKMS signs modules with (/var/lib/dkms/mok.pub) is not enrolled"
            in said(run)
        )
        assert {name: touched(host) for name, host in hosts.items()} == {name: [] for name in NAMES}
    finally:
        rtx.check_output(f"rm {RUNFILE_RECORD}")
        h100.check_output("cp /run/hardware.json /etc/lab/hardware.json")
        h100.check_output("systemctl restart lab-hardware.service")
        h100.check_output("systemctl restart nvidia-persistenced nvidia-fabricmanager")
    assert trixie.run("nvidia-smi").rc == 9


def test_a_version_that_is_not_to_be_had_and_a_library_from_elsewhere(hosts, driver):
    rtx, h100 = hosts["gpu-4090"], hosts["gpu-h100"]
    before = rtx.check_output("dpkg-query --show")
    h100.check_output(f"cp /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.95.05 {FOREIGN}.565.57.01")
    h100.check_output(f"ln -s {FOREIGN}.565.57.01 {FOREIGN}.1 && ldconfig")
    try:
        run = driver("gpu-4090", "gpu-h100", nvidia_driver_version={"gpu-4090": "999", "gpu-h100": "580"})
    finally:
        h100.check_output(f"rm {FOREIGN}.1 {FOREIGN}.565.57.01 && ldconfig")
    assert run.code != 0
    assert "nvidia_driver_version is 999, but the repositories of this host lack that version of" in said(run)
    assert rtx.check_output("dpkg-query --show") == before
    assert "The driver 580.95.05 is loaded, and the library that programs find is 565.57.01" in said(run)


def test_moving_to_another_branch_and_back(hosts, driver):
    rtx, h100 = hosts["gpu-4090"], hosts["gpu-h100"]
    run = driver(
        "gpu-4090",
        "gpu-h100",
        nvidia_driver_version={"gpu-4090": "550", "gpu-h100": "580.82.07"},
        nvidia_driver_reboot_ok=False,
    )
    assert run.code == 0, run.output
    assert run.output.count("REBOOT NEEDED before the NVIDIA driver") == 2
    assert "The driver 580.95.05 is loaded, and 550.163.01 is installed." in said(run)
    assert "The driver 580.95.05 is loaded, and 580.82.07 is installed." in said(run)
    # One flavour at a time; below 560 it is the proprietary one on this card.
    assert rtx.package("nvidia-kernel-dkms").version == "550.163.01-1"
    assert not rtx.package("nvidia-kernel-open-dkms").is_installed
    # The fabric manager has gone along, to the digit.
    assert h100.package("nvidia-fabricmanager").version == "580.82.07-1"
    for host, package in ((rtx, "nvidia-kernel-dkms"), (h100, "nvidia-fabricmanager")):
        assert package in host.check_output("apt-mark showhold").split()
    # What the message was about.
    assert "Driver/library version mismatch" in rtx.run("nvidia-smi").stdout

    # Meanwhile somebody rebuilt an initramfs from an old backup, and took a module away.
    image = h100.check_output("find /boot -name 'initrd.img-*'")
    h100.check_output(f"touch -d 2020-01-01 {image}")
    run = driver("gpu-4090", "gpu-h100", nvidia_driver_upgrade=True)
    assert run.code == 0, run.output
    assert "REBOOT NEEDED" not in run.output
    assert rtx.package("nvidia-kernel-open-dkms").version == "580.95.05-1"
    assert h100.package("nvidia-fabricmanager").version == "580.95.05-1"
    assert run.output.count("Rebuild the initramfs") >= 1
    assert h100.run(f"test {image} -nt /etc/modprobe.d/livepeer-nvidia-driver.conf").rc == 0
    for host in (rtx, h100):
        assert host.run("nvidia-smi").rc == 0
        assert host.service("nvidia-persistenced").is_running
        assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""
