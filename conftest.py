"""Shared by every pytest run: put the collection on the path as ansible_collections.livepeer.ai."""

from __future__ import annotations

import sys
from pathlib import Path

COLLECTIONS = Path(__file__).parent / "collections"

if str(COLLECTIONS) not in sys.path:
    sys.path.insert(0, str(COLLECTIONS))
