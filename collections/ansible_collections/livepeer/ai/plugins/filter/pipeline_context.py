# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in pipeline_context.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.plugin_utils import _pipeline_declarations


def pipeline_context(entry, variable, base):
    """Find what an image is built of and name it by its contents."""
    try:
        return _pipeline_declarations.pipeline_context(entry, variable, base)
    except _pipeline_declarations.PipelinesError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"pipeline_context": pipeline_context}
