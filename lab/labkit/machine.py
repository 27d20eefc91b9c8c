"""Look at this machine and decide how a container with systemd and its own Docker Engine must be started on it.

`look()` reads the machine, `host_flags()` decides. The decision is a pure function, so the tests cover machines we do
not have: a laptop with cgroup v2, a CI machine that lacks a capability, an old and a new engine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from . import engine
from .errors import LabError

# Capabilities by number, as in linux/capability.h.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)

# Engines before 23 know the capabilities up to AUDIT_READ only: `--cap-add ALL` gives no others, and naming one fails.
OLD_ENGINE_CAPABILITIES = CAPABILITIES[:38]
KNOWS_ALL_CAPABILITIES = 23

# systemd mounts, Docker's bridges and its containers' devices: without these no target host runs.
INDISPENSABLE = ("SYS_ADMIN", "NET_ADMIN", "MKNOD", "SYS_CHROOT", "SETFCAP")

# From this release the engine takes the capabilities it has itself when told --privileged; older ones ask for all and
# fail on a machine that lacks one. 20.10 is known to fail and 26.1 to work; what lies between gets the explicit list.
PRIVILEGED_TAKES_WHAT_IS_THERE = 26


@dataclass(frozen=True)
class Machine:
    """What the decisions look at."""

    engine_version: str
    cgroup_version: int
    rootless: bool
    missing_capabilities: tuple[str, ...]


def engine_major(version: str) -> int:
    """26 for '26.1.5+dfsg1'; 0 when the version says nothing."""
    head = version.split(".", 1)[0]
    return int(head) if head.isdigit() else 0


def missing_capabilities(bounding_set: str, last_capability: int) -> tuple[str, ...]:
    """Names of the capabilities that the kernel knows and the hex mask of /proc/self/status withholds."""
    mask = int(bounding_set, 16)
    known = CAPABILITIES[: last_capability + 1]
    return tuple(name for number, name in enumerate(known) if not mask >> number & 1)


def look() -> Machine:
    """Read the engine and the kernel."""
    info = json.loads(engine.docker("info", "--format", "{{json .}}"))
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    bounding_set = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
    return Machine(
        engine_version=info["ServerVersion"],
        cgroup_version=int(info.get("CgroupVersion") or 1),
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or []),
        missing_capabilities=missing_capabilities(bounding_set, last),
    )


def refuse_unfit(machine: Machine) -> None:
    """Refuse a machine on which target hosts cannot run, before anything is made."""
    if machine.rootless:
        raise LabError(
            "This Docker daemon is rootless and cannot run hosts with their own Docker Engine: "
            "point DOCKER_HOST at a daemon that runs as root."
        )
    lacking = [name for name in machine.missing_capabilities if name in INDISPENSABLE]
    if lacking:
        raise LabError(
            f"This machine withholds the capabilities {', '.join(lacking)}, which systemd and Docker in a container "
            "need: run the lab on a machine (or CI runner) that grants them."
        )


def accepts_privileged(machine: Machine) -> bool:
    """Whether `--privileged` works: nothing is withheld, or the engine makes do with what there is."""
    return not machine.missing_capabilities or engine_major(machine.engine_version) >= PRIVILEGED_TAKES_WHAT_IS_THERE


def privilege_flags(machine: Machine) -> list[str]:
    """All rights the machine can give, in the form its engine accepts."""
    if accepts_privileged(machine):
        return ["--privileged"]
    old = engine_major(machine.engine_version) < KNOWS_ALL_CAPABILITIES
    flags = ["--cap-add", "ALL"]
    for name in machine.missing_capabilities:
        if not old or name in OLD_ENGINE_CAPABILITIES:
            flags += ["--cap-drop", name]
    # What --privileged would have lifted besides: syscall filter, AppArmor profile, read-only /proc/sys.
    for option in ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"):
        flags += ["--security-opt", option]
    return flags


def cgroup_flags(machine: Machine) -> list[str]:
    """A cgroup tree systemd may manage."""
    if machine.cgroup_version == 2 and accepts_privileged(machine):
        return ["--cgroupns", "private"]
    # On v1 systemd finds its own hierarchy only in the machine's tree; on v2 the own tree of an unprivileged container
    # is read-only.
    return ["--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]


def host_flags(machine: Machine) -> list[str]:
    """`docker create` flags of a target host on this machine."""
    return [
        *privilege_flags(machine),
        *cgroup_flags(machine),
        "--tmpfs",
        "/run",
        "--tmpfs",
        "/run/lock",
        # `docker import` of older engines refuses STOPSIGNAL, so it is said here; systemd then stops in order.
        "--stop-signal",
        "SIGRTMIN+3",
    ]
