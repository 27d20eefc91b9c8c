# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in refusal.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.ai_models import ai_models
from ansible_collections.livepeer.ai.plugins.filter.gpu_plan import gpu_plan
from ansible_collections.livepeer.ai.plugins.filter.live_runner_config import live_runner_config
from ansible_collections.livepeer.ai.plugins.filter.model_repositories import model_repositories
from ansible_collections.livepeer.ai.plugins.filter.node_address import node_address
from ansible_collections.livepeer.ai.plugins.filter.node_config import node_config
from ansible_collections.livepeer.ai.plugins.filter.node_environment import node_environment
from ansible_collections.livepeer.ai.plugins.filter.node_release import node_release
from ansible_collections.livepeer.ai.plugins.filter.pipeline_declarations import pipeline_declarations
from ansible_collections.livepeer.ai.plugins.filter.pipeline_images import pipeline_images
from ansible_collections.livepeer.ai.plugins.filter.runner_images import runner_images
from ansible_collections.livepeer.ai.plugins.filter.runner_ports import runner_ports
from ansible_collections.livepeer.ai.plugins.filter.service_context import service_context
from ansible_collections.livepeer.ai.plugins.filter.service_declarations import service_declarations

FILTERS = {
    function.__name__: function
    for function in (
        ai_models,
        gpu_plan,
        live_runner_config,
        model_repositories,
        node_address,
        node_config,
        node_environment,
        node_release,
        pipeline_declarations,
        pipeline_images,
        runner_images,
        runner_ports,
        service_context,
        service_declarations,
    )
}


def filter_named(name):
    """One of the filters that refuse what cannot work."""
    if name not in FILTERS:
        raise AnsibleFilterError(f"livepeer.ai.refusal knows no filter {name!r}, only {', '.join(sorted(FILTERS))}")
    return FILTERS[name]


def refusal(value, of, /, *arguments, **options):
    """The sentence with which a filter refuses a value, empty if it accepts it."""
    function = filter_named(of)
    try:
        function(value, *arguments, **options)
    except AnsibleFilterError as error:
        return f"{str(error).rstrip('.')}."
    return ""


class FilterModule:
    def filters(self):
        return {"refusal": refusal}
