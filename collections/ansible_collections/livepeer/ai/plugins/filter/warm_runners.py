# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in warm_runners.yml."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.plugin_utils import _placement


def warm_runners(models):
    """The containers a node keeps running for these models, one entry each."""
    return [{"pipeline": model["pipeline"], "model_id": model["model_id"]} for model in _placement.warm_runners(models)]


class FilterModule:
    def filters(self):
        return {"warm_runners": warm_runners}
