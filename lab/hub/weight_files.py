# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files in the formats weights come in. Content follows from the seed alone: the same call, the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import zipfile
import zlib

BYTES_OF = {"F32": 4, "F16": 2, "BF16": 2}
EPOCH = (1980, 1, 1, 0, 0, 0)


def noise(seed: str, size: int) -> bytes:
    """Bytes that no compression and no deduplication makes smaller."""
    return hashlib.shake_256(seed.encode()).digest(size)


def small_numbers(seed: str, dtype: str, count: int) -> bytes:
    """Finite numbers below one in magnitude: noise whose exponent bits are held down."""
    width = BYTES_OF[dtype]
    raw = bytearray(noise(seed, count * width))
    # the byte with the sign and the top of the exponent comes last in little endian; 0x3X is a small positive number
    top = raw[width - 1 :: width]
    raw[width - 1 :: width] = bytes(top).translate(bytes(0x30 | (value & 0x83) for value in range(256)))
    return bytes(raw)


def safetensors(seed: str, dtype: str, tensors: dict[str, list[int]]) -> bytes:
    """The safetensors format: length of the header, JSON header, then the tensors back to back."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    parts = []
    offset = 0
    for name, shape in sorted(tensors.items()):
        count = elements(shape)
        parts.append(small_numbers(f"{seed}/{name}", dtype, count))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(parts[-1])]}
        offset += len(parts[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def elements(shape: list[int]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def torch_archive(seed: str, size: int) -> bytes:
    """The zip that torch.save writes, with an empty state dict and one storage."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, payload in (
            ("archive/data.pkl", pickle.dumps({}, protocol=2)),
            ("archive/byteorder", b"little"),
            ("archive/data/0", noise(seed, size)),
            ("archive/version", b"3\n"),
        ):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), payload)
    return buffer.getvalue()


def msgpack(seed: str, size: int) -> bytes:
    """Flax: a map with one binary value."""
    return b"\x81\xa6params\xc6" + struct.pack(">I", size) + noise(seed, size)


def opaque(magic: bytes, seed: str, size: int) -> bytes:
    """A format that nothing in the lab opens: its first bytes are right, the rest is noise."""
    return magic + noise(seed, size)


def picture(seed: str) -> bytes:
    """A PNG of 32 by 32 grey noise."""

    def chunk(kind: bytes, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))

    pixels = noise(seed, 32 * 32)
    rows = b"".join(b"\0" + pixels[start : start + 32] for start in range(0, len(pixels), 32))
    header = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
