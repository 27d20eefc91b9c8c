# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a pipeline alive and says how it is."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from .pipelines import PipelineSpec
from .trickle import InputFrame
from .worker import Worker

if TYPE_CHECKING:
    from .stream import Stream

RESTARTS = 3
LOAD_SECONDS = 180
SILENT_INPUT_SECONDS = 60
SILENT_OUTPUT_SECONDS = 10


class Guardian:
    """States: LOADING, OFFLINE, ONLINE, DEGRADED_INPUT, DEGRADED_INFERENCE, ERROR (for good)."""

    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec
        self.state = "LOADING"
        self.restarts = 0
        self.stream: Stream | None = None
        self.last_input = self.last_output = self.last_update = 0.0

    def start(self) -> None:
        self.worker = Worker(self.spec)

    def status(self) -> dict[str, Any]:
        return {
            "type": "status",
            "pipeline": self.spec.name,
            "state": self.state,
            "inference_status": {"last_error": self.worker.last_error, "restart_count": self.restarts},
        }

    async def start_stream(self, stream: Stream) -> None:
        self.worker.reset(stream.asked.request_id)
        self.last_input = self.last_output = 0.0
        self.update_params(stream.asked.params)
        self.stream = stream
        stream.start()
        self.state = "ONLINE"

    async def stop_stream(self) -> None:
        stream, self.stream = self.stream, None
        if stream:
            await stream.stop()

    def update_params(self, params: dict[str, Any]) -> None:
        self.last_update = time.time()
        self.worker.updates.put(params)

    def send(self, frame: InputFrame) -> None:
        self.last_input = time.time()
        self.worker.put(frame)

    def note_output(self) -> None:
        self.last_output = time.time()

    async def look(self) -> None:
        """Once in a while: judge, and act on it."""
        if self.state == "ERROR":
            return
        state = self._judge()
        if state == "ERROR":
            await self.stop_stream()
            state = self._start_again()
        elif self.stream and (not self.stream.running or time.time() - self._since_input() > SILENT_INPUT_SECONDS):
            await self.stop_stream()
            # What comes next starts from the specification's parameters.
            self.worker.reset("")
            self.worker.updates.put(self.spec.initial_params)
            state = "OFFLINE"
        self.state = state

    def _start_again(self) -> str:
        if self.restarts >= RESTARTS:
            logging.error("The pipeline failed again after %s restarts", self.restarts)
            return "ERROR"
        self.restarts += 1
        self.worker.stop()
        self.worker = Worker(self.spec)
        return "LOADING"

    def _since_input(self) -> float:
        return max(self.last_input, self.last_update, self.worker.ready_time)

    def _judge(self) -> str:
        now = time.time()
        if not self.worker.alive:
            return "ERROR"
        if not self.worker.ready.is_set():
            return "ERROR" if now - self.worker.start_time > LOAD_SECONDS else "LOADING"
        if not self.stream:
            return "OFFLINE"
        loaded = max(self.worker.ready_time, self.last_update, self.worker.start_time)
        if self.last_input <= loaded:
            return "DEGRADED_INPUT"
        # Frames came in after the pipeline was ready, and none came out.
        if self.last_output < loaded:
            return "ERROR" if now - loaded > SILENT_OUTPUT_SECONDS else "DEGRADED_INFERENCE"
        return "ONLINE"
