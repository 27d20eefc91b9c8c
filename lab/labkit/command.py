"""Run programs; a failure is a LabError that carries what the program said."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from .errors import LabError

TAIL_LINES = 15


def tail(text: str, lines: int = TAIL_LINES) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def attempt(
    argv: Sequence[str], data: bytes | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run and return the result, whatever the exit status; output is text."""
    try:
        done = subprocess.run(
            list(argv),
            input=data,
            capture_output=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL if data is None else None,
        )
    except FileNotFoundError:
        raise LabError(f"'{argv[0]}' is not installed; run lab/bootstrap.sh first.") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"'{' '.join(argv[:4])} ...' did not finish in {timeout:.0f} seconds.") from None
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


def run(argv: Sequence[str], data: bytes | None = None, timeout: float | None = None) -> str:
    """Run and return standard output; raise when the exit status is not 0."""
    done = attempt(argv, data, timeout)
    if done.returncode != 0:
        raise LabError(
            f"'{' '.join(argv[:4])} ...' failed with status {done.returncode}:\n{tail(done.stderr or done.stdout)}"
        )
    return done.stdout


def as_root(argv: Sequence[str]) -> list[str]:
    """The same command with root's rights: as it is for root, through sudo for others."""
    if os.geteuid() == 0:
        return list(argv)
    if not shutil.which("sudo"):
        raise LabError(f"'{argv[0]}' needs root: run as root or install sudo.")
    return ["sudo", *argv]
