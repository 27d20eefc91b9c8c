# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What routes ask FastAPI for."""

from __future__ import annotations

from starlette.requests import Request

from .pipelines.base import Pipeline


def get_pipeline(request: Request) -> Pipeline:
    return request.app.pipeline
