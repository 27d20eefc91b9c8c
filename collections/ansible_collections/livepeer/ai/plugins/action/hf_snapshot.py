# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of livepeer.ai.hf_snapshot: ask the Hub once for the fleet, and show how far each host is.

The host is asked first. Only if it has no record that answers the request does anybody talk to the Hub.

The module works for one progress_interval at a time and is called until it has finished. So nothing stays behind on a
host when the controller goes away, no file holds the token (Ansible's async would write the arguments to one), and
become, SSH and every other way to a host work as they do for any module.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
import uuid

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.livepeer.ai.plugins.module_utils._hf_args import (
    ARGUMENT_SPEC,
    MUTUALLY_EXCLUSIVE,
)
from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import HubError, amount
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import RuleError, wants
from ansible_collections.livepeer.ai.plugins.plugin_utils._hf_resolve import Resolver

MODULE = "livepeer.ai.hf_snapshot"
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
# What the module tells the action and nobody else.
BETWEEN_HALVES = (
    "finished",
    "unresolved",
    "history",
    "retry_in",
    "problem",
    "bytes_left",
    "bytes_total",
    "files_to_fetch",
)

display = Display()


class Stop(Exception):
    """End the task with this result."""

    def __init__(self, result):
        self.result = result
        super().__init__(result.get("msg", ""))


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        self.task_vars = task_vars or {}
        _validation, self.options = self.validate_argument_spec(ARGUMENT_SPEC, mutually_exclusive=MUTUALLY_EXCLUSIVE)
        try:
            result.update(self.work())
        except Stop as stop:
            result.update(stop.result)
        except HubError as error:
            result.update(failed=True, msg=str(error), error=error.kind)
        except RuleError as error:
            result.update(failed=True, msg=str(error), error="rule")
        public = {name: value for name, value in self.options.items() if value is not None and name != "_controller"}
        result["invocation"] = {"module_args": public | ({"token": HIDDEN} if "token" in public else {})}
        return result

    def work(self):
        self.run_name = uuid.uuid4().hex
        self.token = self.read_token()
        if self.options["state"] == "absent":
            return self.tidy(self.call())
        needed = self.wanted()
        told = self.call()
        if told.get("unresolved"):
            manifests = self.resolve([want for want in needed if want.model_id in told["unresolved"]])
            told = self.call(manifests)
        else:
            manifests = {}
        if self._task.check_mode:
            self.announce(told)
            return self.tidy(told)
        return self.tidy(self.continue_until_finished(told, manifests))

    # The request

    def wanted(self):
        options = self.options
        if not options["pipeline"] and not options["allow_patterns"]:
            raise RuleError(
                f"Neither pipeline nor allow_patterns is set for {options['model_id']}, so it is unknown which files "
                "are needed; set pipeline, or allow_patterns: ['*'] for all of them."
            )
        return wants(
            options["model_id"],
            options["pipeline"],
            options["revision"],
            options["allow_patterns"],
            options["ignore_patterns"],
            options["companions"],
        )

    def read_token(self):
        options, token = self.options, self.options["token"]
        if options["token_file"]:
            token = self.read_token_file(options["token_file"])
        token = (token or "").strip()
        if any(character.isspace() or not character.isprintable() for character in token):
            raise Stop(self.failure("input", "token has blanks or line breaks inside; give the token alone."))
        return token or None

    def read_token_file(self, name):
        path = os.path.expanduser(name)
        try:
            text = self._loader.get_text_file_contents(self._loader.path_dwim(path))
        except AnsibleError as exc:
            text = f"token_file {name} cannot be read on the controller; check the path."
            raise Stop(self.failure("input", text)) from exc
        if not text.strip():
            raise Stop(self.failure("input", f"token_file {name} is empty; put the access token into it."))
        return text

    # The Hub

    def resolve(self, needed):
        resolver = Resolver(
            self.options["endpoint"],
            self.token,
            # One directory per ansible-playbook process, removed when it ends.
            C.DEFAULT_LOCAL_TMP,
            retries=self.options["retries"],
            max_wait=self.options["max_wait"],
            say=self.say,
        )
        try:
            return {want.model_id: resolver.manifest(want) for want in needed}
        except ImportError as exc:
            text = f"The controller's Python has no huggingface_hub ({exc}); run: pip install huggingface_hub"
            raise Stop(self.failure("input", text)) from exc

    # The host

    def call(self, manifests=None, history=None, **changed):
        """Run the module once; whatever is wrong ends the task."""
        arguments = {name: value for name, value in self.options.items() if value is not None}
        arguments.update(changed)
        for name in ("token", "token_file"):
            arguments.pop(name, None)
        if self.token:
            arguments["token"] = self.token
        arguments["_controller"] = {
            "manifests": manifests or {},
            "history": history or {},
            "run": self.run_name,
            "holder": holder(),
        }
        told = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=self.task_vars)
        told.pop("invocation", None)
        if told.get("failed") or told.get("unreachable"):
            raise Stop(told)
        return told

    def continue_until_finished(self, told, manifests):
        """Call again until the module has nothing left, with a line of progress after each call."""
        first, begun, fetched = told, time.monotonic(), told["bytes_fetched"]
        began = told["bytes_to_fetch"]
        # The first call has already worked for an interval; its own time is not known here, so take it as given.
        begun -= self.options["progress_interval"] if not told["finished"] else 0
        while not told["finished"]:
            self.show_progress(told, began, time.monotonic() - begun)
            if told["retry_in"]:
                time.sleep(told["retry_in"])
            # What was there was checked in the first call; what comes is checked as it comes.
            verify = "quick" if self.options["verify"] == "full" else self.options["verify"]
            told = self.call(manifests, told["history"], verify=verify, refresh=False)
            fetched += told["bytes_fetched"]
        return {**first, "bytes_fetched": fetched}

    # Words

    def say(self, line):
        display.display(f"{self.task_vars.get('inventory_hostname', 'localhost')} | {line}")

    def announce(self, told):
        if told["bytes_to_fetch"]:
            self.say(
                f"{self.options['model_id']} | would fetch {told['files_to_fetch']} files, {told['bytes_to_fetch']} "
                f"bytes ({amount(told['bytes_to_fetch'])})"
            )

    def show_progress(self, told, began, elapsed):
        total, left = told["bytes_total"], told["bytes_left"]
        rate = (began - left) / elapsed if elapsed > 0 else 0
        parts = [
            self.options["model_id"],
            f"{amount(total - left)} of {amount(total)} ({100 * (total - left) // max(1, total)} %)",
            f"{amount(int(rate))}/s",
            f"{duration(left / rate) if rate > 0 else 'unknown time'} left",
        ]
        if told["problem"]:
            parts.append(told["problem"])
        if told["retry_in"] >= 1:
            parts.append(f"next attempt in {duration(told['retry_in'])}")
        self.say(" | ".join(parts))

    def failure(self, kind, sentence):
        return {"failed": True, "msg": sentence, "error": kind}

    def tidy(self, told):
        return {key: value for key, value in told.items() if key not in BETWEEN_HALVES}


def holder():
    """Who we are, for somebody who finds a repository locked."""
    return f"the Ansible run of {getpass.getuser()} on {socket.gethostname()} (process {os.getppid()} there)"


def duration(seconds):
    seconds = int(seconds)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
