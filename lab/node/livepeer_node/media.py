# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures, sound and film as the node touches them, and the memory in which it serves them (facts 6.2, 6.4)."""

from __future__ import annotations

import base64
import binascii
import io
import secrets
import struct
import threading
import wave
import zlib
from collections import OrderedDict

FILES_PER_SESSION = 12
MIME_TYPES = {".png": "image/png", ".wav": "audio/wav", ".mp4": "video/mp4", ".jpg": "image/jpeg", ".gif": "image/gif"}

_PNG = b"\x89PNG\r\n\x1a\n"
# What a decoder needs; the node decodes and encodes every picture anew, so comments and the like do not survive it.
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class MediaError(ValueError):
    """The bytes are not what they should be; the text is the real node's."""


def random_id():
    """A ManifestID: 8 hex digits."""
    return secrets.token_hex(4)


def decode_data_url(url):
    """`data:<type>;base64,<data>` -> (type, bytes)."""
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not comma or not head.endswith(";base64"):
        raise MediaError("Expected data:")
    try:
        return head[5:-7], base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise MediaError(f"illegal base64 data: {error}") from error


# --- pictures ----------------------------------------------------------------------------------------------------
def image_size(data):
    """(width, height) of a PNG, JPEG or GIF: the three formats the real binary can decode."""
    if data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) >= 33:
        return struct.unpack(">II", data[16:24])
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 13:
        return struct.unpack("<HH", data[6:10])
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    raise MediaError("image: unknown format")


def _jpeg_size(data):
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            break
        marker, (length,) = data[position + 1], struct.unpack(">H", data[position + 2 : position + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        position += 2 + length
    raise MediaError("invalid JPEG format: missing SOF marker")


def _png_chunks(data):
    position = len(_PNG)
    while position + 12 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack(">I", data[position + 8 + length : position + 12 + length] or b"\0\0\0\0")
        if zlib.crc32(kind + body) != checksum:
            raise MediaError("png: invalid format: invalid checksum")
        yield kind, body
        position += 12 + length


def reencoded(data):
    """The picture without its metadata; raises MediaError if it cannot be decoded."""
    image_size(data)
    if not data.startswith(_PNG):
        return data
    chunks = [(kind, body) for kind, body in _png_chunks(data) if kind in _PNG_KEPT]
    if not chunks or chunks[-1][0] != b"IEND":
        raise MediaError("unexpected EOF")
    _check_pixels(chunks[0][1], b"".join(body for kind, body in chunks if kind == b"IDAT"))
    packed = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    return _PNG + b"".join(packed)


def _check_pixels(header, compressed):
    width, height, depth, colour, _compression, _filter, interlace = struct.unpack(">IIBBBBB", header)
    try:
        size = len(zlib.decompress(compressed))
    except zlib.error as error:
        raise MediaError(f"png: invalid format: {error}") from error
    row = 1 + (width * depth * _PNG_CHANNELS.get(colour, 0) + 7) // 8
    if not interlace and size < row * height:
        raise MediaError("png: invalid format: not enough pixel data")


# --- sound -------------------------------------------------------------------------------------------------------
def audio_seconds(data):
    """Whole seconds of a recording. WAV is measured; other containers are only recognised (README)."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        try:
            with wave.open(io.BytesIO(data)) as file:
                return file.getnframes() // max(file.getframerate(), 1)
        except (wave.Error, EOFError) as error:
            raise MediaError("Error getting codec info") from error
    known = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"fLaC", b"OggS", b"\x1aE\xdf\xa3")
    if data.startswith(known) or data[4:8] == b"ftyp":
        return max(1, len(data) // 16000)
    raise MediaError("Error getting codec info")


# --- film --------------------------------------------------------------------------------------------------------
def _box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind, flags, *parts):
    return _box(kind, struct.pack(">I", flags), *parts)


_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def film(frames, per_second):
    """One MP4 whose samples are the PNG frames as they are (object type 0x6D of the MP4 registry)."""
    width, height = image_size(frames[0])
    count = len(frames)
    start = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isom", b"mp41")
    # Offsets of the samples depend on the index's length, which does not depend on them.
    offset = len(start) + len(_index(frames, per_second, width, height, count, 0)) + 8
    return start + _index(frames, per_second, width, height, count, offset) + _box(b"mdat", *frames)


def _index(frames, per_second, width, height, count, offset):
    movie = _full(b"mvhd", 0, struct.pack(">IIIIIH10x", 0, 0, per_second, count, 0x10000, 0x100), _MATRIX,
                  bytes(24), struct.pack(">I", 2))  # fmt: skip
    track = _full(b"tkhd", 7, struct.pack(">IIII I8xHHHH", 0, 0, 1, 0, count, 0, 0, 0, 0), _MATRIX,
                  struct.pack(">II", width << 16, height << 16))  # fmt: skip
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, struct.pack(">IIIIHH", 0, 0, per_second, count, 0x55C4, 0)),
        _full(b"hdlr", 0, bytes(4), b"vide", bytes(12), b"frames\0"),
        _box(
            b"minf",
            _full(b"vmhd", 1, bytes(8)),
            _box(b"dinf", _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 1))),
            _samples(frames, width, height, count, offset),
        ),
    )
    return _box(b"moov", movie, _box(b"trak", track, media))


def _samples(frames, width, height, count, offset):
    decoder = struct.pack(">BB", 4, 13) + struct.pack(">BB", 0x6D, 0x11) + bytes(11)
    descriptor = struct.pack(">BBHB", 3, 3 + len(decoder) + 3, 1, 0) + decoder + struct.pack(">BBB", 6, 1, 2)
    entry = _box(
        b"mp4v",
        struct.pack(">6xH16xHHIIIH32xHh", 1, width, height, 0x480000, 0x480000, 0, 1, 24, -1),
        _full(b"esds", 0, descriptor),
    )
    return _box(
        b"stbl",
        _full(b"stsd", 0, struct.pack(">I", 1), entry),
        _full(b"stts", 0, struct.pack(">III", 1, count, 1)),
        _full(b"stsc", 0, struct.pack(">IIII", 1, 1, count, 1)),
        _full(b"stsz", 0, struct.pack(">II", 0, count), *(struct.pack(">I", len(frame)) for frame in frames)),
        _full(b"stco", 0, struct.pack(">II", 1, offset)),
    )


# --- the memory that serves them ---------------------------------------------------------------------------------
class Store:
    """Files by session, the last 12 of each, under `<base>/stream/<session>/<file>`."""

    def __init__(self, base_url=""):
        self._base_url = base_url
        self._sessions = {}
        self._lock = threading.Lock()

    def save(self, session, name, data):
        with self._lock:
            files = self._sessions.setdefault(session, OrderedDict())
            if name not in files and len(files) >= FILES_PER_SESSION:
                files.popitem(last=False)
            files[name] = data
        return f"{self._base_url}/stream/{session}/{name}"

    def read(self, session, name):
        with self._lock:
            return self._sessions.get(session, {}).get(name)

    def at_path(self, path):
        """(mime type, bytes) of `/stream/<session>/<file>`, or None."""
        parts = path.split("/")
        data = self.read(parts[2], parts[3]) if len(parts) == 4 and parts[1] == "stream" else None
        if data is None:
            return None
        return MIME_TYPES.get("." + parts[3].rpartition(".")[2], "application/octet-stream"), data

    def end(self, session):
        with self._lock:
            self._sessions.pop(session, None)
