# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How values from YAML are told apart and named in messages. Private to the collection."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


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
