# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package index (PEP 503) of the wheels that the lab's service images are built from: DEST/simple/ and DEST/files/.

They are those that the service template and lab/embeddings require, for the Python of the image
livepeer-lab/python-pip:trixie, and those that own live pipelines are built from, for Debian 12's. pip of this Python
fetches them, from wherever it is told to, and checks their hashes. The stand-ins for torch and others are made here.
"""

from __future__ import annotations

import hashlib
import html
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WRAPPER = ROOT / "collections/ansible_collections/livepeer/ai/roles/_service/files/wrapper"
REQUIREMENTS = (WRAPPER / "requirements.txt", ROOT / "lab/embeddings/requirements.txt")
AI_RUNNER = ROOT / "lab/ai_runner"
CACHE = ROOT / "build/cache/wheels"
# Debian 13: Python 3.13, glibc 2.41; Debian 12: Python 3.11, glibc 2.36. Markers are judged by the Python that
# runs pip here; a test holds that those in REQUIREMENTS mean the same to both.
WANTED = {"3.13": REQUIREMENTS, "3.11": (AI_RUNNER / "requirements.txt",)}
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")


def download_argv(cache: Path, python: str, files: tuple[Path, ...]) -> list[str]:
    """pip's command line; what the cache has is not fetched again."""
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(cache)]
    argv += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--find-links", str(cache)]
    argv += ["--implementation", "cp", "--python-version", python]
    for abi in (f"cp{python.replace('.', '')}", "abi3", "none"):
        argv += ["--abi", abi]
    for platform in PLATFORMS:
        argv += ["--platform", platform]
    for file in files:
        argv += ["--requirement", str(file)]
    return argv


def normalized(name: str) -> str:
    """A project's name as it is in an index's addresses (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def page(links: dict[str, str]) -> str:
    rows = "".join(f'<a href="{html.escape(target)}">{html.escape(text)}</a><br>\n' for text, target in links.items())
    return f"<!DOCTYPE html>\n<html><body>\n{rows}</body></html>\n"


def pinned() -> set[tuple[str, str]]:
    """Name and version of everything that the requirements may want."""
    found = set()
    for file in (file for files in WANTED.values() for file in files):
        pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", file.read_text(encoding="utf-8"), re.M)
        found |= {(normalized(name), version) for name, version in pins}
    return found


def standins() -> list[Path]:
    """The wheels of the packages that are too large to be real in the lab."""
    spec = importlib.util.spec_from_file_location("standin_wheels", AI_RUNNER / "standin_wheels.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_all(CACHE / "standins")


def write_index(wheels: list[Path], dest: Path) -> None:
    """Pages and files; the folder itself stays, because a service has it mounted."""
    dest.mkdir(parents=True, exist_ok=True)
    for old in ("simple", "files"):
        shutil.rmtree(dest / old, ignore_errors=True)
    (dest / "files").mkdir()
    projects: dict[str, dict[str, str]] = {}
    for wheel in sorted(wheels):
        shutil.copyfile(wheel, dest / "files" / wheel.name)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        links = projects.setdefault(normalized(wheel.name.split("-")[0]), {})
        links[wheel.name] = f"../../files/{wheel.name}#sha256={digest}"
    for name, links in projects.items():
        (dest / "simple" / name).mkdir(parents=True)
        (dest / "simple" / name / "index.html").write_text(page(links), encoding="utf-8")
    (dest / "simple/index.html").write_text(page({name: f"{name}/" for name in projects}), encoding="utf-8")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: build.py DEST", file=sys.stderr)
        return 2
    CACHE.mkdir(parents=True, exist_ok=True)
    # Both at once: most of it is waiting.
    fetching = [subprocess.Popen(download_argv(CACHE, python, files)) for python, files in WANTED.items()]
    if any([process.wait() != 0 for process in fetching]):
        print("wheels: pip could not fetch them; check that this machine reaches its package index.", file=sys.stderr)
        return 1
    wanted = pinned()
    wheels = [
        wheel
        for wheel in CACHE.glob("*.whl")
        if (normalized(wheel.name.split("-")[0]), wheel.name.split("-")[1]) in wanted
    ]
    write_index([*wheels, *standins()], Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
