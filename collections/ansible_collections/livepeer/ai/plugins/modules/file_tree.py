#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: file_tree
short_description: Have many files of the controller below a directory of a host, sent in one piece
version_added: "1.0.0"
description:
  - Compares files of the controller with those of a host by checksum and mode, and sends those that differ as one
    archive. M(ansible.builtin.copy) in a loop needs several round trips for each file, this needs three for all.
  - Each file is replaced by a rename, so nobody reads half of one. Files that are not named stay as they are.
  - All files and directories belong to the user that the task runs as.
author: "livepeer.ai contributors (@livepeer-ai)"
extends_documentation_fragment:
  - livepeer.ai._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details:
      - The names of files that are written, without their contents.
  idempotent:
    support: full
options:
  dest:
    description:
      - The directory on the host. It and its parents are made if they are not there.
    type: path
    required: true
  files:
    description:
      - The files, each one below O(dest).
    type: list
    elements: dict
    required: true
    suboptions:
      src:
        description:
          - The file on the controller, relative to the directory C(files) of the role or to the playbook.
        type: path
        required: true
      dest:
        description:
          - Its place below O(dest).
        type: str
        required: true
      mode:
        description:
          - Its mode. Directories are of mode V(0755).
        type: str
        default: "0644"
  _controller:
    description:
      - What the action on the controller tells the module. Not for playbooks.
    type: dict
seealso:
  - module: ansible.builtin.copy
  - module: ansible.builtin.unarchive
"""

EXAMPLES = r"""
- name: Send the context of a build
  livepeer.ai.file_tree:
    dest: /var/lib/livepeer/build/chat
    files:
      - src: chat/Dockerfile
        dest: Dockerfile
      - src: chat/entrypoint.sh
        dest: bin/entrypoint.sh
        mode: "0755"
"""

RETURN = r"""
files:
  description: Files that were written, or would be in check mode, relative to O(dest).
  returned: success
  type: list
  elements: str
  sample: [Dockerfile, bin/entrypoint.sh]
"""

import hashlib
import os
import shutil
import stat
import tarfile
import tempfile

from ansible.module_utils.basic import AnsibleModule

PIECE = 1024 * 1024


class Problem(Exception):
    """What stands in the way, as a sentence."""


class Tree:
    """Files below a directory."""

    def __init__(self, root, files):
        self.root = root
        self.files = {file["dest"]: file for file in files}

    def path(self, dest):
        parts = dest.split("/")
        if dest.startswith("/") or not all(parts) or {".", ".."} & set(parts):
            raise Problem(f"files, dest: {dest} does not lie below the directory; write a relative path.")
        return os.path.join(self.root, dest)

    def differing(self):
        """Names of files that are missing or not as they should be."""
        return sorted(dest for dest, file in self.files.items() if not self.is_right(dest, file))

    def is_right(self, dest, file):
        path = self.path(dest)
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if stat.S_ISDIR(found.st_mode):
            raise Problem(f"{path} is a directory where a file belongs; move it away.")
        if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) != int(file["mode"], 8):
            return False
        return found.st_uid == os.geteuid() and digest_of(path) == file["digest"]

    def write(self, archive):
        """Put the files of the archive in their places."""
        self.make_directories()
        with tarfile.open(archive) as tar:
            for member in tar:
                # Only what was declared, whatever else an archive may hold.
                if member.isreg() and member.name in self.files:
                    self.put(tar.extractfile(member), self.path(member.name), self.files[member.name])

    def make_directories(self):
        for directory in sorted({os.path.dirname(self.path(dest)) for dest in self.files}):
            missing = []
            while not os.path.isdir(directory):
                missing.append(directory)
                directory = os.path.dirname(directory)
            for path in reversed(missing):
                # Hosts of one play may make it at the same time on the one that they share.
                os.makedirs(path, exist_ok=True)
                os.chmod(path, 0o755)

    def put(self, content, path, file):
        handle, beside = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)[:100]}.")
        try:
            with os.fdopen(handle, "wb") as target:
                shutil.copyfileobj(content, target, PIECE)
            if digest_of(beside) != file["digest"]:
                raise Problem(f"{path} did not arrive as it was sent; run the task again.")
            os.chmod(beside, int(file["mode"], 8))
            os.replace(beside, path)
        except BaseException:
            os.unlink(beside)
            raise


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
    return digest.hexdigest()


def main():
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            # The action has replaced src, which is the controller's, by a digest.
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "src": {"type": "path", "required": True},
                    "dest": {"type": "str", "required": True},
                    "mode": {"type": "str", "default": "0644"},
                },
            },
            "_controller": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    told = module.params["_controller"]
    if told is None:
        module.fail_json(msg="livepeer.ai.file_tree works only with its action plugin; run it from a task.")
    files = [dict(file, digest=told["digests"][file["dest"]]) for file in module.params["files"]]
    tree = Tree(module.params["dest"], files)
    try:
        names = tree.differing()
        if told.get("archive"):
            tree.write(told["archive"])
    except (Problem, OSError, tarfile.TarError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(names), files=names)


if __name__ == "__main__":
    main()
