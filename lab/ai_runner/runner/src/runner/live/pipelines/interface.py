# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The abstract base of live pipelines, and the parameters that all of them have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import Task
from typing import Any

from pydantic import BaseModel, Field

from ..trickle import DEFAULT_HEIGHT, DEFAULT_WIDTH, VideoFrame, VideoOutput


class BaseParams(BaseModel):
    """Size of the stream, and whether a picture says that the pipeline reloads."""

    width: int = Field(default=DEFAULT_WIDTH, ge=384, le=1024, multiple_of=64)
    height: int = Field(default=DEFAULT_HEIGHT, ge=384, le=1024, multiple_of=64)
    show_reloading_frame: bool = True

    def get_output_resolution(self) -> tuple[int, int]:
        """Width and height of what the pipeline gives back."""
        return self.width, self.height


class Pipeline(ABC):
    """Made without arguments; errors are the runner's to report."""

    @abstractmethod
    async def initialize(self, **params: Any) -> None:
        """Load and warm up; a failure leaves a state that works."""

    @abstractmethod
    async def put_video_frame(self, frame: VideoFrame, request_id: str) -> None:
        """Take a picture of the stream that request_id names."""

    @abstractmethod
    async def get_processed_video_frame(self) -> VideoOutput:
        """Wait for a picture and give it back."""

    @abstractmethod
    async def update_params(self, **params: Any) -> Task[None] | None:
        """Take new parameters: None when they hold already, a task when the pipeline must reload first."""

    async def stop(self) -> None:
        """The pipeline is no longer needed."""
        return None

    @classmethod
    @abstractmethod
    def prepare_models(cls) -> None:
        """Fetch and build whatever the pipeline needs on the disk."""
