# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in pipeline_names.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils import _pipeline_names


def pipeline_names(name, variable="custom_pipeline_name"):
    """Derive the names of a custom pipeline from its wire name."""
    try:
        return _pipeline_names.pipeline_names(name, variable)
    except _pipeline_names.NameRefused as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"pipeline_names": pipeline_names}
