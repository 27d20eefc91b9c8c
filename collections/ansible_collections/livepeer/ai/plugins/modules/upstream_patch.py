#!/usr/bin/python

# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upstream_patch
short_description: Write the patch that makes a custom live pipeline known to ai-runner or go-livepeer
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Reads a checkout of ai-runner or go-livepeer and writes a patch file that adds a custom live pipeline to it. In
    ai-runner that is C(runner/dl_checkpoints.sh), in go-livepeer the map of images in C(ai/worker/docker.go).
  - The checkout itself is never changed. C(git apply --check) has accepted the patch before it is written.
  - Refuses a file that it does not recognise and names the place, instead of guessing.
  - A place that has the pipeline already is left out. With all of them there, nothing is written.
  - None of it is needed to run the pipeline. It gives every operator the default image and the download of the models.
requirements:
  - git
extends_documentation_fragment:
  - livepeer.ai._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  upstream:
    description:
      - Which of the two repositories O(checkout) is.
    type: str
    choices: [ai-runner, go-livepeer]
    required: true
  checkout:
    description:
      - Top folder of a Git checkout. Its files are taken as they lie there, committed or not.
    type: path
    required: true
  name:
    description:
      - The pipeline's name on the network, its C(model_id). See P(livepeer.ai.pipeline_names#filter).
    type: str
    required: true
  image:
    description:
      - The image that the pipeline's authors publish, with or without a tag. A digest cannot be given, since
        C(docker image tag) takes none.
    type: str
    required: true
  dest:
    description:
      - The patch file to write. Its folder must exist and must lie outside O(checkout).
    type: path
    required: true
notes:
  - Run it on the controller with C(delegate_to) V(localhost), where the checkout lies.
seealso:
  - plugin: livepeer.ai.pipeline_names
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write the patch for ai-runner
  livepeer.ai.upstream_patch:
    upstream: ai-runner
    checkout: /home/me/src/ai-runner
    name: my-pipeline
    image: my-org/my-pipeline
    dest: /home/me/patches/ai-runner.patch
  delegate_to: localhost
  run_once: true
  register: patch

- name: Say what is there already
  ansible.builtin.debug:
    msg: "{{ patch.msg }}"
"""

RETURN = r"""
msg:
  description: What was found, in one sentence.
  returned: always
  type: str
  sample: my-pipeline is missing in 7 places of runner/dl_checkpoints.sh.
patched:
  description: Whether the checkout has the whole change already, so that there is nothing to write.
  returned: success
  type: bool
file:
  description: The file that the patch changes, relative to O(checkout).
  returned: success
  type: str
  sample: ai/worker/docker.go
places:
  description: The places that the patch changes.
  returned: success
  type: list
  elements: str
  sample: [livePipelineToImage]
revision:
  description: The commit of the checkout.
  returned: success
  type: str
"""

import difflib
import os
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes

from ansible_collections.livepeer.ai.plugins.module_utils import _upstream_download_script, _upstream_image_map
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_names import NameRefused, pipeline_names
from ansible_collections.livepeer.ai.plugins.module_utils._upstream_text import NotRecognised

CHANGES = {
    "ai-runner": (_upstream_download_script.PATH, _upstream_download_script.DownloadScript),
    "go-livepeer": (_upstream_image_map.PATH, _upstream_image_map.ImageMap),
}
_IMAGE = re.compile(
    r"[a-z0-9]+([.-][a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+((\.|_{1,2}|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
)


class Refused(Exception):
    """One sentence for the person who asked."""


class UpstreamPatch:
    """One change to one file of one checkout, as a patch."""

    def __init__(self, module):
        self.module = module
        self.upstream = module.params["upstream"]
        self.checkout = os.path.realpath(module.params["checkout"])
        self.dest = module.params["dest"]
        self.image = module.params["image"]
        self.git = [module.get_bin_path("git", required=True), "-C", self.checkout]
        self.path, self.change = CHANGES[self.upstream]

    def run(self):
        names = self.checked_names()
        revision = self.checked_checkout()
        before = self.read()
        after, places = self.edited(before, self.change(names, self.image))
        result = {"file": self.path, "places": places, "revision": revision, "patched": not places, "changed": False}
        if not places:
            result["msg"] = f"{names['wire']} is in {self.path} already: there is nothing to patch."
            return result
        patch = unified(self.path, before, after)
        self.accepted(patch)
        places_said = f"{len(places)} place{'' if len(places) == 1 else 's'}"
        result["msg"] = f"{names['wire']} is missing in {places_said} of {self.path}."
        return {**result, **self.write(patch)}

    def checked_names(self):
        if not _IMAGE.fullmatch(self.image):
            raise Refused(
                f"image {self.image!r} is no image that can be tagged: give repository or repository:tag "
                "in lower case, without a digest, such as my-org/my-pipeline."
            )
        try:
            return pipeline_names(self.module.params["name"], "name")
        except NameRefused as exc:
            raise Refused(str(exc)) from exc

    def checked_checkout(self):
        """The commit of the checkout, once it is certain that it is one."""
        if not os.path.isdir(self.checkout):
            raise Refused(f"checkout {self.checkout} is no folder: clone {self.upstream} there first.")
        dest = os.path.realpath(self.dest)
        if os.path.commonpath([self.checkout, dest]) == self.checkout:
            raise Refused(
                f"dest {self.dest} lies in the checkout, which stays as it is: choose a folder outside of it."
            )
        # In check mode the folder may be one that a task before would have made.
        folder = self.module.check_mode or os.path.isdir(os.path.dirname(dest))
        if os.path.isdir(dest) or not folder:
            raise Refused(f"dest {self.dest} is no file in a folder that exists: create the folder or choose another.")
        top, revision = self.git_says("rev-parse", "--show-toplevel", "HEAD")
        if os.path.realpath(top) != self.checkout:
            raise Refused(
                f"checkout {self.checkout} lies inside the repository {top}: give the repository's top folder."
            )
        return revision

    def git_says(self, *arguments):
        code, out, err = self.module.run_command([*self.git, *arguments])
        if code:
            reason = err.strip().splitlines()[0] if err.strip() else f"exit code {code}"
            raise Refused(f"checkout {self.checkout} is no Git checkout with a commit: git says {reason!r}.")
        return out.splitlines()

    def read(self):
        path = os.path.join(self.checkout, self.path)
        try:
            # Line ends as they are: a patch against others would not apply.
            with open(path, encoding="utf-8", newline="") as stream:
                text = stream.read()
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
            raise Refused(
                f"{self.path} cannot be read in the checkout {self.checkout}: {reason}. "
                f"Is it a checkout of {self.upstream}?"
            ) from exc
        if "\r" in text or not text.endswith("\n"):
            raise Refused(
                f"{self.path} has line ends other than upstream's: "
                "check it out without converting them (core.autocrlf)."
            )
        return text.split("\n")[:-1]

    def edited(self, lines, change):
        places = []
        for place, edit in change.places():
            try:
                edited = edit(lines, place)
            except NotRecognised as exc:
                raise Refused(
                    f"{self.path} is not as the patch knows it, {exc}. Nothing was written: take a checkout of a "
                    "release that is supported, or make this change by hand."
                ) from exc
            if edited != lines:
                places.append(place)
            lines = edited
        return lines, places

    def accepted(self, patch):
        with tempfile.NamedTemporaryFile(dir=self.module.tmpdir, suffix=".patch") as stream:
            stream.write(to_bytes(patch))
            stream.flush()
            code, _out, err = self.module.run_command([*self.git, "apply", "--check", stream.name])
        if code:
            raise Refused(f"git apply --check does not accept the patch of {self.path}: {err.strip()}")

    def write(self, patch):
        present = ""
        if os.path.exists(self.dest):
            with open(self.dest, encoding="utf-8", errors="replace", newline="") as stream:
                present = stream.read()
        changed = present != patch
        if changed and not self.module.check_mode:
            descriptor, path = tempfile.mkstemp(dir=self.module.tmpdir)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(to_bytes(patch))
            os.chmod(path, 0o644)
            self.module.atomic_move(path, self.dest)
        header = {"before_header": self.dest, "after_header": self.dest}
        return {"changed": changed, "diff": {"before": present, "after": patch, **header}}


def unified(path, before, after):
    """The difference as git writes it."""
    body = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm="")
    return "\n".join([f"diff --git a/{path} b/{path}", *body, ""])


def main():
    module = AnsibleModule(
        argument_spec={
            "upstream": {"type": "str", "choices": list(CHANGES), "required": True},
            "checkout": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        result = UpstreamPatch(module).run()
    except Refused as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
