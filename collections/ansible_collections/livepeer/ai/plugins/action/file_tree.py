# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of livepeer.ai.file_tree: ask the host what differs, and send that as one archive."""

from __future__ import annotations

import os
import tarfile
import tempfile

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.livepeer.ai.plugins.modules.file_tree import digest_of

MODULE = "livepeer.ai.file_tree"
ARGUMENT_SPEC = {
    "dest": {"type": "str", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "src": {"type": "str", "required": True},
            "dest": {"type": "str", "required": True},
            "mode": {"type": "str", "default": "0644"},
        },
    },
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(ARGUMENT_SPEC)
        files = [{**file, "src": self.found(file["src"])} for file in options["files"]]
        digests = {file["dest"]: digest_of(file["src"]) for file in files}
        told = self.call(options, files, {"digests": digests}, task_vars)
        if not told.get("failed") and told["files"]:
            if self._task.diff:
                told["diff"] = {"before": "", "after": "".join(f"{name}\n" for name in told["files"])}
            if not self._task.check_mode:
                sent = self.send(options, [file for file in files if file["dest"] in told["files"]], digests, task_vars)
                told = sent if sent.get("failed") else told
        result.update(told)
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def found(self, src):
        try:
            return self._find_needle("files", src)
        except AnsibleError as error:
            raise AnsibleActionFail(f"files, src: {src} is not there on the controller; check the path.") from error

    def call(self, options, files, told, task_vars):
        arguments = {"dest": options["dest"], "files": files, "_controller": told}
        answer = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        answer.pop("invocation", None)
        return answer

    def send(self, options, files, digests, task_vars):
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, "tree.tar.gz")
        handle, local = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP, suffix=".tar.gz")
        os.close(handle)
        try:
            pack(local, files)
            self._transfer_file(local, remote)
        finally:
            os.unlink(local)
        self._fixup_perms2((self._connection._shell.tmpdir, remote))
        return self.call(options, files, {"digests": digests, "archive": remote}, task_vars)


def pack(path, files):
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for file in files:
            tar.add(file["src"], arcname=file["dest"], recursive=False)
