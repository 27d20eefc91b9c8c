# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in the module of the same name."""

from __future__ import annotations

import shutil

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.livepeer.ai.plugins.plugin_utils._report import count_checks, summary, table

display = Display()
KEYS = {"check", "subject", "status", "sentence", "seconds", "remedy"}
WIDEST = 160


class ActionModule(ActionBase):
    """Prints on the controller, so nothing is sent to any host."""

    _supports_check_mode = True
    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            {
                "checks": {"type": "list", "elements": "dict", "required": True},
                "title": {"type": "str", "default": ""},
                "width": {"type": "int", "default": 0},
            }
        )
        checks = arguments["checks"]
        for number, check in enumerate(checks):
            if not set(check) >= KEYS or check["status"] not in ("passed", "failed", "unknown"):
                raise AnsibleActionFail(f"checks[{number}] is not a check: it needs {', '.join(sorted(KEYS))}.")
        width = arguments["width"] or min(WIDEST, shutil.get_terminal_size((120, 24)).columns)
        lines = table(checks, width)
        self._print(arguments["title"], lines, summary(checks))
        result.update(
            changed=False, summary=summary(checks), counts=count_checks(checks), lines=[text for text, _colour in lines]
        )
        return result

    def _print(self, title, lines, end):
        display.display("")
        if title:
            display.display(title)
            display.display("")
        for text, colour in lines:
            display.display(text, color=colour)
        display.display("")
        display.display(end[0].upper() + end[1:] + ".")
