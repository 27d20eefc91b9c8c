# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an own live pipeline is written against."""

from __future__ import annotations

from .interface import BaseParams, Pipeline
from .spec import PipelineSpec, builtin_pipeline_spec

__all__ = ["BaseParams", "Pipeline", "PipelineSpec", "builtin_pipeline_spec"]
