"""An own live pipeline on a GPU host: what the image is, what was prepared, and that a frame comes back changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from labtest import LAB, ROOT, passed_through, wait_until

NAME = "colour-mood"
PACKAGE = ROOT / "build" / LAB / "pipelines" / NAME
MODELS = "/var/lib/livepeer/models/ColourMoodPipeline--models"
RECORD = f"/var/lib/livepeer/pipelines/{NAME}/prepared.json"
URL = "http://127.0.0.1:8950"
LABEL = f"label=ai.livepeer.pipeline={NAME}"


def container(host) -> dict:
    (identity,) = host.check_output("docker ps --quiet --filter %s", LABEL).split()
    return json.loads(host.check_output("docker inspect %s", identity))[0]


def health(host) -> str:
    answer = host.run("curl --silent --max-time 3 %s/health", URL).stdout
    return json.loads(answer)["status"] if answer else ""


def models(host) -> str:
    """Which files there are, and that nobody has touched them."""
    return host.check_output("find %s -printf '%%i %%T@ %%p\\n' | sort", MODELS)


@pytest.fixture
def pipeline(playbook):
    """playbooks/custom_pipeline.yml on the scenario's host, which is an orchestrator in site_gpu's inventory."""
    external = "{{ [lab_pipeline | combine({'run': 'external', 'port': 8950})] }}"

    def run():
        inventory = str(ROOT / "molecule/site_gpu/inventory")
        return playbook("custom_pipeline", "-i", inventory, "--limit", "gpu-4090", custom_pipeline_packages=external)

    return run


@pytest.fixture
def package() -> Iterator[Path]:
    """The engineer's folder; afterwards as it was."""
    copy = PACKAGE.with_name(f"{NAME}-as-it-was")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(PACKAGE, copy)
    yield PACKAGE
    shutil.rmtree(PACKAGE)
    copy.rename(PACKAGE)


def test_image_says_what_it_is(gpu_4090):
    image = json.loads(gpu_4090.check_output("docker image inspect %s", container(gpu_4090)["Image"]))[0]
    labels = image["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "Colour Mood"
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert labels["ai.livepeer.pipeline"] == NAME
    (tag,) = image["RepoTags"]
    assert tag.startswith(f"livepeer-pipeline/{NAME}:")
    assert "HF_HUB_OFFLINE=1" in image["Config"]["Env"]


def test_models_were_prepared_by_the_image_for_this_gpu(gpu_4090):
    assert sorted(gpu_4090.check_output("ls %s", MODELS).split()) == ["grey.npy", "sepia.npy"]
    record = json.loads(gpu_4090.file(RECORD).content_string)
    assert container(gpu_4090)["Image"] in json.dumps(record)
    assert "8.9" in json.dumps(record)
    # Nothing of the run is left.
    assert gpu_4090.check_output("docker ps --all --quiet --filter label=Pipeline-Prepare") == ""


def test_runner_is_idle_and_on_loopback(gpu_4090):
    assert health(gpu_4090) == "IDLE"
    lines = gpu_4090.check_output("ss --no-header --listening --tcp --numeric").splitlines()
    assert {line.split()[3] for line in lines if line.split()[3].endswith(":8950")} == {"127.0.0.1:8950"}
    (request,) = container(gpu_4090)["HostConfig"]["DeviceRequests"]
    assert request["DeviceIDs"] == ["1"]


def test_one_frame_in_and_one_frame_out(gpu_4090):
    """Through trickle channels, as from a gateway; the colours are those that the package's model makes of them."""
    answer = passed_through(gpu_4090, URL, NAME)
    (came,) = answer["came"]
    assert (came["width"], came["height"]) == (512, 512)
    assert came["mean"] == pytest.approx(sepia(), abs=1)
    wait_until(lambda: health(gpu_4090) == "IDLE", 30, "idle runner after the stream")


def sepia() -> list[float]:
    """What the scaffold's example does to the picture that frames.py sends, reckoned here once more."""
    steps = np.arange(512) * 255 // 511
    picture = np.stack([*np.meshgrid(steps, steps), np.full((512, 512), 40)], axis=-1)
    matrix = np.array([[0.393, 0.349, 0.272], [0.769, 0.686, 0.534], [0.189, 0.168, 0.131]])
    return (picture @ matrix).clip(0, 255).mean(axis=(0, 1)).tolist()


def test_second_run_changes_nothing(gpu_4090, pipeline):
    before = container(gpu_4090)["Id"]
    run = pipeline()
    assert run.code == 0, run.output
    assert run.changed == 0, run.output
    assert container(gpu_4090)["Id"] == before


def test_package_that_the_runner_would_refuse_is_not_built(gpu_4090, pipeline, package):
    source = package / "src/colour_mood/pipeline/pipeline.py"
    source.write_text(source.read_text(encoding="utf-8").replace("def initialize(", "def initialise("))
    run = pipeline()
    assert run.code != 0
    assert "initialize" in run.output, run.output
    assert run.changed == 0, run.output
    assert health(gpu_4090) == "IDLE"


def test_preparation_that_fails_leaves_models_and_runner(gpu_4090, pipeline, package):
    source = package / "src/colour_mood/pipeline/pipeline.py"
    text = source.read_text(encoding="utf-8")
    loop = "        for look, matrix in LOOKS.items():"
    assert loop in text
    source.write_text(text.replace(loop, f'        raise RuntimeError("the weights are gone")\n{loop}'))
    before = container(gpu_4090)["Id"], models(gpu_4090)
    run = pipeline()
    assert run.code != 0
    assert "the weights are gone" in run.output, run.output
    assert (container(gpu_4090)["Id"], models(gpu_4090)) == before
    assert health(gpu_4090) == "IDLE"


def test_way_back_needs_nothing(pipeline):
    """The package is as it was, and so are its image and its models."""
    run = pipeline()
    assert run.code == 0, run.output
    assert run.changed == 0, run.output
