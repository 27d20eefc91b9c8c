"""Containers get the GPUs they ask for, and Docker is left alone otherwise, seen from the hosts themselves."""

from __future__ import annotations

import json
import re

import pytest
from labtest import Run, lab_host, run_playbook

PACKAGES = {
    "libnvidia-container-tools",
    "libnvidia-container1",
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
}
HOSTS = ("gpu-trixie", "gpu-4090", "gpu-h100")
WITH_GPU = {"gpu-4090": 2, "gpu-h100": 8}
IMAGE = "docker.io/livepeer/ai-runner:latest"
SPEC = "/var/run/cdi/nvidia.yaml"
FOREIGN = '{ "max-concurrent-uploads"  :  7,'
UUID = re.compile(r"UUID: (GPU-[0-9a-f-]+)")


@pytest.fixture(params=HOSTS)
def name(request) -> str:
    return request.param


@pytest.fixture
def host(name):
    return lab_host(name)


@pytest.fixture
def toolkit(monkeypatch):
    """A run of the role alone, on the scenario's hosts."""
    monkeypatch.setenv("MOLECULE_SCENARIO_NAME", "nvidia_container_toolkit")

    def run(*arguments: str, **variables) -> Run:
        return run_playbook("../molecule/shared/converge", *arguments, **variables)

    return run


def engine(host) -> dict:
    return json.loads(host.check_output("docker info --format '{{json .}}'"))


def process_of_docker(host) -> str:
    return host.check_output("systemctl show --property=MainPID --value docker.service")


def gpus_of(host) -> list[str]:
    return UUID.findall(host.check_output("nvidia-smi -L"))


def gpus_in_container(host, *request: str) -> list[str]:
    command = "docker run --rm --network none --entrypoint nvidia-smi %s %s %s -L"
    return UUID.findall(host.check_output(command, *request, IMAGE))


def recap(run: Run, name: str) -> dict[str, int]:
    """The host's line of the recap."""
    line = re.search(rf"^{name} +: (.*)$", run.output, re.MULTILINE)
    assert line, run.output
    return {key: int(number) for key, number in (pair.split("=") for pair in line[1].split())}


def test_packages_are_of_one_version_and_held(host):
    listed = host.check_output("dpkg-query --show --showformat='${Package} ${Version}\\n' '*nvidia-container*'")
    versions = dict(line.split() for line in listed.splitlines() if len(line.split()) == 2)
    assert versions == dict.fromkeys(PACKAGES, "1.18.2-1")
    assert set(host.check_output("apt-mark showhold").split()) >= PACKAGES


def test_their_version_is_pinned(host):
    policy = host.check_output("apt-cache policy nvidia-container-toolkit")
    assert re.search(r"\*\*\* 1\.18\.2-1 1001", policy), policy
    assert re.search(r"1\.17\.8-1 600", policy), policy


def test_daemon_json_keeps_what_others_wrote(host):
    text = host.file("/etc/docker/daemon.json").content_string
    assert text.startswith(FOREIGN)
    config = json.loads(text)
    assert config["runtimes"] == {"nvidia": {"path": "nvidia-container-runtime", "args": []}}
    assert "default-runtime" not in config


def test_docker_knows_the_runtime_and_keeps_its_default(host):
    told = engine(host)
    assert told["Runtimes"]["nvidia"]["path"] == "nvidia-container-runtime"
    assert told["DefaultRuntime"] == "runc"


@pytest.mark.parametrize("name", WITH_GPU, indirect=True)
def test_containers_get_the_gpus_they_ask_for_and_no_others(name, host):
    gpus = gpus_of(host)
    assert len(gpus) == WITH_GPU[name]
    assert gpus_in_container(host, "--gpus", "device=1") == [gpus[1]]
    assert gpus_in_container(host, "--gpus", '"device=0,1"') == gpus[:2]
    assert gpus_in_container(host, "--gpus", "all") == gpus
    assert gpus_in_container(host, "--runtime=nvidia", "--env=NVIDIA_VISIBLE_DEVICES=0") == gpus[:1]


def test_nothing_is_left_of_the_proof(host):
    assert host.check_output("docker ps --all --quiet") == ""
    assert "livepeer-gpu" not in host.check_output("docker images --format '{{.Repository}}'")


def test_a_second_run_leaves_docker_alone_and_proves_again(toolkit, gpu_trixie, gpu_4090):
    before = [process_of_docker(host) for host in (gpu_trixie, gpu_4090)]
    run = toolkit("--limit", "gpu-trixie,gpu-4090")
    assert run.code == 0, run.output
    assert run.changed == 0, run.output
    assert [process_of_docker(host) for host in (gpu_trixie, gpu_4090)] == before
    assert "this host has no NVIDIA GPU on its bus" in run.output
    assert f"as go-livepeer does sees {', '.join(sorted(gpus_of(gpu_4090)))}" in run.output


def test_a_driver_that_does_not_fit_its_libraries_is_refused(toolkit, gpu_4090):
    """As after an upgrade of the driver without a reboot."""
    files = ("/proc/driver/nvidia/version", "/sys/module/nvidia/version", "/run/lab/gpu/driver/version")
    loaded, older = "580.95.05", "580.82.07"
    try:
        for path in files:
            gpu_4090.check_output("sed -i s/%s/%s/ %s", loaded, older, path)
        run = toolkit("--limit", "gpu-4090")
    finally:
        for path in files:
            gpu_4090.check_output("sed -i s/%s/%s/ %s", older, loaded, path)
    assert run.code != 0
    assert "Driver/library version mismatch" in run.output
    assert "Run livepeer.ai.nvidia_driver" in run.output
    assert recap(run, "gpu-4090")["changed"] == 0


class TestCdi:
    """Mode cdi, in this order. It ends in mode runtime, with the traces that the README tells of."""

    @pytest.fixture
    def cdi(self, toolkit):
        def run(*arguments: str, **variables) -> Run:
            settings = {
                "nvidia_container_toolkit_mode": "cdi",
                "nvidia_container_toolkit_reload_protection": "symlinks",
            }
            return toolkit(*arguments, **settings, **variables)

        return run

    def test_it_works_or_is_refused(self, cdi, gpu_4090, gpu_h100):
        before = process_of_docker(gpu_h100)
        run = cdi("--limit", "gpu-4090,gpu-h100")
        assert "which Docker knows since version 25, and this host has 20.10.24" in run.output
        assert recap(run, "gpu-h100") | {"changed": 0, "failed": 1} == recap(run, "gpu-h100")
        assert process_of_docker(gpu_h100) == before
        assert recap(run, "gpu-4090")["failed"] == 0, run.output

        gpus = gpus_of(gpu_4090)
        assert engine(gpu_4090)["CDISpecDirs"]
        assert gpus_in_container(gpu_4090, "--device", "nvidia.com/gpu=1") == [gpus[1]]
        assert gpus_in_container(gpu_4090, "--device", "nvidia.com/gpu=all") == gpus
        assert gpus_in_container(gpu_4090, "--gpus", "device=1") == [gpus[1]]

    def test_the_specification_is_kept_fresh_by_the_toolkit(self, gpu_4090):
        for unit in ("nvidia-cdi-refresh.path", "nvidia-cdi-refresh.service"):
            assert gpu_4090.check_output("systemctl is-enabled %s", unit) == "enabled"
        assert gpu_4090.check_output("systemctl is-active nvidia-cdi-refresh.path") == "active"
        after = gpu_4090.check_output("systemctl show nvidia-cdi-refresh.service --property=After --value").split()
        assert "nvidia-persistenced.service" in after
        assert "libcuda.so.580.95.05" in gpu_4090.file(SPEC).content_string

    def test_devices_have_their_links(self, gpu_4090):
        """By which older runc finds what it must tell systemd of."""
        for node in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
            major, minor = gpu_4090.check_output("stat --format='%%Hr %%Lr' /dev/%s", node).split()
            assert gpu_4090.file(f"/dev/char/{major}:{minor}").linked_to == f"/dev/{node}"
        assert gpu_4090.check_output("systemctl is-enabled nvidia-dev-char.service") == "enabled"

    def test_a_stale_specification_is_written_anew(self, cdi, gpu_4090):
        """It is of another driver, as after an upgrade that nothing noticed."""
        before = process_of_docker(gpu_4090)
        gpu_4090.check_output("sed -i s/580.95.05/580.82.07/g %s", SPEC)
        run = cdi("--limit", "gpu-4090")
        assert run.code == 0, run.output
        assert "it was written for driver 580.82.07 and 580.95.05 is loaded" in run.output
        text = gpu_4090.file(SPEC).content_string
        assert "580.95.05" in text and "580.82.07" not in text
        assert process_of_docker(gpu_4090) == before
