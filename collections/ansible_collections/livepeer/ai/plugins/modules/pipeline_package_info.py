#!/usr/bin/python

# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pipeline_package_info
short_description: Say what ai-runner would refuse in a custom pipeline's package
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Reads the package of a custom pipeline for ai-runner v0.14.1 (C(pyproject.toml), C(uv.lock), C(Dockerfile) and the
    sources) and says what would stop the build, the start or the frames, where, and what to do.
  - The package is read as text. It is never imported or run, and its libraries need not be installed.
  - Nothing is contacted and nothing is changed. Findings do not make the module fail unless O(fail_on) names them.
  - What only shows when the package runs, such as a model that does not fit the GPU, is not found.
requirements:
  - Python 3.11 or newer where the module runs, normally the controller, for reading TOML.
extends_documentation_fragment:
  - livepeer.ai._attributes
  - livepeer.ai._attributes.info_module
options:
  path:
    description:
      - Folder of the package, the one that holds C(pyproject.toml).
    type: path
    required: true
  name:
    description:
      - The name that the pipeline is declared with, which is the C(model_id) in C(aiModels.json). It is compared with
        the name in the package's C(PipelineSpec).
      - By default the names are not compared.
    type: str
    default: ""
  fail_on:
    description:
      - Severities of findings that make the module fail. By default it only reports.
    type: list
    elements: str
    choices: [error, warning]
    default: []
notes:
  - Run it on the controller with C(delegate_to) V(localhost), where the package lies.
"""

EXAMPLES = r"""
- name: Look at a package
  livepeer.ai.pipeline_package_info:
    path: "{{ playbook_dir }}/my-pipeline"
  delegate_to: localhost
  run_once: true
  register: package

- name: Show what is wrong with it
  ansible.builtin.debug:
    var: package.sentences

- name: Refuse a package that the runner would refuse
  livepeer.ai.pipeline_package_info:
    path: "{{ playbook_dir }}/my-pipeline"
    name: my-pipeline
    fail_on: [error]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
clean:
  description: Whether there is no finding at all.
  returned: always, unless the folder cannot be read
  type: bool
  sample: false
sentences:
  description: The findings for people, errors first.
  returned: always, unless the folder cannot be read
  type: list
  elements: str
  sample:
    - "uv.lock: is missing: uv sync --locked refuses to build the image. Run uv lock in the package and commit uv.lock."
findings:
  description: What was found, errors first.
  returned: always, unless the folder cannot be read
  type: list
  elements: dict
  contains:
    severity:
      description: V(error) if the build, the start or the frames fail, V(warning) for what is better otherwise.
      type: str
    code:
      description: Stable name of the finding.
      type: str
      sample: lock_missing
    file:
      description: File, relative to O(path).
      type: str
    line:
      description: Line, or 0 when it concerns the whole file.
      type: int
    message:
      description: What is wrong.
      type: str
    remedy:
      description: What to do.
      type: str
    sentence:
      description: Place, message and remedy in one.
      type: str
package:
  description: What the package says of itself. What could not be read is empty.
  returned: always, unless the folder cannot be read
  type: dict
  contains:
    kind:
      description: V(live) for frames, V(batch) for requests.
      type: str
    name:
      description: Name in the C(PipelineSpec), or the one that the runner derives from the class.
      type: str
    distribution:
      description: Name in C(pyproject.toml).
      type: str
    version:
      description: Version in C(pyproject.toml).
      type: str
    package:
      description: Name of the Python package.
      type: str
    scripts:
      description: Names of the scripts that it installs.
      type: list
      elements: str
    pipeline_cls:
      description: Module and class of the pipeline.
      type: str
    params_cls:
      description: Module and class of its parameters.
      type: str
    requires_python:
      description: Python versions that the package admits.
      type: str
    runner_git:
      description: Repository that ai-runner comes from.
      type: str
    runner_revision:
      description: Revision or tag of ai-runner.
      type: str
    base_image:
      description: Image that the Dockerfile's last stage begins with, build arguments at their defaults.
      type: str
    has_lock:
      description: Whether there is a C(uv.lock).
      type: bool
    lock_consistent:
      description:
        - Whether C(uv.lock) fits C(pyproject.toml) in names, extras, version, Python and the revision of ai-runner.
          Only C(uv lock --check) knows about version ranges.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package import examine
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_files import PackageError
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_package_project import tomllib


class PipelinePackageInfo:
    """A look at one folder."""

    def __init__(self, module):
        self.path = module.params["path"]
        self.name = module.params["name"]
        self.fail_on = module.params["fail_on"]

    def look(self):
        facts, findings = examine(self.path, self.name)
        refused = [finding.sentence for finding in findings if finding.severity in self.fail_on]
        return refused, {
            "changed": False,
            "clean": not findings,
            "sentences": [finding.sentence for finding in findings],
            "findings": [finding.as_dict() for finding in findings],
            "package": facts,
        }


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "name": {"type": "str", "default": ""},
            "fail_on": {"type": "list", "elements": "str", "choices": ["error", "warning"], "default": []},
        },
        supports_check_mode=True,
    )
    if tomllib is None:
        module.fail_json(msg="pipeline_package_info needs Python 3.11 or newer: run it where the controller runs.")
    try:
        refused, result = PipelinePackageInfo(module).look()
    except PackageError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"{exc.filename or module.params['path']} cannot be read: {exc.strerror}.")
    if refused:
        module.fail_json(msg=f"{module.params['path']} is no package that can be built: {' '.join(refused)}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
