# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab serves of ai-runner: a repository to fetch over plain HTTP, and wheels."""

from __future__ import annotations

import http.server
import importlib.util
import os
import subprocess
import sys
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"ai_runner_{name}", HOME / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheels(tmp_path: Path) -> dict[str, Path]:
    return {path.name.split("-")[0]: path for path in load("standin_wheels").write_all(tmp_path / "wheels")}


def revision(repository: Path, name: str) -> str:
    argv = ["git", f"--git-dir={repository}", "rev-parse", name]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_the_same_sources_are_the_same_commit(tmp_path: Path) -> None:
    build = load("build").build
    found = {revision(build(tmp_path / name), "v0.14.1") for name in ("one", "other", "one")}
    assert len(found) == 1


def test_git_fetches_the_tag_over_plain_http(tmp_path: Path) -> None:
    repository = load("build").build(tmp_path / "served")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/ai-runner.git"
        argv = ["git", "clone", "--quiet", "--branch", "v0.14.1", url, str(tmp_path / "clone")]
        alone = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        subprocess.run(argv, check=True, env=alone, capture_output=True)
        server.shutdown()
    assert revision(tmp_path / "clone/.git", "HEAD") == revision(repository, "v0.14.1")
    assert (tmp_path / "clone/runner/src/runner/app.py").read_bytes() == (
        HOME / "runner/src/runner/app.py"
    ).read_bytes()


def test_wheels_are_the_same_bytes_again(wheels: dict[str, Path], tmp_path: Path) -> None:
    again = load("standin_wheels").write_all(tmp_path / "again")
    assert {path.name: path.read_bytes() for path in again} == {
        path.name: path.read_bytes() for path in wheels.values()
    }


def test_pip_installs_each_wheel(wheels: dict[str, Path], tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        tmp_path / "there",
    ]
    subprocess.run([*argv, *wheels.values()], check=True, capture_output=True)
    assert {"torch", "diffusers", "transformers", "pytorch_triton"} <= {
        path.name for path in (tmp_path / "there").iterdir()
    }


def test_the_wheels_have_the_versions_that_their_packages_say(wheels: dict[str, Path]) -> None:
    for name, wheel in wheels.items():
        with zipfile.ZipFile(wheel) as archive:
            source = archive.read(f"{name}/__init__.py").decode()
        version = wheel.name.split("-")[1]
        assert "__version__" not in source or f'__version__ = "{version}"' in source, name


def test_without_a_place_it_says_how() -> None:
    done = subprocess.run([sys.executable, HOME / "build.py"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: build.py DEST\n")
