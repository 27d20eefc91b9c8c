# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health, version and hardware, for every kind of pipeline."""

from __future__ import annotations

import logging
import os
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from ..dependencies import get_pipeline
from ..pipelines.base import HealthCheck, Pipeline, Version
from .utils import http_error

router = APIRouter()
Asked = Annotated[Pipeline, Depends(get_pipeline)]


def identity(pipeline: Pipeline) -> dict[str, str]:
    """What the environment says comes before what the pipeline says."""
    return {
        "pipeline": os.environ.get("PIPELINE") or pipeline.name,
        "model_id": os.environ.get("MODEL_ID") or pipeline.model_id,
    }


@router.get("/health", response_model=HealthCheck)
@router.get("/health/", response_model=HealthCheck, include_in_schema=False)
def health(pipeline: Asked) -> Any:
    try:
        return pipeline.get_health()
    except Exception as error:
        logging.error("No health: %s", error)
        return JSONResponse(http_error("Failed to retrieve pipeline status."), 500)


@router.get("/version", response_model=Version)
@router.get("/version/", response_model=Version, include_in_schema=False)
def version(pipeline: Asked) -> Any:
    return {**identity(pipeline), "version": os.environ.get("VERSION", "undefined")}


@router.get("/hardware/info")
@router.get("/hardware/info/", include_in_schema=False)
def hardware_info(pipeline: Asked) -> dict[str, Any]:
    return {**identity(pipeline), "gpu_info": {}}


@router.get("/hardware/stats")
@router.get("/hardware/stats/", include_in_schema=False)
def hardware_stats(pipeline: Asked) -> dict[str, Any]:
    return {**identity(pipeline), "gpu_stats": {}}
