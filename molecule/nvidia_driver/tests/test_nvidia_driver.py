"""A driver that is installed, built and held, and loaded where there is a GPU, seen from the hosts themselves."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

import pytest
from labtest import ROOT, lab_host

GPU_HOSTS = str(ROOT / "molecule/site_gpu/inventory")
DROP_IN = "50-livepeer-hardware.conf"
BLACKLIST = "/etc/modprobe.d/livepeer-nvidia-driver.conf"
DRIVER_PACKAGE = re.compile(r"^(nvidia-|libnvidia-|libcuda1|libnvcuvid1|firmware-nvidia)(?!container)")


@dataclass(frozen=True)
class Expected:
    """What a host has in the end."""

    suite: str
    version: str
    module: str
    # How many GPUs answer, and whether they sit behind NVSwitches.
    gpus: int = 0
    switches: bool = False


EXPECTED = {
    "gpu-bookworm": Expected("bookworm", "535.309.01", "nvidia-current"),
    "gpu-trixie": Expected("trixie", "550.163.01", "nvidia-current"),
    "gpu-4090": Expected("trixie", "580.95.05", "nvidia", gpus=2),
    "gpu-h100": Expected("bookworm", "580.95.05", "nvidia", gpus=8, switches=True),
}
WITHOUT_GPU = ("gpu-bookworm", "gpu-trixie")
WITH_GPU = ("gpu-4090", "gpu-h100")


@pytest.fixture(params=EXPECTED)
def name(request) -> str:
    return request.param


@pytest.fixture
def host(name):
    return lab_host(name)


@pytest.fixture
def expected(name) -> Expected:
    return EXPECTED[name]


def packages(host, *patterns: str) -> dict[str, str]:
    """Installed packages with their versions."""
    listed = host.run(
        "dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Version}\\n' %s", " ".join(patterns)
    )
    lines = (line.split() for line in listed.stdout.splitlines())
    return {name: version for status, name, version in lines if status == "installed"}


def driver_packages(host) -> dict[str, str]:
    return {name: version for name, version in packages(host).items() if DRIVER_PACKAGE.match(name)}


def headers_of(host) -> list[str]:
    """The kernels that modules can be built for."""
    return host.check_output(
        "find /lib/modules -mindepth 2 -maxdepth 2 -name build -not -xtype l -printf '%h\\n'"
    ).split()


# The packages


def test_packages_are_held_against_every_upgrade(host, name):
    held = set(host.check_output("apt-mark showhold").split())
    driver = driver_packages(host)
    # What is of the driver's version is held; Debian has helpers of other versions beside it.
    assert {package for package, version in driver.items() if EXPECTED[name].version in version} <= held
    assert "nvidia-persistenced" in held
    assert [package for package in held if package.startswith("linux-")] == []
    moved = re.findall(r"^(?:Inst|Remv) (\S+)", host.check_output("apt-get --simulate dist-upgrade"), re.MULTILINE)
    assert [package for package in moved if package in held] == []


def test_all_of_the_driver_is_of_one_version(host, expected):
    core = ("libcuda1", "libnvidia-ml1", "libnvcuvid1", "libnvidia-encode1")
    assert {packages(host, package)[package].partition("-")[0] for package in core} == {expected.version}


def test_nothing_for_a_screen_was_installed(host):
    assert packages(host, "xserver-xorg-core", "libgl1-nvidia-glvnd-glx", "nvidia-driver", "nvidia-settings") == {}


@pytest.mark.parametrize("name", WITH_GPU)
def test_the_branch_is_pinned(host):
    policy = host.check_output("apt-cache policy nvidia-driver-cuda")
    assert "Candidate: 580.95.05-1" in policy
    # Other branches are there, and stay below.
    assert re.search(r"^ {5}550\.163\.01-1 (\d+)$", policy, re.MULTILINE).group(1) != "1001"
    assert re.search(r"580\.95\.05-1 1001$", policy, re.MULTILINE)
    # By a key of its own that signs nothing else.
    sources = host.file("/etc/apt/sources.list.d/nvidia-cuda.sources").content_string
    assert "Signed-By: /etc/apt/keyrings/nvidia-cuda.asc" in sources


def test_kernels_are_those_of_the_image(host, expected):
    image = f"livepeer-lab/bare:{expected.suite}"
    command = "dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Version}\\n' 'linux-image-*'"
    fresh = subprocess.run(
        ["docker", "run", "--rm", image, "sh", "-c", command], capture_output=True, text=True, check=False
    )
    assert host.run(command).stdout.splitlines() == fresh.stdout.splitlines()
    assert "linux-image-cloud-amd64" in fresh.stdout


# The modules


def test_modules_are_built_for_every_kernel_with_headers(host, expected):
    built = host.check_output("dkms status").splitlines()
    kernels = [path.rpartition("/")[2] for path in headers_of(host)]
    assert kernels
    for kernel in kernels:
        assert f"{expected.module}/{expected.version}, {kernel}, x86_64: installed" in built
        module = host.check_output(f"modinfo --set-version {kernel} --field version {expected.module}")
        assert module == expected.version


def test_nouveau_is_kept_away_also_in_the_initramfs(host):
    configuration = host.check_output("modprobe --showconfig")
    assert "blacklist nouveau" in configuration
    assert "options nouveau modeset=0" in configuration
    images = host.check_output("find /boot -name 'initrd.img-*'").split()
    assert len(images) == 1
    for image in images:
        assert BLACKLIST.lstrip("/") in host.check_output("lsinitramfs %s", image).splitlines()
        # Made after the file, so it is this file.
        assert host.file(image).mtime > host.file(BLACKLIST).mtime
    assert not host.file("/sys/module/nouveau").exists


# The services


def test_nothing_is_red(host):
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""


@pytest.mark.parametrize("name", WITHOUT_GPU)
def test_without_a_gpu_persistenced_waits_for_one(host):
    properties = "ActiveState,UnitFileState,NeedDaemonReload,ConditionResult"
    shown = host.check_output(f"systemctl show nvidia-persistenced.service --property={properties}")
    assert set(shown.splitlines()) == {
        "ActiveState=inactive",
        "UnitFileState=enabled",
        "NeedDaemonReload=no",
        "ConditionResult=no",
    }
    drop_in = host.file(f"/etc/systemd/system/nvidia-persistenced.service.d/{DROP_IN}")
    assert "ConditionPathExists=/proc/driver/nvidia/version" in drop_in.content_string
    # A start is no failure either.
    assert host.run("systemctl start nvidia-persistenced.service").rc == 0
    assert not host.service("nvidia-persistenced").is_running


@pytest.mark.parametrize("name", WITH_GPU)
def test_persistenced_keeps_every_gpu(host, expected):
    assert host.service("nvidia-persistenced").is_running
    assert host.service("nvidia-persistenced").is_enabled
    modes = host.check_output("nvidia-smi -q -x")
    assert modes.count("<persistence_mode>Enabled</persistence_mode>") == expected.gpus


@pytest.mark.parametrize("name", WITH_GPU)
def test_the_fabric_manager_is_where_switches_are(host, expected):
    installed = packages(host, "nvidia-fabricmanager")
    if not expected.switches:
        assert installed == {}
        assert not host.file("/etc/systemd/system/nvidia-fabricmanager.service.d").exists
        return
    assert installed == {"nvidia-fabricmanager": f"{expected.version}-1"}
    assert "nvidia-fabricmanager" in host.check_output("apt-mark showhold").split()
    assert host.service("nvidia-fabricmanager").is_running
    assert host.service("nvidia-fabricmanager").is_enabled
    drop_in = host.file(f"/etc/systemd/system/nvidia-fabricmanager.service.d/{DROP_IN}").content_string
    assert "ConditionPathExistsGlob=|/dev/nvidia-nvswitch[0-9]*" in drop_in


# What is loaded


@pytest.mark.parametrize("name", WITH_GPU)
def test_the_open_modules_are_loaded_and_every_gpu_answers(host, expected):
    loaded = host.file("/proc/driver/nvidia/version").content_string
    assert "Open Kernel Module" in loaded
    assert expected.version in loaded
    assert len(host.check_output("nvidia-smi -L").splitlines()) == expected.gpus


@pytest.mark.parametrize("name", WITHOUT_GPU)
def test_debians_driver_is_honest_about_the_kernel(host):
    assert host.run("modprobe nvidia").rc != 0
    answer = host.run("nvidia-smi")
    assert answer.rc == 9
    assert "couldn't communicate with the NVIDIA driver" in answer.stdout


def test_without_a_module_for_the_kernel_a_reboot_is_asked_for_and_not_done(playbook):
    hosts = [lab_host(name) for name in WITHOUT_GPU]
    before = [host.check_output("cat /proc/sys/kernel/random/boot_id") for host in hosts]
    run = playbook("gpu_host", "-i", GPU_HOSTS, "--limit", ",".join(WITHOUT_GPU), "--tags", "nvidia_driver")
    assert run.code == 0, run.output
    assert run.changed == 0, run.output
    assert run.output.count("REBOOT NEEDED before the NVIDIA driver") == len(hosts), run.output
    kernel = hosts[0].check_output("uname -r")
    assert f"The kernel {kernel} is running, and the module that it has is none instead of 550.163.01" in run.output
    assert "that is built for 6.1" in " ".join(run.output.split())
    assert [host.check_output("cat /proc/sys/kernel/random/boot_id") for host in hosts] == before
