# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one home of what go-livepeer v0.9.1 knows by heart: versions, ports, pipelines, images, networks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

VERSION = "0.9.1"
GO_RUNTIME = "gc go1.25.0"

# --- ports (facts 1.6) -------------------------------------------------------------------------------------------
GATEWAY_HTTP_PORT = 9935
GATEWAY_CLI_PORT = 5935
GATEWAY_RTMP_PORT = 1935
ORCHESTRATOR_HTTP_PORT = 8935
ORCHESTRATOR_CLI_PORT = 7935
AI_WORKER_CLI_PORT = 4935


# --- pipelines (facts 2.2, 3.1, 3.4) -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Pipeline:
    """One of the ten pipelines: its capability id, the name shown to people, and where its containers live."""

    name: str
    capability: int
    display_name: str
    port_base: str
    image: str | None = None  # None: the default image

    @property
    def route(self) -> str:
        return f"/{self.name}"


DEFAULT_IMAGE = "livepeer/ai-runner:latest"
LIVE_PIPELINE = "live-video-to-video"

PIPELINES: dict[str, Pipeline] = {
    p.name: p
    for p in (
        Pipeline("text-to-image", 27, "Text to image", "80"),
        Pipeline("image-to-image", 28, "Image to image", "81"),
        Pipeline("image-to-video", 29, "Image to video", "82"),
        Pipeline("upscale", 30, "Upscale", "83"),
        Pipeline("audio-to-text", 31, "Audio to text", "84", "livepeer/ai-runner:audio-to-text"),
        Pipeline("segment-anything-2", 32, "Segment anything 2", "86", "livepeer/ai-runner:segment-anything-2"),
        Pipeline("llm", 33, "Llm", "85", "livepeer/ai-runner:llm"),
        Pipeline("image-to-text", 34, "Image to text", "87"),
        Pipeline(LIVE_PIPELINE, 35, "Live video to video", "89"),
        Pipeline("text-to-speech", 36, "Text to speech", "88", "livepeer/ai-runner:text-to-speech"),
    )
}
BATCH_PIPELINES = tuple(name for name in PIPELINES if name != LIVE_PIPELINE)

# Live pipelines are found by model_id; "scope" lives in its makers' own repository.
LIVE_IMAGES: dict[str, str] = {
    name: f"livepeer/ai-runner:live-app-{name}"
    for name in (
        "streamdiffusion",
        "streamdiffusion-sd15",
        "streamdiffusion-sd15-v2v",
        "streamdiffusion-sdxl",
        "streamdiffusion-sdxl-v2v",
        "streamdiffusion-sdxl-faceid",
        "comfyui",
        "segment_anything_2",
        "noop",
    )
} | {"scope": "daydreamlive/scope-runner"}

# --- capabilities (facts 2.2, 5.2) -------------------------------------------------------------------------------
BYOC_CAPABILITY = 37
CAPABILITY_NAMES: dict[int, str] = {
    -2: "Invalid",
    -1: "Unused",
    0: "H.264",
    1: "MPEGTS",
    2: "MP4",
    3: "Fractional framerates",
    4: "Storage direct",
    5: "Storage S3",
    6: "Storage GCS",
    7: "H264 Baseline profile",
    8: "H264 Main profile",
    9: "H264 High profile",
    10: "H264 Constrained, Contained High profile",
    11: "GOP",
    12: "Auth token",
    14: "MPEG7 signature",
    15: "HEVC decode",
    16: "HEVC encode",
    17: "VP8 decode",
    18: "VP9 decode",
    19: "VP8 encode",
    20: "VP9 encode",
    21: "H264 Decode YUV444 8-bit",
    22: "H264 Decode YUV422 8-bit",
    23: "H264 Decode YUV444 10-bit",
    24: "H264 Decode YUV422 10-bit",
    25: "H264 Decode YUV420 10-bit",
    26: "Segment slicing",
    **{p.capability: p.display_name for p in PIPELINES.values()},
    BYOC_CAPABILITY: "byoc",
}

# --- networks (facts 1.6 "network") ------------------------------------------------------------------------------
OFFCHAIN = "offchain"
ETH_CONTROLLERS: dict[str, str] = {
    "rinkeby": "0x9a9827455911a858E55f07911904fACC0D66027E",
    "arbitrum-one-rinkeby": "0x9ceC649179e2C7Ab91688271bcD09fb707b3E574",
    "mainnet": "0xf96d54e490317c557a967abfa5d6e33006be69b3",
    "arbitrum-one-mainnet": "0xD8E8328501E9645d16Cf49539efC04f734606ee4",
}
AI_SERVICE_REGISTRY = "0x04C0b249740175999E5BF5c9ac1dA92431EF34C5"

# The Chainlink feed is stood in for: it always quotes this pair at this rate (README, "stood in for").
PRICE_FEED_PAIR = ("ETH", "USD")
PRICE_FEED_RATE = Fraction(3000)
WEI_PER_ETH = Fraction(10**18)

# --- the AI worker's containers (facts 3.2) ----------------------------------------------------------------------
CONTAINER_MODEL_DIR = "/models"
CONTAINER_PORT = "8000/tcp"
CREATOR_LABEL = "creator"
CREATOR = "ai-worker"
CREATOR_ID_LABEL = "creator_id"
