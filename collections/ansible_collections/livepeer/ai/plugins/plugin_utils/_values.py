# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How values from YAML are told apart and named in messages. Private to the collection."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence


class ProblemsError(ValueError):
    """Several problems in one text, and each as a sentence of its own for those who list them."""

    def __init__(self, text, problems=()):
        super().__init__(text)
        self.problems = list(problems) or [text]


def is_number(value):
    """JSON numbers only: Python counts booleans as integers, JSON does not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def type_name(value):
    """A type in the words of the person who wrote the YAML."""
    if value is None:
        return "null"
    for kind, name in ((bool, "a boolean"), (str, "text"), (int, "a number"), (float, "a number")):
        if isinstance(value, kind):
            return name
    for kind, name in ((Mapping, "a mapping"), (Sequence, "a list")):
        if isinstance(value, kind):
            return name
    return type(value).__name__


_UNITS = {"": 1, "b": 1}
_UNITS.update({f"{letter}b": 1000**step for step, letter in enumerate("kmgt", 1)})
_UNITS.update({f"{letter}ib": 1024**step for step, letter in enumerate("kmgt", 1)})
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def size_in_bytes(value):
    """Bytes of a number, or of a text such as 12GiB; None if it is neither, or nothing."""
    match = _SIZE.fullmatch(value.strip() if isinstance(value, str) else str(value) if is_number(value) else "")
    if not match or match.group(2).lower() not in _UNITS:
        return None
    return int(float(match.group(1)) * _UNITS[match.group(2).lower()]) or None


def size_text(size):
    """Bytes for people, in the unit that cards are sold by."""
    return f"{size / 1024**3:.1f} GiB"
