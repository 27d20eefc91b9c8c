# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in model_repositories.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import RuleError
from ansible_collections.livepeer.ai.plugins.plugin_utils._repositories import repositories


def model_repositories(models):
    """The Hugging Face repositories that the runners of these models open, companions included, each once."""
    try:
        return repositories(models)
    except RuleError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"model_repositories": model_repositories}
