# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""segment-anything-2 (ai-runner.md 2.1, 2.6 item 8)."""

from __future__ import annotations

import json
import math
from typing import Any

from PIL import Image, ImageChops, ImageDraw

from ..errors import InferenceError, Refusal
from ..hubcache import HubCache
from ..schema import Field
from ..weights import read_torch
from .base import Pipeline, check_memory, open_image

CHECKPOINTS = {
    "facebook/sam2-hiera-tiny": "sam2_hiera_tiny.pt",
    "facebook/sam2-hiera-small": "sam2_hiera_small.pt",
    "facebook/sam2-hiera-base-plus": "sam2_hiera_base_plus.pt",
    "facebook/sam2-hiera-large": "sam2_hiera_large.pt",
}
ARRAYS = ("point_coords", "point_labels", "box", "mask_input")
LOW_RESOLUTION = (256, 256)
# How far a colour may be from the chosen one: from the narrowest of the three masks to the widest.
TOLERANCES = (24, 48, 96)


class SegmentAnything2Pipeline(Pipeline):
    name = "segment-anything-2"
    log_name = "SegmentAnything2 pipeline"
    failure = "Segment-anything-2 pipeline error."
    out_of_memory = "Out of memory error. Try reducing input image resolution."
    fields = (
        Field("image", "file"),
        Field("model_id", "str", ""),
        Field("point_coords", "str", None),
        Field("point_labels", "str", None),
        Field("box", "str", None),
        Field("mask_input", "str", None),
        Field("multimask_output", "bool", True),
        Field("return_logits", "bool", True),
        Field("normalize_coords", "bool", True),
    )

    def load(self) -> None:
        # sam2 carries its own configurations; a model it does not know is a KeyError.
        checkpoint = CHECKPOINTS[self.model_id]
        self.keep([read_torch(HubCache(self.settings.hub_cache).file(self.model_id, checkpoint))])

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        return values | {name: parse_array(values[name], name) for name in ARRAYS}

    def infer(self, job: dict[str, Any]) -> dict[str, Any]:
        picture = open_image(job["image"])
        check_memory(picture.width, picture.height)
        self.work()
        try:
            return segment(picture, job) | {"return_logits": job["return_logits"]}
        except (AssertionError, IndexError, TypeError, ValueError) as error:
            raise InferenceError(error) from error

    def present(self, result: dict[str, Any]) -> dict:
        """Best mask first; every array as text."""
        ranked = sorted(zip(result["scores"], result["distances"], strict=True), key=lambda pair: -pair[0])
        logits = [logit(distance) for distance in range(256)]
        values = logits if result["return_logits"] else [float(value > 0) for value in logits]
        return {
            "masks": str([rows_of(image, values) for _, image in ranked]),
            "scores": str([score for score, _ in ranked]),
            "logits": str([rows_of(image.resize(LOW_RESOLUTION), logits) for _, image in ranked]),
        }


def parse_array(text: str | None, name: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Refusal(400, f"Error parsing JSON for {name}: {error}") from error


def logit(distance: int) -> float:
    """Positive inside the mask: 128 is the border, 0 its middle."""
    return round((128 - distance) / 8, 3)


def rows_of(distances: Image.Image, values: list[float]) -> list[list[float]]:
    width, height = distances.size
    data = distances.tobytes()
    return [[values[byte] for byte in data[row * width : (row + 1) * width]] for row in range(height)]


def segment(picture: Image.Image, job: dict[str, Any]) -> dict[str, Any]:
    """Segment by likeness to the colour of the chosen point: simple, but a true function of picture and prompt."""
    points = foreground_points(job["point_coords"], job["point_labels"], picture.size)
    box = box_of(job["box"], picture.size)
    if not points:
        left, top, right, bottom = box
        points = [((left + right) // 2, (top + bottom) // 2)]
    likeness = colour_distance(picture, [picture.getpixel(point) for point in points])
    tolerances = TOLERANCES if job["multimask_output"] else TOLERANCES[1:2]
    distances = [within(box, likeness.point(stretched(tolerance))) for tolerance in tolerances]
    return {"distances": distances, "scores": [certainty(image) for image in distances]}


def foreground_points(coords: Any, labels: Any, size: tuple[int, int]) -> list[tuple[int, int]]:
    if coords is None:
        return []
    if labels is None:
        raise AssertionError("point_labels must be supplied if point_coords is supplied.")
    if len(coords) != len(labels):
        raise ValueError("point_coords and point_labels differ in length")
    width, height = size
    chosen = []
    for (x, y), label in zip(coords, labels, strict=True):
        if label:
            chosen.append((min(max(int(x), 0), width - 1), min(max(int(y), 0), height - 1)))
    return chosen


def box_of(box: Any, size: tuple[int, int]) -> tuple[int, int, int, int]:
    if box is None:
        return (0, 0, size[0] - 1, size[1] - 1)
    left, top, right, bottom = (int(value) for value in (box[0] if isinstance(box[0], list) else box))
    return (left, top, right, bottom)


def colour_distance(picture: Image.Image, colours: list[tuple[int, int, int]]) -> Image.Image:
    """For each pixel the distance to the nearest of the colours, 0 to 255."""
    nearest = Image.new("L", picture.size, 255)
    for colour in colours:
        red, green, blue = ImageChops.difference(picture, Image.new("RGB", picture.size, colour)).split()
        nearest = ImageChops.darker(nearest, ImageChops.lighter(ImageChops.lighter(red, green), blue))
    return nearest


def stretched(tolerance: int) -> list[int]:
    return [min(255, distance * 128 // tolerance) for distance in range(256)]


def within(box: tuple[int, int, int, int], distances: Image.Image) -> Image.Image:
    outside = Image.new("L", distances.size, 255)
    left, top, right, bottom = box
    inside = Image.new("L", distances.size, 0)
    ImageDraw.Draw(inside).rectangle((min(left, right), min(top, bottom), max(left, right), max(top, bottom)), fill=255)
    return Image.composite(distances, outside, inside)


def certainty(distances: Image.Image) -> float:
    """How far the pixels keep from the border of the mask, 0 to 1."""
    histogram = distances.histogram()
    total = sum(histogram)
    clear = sum(count * abs(128 - distance) for distance, count in enumerate(histogram)) / (128 * total)
    return round(1 - math.exp(-3 * clear), 6)
