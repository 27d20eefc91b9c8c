# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Hugging Face repositories behind declared models. Private to the collection."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import LIVE_PIPELINE
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import wants
from ansible_collections.livepeer.ai.plugins.plugin_utils._placement import managed


def repositories(models):
    """Those that the runners of these models open, companions included, each once."""
    loaded = [model for model in managed(models) if model["pipeline"] != LIVE_PIPELINE]
    return sorted({repository for model in loaded for repository in _of(model)})


def _of(model):
    # The patterns decide which files are wanted; a repository that a rule refuses is accepted if they name its files.
    patterns = {"allow": model.get("allow_patterns") or (), "ignore": model.get("ignore_patterns") or ()}
    return [want.model_id for want in wants(model["model_id"], model["pipeline"], **patterns)]
