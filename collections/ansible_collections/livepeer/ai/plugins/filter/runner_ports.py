# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in runner_ports.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError, release
from ansible_collections.livepeer.ai.plugins.plugin_utils._placement import host_port, managed, slots


def runner_ports(models, version, gpus=None, containers_per_gpu=1):
    """Every host port on which go-livepeer may publish a runner for these models."""
    try:
        known = release(version)
        bases = {known.pipeline(m["pipeline"]).port_base for m in managed(models)}
    except UnsupportedError as error:
        raise AnsibleFilterError(str(error)) from error
    gpus = [int(gpu) for gpu in gpus or [0]]
    if any(gpu > 9 or gpu < 0 for gpu in gpus) or not 1 <= int(containers_per_gpu) <= 10:
        # Two digits follow the base: one for the container on the GPU, one for the GPU.
        raise AnsibleFilterError("runner ports have room for GPUs 0 to 9 and at most 10 containers per GPU")
    return sorted(host_port(base, place, gpu) for base in bases for place, gpu in slots(gpus, containers_per_gpu))


class FilterModule:
    def filters(self):
        return {"runner_ports": runner_ports}
