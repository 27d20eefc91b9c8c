# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The template for services: its own tests pass where an engineer runs them, and its image is what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WRAPPER = Path(__file__).resolve().parents[3] / "roles/_service/files/wrapper"
DOCKERFILE = (WRAPPER / "Dockerfile").read_text(encoding="utf-8")
BUILD_STAGE, RUN_STAGE = DOCKERFILE.split("\nFROM ${BASE_IMAGE}")[1:]


def test_its_own_tests_pass_in_a_copy(tmp_path: Path) -> None:
    copy = tmp_path / "wrapper"
    shutil.copytree(WRAPPER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_base_is_pinned_by_digest() -> None:
    assert re.search(r"^ARG BASE_IMAGE=python:[0-9.]+-slim-bookworm@sha256:[0-9a-f]{64}$", DOCKERFILE, re.M)


def test_every_requirement_is_pinned_with_hashes() -> None:
    text = (WRAPPER / "requirements.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", re.sub(r"^\s*#.*\n", "", text, flags=re.M).strip())
    assert {re.match(r"[a-z0-9-]+", entry).group() for entry in entries} >= {"fastapi", "uvicorn", "starlette"}
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "--index" not in text
    assert "--require-hashes --only-binary :all:" in BUILD_STAGE


def test_how_packages_were_fetched_is_not_in_the_image() -> None:
    assert "ARG PIP_INDEX_URL" in BUILD_STAGE
    assert "ARG" not in RUN_STAGE
    assert "PIP_" not in RUN_STAGE


def test_it_runs_as_a_number_that_is_not_root() -> None:
    # A number, so that "must not run as root" can be judged without the image's list of users.
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.M) == ["10001:10001"]


@pytest.mark.parametrize("keyword", ["HEALTHCHECK", "ENTRYPOINT"])
def test_what_it_starts_is_python_and_there(keyword: str) -> None:
    text = re.search(rf"^{keyword}(?:.*\\\n)*.*$", RUN_STAGE, re.M).group()
    assert '["/opt/venv/bin/python"' in text
    for path in re.findall(r"/opt/wrapper/(\S+\.py)", text):
        assert (WRAPPER / path).is_file()
