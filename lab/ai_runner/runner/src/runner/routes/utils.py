# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of answers."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image
from pydantic import BaseModel


class APIError(BaseModel):
    msg: str


class HTTPError(BaseModel):
    detail: APIError


class Media(BaseModel):
    url: str
    seed: int
    nsfw: bool


class ImageResponse(BaseModel):
    images: list[Media]


class LiveVideoToVideoResponse(BaseModel):
    subscribe_url: str
    publish_url: str
    control_url: str
    events_url: str = ""


def http_error(msg: str) -> dict[str, Any]:
    return {"detail": {"msg": msg}}


def image_to_data_url(image: Image.Image, format: str = "png") -> str:
    buffer = io.BytesIO()
    image.save(buffer, format=format)
    return f"data:image/{format};base64,{base64.b64encode(buffer.getvalue()).decode()}"
