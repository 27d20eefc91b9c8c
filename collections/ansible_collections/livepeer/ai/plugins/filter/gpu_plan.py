# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in gpu_plan.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError
from ansible_collections.livepeer.ai.plugins.plugin_utils import _gpu_plan


def gpu_plan(models, gpus, version, **options):
    """An explicit assignment of models to GPUs, or a refusal that says what does not fit."""
    try:
        return _gpu_plan.gpu_plan(models, gpus, version, **options)
    except (_gpu_plan.PlanError, UnsupportedError) as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"gpu_plan": gpu_plan}
