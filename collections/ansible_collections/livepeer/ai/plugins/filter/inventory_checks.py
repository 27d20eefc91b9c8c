# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in inventory_checks.yml."""

from __future__ import annotations

from jinja2 import pass_context

from ansible_collections.livepeer.ai.plugins.plugin_utils import _fleet


@pass_context
def inventory_checks(context, rules, host, roles, shared=()):
    """What is wrong with the variables of the host that the template is evaluated for."""
    return _fleet.inventory_checks(context, rules, host, roles, shared)


class FilterModule:
    def filters(self):
        return {"inventory_checks": inventory_checks}
