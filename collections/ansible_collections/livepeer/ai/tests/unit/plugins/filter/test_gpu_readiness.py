# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sentence about GPUs that an operator may read before a rollout, and the hosts that get none."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.gpu_readiness import gpu_readiness
from ansible_collections.livepeer.ai.plugins.filter.image_readiness import image_readiness
from ansible_collections.livepeer.ai.tests.unit import nvidia_machine
from ansible_collections.livepeer.ai.tests.unit.gpu_hosts import GIB, NO_DRIVER, gpu, host, libraries, process, xid

SDXL = {"pipeline": "text-to-image", "model_id": "SG161222/RealVisXL_V4.0_Lightning", "warm": True}
LLM = {"pipeline": "llm", "model_id": "meta-llama/Meta-Llama-3.1-8B-Instruct", "warm": True}
CARD = "GPU 0 (NVIDIA GeForce RTX 4090)"


def judge(changes=None, gpus=(0, 1), models=(), **options):
    told = gpu_readiness(host(changes), gpus, models, **options)
    return told["refusals"], told["warnings"]


def test_a_healthy_host():
    assert judge(models=[SDXL, LLM]) == ([], [])


def test_without_gpus_nothing_is_asked():
    assert judge({"present": False, **NO_DRIVER, "runtimes.hook": False}, gpus=[]) == ([], [])


# The host


def test_no_gpu_at_all():
    for bare in (False, True):
        assert judge({"present": False, **NO_DRIVER, "pci": []}, bare=bare) == (
            [
                "orchestrator_gpus names GPUs 0, 1, but this host has no NVIDIA GPU on its PCI bus;"
                " correct orchestrator_gpus, or see to the card."
            ],
            [],
        )


def test_the_variable_is_the_callers():
    (sentence,), _warnings = judge({"present": False, **NO_DRIVER, "pci": []}, variable="byoc_services")
    assert sentence.startswith("byoc_services names GPUs 0, 1") and "correct byoc_services" in sentence


MISMATCH = {"gpus": [], "driver.matches": False}
INSTALLED = {**NO_DRIVER, "driver.module_version": "580.95.05", "driver.libraries": libraries("580.95.05")}
MISSING = [
    (
        NO_DRIVER,
        "2 NVIDIA GPUs on the PCI bus, and no NVIDIA driver is installed: install one."
        " The role nvidia_driver sees to the driver.",
    ),
    (
        INSTALLED,
        "The driver 580.95.05 is installed and not loaded: reboot, or run `modprobe nvidia` and read `dmesg`."
        " The role nvidia_driver sees to the driver.",
    ),
    (
        {"driver.library_version": "580.105.08", "driver.libraries": libraries("580.105.08"), **MISMATCH},
        "The loaded kernel module is 580.95.05 and the libraries are 580.105.08, so nothing new can use a GPU"
        " (Driver/library version mismatch): reboot, or stop everything that uses the GPUs and load the module anew."
        " The role nvidia_driver sees to the driver.",
    ),
    (
        {"driver.library_version": "", "driver.libraries": [], **MISMATCH},
        "The driver 580.95.05 is loaded, but its library libnvidia-ml.so is not on this host: reinstall the driver's"
        " packages. The role nvidia_driver sees to the driver.",
    ),
    (
        {"gpus": [], "driver.error": "No devices were found"},
        "nvidia-smi says: No devices were found. The role nvidia_driver sees to the driver.",
    ),
    ({"gpus": []}, "The NVIDIA driver on this host shows no GPU. The role nvidia_driver sees to the driver."),
    (
        {"runtimes.hook": False},
        "Docker cannot give GPUs 0, 1 to a container: there is no nvidia-container-runtime-hook on this host, nor a CDI"
        " device that this version of Docker would use instead; run the role nvidia_container_toolkit.",
    ),
    (
        {"nvswitch.count": 4, "nvswitch.fabric_manager": "inactive"},
        "The host has 4 NVSwitches, and the fabric manager is inactive, without which CUDA does not start:"
        " read `journalctl -u nvidia-fabricmanager` and start it.",
    ),
    (
        {"nvswitch.count": 4},
        "The host has 4 NVSwitches and no fabric manager, without which CUDA does not start:"
        " install nvidia-fabricmanager of the driver's version 580.95.05.",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), MISSING)
def test_what_other_roles_bring_is_refused_or_on_a_bare_host_warned_of(changes, sentence):
    assert judge(changes) == ([sentence], [])
    assert judge(changes, bare=True) == ([], [sentence])


def test_everything_that_is_missing_is_told_at_once():
    refusals, _warnings = judge({**NO_DRIVER, "runtimes.hook": False})
    assert [sentence.partition(" ")[0] for sentence in refusals] == ["2", "Docker"]


def cdi(devices=("0", "1", "all"), kind="nvidia.com/gpu", error=""):
    specification = {"path": "/etc/cdi/nvidia.yaml", "kind": kind, "devices": list(devices), "driver_version": ""}
    return [{**specification, "missing": [], "stale": False, "error": error}]


@pytest.mark.parametrize(
    ("version", "specifications", "lacking"),
    [
        ("29.2.0", cdi(), None),
        ("30.0", cdi(), None),
        # Before, Docker asks for the hook alone.
        ("29.1.5", cdi(), "GPUs 0, 1"),
        ("28.5.2", cdi(), "GPUs 0, 1"),
        ("", cdi(), "GPUs 0, 1"),
        ("29.2.0", cdi(["0", "all"]), "GPU 1"),
        ("29.2.0", cdi(["GPU-0", "GPU-1"]), "GPUs 0, 1"),
        ("29.2.0", cdi(kind="nvidia.com/mig"), "GPUs 0, 1"),
        ("29.2.0", cdi(error="not understood"), "GPUs 0, 1"),
    ],
)
def test_cdi_instead_of_the_hook(version, specifications, lacking):
    refusals, _warnings = judge({"runtimes.hook": False, "runtimes.docker_version": version, "cdi": specifications})
    assert [sentence.partition(" to a container")[0] for sentence in refusals] == (
        [f"Docker cannot give {lacking}"] if lacking else []
    )


def test_the_fabric_manager_runs():
    assert judge({"nvswitch.count": 4, "nvswitch.fabric_manager": "active"}) == ([], [])


def test_cdi_of_another_driver():
    stale = cdi()
    stale[0].update(driver_version="580.82.07", stale=True)
    sentence = (
        "The CDI specification /etc/cdi/nvidia.yaml is of driver 580.82.07, and 580.95.05 is loaded: run `nvidia-ctk"
        " cdi generate --output=/etc/cdi/nvidia.yaml`, or remove it where nvidia-cdi-refresh writes its own."
    )
    # Docker 29.2 would use it, and earlier ones would not.
    assert judge({"runtimes.docker_version": "29.2.0", "cdi": stale}) == ([sentence], [])
    assert judge({"runtimes.docker_version": "29.2.0", "cdi": stale}, bare=True) == ([], [sentence])
    assert judge({"cdi": stale}) == ([], [sentence])


def test_a_host_without_nvidia_smi():
    changes = {"gpus": [], "driver.error": "nvidia-smi is not installed"}
    assert judge(changes) == ([], ["The GPUs cannot be looked at: nvidia-smi is not installed."])
    assert judge({**changes, "driver.matches": False})[0]


def test_cdi_that_is_switched_off():
    changes = {"runtimes.hook": False, "runtimes.docker_version": "29.2.0", "cdi": cdi(), "runtimes.docker_cdi": False}
    assert len(judge(changes)[0]) == 1


# Which GPUs

GONE = {
    "gpus": [gpu(0)],
    "xid": [xid(79, "0000:02:00.0")],
}


@pytest.mark.parametrize(
    ("gpus", "changes", "sentence"),
    [
        (
            [0, 2, 3],
            {},
            "orchestrator_gpus names GPUs 2, 3, but the driver on this host shows only GPUs 0, 1."
            " Correct the list, numbers begin at 0.",
        ),
        (
            [0, 1],
            GONE,
            "orchestrator_gpus names GPU 1, but the driver on this host shows only GPU 0. nvidia-smi shows 1 of the 2"
            " GPUs on the PCI bus; it lacks 0000:02:00.0: read `journalctl -k` for NVRM, then reboot the host; if it"
            " returns, check power, seating and riser of the card and have it examined.",
        ),
        (
            [0, 1],
            {**GONE, "pci": host()["pci"][:1]},
            "orchestrator_gpus names GPU 1, but the driver on this host shows only GPU 0. The GPU at 0000:02:00.0"
            " reported falling off the bus since boot (Xid 79): reboot the host; if it returns, check power, seating"
            " and riser of the card and have it examined.",
        ),
        (
            [0, 1],
            {"xid": [xid(79, "0000:01:00.0")]},
            f"{CARD} has fallen off the bus since this host was booted (Xid 79);"
            " reboot the host, and see to power and cooling if it happens again.",
        ),
        (
            [0, 1],
            {"gpus": [gpu(0, problem="GPU is lost"), gpu(1)]},
            f"{CARD} does not answer (GPU is lost); reboot this host.",
        ),
    ],
)
def test_gpus_that_are_not_there(gpus, changes, sentence):
    assert judge(changes, gpus) == ([sentence], [])
    # They do not appear by installing something.
    assert judge(changes, gpus, bare=True) == ([sentence], [])


def test_what_is_wrong_with_other_gpus_is_a_warning():
    refusals, warnings = judge({"xid": [xid(79, "0000:02:00.0")]}, gpus=[0])
    assert not refusals and warnings[0].startswith("The GPU at 0000:02:00.0 reported falling off the bus since boot")


def test_what_else_is_wrong_is_a_warning():
    changes = {
        "xid": [xid(31, "0000:01:00.0"), xid(95, "0000:01:00.0"), xid(79, "0000:01:00.0", "nvswitch")],
        "nouveau.blacklisted": False,
        "driver.module_version": "580.105.08",
    }
    refusals, warnings = judge(changes)
    assert not refusals
    assert [warning[:40] for warning in warnings] == [
        "The driver 580.95.05 is loaded, and its ",
        "The GPU at 0000:01:00.0 reported an unco",
        "nouveau is not blacklisted and may take ",
    ]
    # Beside a refusal they would only hide it.
    assert judge({**changes, "runtimes.hook": False})[1] == []


def test_mig():
    assert judge({"gpus": [gpu(0, mig_enabled=True), gpu(1)]}, models=[{**SDXL, "vram": "1TiB"}]) == (
        [],
        [
            f"{CARD} is in MIG mode. go-livepeer asks for whole GPUs by number, in which CUDA may find no device then;"
            " switch it off (nvidia-smi -i 0 -mig 0)."
        ],
    )


# Memory


def test_declared_memory_that_fits():
    models = [{**SDXL, "vram": "12GiB"}, {**LLM, "vram": "24 GiB"}]
    assert judge(models=models) == ([], [])


def test_declared_memory_that_does_not_fit():
    assert judge(models=[{**SDXL, "vram": "24.1GiB"}]) == (
        [
            f"{CARD} has 24.0 GiB, but what is declared to be warm on it takes 24.1 GiB"
            " (SG161222/RealVisXL_V4.0_Lightning 24.1 GiB); correct vram in orchestrator_models, give the GPU fewer"
            " warm models, or stop what else uses it."
        ],
        [],
    )


def test_gpus_are_filled_as_go_livepeer_does():
    small, large = {**SDXL, "vram": "10GiB"}, {**LLM, "vram": 16 * GIB}
    # Each GPU gets one before any gets a second: small and small share GPU 0, large is alone on GPU 1.
    assert judge(models=[small, large, small], containers_per_gpu=2) == ([], [])
    refusals, _warnings = judge(models=[small, small, large], containers_per_gpu=2)
    assert refusals[0].startswith(f"{CARD} has 24.0 GiB, but what is declared to be warm on it takes 26.0 GiB (")
    # In the order of the list of GPUs, and by capacity.
    refusals, _warnings = judge(models=[{**large, "capacity": 3}], gpus=[1, 0], containers_per_gpu=2)
    assert [sentence.partition(" (")[0] for sentence in refusals] == ["GPU 1"]


def test_cold_and_external_models_take_no_memory():
    huge = {**SDXL, "vram": "1TiB"}
    assert judge(models=[{**huge, "warm": False}, {**huge, "url": "http://127.0.0.1:9000"}]) == ([], [])


def test_what_others_use_is_not_there():
    processes = [
        process(0, 2 * GIB, name="Xorg", pid=7),
        process(0, 10 * GIB, container_id="f" * 64),
        process(1, 20 * GIB),
        process(0, None, name="invisible"),
    ]
    refusals, _warnings = judge({"processes": processes}, models=[{**SDXL, "vram": "12.5GiB"}])
    assert refusals == [
        f"{CARD} has 12.0 GiB left of 24.0 GiB (others: python3 (pid 4711) 10.0 GiB, Xorg (pid 7) 2.0 GiB), but what is"
        " declared to be warm on it takes 12.5 GiB (SG161222/RealVisXL_V4.0_Lightning 12.5 GiB); correct vram in"
        " orchestrator_models, give the GPU fewer warm models, or stop what else uses it."
    ]


def test_what_the_node_itself_uses_is_there():
    processes = [process(0, 20 * GIB, container_id="a" * 64)]
    models = [{**SDXL, "vram": "20GiB"}]
    assert judge({"processes": processes}, models=models, own_containers=["a" * 64]) == ([], [])
    assert judge({"processes": processes}, models=models, own_containers=["b" * 64])[0]


def test_many_others():
    processes = [process(0, 6 * GIB, pid=pid) for pid in range(1, 6)]
    refusals, _warnings = judge({"processes": processes}, models=[{**SDXL, "vram": "1GiB"}])
    assert "has 0.0 GiB left of 24.0 GiB (others: " in refusals[0]
    assert "(pid 3) 6.0 GiB, ...), but" in refusals[0]


WEIGHTS = [
    {"model_id": "SG161222/RealVisXL_V4.0_Lightning", "bytes": 7 * GIB},
    {"model_id": "openai/clip-vit-base-patch32", "bytes": 1 * GIB},
]


def test_weights_on_the_disk_are_a_warning():
    small = {"gpus": [gpu(0, memory=6 * GIB), gpu(1)]}
    assert judge(small, [0], [SDXL], weights=WEIGHTS) == (
        [],
        [
            f"{CARD} has 6.0 GiB, but what is to be warm on it takes 8.0 GiB or more, counting weights by their size on"
            " the disk (SG161222/RealVisXL_V4.0_Lightning 8.0 GiB); declare vram in orchestrator_models, or give the"
            " GPU fewer warm models."
        ],
    )
    assert judge(small, [0], [{**SDXL, "vram": "5GiB"}], weights=WEIGHTS) == ([], [])
    assert judge(small, [0], [SDXL]) == ([], [])


def test_weights_beside_declared_memory():
    models = [{**LLM, "vram": "18GiB"}, SDXL]
    _refusals, warnings = judge(gpus=[0], models=models, containers_per_gpu=2, weights=WEIGHTS)
    assert "takes 26.0 GiB or more" in warnings[0]
    assert "(meta-llama/Meta-Llama-3.1-8B-Instruct 18.0 GiB, SG161222/RealVisXL_V4.0_Lightning 8.0 GiB)" in warnings[0]


def test_live_pipelines_have_no_weights_from_the_hub():
    live = {"pipeline": "live-video-to-video", "model_id": "noop", "warm": True}
    assert judge(models=[live], weights=WEIGHTS) == ([], [])


def test_memory_that_nobody_could_tell():
    assert judge({"gpus": [gpu(0, memory=None), gpu(1)]}, models=[{**SDXL, "vram": "1TiB"}]) == ([], [])


def test_a_name_that_is_none():
    with pytest.raises(AnsibleFilterError, match="not a Hugging Face model name"):
        judge(models=[{"pipeline": "llm", "model_id": "../etc", "warm": True}])


# Images

NEEDS = "cuda>=12.8 brand=tesla,driver>=550,driver<551 brand=unknown,driver>=550,driver<551"
OLD = {"driver.version": "550.163.01", "driver.cuda_version": "12.4"}
IMAGE = "livepeer/ai-runner:latest"


def inspected(*environment):
    return [{"Id": "sha256:0", "Config": {"Env": ["PATH=/bin", *environment]}}]


def judge_images(images, changes=None, gpus=(0, 1), models=(SDXL,), **options):
    told = image_readiness(images, host(changes), gpus, list(models), "0.9.1", **options)
    return told["refusals"], told["warnings"]


def test_an_image_that_fits():
    assert judge_images({IMAGE: inspected(f"NVIDIA_REQUIRE_CUDA={NEEDS}")}) == ([], [])
    assert judge_images({IMAGE: inspected()}, OLD) == ([], [])
    assert judge_images({IMAGE: [{"Config": {"Env": None}}]}, OLD) == ([], [])


REFUSAL = (
    f"livepeer/ai-runner:latest asks for cuda>=12.8 (NVIDIA_REQUIRE_CUDA), which {CARD} with the driver 550.163.01"
    " (CUDA 12.4) cannot satisfy"
)
REMEDY = (
    "install a driver of branch 570 or later (nvidia_driver_version), or use an older image,"
    " see orchestrator_image_overrides."
)


def test_an_image_that_is_too_new_for_the_driver():
    assert judge_images({IMAGE: inspected(f"NVIDIA_REQUIRE_CUDA={NEEDS}")}, OLD) == (
        [f"{REFUSAL}, so its containers would not start; {REMEDY}"],
        [],
    )


def test_cards_that_the_image_makes_an_exception_for():
    cards = {"gpus": [gpu(0, "Tesla T4", "Tesla", arch="7.5"), gpu(1, "NVIDIA H100 80GB HBM3", "NVIDIA", arch="9.0")]}
    assert judge_images({IMAGE: inspected(f"NVIDIA_REQUIRE_CUDA={NEEDS}")}, {**OLD, **cards}) == ([], [])
    mixed = {"gpus": [cards["gpus"][0], gpu(1)]}
    refusals, _warnings = judge_images(
        {IMAGE: inspected(f"NVIDIA_REQUIRE_CUDA={NEEDS}")}, {**OLD, **mixed}, models=[SDXL, SDXL]
    )
    assert len(refusals) == 1 and "which GPU 1 (NVIDIA GeForce RTX 4090) with" in refusals[0]


def test_with_cdi_nobody_enforces_it():
    changes = {**OLD, "runtimes.docker_version": "29.2.1", "cdi": cdi()}
    assert judge_images({IMAGE: inspected(f"NVIDIA_REQUIRE_CUDA={NEEDS}")}, changes) == (
        [],
        [f"{REFUSAL}. Docker uses CDI here and starts it nevertheless, and CUDA may fail in it; {REMEDY}"],
    )


def test_a_cold_model_may_come_to_any_gpu():
    refusals, _warnings = judge_images(
        {IMAGE: inspected(f"NVIDIA_REQUIRE_CUDA={NEEDS}")}, OLD, models=[{**SDXL, "warm": False}]
    )
    assert f"which {CARD}, GPU 1 (NVIDIA GeForce RTX 4090) with" in refusals[0]


def test_the_judgement_switched_off_by_a_flag_of_a_warm_model():
    image = {IMAGE: inspected(f"NVIDIA_REQUIRE_CUDA={NEEDS}")}
    for flag in (True, "1", "true"):
        model = {**SDXL, "optimization_flags": {"NVIDIA_DISABLE_REQUIRE": flag}}
        assert judge_images(image, OLD, models=[model]) == ([], [])
        assert judge_images(image, OLD, models=[{**model, "warm": False}])[0]


def test_other_requirements_have_another_remedy():
    refusals, _warnings = judge_images({IMAGE: inspected("NVIDIA_REQUIRE_ARCH=arch>=9.0")})
    assert refusals == [
        f"livepeer/ai-runner:latest asks for arch>=9.0 (NVIDIA_REQUIRE_ARCH), which {CARD} with the driver 580.95.05"
        " (CUDA 13.0) cannot satisfy, so its containers would not start; install a newer driver, or use an older image,"
        " see orchestrator_image_overrides."
    ]


def test_a_requirement_that_the_hook_cannot_read():
    assert judge_images({IMAGE: inspected("NVIDIA_REQUIRE_CUDA=cuda>=twelve")}) == (
        [
            "livepeer/ai-runner:latest has a requirement that NVIDIA's container hook cannot read ('cuda>=twelve' holds"
            " no version), so that none of its containers would start; use another image,"
            " see orchestrator_image_overrides."
        ],
        [],
    )


def test_with_cdi_nobody_reads_it():
    changes = {"runtimes.docker_version": "29.2.1", "cdi": cdi()}
    assert judge_images({IMAGE: inspected("NVIDIA_REQUIRE_CUDA=cuda>=twelve")}, changes) == ([], [])


def test_images_that_are_not_there_yet_and_drivers_neither():
    assert judge_images({IMAGE: []}, OLD) == ([], [])
    assert judge_images({IMAGE: inspected(f"NVIDIA_REQUIRE_CUDA={NEEDS}")}, NO_DRIVER) == ([], [])


def test_the_image_of_the_override_is_the_one_that_counts():
    overrides = {"batch": {"text-to-image": "mine:1"}}
    images = {"mine:1": inspected("NVIDIA_REQUIRE_CUDA=cuda>=99"), IMAGE: inspected()}
    refusals, _warnings = judge_images(images, overrides=overrides)
    assert refusals[0].startswith("mine:1 asks for cuda>=99 (NVIDIA_REQUIRE_CUDA), which GPU 0")
    assert judge_images(images) == ([], [])


def test_external_runners_bring_their_own():
    external = {**SDXL, "url": "http://127.0.0.1:9000"}
    assert judge_images({IMAGE: inspected("NVIDIA_REQUIRE_CUDA=cuda>=99")}, models=[external]) == ([], [])


def test_a_model_without_an_image():
    with pytest.raises(AnsibleFilterError, match="no image is known for the live pipeline 'x'"):
        judge_images({}, models=[{"pipeline": "live-video-to-video", "model_id": "x"}])


# What the module itself returns


def test_hosts_as_gpu_info_sees_them(tmp_path):
    consumer = nvidia_machine.two_4090(tmp_path / "4090").ask()
    assert gpu_readiness(consumer, [0, 1], [{**SDXL, "vram": "20GiB"}]) == {"refusals": [], "warnings": []}
    refusals = gpu_readiness(consumer, [1, 0], [{**SDXL, "vram": "20GiB"}])["refusals"]
    assert refusals[0].startswith("GPU 1 (NVIDIA GeForce RTX 4090) has 4.4 GiB left of 24.0 GiB (others: python3 (pid")
    images = {IMAGE: inspected(f"NVIDIA_REQUIRE_CUDA={NEEDS}")}
    told = image_readiness(images, consumer, [0, 1], [SDXL], "0.9.1")
    assert told["refusals"] == [f"{REFUSAL}, so its containers would not start; {REMEDY}"]
    data_centre = nvidia_machine.hgx_h100(tmp_path / "h100").ask()
    assert gpu_readiness(data_centre, [0, 1], [{**SDXL, "vram": "79GiB"}]) == {"refusals": [], "warnings": []}
    assert image_readiness(images, data_centre, [0], [SDXL], "0.9.1") == {"refusals": [], "warnings": []}


def test_a_bare_host_as_gpu_info_sees_it(tmp_path):
    machine = nvidia_machine.Machine(tmp_path)
    machine.pci("0000:01:00.0", driver="")
    refusals = gpu_readiness(machine.ask(), [0])["refusals"]
    assert [sentence.partition(":")[0] for sentence in refusals] == [
        "1 NVIDIA GPU on the PCI bus, and no NVIDIA driver is installed",
        "Docker cannot give GPU 0 to a container",
    ]
    assert gpu_readiness(nvidia_machine.Machine(tmp_path / "none").ask(), [0])["refusals"][0].startswith(
        "orchestrator_gpus names GPU 0, but this host has no NVIDIA GPU on its PCI bus;"
    )
