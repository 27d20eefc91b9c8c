# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline that gives back what it gets."""

from __future__ import annotations

import asyncio
from typing import Any

from ..trickle import VideoFrame, VideoOutput
from .interface import Pipeline


class Noop(Pipeline):
    def __init__(self) -> None:
        self.outputs: asyncio.Queue[VideoOutput] = asyncio.Queue()

    async def initialize(self, **params: Any) -> None:
        return None

    async def put_video_frame(self, frame: VideoFrame, request_id: str) -> None:
        await self.outputs.put(VideoOutput(frame, request_id))

    async def get_processed_video_frame(self) -> VideoOutput:
        output = await self.outputs.get()
        return output.replace_tensor(output.tensor.clone())

    async def update_params(self, **params: Any) -> None:
        return None

    @classmethod
    def prepare_models(cls) -> None:
        return None
