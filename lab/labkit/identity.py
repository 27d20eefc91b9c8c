"""Who each host is: SSH host key, machine id, the person allowed in, and the machine's way of fetching packages.

Keys are made once per lab in build/lab/<lab> and survive a rebuilt container, so the controller's known_hosts is
written before a host boots and stays true.
"""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterable
from pathlib import Path

from . import aptconf, hardware
from .command import run
from .topology import Host, Lab

# Fixed, so that a host keeps its machine id over rebuilds.
MACHINE_IDS = uuid.UUID("0f3e5a6c-8f0e-4c0b-9f52-6f8a3f0d6a11")
# useradd's first user in the host images.
OPS_UID = 1000


def ensure_key(path: Path, comment: str) -> str:
    """Make the key unless it is there; return the public half."""
    public = path.with_name(path.name + ".pub")
    if not (path.exists() and public.exists()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return public.read_text(encoding="ascii").strip()


def host_key(lab: Lab, host: Host) -> Path:
    return lab.directory / "hosts" / host.name / "ssh_host_ed25519_key"


def person_key(lab: Lab) -> Path:
    return lab.directory / "id_ed25519"


def ensure_keys(lab: Lab) -> None:
    """The operator's key, each host's key, and known_hosts."""
    ensure_key(person_key(lab), f"ops@{lab.network}")
    lines = []
    for host in lab.hosts:
        public = ensure_key(host_key(lab, host), f"root@{host.name}.lab").split()
        lines.append(f"{lab.address(host)},{host.name}.lab {public[0]} {public[1]}\n")
    known = lab.directory / "known_hosts"
    if not known.exists() or known.read_text(encoding="ascii") != "".join(lines):
        known.write_text("".join(lines), encoding="ascii")


def machine_id(lab: Lab, host: Host) -> str:
    return uuid.uuid5(MACHINE_IDS, lab.container(host)).hex


def host_files(lab: Lab, host: Host, apt: aptconf.AptSetup) -> dict[str, tuple[bytes, int, int]]:
    """Path in the container -> (content, mode, owner) of everything that is this host's own."""
    key = host_key(lab, host)
    public = key.with_name(key.name + ".pub")
    allowed = person_key(lab).with_name("id_ed25519.pub")
    files = {
        "etc/machine-id": (f"{machine_id(lab, host)}\n".encode(), 0o444, 0),
        "etc/ssh/ssh_host_ed25519_key": (key.read_bytes(), 0o600, 0),
        "etc/ssh/ssh_host_ed25519_key.pub": (public.read_bytes(), 0o644, 0),
        "home/ops/.ssh/authorized_keys": (allowed.read_bytes(), 0o600, OPS_UID),
    }
    for path, (content, mode) in apt.files(host.suite).items():
        files[path] = (content, mode, 0)
    if host.hardware:
        files |= {path: (content, mode, 0) for path, (content, mode) in hardware.files(host.hardware).items()}
    return files


def tar_of(files: dict[str, tuple[bytes, int, int]], folders: Iterable[tuple[str, int, int]]) -> bytes:
    """A tar stream for `docker cp`; folders are (path, mode, owner)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, mode, owner in folders:
            member = tarfile.TarInfo(path)
            member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, mode, owner, owner
            archive.addfile(member)
        for path, (content, mode, owner) in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.uid, member.gid = len(content), mode, owner, owner
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def host_tar(lab: Lab, host: Host, apt: aptconf.AptSetup) -> bytes:
    """The stream that turns a created container into this host."""
    folders = (
        ("home/ops/.ssh", 0o700, OPS_UID),
        # Dated 1970: apt's cache_valid_time would take the freshly emptied folder for a fresh package index.
        ("var/lib/apt/lists", 0o755, 0),
    )
    return tar_of(host_files(lab, host, apt), folders)
