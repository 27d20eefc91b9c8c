# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoders that prove what came back, and small inputs to send. Private to the collection.

Hosts have Python's standard library only, so each decoder checks the structure to the last byte (sizes, checksums, the
inflated length) rather than rendering the picture. MediaError says what is wrong in words that fit into a message.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
import urllib.parse
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> samples per pixel
PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
WAV_CODECS = {1: "pcm", 3: "float", 6: "a-law", 7: "mu-law", 0xFFFE: "extensible"}
STREAMED_SIZE = 0xFFFFFFFF  # what a writer that cannot seek leaves in a size field
MP4_CONTAINERS = (b"moov", b"trak", b"mdia")
MAX_PIXELS = 100_000_000


class MediaError(ValueError):
    """The bytes are not what they claim to be."""


def decode(data):
    """Recognise the format by its first bytes and decode it."""
    if data.startswith(PNG_SIGNATURE):
        return decode_png(data)
    if data[:4] == b"RIFF":
        return decode_wav(data)
    if data[4:8] == b"ftyp":
        return decode_mp4(data)
    if not data:
        raise MediaError("it is empty")
    raise MediaError(f"it is neither PNG, WAV nor MP4 (it begins with {_beginning(data)})")


def decode_data_url(url):
    """The bytes behind data:<type>;base64,<text>."""
    head, comma, text = url.partition(",")
    if not head.startswith("data:") or not comma:
        raise MediaError("it is not a data URL")
    if not head.endswith(";base64"):
        return urllib.parse.unquote_to_bytes(text)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MediaError(f"its base64 text is damaged ({error})") from error


# --- PNG ------------------------------------------------------------------------------------------


def decode_png(data):
    """Every chunk's length and CRC, the inflated size against the header, every row's filter byte."""
    if not data.startswith(PNG_SIGNATURE):
        raise MediaError(f"it is not a PNG (it begins with {_beginning(data)})")
    chunks = list(_png_chunks(data))
    if chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        raise MediaError("its PNG header is missing")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    if not width or not height or width * height > MAX_PIXELS:
        raise MediaError(f"its PNG header claims {width} x {height} pixels")
    if depth not in PNG_DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise MediaError("its PNG header has values that no PNG can have")
    if chunks[-1][0] != b"IEND":
        raise MediaError("the PNG ends without its end mark")
    rows = _png_rows(width, height, depth * PNG_CHANNELS[colour], interlace)
    pixels = _inflate(
        b"".join(body for kind, body in chunks if kind == b"IDAT"), sum(count * (1 + size) for count, size in rows)
    )
    filters = b"".join(_row_filters(pixels, rows))
    if max(filters) > 4:
        raise MediaError(f"a row of the PNG has the unknown filter {max(filters)}")
    # Whatever the filter, rows of zeros stay zeros and anything else leaves a trace: black shows without unfiltering.
    black = pixels.count(0) - filters.count(0) == len(pixels) - len(filters)
    return {"format": "png", "width": width, "height": height, "black": black and colour in (0, 2)}


def _png_chunks(data):
    position, ended = len(PNG_SIGNATURE), False
    while position < len(data) and not ended:
        if position + 12 > len(data):
            raise MediaError("the PNG is cut short")
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        if position + 12 + length > len(data):
            raise MediaError("the PNG is cut short in its {} chunk".format(kind.decode("ascii", "replace")))
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        if zlib.crc32(kind + body) != checksum:
            raise MediaError("the checksum of the PNG's {} chunk is wrong".format(kind.decode("ascii", "replace")))
        yield kind, body
        position += 12 + length
        ended = kind == b"IEND"
    if position == len(PNG_SIGNATURE):
        raise MediaError("the PNG has no content")


def _png_rows(width, height, bits, interlace):
    """(number of rows, bytes per row without the filter byte), one item per pass."""
    if not interlace:
        return [(height, (width * bits + 7) // 8)]
    passes = []
    for left, top, across, down in ADAM7:
        columns, count = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and count > 0:
            passes.append((count, (columns * bits + 7) // 8))
    return passes


def _inflate(packed, expected):
    """At most one byte more than expected: a small file must not be able to fill the memory."""
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(packed, expected + 1)
    except zlib.error as error:
        raise MediaError(f"the PNG's pixels cannot be inflated ({error})") from error
    if len(pixels) != expected:
        raise MediaError(
            "the PNG holds %s pixel data than its header says" % ("less" if len(pixels) < expected else "more")
        )
    if not inflater.eof:
        raise MediaError("the PNG's pixel data has no end")
    return pixels


def _row_filters(pixels, rows):
    position = 0
    for count, size in rows:
        end = position + count * (size + 1)
        yield pixels[position : end : size + 1]
        position = end


# --- WAV ------------------------------------------------------------------------------------------


def decode_wav(data):
    """Walk the RIFF chunks; the wave module of the standard library refuses the float files that some models write."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise MediaError(f"it is not a WAV file (it begins with {_beginning(data)})")
    layout, sound = None, None
    for kind, body in _riff_chunks(data):
        if kind == b"fmt ":
            layout = _wav_layout(body)
        elif kind == b"data":
            sound = body
            break
    if layout is None or sound is None:
        raise MediaError("the WAV file has no %s" % ("format" if layout is None else "sound data"))
    channels, rate, block = layout
    frames = len(sound) // block
    if not frames:
        raise MediaError("the WAV file has no frames")
    return {
        "format": "wav",
        "channels": channels,
        "rate": rate,
        "frames": frames,
        "duration": round(frames / rate, 3),
        "silent": not any(sound),
    }


def _riff_chunks(data):
    position = 12
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        start = position + 8
        if kind == b"data" and size in (0, STREAMED_SIZE):
            size = len(data) - start
        if start + size > len(data):
            raise MediaError(f"the WAV file is cut short: {len(data) - start} of {size} bytes")
        yield kind, data[start : start + size]
        position = start + size + (size & 1)


def _wav_layout(body):
    if len(body) < 16:
        raise MediaError("the format of the WAV file is cut short")
    codec, channels, rate, _bytes_per_second, block = struct.unpack_from("<HHIIH", body)
    if codec not in WAV_CODECS or not channels or not rate or not block:
        raise MediaError(f"the format of the WAV file makes no sense (codec {codec}, {channels} channels, {rate} Hz)")
    return channels, rate, block


# --- MP4 ------------------------------------------------------------------------------------------


def decode_mp4(data):
    """Walk the boxes: a type, an index with at least one track, and media data, all as long as they say."""
    boxes = list(_mp4_boxes(data, 0, len(data)))
    kinds = [kind for kind, _start, _end in boxes]
    if not kinds or kinds[0] != b"ftyp":
        raise MediaError(f"it is not an MP4 file (it begins with {_beginning(data)})")
    if b"moov" not in kinds:
        raise MediaError("the MP4 file has no index, so it does not play")
    if b"mdat" not in kinds or not any(end > start for kind, start, end in boxes if kind == b"mdat"):
        raise MediaError("the MP4 file has no media data")
    inner = list(_mp4_tree(data, boxes))
    tracks = sum(1 for kind, _start, _end in inner if kind == b"trak")
    if not tracks:
        raise MediaError("the MP4 file has no track")
    seconds = [_mp4_seconds(data, start, end) for kind, start, end in inner if kind == b"mvhd"]
    return {"format": "mp4", "tracks": tracks, "duration": seconds[0] if seconds else 0.0}


def _mp4_boxes(data, position, end):
    while position < end:
        if position + 8 > end:
            raise MediaError("the MP4 file is cut short")
        size, kind = struct.unpack_from(">I4s", data, position)
        head = 8
        if size == 1:
            if position + 16 > end:
                raise MediaError("the MP4 file is cut short")
            (size,) = struct.unpack_from(">Q", data, position + 8)
            head = 16
        elif size == 0:
            size = end - position
        if size < head or position + size > end:
            raise MediaError("the {} box of the MP4 file is cut short".format(kind.decode("ascii", "replace")))
        yield kind, position + head, position + size
        position += size


def _mp4_tree(data, boxes):
    for kind, start, end in boxes:
        yield kind, start, end
        if kind in MP4_CONTAINERS:
            yield from _mp4_tree(data, _mp4_boxes(data, start, end))


def _mp4_seconds(data, start, end):
    layout, offset = (">IQ", 20) if data[start : start + 1] == b"\x01" else (">II", 12)
    if start + offset + struct.calcsize(layout) > end:
        raise MediaError("the header of the MP4 file is cut short")
    scale, length = struct.unpack_from(layout, data, start + offset)
    return round(length / scale, 3) if scale else 0.0


# --- numbers as text ------------------------------------------------------------------------------


def decode_array(text):
    """The shape of a nested list of numbers that the runner printed as text (Python's spelling: True, nan, inf)."""
    for python, javascript in (("True", "true"), ("False", "false"), ("nan", "NaN"), (r"(?<![\w-])-?inf", "0")):
        text = re.sub(rf"{python}\b", javascript, text)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise MediaError(f"it is not a list of numbers ({error})") from error
    shape = _shape(value)
    if not shape or 0 in shape:
        raise MediaError("it is an empty list")
    return shape


def _shape(value):
    if isinstance(value, (int, float)):
        return ()
    if not isinstance(value, list):
        raise MediaError(f"it holds {type(value).__name__} where numbers belong")
    if value and not isinstance(value[0], list):
        # The innermost rows hold nearly all of the numbers, so they are judged in one pass.
        if not all(isinstance(item, (int, float)) for item in value):
            raise MediaError("it holds something else than numbers")
        return (len(value),)
    shapes = {_shape(item) for item in value}
    if len(shapes) > 1:
        raise MediaError("its rows have different lengths")
    return (len(value),) + (shapes.pop() if shapes else ())


# --- inputs to send -------------------------------------------------------------------------------


def sample_png(width=256, height=256):
    """A sunrise in one gradient with a dark ground: small, the same bytes everywhere, and not one flat colour."""
    rows = bytearray()
    horizon, sun_x, sun_y = height * 5 // 8, width // 2, height // 2
    for y in range(height):
        rows.append(0)
        for x in range(width):
            if y > horizon:
                rows += bytes((20, 40 + 60 * (height - y) // height, 70 + 20 * (x % 16 > 7)))
            elif (x - sun_x) ** 2 + (y - sun_y) ** 2 < (height // 8) ** 2:
                rows += b"\xff\xd0\x50"
            else:
                rows += bytes((90 + 140 * y // height, 80 + 60 * y // height, 150 - 60 * y // height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def sample_wav(seconds=2, rate=16000):
    """A tone, longer than the second a gateway insists on. It holds no words, so its transcript may be empty."""
    samples = b"".join(
        struct.pack("<h", int(8000 * math.sin(2 * math.pi * 440 * number / rate)))
        for number in range(int(seconds * rate))
    )
    layout = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    body = (
        b"WAVE"
        + b"fmt "
        + struct.pack("<I", len(layout))
        + layout
        + b"data"
        + struct.pack("<I", len(samples))
        + samples
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _beginning(data):
    return repr(data[:12]).lstrip("b") if data else "nothing"
