# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a runner finds an own pipeline."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, model_validator


class PipelineSpec(BaseModel):
    """Classes by their import path, `package.module:Class`."""

    # As it is asked for: go-livepeer's model_id. Empty: the class's name in small letters without "pipeline".
    name: str = ""
    pipeline_cls: str
    params_cls: str | None = None
    initial_params: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _name_of_class(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("name") or "pipeline_cls" not in values:
            return values
        derived = values["pipeline_cls"].rpartition(":")[2].lower().removesuffix("pipeline")
        return {**values, "name": derived}


def builtin_pipeline_spec(name: str) -> PipelineSpec | None:
    """The pipeline that the package itself brings."""
    if name != "noop":
        return None
    return PipelineSpec(name=name, pipeline_cls="runner.live.pipelines.noop:Noop")
