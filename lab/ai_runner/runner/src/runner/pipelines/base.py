# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The abstract base of request/response pipelines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from fastapi import APIRouter


class HealthCheck(BaseModel):
    status: Literal["LOADING", "OK", "ERROR", "IDLE"]


class Version(BaseModel):
    pipeline: str
    model_id: str
    version: str


class Pipeline(ABC):
    """A subclass sets model_id in its own __init__; the model is loaded when that returns."""

    model_id: str

    @property
    @abstractmethod
    def name(self) -> str:
        """One of go-livepeer's pipeline names."""

    @abstractmethod
    def __init__(self, model_id: str, model_dir: str) -> None:
        raise NotImplementedError

    @abstractmethod
    def __call__(self, **kwargs: Any) -> Any:
        raise NotImplementedError

    def get_health(self) -> HealthCheck:
        return HealthCheck(status="OK")

    @property
    def router(self) -> APIRouter | None:
        """The routes that ask this pipeline; without any the server does not start."""
        return None
