# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in fleet_conflicts.yml."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.plugin_utils._fleet import fleet_conflicts


class FilterModule:
    def filters(self):
        return {"fleet_conflicts": fleet_conflicts}
