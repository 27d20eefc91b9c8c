# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one pipeline in a thread with an event loop of its own, where the real runner takes a process.

So a pipeline that blocks its loop does not keep the status from being asked, in either.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import queue
import threading
import time
from typing import Any

from .pipelines import BaseParams, Pipeline, PipelineSpec
from .pipelines.loader import load_pipeline, parse_pipeline_params
from .trickle import AudioFrame, AudioOutput, InputFrame, OutputFrame, VideoFrame, VideoOutput

PAUSE = 0.01


class Worker:
    """One life of a pipeline."""

    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec
        # Of length 1: what a slow pipeline does not take is dropped.
        self.inputs: queue.Queue[InputFrame] = queue.Queue(1)
        self.outputs: queue.Queue[OutputFrame] = queue.Queue(1)
        self.updates: queue.Queue[dict[str, Any]] = queue.Queue()
        self.ready = threading.Event()
        self.ready_time = 0.0
        self.start_time = time.time()
        self.done = threading.Event()
        self.request_id = ""
        self.last_error: str | None = None
        self._params = BaseParams()
        self._params_request = ""
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self.done.set()

    def put(self, frame: InputFrame) -> None:
        try:
            self.inputs.put_nowait(frame)
        except queue.Full:
            logging.debug("A frame is dropped: the pipeline is busy")

    def reset(self, request_id: str) -> None:
        """Another stream: nothing of the last one may come out any more."""
        for waiting in (self.inputs, self.outputs, self.updates):
            # The pipeline's thread may be quicker than this one.
            with contextlib.suppress(queue.Empty):
                while True:
                    waiting.get_nowait()
        self.request_id = request_id

    def _report(self, what: str, error: Exception) -> None:
        self.last_error = f"{what}: {type(error).__name__}: {error}"
        logging.error(self.last_error, exc_info=error)

    def _live(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            self._report("The pipeline ended", error)

    async def _load(self) -> Pipeline:
        """With the specification's parameters; if that fails, once more with none."""
        for params in (self.spec.initial_params, {}):
            try:
                self._params = parse_pipeline_params(self.spec, params)
                self._params_request = self.request_id
                pipeline = load_pipeline(self.spec)
                await pipeline.initialize(**params)
                return pipeline
            except Exception as error:
                self._report("The pipeline did not load", error)
                if not params:
                    raise
        raise RuntimeError("unreachable: the last parameters are none")

    def _is_ready(self, ready: bool) -> None:
        if not ready:
            self.ready.clear()
            return
        self.ready_time = time.time()
        self.ready.set()

    async def _run(self) -> None:
        pipeline = await self._load()
        self._is_ready(True)
        loops = [self._take(pipeline), self._give(pipeline), self._update(pipeline), self._until_done()]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await pipeline.stop()

    async def _until_done(self) -> None:
        while not self.done.is_set():
            await asyncio.sleep(0.1)

    async def _take(self, pipeline: Pipeline) -> None:
        while True:
            try:
                frame = self.inputs.get_nowait()
                if isinstance(frame, AudioFrame):
                    self._offer(AudioOutput([frame], self.request_id))
                elif not self.ready.is_set() and self._params.show_reloading_frame:
                    self._offer(VideoOutput(frame, self.request_id, is_loading_frame=True))
                else:
                    await pipeline.put_video_frame(frame, self.request_id)
            except queue.Empty:
                await asyncio.sleep(PAUSE)
            except Exception as error:
                self._report("The pipeline did not take a frame", error)

    async def _give(self, pipeline: Pipeline) -> None:
        while True:
            try:
                output = await pipeline.get_processed_video_frame()
                if not isinstance(output.frame, VideoFrame):
                    raise TypeError(f"A VideoOutput holds a VideoFrame, not a {type(output.frame).__name__}.")
                self._offer(output)
            except Exception as error:
                self._report("The pipeline did not give a frame", error)
                await asyncio.sleep(PAUSE)

    def _offer(self, output: OutputFrame) -> None:
        try:
            self.outputs.put_nowait(output)
        except queue.Full:
            logging.debug("An output is dropped: nobody fetches it")

    async def _update(self, pipeline: Pipeline) -> None:
        while True:
            try:
                params = self.updates.get_nowait()
            except queue.Empty:
                await asyncio.sleep(PAUSE)
                continue
            logging.info("New parameters: %s", json.dumps(params))
            try:
                reload = await self._apply(pipeline, params)
            except Exception as error:
                self._report("The parameters were not taken", error)
                continue
            if reload is not None:
                # A reload that fails ends this life of the pipeline.
                self._is_ready(False)
                await reload
                self._is_ready(True)

    async def _apply(self, pipeline: Pipeline, params: dict[str, Any]) -> asyncio.Task[None] | None:
        wanted = parse_pipeline_params(self.spec, params)
        same_stream = self._params_request == self.request_id
        if same_stream and wanted.get_output_resolution() != self._params.get_output_resolution():
            raise ValueError("The size of the output cannot change within a stream.")
        reload = await pipeline.update_params(**params)
        self._params, self._params_request = wanted, self.request_id
        return reload
