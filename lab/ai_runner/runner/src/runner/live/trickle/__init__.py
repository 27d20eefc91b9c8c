# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames, and the HTTP channels they travel through."""

from __future__ import annotations

from .channels import TricklePublisher, TrickleSubscriber
from .frame import (
    DEFAULT_HEIGHT,
    DEFAULT_WIDTH,
    AudioFrame,
    AudioOutput,
    InputFrame,
    OutputFrame,
    VideoFrame,
    VideoOutput,
)

__all__ = [
    "DEFAULT_HEIGHT",
    "DEFAULT_WIDTH",
    "AudioFrame",
    "AudioOutput",
    "InputFrame",
    "OutputFrame",
    "TricklePublisher",
    "TrickleSubscriber",
    "VideoFrame",
    "VideoOutput",
]
