#!/usr/bin/python

# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hf_snapshot_info
short_description: Say whether a host's Hugging Face models are complete, without asking anybody
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Looks at the models directory of a host as a runner will see it, and says which file of which model is wrong and
    how.
  - Nothing is contacted and nothing is changed. A model that is not in order does not make the module fail.
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  models_dir:
    description:
      - Directory of the models on the host.
    type: path
    default: /var/lib/livepeer/models
  model_ids:
    description:
      - The repositories to look at, companions included. One that is absent is reported as not complete.
      - By default all that are in O(models_dir).
    type: list
    elements: str
  verify:
    description:
      - With V(quick), names, links, sizes and the times that M(livepeer.ai.hf_snapshot) recorded are compared.
      - With V(full), every file is read and its digest is compared as well. Models that another tool fetched can be
        checked too, because their files are named after their digests.
    type: str
    choices: [quick, full]
    default: quick
seealso:
  - module: livepeer.ai.hf_snapshot
"""

EXAMPLES = r"""
- name: Look at all models of this host
  livepeer.ai.hf_snapshot_info:
  register: models

- name: Read every byte of one model and its companions
  livepeer.ai.hf_snapshot_info:
    model_ids:
      - SG161222/RealVisXL_V4.0_Lightning
      - CompVis/stable-diffusion-safety-checker
      - openai/clip-vit-base-patch32
    verify: full
  register: models

- name: Refuse to start a node on damaged weights
  ansible.builtin.assert:
    that: models.complete
    fail_msg: "{{ models.sentences | join(' ') }}"
"""

RETURN = r"""
complete:
  description: Whether every repository looked at is complete and sound.
  returned: success
  type: bool
  sample: false
sentences:
  description: One sentence for each problem, for people.
  returned: success
  type: list
  elements: str
  sample: ["stabilityai/sd-turbo: vae/diffusion_pytorch_model.fp16.safetensors has 10 bytes instead of 167335342."]
repositories:
  description: What was found, a repository each.
  returned: success
  type: list
  elements: dict
  contains:
    model_id:
      description: Name of the repository.
      type: str
    complete:
      description: Whether it has no problem.
      type: bool
    recorded:
      description: Whether M(livepeer.ai.hf_snapshot) put it there.
      type: bool
    commit:
      description: Commit that C(refs/main) names. Empty if there is none.
      type: str
    path:
      description: Directory of the snapshot.
      type: str
    files:
      description: Number of files in the snapshot.
      type: int
    bytes:
      description: Bytes that the repository takes on the disk.
      type: int
    problems:
      description: What is wrong.
      type: list
      elements: dict
      contains:
        file:
          description: Path in the repository, or the part of the cache.
          type: str
        problem:
          description:
            - The kind of problem.
            - V(missing), V(dangling) link, V(outside) of the models directory, wrong V(size), written to since
              (V(time)), wrong V(digest), V(refs) without a usable commit, or the leftover of a V(partial) download.
          type: str
        sentence:
          description: The same for people.
          type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._hf_cache import (
    Repository,
    known_repositories,
    size_of,
)
from ansible_collections.livepeer.ai.plugins.module_utils._hf_rules import RuleError, wants
from ansible_collections.livepeer.ai.plugins.module_utils._hf_verify import examine, expected_files


class HfSnapshotInfo:
    """A look at the models directory of this host."""

    def __init__(self, module):
        self.models_dir = module.params["models_dir"]
        self.model_ids = module.params["model_ids"]
        self.full = module.params["verify"] == "full"

    def look(self):
        names = known_repositories(self.models_dir) if self.model_ids is None else self.model_ids
        repositories = [self.describe(name) for name in names]
        return {
            "changed": False,
            "complete": all(told["complete"] for told in repositories),
            "sentences": [f"{told['model_id']}: {p['sentence']}" for told in repositories for p in told["problems"]],
            "repositories": repositories,
        }

    def describe(self, name):
        # Also refuses a name that would lead out of the models directory.
        repository = Repository(self.models_dir, wants(name)[0].model_id)
        commit = repository.commit().decode("ascii", "replace").strip()
        problems = examine(repository, self.full)
        return {
            "model_id": name,
            "complete": not problems,
            "recorded": bool(repository.manifests),
            "commit": commit,
            "path": repository.snapshot(commit) if commit else "",
            "files": len(expected_files(repository, commit)) if commit else 0,
            "bytes": size_of([repository.root]) if repository.traces() else 0,
            "problems": [problem.as_dict() for problem in problems],
        }


def main():
    module = AnsibleModule(
        argument_spec={
            "models_dir": {"type": "path", "default": "/var/lib/livepeer/models"},
            "model_ids": {"type": "list", "elements": "str"},
            "verify": {"type": "str", "choices": ["quick", "full"], "default": "quick"},
        },
        supports_check_mode=True,
    )
    try:
        result = HfSnapshotInfo(module).look()
    except RuleError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"{exc.filename or module.params['models_dir']} cannot be read: {exc.strerror}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
