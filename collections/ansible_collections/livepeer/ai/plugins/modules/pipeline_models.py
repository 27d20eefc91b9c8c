#!/usr/bin/python
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pipeline_models
short_description: Have the models of a custom pipeline prepared by its image
version_added: "1.0.0"
description:
  - Runs the image of a custom pipeline with C(PREPARE_MODELS=1), online, and shows its log while it works.
  - The run works on a copy of the present models, which take their place by a rename when it has ended well. If it
    fails or takes too long, what was there keeps serving.
  - A record ties the models to the id of the image and to the GPUs' compute capabilities. It is run again when one of
    these has changed or the models are missing.
author: "livepeer.ai contributors (@livepeer-ai)"
extends_documentation_fragment:
  - livepeer.ai._attributes
attributes:
  check_mode:
    support: full
    details:
      - It says whether a run is needed, and refuses what a run would be refused for.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  name:
    description: Wire name of the pipeline.
    type: str
    required: true
  image:
    description: Its image, which must be on the host.
    type: str
    required: true
  models:
    description: Name of the directory that the pipeline writes, such as V(MyPipeline--models).
    type: str
    required: true
  models_dir:
    description: Directory of models on the host. It is C(/models) in the container.
    type: path
    required: true
  state_dir:
    description: Directory of the record.
    type: path
    required: true
  gpus:
    description: Indexes of the GPUs that the run gets.
    type: list
    elements: int
    default: []
  gpu_mode:
    description: How Docker hands the GPUs over.
    type: str
    choices: [runtime, cdi]
    default: runtime
  architectures:
    description: Compute capabilities of these GPUs.
    type: list
    elements: str
    default: []
  env:
    description: Further environment of the run.
    type: dict
    default: {}
  token:
    description:
      - Token for the Hugging Face Hub. The run reads it from a file that only root can read, and which is removed
        when the run has ended.
    type: str
    default: ""
  size:
    description: Bytes that the models need, for a look at the disk before the run.
    type: int
    default: 0
  timeout:
    description: Seconds that the run may take.
    type: int
    default: 7200
  progress_interval:
    description: Seconds between two looks at the log.
    type: float
    default: 10
  docker_socket:
    description: Path of the Docker Engine's socket.
    type: path
    default: /var/run/docker.sock
  _controller:
    description:
      - What the action on the controller tells the module. Not for playbooks.
    type: dict
notes:
  - If the controller goes away during a run, the run goes on, and its models are not taken over. The next one is
    refused until it has ended.
"""

EXAMPLES = r"""
- name: Prepare the models
  livepeer.ai.pipeline_models:
    name: my-pipeline
    image: livepeer-pipeline/my-pipeline:0123456789ab
    models: MyPipeline--models
    models_dir: /var/lib/livepeer/models
    state_dir: /var/lib/livepeer/pipelines/my-pipeline
    gpus: [0]
    architectures: ["8.9"]
"""

RETURN = r"""
reason:
  description: Why a run was needed, empty if it was not.
  returned: success
  type: str
  sample: the models are not there
path:
  description: Directory of the models.
  returned: success
  type: str
  sample: /var/lib/livepeer/models/MyPipeline--models
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_prepare import (
    Prepare,
    PrepareDocker,
    PrepareError,
)
from ansible_collections.livepeer.ai.plugins.module_utils._runner_container import DockerError

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "models": {"type": "str", "required": True},
    "models_dir": {"type": "path", "required": True},
    "state_dir": {"type": "path", "required": True},
    "gpus": {"type": "list", "elements": "int", "default": []},
    "gpu_mode": {"type": "str", "choices": ["runtime", "cdi"], "default": "runtime"},
    "architectures": {"type": "list", "elements": "str", "default": []},
    "env": {"type": "dict", "default": {}},
    "token": {"type": "str", "default": "", "no_log": True},
    "size": {"type": "int", "default": 0},
    "timeout": {"type": "int", "default": 7200},
    "progress_interval": {"type": "float", "default": 10},
    "docker_socket": {"type": "path", "default": "/var/run/docker.sock"},
}


class PipelineModels:
    """One call: the action plugin calls until the run has finished."""

    def __init__(self, module):
        self.module = module
        self.told = module.params["_controller"] or {}
        self.prepare = Prepare(PrepareDocker(module.params["docker_socket"]), module.params)

    def work(self):
        if self.told.get("began"):
            return self.continue_run()
        if not self.module.check_mode:
            self.prepare.recover()
        image_id = self.prepare.docker.image_id(self.module.params["image"])
        if not image_id and not self.module.check_mode:
            raise PrepareError(f"the image {self.module.params['image']} is not on this host")
        reason = self.prepare.reason(image_id)
        result = {"changed": bool(reason), "reason": reason, "path": self.prepare.target, "finished": True}
        if reason:
            self.prepare.check()
        if not reason or self.module.check_mode:
            return result
        self.guarded(lambda: self.prepare.begin(self.module.params["token"]))
        return {**result, "finished": False, "began": time.time(), "image_id": image_id, "lines": [], "since": ""}

    def continue_run(self):
        told = self.told
        lines, since, ended = self.guarded(
            lambda: self.prepare.watch(told["since"], self.module.params["progress_interval"])
        )
        if ended:
            self.guarded(lambda: self.prepare.finish(told["image_id"]))
        elif time.time() - told["began"] > self.module.params["timeout"]:
            self.prepare.clean()
            raise PrepareError(
                f"the run was ended after {self.module.params['timeout']} s; give it longer with prepare_timeout"
            )
        return {"changed": True, "finished": ended, "lines": lines, "since": since}

    def guarded(self, step):
        """A step that leaves nothing behind if it fails."""
        try:
            return step()
        except BaseException:
            self.prepare.clean()
            raise


def main():
    module = AnsibleModule(
        argument_spec={**ARGUMENT_SPEC, "_controller": {"type": "dict"}},
        supports_check_mode=True,
    )
    try:
        module.exit_json(**PipelineModels(module).work())
    except (PrepareError, DockerError, OSError) as error:
        module.fail_json(msg=f"The models of {module.params['name']} were not prepared: {error}")


if __name__ == "__main__":
    main()
