# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of one runner: its inference route, and the ones every runner has (ai-runner.md 2.1, 4.2, 4.3)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import Refusal
from .forms import FormError, parse_form
from .pipelines.base import Pipeline
from .pipelines.llm import server_sent_events
from .schema import REQUIRED, ValidationError, parse_json_body, validate_form, validate_json
from .settings import Settings

log = logging.getLogger(__name__)

HEALTH_STATUSES = ("OK", "IDLE", "LOADING", "ERROR")
PROMETHEUS_TYPE = "text/plain; version=1.0.0; charset=utf-8"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Any
    body: bytes

    def bearer_token(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" and token else None


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes | Iterator[bytes]
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def json_response(status: int, document: Any, **headers: str) -> Response:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(status, text.encode("utf-8"), headers={name.replace("_", "-"): headers[name] for name in headers})


def error_response(status: int, message: str, **headers: str) -> Response:
    return json_response(status, {"detail": {"msg": message}}, **headers)


@dataclass(frozen=True)
class Route:
    method: str
    answer: Callable[[Request], Response]
    # Whether nothing else is answered while this one works.
    blocks: bool = True
    twin: bool = True


class Application:
    def __init__(self, settings: Settings, pipeline: Pipeline) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.routes = {
            "/health": Route("GET", self.health),
            "/hardware/info": Route("GET", self.hardware_info),
            "/hardware/stats": Route("GET", self.hardware_stats),
            "/version": Route("GET", self.version),
            "/metrics": Route("GET", self.metrics, twin=False),
            "/openapi.json": Route("GET", self.openapi, twin=False),
            f"/{pipeline.name}": Route("POST", self.inference, blocks=pipeline.blocks_event_loop),
        }

    def route(self, path: str) -> Route | None:
        """The route of a path; most exist with a slash at the end as well."""
        if path in self.routes:
            return self.routes[path]
        twin = self.routes.get(path[:-1]) if path.endswith("/") else None
        return twin if twin and twin.twin else None

    def answer(self, request: Request) -> Response:
        route = self.route(request.path)
        if route is None:
            return self._other_slash(request) or json_response(404, {"detail": "Not Found"})
        if request.method != route.method:
            return json_response(405, {"detail": "Method Not Allowed"}, allow=route.method)
        try:
            return route.answer(request)
        except Exception:
            # Outside what a route foresees, the real framework answers without JSON.
            log.exception("Exception in ASGI application")
            return Response(500, b"Internal Server Error", "text/plain; charset=utf-8")

    def _other_slash(self, request: Request) -> Response | None:
        path = request.path
        other = path[:-1] if path.endswith("/") else f"{path}/"
        if other not in self.routes:
            return None
        return Response(307, b"", headers={"location": f"http://{request.headers.get('host', '')}{other}"})

    # The routes of every runner

    def health(self, request: Request) -> Response:
        status = self.settings.health_status
        if status not in HEALTH_STATUSES:
            log.error("Error retrieving pipeline status: %s", status)
            return error_response(500, "Failed to retrieve pipeline status.")
        return json_response(200, {"status": status})

    def hardware_info(self, request: Request) -> Response:
        return self._hardware("gpu_info", ("id", "name", "memory_total", "memory_free", "major", "minor"))

    def hardware_stats(self, request: Request) -> Response:
        keys = ("id", "name", "memory_total", "memory_free", "utilization_compute", "utilization_memory")
        return self._hardware("gpu_stats", keys)

    def _hardware(self, name: str, keys: tuple[str, ...]) -> Response:
        """Empty without a GPU; GPU_INFO describes some to stand in."""
        gpus = {index: {key: gpu[key] for key in keys} for index, gpu in self.settings.gpus.items()}
        return json_response(200, self._identity() | {name: gpus})

    def version(self, request: Request) -> Response:
        return json_response(200, self._identity() | {"version": self.settings.version})

    def _identity(self) -> dict[str, str]:
        return {"pipeline": self.settings.pipeline, "model_id": self.settings.model_id}

    def metrics(self, request: Request) -> Response:
        lines = (
            "# HELP version Runner version",
            "# TYPE version gauge",
            f'version{{app="ai-runner",version="{self.settings.version}"}} 1.0',
        )
        return Response(200, "".join(f"{line}\n" for line in lines).encode(), PROMETHEUS_TYPE)

    def openapi(self, request: Request) -> Response:
        pipeline = self.pipeline
        content_type = "multipart/form-data" if pipeline.takes_form else "application/json"
        schema = {
            "type": "object",
            "required": [field.name for field in pipeline.fields if field.default is REQUIRED],
            "properties": {field.name: field.describe() for field in pipeline.fields},
        }
        operations: dict[str, dict] = {
            path: {route.method.lower(): {"responses": {"200": {"description": "Successful Response"}}}}
            for path, route in self.routes.items()
            if route.twin
        }
        operations[f"/{pipeline.name}"]["post"]["requestBody"] = {"content": {content_type: {"schema": schema}}}
        info = {"title": "FastAPI", "version": "0.1.0"}
        return json_response(200, {"openapi": "3.1.0", "info": info, "paths": operations})

    # The inference route

    def inference(self, request: Request) -> Response:
        try:
            values = self._read(request)
        except ValidationError as error:
            return json_response(422, {"detail": error.problems})
        except (FormError, UnicodeDecodeError) as error:
            unreadable = "There was an error parsing the body"
            return json_response(400, {"detail": str(error) if isinstance(error, FormError) else unreadable})
        return self._refusal(request, values) or self._infer(values)

    def _read(self, request: Request) -> dict[str, Any]:
        content_type = request.headers.get("content-type", "")
        if self.pipeline.takes_form:
            return validate_form(self.pipeline.fields, parse_form(content_type, request.body))
        return validate_json(self.pipeline.fields, parse_json_body(content_type, request.body))

    def _refusal(self, request: Request, values: dict[str, Any]) -> Response | None:
        pipeline = self.pipeline
        missing = pipeline.missing_input(values)
        if missing:
            return error_response(400, missing)
        token = self.settings.auth_token
        if token and request.bearer_token() != token:
            return error_response(401, pipeline.bearer_message, www_authenticate="Bearer")
        called = values[pipeline.model_field]
        if called not in ("", pipeline.model_id):
            text = f"pipeline configured with {pipeline.model_id} but called with {called}{pipeline.mismatch_end}"
            return error_response(400, text)
        return None

    def _infer(self, values: dict[str, Any]) -> Response:
        pipeline = self.pipeline
        try:
            job = pipeline.prepare(values)
        except Refusal as refusal:
            return error_response(refusal.status, refusal.message)
        try:
            result = pipeline.infer(job)
        except Exception as error:
            log.error("%s error: %s", pipeline.log_name, error)
            return self._failure(error)
        if isinstance(result, Iterator):
            return Response(200, server_sent_events(result), "text/event-stream; charset=utf-8")
        return json_response(200, pipeline.present(result))

    def _failure(self, error: Exception) -> Response:
        """The mapping of ai-runner.md 2.1; the llm route alone answers everything with its one text."""
        pipeline = self.pipeline
        if pipeline.name == "llm":
            return error_response(500, pipeline.failure)
        kind = type(error).__name__
        if kind == "OutOfMemoryError":
            return error_response(500, pipeline.out_of_memory)
        if kind in {"InferenceError", "LoraLoadingError"}:
            return error_response(400, f"{error}.")
        if kind == "ValueError":
            return error_response(400, pipeline.failure)
        if kind == "AudioConversionError" and pipeline.unsupported:
            return error_response(415, pipeline.unsupported)
        return error_response(500, pipeline.failure)
