# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release archive: layout, digest, reproducibility (facts 8)."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import tarfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    specification = importlib.util.spec_from_file_location("node_build", Path(__file__).parents[1] / "build.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("node")
    return module.build(folder / "one"), module.build(folder / "two")


def test_the_layout_is_the_releases(built):
    with tarfile.open(built[0]) as archive:
        assert archive.getnames() == ["./livepeer-linux-amd64", "./livepeer-linux-amd64/livepeer"]
        assert archive.getmember("./livepeer-linux-amd64/livepeer").mode == 0o755


def test_the_same_sources_give_the_same_bytes(built):
    assert built[0].read_bytes() == built[1].read_bytes()


def test_the_checksum_file_is_sha256sums(built):
    digest, name = built[0].with_name(built[0].name + ".sha256").read_text().split()
    assert (name, digest) == (built[0].name, hashlib.sha256(built[0].read_bytes()).hexdigest())


def test_the_executable_runs_alone(built, tmp_path):
    with tarfile.open(built[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    binary = tmp_path / "livepeer-linux-amd64/livepeer"
    done = subprocess.run([binary, "-version"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert "Livepeer Node Version: 0.9.1\n" in done.stdout
    refused = subprocess.run([binary, "-nonsense"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert refused.returncode == 2
    assert refused.stdout.startswith(f"flag provided but not defined: -nonsense\nUsage of {binary}:")
