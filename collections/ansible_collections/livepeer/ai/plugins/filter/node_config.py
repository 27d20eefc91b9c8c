# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in node_config.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError
from ansible_collections.livepeer.ai.plugins.plugin_utils._node_settings import SettingsError, pairs


def node_config(settings, version, others="refuse"):
    """The config file: one flag a line, sorted."""
    try:
        return "".join(f"{name} {text}\n" for name, text in pairs(settings, version, secret=False, others=others))
    except (SettingsError, UnsupportedError) as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"node_config": node_config}
