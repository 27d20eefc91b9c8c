# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound without libraries: reading the header of a WAV file, and writing one."""

from __future__ import annotations

import array
import io
import math
import random
import struct
import sys
import wave
from dataclasses import dataclass

RATE = 44_100
LONGEST_SECONDS = 30.0
SECONDS_PER_CHARACTER = 0.065
PCM = 1
EXTENSIBLE = 0xFFFE
# The first bytes of files that a media library opens.
MEDIA_SIGNATURES = (
    b"RIFF",
    b"ID3",
    b"\xff\xfb",
    b"\xff\xf3",
    b"fLaC",
    b"OggS",
    b"\x1aE\xdf\xa3",
    b"\x89PNG",
    b"\xff\xd8\xff",
)


class NotAudioError(ValueError):
    """No sound could be found in the bytes."""


@dataclass(frozen=True)
class Recording:
    rate: int
    channels: int
    seconds: float
    loudness: float


def looks_like_media(data: bytes) -> bool:
    return data.startswith(MEDIA_SIGNATURES) or data[4:8] == b"ftyp"


def read_wav(data: bytes) -> Recording:
    chunks = _riff_chunks(data)
    form, sound = chunks.get(b"fmt "), chunks.get(b"data")
    if form is None or len(form) < 16 or sound is None:
        raise NotAudioError("no WAV form and data chunk")
    code, channels, rate, bytes_per_second, _, bits = struct.unpack("<HHIIHH", form[:16])
    if not channels or not rate or not bytes_per_second or not sound:
        raise NotAudioError("an empty recording")
    is_pcm16 = bits == 16 and code in (PCM, EXTENSIBLE)
    return Recording(rate, channels, len(sound) / bytes_per_second, _loudness(sound) if is_pcm16 else 0.0)


def _riff_chunks(data: bytes) -> dict[bytes, bytes]:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise NotAudioError("not a WAV file")
    chunks: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, position + 4)
        # A cut-off file keeps what is there, as media libraries do.
        chunks.setdefault(data[position : position + 4], data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    return chunks


def _loudness(sound: bytes) -> float:
    """Root mean square of 16-bit samples, 0 to 1; thinned out, for an estimate is enough."""
    samples = array.array("h", sound[: len(sound) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    thinned = samples[:: max(1, len(samples) // 50_000)]
    return math.sqrt(sum(sample * sample for sample in thinned) / len(thinned)) / 32768


def speak(text: str, description: str) -> bytes:
    """A WAV that hums the text: a tone per character, silence for spaces, in the speaker's own pitch."""
    pitch = 110 * 2 ** random.Random(description).uniform(0, 1)
    seconds_each = min(SECONDS_PER_CHARACTER, LONGEST_SECONDS / len(text))
    samples = array.array("h")
    for character in text:
        samples.extend(_hum(character, pitch, int(RATE * seconds_each)))
    if sys.byteorder == "big":
        samples.byteswap()
    return _wav(samples.tobytes())


def _hum(character: str, pitch: float, length: int) -> array.array:
    if character.isspace():
        return array.array("h", bytes(2 * length))
    # Notes of a pentatonic scale, so that any text sounds agreeable.
    note = pitch * 2 ** ((0, 2, 4, 7, 9)[ord(character) % 5] / 12 + ord(character) // 5 % 2)
    step = 2 * math.pi * note / RATE
    fade = math.pi / length
    return array.array(
        "h",
        (int(9000 * math.sin(fade * i) * (math.sin(step * i) + 0.4 * math.sin(2 * step * i))) for i in range(length)),
    )


def _wav(frames: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(frames)
    return buffer.getvalue()
