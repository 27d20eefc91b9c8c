# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in pipeline_container.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.plugin_utils import _pipeline_declarations


def pipeline_container(entry, image, image_id, models_dir):
    """Describe the container of an external runner."""
    try:
        return _pipeline_declarations.pipeline_container(entry, image, image_id, models_dir)
    except _pipeline_declarations.PipelinesError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"pipeline_container": pipeline_container}
