"""The lab's tooling is imported as lab/lab.py imports it: with lab/ on the path."""

from __future__ import annotations

import sys
from pathlib import Path

LAB = str(Path(__file__).resolve().parents[1])

if LAB not in sys.path:
    sys.path.insert(0, LAB)
