# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the decoders accept, Pillow and the wave module accept, and every kind of damage has its sentence."""

from __future__ import annotations

import io
import struct
import wave
import zlib

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _media as media

Image = pytest.importorskip("PIL.Image")


def png(mode="RGB", size=(17, 9), colour=None, **options):
    stream = io.BytesIO()
    picture = (
        Image.new(mode, size, colour) if colour is not None else Image.radial_gradient("L").resize(size).convert(mode)
    )
    picture.save(stream, "PNG", **options)
    return stream.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def made_png(width, height, pixels, depth=8, colour=2, interlace=0, end=True):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = media.PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels))
    return data + (chunk(b"IEND", b"") if end else b"")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_png_that_pillow_writes(mode):
    facts = media.decode_png(png(mode))
    assert (facts["width"], facts["height"], facts["black"]) == (17, 9, False)


def test_interlaced_png():
    """Adam7 sizes by hand: a 1 x 1 picture has one pass, a 5 x 3 one has six."""
    assert media.decode_png(made_png(1, 1, b"\0\1\2\3", interlace=1))["width"] == 1
    rows = [(1, 1), (1, 1), (1, 1), (1, 3), (2, 2), (1, 5)]
    pixels = b"".join((b"\0" + b"\7" * (columns * 3)) * count for count, columns in rows)
    # Passes of a 5 x 3 picture: 1x1, 1x1, none, 1x1, 3x1, 2x2, 5x1.
    assert media.decode_png(made_png(5, 3, pixels, interlace=1))["height"] == 3


@pytest.mark.parametrize("options", [{}, {"compress_level": 0}])
def test_black_is_seen(options):
    assert media.decode_png(png(colour=(0, 0, 0), **options))["black"]
    assert not media.decode_png(png(colour=(0, 0, 1), **options))["black"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GIF89a", "not a PNG"),
        (media.PNG_SIGNATURE, "no content"),
        (png()[:-6], "cut short"),
        (png()[:60], "cut short"),
        (png().replace(b"IDAT", b"IDAX"), "checksum"),
        (made_png(2, 2, b"\0" * 13), "less pixel data"),
        (made_png(2, 2, b"\0" * 15), "more pixel data"),
        (made_png(2, 2, b"\5" + b"\0" * 13), "unknown filter 5"),
        (made_png(2, 2, b"\0" * 14, end=False), "end mark"),
        (made_png(2, 2, b"\0" * 14, depth=3), "values that no PNG"),
        (made_png(0, 2, b""), "claims 0 x 2"),
        (made_png(60000, 60000, b""), "claims 60000 x 60000"),
        (media.PNG_SIGNATURE + chunk(b"IEND", b""), "header is missing"),
    ],
)
def test_png_that_is_none(data, words):
    with pytest.raises(media.MediaError, match=words):
        media.decode_png(data)


def test_pixels_that_do_not_inflate():
    header = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    data = media.PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", b"nonsense") + chunk(b"IEND", b"")
    with pytest.raises(media.MediaError, match="inflated"):
        media.decode_png(data)


def test_wav_that_the_wave_module_writes():
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(44100)
        sound.writeframes(struct.pack("<hh", 1, -1) * 4410)
    facts = media.decode_wav(stream.getvalue())
    assert (facts["channels"], facts["rate"], facts["frames"], facts["duration"], facts["silent"]) == (
        2,
        44100,
        4410,
        0.1,
        False,
    )


def made_wav(sound, codec=1, channels=1, rate=8000, block=2, size=None):
    layout = struct.pack("<HHIIHH", codec, channels, rate, rate * block, block, 16)
    body = (
        b"WAVEfmt "
        + struct.pack("<I", 16)
        + layout
        + b"data"
        + struct.pack("<I", len(sound) if size is None else size)
        + sound
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_float_wav_and_streamed_wav():
    assert media.decode_wav(made_wav(b"\1" * 8, codec=3, block=4))["frames"] == 2
    assert media.decode_wav(made_wav(b"\1" * 8, size=0xFFFFFFFF))["frames"] == 4


def test_silence_is_seen():
    assert media.decode_wav(made_wav(b"\0" * 8))["silent"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"OggS", "not a WAV"),
        (b"RIFF\0\0\0\0WAVE", "no format"),
        (made_wav(b""), "no frames"),
        (made_wav(b"\1" * 8, size=80), "cut short: 8 of 80"),
        (made_wav(b"\1" * 8, rate=0), "makes no sense"),
        (made_wav(b"\1" * 8, codec=99), "codec 99"),
    ],
)
def test_wav_that_is_none(data, words):
    with pytest.raises(media.MediaError, match=words):
        media.decode_wav(data)


def box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind) + body


def mvhd(scale=1000, length=2500):
    return box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, scale, length))


FTYP = box(b"ftyp", b"isom\0\0\2\0isommp42")
MOVIE = FTYP + box(b"moov", mvhd() + box(b"trak", box(b"tkhd", b"\0" * 20))) + box(b"mdat", b"frames")


def test_mp4():
    assert media.decode_mp4(MOVIE) == {"format": "mp4", "tracks": 1, "duration": 2.5}


def test_mp4_with_long_and_open_sizes():
    long_box = struct.pack(">I4sQ", 1, b"free", 20) + b"1234"
    open_box = struct.pack(">I4s", 0, b"mdat") + b"to the end"
    inner = box(b"moov", box(b"mvhd", struct.pack(">B3xQQIQ", 1, 0, 0, 10, 35)) + box(b"trak", b""))
    assert media.decode_mp4(FTYP + long_box + inner + open_box)["duration"] == 3.5


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0\0\x08junk", "not an MP4"),
        (FTYP + box(b"mdat", b"x"), "no index"),
        (FTYP + box(b"moov", mvhd() + box(b"trak", b"")), "no media data"),
        (FTYP + box(b"moov", mvhd()) + box(b"mdat", b"x"), "no track"),
        (MOVIE[:-3], "mdat box of the MP4 file is cut short"),
    ],
)
def test_mp4_that_is_none(data, words):
    with pytest.raises(media.MediaError, match=words):
        media.decode_mp4(data)


def test_decode_recognises_by_content():
    assert media.decode(png())["format"] == "png"
    assert media.decode(made_wav(b"\1\1"))["format"] == "wav"
    assert media.decode(MOVIE)["format"] == "mp4"
    with pytest.raises(media.MediaError, match="is empty"):
        media.decode(b"")
    with pytest.raises(media.MediaError, match="neither PNG"):
        media.decode(b"<html>")


def test_data_urls():
    assert media.decode_data_url("data:image/png;base64,aGk=") == b"hi"
    assert media.decode_data_url("data:text/plain,h%20i") == b"h i"
    for url, words in (("http://x/", "not a data URL"), ("data:image/png;base64,a*b", "damaged")):
        with pytest.raises(media.MediaError, match=words):
            media.decode_data_url(url)


@pytest.mark.parametrize(
    ("text", "shape"),
    [("[[1, 2], [3, nan]]", (2, 2)), ("[0.5]", (1,)), ("[[[True, False]]]", (1, 1, 2)), ("[-inf, 1e-3]", (2,))],
)
def test_arrays(text, shape):
    assert media.decode_array(text) == shape


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("array([1])", "not a list of numbers"),
        ("[]", "empty"),
        ("[[1, 2], [3]]", "different lengths"),
        ('["a"]', "something else"),
        ("[1, 'x']", "not a list"),
        ("[[1], 2]", "different lengths"),
        ('[{"a": 1}]', "something else"),
    ],
)
def test_arrays_that_are_none(text, words):
    with pytest.raises(media.MediaError, match=words):
        media.decode_array(text)


def test_samples_are_what_they_claim():
    picture = Image.open(io.BytesIO(media.sample_png()))
    picture.load()
    assert picture.size == (256, 256)
    assert not media.decode_png(media.sample_png())["black"]
    with wave.open(io.BytesIO(media.sample_wav()), "rb") as sound:
        assert (sound.getframerate(), sound.getnframes()) == (16000, 32000)
    assert media.decode_wav(media.sample_wav())["duration"] == 2.0
