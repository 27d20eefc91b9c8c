# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pipelines that are given a picture do with it: simple, but true functions of that picture."""

from __future__ import annotations

import colorsys
import math
import random

from PIL import Image, ImageFilter, ImageOps, ImageStat

COLOURS = {
    "black": (20, 20, 22),
    "white": (240, 240, 238),
    "grey": (128, 128, 128),
    "midnight blue": (30, 38, 78),
    "slate blue": (70, 90, 130),
    "deep blue": (25, 60, 160),
    "sky blue": (130, 185, 230),
    "teal": (30, 130, 130),
    "green": (50, 140, 60),
    "olive": (110, 115, 50),
    "sand": (205, 185, 140),
    "yellow": (235, 210, 60),
    "peach": (245, 190, 150),
    "orange": (235, 140, 50),
    "red": (195, 45, 45),
    "pink": (235, 150, 170),
    "mauve": (140, 110, 140),
    "purple": (110, 60, 140),
    "brown": (105, 75, 50),
}


def restyle(picture: Image.Image, prompt: str, seed: int, strength: float) -> Image.Image:
    """A painterly version in a palette that prompt and seed choose, mixed in by `strength`."""
    rng = random.Random(f"{prompt}\n{seed}")
    dark, middle, light = palette(rng.random())
    smooth = picture.filter(ImageFilter.ModeFilter(5))
    tinted = ImageOps.colorize(ImageOps.autocontrast(smooth.convert("L")), dark, light, mid=middle)
    painted = Image.blend(ImageOps.posterize(smooth, 4), tinted, 0.6)
    return Image.blend(picture, painted, strength)


def palette(hue: float) -> tuple[tuple[int, int, int], ...]:
    shades = ((hue, 0.65, 0.16), (hue + 0.06, 0.55, 0.58), (hue + 0.14, 0.18, 0.98))
    return tuple(tuple(round(255 * part) for part in colorsys.hsv_to_rgb(h % 1, s, v)) for h, s, v in shades)


def enlarge(picture: Image.Image, factor: int) -> Image.Image:
    large = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.LANCZOS)
    return large.filter(ImageFilter.UnsharpMask(radius=2, percent=80, threshold=2))


def drift(picture: Image.Image, width: int, height: int, frames: int, seed: int, motion: int) -> list[Image.Image]:
    """A slow camera move over the picture; more motion goes further, and the seed says where to."""
    angle = random.Random(seed).uniform(0, math.tau)
    reach = 0.04 + 0.12 * min(max(motion, 0), 255) / 255
    filled = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    return [_view(filled, number / max(1, frames - 1), angle, reach) for number in range(frames)]


def _view(picture: Image.Image, progress: float, angle: float, reach: float) -> Image.Image:
    width, height = picture.size
    eased = (1 - math.cos(math.pi * progress)) / 2
    cut_x, cut_y = width * reach * eased / 2, height * reach * eased / 2
    left, top = cut_x * (1 + math.cos(angle)), cut_y * (1 + math.sin(angle))
    box = (left, top, left + width - 2 * cut_x, top + height - 2 * cut_y)
    return picture.resize((width, height), Image.Resampling.BILINEAR, box=box)


def describe(picture: Image.Image) -> str:
    """A caption that could only be written by somebody who looked: shape, size, brightness and the two main colours."""
    width, height = picture.size
    shape = "square" if width == height else "wide" if width > height else "tall"
    brightness = ImageStat.Stat(picture.convert("L")).mean[0]
    light = "dark" if brightness < 85 else "bright" if brightness > 170 else "softly lit"
    names = main_colours(picture)
    colours = names[0] if len(names) == 1 else f"{names[0]} and {names[1]}"
    return f"a {light} {shape} picture of {width} by {height} pixels, mostly {colours}"


def main_colours(picture: Image.Image) -> list[str]:
    """Names of the most frequent colours, the commonest first."""
    few = picture.resize((64, 64)).quantize(8)
    shades = few.getpalette()
    shares: dict[str, int] = {}
    for count, index in few.getcolors():
        name = nearest_colour(tuple(shades[3 * index : 3 * index + 3]))
        shares[name] = shares.get(name, 0) + count
    return sorted(shares, key=lambda name: -shares[name])[:2]


def nearest_colour(colour: tuple[int, ...]) -> str:
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], colour, strict=True)))
