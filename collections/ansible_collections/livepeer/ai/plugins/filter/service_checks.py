# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in service_checks.yml."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.plugin_utils._service_checks import service_checks


class FilterModule:
    def filters(self):
        return {"service_checks": service_checks}
