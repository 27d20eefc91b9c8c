# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a stream."""

from __future__ import annotations

import logging
import os
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from ..dependencies import get_pipeline
from ..pipelines.base import Pipeline
from .utils import LiveVideoToVideoResponse, http_error

router = APIRouter()


class LiveVideoToVideoParams(BaseModel):
    subscribe_url: str
    publish_url: str
    control_url: str = ""
    events_url: str = ""
    model_id: str = ""
    params: dict[str, Any] = {}
    gateway_request_id: str = ""
    manifest_id: str = ""
    stream_id: str = ""


@router.post("/live-video-to-video", response_model=LiveVideoToVideoResponse)
@router.post("/live-video-to-video/", response_model=LiveVideoToVideoResponse, include_in_schema=False)
def live_video_to_video(
    params: LiveVideoToVideoParams,
    pipeline: Annotated[Pipeline, Depends(get_pipeline)],
    token: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> Any:
    wanted = os.environ.get("AUTH_TOKEN")
    if wanted and (not token or token.credentials != wanted):
        return JSONResponse(http_error("Invalid bearer token."), 401, {"WWW-Authenticate": "Bearer"})
    if params.model_id not in ("", pipeline.model_id):
        message = f"pipeline configured with {pipeline.model_id} but called with {params.model_id}."
        return JSONResponse(http_error(message), 400)
    try:
        pipeline(**params.model_dump(), request_id=params.gateway_request_id)
    except Exception as error:
        logging.error("The stream did not start: %s", error)
        return JSONResponse(http_error("live-video-to-video pipeline error."), 500)
    return {"subscribe_url": "", "publish_url": "", "control_url": ""}
