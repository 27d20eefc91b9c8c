# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The payload of a segment: one picture as a portable pixmap (P6), where the real runner sends MPEG-TS.

Without loss, so that a test may compare bytes.
"""

from __future__ import annotations

import logging
import re
from fractions import Fraction

import numpy as np
import torch

from .frame import VideoFrame, VideoOutput

MIME_TYPE = "image/x-portable-pixmap"
HEADER = re.compile(rb"P6\n(\d+) (\d+)\n255\n")
TIME_BASE = Fraction(1, 90_000)
# Of the MPEG-TS clock, at 24 pictures a second: the decoder lets no more through.
TICKS = 3750


def decode(data: bytes, index: int, width: int, height: int) -> VideoFrame:
    """A picture as a pipeline gets it: cut to the stream's size, values from 0 to 1."""
    found = HEADER.match(data)
    if not found:
        raise ValueError("The segment is no portable pixmap (P6, 255): the lab's runner takes nothing else.")
    there = int(found[1]), int(found[2])
    pixels = np.frombuffer(data, np.uint8, offset=found.end())
    if pixels.size != there[0] * there[1] * 3:
        raise ValueError(f"The segment is cut short: {pixels.size} bytes of pixels for {there[0]}x{there[1]}.")
    if there != (width, height):
        raise ValueError(f"The picture is {there[0]}x{there[1]}, the stream {width}x{height}: the lab does not scale.")
    values = pixels.reshape(1, height, width, 3).astype(np.float32) / 255.0
    return VideoFrame(torch.from_numpy(values), index * TICKS, TIME_BASE)


def encode(output: VideoOutput) -> bytes:
    """The stream's next segment. What lies outside 0 to 1 wraps around, as in the real runner's cast to bytes."""
    tensor = output.tensor
    shape = tuple(tensor.shape)
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
        raise ValueError(f"A picture has the shape (1, height, width, 3), this one {shape}.")
    if not tensor.is_floating_point():
        raise ValueError(f"A picture is float32 from 0 to 1, this one {tensor.dtype}.")
    values = np.asarray(tensor.cpu().numpy(), np.float32)[0] * 255
    if not np.isfinite(values).all():
        raise ValueError("The picture has values that are no numbers.")
    if values.min() < 0 or values.max() >= 256:
        logging.warning("A picture has values outside 0 to 1: they wrap around.")
    pixels = (np.trunc(values).astype(np.int64) % 256).astype(np.uint8)
    return b"P6\n%d %d\n255\n" % (shape[2], shape[1]) + pixels.tobytes()
