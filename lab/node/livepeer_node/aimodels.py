# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""-aiModels: the file and its inline form, parsed as Go's encoding/json does, and the price rules (facts 2, 1.9)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from . import tables
from .flags import ParseError, parse_bool


class ModelsError(ValueError):
    """The text cannot be parsed: "Error parsing -aiModels: …", status 0."""


class PriceError(ValueError):
    """A price the node panics at (status 2)."""


@dataclass
class Entry:
    """One element of aiModels.json, with the defaults of a key that is left out."""

    pipeline: str = ""
    model_id: str = ""
    url: str = ""
    token: str = ""
    warm: bool = False
    capacity: int = 0
    optimization_flags: dict[str, str] = field(default_factory=dict)
    gateway: str = ""
    price_per_unit: Fraction | None = None
    pixels_per_unit: Fraction | None = None
    currency: str = ""


def capability_of(pipeline: str) -> int | None:
    """The capability id, by the node's own comparison: it lets "Text-to-image" and "H.264" pass (facts 2.2)."""
    if not pipeline:
        return None
    wanted = pipeline[:1].upper() + pipeline[1:].replace("-", " ")
    return next((number for number, name in tables.CAPABILITY_NAMES.items() if name == wanted), None)


# --- parsing -----------------------------------------------------------------------------------------------------
def parse(text: str) -> list[Entry]:
    """The entries of the file named by `text`, or of `text` itself when no such file exists."""
    if os.path.isfile(text):
        try:
            with open(text, "rb") as file:
                return parse_json(file.read())
        except OSError as error:
            raise ModelsError(f"open {text}: {(error.strerror or str(error)).lower()}") from error
    return [_inline_entry(part) for part in text.split(",")]


def _inline_entry(text: str) -> Entry:
    parts = text.split(":")
    if len(parts) < 3:
        raise ModelsError("invalid AI model config expected <pipeline>:<model_id>:<warm>")
    try:
        return Entry(pipeline=parts[0], model_id=parts[1], warm=parse_bool(parts[2]))
    except ParseError as error:
        raise ModelsError(f'strconv.ParseBool: parsing "{parts[2]}": invalid syntax') from error


class _Number(str):
    """A JSON number as it was written."""


class _Object(list):
    """A JSON object as its (key, value) pairs, duplicates kept."""


def _no_constant(text: str) -> None:
    raise ModelsError(f"invalid character {text[0]!r} looking for beginning of value")


def parse_json(data: bytes) -> list[Entry]:
    try:
        document = json.loads(
            data.decode("utf-8", errors="replace"),
            object_pairs_hook=_Object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise ModelsError(f"invalid JSON: {error}") from error
    if document is None:
        return []
    if not isinstance(document, list) or isinstance(document, _Object):
        raise ModelsError(f"json: cannot unmarshal {_kind(document)} into Go value of type []core.AIModelConfig")
    return [_entry(item) for item in document]


def _entry(item: object) -> Entry:
    entry = Entry()
    if item is None:
        return entry
    if not isinstance(item, _Object):
        raise ModelsError(f"json: cannot unmarshal {_kind(item)} into Go value of type core.AIModelConfig")
    for key, value in item:
        name = key if key in _FIELDS else key.lower()
        if name in _FIELDS:
            _FIELDS[name](entry, name, value)
    return entry


def _kind(value: object) -> str:
    """What Go calls the JSON value at hand."""
    if isinstance(value, _Object):
        return "object"
    if isinstance(value, _Number):
        return "number"
    return {bool: "bool", str: "string", list: "array"}.get(type(value), "null")


def _mismatch(value: object, name: str, go_type: str) -> ModelsError:
    shown = f"number {value}" if isinstance(value, _Number) and go_type == "int" else _kind(value)
    return ModelsError(f"json: cannot unmarshal {shown} into Go struct field AIModelConfig.{name} of type {go_type}")


def _set_string(entry: Entry, name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or isinstance(value, _Number):
        raise _mismatch(value, name, "string")
    setattr(entry, name, value)


def _set_bool(entry: Entry, name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, bool):
        raise _mismatch(value, name, "bool")
    setattr(entry, name, value)


def _set_int(entry: Entry, name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, _Number) or not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise _mismatch(value, name, "int")
    setattr(entry, name, int(value))


def _set_number(entry: Entry, name: str, value: object) -> None:
    """JSONRat: only a JSON number will do; null and quoted text are refused (facts 2.1)."""
    exponent = re.search(r"[eE][+-]?0*([0-9]+)\Z", value) if isinstance(value, _Number) else None
    if not isinstance(value, _Number) or (exponent and int(exponent[1]) > 10**6):
        raise ModelsError(f"value is not a number: {_raw(value)}")
    setattr(entry, name, Fraction(value))


def _set_flags(entry: Entry, name: str, value: object) -> None:
    if value is None:
        entry.optimization_flags = {}
        return
    if not isinstance(value, _Object):
        raise _mismatch(value, name, "worker.OptimizationFlags")
    for key, item in value:
        entry.optimization_flags[key] = _environment_value(item)


def _environment_value(item: object) -> str:
    """Booleans become their text, null becomes "false"; numbers, arrays and objects refuse the file (facts 2.1)."""
    if item is None:
        return "false"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str) and not isinstance(item, _Number):
        return item
    raise ModelsError(f"json: cannot unmarshal {_kind(item)} into Go value of type string")


def _raw(value: object) -> str:
    if isinstance(value, _Number):
        return str(value)
    return json.dumps(dict(value) if isinstance(value, _Object) else value)


_FIELDS: dict[str, Callable[[Entry, str, object], None]] = {
    "pipeline": _set_string,
    "model_id": _set_string,
    "url": _set_string,
    "token": _set_string,
    "warm": _set_bool,
    "capacity": _set_int,
    "optimization_flags": _set_flags,
    "gateway": _set_string,
    "price_per_unit": _set_number,
    "pixels_per_unit": _set_number,
    "currency": _set_string,
}


# --- prices (on-chain only) --------------------------------------------------------------------------------------
_PRICE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-z][A-z0-9]*)?\Z")


def parse_price(text: str) -> tuple[Fraction, str]:
    """(price, currency) from "<digits>[.<digits>][CURRENCY]"; no sign, no space (facts 1.9)."""
    match = _PRICE.match(text)
    if not match:
        raise PriceError(f"price must be in the format of <price><currency>, provided {text}")
    return Fraction(match[1]), match[2] or ""


def parse_pixels(text: str) -> Fraction:
    """-pixelsPerUnit, or the panic it causes."""
    try:
        pixels = Fraction(text)
    except (ValueError, ZeroDivisionError):
        pixels = None
    if pixels is None or pixels.denominator != 1:
        raise PriceError(f"-pixelsPerUnit must be a valid integer, provided {text}")
    if pixels <= 0:
        raise PriceError(f"-pixelsPerUnit must be > 0, provided {text}")
    return pixels


def to_wei(price: Fraction, currency: str) -> Fraction:
    """The price in wei; a currency other than wei, eth and the feed's is refused (facts 1.9)."""
    if currency.lower() in ("", "wei"):
        return price
    if currency.lower() == "eth":
        return price * tables.WEI_PER_ETH
    if currency.upper() not in tables.PRICE_FEED_PAIR:
        base, quote = tables.PRICE_FEED_PAIR
        raise PriceError(f"price feed does not have {currency.upper()} as a currency ({base}/{quote})")
    return price * tables.WEI_PER_ETH / tables.PRICE_FEED_RATE


def entry_price(entry: Entry, base_price: str | None, base_pixels: str) -> Fraction:
    """Wei per unit of one entry, from its own keys or from -pricePerUnit and -pixelsPerUnit (facts 1.9)."""
    where = f"'{entry.model_id}' in pipeline '{entry.pipeline}'"
    pixels = entry.pixels_per_unit or parse_pixels(base_pixels)
    if entry.pixels_per_unit is not None and (entry.pixels_per_unit <= 0 or entry.pixels_per_unit.denominator != 1):
        raise PriceError(
            f"'pixelsPerUnit' value specified for model {where} must be a valid positive integer, "
            f"provided {float(entry.pixels_per_unit):.2f}"
        )
    if entry.price_per_unit is not None:
        if entry.price_per_unit < 0:
            raise PriceError(
                f"'pricePerUnit' value specified for model {where} must be a valid positive number, "
                f"provided {float(entry.price_per_unit):.2f}"
            )
        price, currency = entry.price_per_unit, entry.currency
    else:
        price, currency = parse_price(base_price) if base_price is not None else (Fraction(0), "")
        if price == 0:
            raise PriceError(f"'pricePerUnit' must be set for model {where}")
    try:
        return to_wei(price / pixels, currency)
    except PriceError as error:
        raise PriceError(f"error converting price: {error}") from error
