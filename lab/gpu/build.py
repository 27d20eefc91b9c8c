#!/usr/bin/env python3
"""build.py REPOSITORY...: make the lab's signed apt repositories in build/packages (README.md says what they hold)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# labkit, for where the machine gets Debian's packages.
sys.path[:0] = [str(HERE), str(HERE.parent)]

import aptrepo
import driver
import engine
import toolkit
from labkit import paths

BUILDERS = {"nvidia-driver": driver, "nvidia-container-toolkit": toolkit, "docker": engine}


def make(name: str) -> None:
    """Build, sign, and only then put in place."""
    paths.PACKAGES.mkdir(parents=True, exist_ok=True)
    # Beside the result, so that moving is renaming.
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=paths.PACKAGES) as folder:
        scratch, root = Path(folder, "scratch"), Path(folder, "root")
        for place in (scratch, root):
            place.mkdir()
        releases = BUILDERS[name].build(scratch, root)
        with aptrepo.keyring(paths.CACHE / "keys" / name, name) as gpg:
            for release in releases:
                aptrepo.sign(gpg, release)
            aptrepo.run([*gpg, "--armor", "--output", str(root / "key.asc"), "--export"])
            fingerprint = aptrepo.fingerprint(gpg)
        aptrepo.replace_contents(paths.PACKAGES / name, root)
    (paths.PACKAGES / f"{name}.fingerprint").write_text(f"{fingerprint}\n", encoding="ascii")


if __name__ == "__main__":
    for repository in sys.argv[1:]:
        make(repository)
