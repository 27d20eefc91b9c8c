"""The stand-ins of the GPU hosts: as strict as what they stand in for, without Docker and without root."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from labkit import hardware, paths, topology

GPU = paths.GPU
HOST_PROGRAMS = GPU / "host/usr/local/lib/lab"
LOADED = "580.95.05"
MISMATCH = ("Failed to initialize NVML: Driver/library version mismatch", "NVML library version: 580.82")


@pytest.fixture(scope="module", autouse=True)
def import_paths() -> Iterator[None]:
    """The stand-ins import each other by name, as they do on a host and in lab/gpu/build.py."""
    added = [str(GPU), str(GPU / "toolkit"), str(HOST_PROGRAMS)]
    sys.path[:0] = added
    yield
    for path in added:
        sys.path.remove(path)


def program(path: Path) -> ModuleType:
    """A program without .py as a module; nothing is left beside it."""
    loader = importlib.machinery.SourceFileLoader(f"stand_in_{path.name.replace('-', '_')}", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


def describe(name: str) -> dict:
    return json.loads(hardware.description(name).read_text(encoding="utf-8"))


class Machine:
    """The folders of a described host, somewhere else."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        import labgpu

        self.root = root
        self.kernel = program(HOST_PROGRAMS / "kernel")
        self.hardware = describe(name)
        self.modinfo = {"filename": "/lib/modules/x/nvidia.ko", "version": LOADED, "license": "Dual MIT/GPL"}
        places = ("PCI", "MODULES", "PROC_DRIVER", "DEV", "MEMORY")
        for place in places:
            monkeypatch.setattr(labgpu, place, root / place.lower())
        self.state = root / "memory" / "gpu"
        monkeypatch.setattr(labgpu, "STATE", self.state)
        # Device nodes need root: files stand in their places.
        monkeypatch.setattr(labgpu, "make_node", lambda path, _major, _minor: labgpu.write(path, ""))
        monkeypatch.setattr(self.kernel, "modinfo", lambda _module, field: self.modinfo[field])
        monkeypatch.setattr(self.kernel, "Path", self.path)
        for device in (*self.hardware["gpus"], *self.hardware["switches"]):
            (labgpu.PCI / device["address"]).mkdir(parents=True)
        self.firmware = root / "lib/firmware/nvidia" / LOADED / "gsp_ga10x.bin"
        labgpu.write(self.firmware, "")
        self.install_library(LOADED)

    def path(self, *parts: str) -> Path:
        moved = ("/lib/firmware", "/run/")
        inside = parts and parts[0].startswith(moved)
        return Path(f"{self.root}{parts[0]}", *parts[1:]) if inside else Path(*parts)

    def install_library(self, version: str) -> None:
        link = self.root / "lib/libnvidia-ml.so.1"
        link.unlink(missing_ok=True)
        (self.root / "lib" / f"libnvidia-ml.so.{version}").touch()
        link.symlink_to(f"libnvidia-ml.so.{version}")

    def load(self, module: str = "nvidia") -> None:
        self.kernel.load(module, self.hardware)

    def smi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = (GPU / "driver/nvidia-smi").read_text(encoding="utf-8").replace("@VERSION@", LOADED)
        for old, new in (
            ("/run/lab/gpu", str(self.state)),
            ("/usr/lib/x86_64-linux-gnu", str(self.root / "lib")),
            ("/dev/nvidia", str(self.root / "dev/nvidia")),
            ("[ -c ", "[ -e "),
        ):
            assert old in script
            script = script.replace(old, new)
        return subprocess.run(["sh", "-s", "--", *arguments], input=script, capture_output=True, text=True, check=False)


@pytest.fixture
def rtx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch, "rtx-4090-x2")


@pytest.fixture
def h100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch, "h100-sxm-x8")


class TestDescriptions:
    def test_every_host_is_described(self) -> None:
        assert all(hardware.description(host.hardware).exists() for host in topology.HOSTS if host.hardware)

    def test_the_counts_are_those_of_the_real_machines(self) -> None:
        counts = {
            path.stem: (len(describe(path.stem)["gpus"]), len(describe(path.stem)["switches"]))
            for path in hardware.DESCRIPTIONS.iterdir()
        }
        assert counts == {"none": (0, 0), "rtx-4090-x2": (2, 0), "h100-sxm-x8": (8, 4)}

    def test_a_host_gets_its_description_and_programs_that_start(self) -> None:
        files = hardware.files("rtx-4090-x2")
        assert json.loads(files["etc/lab/hardware.json"][0])["model"]["name"] == "NVIDIA GeForce RTX 4090"
        assert {path for path, (_content, mode) in files.items() if mode == 0o755} == {
            "usr/local/lib/lab/hardware",
            "usr/local/lib/lab/kernel",
        }

    def test_what_python_leaves_beside_the_programs_makes_no_other_host(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hardware, "OVERLAY", tmp_path)
        before = hardware.files("none")
        (tmp_path / "__pycache__").mkdir()
        (tmp_path / "__pycache__" / "x.pyc").touch()
        assert hardware.files("none") == before

    def test_lspci_would_read_the_same_device(self) -> None:
        space = program(HOST_PROGRAMS / "hardware").config_space("0x10de", "0x2684", "0x030000", ("0x1458", "0x40bf"))
        assert len(space) == 64
        assert (space[0:4], space[9:12], space[44:48]) == (b"\xde\x10\x84\x26", b"\x00\x00\x03", b"\x58\x14\xbf\x40")


class TestKernel:
    def refusal(self, machine: Machine, module: str = "nvidia") -> str:
        with pytest.raises(machine.kernel.Refusal) as refused:
            machine.load(module)
        return str(refused.value)

    def test_loading_makes_visible_what_the_real_module_makes_visible(self, h100: Machine) -> None:
        h100.load()
        read = h100.root.joinpath
        assert read("modules/nvidia/version").read_text(encoding="utf-8") == f"{LOADED}\n"
        assert re.match(r"NVRM version: .*Open.* 580\.95\.05 ", read("proc_driver/nvidia/version").read_text("utf-8"))
        assert len(list(read("proc_driver/nvidia/gpus").iterdir())) == 8
        assert len(list(read("proc_driver/nvidia-nvswitch/devices").iterdir())) == 4
        assert os.readlink(read("pci/0000:1b:00.0/driver")).endswith("/nvidia")
        assert {"nvidia0", "nvidia7", "nvidiactl", "nvidia-nvswitch3"} <= {path.name for path in read("dev").iterdir()}

    def test_a_module_that_was_not_built_is_not_found(self, rtx: Machine) -> None:
        rtx.modinfo["filename"] = ""
        assert "FATAL: Module nvidia not found" in self.refusal(rtx)

    def test_nouveau_keeps_the_devices_until_it_is_gone(self, rtx: Machine) -> None:
        rtx.load("nouveau")
        assert self.refusal(rtx).endswith("could not insert 'nvidia': No such device")
        rtx.kernel.unload("nouveau", rtx.hardware)
        rtx.load()

    def test_secure_boot_takes_a_key_only_that_was_enrolled(self, rtx: Machine) -> None:
        rtx.hardware["secure_boot"] = True
        assert "Key was rejected by service" in self.refusal(rtx)
        rtx.hardware["key_enrolled"] = True
        rtx.load()

    def test_a_flavour_that_does_not_know_the_gpu_finds_no_device(self, rtx: Machine) -> None:
        rtx.hardware["model"]["flavours"] = ["proprietary"]
        assert "No such device" in self.refusal(rtx)

    def test_without_gpus_there_is_no_device(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "No such device" in self.refusal(Machine(tmp_path, monkeypatch, "none"))

    def test_a_module_in_use_stays(self, rtx: Machine) -> None:
        rtx.load()
        rtx.load("nvidia-uvm")
        with pytest.raises(rtx.kernel.Refusal, match="in use"):
            rtx.kernel.unload("nvidia", rtx.hardware)


class TestSmi:
    def test_says_that_nothing_is_loaded(self, rtx: Machine) -> None:
        answer = rtx.smi()
        assert answer.returncode == 9
        assert answer.stdout.startswith("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.")

    def test_refuses_a_library_of_another_version(self, rtx: Machine) -> None:
        rtx.load()
        rtx.install_library("580.82.07")
        answer = rtx.smi("-L")
        assert (answer.returncode, tuple(answer.stdout.splitlines())) == (18, MISMATCH)

    def test_finds_no_devices_without_their_firmware(self, rtx: Machine) -> None:
        rtx.firmware.unlink()
        rtx.load()
        answer = rtx.smi("-q", "-x")
        assert (answer.returncode, answer.stdout) == (6, "No devices were found\n")

    def test_says_which_gpu_fell_off_the_bus(self, rtx: Machine) -> None:
        rtx.load()
        (rtx.state / "gpus/1/lost").touch()
        answer = rtx.smi("-q", "-x")
        assert answer.returncode == 15
        assert "00000000:41:00.0: GPU is lost" in answer.stdout

    @pytest.mark.parametrize("arguments", [("-x",), ("-q",), ("--query-gpu=uuid",), ("--nonsense",), ("-L", "-y")])
    def test_refuses_arguments_it_does_not_know(self, rtx: Machine, arguments: tuple[str, ...]) -> None:
        rtx.load()
        assert rtx.smi(*arguments).returncode == 2

    def test_refuses_a_field_that_does_not_exist(self, rtx: Machine) -> None:
        rtx.load()
        answer = rtx.smi("--query-gpu=uuid,colour", "--format=csv")
        assert (answer.returncode, answer.stdout) == (2, 'Field "colour" is not a valid field to query.\n\n')

    def test_answers_the_questions_that_are_asked_of_it(self, rtx: Machine) -> None:
        rtx.load()
        uuids = [gpu["uuid"] for gpu in rtx.hardware["gpus"]]
        listed = rtx.smi("-L").stdout.splitlines()
        assert listed[1] == f"GPU 1: NVIDIA GeForce RTX 4090 (UUID: {uuids[1]})"
        queried = rtx.smi("--query-gpu=index,uuid,compute_cap", "--format=csv,noheader").stdout.splitlines()
        assert queried == [f"{index}, {uuid}, 8.9" for index, uuid in enumerate(uuids)]

    def test_log_has_the_shape_of_the_real_one(self, h100: Machine) -> None:
        h100.load()
        text = h100.smi("-q", "-x").stdout
        log = ElementTree.fromstring(text)
        assert '<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">' in text
        assert (log.findtext("driver_version"), log.findtext("cuda_version")) == (LOADED, "13.0")
        gpus = log.findall("gpu")
        assert log.findtext("attached_gpus") == str(len(gpus)) == "8"
        assert gpus[0].get("id") == gpus[0].findtext("pci/pci_bus_id") == "00000000:1B:00.0"
        memory = {
            part.tag: int((part.text or "").removesuffix(" MiB")) for part in gpus[0].find("fb_memory_usage") or ()
        }
        assert memory["total"] == memory["reserved"] + memory["used"] + memory["free"] == 81559
        assert gpus[0].findtext("fabric/state") == "In Progress"

    def test_daemons_change_the_log(self, h100: Machine) -> None:
        h100.load()
        for flag in ("fabric", "persistence"):
            (h100.state / flag).touch()
        log = ElementTree.fromstring(h100.smi("-q", "-x").stdout)
        assert log.findtext("gpu/fabric/state") == "Completed"
        assert log.findtext("gpu/persistence_mode") == "Enabled"

    def test_a_container_sees_the_gpus_whose_nodes_it_has(self, h100: Machine) -> None:
        h100.load()
        for minor in (0, 1, 2, 4, 5, 6, 7):
            (h100.root / f"dev/nvidia{minor}").unlink()
        assert h100.smi("-L").stdout.startswith("GPU 0: ")
        assert h100.smi("--query-gpu=uuid", "--format=csv,noheader").stdout.split() == [
            h100.hardware["gpus"][3]["uuid"]
        ]


class TestPackages:
    def relations(self, package: object, field: str) -> list[str]:
        return [part.strip() for part in package.relations.get(field, "").split(",") if part]

    def test_packages_of_one_driver_belong_together(self) -> None:
        import driver

        for version in driver.VERSIONS:
            packages = {package.name: package for package in driver.packages(version)}
            for package in packages.values():
                for needed in self.relations(package, "Depends"):
                    name = needed.split()[0]
                    assert name in ("dkms", "adduser") or needed == f"{name} (= {version}-1)"
                    assert name in ("dkms", "adduser") or name in packages

    def test_one_flavour_at_a_time(self) -> None:
        import driver

        packages = {package.name: package for package in driver.packages(LOADED)}
        assert self.relations(packages["nvidia-kernel-dkms"], "Conflicts") == ["nvidia-kernel-open-dkms"]
        assert self.relations(packages["nvidia-kernel-open-dkms"], "Conflicts") == ["nvidia-kernel-dkms"]

    def test_fabric_manager_is_pulled_to_no_version(self) -> None:
        import driver

        fabric_manager = next(p for p in driver.packages(LOADED) if p.name == "nvidia-fabricmanager")
        assert not fabric_manager.relations
        assert not fabric_manager.scripts

    def test_placeholders_are_filled_in(self) -> None:
        import driver
        import toolkit

        every = [p for version in driver.VERSIONS for p in driver.packages(version)]
        every += [p for version in toolkit.VERSIONS for p in toolkit.packages(version)]
        for package in every:
            for path, (content, _mode) in package.files.items():
                assert not re.search(rb"@(VERSION|LICENSE)@", content), path

    def test_the_refresh_units_came_with_their_version(self) -> None:
        import toolkit

        units = {
            version: any("nvidia-cdi-refresh.service" in path for p in toolkit.packages(version) for path in p.files)
            for version in toolkit.VERSIONS
        }
        assert units["1.17.8"] is False
        assert units["1.18.1"] is True

    def test_ldconfig_takes_the_libraries_for_libraries(self, tmp_path: Path) -> None:
        import driver

        (tmp_path / f"libcuda.so.{LOADED}").write_bytes(driver.shared_object("libcuda.so.1"))
        subprocess.run(["/sbin/ldconfig", "-n", str(tmp_path)], check=True)
        assert os.readlink(tmp_path / "libcuda.so.1") == f"libcuda.so.{LOADED}"

    def test_docker_keeps_debians_unit_but_for_its_path(self) -> None:
        import engine

        line = "ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"
        for old, new in engine.UNIT_CHANGES.items():
            line = line.replace(old, new)
        assert line == "ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"


class TestRepository:
    def test_signature_and_index_are_true(self, tmp_path: Path) -> None:
        import aptrepo
        import toolkit

        scratch, root = tmp_path / "scratch", tmp_path / "root"
        for folder in (scratch, root):
            folder.mkdir()
        (release,) = toolkit.build(scratch, root)
        # An agent's socket needs a short path.
        with aptrepo.keyring(tmp_path / "k", "lab") as gpg:
            aptrepo.sign(gpg, release)
            key = tmp_path / "key.gpg"
            aptrepo.run([*gpg, "--output", str(key), "--export"])
            assert re.fullmatch("[0-9A-F]{40}", aptrepo.fingerprint(gpg))
            first = aptrepo.fingerprint(gpg)
        with aptrepo.keyring(tmp_path / "k", "lab") as gpg:
            assert aptrepo.fingerprint(gpg) == first
        for arguments in (["InRelease"], ["Release.gpg", "Release"]):
            subprocess.run(["gpgv", "-q", "--keyring", str(key), *arguments], cwd=root, check=True, capture_output=True)
        index = (root / "Packages").read_text(encoding="utf-8")
        assert index.count("Package: nvidia-container-toolkit\n") == len(toolkit.VERSIONS)
        for name in re.findall(r"^Filename: (.*)$", index, re.MULTILINE):
            assert (root / name).exists()


class TestToolkit:
    @pytest.fixture
    def cli(self) -> ModuleType:
        return program(GPU / "toolkit/nvidia-container-cli")

    @pytest.mark.parametrize(
        ("requirement", "met"),
        [
            ("cuda>=12.8", True),
            ("cuda>=13.0", True),
            ("cuda>=13.1", False),
            ("cuda>=13.1 brand=tesla,driver>=470,driver<471", False),
            ("cuda>=13.1 brand=geforce,driver>=580,driver<581", True),
        ],
    )
    def test_images_requirements_are_weighed(self, cli: ModuleType, requirement: str, met: bool) -> None:
        facts = {"cuda": "13.0", "driver": LOADED, "brand": "geforce"}
        if met:
            cli.check_requirement(requirement, facts)
        else:
            with pytest.raises(cli.CliError, match="unsatisfied condition: cuda>=13.1, please update your driver"):
                cli.check_requirement(requirement, facts)

    def test_the_hook_asks_for_what_the_environment_names(self) -> None:
        hook = program(GPU / "toolkit/nvidia-container-runtime-hook")
        assert hook.arguments_for({}) == []
        assert hook.arguments_for({"NVIDIA_VISIBLE_DEVICES": "void"}) == []
        arguments = hook.arguments_for({"NVIDIA_VISIBLE_DEVICES": "1", "NVIDIA_REQUIRE_CUDA": "cuda>=12.8"})
        assert {"--device=1", "--utility", "--compute", "--require=cuda>=12.8"} <= set(arguments)
        asked = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_REQUIRE_CUDA": "cuda>=99", "NVIDIA_DISABLE_REQUIRE": "1"}
        assert not any(argument.startswith("--require") for argument in hook.arguments_for(asked))

    def test_cdi_specification_is_yaml_in_the_real_shape(self) -> None:
        ctk = program(GPU / "toolkit/nvidia-ctk")
        edits = {"deviceNodes": [{"path": "/dev/nvidia0"}]}
        spec = {"cdiVersion": "0.5.0", "devices": [{"name": "0", "containerEdits": edits}], "containerEdits": edits}
        text = ctk.yaml(spec)
        assert yaml.safe_load(text) == spec
        assert text.splitlines()[2:6] == [
            '    - name: "0"',
            "      containerEdits:",
            "        deviceNodes:",
            "            - path: /dev/nvidia0",
        ]

    def test_a_setting_is_changed_in_its_table_only(self) -> None:
        ctk = program(GPU / "toolkit/nvidia-ctk")
        text = ctk.with_setting(ctk.DEFAULT_CONFIG, "nvidia-container-runtime.mode=cdi")
        changed = set(text.splitlines()) ^ set(ctk.DEFAULT_CONFIG.splitlines())
        assert changed == {'mode = "cdi"', 'mode = "auto"'}
        with pytest.raises(ctk.CommandError):
            ctk.with_setting(ctk.DEFAULT_CONFIG, "nvidia-container-runtime.colour=red")

    def test_no_specification_without_a_driver(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ctk = program(GPU / "toolkit/nvidia-ctk")
        monkeypatch.setattr(ctk.stand_in, "LIBRARIES", tmp_path)
        monkeypatch.setattr(sys, "argv", ["nvidia-ctk", "cdi", "generate", "--output", str(tmp_path / "x.yaml")])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        assert ctk.main() == 1
        assert "failed to initialize NVML: ERROR_LIBRARY_NOT_FOUND" in capsys.readouterr().err
        assert not (tmp_path / "x.yaml").exists()
