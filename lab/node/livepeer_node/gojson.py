# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON as Go's encoding/json reads it into a struct: keys in any case, null is no value, types to the letter.

A struct is described by a Struct: {key: type}, where a type is the name of one of Go's, another Struct, or [type].
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_INTEGERS = {"int": 64, "int64": 64, "uint32": 32}
_ZEROS = {"string": "", "bool": False, "json.Number": "", **dict.fromkeys(_INTEGERS, 0)}


class JsonError(ValueError):
    """The text is no JSON, or not of the wanted type; the words are close to Go's."""


@dataclass(frozen=True)
class Struct:
    """A Go struct: its name in error messages, and the type of every key."""

    name: str
    fields: dict

    @property
    def zero(self):
        return {key: zero_of(kind) for key, kind in self.fields.items()}

    @property
    def short_name(self):
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Optional:
    """A pointer to a struct, which a number may stand for where `from_number` says how."""

    kind: Struct
    from_number: object = None


class _Number(str):
    """A JSON number as it was written."""


class _Object(list):
    """A JSON object as its (key, value) pairs, duplicates kept."""


def zero_of(kind):
    if isinstance(kind, Struct):
        return kind.zero
    if isinstance(kind, list):
        return []
    return None if isinstance(kind, Optional) else _ZEROS[kind]


def decode(data, kind):
    """`data` (bytes or text) as a value of `kind`, with Go's zero value for whatever is left out."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    if not text.strip():
        raise JsonError("unexpected end of JSON input")
    try:
        document = json.loads(
            text, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        raise JsonError(_syntax(text, error)) from error
    return _value(document, kind, None, ())


def _no_constant(text):
    raise JsonError(f"invalid character '{text[0]}' looking for beginning of value")


def _syntax(text, error):
    if error.pos >= len(text.rstrip()):
        return "unexpected end of JSON input"
    character = text[error.pos]
    if error.msg == "Extra data":
        return f"invalid character '{character}' after top-level value"
    return f"invalid character '{character}' looking for beginning of value"


def _value(value, kind, owner, path):
    if value is None:
        return zero_of(kind)
    if isinstance(kind, Optional):
        if kind.from_number and isinstance(value, _Number) and re.fullmatch(r"-?[0-9]+", value):
            return kind.from_number(int(value))
        return _value(value, kind.kind, owner, path)
    if isinstance(kind, Struct):
        return _struct(value, kind, owner, path)
    if isinstance(kind, list):
        if not isinstance(value, list) or isinstance(value, _Object):
            raise _mismatch(value, kind, owner, path)
        return [_value(item, kind[0], owner, path) for item in value]
    return _plain(value, kind, owner, path)


def _struct(value, kind, owner, path):
    if not isinstance(value, _Object):
        raise _mismatch(value, kind, owner, path)
    found = kind.zero
    by_fold = {key.lower(): key for key in kind.fields}
    for key, item in value:
        name = key if key in kind.fields else by_fold.get(key.lower())
        if name is not None and item is not None:
            found[name] = _value(item, kind.fields[name], kind, (*path, name))
    return found


def _plain(value, kind, owner, path):
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "string" and isinstance(value, str) and not isinstance(value, _Number):
        return value
    if kind == "json.Number" and isinstance(value, str):
        if not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", value):
            raise JsonError(f'json: invalid number literal, trying to unmarshal "\\"{value}\\"" into Number')
        return str(value)
    if kind in _INTEGERS and isinstance(value, _Number) and _fits(value, kind):
        return int(value)
    raise _mismatch(value, kind, owner, path)


def _fits(text, kind):
    if not re.fullmatch(r"-?[0-9]{1,20}", text):
        return False
    low, high = (0, 2**32 - 1) if kind == "uint32" else (-(2**63), 2**63 - 1)
    return low <= int(text) <= high


def _mismatch(value, kind, owner, path):
    shown = _shown(value)
    if isinstance(value, _Number) and kind in _INTEGERS:
        shown = f"number {value}"
    target = _go_type(kind)
    if owner is None:
        return JsonError(f"json: cannot unmarshal {shown} into Go value of type {target}")
    field = f"{owner.short_name}.{'.'.join(path)}"
    return JsonError(f"json: cannot unmarshal {shown} into Go struct field {field} of type {target}")


def _go_type(kind):
    if isinstance(kind, Struct):
        return kind.name
    return f"[]{_go_type(kind[0])}" if isinstance(kind, list) else kind


def _shown(value):
    if isinstance(value, _Object):
        return "object"
    if isinstance(value, _Number):
        return "number"
    return {bool: "bool", str: "string"}.get(type(value), "array")
