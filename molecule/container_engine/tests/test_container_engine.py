"""What the role leaves on bare servers, and what it does when a host is not as it was left.

gpu-4090 has the engine of a repository like Docker's, the others their distribution's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from labtest import ROOT, Run, lab_host, process_of

DISTRIBUTION = ("gpu-bookworm", "gpu-trixie", "gpu-h100")
ALL = (*DISTRIBUTION, "gpu-4090")
DAEMON_JSON = "/etc/docker/daemon.json"
# As people write it: order, spaces and indentation of their own.
FOREIGN = b'{\n      "registry-mirrors":["http://registry.lab:5000"],\n\t"max-concurrent-uploads" : 7\n}\n'


def apply_role(host: str) -> Run:
    """The role on one host, as the scenario's converge runs it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "MOLECULE_SCENARIO_NAME": "container_engine",
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "molecule/shared/converge.yml"]
    command += ["-i", "inventories/lab", "-i", "molecule/inventory", "--limit", host]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    return Run(result.returncode, result.stdout + result.stderr)


def write(host, content: bytes) -> None:
    # Octal escapes carry every byte through the shell.
    escaped = "".join(f"\\0{byte:03o}" for byte in content)
    host.check_output("printf %%b %s > %s", escaped, DAEMON_JSON)


def read(host) -> bytes:
    return bytes.fromhex(host.check_output("od -An -tx1 -v %s | tr -d ' \\n'", DAEMON_JSON))


def info(host) -> dict:
    return json.loads(host.check_output("docker info --format '{{json .}}'"))


def holds(host) -> set[str]:
    return set(host.check_output("apt-mark showhold").split())


@pytest.mark.parametrize("name", DISTRIBUTION)
def test_the_distribution_engine_is_installed_and_held(name: str) -> None:
    host = lab_host(name)
    assert host.package("docker.io").is_installed
    assert {"docker.io", "containerd", "runc"} <= holds(host)
    assert not host.package("docker-ce").is_installed
    # No version was asked for, so nothing is pinned.
    assert not host.file("/etc/apt/preferences.d/livepeer-container_engine.pref").exists


def test_the_repository_engine_is_pinned_held_and_signed(gpu_4090) -> None:
    assert gpu_4090.package("docker-ce").version.startswith("5:26.1")
    assert {"docker-ce", "docker-ce-cli", "containerd.io"} <= holds(gpu_4090)
    assert not gpu_4090.package("docker.io").is_installed
    assert (
        "Signed-By: /etc/apt/keyrings/docker.asc"
        in gpu_4090.file("/etc/apt/sources.list.d/docker.sources").content_string
    )
    assert gpu_4090.file("/etc/apt/keyrings/docker.asc").mode == 0o644
    policy = gpu_4090.check_output("apt-cache policy docker-ce")
    # apt itself reads the preferences as they are meant.
    assert " 1001\n" in policy + "\n"
    assert "/docker" in policy
    # Looking at the key left no keyring of root's behind.
    assert not gpu_4090.file("/root/.gnupg").exists


@pytest.mark.parametrize("name", ALL)
def test_the_running_engine_is_as_declared(name: str) -> None:
    host = lab_host(name)
    engine = info(host)
    assert engine["LiveRestoreEnabled"] is True
    assert engine["LoggingDriver"] == "json-file"
    assert engine["RegistryConfig"]["Mirrors"] == ["http://registry.lab:5000/"]
    assert json.loads(read(host))["log-opts"] == {"max-size": "50m", "max-file": "3"}
    assert host.service("docker").is_enabled


def test_a_container_lives_through_a_restart_of_the_engine(gpu_4090) -> None:
    parts = "bin/sleep lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6"
    gpu_4090.check_output(f"tar --create --dereference --directory / {parts} | docker import - livepeer-test/sleep")
    gpu_4090.check_output("docker run --detach --name survivor --network none livepeer-test/sleep /bin/sleep 600")
    try:
        process = gpu_4090.check_output("docker inspect --format '{{.State.Pid}}' survivor")
        engine = process_of(gpu_4090, "docker")
        gpu_4090.check_output("systemctl restart docker")
        assert process_of(gpu_4090, "docker") != engine
        assert (
            gpu_4090.check_output("docker inspect --format '{{.State.Running}} {{.State.Pid}}' survivor")
            == f"true {process}"
        )
        assert gpu_4090.file(f"/proc/{process}/comm").content_string == "sleep\n"
        # New containers keep their output within bounds.
        options = json.loads(gpu_4090.check_output("docker inspect --format '{{json .HostConfig.LogConfig}}' survivor"))
        assert options == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "50m"}}
    finally:
        gpu_4090.check_output("docker rm --force survivor")
        gpu_4090.check_output("docker rmi livepeer-test/sleep")


def test_foreign_keys_and_an_interrupted_installation(gpu_bookworm) -> None:
    """One run completes what dpkg was interrupted in and merges into what others wrote; the next changes nothing."""
    write(gpu_bookworm, FOREIGN)
    gpu_bookworm.check_output("cd /tmp && apt-get download -qq jq && dpkg --unpack jq_*.deb && rm jq_*.deb")
    assert "jq" in gpu_bookworm.check_output("dpkg --audit")

    run = apply_role("gpu-bookworm")
    assert run.code == 0, run.output
    assert gpu_bookworm.check_output("dpkg --audit") == ""
    assert gpu_bookworm.package("jq").is_installed
    content = read(gpu_bookworm)
    assert content.startswith(FOREIGN.rstrip(b"\n}"))
    assert json.loads(content)["live-restore"] is True
    assert info(gpu_bookworm)["LiveRestoreEnabled"] is True

    engine = process_of(gpu_bookworm, "docker")
    again = apply_role("gpu-bookworm")
    assert again.code == 0, again.output
    assert again.changed == 0, again.output
    assert read(gpu_bookworm) == content
    assert process_of(gpu_bookworm, "docker") == engine


def test_a_daemon_json_that_is_no_json_is_refused(gpu_trixie) -> None:
    before, engine = read(gpu_trixie), process_of(gpu_trixie, "docker")
    broken = before.rstrip().rstrip(b"}") + b",,\n}\n"
    write(gpu_trixie, broken)
    try:
        run = apply_role("gpu-trixie")
        assert run.code != 0
        assert run.changed == 0, run.output
        assert DAEMON_JSON in run.output
        assert "line" in run.output
        assert read(gpu_trixie) == broken
        assert process_of(gpu_trixie, "docker") == engine
    finally:
        write(gpu_trixie, before)
