# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP service around two functions of an engineer, `load` and `infer`.

What service.py may use of it: `BadRequest` for a request that cannot be served as it is, `snapshot_path` for the folder
with the model's files.
"""

from __future__ import annotations

from .errors import BadRequest
from .weights import snapshot_path

__all__ = ["BadRequest", "snapshot_path"]
