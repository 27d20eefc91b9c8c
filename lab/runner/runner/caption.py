# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writing at the foot of a picture: what was asked, of whom, and that no model drew it."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

CREDIT = "drawn by the lab's runner stand-in"
MOST_PROMPT_LINES = 4


def font(size: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(max(8, round(size)))


def facts_of(picture: Image.Image, model_id: str, seed: int) -> list[str]:
    return [f"seed {seed}", f"{picture.width} x {picture.height}", model_id]


def wrap(text: str, letters: ImageFont.ImageFont, width: float, most: int) -> list[str]:
    """As many lines as the text needs, at most `most`; what is left out is marked."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if letters.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} ..."]
    return lines


def write_caption(picture: Image.Image, prompt: str, model_id: str, seed: int) -> None:
    """Darken the foot of the picture and write there; the type shrinks until it fits the width."""
    unit = min(picture.size) / 100
    margin = max(3, round(3.2 * unit))
    room = picture.width - 2 * margin
    large, small = font(4.6 * unit), font(2.9 * unit)
    prompt_lines = wrap(prompt, large, room, MOST_PROMPT_LINES)
    fact_lines = pack([*facts_of(picture, model_id, seed), CREDIT], small, room)
    line_height, small_height = round(6.0 * unit) + 1, max(10, round(4.2 * unit))
    height = margin + len(prompt_lines) * line_height + len(fact_lines) * small_height + margin // 2
    _darken_foot(picture, min(picture.height, height + margin))
    draw = ImageDraw.Draw(picture)
    y = picture.height - height + margin // 2
    for line in prompt_lines:
        _write(draw, (margin, y), line, large, "#ffffff")
        y += line_height
    for line in fact_lines:
        _write(draw, (margin, y), line, small, "#dfe6f2")
        y += small_height


def pack(pieces: list[str], letters: ImageFont.ImageFont, width: float) -> list[str]:
    """Pieces side by side as far as they fit, never broken inside one."""
    lines = [""]
    for piece in pieces:
        longer = f"{lines[-1]}   {piece}" if lines[-1] else piece
        if letters.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def _write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, letters, colour: str) -> None:
    draw.text((place[0] + 1, place[1] + 1), text, font=letters, fill="#0a0f1c")
    draw.text(place, text, font=letters, fill=colour)


def _darken_foot(picture: Image.Image, height: int) -> None:
    """A shade that comes up softly and is dark enough under every line for white letters."""
    shade = Image.linear_gradient("L").resize((picture.width, height))
    shade = shade.point([min(190, level * 3) for level in range(256)])
    picture.paste("#0b1222", (0, picture.height - height), shade)
