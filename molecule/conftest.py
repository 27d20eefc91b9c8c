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
def gpu_bookworm():
    """Debian 12 without an NVIDIA device."""
    return lab_host("gpu-bookworm")


@pytest.fixture
def gpu_trixie():
    """Debian 13 without an NVIDIA device."""
    return lab_host("gpu-trixie")


@pytest.fixture
def gpu_4090():
    """Debian 13 described as having two GeForce RTX 4090."""
    return lab_host("gpu-4090")


@pytest.fixture
def gpu_h100():
    """Debian 12 described as having eight H100 and four NVSwitches."""
    return lab_host("gpu-h100")


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
