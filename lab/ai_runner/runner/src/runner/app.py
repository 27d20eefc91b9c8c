# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry points of an own pipeline's main module."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from .live.pipelines import PipelineSpec, builtin_pipeline_spec
from .live.pipelines.loader import load_pipeline_class
from .pipelines.base import Pipeline
from .routes import common

LOG_FORMAT = "timestamp=%(asctime)s level=%(levelname)s location=%(filename)s:%(lineno)d message=%(message)s"
logging.basicConfig(
    format=LOG_FORMAT, level=logging.DEBUG if os.environ.get("VERBOSE_LOGGING") == "1" else logging.INFO
)


def load_pipeline(pipeline: str, model_id: str) -> Pipeline:
    """The lab has the package's own live pipeline; the ten others are lab/runner's."""
    spec = builtin_pipeline_spec(model_id) if pipeline == "live-video-to-video" else None
    if spec is None:
        raise OSError(f"{pipeline} is not a valid pipeline for model {model_id}")
    from .pipelines.live_video_to_video import LiveVideoToVideoPipeline

    return LiveVideoToVideoPipeline(spec)


def prepare_models(pipeline_spec: PipelineSpec) -> None:
    logging.info("Preparing the models of %s", pipeline_spec.name)
    load_pipeline_class(pipeline_spec.pipeline_cls).prepare_models()
    logging.info("The models of %s are prepared", pipeline_spec.name)


def create_app(pipeline: Pipeline | None = None) -> FastAPI:
    """The server around a pipeline; without one, around the one that PIPELINE and MODEL_ID name."""
    name, model_id = os.environ.get("PIPELINE", ""), os.environ.get("MODEL_ID", "")
    if pipeline is None and name and model_id:
        pipeline = load_pipeline(name, model_id)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if pipeline is None:
            raise OSError("A pipeline must be given, or PIPELINE and MODEL_ID be set.")
        router = pipeline.router
        if router is None:
            raise NotImplementedError(f"{type(pipeline).__name__} has no router.")
        app.pipeline = pipeline
        app.include_router(common.router)
        app.include_router(router)
        logging.info("Started with pipeline=%s model_id=%s", type(pipeline).__name__, pipeline.model_id)
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> PlainTextResponse:
        version = os.environ.get("VERSION", "undefined")
        return PlainTextResponse(f'version{{app="ai-runner",version="{version}"}} 1.0\n')

    return app


def start_app(
    pipeline: Pipeline | PipelineSpec | None = None,
    host: str | None = None,
    port: int | None = None,
    **uvicorn_kwargs: Any,
) -> None:
    """Prepare the models of a live pipeline and return, or serve until stopped."""
    if isinstance(pipeline, PipelineSpec):
        if os.environ.get("PREPARE_MODELS") == "1" or "--prepare-models" in sys.argv:
            prepare_models(pipeline)
            return
        from .pipelines.live_video_to_video import LiveVideoToVideoPipeline

        pipeline = LiveVideoToVideoPipeline(pipeline)

    import uvicorn

    address = host or os.environ.get("HOST", "0.0.0.0")
    uvicorn.run(create_app(pipeline), host=address, port=port or int(os.environ.get("PORT", "8000")), **uvicorn_kwargs)
