# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing a harbour: what text-to-image answers with.

A function of prompt, model, seed and size: the same four give the same picture, byte for byte, and other seeds give
another harbour. Words in the prompt choose the time of day. All four are written at the foot of the picture.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

from .caption import write_caption

# Twice the size, then down again, smooths every edge; not for pictures that are large already.
MOST_SUPERSAMPLED_PIXELS = 1_500_000
# Pillow's radial gradient grows from 0 in the middle to this at the middle of an edge (and on to 255 in the corners).
GRADIENT_EDGE = 179


@dataclass(frozen=True)
class Mood:
    """The colours of one time of day; the sky's from the zenith down to the horizon."""

    words: tuple[str, ...]
    sky: tuple[str, ...]
    light: str
    light_height: float
    land: str
    water: str
    stars: int = 0
    lamps: bool = False


MOODS = (
    Mood(
        words=("dawn", "sunrise", "morning"),
        sky=("#2b3a67", "#5b6ea6", "#c48fa6", "#f6b48f", "#ffe2b0"),
        light="#fff3cf",
        light_height=0.21,
        land="#2a3352",
        water="#31456e",
        stars=40,
        lamps=True,
    ),
    Mood(
        words=("dusk", "sunset", "evening"),
        sky=("#2a1e4d", "#6b3a74", "#c8505f", "#f58b4c", "#ffc861"),
        light="#fff0b8",
        light_height=0.19,
        land="#271b3c",
        water="#3a2a57",
        stars=25,
        lamps=True,
    ),
    Mood(
        words=("night", "moon", "midnight", "stars"),
        sky=("#050a1f", "#0b1636", "#14274f", "#1f3b6b", "#3a5d8c"),
        light="#eef2ff",
        light_height=0.58,
        land="#070d20",
        water="#0a1733",
        stars=260,
        lamps=True,
    ),
    Mood(
        words=("storm", "fog", "mist", "rain", "grey", "gray"),
        sky=("#3d4a55", "#5a6872", "#7f8d94", "#a7b1b3", "#cdd2ce"),
        light="#e8ebe6",
        light_height=0.40,
        land="#2c363d",
        water="#42525b",
        lamps=True,
    ),
    Mood(
        words=("day", "noon", "sunny", "summer"),
        sky=("#2f7fc8", "#5da5de", "#93c9ee", "#c4e4f5", "#eef8f6"),
        light="#ffffff",
        light_height=0.70,
        land="#33566b",
        water="#2b6f96",
    ),
)


def paint(prompt: str, model_id: str, seed: int, width: int, height: int) -> Image.Image:
    scale = 2 if width * height <= MOST_SUPERSAMPLED_PIXELS else 1
    rng = random.Random(f"{model_id}\n{prompt}\n{seed}")
    scene = Scene(mood_of(prompt, rng), rng, width * scale, height * scale).draw()
    picture = scene.resize((width, height), Image.Resampling.LANCZOS) if scale > 1 else scene
    write_caption(picture, prompt, model_id, seed)
    return picture


def mood_of(prompt: str, rng: random.Random) -> Mood:
    words = set("".join(c if c.isalpha() else " " for c in prompt.lower()).split())
    chosen = rng.choice(MOODS)
    return next((mood for mood in MOODS if words & set(mood.words)), chosen)


def blend(first: str, second: str, share: float) -> tuple[int, int, int]:
    one, two = ImageColor.getrgb(first), ImageColor.getrgb(second)
    return tuple(round(a + (b - a) * share) for a, b in zip(one, two, strict=True))


def vertical_gradient(size: tuple[int, int], colours: tuple[str, ...]) -> Image.Image:
    column = Image.new("RGB", (1, len(colours)))
    for row, colour in enumerate(colours):
        column.putpixel((0, row), ImageColor.getrgb(colour))
    return column.resize(size, Image.Resampling.BICUBIC)


class Scene:
    """One harbour, drawn from far to near: sky, sun or moon, hills, town, water, boats."""

    def __init__(self, mood: Mood, rng: random.Random, width: int, height: int) -> None:
        self.mood, self.rng = mood, rng
        self.width, self.height = width, height
        self.unit = min(width, height) / 100
        self.horizon = max(1, round(height * rng.uniform(0.54, 0.60)))
        self.sun_x = rng.uniform(0.22, 0.78) * width
        # The headland with the lighthouse stands away from the sun, so that neither hides the other.
        self.headland_left = self.sun_x > width / 2

    def draw(self) -> Image.Image:
        sky = vertical_gradient((self.width, self.horizon), self.mood.sky)
        self._stars(sky)
        self._sun(sky)
        self._clouds(sky)
        self._hills(sky)
        self._headland(sky)
        picture = Image.new("RGB", (self.width, self.height))
        picture.paste(sky, (0, 0))
        picture.paste(self._water(sky), (0, self.horizon))
        self._glitter(picture)
        self._boats(picture)
        self._birds(picture)
        return picture

    def _stars(self, sky: Image.Image) -> None:
        draw = ImageDraw.Draw(sky)
        for _ in range(self.mood.stars):
            x, y = self.rng.uniform(0, self.width), self.rng.uniform(0, 0.7) ** 1.5 * self.horizon
            size = self.rng.uniform(0.08, 0.24) * self.unit
            draw.ellipse((x - size, y - size, x + size, y + size), fill=blend(self.mood.sky[1], "#ffffff", 0.75))

    def _sun(self, sky: Image.Image) -> None:
        x, y = self.sun_x, self.horizon * (1 - self.mood.light_height)
        for radius, strength in ((70, 0.35), (34, 0.5), (14, 0.6)):
            self._glow(sky, x, y, radius * self.unit, strength)
        disk = 5.5 * self.unit
        mask = Image.new("L", sky.size, 0)
        ImageDraw.Draw(mask).ellipse((x - disk, y - disk, x + disk, y + disk), fill=255)
        sky.paste(self.mood.light, (0, 0), mask.filter(ImageFilter.GaussianBlur(self.unit * 0.15)))

    def _glow(self, sky: Image.Image, x: float, y: float, radius: float, strength: float) -> None:
        side = max(2, round(radius * 2))
        fading = [round(max(0.0, 1 - level / GRADIENT_EDGE) ** 2 * 255 * strength) for level in range(256)]
        halo = Image.radial_gradient("L").resize((side, side)).point(fading)
        sky.paste(self.mood.light, (round(x - radius), round(y - radius)), halo)

    def _clouds(self, sky: Image.Image) -> None:
        mask = Image.new("L", sky.size, 0)
        draw = ImageDraw.Draw(mask)
        for _ in range(self.rng.randint(7, 12)):
            x, y = self.rng.uniform(-0.1, 1.1) * self.width, self.rng.uniform(0.25, 0.9) * self.horizon
            for _ in range(self.rng.randint(3, 7)):
                length, thickness = self.rng.uniform(8, 34) * self.unit, self.rng.uniform(0.5, 1.6) * self.unit
                dx, dy = self.rng.uniform(-18, 18) * self.unit, self.rng.uniform(-1.6, 1.6) * self.unit
                box = (x + dx - length, y + dy - thickness, x + dx + length, y + dy + thickness)
                draw.ellipse(box, fill=self.rng.randint(50, 120))
        soft = mask.filter(ImageFilter.GaussianBlur(self.unit))
        sky.paste(blend(self.mood.sky[-1], self.mood.light, 0.5), (0, 0), soft)

    def _hills(self, sky: Image.Image) -> None:
        """Ridges one before the other; the far ones fade into the haze of the horizon."""
        for haze, height in ((0.62, 0.26), (0.42, 0.18), (0.24, 0.10)):
            ridge = self._ridge(height * self.horizon)
            outline = [(0, self.horizon), *ridge, (self.width, self.horizon)]
            ImageDraw.Draw(sky).polygon(outline, fill=blend(self.mood.land, self.mood.sky[2], haze))

    def _ridge(self, height: float) -> list[tuple[float, float]]:
        waves = [(self.rng.uniform(0.6, 1.2) * n, self.rng.uniform(0, math.tau), 1 / n) for n in (1, 2, 4, 9, 17)]
        points = []
        for step in range(161):
            position = step / 160
            rise = sum(size * math.sin(count * math.tau * position + phase) for count, phase, size in waves)
            points.append((position * self.width, self.horizon - height * (0.55 + 0.22 * rise)))
        return points

    def _headland(self, sky: Image.Image) -> None:
        """A low dark shore with a town, ending in a lighthouse."""
        draw = ImageDraw.Draw(sky)
        colour = blend(self.mood.land, "#000000", 0.25)
        reach = self.rng.uniform(0.34, 0.46) * self.width
        tip = 5.5 * self.unit

        def at(distance: float) -> float:
            return distance if self.headland_left else self.width - distance

        shore = [(at(0), self.horizon), (at(0), self.horizon - 3.4 * tip / 2)]
        for step in range(1, 21):
            share = step / 20
            rise = tip * (0.28 + 1.4 * (1 - share) ** 1.6) * self.rng.uniform(0.93, 1.07)
            shore.append((at(share * reach), self.horizon - rise))
        draw.polygon([*shore, (at(reach * 1.04), self.horizon)], fill=colour)
        self._town(draw, at, reach, colour)
        self._lighthouse(sky, at(reach * 0.955), self.horizon - 0.3 * tip, colour)

    def _town(self, draw: ImageDraw.ImageDraw, at, reach: float, colour: tuple[int, int, int]) -> None:
        window = blend("#ffcf70", "#fff3c4", 0.4)
        position = 0.02
        while position < 0.80:
            wide = self.rng.uniform(2.2, 4.6) * self.unit
            ground = self.horizon - 5.5 * self.unit * (0.2 + 1.3 * (1 - position) ** 1.6)
            top = ground - self.rng.uniform(2.4, 5.6) * self.unit
            left, right = sorted((at(position * reach), at(position * reach + wide)))
            wall = blend(self.mood.land, self.mood.sky[-2], self.rng.uniform(0.02, 0.16))
            draw.rectangle((left, top, right, self.horizon), fill=wall)
            roof = top - self.rng.uniform(0.8, 2.0) * self.unit
            eaves = 0.3 * self.unit
            draw.polygon([(left - eaves, top), ((left + right) / 2, roof), (right + eaves, top)], fill=colour)
            if self.mood.lamps:
                self._windows(draw, left, right, top, ground, window)
            position += (wide / reach) * self.rng.uniform(0.9, 1.5)

    def _windows(self, draw, left: float, right: float, top: float, ground: float, colour) -> None:
        size = 0.42 * self.unit
        row = top + 1.2 * size
        while row < ground - size:
            column = left + 1.4 * size
            while column < right - 2 * size:
                if self.rng.random() < 0.45:
                    draw.rectangle((column, row, column + size, row + 1.3 * size), fill=colour)
                column += 2.6 * size
            row += 3.0 * size

    def _lighthouse(self, sky: Image.Image, x: float, foot: float, colour: tuple[int, int, int]) -> None:
        draw = ImageDraw.Draw(sky)
        tall, wide = 15 * self.unit, 1.9 * self.unit
        top = foot - tall
        white, red = blend("#f4efe6", self.mood.land, 0.25), blend("#b8433c", self.mood.land, 0.25)
        for band in range(5):
            low, high = band / 5, (band + 1) / 5
            w_low, w_high = wide * (1 - 0.4 * low), wide * (1 - 0.4 * high)
            y_low, y_high = foot - tall * low, foot - tall * high
            outline = [(x - w_low, y_low), (x + w_low, y_low), (x + w_high, y_high), (x - w_high, y_high)]
            draw.polygon(outline, fill=white if band % 2 == 0 else red)
        room = 0.95 * self.unit
        draw.rectangle((x - 1.6 * room, top - 0.3 * room, x + 1.6 * room, top + 0.2 * room), fill=colour)
        draw.rectangle((x - room, top - 2.2 * room, x + room, top - 0.3 * room), fill=blend("#ffd98a", "#ffffff", 0.35))
        eaves = top - 2.2 * room
        draw.polygon([(x - 1.3 * room, eaves), (x, top - 3.8 * room), (x + 1.3 * room, eaves)], fill=red)
        if self.mood.lamps:
            self._beam(sky, x, top - 1.2 * room)

    def _beam(self, sky: Image.Image, x: float, y: float) -> None:
        away = 1 if self.headland_left else -1
        mask = Image.new("L", sky.size, 0)
        far, spread = x + away * 0.55 * self.width, 7 * self.unit
        ImageDraw.Draw(mask).polygon([(x, y), (far, y - 2.2 * spread), (far, y - 0.6 * spread)], fill=110)
        fade = Image.linear_gradient("L").rotate(-90 if away > 0 else 90).resize(sky.size)
        reach = Image.new("L", sky.size, 0)
        left = round(min(x, far))
        reach.paste(fade.resize((max(1, round(abs(far - x))), sky.height)), (left, 0))
        beam = ImageChops.multiply(mask.filter(ImageFilter.GaussianBlur(self.unit)), reach)
        sky.paste("#fff2c8", (0, 0), beam)
        self._glow(sky, x, y, 5 * self.unit, 0.8)

    def _water(self, sky: Image.Image) -> Image.Image:
        """The sky upside down, squeezed, shaken in rows that grow towards the viewer, and tinted deeper near him."""
        depth = self.height - self.horizon
        mirror = sky.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((self.width, max(depth, 1)))
        water = Image.new("RGB", mirror.size)
        phases = [self.rng.uniform(0, math.tau) for _ in range(3)]
        for row in range(mirror.height):
            near = row / mirror.height
            rhythm = sum(
                math.sin(row * speed / (1 + 5 * near) / self.unit * 2 + phase)
                for speed, phase in zip((1.1, 2.3, 4.7), phases, strict=True)
            )
            shift = round(rhythm * (0.15 + 1.5 * near) * self.unit)
            line = mirror.crop((0, row, self.width, row + 1))
            water.paste(ImageChops.offset(line, shift, 0), (0, row))
        deep = Image.new("RGB", mirror.size, self.mood.water)
        veil = Image.linear_gradient("L").resize(mirror.size).point([70 + level * 130 // 255 for level in range(256)])
        return Image.composite(deep, water.filter(ImageFilter.GaussianBlur(0.25 * self.unit)), veil)

    def _glitter(self, picture: Image.Image) -> None:
        """The road of light under the sun, and a few long swells."""
        layer = Image.new("L", picture.size, 0)
        draw = ImageDraw.Draw(layer)
        depth = self.height - self.horizon
        for _ in range(520):
            near = self.rng.random() ** 1.4
            y = self.horizon + near * depth
            spread = (2.5 + 15 * near) * self.unit
            x = self.rng.gauss(self.sun_x, spread / 1.8)
            length, thick = self.rng.uniform(0.5, 1 + 3.2 * near) * self.unit, (0.08 + 0.22 * near) * self.unit
            draw.ellipse((x - length, y - thick, x + length, y + thick), fill=self.rng.randint(70, 215))
        for _ in range(150):
            near = self.rng.random()
            x, y = self.rng.uniform(0, self.width), self.horizon + near * depth
            length, thick = self.rng.uniform(2, 4 + 9 * near) * self.unit, (0.05 + 0.14 * near) * self.unit
            draw.ellipse((x - length, y - thick, x + length, y + thick), fill=self.rng.randint(14, 44))
        picture.paste(self.mood.light, (0, 0), layer.filter(ImageFilter.GaussianBlur(0.12 * self.unit)))

    def _boats(self, picture: Image.Image) -> None:
        depth = self.height - self.horizon
        slots = self.rng.sample(range(6), self.rng.randint(3, 4))
        distances = sorted(self.rng.uniform(0.05, 0.62) for _ in slots)
        for slot, near in zip(slots, distances, strict=True):
            x = (slot + self.rng.uniform(0.25, 0.75)) / 6 * self.width
            self._boat(picture, x, self.horizon + near * depth, (4 + 17 * near) * self.unit, near)

    def _boat(self, picture: Image.Image, x: float, water_line: float, size: float, near: float) -> None:
        """A sailing boat on a layer of its own, and that layer's reflection."""
        half, tall = round(size * 1.1) + 2, round(size * 1.9) + 2
        boat = Image.new("RGBA", (2 * half, tall), (0, 0, 0, 0))
        self._draw_boat(ImageDraw.Draw(boat), half, tall, size, near)
        left, top = round(x) - half, round(water_line) - tall
        mirrored = boat.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((2 * half, round(tall * 0.75)))
        mirrored.putalpha(mirrored.getchannel("A").point([level * 2 // 5 for level in range(256)]))
        mirrored = mirrored.filter(ImageFilter.GaussianBlur(0.25 * self.unit))
        picture.paste(mirrored, (left, round(water_line)), mirrored)
        picture.paste(boat, (left, top), boat)

    def _draw_boat(self, draw: ImageDraw.ImageDraw, middle: int, bottom: int, size: float, near: float) -> None:
        facing = self.rng.choice((-1, 1))
        hull = blend(self.mood.land, self.mood.sky[-2], 0.30 * (1 - near))
        trim = blend(self.rng.choice(("#c9483f", "#e8e2d4", "#3f7f8c", "#d9a441")), self.mood.land, 0.35)
        sail = blend("#fff6e6", self.mood.sky[-2], self.rng.uniform(0.15, 0.45))
        shade = blend("#fff6e6", self.mood.land, 0.35)
        deck, head = 0.24, 1.8

        def at(dx: float, up: float) -> tuple[float, float]:
            """From the boat's own measures: ahead of the mast, above the water, both in lengths of the hull."""
            return (middle + facing * dx * size, bottom - up * size)

        def shape(colour: tuple[int, int, int], *points: tuple[float, float]) -> None:
            draw.polygon([at(*point) for point in points], fill=(*colour, 255))

        def line(colour: tuple[int, int, int], thick: float, *points: tuple[float, float]) -> None:
            draw.line([at(*point) for point in points], fill=(*colour, 255), width=max(1, round(thick * size)))

        shape(hull, (-0.72, deck), (0.86, deck + 0.06), (0.58, 0), (-0.58, 0))
        line(trim, 0.045, (-0.72, deck), (0.86, deck + 0.06))
        line(hull, 0.035, (0.02, deck), (0.02, head))
        if self.rng.random() < 0.72:
            shape(sail, (-0.03, head - 0.10), (-0.03, deck + 0.14), (-0.66, deck + 0.12))
            shape(shade, (0.08, head - 0.24), (0.08, deck + 0.12), (0.70, deck + 0.14))
        else:
            shape(shade, (-0.42, deck), (-0.42, deck + 0.26), (0.18, deck + 0.26), (0.26, deck))
            line(hull, 0.012, (0.02, head - 0.1), (0.80, deck + 0.05))
            line(hull, 0.012, (0.02, head - 0.1), (-0.70, deck))

    def _birds(self, picture: Image.Image) -> None:
        draw = ImageDraw.Draw(picture)
        x, y = self.rng.uniform(0.3, 0.7) * self.width, self.rng.uniform(0.14, 0.34) * self.horizon
        for _ in range(self.rng.randint(4, 8)):
            bx, by = x + self.rng.uniform(-16, 16) * self.unit, y + self.rng.uniform(-5, 5) * self.unit
            wing = self.rng.uniform(0.8, 1.7) * self.unit
            lift = wing * self.rng.uniform(0.3, 0.6)
            outline = ((-1, 1), (-0.3, 0.7), (0, 0), (0.3, 0.7), (1, 1))
            points = [(bx + along * wing, by - up * lift) for along, up in outline]
            colour = blend(self.mood.land, self.mood.sky[2], 0.2)
            draw.line(points, fill=colour, width=max(1, round(0.22 * self.unit)), joint="curve")
