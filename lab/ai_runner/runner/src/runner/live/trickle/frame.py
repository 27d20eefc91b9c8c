# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pipeline is given and gives back."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import torch

DEFAULT_WIDTH = 512
DEFAULT_HEIGHT = 512


class InputFrame:
    """What video and audio have in common."""

    timestamp: int
    time_base: Fraction
    log_timestamps: dict[str, float]
    side_data: Any


class VideoFrame(InputFrame):
    """One picture: a tensor (1, height, width, 3) of float32 from 0 to 1."""

    def __init__(
        self,
        tensor: torch.Tensor,
        timestamp: int,
        time_base: Fraction,
        log_timestamps: dict[str, float] | None = None,
    ) -> None:
        self.tensor = tensor
        self.timestamp = timestamp
        self.time_base = time_base
        self.log_timestamps = {} if log_timestamps is None else log_timestamps
        self.side_data = SimpleNamespace(skipped=True, input=None)

    def replace_tensor(self, tensor: torch.Tensor) -> VideoFrame:
        """The same moment with another picture."""
        other = VideoFrame(tensor, self.timestamp, self.time_base, self.log_timestamps)
        other.side_data = self.side_data
        return other


class AudioFrame(InputFrame):
    """Sound, taken from a frame as PyAV has them."""

    def __init__(self, frame: Any) -> None:
        if frame.pts is None:
            raise ValueError("A frame of sound without a time cannot be played.")
        self.samples = frame.to_ndarray()
        self.nb_samples = frame.samples
        self.format = frame.format.name
        self.layout = frame.layout.name
        self.rate = frame.sample_rate
        self.timestamp = frame.pts
        self.time_base = frame.time_base
        self.log_timestamps = {}
        self.side_data = SimpleNamespace(skipped=True, input=None)


class OutputFrame:
    """What a pipeline gives back."""

    is_loading_frame = False


class VideoOutput(OutputFrame):
    """A picture for the stream that request_id names; the runner drops it when that is another one's."""

    def __init__(self, frame: VideoFrame, request_id: str = "", is_loading_frame: bool = False) -> None:
        self.frame = frame
        self.request_id = request_id
        self.is_loading_frame = is_loading_frame

    def replace_tensor(self, tensor: torch.Tensor) -> VideoOutput:
        return VideoOutput(self.frame.replace_tensor(tensor), self.request_id, self.is_loading_frame)

    @property
    def tensor(self) -> torch.Tensor:
        return self.frame.tensor

    @property
    def timestamp(self) -> int:
        return self.frame.timestamp

    @property
    def time_base(self) -> Fraction:
        return self.frame.time_base

    @property
    def log_timestamps(self) -> dict[str, float]:
        return self.frame.log_timestamps


class AudioOutput(OutputFrame):
    """Sound for the stream that request_id names."""

    def __init__(self, frames: list[AudioFrame], request_id: str = "") -> None:
        self.frames = frames
        self.request_id = request_id
