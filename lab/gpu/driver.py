"""The repository `nvidia-driver`: stand-ins for the packages of NVIDIA's driver for Debian."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from aptrepo import Package, index, pack

SOURCES = Path(__file__).resolve().parent / "driver"
VERSIONS = ("550.163.01", "580.82.07", "580.95.05")
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LICENCES = {"nvidia-kernel-open-dkms": "Dual MIT/GPL", "nvidia-kernel-dkms": "NVIDIA"}

# What debhelper adds to a package with a DKMS module: build at once, forget when removed.
DKMS_POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ]; then
    /usr/lib/dkms/common.postinst nvidia {version} /usr/share/{package} "" "$2"
fi
"""
DKMS_PRERM = """#!/bin/sh
set -e
case "$1" in
    remove|upgrade|deconfigure)
        if [ -n "$(dkms status -m nvidia -v {version})" ]; then dkms remove -m nvidia -v {version} --all; fi ;;
esac
"""
# What debhelper adds to a package with a unit that is enabled and started; a start that fails is no error.
SERVICE_POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ]; then
    getent passwd nvpd >/dev/null || adduser --system --group --no-create-home --home /nonexistent --quiet nvpd
    deb-systemd-helper unmask nvidia-persistenced.service >/dev/null || true
    if deb-systemd-helper --quiet was-enabled nvidia-persistenced.service; then
        deb-systemd-helper enable nvidia-persistenced.service >/dev/null || true
    fi
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload >/dev/null || true
        if [ -n "$2" ]; then action=restart; else action=start; fi
        deb-systemd-invoke $action nvidia-persistenced.service >/dev/null || true
    fi
fi
"""
SERVICE_PRERM = """#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop nvidia-persistenced.service >/dev/null || true
fi
"""
SERVICE_POSTRM = """#!/bin/sh
set -e
if [ "$1" = purge ]; then
    deb-systemd-helper purge nvidia-persistenced.service >/dev/null || true
fi
"""


def shared_object(soname: str) -> bytes:
    """The least that ldconfig takes for a library: ELF header, one loadable and one dynamic segment, and a name."""
    strings = b"\0" + soname.encode() + b"\0"
    header, programs = 64, 2 * 56
    dynamic_at = header + programs
    entries = ((14, 1), (5, dynamic_at + 4 * 16), (10, len(strings)), (0, 0))  # SONAME, STRTAB, STRSZ, NULL
    dynamic = b"".join(struct.pack("<qQ", tag, value) for tag, value in entries)
    size = dynamic_at + len(dynamic) + len(strings)

    def segment(kind: int, offset: int, length: int) -> bytes:
        return struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, length, length, 4096 if kind == 1 else 8)

    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf = identity + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, header, 0, 0, header, 56, 2, 64, 0, 0)
    return elf + segment(1, 0, size) + segment(2, dynamic_at, len(dynamic)) + dynamic + strings


def source(name: str, version: str, **values: str) -> bytes:
    """A file of the sources with its placeholders filled in."""
    text = (SOURCES / name).read_text(encoding="utf-8").replace("@VERSION@", version)
    for key, value in values.items():
        text = text.replace(f"@{key.upper()}@", value)
    return text.encode()


def program(name: str, version: str) -> dict[str, tuple[bytes, int]]:
    return {f"usr/bin/{name}": (source(name, version), 0o755)}


def library(package: str, version: str, *stems: str, relations: Mapping[str, str] | None = None) -> Package:
    """A package of libraries: the file, and the links that ldconfig and compilers look for."""
    files = {f"{LIBRARIES}/{stem}.so.{version}": (shared_object(f"{stem}.so.1"), 0o644) for stem in stems}
    links = {f"{LIBRARIES}/{stem}.so.1": f"{stem}.so.{version}" for stem in stems}
    links |= {f"{LIBRARIES}/{stem}.so": f"{stem}.so.1" for stem in stems}
    return Package(
        package,
        f"{version}-1",
        f"stand-in for NVIDIA's {package}",
        {"Multi-Arch": "same", **(relations or {})},
        files,
        links,
        {"triggers": "activate-noawait ldconfig\n"},
    )


def kernel_source(package: str, version: str) -> dict[str, tuple[bytes, int]]:
    folder = f"usr/src/nvidia-{version}"
    names = sorted(path.name for path in (SOURCES / "module").iterdir())
    return {f"{folder}/{name}": (source(f"module/{name}", version, license=LICENCES[package]), 0o644) for name in names}


def kernel(package: str, version: str) -> Package:
    """The module's source for DKMS; there is one flavour at a time."""
    other = next(name for name in LICENCES if name != package)
    return Package(
        package,
        f"{version}-1",
        "stand-in for NVIDIA's kernel module, DKMS source",
        {
            "Depends": f"dkms, nvidia-kernel-support (= {version}-1)",
            "Provides": f"nvidia-kernel-{version}",
            "Conflicts": other,
            "Replaces": other,
        },
        kernel_source(package, version),
        scripts={
            "postinst": DKMS_POSTINST.format(version=version, package=package),
            "prerm": DKMS_PRERM.format(version=version),
        },
        section="non-free/kernel",
    )


def packages(version: str) -> list[Package]:
    """All packages of one version of the driver."""
    full = f"{version}-1"

    def same(*names: str) -> str:
        return ", ".join(f"{name} (= {full})" for name in names)

    modules = " | ".join(f"{name} (= {full})" for name in sorted(LICENCES))

    def simple(name: str, what: str, **values: object) -> Package:
        return Package(name, full, f"stand-in for NVIDIA's {what}", **values)

    return [
        library("libnvidia-ml1", version, "libnvidia-ml"),
        library("libnvidia-cfg1", version, "libnvidia-cfg"),
        library("libnvidia-ptxjitcompiler1", version, "libnvidia-ptxjitcompiler"),
        library("libnvcuvid1", version, "libnvcuvid"),
        library("libnvidia-encode1", version, "libnvidia-encode", relations={"Depends": same("libnvcuvid1")}),
        library("libnvcuvid1", version, "libnvcuvid"),
        library("libnvidia-encode1", version, "libnvidia-encode", relations={"Depends": same("libnvcuvid1")}),
        library("libcuda1", version, "libcuda", relations={"Depends": same("libnvidia-ptxjitcompiler1")}),
        simple("nvidia-modprobe", "nvidia-modprobe", files=program("nvidia-modprobe", version)),
        simple(
            "nvidia-driver-cuda",
            "driver, CUDA part",
            relations={
                "Depends": same("libcuda1", "libnvidia-ml1", "libnvidia-cfg1", "nvidia-modprobe"),
                "Recommends": f"nvidia-persistenced, {modules}",
            },
            files=program("nvidia-smi", version),
        ),
        simple(
            "firmware-nvidia-gsp",
            "GSP firmware",
            files={
                f"usr/lib/firmware/nvidia/{version}/{name}.bin": (f"{name} {version}\n".encode(), 0o644)
                for name in ("gsp_ga10x", "gsp_tu10x")
            },
        ),
        simple(
            "nvidia-kernel-support",
            "kernel module support",
            relations={"Depends": same("firmware-nvidia-gsp", "nvidia-modprobe")},
            files={"usr/lib/modprobe.d/nvidia.conf": (source("nvidia.conf", version), 0o644)},
        ),
        *(kernel(package, version) for package in LICENCES),
        simple(
            "nvidia-persistenced",
            "persistence daemon",
            relations={"Depends": f"adduser, {same('libnvidia-cfg1')}"},
            files={
                **program("nvidia-persistenced", version),
                "usr/lib/systemd/system/nvidia-persistenced.service": (
                    source("nvidia-persistenced.service", version),
                    0o644,
                ),
            },
            scripts={"postinst": SERVICE_POSTINST, "prerm": SERVICE_PRERM, "postrm": SERVICE_POSTRM},
        ),
        simple(
            "nvidia-fabricmanager",
            "fabric manager",
            files={
                **program("nv-fabricmanager", version),
                "usr/share/nvidia/nvswitch/fabricmanager.cfg": (source("fabricmanager.cfg", version), 0o644),
                "usr/lib/systemd/system/nvidia-fabricmanager.service": (
                    source("nvidia-fabricmanager.service", version),
                    0o644,
                ),
            },
        ),
    ]


def build(scratch: Path, root: Path) -> list[Path]:
    """Fill the repository; return the folders with a Release to sign."""
    for version in VERSIONS:
        for package in packages(version):
            pack(package, scratch, root)
    index(root, ".", {"Origin": "NVIDIA", "Label": "NVIDIA CUDA", "Architectures": "amd64"})
    return [root]
