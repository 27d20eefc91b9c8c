# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that a plain uvicorn command line serves: PIPELINE and MODEL_ID say what."""

from __future__ import annotations

from .app import create_app

app = create_app()
