# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in service_declarations.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.plugin_utils import _services


def service_declarations(services, variable, route=None, network="offchain"):
    """Validate a list of services and return those of a route with every key present."""
    try:
        return _services.service_declarations(services, variable, route, network)
    except _services.ServicesError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"service_declarations": service_declarations}
