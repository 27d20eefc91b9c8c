"""What the container toolkit's stand-ins share: what the loaded driver says, and what a container is given of it.

Part of nvidia-container-toolkit-base; standard library only, as hosts have no more. The programs run Python with -B:
the files of all versions have one date, by which a cache of the old version would pass for the new one's.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

VERSION = "@VERSION@"
STATE = Path("/run/lab/gpu")
DEV = Path("/dev")
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
CONFIG = Path("/etc/nvidia-container-runtime/config.toml")
CONTROL_NODES = ("nvidia-modeset", "nvidia-uvm", "nvidia-uvm-tools", "nvidiactl")
# What each capability brings besides the device nodes.
PROGRAMS = {"utility": ("nvidia-smi",), "compute": ()}
LIBRARY_STEMS = {"utility": ("libnvidia-ml", "libnvidia-cfg"), "compute": ("libcuda", "libnvidia-ptxjitcompiler")}


class DriverError(Exception):
    """Why NVML cannot be used, in its own words."""


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver counts it."""

    index: int
    minor: int
    uuid: str
    model: str

    @property
    def node(self) -> str:
        return f"{DEV}/nvidia{self.minor}"


def line_of(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def check_driver() -> str:
    """The loaded driver's version."""
    library = LIBRARIES / "libnvidia-ml.so.1"
    if not library.exists():
        raise DriverError("ERROR_LIBRARY_NOT_FOUND")
    version = line_of(STATE / "driver" / "version")
    if not version:
        raise DriverError("Driver Not Loaded")
    if library.resolve().name != f"libnvidia-ml.so.{version}":
        raise DriverError("Driver/library version mismatch")
    return version


def gpus() -> list[Gpu]:
    minors = sorted(int(path.name) for path in (STATE / "gpus").glob("*"))
    found = []
    for index, minor in enumerate(minors):
        folder = STATE / "gpus" / str(minor)
        if (folder / "lost").exists():
            raise DriverError("GPU is lost")
        found.append(Gpu(index, minor, line_of(folder / "uuid"), line_of(folder / "name")))
    return found


def selected(names: list[str]) -> list[Gpu]:
    """The GPUs of NVIDIA_VISIBLE_DEVICES or --device; an unknown one is an error."""
    every = gpus()
    if "all" in names:
        return every
    by_name = {str(gpu.index): gpu for gpu in every} | {gpu.uuid: gpu for gpu in every}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise LookupError(unknown[0])
    return [by_name[name] for name in names]


def control_nodes() -> list[str]:
    return [f"{DEV}/{name}" for name in CONTROL_NODES if (DEV / name).exists()]


def mounts(version: str, capabilities: set[str]) -> list[str]:
    """Files and folders that appear in the container where they are on the host."""
    # The stand-in kernel's memory: the real driver is asked through the device nodes alone.
    found = [str(STATE)]
    for capability in sorted(PROGRAMS.keys() & capabilities):
        found += [f"/usr/bin/{name}" for name in PROGRAMS[capability]]
        found += [f"{LIBRARIES}/{stem}.so.{version}" for stem in LIBRARY_STEMS[capability]]
    return [path for path in found if os.path.exists(path)]


def link_libraries(rootfs: Path, folders: list[str]) -> None:
    """In a container: the links that ldconfig makes, from what libraries call themselves to their files."""
    for folder in folders:
        inside = rootfs / folder.lstrip("/")
        for library in sorted(inside.glob("lib*.so.*.*")) if inside.is_dir() else ():
            name = re.fullmatch(r"(lib(?:nvidia-[a-z]+|cuda)\.so)\.[0-9.]+", library.name)
            link = inside / f"{name[1]}.1" if name else None
            if link and not link.exists():
                link.unlink(missing_ok=True)
                link.symlink_to(library.name)


def setting(section: str, key: str, default: str = "") -> str:
    """A value of config.toml, without quotes."""
    current = ""
    for line in line_of(CONFIG).splitlines():
        if line.startswith("["):
            current = line.strip().strip("[]")
        elif current == section and line.split("=")[0].strip() == key:
            return line.split("=", 1)[1].strip().strip('"')
    return default


def log(level: str, text: str) -> None:
    print(f'time="1970-01-01T00:00:00Z" level={level} msg="{text}"', file=sys.stderr)
