"""The repository `docker`: Debian's own Docker Engine under the names and in the layout of Docker's packages.

The files come from the lab's own host images, which have Debian's engine.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aptrepo import Package, index, pack
from labkit import aptconf, images


@dataclass(frozen=True)
class Suite:
    """The image with Debian's engine, and Docker's versions of what is in it, in the numbering Docker used for it."""

    image: str
    engine: str
    containerd: str
    libraries: str


SUITES = {
    "bookworm": Suite(
        "livepeer-lab/host:bookworm",
        "5:20.10.24~3-0~debian-bookworm",
        "1.6.20-1",
        "libc6, libdevmapper1.02.1, libsystemd0",
    ),
    "trixie": Suite(
        "livepeer-lab/host:trixie",
        "5:26.1.5-1~debian.13~trixie",
        "1.7.24-1",
        "libc6, libsystemd0",
    ),
}
OTHERS = "docker (<< 1.5~), docker-engine, docker.io"
# Docker's packages have it where Debian's have it elsewhere; what is not named stays in its place.
MOVED = {
    "usr/sbin/dockerd": "usr/bin/dockerd",
    "usr/sbin/docker-proxy": "usr/bin/docker-proxy",
    "usr/sbin/runc": "usr/bin/runc",
    "usr/bin/tini-static": "usr/bin/docker-init",
}
UNITS = "usr/lib/systemd/system"
FILES = {
    "docker-ce": (
        "usr/sbin/dockerd",
        "usr/sbin/docker-proxy",
        "usr/bin/tini-static",
        f"{UNITS}/docker.service",
        f"{UNITS}/docker.socket",
    ),
    "docker-ce-cli": ("usr/bin/docker",),
    "containerd.io": (
        "usr/bin/containerd",
        "usr/bin/containerd-shim-runc-v2",
        "usr/bin/ctr",
        "usr/sbin/runc",
        f"{UNITS}/containerd.service",
    ),
}
OF_PACKAGE = {path: package for package, paths in FILES.items() for path in paths}
# Debian's unit reads a file of options that Docker's does not know.
UNIT_CHANGES = {
    "/usr/sbin/dockerd": "/usr/bin/dockerd",
    " $DOCKER_OPTS": "",
    "EnvironmentFile=-/etc/default/docker\n": "",
}
CONTAINERD_CONFIG = b'disabled_plugins = ["cri"]\n'

# What debhelper adds to a package with units that are enabled and started; a start that fails is no error.
POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ]; then
    {group}
    for unit in {units}; do
        deb-systemd-helper unmask $unit >/dev/null || true
        if deb-systemd-helper --quiet was-enabled $unit; then deb-systemd-helper enable $unit >/dev/null || true; fi
    done
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload >/dev/null || true
        if [ -n "$2" ]; then action=restart; else action=start; fi
        deb-systemd-invoke $action {units} >/dev/null || true
    fi
fi
"""
PRERM = """#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then deb-systemd-invoke stop {units} >/dev/null || true; fi
"""
POSTRM = """#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || true; fi
if [ "$1" = purge ]; then deb-systemd-helper purge {units} >/dev/null || true; fi
"""
GROUP = "getent group docker >/dev/null || groupadd --system docker"


def scripts(units: str, group: str = ":") -> dict[str, str]:
    return {
        "postinst": POSTINST.format(units=units, group=group),
        "prerm": PRERM.format(units=units),
        "postrm": POSTRM.format(units=units),
    }


def wanted(name: str) -> str:
    """The path of a file under which FILES would have it; Debian 12 may have its units in /lib."""
    path = name.removeprefix("./")
    return f"usr/{path}" if path.startswith("lib/systemd/") else path


def changed(path: str, content: bytes) -> bytes:
    """The file as Docker's package has it."""
    if not path.endswith((".service", ".socket")):
        return content
    text = content.decode()
    for old, new in UNIT_CHANGES.items():
        text = text.replace(old, new)
    return text.encode()


def sort(rootfs: Path, trees: Mapping[str, Path]) -> None:
    """Put each file that Docker's packages have into its package's tree."""
    unpack = subprocess.Popen(["zstd", "-dcq", str(rootfs)], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=unpack.stdout, mode="r|") as members:
        for member in members:
            path = wanted(member.name)
            data = members.extractfile(member) if path in OF_PACKAGE and member.isfile() else None
            if data:
                target = trees[OF_PACKAGE[path]] / MOVED.get(path, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(changed(path, data.read()))
                target.chmod(member.mode)
    if unpack.wait() != 0:
        raise SystemExit(f"{rootfs.name} in build/cache is damaged: remove it and run the same command again.")


def packages(suite: Suite, trees: Mapping[str, Path]) -> list[Package]:
    return [
        Package(
            "docker-ce",
            suite.engine,
            "Debian's Docker Engine under Docker's name",
            {
                "Depends": f"containerd.io, docker-ce-cli, iptables, {suite.libraries}",
                "Recommends": "apparmor, ca-certificates, git, pigz, procps, xz-utils",
                "Conflicts": OTHERS,
                "Replaces": "docker-engine",
            },
            scripts=scripts("docker.service docker.socket", GROUP),
            section="admin",
            tree=trees["docker-ce"],
        ),
        Package(
            "docker-ce-cli",
            suite.engine,
            "Debian's Docker client under Docker's name",
            {"Depends": "libc6", "Conflicts": OTHERS, "Breaks": "docker-ce (<< 5:0)"},
            section="admin",
            tree=trees["docker-ce-cli"],
        ),
        Package(
            "containerd.io",
            suite.containerd,
            "Debian's containerd and runc under Docker's name",
            {
                "Depends": "libc6, libseccomp2",
                "Provides": "containerd, runc",
                "Conflicts": "containerd, runc",
                "Replaces": "containerd, runc",
            },
            {"etc/containerd/config.toml": (CONTAINERD_CONFIG, 0o644)},
            scripts=scripts("containerd.service"),
            section="devel",
            tree=trees["containerd.io"],
        ),
    ]


def build(scratch: Path, root: Path) -> list[Path]:
    """Fill the repository; return the folders with a Release to sign."""
    releases = []
    recipes, apt = images.load_recipes(), aptconf.look()
    for name, suite in SUITES.items():
        trees = {package: scratch / name / package for package in FILES}
        sort(images.make_rootfs(recipes[suite.image], apt), trees)
        pool = f"dists/{name}/pool/stable/amd64"
        for package in packages(suite, trees):
            missing = [path for path in FILES[package.name] if not (package.tree / MOVED.get(path, path)).exists()]
            if missing:
                raise SystemExit(f"The image {suite.image} does not hold {', '.join(missing)} (for {package.name}).")
            pack(package, scratch, root / pool)
        release = {"Origin": "Docker", "Label": "Docker CE", "Suite": name, "Codename": name, "Architectures": "amd64"}
        index(root, f"dists/{name}", {**release, "Components": "stable"}, pool)
        releases.append(root / "dists" / name)
    return releases
