"""The repository `nvidia-container-toolkit`: stand-ins for the packages of NVIDIA's container toolkit."""

from __future__ import annotations

from pathlib import Path

from aptrepo import Package, index, pack

SOURCES = Path(__file__).resolve().parent / "toolkit"
VERSIONS = ("1.17.8", "1.18.1", "1.18.2")
# The units that keep the CDI specification fresh came with 1.18. Those of 1.18.1 overlook modules that are compressed,
# as Debian 13's are.
WITH_REFRESH = ("1.18.1", "1.18.2")
UNCOMPRESSED_ONLY, ANY_MODULE = rb"(nvidia|nvidia-current)\.ko[:]", rb"(nvidia|nvidia-current)\\.ko"
REPLACED = "nvidia-container-runtime (<= 3.5.0-1), nvidia-container-runtime-hook"

CONFIG_POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ]; then
    /usr/bin/nvidia-ctk --quiet config --config-file=/etc/nvidia-container-runtime/config.toml --in-place
    {refresh}
fi
"""
# As the real package: only where systemd runs, and a unit that fails is a warning.
REFRESH = """case "$(systemctl is-system-running 2>/dev/null)" in
        running | degraded)
            systemctl daemon-reload || echo "Warning: systemd was not reloaded" >&2
            for unit in nvidia-cdi-refresh.path nvidia-cdi-refresh.service; do
                systemctl enable --now $unit || echo "Warning: $unit was not enabled" >&2
            done
            systemctl start nvidia-cdi-refresh.service || echo "Warning: the CDI specification was not refreshed" >&2
            ;;
    esac"""
HOOK_POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ] && [ ! -e /usr/bin/nvidia-container-toolkit ]; then
    ln -s /usr/bin/nvidia-container-runtime-hook /usr/bin/nvidia-container-toolkit
fi
"""
HOOK_POSTRM = """#!/bin/sh
set -e
if [ "$1" = purge ] && [ -L /usr/bin/nvidia-container-toolkit ]; then rm /usr/bin/nvidia-container-toolkit; fi
"""


def source(name: str, version: str) -> bytes:
    return (SOURCES / name).read_text(encoding="utf-8").replace("@VERSION@", version).encode()


def programs(version: str, *names: str) -> dict[str, tuple[bytes, int]]:
    return {f"usr/bin/{name}": (source(name, version), 0o755) for name in names}


def packages(version: str) -> list[Package]:
    full = f"{version}-1"
    refresh = version in WITH_REFRESH
    base = {
        **programs(version, "nvidia-ctk", "nvidia-cdi-hook", "nvidia-container-runtime"),
        "usr/share/nvidia-container-toolkit/stand_in.py": (source("stand_in.py", version), 0o644),
    }
    if refresh:
        for name in ("nvidia-cdi-refresh.path", "nvidia-cdi-refresh.service"):
            unit = source(name, version)
            if version != "1.18.1":
                unit = unit.replace(UNCOMPRESSED_ONLY, ANY_MODULE)
            base[f"etc/systemd/system/{name}"] = (unit, 0o644)
        name = "nvidia-cdi-refresh.env"
        base[f"etc/nvidia-container-toolkit/{name}"] = (source(name, version), 0o644)
    # Since 1.18 the library's tools have the toolkit's version exactly.
    tools = f"libnvidia-container-tools ({'=' if refresh else '>='} {full}), libnvidia-container-tools (<< 2.0.0)"
    return [
        Package(
            "nvidia-container-toolkit",
            full,
            "stand-in for NVIDIA's container toolkit",
            {
                "Depends": f"nvidia-container-toolkit-base (= {full}), {tools}",
                "Breaks": REPLACED,
                "Replaces": REPLACED,
            },
            programs(version, "nvidia-container-runtime-hook"),
            scripts={"postinst": HOOK_POSTINST, "postrm": HOOK_POSTRM},
            section="utils",
        ),
        Package(
            "nvidia-container-toolkit-base",
            full,
            "stand-in for NVIDIA's container toolkit, base",
            {
                "Depends": "python3",
                "Breaks": f"{REPLACED}, nvidia-container-toolkit (<= 1.10.0-1)",
                "Replaces": REPLACED,
            },
            base,
            scripts={"postinst": CONFIG_POSTINST.format(refresh=REFRESH if refresh else ":")},
            section="utils",
        ),
        Package(
            "libnvidia-container-tools",
            full,
            "stand-in for NVIDIA's container library, tools",
            {"Depends": f"libnvidia-container1 (>= {full}), nvidia-container-toolkit-base, util-linux"},
            programs(version, "nvidia-container-cli"),
            section="utils",
        ),
        Package(
            "libnvidia-container1",
            full,
            "stand-in for NVIDIA's container library",
            {"Multi-Arch": "same"},
            {"usr/share/doc/libnvidia-container1/README": (b"Without content: the tools are scripts.\n", 0o644)},
        ),
    ]


def build(scratch: Path, root: Path) -> list[Path]:
    """Fill the repository; return the folders with a Release to sign."""
    for version in VERSIONS:
        for package in packages(version):
            pack(package, scratch, root)
    index(
        root,
        ".",
        {"Origin": "https://nvidia.github.io/libnvidia-container", "Label": "stable", "Architectures": "amd64"},
    )
    return [root]
