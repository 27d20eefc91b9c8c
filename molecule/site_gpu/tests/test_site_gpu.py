"""A GPU host as an orchestrator, seen from the host itself; and what is refused while it goes on serving."""

from __future__ import annotations

import json
import re

import pytest
from labtest import ROOT, answers, passed_through, process_of

GPU_HOSTS = str(ROOT / "molecule/site_gpu/inventory")
UNIT = "livepeer-orchestrator.service"
IMAGE = "livepeer/ai-runner:latest"
DEMANDING = "livepeer/ai-runner:demanding"


PIPELINE = "colour-mood"


def runners_of(host, pipeline: str) -> list[dict]:
    """The containers that the node has started for one pipeline."""
    ids = host.check_output("docker ps --quiet --filter label=creator=ai-worker --filter name=^%s_", pipeline).split()
    return json.loads(host.check_output(f"docker inspect {' '.join(ids)}")) if ids else []


def url_of(runner: dict) -> str:
    (binding,) = runner["NetworkSettings"]["Ports"]["8000/tcp"]
    return f"http://{binding['HostIp']}:{binding['HostPort']}"


@pytest.fixture
def gpu_site(playbook):
    """A playbook on the scenario's inventory."""

    def run(name: str, *arguments: str, **variables):
        return playbook(name, "-i", GPU_HOSTS, *arguments, **variables)

    return run


def test_node_gives_its_runner_one_of_the_gpus(gpu_4090):
    """The way go-livepeer asks: device ids and the capability gpu, through Docker's own path for it."""
    (runner,) = runners_of(gpu_4090, "text-to-image")
    (request,) = runner["HostConfig"]["DeviceRequests"]
    assert request["DeviceIDs"] == ["0"]
    assert request["Capabilities"] == [["gpu"]]
    seen = gpu_4090.check_output("docker exec %s nvidia-smi -L", runner["Id"]).splitlines()
    assert seen == gpu_4090.check_output("nvidia-smi -L").splitlines()[:1]


def test_node_starts_the_own_pipeline_from_its_image(gpu_4090):
    """By the override, on the GPU that is left, with the prepared models; the container of our own is gone."""
    (runner,) = runners_of(gpu_4090, "live-video-to-video")
    assert runner["Config"]["Image"].startswith(f"livepeer-pipeline/{PIPELINE}:")
    assert f"MODEL_ID={PIPELINE}" in runner["Config"]["Env"]
    assert runner["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == ["1"]
    health = json.loads(gpu_4090.check_output("curl --silent --fail --max-time 5 %s/health", url_of(runner)))
    assert health["status"] == "IDLE"
    assert gpu_4090.check_output("docker ps --all --quiet --filter name=livepeer-pipeline-") == ""


def test_frame_passes_through_the_nodes_runner(gpu_4090):
    (runner,) = runners_of(gpu_4090, "live-video-to-video")
    answer = passed_through(gpu_4090, url_of(runner), PIPELINE)
    red, green, blue = answer["came"][0]["mean"]
    assert red > green > blue, "sepia"


def test_gateways_are_told_that_the_pipeline_is_warm(gpu_4090):
    """In what the node tells about itself, which the lab shows; live-video-to-video is capability 35."""
    info = json.loads(gpu_4090.check_output("curl --silent --insecure https://localhost:8935/_lab/orchestrator-info"))
    assert info["capabilities"]["constraints"]["PerCapability"]["35"]["models"][PIPELINE]["warm"] is True


def test_node_serves(gpu_4090):
    assert answers(gpu_4090, "https://localhost:8935/healthz")
    assert "nvidia 0,1" in gpu_4090.file("/etc/livepeer/orchestrator/livepeer.conf").content_string.splitlines()


def test_image_that_the_driver_does_not_satisfy_stops_nothing(gpu_4090, gpu_site):
    before = process_of(gpu_4090, UNIT)
    gpu_4090.check_output(
        "docker commit --change 'ENV NVIDIA_REQUIRE_CUDA=cuda>=99.0' $(docker create %s) %s", IMAGE, DEMANDING
    )
    # The image of the own pipeline is named by an override too, which is not what is looked at here.
    overrides = {"batch": {"text-to-image": DEMANDING}, "live": {PIPELINE: IMAGE}}
    run = gpu_site("builtin_pipeline", "--limit", "gpu-4090", orchestrator_image_overrides=overrides)
    assert run.code != 0
    assert "cuda>=99.0" in run.output, run.output
    assert process_of(gpu_4090, UNIT) == before
    assert answers(gpu_4090, "https://localhost:8935/healthz")


def test_models_that_do_not_fit_stop_nothing(gpu_4090, gpu_site):
    before = process_of(gpu_4090, UNIT)
    models = [
        {"pipeline": "text-to-image", "model_id": "SG161222/RealVisXL_V4.0_Lightning", "warm": True, "vram": "40GiB"}
    ]
    run = gpu_site("builtin_pipeline", "--limit", "gpu-4090", orchestrator_models=models)
    assert run.code != 0
    assert "40" in run.output and "GPU 0" in run.output, run.output
    assert process_of(gpu_4090, UNIT) == before


def test_gpus_that_do_not_exist_stop_nothing(gpu_4090, gpu_site):
    before = process_of(gpu_4090, UNIT)
    run = gpu_site("builtin_pipeline", "--limit", "gpu-4090", orchestrator_gpus=[0, 5])
    assert run.code != 0
    assert "orchestrator_gpus names GPU 5" in run.output, run.output
    assert process_of(gpu_4090, UNIT) == before


def test_second_run_changes_nothing_and_names_hosts_that_wait_for_a_reboot(gpu_site):
    # Those on which each of the three roles has been, in its own scenario.
    run = gpu_site("gpu_host", "--limit", "gpu-trixie,gpu-4090")
    assert run.changed == 0, run.output
    recap = run.output.rpartition("PLAY RECAP")[2]
    failed = {name for name, count in re.findall(r"^(\S+) .*failed=(\d+)", recap, re.M) if count != "0"}
    # The driver that Debian's packages brought is for the kernel of the next boot.
    assert failed == {"gpu-trixie"}, recap
    assert "This host can serve after a reboot only." in run.output, run.output
    assert run.code != 0


def test_pipeline_that_is_not_declared_any_more_leaves_nothing(gpu_4090, gpu_site):
    """Last, because it takes away what the node serves: first from the node, then from the host."""
    models = [{"pipeline": "text-to-image", "model_id": "SG161222/RealVisXL_V4.0_Lightning", "warm": True}]
    nothing = {"custom_pipelines": [], "orchestrator_models": models, "custom_pipeline_prune": True}
    for name in ("builtin_pipeline", "custom_pipeline"):
        run = gpu_site(name, "--limit", "gpu-4090", **nothing)
        assert run.code == 0, run.output
    assert runners_of(gpu_4090, "live-video-to-video") == []
    assert len(runners_of(gpu_4090, "text-to-image")) == 1
    assert gpu_4090.check_output("docker images --quiet 'livepeer-pipeline/*'") == ""
    assert not gpu_4090.file("/var/lib/livepeer/models/ColourMoodPipeline--models").exists
    assert not gpu_4090.file(f"/var/lib/livepeer/pipelines/{PIPELINE}").exists
