# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of one custom pipeline, all derived from its wire name. Private to the collection."""

from __future__ import annotations

import keyword
import re
import sys

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import RELEASES

LONGEST = 40
_WIRE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# What a package of ai-runner imports, and what its tests are called: a package of that name would hide it.
_IMPORTED = frozenset(
    {
        "accelerate",
        "aiohttp",
        "av",
        "cv2",
        "diffusers",
        "fastapi",
        "numpy",
        "prometheus_client",
        "psutil",
        "pydantic",
        "pynvml",
        "pytest",
        "requests",
        "runner",
        "safetensors",
        "setuptools",
        "src",
        "starlette",
        "test",
        "tests",
        "tokenizers",
        "torch",
        "torchaudio",
        "torchvision",
        "transformers",
        "triton",
        "uvicorn",
        "watchdog",
        "zmq",
        "huggingface_hub",
        "hatchling",
    }
)
# The class would be called Pipeline, as the base class that it extends.
_OF_THE_INTERFACE = frozenset({"pipeline"})


class NameRefused(ValueError):
    """A name that cannot be used. The text is one sentence for the person who chose it."""


def pipeline_names(name, variable="custom_pipeline_name"):
    """Every name of the pipeline, or NameRefused."""
    wire = _checked(name, variable)
    words = wire.split("-")
    camel = "".join(word.capitalize() for word in words)
    class_name = camel if words[-1] == "pipeline" else f"{camel}Pipeline"
    return {
        "wire": wire,
        "package": wire.replace("-", "_"),
        "class": class_name,
        "params_class": f"{class_name}Params",
        "distribution": wire,
        "script": wire,
        "models": f"{class_name}--models",
        "title": " ".join(word.capitalize() for word in words),
    }


def _checked(name, variable):
    # str() also unwraps the subclasses of str that Ansible's templates produce.
    text = str(name) if isinstance(name, str) else ""
    shown = f"{variable} {name!r}" if text else variable
    if not text:
        raise NameRefused(f"{variable} is not a name: give the pipeline one, such as my-pipeline.")
    if not _WIRE.fullmatch(text):
        raise NameRefused(
            f"{shown} cannot be a model_id: use lower-case letters and digits, words joined by single hyphens, "
            "a letter first, such as my-pipeline."
        )
    if len(text) > LONGEST:
        raise NameRefused(f"{shown} has {len(text)} characters: use at most {LONGEST}.")
    owner = _owner(text)
    if owner:
        raise NameRefused(f"{shown} is {owner}: choose another, such as my-{text}.")
    return text


def _owner(wire):
    """Who has the name already, or None."""
    for release in RELEASES.values():
        if wire in release.pipelines or wire in release.removed:
            return "the name of one of go-livepeer's own pipelines"
        if wire in release.live_images or wire.replace("-", "_") in release.live_images:
            return "a live pipeline that go-livepeer brings an image for"
    package = wire.replace("-", "_")
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return "a word of the Python language, so that no package can have it"
    if package in getattr(sys, "stdlib_module_names", sys.builtin_module_names):
        return "a module of Python's standard library, which the package would hide"
    if package in _IMPORTED:
        return "a module that the package's dependencies or tests import, which the package would hide"
    if package in _OF_THE_INTERFACE:
        return "the name of ai-runner's base class"
    return None
