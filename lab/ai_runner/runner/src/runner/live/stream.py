# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One stream: segments in, frames through the pipeline, segments out."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
from typing import TYPE_CHECKING, Any

from .pipelines.loader import parse_pipeline_params
from .trickle import DEFAULT_HEIGHT, DEFAULT_WIDTH, TricklePublisher, TrickleSubscriber, VideoOutput, picture

if TYPE_CHECKING:
    from .guardian import Guardian

PAUSE = 0.01
# After the last segment came in, what is still in the pipeline gets this long.
DRAIN_SECONDS = 3


class Stream:
    """Ends when its input does, or when it is stopped."""

    def __init__(self, asked: Any, guardian: Guardian) -> None:
        self.asked = asked
        self.guardian = guardian
        self.width = asked.params.get("width", DEFAULT_WIDTH)
        self.height = asked.params.get("height", DEFAULT_HEIGHT)
        # Refuses what the pipeline's parameters refuse.
        parse_pipeline_params(guardian.spec, asked.params)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def running(self) -> bool:
        return bool(self._tasks) and not self._tasks[0].done() and not self._tasks[1].done()

    def start(self) -> None:
        loops = [self._ingress(), self._egress()]
        if self.asked.control_url:
            loops.append(self._control())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                logging.error("A part of the stream failed", exc_info=outcome)

    async def _ingress(self) -> None:
        index = 0
        async with TrickleSubscriber(self.asked.subscribe_url) as channel:
            while (segment := await channel.next()) is not None:
                if segment:
                    self.guardian.send(picture.decode(segment, index, self.width, self.height))
                    index += 1
        await asyncio.sleep(DRAIN_SECONDS)

    async def _egress(self) -> None:
        async with TricklePublisher(self.asked.publish_url, picture.MIME_TYPE) as channel:
            while True:
                try:
                    output = self.guardian.worker.outputs.get_nowait()
                except queue.Empty:
                    await asyncio.sleep(PAUSE)
                    continue
                await self._publish(channel, output)

    async def _publish(self, channel: TricklePublisher, output: Any) -> None:
        if not isinstance(output, VideoOutput):
            return
        if output.request_id != self.asked.request_id:
            logging.warning("A frame of the request %r is dropped: this is another stream", output.request_id)
            return
        if not output.is_loading_frame:
            self.guardian.note_output()
        await channel.publish(picture.encode(output))

    async def _control(self) -> None:
        async with TrickleSubscriber(self.asked.control_url) as channel:
            while (segment := await channel.next()) is not None:
                params = json.loads(segment or b"{}")
                if params and set(params) != {"keep"}:
                    self.guardian.update_params(params)
