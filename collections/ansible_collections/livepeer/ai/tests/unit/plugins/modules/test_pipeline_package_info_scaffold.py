# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role writes is what the module accepts: a new package lacks its lock and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.livepeer.ai.plugins.modules import pipeline_package_info

REPOSITORY = Path(__file__).resolve().parents[8]
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "ansible.builtin.include_role": {"name": "livepeer.ai.custom_pipeline", "tasks_from": "scaffold"},
                "vars": {
                    "custom_pipeline_name": "{{ package.name }}",
                    "custom_pipeline_variant": "{{ package.variant }}",
                    "custom_pipeline_batch_route": "text-to-image",
                },
                "loop": [
                    {"name": "my-pipeline", "variant": "live"},
                    {"name": "my-batch", "variant": "batch"},
                ],
                "loop_control": {"loop_var": "package"},
            }
        ],
    }
]


@pytest.fixture(scope="module")
def scaffold(tmp_path_factory):
    """The packages of the play, written once by the role itself."""
    folder = tmp_path_factory.mktemp("scaffold")
    play = folder / "play.yml"
    play.write_text(json.dumps(PLAY))
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", play]
    variables = {"ansible_python_interpreter": sys.executable, "custom_pipeline_dest": str(folder)}
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}
    told = subprocess.run(
        [*command, "-e", json.dumps(variables)], env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return folder


@pytest.mark.parametrize(("name", "kind"), [("my-pipeline", "live"), ("my-batch", "batch")])
def test_new_package_lacks_only_its_lock(scaffold, run_module, name, kind):
    told = run_module(pipeline_package_info, path=str(scaffold / name), name=name)
    assert [finding["code"] for finding in told["findings"]] == ["lock_missing"], told["sentences"]
    assert told["package"]["kind"] == kind
    assert told["package"]["distribution"] == name
