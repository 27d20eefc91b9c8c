# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in the module of the same name."""

from __future__ import annotations

import os

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import UnsupportedError
from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import HubError
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import RuleError, wants
from ansible_collections.livepeer.ai.plugins.plugin_utils import _advice, _advice_report
from ansible_collections.livepeer.ai.plugins.plugin_utils._model_metadata import Describer, Library, MetadataError
from ansible_collections.livepeer.ai.plugins.plugin_utils._values import size_in_bytes

display = Display()
ARGUMENTS = {
    "model_id": {"type": "str", "required": True},
    "revision": {"type": "str", "default": "main"},
    "pipeline": {"type": "str", "default": "", "choices": ["", *_advice.ORDER]},
    "frames": {"type": "bool", "default": False},
    "route": {"type": "str", "default": "byoc", "choices": ["byoc", "live_runner"]},
    "gpu_memory": {"type": "raw", "default": 0},
    "version": {"type": "str", "default": "0.9.1"},
    "metadata": {"type": "path", "default": ""},
    "save_to": {"type": "path", "default": ""},
    "offline": {"type": "bool", "default": False},
    "endpoint": {"type": "str", "default": "https://huggingface.co"},
    "token": {"type": "str", "default": "", "no_log": True},
    "token_file": {"type": "path", "default": ""},
    "show": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Reads and asks on the controller, so nothing is sent to any host."""

    _supports_check_mode = True
    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, self.options = self.validate_argument_spec(ARGUMENTS, mutually_exclusive=[("token", "token_file")])
        try:
            advice = self._advise()
        except HubError as error:
            return {**result, "failed": True, "msg": str(error), "error": error.kind}
        except (MetadataError, RuleError, UnsupportedError, _advice.AdviceError) as error:
            return {**result, "failed": True, "msg": str(error)}
        if self.options["show"]:
            for line in ["", *advice["report"], ""]:
                display.display(line)
        # Arguments may hold the token; what was asked is in the advice.
        result["invocation"] = {"module_args": {"model_id": self.options["model_id"]}}
        return {**result, "changed": False, "advice": advice}

    def _advise(self):
        options = self.options
        # Refuses what cannot be a name before anybody is asked.
        wants(options["model_id"])
        library = Library(options["metadata"], options["save_to"], self._describer())
        model = None
        if not _advice.is_live_application(options["model_id"], options["version"]):
            model = library.get(_advice.repository(options["model_id"]), options["revision"])
        advice = _advice.advise(
            options["model_id"],
            model,
            library.get,
            options["version"],
            frames=options["frames"],
            route=options["route"],
            pipeline=options["pipeline"],
            gpu_memory=self._gpu_memory(),
        )
        inventory = _advice_report.snippet(advice, model)
        return {**advice, "inventory": inventory, "report": _advice_report.report(advice, inventory)}

    def _gpu_memory(self):
        given = self.options["gpu_memory"]
        size = 0 if given in (0, "0", "", None) else size_in_bytes(given)
        if size is None or 0 < size < 1024**2:
            raise AnsibleActionFail(f"gpu_memory is {given!r}, must be a size such as 24GiB, or a number of bytes.")
        return size

    def _describer(self):
        if self.options["offline"]:
            return None
        # One directory per ansible-playbook process, removed when it ends.
        return Describer(self.options["endpoint"], self._token(), C.DEFAULT_LOCAL_TMP, say=display.display)

    def _token(self):
        if not self.options["token_file"]:
            return self.options["token"].strip() or None
        path = os.path.expanduser(self.options["token_file"])
        try:
            return self._loader.get_text_file_contents(self._loader.path_dwim(path)).strip() or None
        except AnsibleError as error:
            raise AnsibleActionFail(f"token_file {path} cannot be read on the controller; check the path.") from error
