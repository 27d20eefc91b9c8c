# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Form bodies: multipart/form-data and application/x-www-form-urlencoded."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Upload:
    filename: str
    content_type: str
    data: bytes

    def describe(self) -> dict:
        return {"filename": self.filename, "size": len(self.data), "headers": {"content-type": self.content_type}}


class FormError(Exception):
    """A body that is no form; answered with 400 and a plain text as `detail`."""


UNREADABLE = "There was an error parsing the body"


def parse_form(content_type: str, body: bytes) -> dict[str, str | Upload]:
    """Name to value; a repeated name keeps its last value. A body of another type holds no fields."""
    header = Message()
    header["content-type"] = content_type
    kind = header.get_content_type() if content_type else ""
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if kind != "multipart/form-data":
        return {}
    boundary = header.get_param("boundary")
    if not boundary:
        raise FormError("Missing boundary in multipart.")
    return _parse_multipart(str(boundary).encode("latin-1"), body)


def _parse_multipart(boundary: bytes, body: bytes) -> dict[str, str | Upload]:
    if not body:
        return {}
    start, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if start or not parts:
        raise FormError(UNREADABLE)
    form: dict[str, str | Upload] = {}
    # What follows the last boundary is the end mark "--", or a part that was cut off: neither is a field.
    for part in parts[:-1]:
        if part.startswith(b"--"):
            break
        head, blank, data = part.partition(b"\r\n\r\n")
        if not blank or not head.startswith(b"\r\n"):
            raise FormError(UNREADABLE)
        name, value = _parse_part(head[2:], data)
        form[name] = value
    return form


def _parse_part(head: bytes, data: bytes) -> tuple[str, str | Upload]:
    headers = Message()
    for line in head.decode("utf-8", "replace").split("\r\n"):
        key, _, value = line.partition(":")
        headers[key.strip()] = value.strip()
    name = headers.get_param("name", header="content-disposition")
    if name is None:
        raise FormError('The Content-Disposition header field "name" must be provided.')
    filename = headers.get_param("filename", header="content-disposition")
    if filename is not None:
        return str(name), Upload(str(filename), headers.get("content-type", ""), data)
    try:
        return str(name), data.decode("utf-8")
    except UnicodeDecodeError:
        return str(name), data.decode("latin-1")
