# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkouts with files of our own that have upstream's landmarks, and git itself as the judge of the patches."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.livepeer.ai.plugins.modules import upstream_patch
from ansible_collections.livepeer.ai.tests.unit.liars import run_module

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/upstream"
FILES = {
    "ai-runner": ("runner/dl_checkpoints.sh", "dl_checkpoints.txt"),
    "go-livepeer": ("ai/worker/docker.go", "docker_go.txt"),
}
PLACES = [
    "the image variables",
    "display_help",
    "download_live_models",
    "run_pipeline_prepare",
    "build_tensorrt_models",
    "the prepare functions",
    "the mkdir list",
]


class Checkout:
    """A repository with one commit, and the module asked about it."""

    def __init__(self, root, upstream):
        self.upstream = upstream
        self.root = root / upstream
        self.path, fixture = FILES[upstream]
        self.file = self.root / self.path
        self.file.parent.mkdir(parents=True)
        self.file.write_text((FIXTURES / fixture).read_text())
        self.dest = root / f"{upstream}.patch"
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", "one")

    def git(self, *arguments):
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def edit(self, old, new, count=1):
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new, count))

    def run(self, check_mode=False, **arguments):
        arguments = {
            "upstream": self.upstream,
            "checkout": str(self.root),
            "name": "my-pipeline",
            "image": "my-org/my-pipeline",
            "dest": str(self.dest),
            **arguments,
        }
        return run_module(upstream_patch, check_mode, **arguments)

    def apply(self):
        self.git("apply", str(self.dest))


@pytest.fixture
def runner(tmp_path):
    return Checkout(tmp_path, "ai-runner")


@pytest.fixture
def node(tmp_path):
    return Checkout(tmp_path, "go-livepeer")


@pytest.fixture(params=FILES)
def checkout(request, tmp_path):
    return Checkout(tmp_path, request.param)


def test_writes_once_and_leaves_the_checkout_alone(checkout):
    before = checkout.file.read_text()
    index = (checkout.root / ".git/index").read_bytes()
    first = checkout.run()
    assert first["changed"] and not first["patched"]
    assert first["file"] == checkout.path
    assert first["revision"] == checkout.git("rev-parse", "HEAD").strip()
    assert checkout.dest.stat().st_mode & 0o777 == 0o644
    assert first["diff"]["before"] == "" and first["diff"]["after"] == checkout.dest.read_text()
    assert checkout.run()["changed"] is False
    assert checkout.file.read_text() == before
    assert (checkout.root / ".git/index").read_bytes() == index
    assert checkout.git("status", "--porcelain") == ""


def test_check_mode_writes_nothing(checkout):
    assert checkout.run(check_mode=True)["changed"]
    assert not checkout.dest.exists()
    # The folder may be one that check mode did not make.
    assert checkout.run(check_mode=True, dest=str(checkout.dest.parent / "later/x.patch"))["changed"]


def test_a_patched_checkout_needs_nothing(checkout):
    checkout.run()
    checkout.apply()
    checkout.dest.unlink()
    result = checkout.run()
    assert result["patched"] and not result["changed"] and result["places"] == []
    assert result["msg"] == f"my-pipeline is in {checkout.path} already: there is nothing to patch."
    assert not checkout.dest.exists()


def test_two_pipelines_one_after_the_other(checkout):
    checkout.run()
    checkout.apply()
    assert checkout.run(name="sepia", image="my-org/sepia:1.2")["changed"]
    checkout.apply()
    assert checkout.run()["patched"]
    assert checkout.run(name="sepia", image="my-org/sepia:1.2")["patched"]


def test_names_the_places(runner, node):
    assert runner.run()["places"] == PLACES
    assert runner.run()["msg"] == "my-pipeline is missing in 7 places of runner/dl_checkpoints.sh."
    assert node.run()["places"] == ["livePipelineToImage"]
    assert node.run()["msg"] == "my-pipeline is missing in 1 place of ai/worker/docker.go."


def test_a_half_patched_script_gets_the_other_half(runner):
    runner.edit("mkdir -p models/Alpha--models", "mkdir -p models/Alpha--models models/MyPipeline--models")
    assert runner.run()["places"] == [place for place in PLACES if place != "the mkdir list"]
    runner.apply()
    assert runner.run()["patched"]


class Host:
    """Runs the script with a docker that only notes what it is told."""

    def __init__(self, script, folder):
        self.script, self.folder = script, folder
        (folder / "bin").mkdir(parents=True)
        docker = folder / "bin/docker"
        docker.write_text('#!/bin/sh\necho "docker $*"\n')
        docker.chmod(0o755)

    def run(self, mode, **environment):
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **environment, "PATH": path}
        command = ["bash", str(self.script), mode]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def host(runner, tmp_path):
    runner.run()
    runner.apply()
    return Host(runner.file, tmp_path / "host")


def docker_calls(result):
    assert result.returncode == 0, result.stdout + result.stderr
    return [line for line in result.stdout.splitlines() if line.startswith("docker ")]


def test_the_patched_script_prepares_it(host):
    calls = docker_calls(host.run("--live", PIPELINE="my-pipeline"))
    assert calls == [
        "docker pull my-org/my-pipeline",
        "docker image tag my-org/my-pipeline my-org/my-pipeline:latest",
        "docker run my-org/my-pipeline",
    ]
    assert (host.folder / "models/MyPipeline--models").is_dir()


def test_the_patched_script_takes_another_image(host):
    environment = {"PIPELINE": "my-pipeline", "PULL_IMAGES": "false", "AI_RUNNER_MY_PIPELINE_IMAGE": "local"}
    calls = docker_calls(host.run("--live", **environment))
    assert calls == ["docker image tag local my-org/my-pipeline:latest", "docker run local"]


def test_the_patched_script_prepares_it_among_all(host):
    calls = docker_calls(host.run("--live", PIPELINE="all"))
    assert [call for call in calls if call.startswith("docker run")] == [
        "docker run example/alpha",
        "docker run my-org/my-pipeline",
    ]


def test_the_patched_script_treats_the_others_as_before(host):
    calls = docker_calls(host.run("--live", PIPELINE="alpha"))
    assert calls[1:] == ["docker image tag example/alpha example/alpha:latest", "docker run example/alpha"]


def test_the_patched_script_builds_no_engines(host):
    result = host.run("--tensorrt", PIPELINE="my-pipeline")
    assert docker_calls(result)
    assert "My Pipeline models already built on prepare..." in result.stdout


def test_the_patched_script_lists_it(host):
    result = host.run("--live", PIPELINE="wrong")
    assert result.returncode == 1
    assert "Valid values: beta-<variant>, alpha, my-pipeline, all" in result.stdout
    text = host.run("--help").stdout
    assert "  AI_RUNNER_MY_PIPELINE_IMAGE  My Pipeline Docker image (default: my-org/my-pipeline)\n" in text
    assert "            - 'my-pipeline': My Pipeline\n            - 'all'" in text


def test_the_map_gets_one_entry(node):
    node.run(image="registry.example.com:5000/org/p:1.0")
    added = [line for line in node.dest.read_text().splitlines() if line.startswith("+") and "+++" not in line]
    assert added == [
        "+\t// my-pipeline image is published by the pipeline's authors",
        '+\t"my-pipeline": "registry.example.com:5000/org/p:1.0",',
    ]


def test_an_image_with_a_tag_is_tagged_as_it_is(runner):
    runner.run(image="registry.example.com:5000/org/p:1.0")
    assert '+    docker image tag "$image" "registry.example.com:5000/org/p:1.0"' in runner.dest.read_text()
    runner.run(image="registry.example.com:5000/org/p")
    assert '+    docker image tag "$image" "registry.example.com:5000/org/p:latest"' in runner.dest.read_text()


# What is edited in the script, and the refusal: the place, then what is wrong there.
UNKNOWN_SCRIPTS = [
    (
        "PIPELINE=${PIPELINE:-all}",
        "PIPELINE=all",
        "the image variables: the line PIPELINE=${PIPELINE:-all} is not there",
    ),
    (
        "AI_RUNNER_ALPHA_IMAGE=${AI_RUNNER_ALPHA_IMAGE:-example/alpha}",
        "IMAGE=example/alpha",
        "the image variables: no line AI_RUNNER_..._IMAGE=",
    ),
    (
        "PIPELINE=${PIPELINE:-all}",
        "AI_RUNNER_MY_PIPELINE_IMAGE=other\nPIPELINE=${PIPELINE:-all}",
        "the image variables: AI_RUNNER_MY_PIPELINE_IMAGE is there already, but not as",
    ),
    ("function display_help() {", "function usage() {", "display_help: the function display_help is not there"),
    ("- 'all': everything", "- everything", "display_help: the line of PIPELINE's option 'all' is not there"),
    ("  PIPELINE  What", "  What", "display_help: the line of PIPELINE is not there"),
    (
        "function download_live_models() {",
        "function download_models() {",
        "download_live_models: the function download_live_models is not there",
    ),
    ('  case "$PIPELINE" in', '  case "$1" in', "download_live_models: the case on $PIPELINE is not there"),
    ('  "all")\n    prepare', "  every)\n    prepare", 'download_live_models: the branch "all" is not there'),
    ("beta-<variant>, alpha, all", "all of it", "download_live_models: the list of valid values is not there"),
    (
        '  "alpha")\n    prepare',
        '  "alpha"|my-*)\n    prepare',
        "download_live_models: the branch my-* takes my-pipeline first",
    ),
    (
        '  "alpha")\n    prepare',
        '  "my-pipeline")\n    true\n    ;;\n  "alpha")\n    prepare',
        "download_live_models: my-pipeline is there already, but does not call prepare_my_pipeline_models",
    ),
    (
        "function run_pipeline_prepare() {",
        "function run_prepare() {",
        "run_pipeline_prepare: the function run_pipeline_prepare is not there",
    ),
    (
        'if [ "$pipeline" = "alpha" ]',
        'if [ -n "$pipeline" ]',
        "run_pipeline_prepare: the branch on $pipeline that tags the image is not there",
    ),
    (
        '  else\n    docker image tag "$image" "example/runner:$pipeline"\n',
        "",
        "run_pipeline_prepare: the else of the branch on $pipeline is not there",
    ),
    (
        'example/alpha:latest"\n  else',
        'example/alpha:latest"\n  elif [ "$pipeline" = "my-pipeline" ]; then\n    true\n  else',
        "run_pipeline_prepare: my-pipeline is there already, but does not tag my-org/my-pipeline:latest",
    ),
    (
        "function build_tensorrt_models() {",
        "function build_engines() {",
        "build_tensorrt_models: the function build_tensorrt_models is not there",
    ),
    ('  "all")\n    echo', "  every)\n    echo", 'build_tensorrt_models: the branch "all" is not there'),
    ("values: alpha, all", "values: any", "build_tensorrt_models: the list of valid values is not there"),
    (
        "function prepare_alpha_models() {",
        "function alpha_models() {",
        "the prepare functions: there is no function prepare_..._models to put another after",
    ),
    (
        "mkdir -p models",
        "function prepare_my_pipeline_models() {\n  true\n}\nmkdir -p models",
        "the prepare functions: prepare_my_pipeline_models is there already, but does not prepare with",
    ),
    (
        "mkdir -p models/Alpha--models",
        "mkdir -p models",
        "the mkdir list: the mkdir of the directories of models is not there",
    ),
    (
        "mkdir -p models/Alpha--models",
        "mkdir -p models/Alpha--models\nmkdir -p models/B--models",
        "the mkdir list: the mkdir of the directories of models is there 2 times",
    ),
]


@pytest.mark.parametrize("old, new, refusal", UNKNOWN_SCRIPTS)
def test_refuses_a_script_that_it_does_not_know(runner, old, new, refusal):
    runner.edit(old, new)
    result = runner.run()
    assert result["failed"]
    assert f"runner/dl_checkpoints.sh is not as the patch knows it, {refusal}" in result["msg"]
    assert "Nothing was written" in result["msg"]
    assert not runner.dest.exists()


def test_refuses_a_function_without_an_end(runner):
    text = runner.file.read_text()
    runner.file.write_text(text[: text.index("mkdir -p")].rstrip().rstrip("}"))
    with runner.file.open("a") as stream:
        stream.write("\n")
    assert "the prepare functions: function prepare_alpha_models() { has no end" in runner.run()["msg"]


@pytest.mark.parametrize(
    "old, new, refusal",
    [
        ("var livePipelineToImage =", "var liveImages =", "the map[string]string of that name is not there"),
        ("livePipelineToImage = map[string]string{", "livePipelineToImage = newMap(", "of that name is not there"),
        ('\t"alpha": "example/alpha",', '\t"alpha": imageOf("alpha"),', '"alpha": imageOf("alpha"), is no entry with'),
        ('\t"alpha": "example/alpha",', '\t"my-pipeline": "other/image",', "there already, with the image other/image"),
        (
            '\t"alpha": "example/alpha",\n\t// beta has a tag\n\t"beta-one": "example/beta:one", // of its own\n',
            "",
            "the map is empty",
        ),
        ("of its own\n}", "of its own\n", "the map has no end"),
    ],
)
def test_refuses_a_map_that_it_does_not_know(node, old, new, refusal):
    node.edit(old, new)
    result = node.run()
    assert result["failed"]
    assert "ai/worker/docker.go is not as the patch knows it, livePipelineToImage: " in result["msg"]
    assert refusal in result["msg"]
    assert not node.dest.exists()


def test_refuses_what_is_no_checkout(checkout, tmp_path):
    assert "is no folder" in checkout.run(checkout=str(tmp_path / "none"))["msg"]
    plain = tmp_path / "plain"
    plain.mkdir()
    assert "is no Git checkout with a commit" in checkout.run(checkout=str(plain))["msg"]
    inner = str(checkout.file.parent)
    assert "lies inside the repository" in checkout.run(checkout=inner)["msg"]
    checkout.file.unlink()
    assert f"Is it a checkout of {checkout.upstream}?" in checkout.run()["msg"]


def test_refuses_the_other_checkout(runner, node):
    result = runner.run(checkout=str(node.root))
    assert result["msg"].startswith("runner/dl_checkpoints.sh cannot be read in the checkout")


def test_refuses_a_place_for_the_patch(checkout, tmp_path):
    assert "lies in the checkout" in checkout.run(dest=str(checkout.root / "x.patch"))["msg"]
    assert "is no file in a folder that exists" in checkout.run(dest=str(tmp_path))["msg"]
    assert "is no file in a folder that exists" in checkout.run(dest=str(tmp_path / "none/x.patch"))["msg"]


def test_refuses_converted_line_ends(checkout):
    checkout.file.write_bytes(checkout.file.read_bytes().replace(b"\n", b"\r\n"))
    assert "line ends other than upstream's" in checkout.run()["msg"]


@pytest.mark.parametrize("image", ["", "My-Org/x", "x;reboot", "$(x)", 'a"b', "x@sha256:" + "0" * 64, "org/x:", "x y"])
def test_refuses_an_image(checkout, image):
    result = checkout.run(image=image)
    assert result["failed"] and "is no image that can be tagged" in result["msg"]


@pytest.mark.parametrize("name", ["My", "noop", "text-to-image", "torch"])
def test_refuses_a_name(checkout, name):
    result = checkout.run(name=name)
    assert result["failed"] and result["msg"].startswith("name ")
