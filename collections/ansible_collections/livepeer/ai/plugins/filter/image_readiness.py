# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in image_readiness.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError
from ansible_collections.livepeer.ai.plugins.plugin_utils._gpu_readiness import ImageReadiness


def image_readiness(images, info, gpus, models, version, containers_per_gpu=1, overrides=None):
    """What keeps the containers of runner images from starting on the GPUs of a host, and what may."""
    try:
        return ImageReadiness(images, info, gpus, models, version, containers_per_gpu, overrides).judged()
    except UnsupportedError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"image_readiness": image_readiness}
