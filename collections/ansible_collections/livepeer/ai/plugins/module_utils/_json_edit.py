# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change members of a JSON document and leave every other byte of its text alone. Private to the collection."""

from __future__ import annotations

import json
import json.decoder
from dataclasses import dataclass

SPACE = " \t\n\r"
WORDS = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}


class EditError(ValueError):
    """Why a document cannot be edited: the middle of a sentence, and where, if that is a place in the text."""

    def __init__(self, why, text="", position=None):
        super().__init__(why)
        self.line = self.column = None
        if position is not None:
            self.line = text.count("\n", 0, position) + 1
            self.column = position - text.rfind("\n", 0, position)


def kind(value):
    """A JSON type in words."""
    return WORDS.get(type(value), "a number")


def dotted(path):
    """A path of keys for people; keys that hold dots are quoted."""
    return ".".join(f'"{key}"' if "." in key else key for key in path)


def same(one, other):
    """Equality as JSON has it: Python takes true for 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@dataclass
class Member:
    """One member of an object, and where its text is."""

    name: str
    start: int  # of its key
    name_end: int
    value: int
    end: int


@dataclass
class Layout:
    """How the members of an object are set."""

    lead: str  # before a key: a line break and the indentation, or what separates members on one line
    colon: str
    unit: str  # one step of indentation

    @property
    def broken(self):
        return "\n" in self.lead

    def deeper(self):
        """The same for an object inside this one."""
        return Layout(self.lead + self.unit, self.colon, self.unit) if self.broken else self

    def dump(self, value):
        """A value as it is written behind a key of this object."""
        if not self.broken:
            return json.dumps(value, ensure_ascii=False, separators=("," + self.lead, self.colon), allow_nan=False)
        lines = json.dumps(
            value, ensure_ascii=False, indent=self.unit, separators=(",", self.colon), allow_nan=False
        ).split("\n")
        return self.lead.join(lines)


# What an empty document is written with; one that has members keeps its own way.
FRESH = Layout(lead="\n  ", colon=": ", unit="  ")


def _refuse_constant(name):
    raise ValueError(name)


# Numbers stay as they are written: a long one must not be parsed only to be thrown away.
_SCALARS = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)


def _skip(text, position):
    while position < len(text) and text[position] in SPACE:
        position += 1
    return position


def _walk(text, position, names=()):
    """The end of the value at a position; refuses what Python would read and Docker would not, or not as one thinks."""
    if text[position] == "{":
        return _walk_members(text, position, names)[1]
    if text[position] == "[":
        position = _skip(text, position + 1)
        while text[position] != "]":
            position = _skip(text, _walk(text, position, names))
            if text[position] == ",":
                position = _skip(text, position + 1)
        return position + 1
    try:
        return _SCALARS.raw_decode(text, position)[1]
    except ValueError as error:
        # The text has been read once, so this is what _refuse_constant says.
        raise EditError(f"holds {error}, which JSON does not have", text, position) from None


def _walk_members(text, position, names=()):
    """The members of the object at a position, and its end. The text has been read as JSON before."""
    members, seen = [], set()
    position = _skip(text, position + 1)
    while text[position] != "}":
        start = position
        name, name_end = json.decoder.scanstring(text, start + 1)
        if name in seen:
            raise EditError(f"has the key {dotted((*names, name))} twice", text, start)
        seen.add(name)
        value = _skip(text, _skip(text, name_end) + 1)
        end = _walk(text, value, (*names, name))
        members.append(Member(name, start, name_end, value, end))
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return members, position + 1


class Document:
    """The text of a JSON object."""

    def __init__(self, text):
        self.text = text
        # Docker accepts the mark that some editors put in front.
        self.begin = _skip(text, 1 if text.startswith("\ufeff") else 0)
        self.value = self._read() if self.begin < len(text) else {}

    def _read(self):
        try:
            # First as a whole: the decoder's own words for a fault are the best there are.
            value = json.loads(self.text[self.begin :])
            _walk(self.text, self.begin)
        except json.JSONDecodeError as error:
            raise EditError(f"is not valid JSON ({error.msg})", self.text, self.begin + error.pos) from None
        except RecursionError:
            raise EditError("is nested too deeply") from None
        except EditError:
            raise
        except ValueError as error:
            # Python refuses to read numbers of thousands of digits.
            raise EditError(f"holds a number that cannot be read ({error})") from None
        if not isinstance(value, dict):
            raise EditError(f"holds {kind(value)} instead of an object", self.text, self.begin)
        return value

    def merged(self, wanted):
        """This document with all members of wanted, objects merged member by member."""
        document = self
        for path, value in _differences(self.value, wanted):
            document = Document(document._put(path, value))
        return document

    def without(self, paths):
        """This document without the members at these paths. What holds them stays, even if it becomes empty."""
        document = self
        for path in paths:
            document = Document(document._drop(path))
        return document

    def _put(self, path, value):
        if self.begin == len(self.text):
            # The rest of an empty file, a byte order mark perhaps, is not a member to preserve.
            return json.dumps({path[0]: value}, ensure_ascii=False, indent=FRESH.unit, allow_nan=False) + "\n"
        start, end, layout = self._object(path[:-1])
        members, _end = _walk_members(self.text, start)
        found = next((member for member in members if member.name == path[-1]), None)
        if found:
            return self.text[: found.value] + layout.dump(value) + self.text[found.end :]
        text = json.dumps(path[-1], ensure_ascii=False) + layout.colon + layout.dump(value)
        if members:
            last = members[-1].end
            return self.text[:last] + "," + layout.lead + text + self.text[last:]
        inside = layout.lead + text + layout.lead[: -len(layout.unit)] if layout.broken else text
        return self.text[: start + 1] + inside + self.text[end - 1 :]

    def _drop(self, path):
        holder = self.value
        for name in path[:-1]:
            holder = holder.get(name) if isinstance(holder, dict) else None
        if not isinstance(holder, dict) or path[-1] not in holder:
            return self.text
        start, end, _layout = self._object(path[:-1])
        members, _end = _walk_members(self.text, start)
        place = [member.name for member in members].index(path[-1])
        if len(members) == 1:
            return self.text[: start + 1] + self.text[end - 1 :]
        if place == len(members) - 1:
            return self.text[: members[-2].end] + self.text[members[-1].end :]
        return self.text[: members[place].start] + self.text[members[place + 1].start :]

    def _object(self, path):
        """Where the object at a path begins and ends, and how its members are set."""
        start, layout, margin = self.begin, FRESH, ""
        for name in (*path, None):
            members, end = _walk_members(self.text, start)
            layout = self._habit(start, members, layout, margin)
            if name is not None:
                start = next(member.value for member in members if member.name == name)
                layout, margin = layout.deeper(), layout.lead.lstrip("\r\n")
        return start, end, layout

    def _habit(self, start, members, inherited, margin):
        """How the members of an object are set; one without members follows the object around it."""
        if not members:
            return inherited
        last = members[-1]
        before = start if len(members) == 1 else self.text.index(",", members[-2].end)
        lead = self.text[before + 1 : last.start]
        colon = self.text[last.name_end : last.value]
        if "\n" not in lead:
            # There may be nothing in front of an only member; the space behind its colon tells the habit.
            habit = " " if len(members) == 1 and colon.endswith(" ") else lead
            return Layout(habit, colon, inherited.unit)
        # Blank lines above the last member are not repeated.
        indentation = lead[lead.rindex("\n") + 1 :]
        unit = indentation[len(margin) :] if indentation.startswith(margin) else ""
        return Layout(("\r\n" if "\r\n" in lead else "\n") + indentation, colon, unit or inherited.unit)


def _differences(current, wanted, path=()):
    """(path, value) of every member that must be written."""
    for name, value in wanted.items():
        here = (*path, name)
        if name not in current:
            yield here, value
        elif isinstance(current[name], dict) and isinstance(value, dict):
            yield from _differences(current[name], value, here)
        elif isinstance(current[name], dict) or isinstance(value, dict):
            raise EditError(f"has {kind(current[name])} as {dotted(here)}, where {kind(value)} is wanted")
        elif not same(current[name], value):
            yield here, value
