# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in model_repositories.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import LIVE_PIPELINE
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import RuleError, wants


def _of(model):
    # The patterns decide which files are wanted; a repository that a rule refuses is accepted if they name its files.
    patterns = {"allow": model.get("allow_patterns") or (), "ignore": model.get("ignore_patterns") or ()}
    return [want.model_id for want in wants(model["model_id"], model["pipeline"], **patterns)]


def model_repositories(models):
    """The Hugging Face repositories that the runners of these models open, companions included, each once."""
    managed = [model for model in models if not model.get("url") and model["pipeline"] != LIVE_PIPELINE]
    try:
        return sorted({repository for model in managed for repository in _of(model)})
    except RuleError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"model_repositories": model_repositories}
