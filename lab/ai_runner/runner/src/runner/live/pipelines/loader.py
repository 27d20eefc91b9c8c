# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import what a specification names, under the rules that the real runner has for it."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .interface import BaseParams, Pipeline
from .spec import PipelineSpec

PATIENCE = 0.5
EXPENSIVE = {"torch", "streamdiffusion", "comfystream"}


def load_pipeline_class(pipeline_cls: str) -> type[Pipeline]:
    return _named(pipeline_cls)


def load_pipeline(pipeline_spec: PipelineSpec) -> Pipeline:
    """An instance: classes with abstract methods left, or with arguments, fail here."""
    return load_pipeline_class(pipeline_spec.pipeline_cls)()


def parse_pipeline_params(spec: PipelineSpec, params: dict[str, Any]) -> BaseParams:
    """The parameters, checked by the pipeline's own class, which must be cheap to import."""
    with cheap():
        params_class = BaseParams if spec.params_cls is None else _named(spec.params_cls)
        return params_class(**params)


@contextmanager
def cheap() -> Iterator[None]:
    """Refuse what takes long or brings in a heavy package."""
    before = EXPENSIVE & set(sys.modules)
    begin = time.perf_counter()
    try:
        yield
    finally:
        took = time.perf_counter() - begin
        if took > PATIENCE:
            raise TimeoutError(
                f"Importing the parameters took {took:.3f}s, more than {PATIENCE}s: keep heavy packages out of it."
            )
        new = (EXPENSIVE & set(sys.modules)) - before
        if new:
            raise ImportError(f"Importing the parameters imported {', '.join(sorted(new))}.")


def _named(import_path: str) -> type[Any]:
    module, _, name = import_path.rpartition(":")
    return getattr(importlib.import_module(module), name)
