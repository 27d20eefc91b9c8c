# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in runner_token.yml."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.plugin_utils._declared import runner_token


class FilterModule:
    def filters(self):
        return {"runner_token": runner_token}
