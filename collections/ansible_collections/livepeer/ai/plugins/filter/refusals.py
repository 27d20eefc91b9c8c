# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in refusals.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.refusal import filter_named


def refusals(value, of, /, *arguments, **options):
    """The sentences with which a filter refuses a value, one for each problem."""
    function = filter_named(of)
    try:
        function(value, *arguments, **options)
    except AnsibleFilterError as error:
        problems = getattr(error.__cause__, "problems", None) or [str(error)]
        return [f"{problem.rstrip('.')}." for problem in problems]
    return []


class FilterModule:
    def filters(self):
        return {"refusals": refusals}
