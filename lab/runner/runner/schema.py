# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request fields and their validation: the same acceptances, defaults and 422 bodies as FastAPI with pydantic 2."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .forms import Upload

REQUIRED = object()
TRUE_WORDS = {"1", "on", "t", "true", "y", "yes"}
# A fraction of zeros is tolerated, a bare dot is not.
INTEGER_TEXT = re.compile(r"[+-]?[0-9]+(_[0-9]+)*(\.0+)?")
FALSE_WORDS = {"0", "off", "f", "false", "n", "no"}
NOT_AN_OBJECT = ("model_attributes_type", "Input should be a valid dictionary or object to extract fields from")


class ValidationError(Exception):
    """The list that becomes `detail` of a 422."""

    def __init__(self, problems: list[dict]) -> None:
        super().__init__("request validation failed")
        self.problems = problems


class Invalid(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    default: Any = REQUIRED

    def describe(self) -> dict:
        """The field as a property of an OpenAPI schema."""
        schema = dict(OPENAPI_TYPES[self.kind])
        if self.default is not REQUIRED and self.default is not None:
            schema["default"] = self.default
        return schema


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("string_type", "Input should be a valid string")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return _integer_from_text(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Invalid("finite_number", "Input should be a finite number")
        if not value.is_integer():
            raise Invalid("int_from_float", "Input should be a valid integer, got a number with a fractional part")
        return int(value)
    if not isinstance(value, int):
        raise Invalid("int_type", "Input should be a valid integer")
    return int(value)


def _integer_from_text(text: str) -> int:
    if not INTEGER_TEXT.fullmatch(text.strip()):
        raise Invalid("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
    return int(text.partition(".")[0])


def _number(value: Any) -> float:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError as error:
            raise Invalid(
                "float_parsing", "Input should be a valid number, unable to parse string as a number"
            ) from error
    if not isinstance(value, int | float):
        raise Invalid("float_type", "Input should be a valid number")
    return float(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        word = value.lower()
        if word in TRUE_WORDS or word in FALSE_WORDS:
            return word in TRUE_WORDS
    elif isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        if value in (0, 1):
            return bool(value)
    else:
        raise Invalid("bool_type", "Input should be a valid boolean")
    raise Invalid("bool_parsing", "Input should be a valid boolean, unable to interpret input")


def _upload(value: Any) -> Upload:
    if not isinstance(value, Upload):
        raise Invalid("value_error", f"Value error, Expected UploadFile, received: {type(value)}")
    return value


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "str": _string,
    "int": _integer,
    "float": _number,
    "bool": _boolean,
    "file": _upload,
}
OPENAPI_TYPES = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "file": {"type": "string", "format": "binary"},
    "messages": {"type": "array", "items": {"type": "object", "required": ["role", "content"]}},
}
MESSAGE_FIELDS = (Field("role", "str"), Field("content", "str"))


def problem(kind: str, location: list, message: str, value: Any) -> dict:
    found = {"type": kind, "loc": location, "msg": message, "input": value}
    if kind == "value_error":
        found["ctx"] = {"error": {}}
    return found


def parse_json_body(content_type: str, body: bytes) -> Any:
    """The document a JSON route sees. A body of another type arrives as text, and fails as such."""
    if not body:
        return None
    essence = content_type.split(";")[0].strip().lower()
    if (
        essence
        and essence != "application/json"
        and not (essence.startswith("application/") and essence.endswith("+json"))
    ):
        return body.decode("utf-8", "replace")
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        invalid = problem("json_invalid", ["body", error.pos], "JSON decode error", {})
        raise ValidationError([invalid | {"ctx": {"error": error.msg}}]) from error


def validate_json(fields: tuple[Field, ...], document: Any) -> dict[str, Any]:
    if document is None:
        raise ValidationError([problem("missing", ["body"], "Field required", None)])
    problems: list[dict] = []
    values = _validate_object(fields, document, ["body"], problems)
    if problems:
        raise ValidationError(problems)
    return values


def _validate_object(fields: tuple[Field, ...], document: Any, location: list, problems: list[dict]) -> dict[str, Any]:
    if not isinstance(document, dict):
        problems.append(problem(NOT_AN_OBJECT[0], location, NOT_AN_OBJECT[1], document))
        return {}
    values = {}
    for field in fields:
        here = [*location, field.name]
        if field.name not in document:
            if field.default is REQUIRED:
                problems.append(problem("missing", here, "Field required", document))
            else:
                values[field.name] = field.default
        elif field.kind == "messages":
            values[field.name] = _validate_messages(document[field.name], here, problems)
        else:
            _convert(field, document[field.name], here, values, problems)
    return values


def _validate_messages(messages: Any, location: list, problems: list[dict]) -> list[dict]:
    if not isinstance(messages, list):
        problems.append(problem("list_type", location, "Input should be a valid list", messages))
        return []
    return [
        _validate_object(MESSAGE_FIELDS, message, [*location, number], problems)
        for number, message in enumerate(messages)
    ]


def validate_form(fields: tuple[Field, ...], form: dict[str, str | Upload]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems: list[dict] = []
    for field in fields:
        here = ["body", field.name]
        given = form.get(field.name)
        # An empty text means "not given" where the field has a default; elsewhere FastAPI lets it through as it is.
        has_default = field.default is not REQUIRED and field.default is not None
        if given is None and field.default is REQUIRED:
            problems.append(problem("missing", here, "Field required", None))
        elif given is None or (given == "" and has_default):
            values[field.name] = field.default
        else:
            _convert(field, given, here, values, problems)
    if problems:
        raise ValidationError(problems)
    return values


def _convert(field: Field, value: Any, location: list, values: dict[str, Any], problems: list[dict]) -> None:
    try:
        values[field.name] = CONVERSIONS[field.kind](value)
    except Invalid as invalid:
        shown = value.describe() if isinstance(value, Upload) else value
        problems.append(problem(invalid.kind, location, str(invalid), shown))
