# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in node_environment.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError
from ansible_collections.livepeer.ai.plugins.plugin_utils._node_settings import SettingsError, pairs


def quoted(text):
    """Inside double quotes systemd gives these four characters a meaning."""
    return "".join(f"\\{character}" if character in '\\"`$' else character for character in text)


def node_environment(settings, version, others="refuse"):
    """The environment file of the unit: one LP_NAME a line, quoted for systemd."""
    try:
        return "".join(
            f'LP_{name.upper()}="{quoted(text)}"\n'
            for name, text in pairs(settings, version, secret=True, others=others)
        )
    except (SettingsError, UnsupportedError) as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"node_environment": node_environment}
