# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side: GET /health, POST /v1/infer, POST /v1/infer/stream."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from .errors import BadRequest, ClientGone, Overloaded
from .model import ERROR, READY, Model
from .settings import Settings
from .workers import Workers

log = logging.getLogger("service_wrapper")

HEALTH_STATUS = {READY: 200, ERROR: 500}
DONE = "data: [DONE]\n\n"
RETRY_SECONDS = "1"
# Nobody reads this answer; the number is for the log, as other servers have it.
CLIENT_CLOSED_REQUEST = 499


def parse(body: bytes) -> dict[str, Any]:
    """The request as the engineer's functions get it."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise BadRequest("the body must be a JSON object")
    return request


def dump(answer: Any) -> str:
    """JSON on one line, which is what an event may hold; NaN is not JSON."""
    return json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def failure(error: Exception) -> tuple[int, str]:
    """Status and sentence for what an engineer's function raised."""
    if isinstance(error, BadRequest):
        return 400, str(error)
    if isinstance(error, Overloaded):
        return 503, str(error)
    if isinstance(error, ClientGone):
        return CLIENT_CLOSED_REQUEST, "the client is gone"
    log.error("inference failed", exc_info=error)
    return 500, f"{type(error).__name__}: {error}"


def failure_answer(error: Exception) -> JSONResponse:
    status, sentence = failure(error)
    return JSONResponse({"error": sentence}, status, {"Retry-After": RETRY_SECONDS} if status == 503 else None)


def create_app(settings: Settings) -> FastAPI:
    """The application; loading begins when it starts."""
    model = Model(settings)
    workers = Workers(settings.max_concurrency, settings.max_queue)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        model.start()
        yield

    async def authorised(request: Request) -> None:
        given = request.headers.get("authorization", "").encode("latin-1")
        if settings.token and not hmac.compare_digest(given, b"Bearer " + settings.token):
            raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})

    async def ready() -> None:
        if model.status != READY:
            raise HTTPException(503, f"{model.status}: {model.reason}", {"Retry-After": RETRY_SECONDS})

    async def body_of(request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > settings.max_body_bytes:
                raise HTTPException(413, f"the body is larger than {settings.max_body_bytes} bytes")
        return bytes(body)

    # A machine's interface: no pages that describe it to strangers.
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    guarded = [Depends(authorised), Depends(ready)]

    @app.exception_handler(AnyHTTPException)
    async def as_json(_request: Request, error: AnyHTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.get("/health")
    async def health() -> JSONResponse:
        answer: dict[str, Any] = {"status": model.status, "model_id": settings.model_id}
        if model.status == READY:
            answer |= {"revision": settings.model_revision, "requests": workers.taken}
        else:
            answer["reason"] = model.reason
        return JSONResponse(answer, HEALTH_STATUS.get(model.status, 503))

    @app.post("/v1/infer", dependencies=guarded)
    async def infer(request: Request) -> Response:
        body = await body_of(request)
        try:
            # Parsing and writing JSON are work as well: an image or a thousand vectors would hold up /health.
            answer = await workers.run(lambda: dump(model.infer(parse(body))), client_gone(request))
        except Exception as error:
            return failure_answer(error)
        return Response(answer, media_type="application/json")

    @app.post("/v1/infer/stream", dependencies=guarded)
    async def infer_stream(request: Request) -> Response:
        body = await body_of(request)

        def pieces() -> Iterator[str]:
            for piece in model.infer_stream(parse(body)):
                yield f"data: {dump(piece)}\n\n"

        try:
            events = workers.stream(pieces)
            # With the first piece in hand a failure still has a status; afterwards it can only be an event.
            first = await anext_or_done(events)
        except Exception as error:
            return failure_answer(error)
        return StreamingResponse(rest_of(first, events), media_type="text/event-stream", headers=NO_BUFFERING)

    return app


async def client_gone(request: Request) -> None:
    """Return when the connection is closed; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


# Proxies on the way must hand on each event as it comes.
NO_BUFFERING = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def anext_or_done(events: AsyncIterator[str]) -> str:
    async for event in events:
        return event
    return ""


async def rest_of(first: str, events: AsyncIterator[str]) -> AsyncIterator[str]:
    try:
        if first:
            yield first
        async for event in events:
            yield event
    except Exception as error:
        _status, sentence = failure(error)
        yield f"event: error\ndata: {dump({'error': sentence})}\n\n"
    finally:
        await events.aclose()
    yield DONE
