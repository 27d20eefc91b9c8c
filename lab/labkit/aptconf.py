"""The machine's own apt configuration, for building the images and for apt inside the lab's containers.

Nothing here names a mirror: Debian's repositories are recognised by what their Release files say of themselves (Origin
and Label). A machine that has none (it runs Ubuntu, say) gets mmdebstrap's default, in the image and in the container.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .command import run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TARGET_FORMAT = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
# How to fetch is carried over; hooks, caches and languages are the machine's own affair.
CARRIED = re.compile(
    r"Acquire::(Check-Valid-Until|Check-Date|Retries|ForceIPv[46]"
    r"|https?::(\S+::)?(Proxy|Verify-Peer|Verify-Host|Timeout)\S*)$"
)


@dataclass(frozen=True)
class Repositories:
    """Where this machine gets Debian's packages from; empty where it has no such repository."""

    main: str = ""
    security: str = ""


def repositories(targets: Iterable[str]) -> Repositories:
    """Debian's repositories among the lines `apt-get indextargets` printed in TARGET_FORMAT."""
    found: dict[str, str] = {}
    for line in targets:
        origin, label, uri = (line.split("|") + ["", ""])[:3]
        if origin == "Debian" and uri.startswith(("http://", "https://")):
            found.setdefault("security" if label == "Debian-Security" else "main", uri.rstrip("/"))
    return Repositories(**found) if "main" in found else Repositories()


def source_lines(repos: Repositories, suite: str) -> list[str]:
    """Sources of a suite with its updates and security fixes; none where the machine knows no mirror."""
    signed = f"deb [signed-by={KEYRING}]"
    lines = []
    if repos.main:
        lines += [f"{signed} {repos.main} {suite} main", f"{signed} {repos.main} {suite}-updates main"]
    if repos.security:
        lines += [f"{signed} {repos.security} {suite}-security main"]
    return lines


def carried_settings(dump: str, environment: Mapping[str, str]) -> str:
    """apt.conf lines to carry over, from `apt-config dump` and from the proxy variables apt itself would read."""
    lines = [line for line in dump.splitlines() if CARRIED.match(line.split(" ", 1)[0])]
    for scheme in ("http", "https"):
        proxy = environment.get(f"{scheme}_proxy", "")
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy ") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class AptSetup:
    """All that apt needs in a container to fetch as the machine does."""

    repos: Repositories
    settings: str = ""
    certificates: tuple[Path, ...] = ()
    credentials: tuple[Path, ...] = ()

    def files(self, suite: str) -> dict[str, tuple[bytes, int]]:
        """Path in the container -> (content, mode)."""
        found: dict[str, tuple[bytes, int]] = {}
        lines = source_lines(self.repos, suite)
        if lines:
            # The file mmdebstrap wrote; where it is left alone, its default mirror stays.
            found["etc/apt/sources.list"] = ("".join(f"{line}\n" for line in lines).encode(), 0o644)
        if self.settings:
            found["etc/apt/apt.conf.d/90machine"] = (self.settings.encode(), 0o644)
        for path in self.certificates:
            found[f"usr/local/share/ca-certificates/{path.name}"] = (path.read_bytes(), 0o644)
        for path in self.credentials:
            found[f"etc/apt/auth.conf.d/{path.name}"] = (path.read_bytes(), 0o600)
        return found


def look() -> AptSetup:
    """Read the machine's configuration."""
    targets = run(["apt-get", "indextargets", "--format", TARGET_FORMAT, "Created-By: Packages"])
    return AptSetup(
        repos=repositories(targets.splitlines()),
        settings=carried_settings(run(["apt-config", "dump", "Acquire"]), os.environ),
        certificates=tuple(sorted(Path("/usr/local/share/ca-certificates").glob("*.crt"))),
        credentials=tuple(p for p in sorted(Path("/etc/apt/auth.conf.d").glob("*.conf")) if os.access(p, os.R_OK)),
    )
