# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A live pipeline behind the HTTP server: it runs in a process of its own, which is started again when it dies."""

from __future__ import annotations

import http.client
import json
import logging
import os
import subprocess
import sys
import threading
import time
from typing import Any

from ..live.pipelines import PipelineSpec
from .base import HealthCheck, Pipeline
from .utils import get_model_dir

RESTARTS = 3
ATTEMPTS = 10
HEALTH_OF = {"LOADING": "LOADING", "OFFLINE": "IDLE", "ERROR": "ERROR"}


def inner_port() -> int:
    """Always 8888 in the real runner; tests that run several on one machine move it."""
    return int(os.environ.get("LAB_INFER_PORT", "8888"))


class LiveVideoToVideoPipeline(Pipeline):
    """Asks the inner process."""

    name = "live-video-to-video"

    def __init__(self, pipeline_spec: PipelineSpec) -> None:
        self.model_id = pipeline_spec.name
        self.pipeline_spec = pipeline_spec
        self.model_dir = get_model_dir()
        self.process: subprocess.Popen[bytes] = self._start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _start(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-u", "-m", "runner.live.infer", "--pipeline", self.pipeline_spec.model_dump_json()]
        argv += ["--http-port", str(inner_port())]
        environment = {"HUGGINGFACE_HUB_CACHE": str(self.model_dir), "DIFFUSERS_CACHE": str(self.model_dir)}
        return subprocess.Popen(argv, env={**environment, **os.environ})

    def _watch(self) -> None:
        for _restart in range(RESTARTS):
            logging.error("The inner process ended with %s; starting it again", self.process.wait())
            time.sleep(1)
            self.process = self._start()
        logging.error("The inner process ended with %s once more; giving up", self.process.wait())
        os._exit(1)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", inner_port(), timeout=20)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def __call__(self, **kwargs: Any) -> dict[str, Any]:
        reason = "no attempt was made"
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(1)
            try:
                status, content = self._ask("POST", "/api/live-video-to-video", kwargs)
            except OSError as error:
                reason = str(error)
                continue
            if status == 200:
                return {}
            reason = content.decode(errors="replace")
        raise RuntimeError(reason)

    def get_health(self) -> HealthCheck:
        status, content = self._ask("GET", "/api/status")
        if status != 200:
            raise ConnectionError(f"The inner process answers {status}.")
        return HealthCheck(status=HEALTH_OF.get(json.loads(content)["state"], "OK"))

    @property
    def router(self):
        from ..routes.live_video_to_video import router

        return router
