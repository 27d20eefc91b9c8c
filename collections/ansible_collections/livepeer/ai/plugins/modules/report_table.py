#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: report_table
short_description: Print checks as a table on the terminal
version_added: "1.0.0"
description:
  - Prints the checks of M(livepeer.ai.runner_health), M(livepeer.ai.node_info) and M(livepeer.ai.gateway_request) as a
    table on the terminal of the person who runs the playbook. Failures come first, each with its remedy, in red.
  - Runs on the controller only. Long sentences wrap inside their column, and no line is wider than the terminal.
author: "livepeer.ai contributors (@livepeer-ai)"
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  checks:
    description:
      - The checks, each with C(check), C(subject), C(status), C(sentence), C(seconds), C(remedy) and mostly C(host).
    type: list
    elements: dict
    required: true
  title:
    description: Line above the table.
    type: str
    default: ""
  width:
    description: Columns to use. With V(0), those of the terminal.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Show what this host's verification found
  livepeer.ai.report_table:
    title: Verification
    checks: "{{ verification_results }}"
"""

RETURN = r"""
summary:
  description: The counts in one line.
  returned: success
  type: str
  sample: 1 failed, 12 passed on 3 hosts
lines:
  description: The lines of the table.
  returned: success
  type: list
  elements: str
  sample: ["STATUS  HOST   CHECK          SECONDS  WHAT CAME OF IT"]
counts:
  description: Numbers of checks that C(failed), are C(unknown) and C(passed).
  returned: success
  type: dict
  sample: {"failed": 1, "unknown": 0, "passed": 12}
"""

# The work is done by the action plugin of the same name.
