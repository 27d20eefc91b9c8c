# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in ai_models.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError
from ansible_collections.livepeer.ai.plugins.plugin_utils._ai_models import Document, ModelsError


def ai_models(models, version, **options):
    """Validate a list of models and return it as the document for aiModels.json."""
    try:
        return Document(models, version, **options).validated()
    except (ModelsError, UnsupportedError) as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"ai_models": ai_models}
