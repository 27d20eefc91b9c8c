# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in gpu_readiness.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import RuleError
from ansible_collections.livepeer.ai.plugins.plugin_utils._gpu_readiness import GpuReadiness


def gpu_readiness(info, gpus, models=(), *arguments, **options):
    """What keeps the GPUs of a host from carrying these models, and what may."""
    try:
        return GpuReadiness(info, gpus, models, *arguments, **options).judged()
    except RuleError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"gpu_readiness": gpu_readiness}
