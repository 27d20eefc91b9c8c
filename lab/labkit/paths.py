"""Where things lie: the repository's sources, and build/ for everything made."""

from __future__ import annotations

from pathlib import Path

LAB = Path(__file__).resolve().parents[1]
ROOT = LAB.parent
IMAGES = LAB / "images"
BUILD = ROOT / "build"
CACHE = BUILD / "cache"
HUB_DATA = BUILD / "hub"
NODE_DATA = BUILD / "node"
GPU = LAB / "gpu"
PACKAGES = BUILD / "packages"
EMBEDDINGS = LAB / "embeddings"
WRAPPER = ROOT / "collections/ansible_collections/livepeer/ai/roles/_service/files/wrapper"
WHEELS = BUILD / "pypi"
AI_RUNNER = LAB / "ai_runner"
GIT_DATA = BUILD / "git"
# The environment of requirements.txt, whichever Python runs lab.py.
PYTHON = ROOT / ".venv/bin/python"


def lab_dir(lab_name: str) -> Path:
    """Keys, identities and stamps of one lab."""
    return BUILD / "lab" / lab_name
