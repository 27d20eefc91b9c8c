"""What the scenarios' tests share, as fixtures; functions are in labtest.py, which this puts on the path."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# At the end: the folders beside it must not hide packages of the same names.
sys.path.append(str(Path(__file__).parent))

from labtest import Hub, Run, lab_host, run_playbook


@pytest.fixture
def orch_bookworm():
    """Debian 12, serves text-to-image."""
    return lab_host("orch-bookworm")


@pytest.fixture
def orch_trixie():
    """Debian 13, serves image-to-text."""
    return lab_host("orch-trixie")


@pytest.fixture
def gateway():
    return lab_host("gateway")


@pytest.fixture
def hub():
    """The Hub's counters and faults, as good as new before and after the test."""
    hub = Hub()
    hub.reset()
    yield hub
    hub.reset()


@pytest.fixture
def playbook() -> Callable[..., Run]:
    return run_playbook
