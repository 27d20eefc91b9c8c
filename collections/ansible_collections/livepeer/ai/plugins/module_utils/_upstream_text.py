# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks in an upstream file, and the refusal when one is not there. Private to the collection."""

from __future__ import annotations

import re


class NotRecognised(ValueError):
    """The file is not one that the change is known for. The text is one sentence that names the place."""

    def __init__(self, place, what):
        super().__init__(f"{place}: {what}")


def only(lines, pattern, place, what, start=0, end=None):
    """Index of the one line from start to end that the pattern matches whole."""
    end = len(lines) if end is None else end
    found = [index for index in range(start, end) if re.fullmatch(pattern, lines[index])]
    if len(found) == 1:
        return found[0]
    raise NotRecognised(place, f"{what} is {'there ' + str(len(found)) + ' times' if found else 'not there'}")


def closing(lines, pattern, start, place, what, end=None):
    """Index of the first line after start that closes what start opens."""
    end = len(lines) if end is None else end
    for index in range(start + 1, end):
        if re.fullmatch(pattern, lines[index]):
            return index
    raise NotRecognised(place, f"{what} has no end")


def insert(lines, index, *new):
    """The lines with new ones before index."""
    return [*lines[:index], *new, *lines[index:]]


def replace(lines, index, new):
    return insert(lines[:index], index, new) + lines[index + 1 :]
