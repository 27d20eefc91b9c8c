# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ai-runner's repository as the lab has it: DEST/ai-runner.git, to be fetched over plain HTTP, with the tag v0.14.1.

The same sources give the same commit, so that a lock file stays true on every machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TAG = "v0.14.1"
# The day of the real release.
WHEN = "2025-12-30T00:00:00+0000"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", ".pytest_cache", ".ruff_cache")
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "lab"), ("EMAIL", "lab@example.invalid"), ("DATE", WHEN))
}


def git(repository: Path, tree: Path, *arguments: str) -> None:
    """Git without this machine's own configuration."""
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **IDENTITY}
    argv = ["git", f"--git-dir={repository}", f"--work-tree={tree}", "-c", "core.autocrlf=false", *arguments]
    subprocess.run(argv, env={**os.environ, **alone}, check=True, stdout=subprocess.DEVNULL)


def build(dest: Path) -> Path:
    """The folder itself stays, because a service has it mounted."""
    repository = dest / "ai-runner.git"
    shutil.rmtree(repository, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="livepeer-lab-") as name:
        tree = Path(name)
        shutil.copytree(HERE / "runner", tree / "runner", ignore=LEFT_OUT)
        subprocess.run(["git", "init", "--quiet", "--bare", "--template=", str(repository)], check=True)
        git(repository, tree, "symbolic-ref", "HEAD", "refs/heads/main")
        git(repository, tree, "add", "--all", "--force")
        git(repository, tree, "commit", "--quiet", "--no-gpg-sign", "--message", f"The lab's stand-in for {TAG}")
        git(repository, tree, "tag", TAG)
        git(repository, tree, "repack", "-a", "-d", "-q")
        git(repository, tree, "prune-packed", "-q")
        git(repository, tree, "update-server-info")
    return repository


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: build.py DEST", file=sys.stderr)
        return 2
    dest = Path(arguments[0])
    dest.mkdir(parents=True, exist_ok=True)
    build(dest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
