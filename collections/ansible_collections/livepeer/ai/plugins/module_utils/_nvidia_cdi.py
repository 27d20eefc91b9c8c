# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CDI specifications: what devices they offer and of which driver they speak. Private to the collection.

Hosts may have no YAML library. What nvidia-ctk writes is plain block YAML, so a strict reader of that is enough;
anything else is reported as not understood rather than guessed at.
"""

from __future__ import annotations

import json
import re

# As the CDI library has them; what the later directory names wins.
DIRECTORIES = ("/etc/cdi", "/var/run/cdi")
KEY = re.compile(r"""("[^"\\]*"|'[^']*'|[A-Za-z0-9_./-]+):(?:\s+(.*))?$""")
# The driver's version is part of the names of its libraries, and has three digits before its first dot, unlike those of
# the libraries that come along. libcuda is in every specification of a GPU.
VERSIONS = (
    re.compile(r"/libcuda\.so\.(\d{3,}\.\d+(?:\.\d+)?)$"),
    re.compile(r"--host-driver-version=(\d{3,}\.\d+(?:\.\d+)?)$"),
    re.compile(r"/lib(?:nvidia|cuda)[^/]*\.so\.(\d{3,}\.\d+(?:\.\d+)?)$"),
    re.compile(r"/firmware/nvidia/(\d{3,}\.\d+(?:\.\d+)?)/"),
)
NOT_UNDERSTOOD = "not understood"


class NotUnderstood(Exception):
    """The text is not of the form that nvidia-ctk writes."""


def _lines(text):
    """(indent, content) of each line that says something."""
    for line in text.splitlines():
        content = line.strip()
        if not content or content.startswith("#") or content == "---":
            continue
        if "\t" in line or content == "...":
            raise NotUnderstood(line)
        yield len(line) - len(line.lstrip(" ")), content


def _scalar(text):
    """A value on one line: quoted, plain, or in JSON's form, which is YAML's flow form."""
    text = text.strip()
    if text[:1] in ('"', "[", "{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise NotUnderstood(text) from error
    if text[:1] == "'":
        if not re.fullmatch(r"'(?:[^']|'')*'", text):
            raise NotUnderstood(text)
        return text[1:-1].replace("''", "'")
    if text[:1] in "&*!|>%@`" or " #" in text or ": " in text:
        raise NotUnderstood(text)
    return None if text in ("null", "~") else text


class _Reader:
    """Block mappings and sequences, read line by line."""

    def __init__(self, text):
        self.lines = list(_lines(text))
        self.at = 0

    def document(self):
        if not self.lines:
            raise NotUnderstood("empty")
        read = self.block(self.lines[0][0])
        if self.at < len(self.lines):
            raise NotUnderstood(self.lines[self.at][1])
        return read

    def block(self, indent):
        _indent, content = self.lines[self.at]
        return self.sequence(indent) if content == "-" or content.startswith("- ") else self.mapping(indent)

    def here(self, indent):
        return self.at < len(self.lines) and self.lines[self.at][0] == indent

    def sequence(self, indent):
        items = []
        while self.here(indent):
            content = self.lines[self.at][1]
            if content != "-" and not content.startswith("- "):
                break
            items.append(self.item(indent, content[1:].lstrip(" "), len(content) - len(content[1:].lstrip(" "))))
        return items

    def item(self, indent, content, offset):
        if not content:
            self.at += 1
            return self.value(indent, "")
        if KEY.match(content) or content.startswith("- "):
            # "- name: x" opens a mapping whose further keys stand below "name".
            self.lines[self.at] = (indent + offset, content)
            return self.block(indent + offset)
        self.at += 1
        return _scalar(content)

    def mapping(self, indent):
        found = {}
        while self.here(indent):
            match = KEY.match(self.lines[self.at][1])
            if not match or match.group(1).strip("\"'") in found:
                raise NotUnderstood(self.lines[self.at][1])
            self.at += 1
            found[match.group(1).strip("\"'")] = self.value(indent, match.group(2) or "", in_mapping=True)
        return found

    def value(self, indent, text, in_mapping=False):
        """What follows a key or a dash: on the same line, or a block below that is indented further."""
        if text:
            return _scalar(text)
        if self.at == len(self.lines):
            return None
        below, content = self.lines[self.at]
        # A sequence may stand right below its key, which is how nvidia-ctk wrote it before 1.14.
        if below > indent or (in_mapping and below == indent and (content == "-" or content.startswith("- "))):
            return self.block(below)
        return None


def parse(text):
    """The specification in a text, JSON or YAML, as plain values."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise NotUnderstood(str(error)) from error
    return _Reader(text).document()


def _strings(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value


def driver_version(document):
    """The version of the driver whose files the specification mounts, or empty."""
    strings = list(_strings(document))
    for pattern in VERSIONS:
        for string in strings:
            match = pattern.search(string)
            if match:
                return match.group(1)
    return ""


def _devices(document):
    devices = document.get("devices") or []
    if not isinstance(devices, list) or not all(isinstance(device, dict) for device in devices):
        raise NotUnderstood("devices")
    return [str(device.get("name", "")) for device in devices]


def describe(path, text, loaded, gpus):
    """One specification, judged against the loaded driver and the GPUs that it knows; None if it is not NVIDIA's."""
    told = {"path": path, "kind": "", "devices": [], "driver_version": "", "missing": [], "stale": False, "error": ""}
    try:
        document = parse(text)
        if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
            raise NotUnderstood("kind")
        told.update(kind=document["kind"], devices=_devices(document), driver_version=driver_version(document))
    except (NotUnderstood, RecursionError):
        return {**told, "error": NOT_UNDERSTOOD} if "nvidia" in path + text else None
    if "nvidia.com/" not in told["kind"]:
        return None
    told["missing"] = _missing(told["devices"], gpus) if told["kind"].endswith("nvidia.com/gpu") else []
    other_driver = bool(loaded and told["driver_version"] and told["driver_version"] != loaded)
    told["stale"] = other_driver or not told["devices"] or bool(told["missing"])
    return told


def _missing(names, gpus):
    """The GPUs that a specification does not offer as they are now: whole, or in all parts that MIG makes of them."""
    return [gpu["uuid"] for gpu in gpus if not _offers(set(names), gpu)]


def _offers(names, gpu):
    index, devices = gpu["index"], gpu["mig_devices"]
    if not gpu["mig_enabled"]:
        return bool(names & {str(index), f"gpu{index}", gpu["uuid"]})
    if all(device["uuid"] in names for device in devices):
        return True
    parts = [name for name in names if name.startswith((f"{index}:", f"mig{index}:"))]
    return len(parts) >= len(devices)


def read(host, loaded, gpus):
    """All of NVIDIA's specifications on the host."""
    found = []
    for directory in DIRECTORIES:
        for path in host.glob(f"{directory}/*.yaml") + host.glob(f"{directory}/*.json"):
            told = describe(path, host.read(path), loaded, gpus)
            if told:
                found.append(told)
    return found
