# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nine batch pipelines, by the name that is also their route."""

from __future__ import annotations

from ..settings import Settings
from .audio_to_text import AudioToTextPipeline
from .base import Pipeline
from .image_to_image import ImageToImagePipeline
from .image_to_text import ImageToTextPipeline
from .image_to_video import ImageToVideoPipeline
from .llm import LLMPipeline
from .segment_anything_2 import SegmentAnything2Pipeline
from .text_to_image import TextToImagePipeline
from .text_to_speech import TextToSpeechPipeline
from .upscale import UpscalePipeline

PIPELINES: dict[str, type[Pipeline]] = {
    pipeline.name: pipeline
    for pipeline in (
        TextToImagePipeline,
        ImageToImagePipeline,
        ImageToVideoPipeline,
        UpscalePipeline,
        AudioToTextPipeline,
        ImageToTextPipeline,
        SegmentAnything2Pipeline,
        TextToSpeechPipeline,
        LLMPipeline,
    )
}


def load_pipeline(settings: Settings) -> Pipeline:
    """Read the model's weights, or raise as the real runner does."""
    if settings.pipeline == "frame-interpolation":
        # The name is known to the real runner and has no code behind it.
        raise NotImplementedError("frame-interpolation pipeline not implemented")
    if settings.pipeline == "live-video-to-video":
        raise OSError(f"Live pipeline {settings.model_id} not found")
    if settings.pipeline not in PIPELINES:
        raise OSError(f"{settings.pipeline} is not a valid pipeline for model {settings.model_id}")
    return PIPELINES[settings.pipeline](settings)
