# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weight files, opened and checked as far as their libraries check them. Nothing is unpickled."""

from __future__ import annotations

import json
import math
import pickle
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .errors import SafetensorError

BAD_HEADER = "InvalidHeaderDeserialization"
MAX_HEADER_BYTES = 100_000_000
DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
    "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4,
    "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
# What torch.save wrote before it wrote zip files: a pickled magic number.
LEGACY_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


@dataclass(frozen=True)
class WeightFile:
    path: Path
    tensors: frozenset[str]
    bytes: int


def read_json(path: Path) -> dict:
    """A JSON object, or OSError as transformers and diffusers raise it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise OSError(f"It looks like the config file at '{path}' is not a valid JSON file.") from error
    if not isinstance(document, dict):
        raise OSError(f"It looks like the config file at '{path}' is not a valid JSON file.")
    return document


def read_weights(path: Path) -> WeightFile:
    return read_safetensors(path) if path.name.endswith(".safetensors") else read_torch(path)


def read_safetensors(path: Path) -> WeightFile:
    size = path.stat().st_size
    with path.open("rb") as file:
        header = _safetensors_header(file.read(8), file, size)
        end = _tensor_bytes(header)
        if file.tell() + end != size:
            raise SafetensorError(f"Error while deserializing header: MetadataIncompleteBuffer ({path})")
        while file.read(1 << 20):  # the real loader touches every byte; an unreadable disk shows here
            pass
    return WeightFile(path, frozenset(name for name in header if name != "__metadata__"), size)


def _safetensors_header(prefix: bytes, file, size: int) -> dict:
    if len(prefix) < 8:
        raise SafetensorError(f"Error while deserializing header: HeaderTooSmall ({file.name})")
    (length,) = struct.unpack("<Q", prefix)
    if length > MAX_HEADER_BYTES:
        raise SafetensorError(f"Error while deserializing header: HeaderTooLarge ({file.name})")
    if 8 + length > size:
        raise SafetensorError(f"Error while deserializing header: InvalidHeaderLength ({file.name})")
    try:
        header = json.loads(file.read(length).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SafetensorError(f"Error while deserializing header: InvalidHeader ({file.name})") from error
    except json.JSONDecodeError as error:
        raise SafetensorError(f"Error while deserializing header: {BAD_HEADER} ({file.name})") from error
    if not isinstance(header, dict):
        raise SafetensorError(f"Error while deserializing header: {BAD_HEADER} ({file.name})")
    return header


def _tensor_bytes(header: dict) -> int:
    """Where the last tensor ends; tensors must follow one another without a gap."""
    try:
        spans = sorted(
            (*tensor["data_offsets"], math.prod(tensor["shape"]) * DTYPE_BYTES[tensor["dtype"]], name)
            for name, tensor in header.items()
            if name != "__metadata__"
        )
    except (KeyError, TypeError) as error:
        raise SafetensorError(f"Error while deserializing header: {BAD_HEADER}") from error
    end = 0
    for start, stop, size, name in spans:
        if start != end:
            raise SafetensorError(f"Error while deserializing header: InvalidOffset({name!r})")
        if stop - start != size:
            raise SafetensorError("Error while deserializing header: TensorInvalidInfo")
        end = stop
    return end


def read_torch(path: Path) -> WeightFile:
    """A .bin or .pt file: the zip directory and every checksum in it, or the legacy format's magic number."""
    with path.open("rb") as file:
        start = file.read(len(LEGACY_TORCH_MAGIC))
    if start.startswith(b"PK"):
        _check_torch_zip(path)
    elif not start:
        raise EOFError(f"Ran out of input ({path})")
    elif start != LEGACY_TORCH_MAGIC:
        raise pickle.UnpicklingError(f"invalid load key, {chr(start[0])!r}. ({path})")
    return WeightFile(path, frozenset(), path.stat().st_size)


def _check_torch_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            has_index = any(name.endswith("data.pkl") for name in archive.namelist())
    except zipfile.BadZipFile as error:
        raise RuntimeError(
            f"PytorchStreamReader failed reading zip archive: failed finding central directory ({path})"
        ) from error
    if broken:
        raise RuntimeError(f"PytorchStreamReader failed reading file {broken}: invalid checksum ({path})")
    if not has_index:
        raise RuntimeError(f"PytorchStreamReader failed locating file data.pkl: file not found ({path})")


def read_sharded(index: Path) -> list[WeightFile]:
    """Every shard that an index names, each holding the tensors the index promises."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise OSError(f"{index} has no weight_map.")
    shards = {}
    for name in sorted(set(weight_map.values())):
        path = index.parent / name
        if not path.is_file():
            raise OSError(f"{index.parent} does not appear to have a file named {name}, which {index.name} requires.")
        shards[name] = read_weights(path)
    for tensor, name in weight_map.items():
        if shards[name].tensors and tensor not in shards[name].tensors:
            raise OSError(f"{index} expects the tensor {tensor} in {name}, which does not hold it.")
    return list(shards.values())
