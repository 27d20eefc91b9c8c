# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models once per session; a running runner per pipeline once per session; fresh models for tests that break them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
# The tests' helpers and the package under test are no part of the collection, hence not on the path yet.
sys.path[:0] = [str(folder) for folder in (HERE, HERE.parent) if str(folder) not in sys.path]


def write_models(models: Path) -> Path:
    fixtures = importlib.import_module("runner_fixtures")
    for repo_id, files in fixtures.REPOSITORIES.items():
        fixtures.lay_out(models, repo_id, files)
    return models


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def own_models(tmp_path: Path) -> Path:
    """Models that the test may break."""
    return write_models(tmp_path / "models")


@pytest.fixture(scope="session")
def running(models: Path) -> Iterator[Callable[[str], Any]]:
    """A ready runner of the given pipeline, shared by all tests that only ask it something."""
    process_class = importlib.import_module("runner_process").RunnerProcess
    started: dict[str, Any] = {}

    def runner_of(pipeline: str):
        if pipeline not in started:
            started[pipeline] = process_class(models, pipeline)
        return started[pipeline].wait_until_ready()

    yield runner_of
    for process in started.values():
        process.__exit__()
