# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orchestrator role's own tasks, given what gpu_info would say of other hosts: who reads what, and when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.livepeer.ai.tests.unit.gpu_hosts import GIB, NO_DRIVER, gpu, host, process

ROLE = Path(__file__).resolve().parents[3] / "roles/orchestrator"
REPOSITORY = Path(__file__).resolve().parents[7]
MODEL = {"pipeline": "text-to-image", "model_id": "SG161222/RealVisXL_V4.0_Lightning", "warm": True}
IMAGE = "livepeer/ai-runner:latest"
NEEDS = "NVIDIA_REQUIRE_CUDA=cuda>=12.8 brand=tesla,driver>=550,driver<551"


def ansible(tmp_path, plays, *arguments):
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump(plays))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", *arguments, str(playbook)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def judge(tmp_path):
    """Run one file of the role's tasks with what the tasks before it would have found."""

    def run(tasks, info, *arguments, **found):
        facts = {
            "orchestrator_service_addr": "gpu1.example.com:8935",
            "orchestrator_gpus": [0],
            "orchestrator_models": [MODEL],
            "__orchestrator_gpu_info": info,
            "__orchestrator_weights": {"repositories": []},
            "__node_own_ids": ["gpu1.example.com:8935"],
            "__node_host": {"runners": []},
            **found,
        }
        role = {"name": "livepeer.ai.orchestrator", "tasks_from": tasks}
        steps = [
            {"name": "Judge", "ansible.builtin.include_role": role},
            {"name": "Stop the node", "ansible.builtin.debug": {"msg": "THE NODE IS STOPPED"}},
        ]
        play = {"name": "Try", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": steps}
        return ansible(tmp_path, [{**play, "vars": facts}], *arguments)

    return run


def test_gpus_that_are_well(judge):
    code, output = judge("gpus.yml", host())
    assert code == 0 and "THE NODE IS STOPPED" in output and "Warning: " not in output


def test_a_refusal_reaches_the_reader_and_nothing_comes_after_it(judge):
    code, output = judge("gpus.yml", host(NO_DRIVER))
    assert code == 2 and "THE NODE IS STOPPED" not in output
    assert "and no NVIDIA driver is installed: install one. The role nvidia_driver sees to the driver." in output


def test_in_check_mode_a_missing_driver_is_a_warning(judge):
    code, output = judge("gpus.yml", host(NO_DRIVER), "--check")
    assert code == 0 and "THE NODE IS STOPPED" in output
    assert "Warning: 2 NVIDIA GPUs on the PCI bus, and no NVIDIA driver is installed" in output


def test_in_check_mode_a_wrong_number_is_a_refusal(judge):
    code, output = judge("gpus.yml", host(), "--check", orchestrator_gpus=[7])
    assert code == 2
    assert "orchestrator_gpus names GPU 7, but the driver on this host shows only GPUs 0, 1. Correct" in output


def test_memory_and_whose_it_is(judge):
    info = host({"gpus": [gpu(0)], "processes": [process(0, 20 * GIB, container_id="a" * 64)]})
    models = [{**MODEL, "vram": "12GiB"}]
    runner = {"id": "a" * 64, "creator_id": "gpu1.example.com:8935"}
    code, output = judge("gpus.yml", info, orchestrator_models=models, __node_host={"runners": [runner]})
    assert code == 0, output
    stranger = {**runner, "creator_id": "gpu1.example.com:9935"}
    code, output = judge("gpus.yml", info, orchestrator_models=models, __node_host={"runners": [stranger]})
    assert code == 2 and "THE NODE IS STOPPED" not in output
    assert (
        "GPU 0 (NVIDIA GeForce RTX 4090) has 4.0 GiB left of 24.0 GiB (others: python3 (pid 4711) 20.0 GiB)" in output
    )


def test_weights_on_the_disk_give_a_warning(judge):
    weights = {"repositories": [{"model_id": MODEL["model_id"], "bytes": 30 * GIB}]}
    code, output = judge("gpus.yml", host(), __orchestrator_weights=weights)
    assert code == 0 and "THE NODE IS STOPPED" in output
    assert (
        "Warning: GPU 0 (NVIDIA GeForce RTX 4090) has 24.0 GiB, but what is to be warm on it takes 30.0 GiB" in output
    )


def inspected(*environment):
    """What Docker says of the image, registered in a loop; the second image is not there yet."""
    there = {"item": IMAGE, "images": [{"Config": {"Env": ["PATH=/bin", *environment]}}]}
    return {"results": [there, {"item": "livepeer/ai-runner:llm", "images": []}]}


def test_an_image_that_the_driver_cannot_run(judge):
    old = host({"driver.version": "550.163.01", "driver.cuda_version": "12.4"})
    code, output = judge("gpu_images.yml", old, __orchestrator_inspected=inspected(NEEDS))
    assert code == 2 and "THE NODE IS STOPPED" not in output
    assert "livepeer/ai-runner:latest asks for cuda>=12.8 (NVIDIA_REQUIRE_CUDA), which GPU 0" in output
    assert "install a driver of branch 570 or later (nvidia_driver_version)" in output


def test_an_image_that_the_driver_can_run(judge):
    code, output = judge("gpu_images.yml", host(), __orchestrator_inspected=inspected(NEEDS))
    assert code == 0 and "THE NODE IS STOPPED" in output and "Warning: " not in output


ORDER = [
    "Look at ports, names, other nodes and Docker on the host",
    "Look at the weights",
    "Look at the GPUs",
    "The GPUs can carry the declared models",
    "Create the models directory",
    "Pull the images",
    "Ask the images what they need",
    "The driver and the GPUs are what the images ask for",
    "Bring the declared configuration into effect",
]


def test_the_checks_come_before_anything_is_changed(tmp_path):
    play = {"name": "Try", "hosts": "localhost", "gather_facts": False, "roles": ["livepeer.ai.orchestrator"]}
    code, output = ansible(tmp_path, [play], "--list-tasks", "-e", "orchestrator_service_addr=gpu1.example.com:8935")
    assert code == 0, output
    names = [line.strip().partition("\tTAGS")[0].rpartition(" : ")[2] for line in output.splitlines()]
    assert [name for name in names if name in ORDER] == ORDER


@pytest.mark.parametrize(
    ("gpus", "check", "looks"), [([], True, False), ([0], True, True), ([0], False, False), ([0], "false", False)]
)
def test_hosts_without_gpus_and_operators_who_know_better_are_left_alone(tmp_path, gpus, check, looks):
    condition = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__orchestrator_checks_gpus"]
    facts = {"orchestrator_gpus": gpus, "orchestrator_gpu_check": check, "__orchestrator_checks_gpus": condition}
    task = {"name": "Tell", "ansible.builtin.debug": {"msg": "IT LOOKS"}, "when": "__orchestrator_checks_gpus"}
    play = {"name": "Try", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    code, output = ansible(tmp_path, [{**play, "vars": facts}])
    assert code == 0 and ("IT LOOKS" in output) is looks


def tasks_of(file):
    for task in yaml.safe_load((ROLE / "tasks" / file).read_text()):
        yield from task.get("block", [task])


def test_every_look_at_gpus_has_that_condition():
    looks = [
        task
        for file in ("preflight.yml", "images.yml")
        for task in tasks_of(file)
        if "livepeer.ai.gpu_info" in task or str(task.get("ansible.builtin.import_tasks")).startswith("gpu")
    ]
    assert len(looks) == 3
    assert all("__orchestrator_checks_gpus" in str(task["when"]) for task in looks)
