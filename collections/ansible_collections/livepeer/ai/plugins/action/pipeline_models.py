# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of livepeer.ai.pipeline_models: call until the run has finished, and show its log meanwhile.

The module returns after each progress_interval, so that no connection must last as long as the run, and its arguments,
which hold a token, are in no file (as with Ansible's async).
"""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

MODULE = "livepeer.ai.pipeline_models"
# What the module tells the action and nobody else.
BETWEEN_HALVES = ("finished", "began", "image_id", "lines", "since")
# A run that talks more than this between two looks has written for itself.
SHOWN_LINES = 40

display = Display()


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        host = (task_vars or {}).get("inventory_hostname", "localhost")
        told = self.call({}, task_vars)
        first = told
        between = {"began": told.get("began"), "image_id": told.get("image_id"), "since": ""}
        while not told.get("failed") and told.get("finished") is False:
            told = self.call(between, task_vars)
            between["since"] = told.get("since", between["since"])
            self.show(host, told.get("lines", []))
        result.update(told if told.get("failed") else {**first, **told})
        # The environment may hold credentials.
        for key in (*BETWEEN_HALVES, "invocation"):
            result.pop(key, None)
        return result

    def call(self, between, task_vars):
        arguments = {**self._task.args, "_controller": between}
        return self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)

    def show(self, host, lines):
        token = self._task.args.get("token")
        if len(lines) > SHOWN_LINES:
            lines = [f"({len(lines) - SHOWN_LINES} lines are left out)", *lines[-SHOWN_LINES:]]
        for line in lines:
            # A package that prints its token shall not print it here.
            text = line.replace(token, "********") if token else line
            display.display(f"{host} | {self._task.args.get('name')} | {text}")
