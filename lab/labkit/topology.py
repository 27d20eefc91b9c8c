"""What a lab consists of: names, addresses and what runs where.

Two labs share nothing but images and packages: `demo`, and `test`, which has the GPU hosts besides.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import paths

# Which subnet each lab has, and the variable that moves it when the machine's own networks are in the way.
SUBNETS = {
    "demo": ("172.29.10", "LAB_SUBNET_PREFIX"),
    "test": ("172.29.11", "LAB_TEST_SUBNET_PREFIX"),
}
EVERY_LAB = tuple(SUBNETS)
SERVICES_IMAGE = "livepeer-lab/services:trixie"
PYTHON_IMAGE = "livepeer-lab/python:trixie"
# What hosts build services from.
SERVICE_BASE_IMAGE = "livepeer-lab/python-pip:trixie"
# What the base of own live pipelines is made from.
LIVE_OS_IMAGE = "livepeer-lab/python-git:bookworm"
NODE_VERSION = "0.9.1"


@dataclass(frozen=True)
class Place:
    """One container: its name in the lab, the last number of its address, and its image."""

    name: str
    octet: int
    image: str
    # The labs that have it.
    labs: tuple[str, ...] = field(default=EVERY_LAB, kw_only=True)


@dataclass(frozen=True)
class Service(Place):
    """A container that serves one thing."""

    command: tuple[str, ...]
    port: int
    ready_path: str
    # Sources and data that must exist, mounted read-only: (on this machine, in the container).
    mounts: tuple[tuple[Path, str], ...] = ()
    # Its volume's place in the container, if it keeps something.
    data: str = ""
    # Whether the machine's engine must reach it at localhost (an engine pushes without TLS to localhost only).
    published: bool = False


@dataclass(frozen=True)
class Host(Place):
    """A Debian machine, as far as Ansible can tell."""

    suite: str
    # Units that must run before anybody logs in; a bare server has no Docker.
    units: tuple[str, ...] = ("ssh", "docker")
    # What is on its PCI bus, by the name of a file in lab/gpu/hardware; empty: whatever the machine has.
    hardware: str = ""


# The signed apt repositories: name and folder (lab/gpu/README.md says what they hold).
PACKAGE_REPOSITORIES = ("nvidia-driver", "nvidia-container-toolkit", "docker")

SERVICES = (
    Service(
        "hub",
        10,
        SERVICES_IMAGE,
        port=8080,
        ready_path="/_lab/stats",
        command=(
            "python3",
            "/opt/lab/hub/server.py",
            "--root",
            "/srv/hub",
            "--host",
            "0.0.0.0",
            "--port",
            "8080",
            "--lfs-port",
            "8081",
        ),
        mounts=((paths.LAB / "hub", "/opt/lab/hub"), (paths.HUB_DATA, "/srv/hub")),
    ),
    Service(
        "registry",
        11,
        SERVICES_IMAGE,
        port=5000,
        ready_path="/v2/",
        command=("docker-registry", "serve", "/etc/docker/registry/lab.yml"),
        data="/var/lib/docker-registry",
        published=True,
    ),
    Service(
        "releases",
        12,
        SERVICES_IMAGE,
        port=8000,
        ready_path="/go-livepeer/releases/download/",
        command=("python3", "-m", "http.server", "8000", "--directory", "/srv/releases"),
        mounts=(
            (paths.NODE_DATA, f"/srv/releases/go-livepeer/releases/download/v{NODE_VERSION}"),
            (paths.WHEELS, "/srv/releases/pypi"),
            (paths.GIT_DATA, "/srv/releases/git"),
        ),
    ),
    Service(
        "rpc",
        13,
        SERVICES_IMAGE,
        port=8545,
        ready_path="",
        command=("python3", "/opt/lab/rpc/server.py", "--host", "0.0.0.0", "--port", "8545"),
        mounts=((paths.LAB / "rpc", "/opt/lab/rpc"),),
    ),
    Service(
        "packages",
        14,
        SERVICES_IMAGE,
        port=8000,
        ready_path="/",
        command=("python3", "-m", "http.server", "8000", "--directory", "/srv/packages"),
        mounts=tuple((paths.PACKAGES / name, f"/srv/packages/{name}") for name in PACKAGE_REPOSITORIES),
        labs=("test",),
    ),
)


def _gpu_host(name: str, octet: int, suite: str, hardware: str) -> Host:
    """A bare server of the lab `test`."""
    image = f"livepeer-lab/bare:{suite}"
    return Host(name, octet, image, suite, units=("ssh",), hardware=hardware, labs=("test",))


HOSTS = (
    Host("orch-bookworm", 21, "livepeer-lab/host:bookworm", "bookworm"),
    Host("orch-trixie", 22, "livepeer-lab/host:trixie", "trixie"),
    Host("gateway", 31, "livepeer-lab/host:trixie", "trixie"),
    _gpu_host("gpu-bookworm", 41, "bookworm", "none"),
    _gpu_host("gpu-trixie", 42, "trixie", "none"),
    _gpu_host("gpu-4090", 43, "trixie", "rtx-4090-x2"),
    _gpu_host("gpu-h100", 44, "bookworm", "h100-sxm-x8"),
)


@dataclass(frozen=True)
class Lab:
    """A lab by name, with the addresses and names that follow from it."""

    name: str
    prefix: str

    @property
    def hosts(self) -> list[Host]:
        return [host for host in HOSTS if self.name in host.labs]

    @property
    def services(self) -> list[Service]:
        return [service for service in SERVICES if self.name in service.labs]

    @property
    def network(self) -> str:
        return f"livepeer-{self.name}"

    @property
    def subnet(self) -> str:
        return f"{self.prefix}.0/24"

    @property
    def directory(self) -> Path:
        return paths.lab_dir(self.name)

    def container(self, place: Place) -> str:
        return f"livepeer-{self.name}-{place.name}"

    def address(self, place: Place) -> str:
        return f"{self.prefix}.{place.octet}"

    def volume(self, place: Place) -> str:
        return f"{self.container(place)}-data"


def lab(name: str, environment: Mapping[str, str] = os.environ) -> Lab:
    """The lab of this name."""
    prefix, variable = SUBNETS[name]
    return Lab(name, environment.get(variable) or prefix)
