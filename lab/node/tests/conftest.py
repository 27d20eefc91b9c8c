# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the stand-in and the test helpers on the path, and hands out a Docker daemon that is a thread."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
for folder in (TESTS.parent, TESTS):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from node_helpers.fake_docker import FakeDocker
from node_helpers.process import NodeProcess


@pytest.fixture
def docker(tmp_path):
    with FakeDocker(tmp_path / "docker.sock") as fake:
        yield fake


@pytest.fixture
def start_node(tmp_path, docker):
    """start_node("-orchestrator", …) runs the node against the fake daemon; it is ended with the test."""
    started = []

    def start(*arguments, environment=None, timing=None):
        node = NodeProcess(arguments, tmp_path, docker.host, environment or {}, timing or {})
        started.append(node)
        return node

    yield start
    for node in started:
        node.kill()
