# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A right package has no finding; each wrong one has the finding that names what is wrong, and no other."""

from __future__ import annotations

import re
import sys

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _pipeline_package_findings
from ansible_collections.livepeer.ai.plugins.modules import pipeline_package_info

PYPROJECT = """\
[project]
name = "my-pipeline"
version = "0.1.0"
requires-python = ">=3.10.12,<3.11"
dependencies = [
    "ai-runner[realtime]",
    "torch>=2.7",
    "diffusers",
    "transformers",
]

[project.scripts]
my-pipeline = "my_pipeline.main:main"

[tool.uv.sources]
ai-runner = { git = "https://github.com/livepeer/ai-runner.git", rev = "v0.14.1", subdirectory = "runner" }

[tool.uv]
package = true
"""

LOCK = """\
version = 1
requires-python = ">=3.10.12, <3.11"

[[package]]
name = "ai-runner"
version = "0.14.1"
source = { git = "https://github.com/livepeer/ai-runner.git?subdirectory=runner&rev=v0.14.1#50a742cee7c5" }

[[package]]
name = "diffusers"
version = "0.36.0"

[[package]]
name = "my-pipeline"
version = "0.1.0"
source = { editable = "." }

[package.metadata]
requires-dist = [
    { name = "ai-runner", extras = ["realtime"], git = "https://github.com/livepeer/ai-runner.git" },
    { name = "diffusers" },
    { name = "pytest", marker = "extra == 'test'" },
    { name = "torch", specifier = ">=2.7" },
    { name = "transformers" },
]

[[package]]
name = "torch"
version = "2.8.0+cu128"

[[package]]
name = "transformers"
version = "4.57.3"
"""

MAIN = """\
from runner.app import start_app
from runner.live.pipelines import PipelineSpec

pipeline_spec = PipelineSpec(
    name="my-pipeline",
    pipeline_cls="my_pipeline.pipeline.pipeline:MyPipeline",
    params_cls="my_pipeline.pipeline.params:MyPipelineParams",
    initial_params={"strength": 0.5},
)


def main():
    start_app(pipeline=pipeline_spec)


if __name__ == "__main__":
    main()
"""

PARAMS = """\
from typing import TYPE_CHECKING

from pydantic import Field
from runner.live.pipelines import BaseParams

if TYPE_CHECKING:
    import torch


class MyPipelineParams(BaseParams):
    strength: float = Field(default=1.0, ge=0.0, le=1.0)
"""

PIPELINE = """\
import asyncio
import os
from pathlib import Path

import torch
from runner.live.pipelines import Pipeline
from runner.live.trickle import VideoFrame, VideoOutput

from .params import MyPipelineParams


class MyPipeline(Pipeline):
    def __init__(self):
        self.frames: asyncio.Queue[VideoOutput] = asyncio.Queue()

    async def initialize(self, **params):
        self.params = MyPipelineParams(**params)

    async def put_video_frame(self, frame: VideoFrame, request_id: str):
        tensor = await asyncio.to_thread(torch.clamp, frame.tensor, 0.0, 1.0)
        await self.frames.put(VideoOutput(frame.replace_tensor(tensor), request_id))

    async def get_processed_video_frame(self) -> VideoOutput:
        return await self.frames.get()

    async def update_params(self, **params):
        self.params = MyPipelineParams(**params)

    async def stop(self):
        self.frames = asyncio.Queue()

    @classmethod
    def prepare_models(cls):
        Path(os.environ["MODEL_DIR"], "MyPipeline--models").mkdir(parents=True, exist_ok=True)
"""

DOCKERFILE = """\
ARG BASE_IMAGE=livepeer/ai-runner:live-base-v0.14.1
FROM ${BASE_IMAGE}

WORKDIR /app

COPY pyproject.toml uv.lock ./
RUN mkdir -p src/my_pipeline/pipeline && \\
    touch src/my_pipeline/__init__.py src/my_pipeline/pipeline/__init__.py
RUN uv sync --locked --no-install-project

COPY src/my_pipeline/ ./src/my_pipeline/
RUN uv sync --locked

ENV HF_HUB_OFFLINE=1

ARG GIT_SHA
ARG VERSION="undefined"
ENV GIT_SHA="${GIT_SHA}" \\
    VERSION="${VERSION}"

CMD ["uv", "run", "--frozen", "my-pipeline"]
"""

BATCH_MAIN = """\
import os

from runner.app import start_app

from my_pipeline.pipeline.pipeline import MyPipeline


def main():
    start_app(pipeline=MyPipeline(os.environ["MODEL_ID"]))
"""

BATCH_PIPELINE = """\
from fastapi import APIRouter
from runner.pipelines.base import Pipeline


class MyPipeline(Pipeline):
    name = "text-to-image"

    def __init__(self, model_id: str, model_dir: str = "/models"):
        self.model_id = model_id

    def __call__(self, prompt):
        return prompt

    @property
    def router(self):
        return APIRouter()
"""

TOML = "pyproject.toml"
SRC = "src/my_pipeline"
MAIN_PY = f"{SRC}/main.py"
PARAMS_PY = f"{SRC}/pipeline/params.py"
PIPELINE_PY = f"{SRC}/pipeline/pipeline.py"
INIT_PY = f"{SRC}/pipeline/__init__.py"

RIGHT = {
    TOML: PYPROJECT,
    "uv.lock": LOCK,
    "Dockerfile": DOCKERFILE,
    f"{SRC}/__init__.py": "",
    INIT_PY: "",
    MAIN_PY: MAIN,
    PARAMS_PY: PARAMS,
    PIPELINE_PY: PIPELINE,
}


class Package:
    """A right package in a folder, and the means to break it."""

    def __init__(self, root, run_module):
        self.root = root
        self.run_module = run_module
        for path, text in RIGHT.items():
            self.write(path, text)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def change(self, path, old, new):
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {path}"
        self.write(path, text.replace(old, new))

    def remove(self, path):
        (self.root / path).unlink()

    def look(self, **arguments):
        return self.run_module(pipeline_package_info, path=str(self.root), **arguments)


@pytest.fixture
def package(tmp_path, run_module):
    return Package(tmp_path, run_module)


def codes(told):
    return [finding["code"] for finding in told["findings"]]


def method(name):
    """The method of the right pipeline as it stands in the file."""
    return re.search(rf"(?: {{4}}@classmethod\n)? {{4}}(?:async )?def {name}\(.*?(?=\n\n|\Z)", PIPELINE, re.S).group()


def test_right_package_has_no_finding(package):
    told = package.look(name="my-pipeline", fail_on=["error", "warning"])
    assert told["sentences"] == []
    assert told["clean"] is True
    assert told["changed"] is False
    assert told["package"] == {
        "kind": "live",
        "name": "my-pipeline",
        "distribution": "my-pipeline",
        "version": "0.1.0",
        "package": "my_pipeline",
        "scripts": ["my-pipeline"],
        "pipeline_cls": "my_pipeline.pipeline.pipeline:MyPipeline",
        "params_cls": "my_pipeline.pipeline.params:MyPipelineParams",
        "requires_python": ">=3.10.12,<3.11",
        "runner_git": "https://github.com/livepeer/ai-runner.git",
        "runner_revision": "v0.14.1",
        "base_image": "livepeer/ai-runner:live-base-v0.14.1",
        "has_lock": True,
        "lock_consistent": True,
    }


# What is changed (file, old, new; no old: the whole file; no new: the file goes), the finding, and its sentence.
WRONG = {
    # The pipeline's class
    "no initialize": (
        [(PIPELINE_PY, method("initialize"), "")],
        "method_missing",
        f"{PIPELINE_PY}:12: MyPipeline has no initialize, which is abstract: the runner cannot make an instance. "
        "Add the method with the signature async def initialize(self, **params).",
    ),
    "no put_video_frame": (
        [(PIPELINE_PY, method("put_video_frame"), "")],
        "method_missing",
        "MyPipeline has no put_video_frame, which is abstract",
    ),
    "no get_processed_video_frame": (
        [(PIPELINE_PY, method("get_processed_video_frame"), "")],
        "method_missing",
        "MyPipeline has no get_processed_video_frame, which is abstract",
    ),
    "no update_params": (
        [(PIPELINE_PY, method("update_params"), "")],
        "method_missing",
        "MyPipeline has no update_params, which is abstract",
    ),
    "no prepare_models": (
        [(PIPELINE_PY, method("prepare_models"), "")],
        "method_missing",
        "MyPipeline has no prepare_models, which is abstract",
    ),
    "old put_video_frame": (
        [(PIPELINE_PY, "(self, frame: VideoFrame, request_id: str)", "(self, frame: VideoFrame)")],
        "method_arguments",
        f"{PIPELINE_PY}:19: put_video_frame takes (frame), but the runner calls put_video_frame(frame, request_id). "
        "Write it as async def put_video_frame(self, frame: VideoFrame, request_id: str).",
    ),
    "old update_params": (
        [(PIPELINE_PY, "update_params(self, **params)", "update_params(self, params)")],
        "method_arguments",
        "update_params requires params, but the runner calls update_params(**params).",
    ),
    "update_params of one field": (
        [(PIPELINE_PY, "update_params(self, **params)", "update_params(self, strength=1.0)")],
        "method_arguments",
        "update_params does not take height, show_reloading_frame, width, but the runner calls",
    ),
    "initialize without the initial parameter": (
        [(PIPELINE_PY, "initialize(self, **params)", "initialize(self, prompt='')")],
        "method_arguments",
        "initialize does not take strength, but the runner calls initialize(**initial_params).",
    ),
    "sync put_video_frame": (
        [(PIPELINE_PY, "async def put_video_frame", "def put_video_frame"), (PIPELINE_PY, "await ", "")],
        "method_kind",
        "put_video_frame is not async, but the runner awaits it.",
    ),
    "generator of frames": (
        [(PIPELINE_PY, "return await self.frames.get()", "yield await self.frames.get()")],
        "method_kind",
        "get_processed_video_frame holds yield, which makes it a generator",
    ),
    "async prepare_models": (
        [(PIPELINE_PY, "    def prepare_models", "    async def prepare_models")],
        "method_kind",
        "prepare_models is async, but the runner does not await it: nothing would be prepared.",
    ),
    "prepare_models of an instance": (
        [(PIPELINE_PY, "    @classmethod\n", "")],
        "method_kind",
        "prepare_models is no classmethod, but the runner calls it on the class.",
    ),
    "__init__ with an argument": (
        [(PIPELINE_PY, "def __init__(self)", "def __init__(self, model_id)")],
        "init_arguments",
        "__init__ requires model_id, but the runner calls MyPipeline().",
    ),
    "output without request": (
        [(PIPELINE_PY, "(tensor), request_id)", "(tensor))")],
        "output_request_id",
        "VideoOutput without the request_id: the runner drops the frame.",
    ),
    "no base class": (
        [(PIPELINE_PY, "class MyPipeline(Pipeline)", "class MyPipeline")],
        "pipeline_base",
        "MyPipeline does not derive from the runner's Pipeline.",
    ),
    "batch base class": (
        [(PIPELINE_PY, "from runner.live.pipelines import", "from runner.pipelines.base import")],
        "pipeline_base",
        "MyPipeline derives from the base of batch pipelines, which takes no frames.",
    ),
    # Imports and parameters
    "re-export of the pipeline": (
        [(INIT_PY, None, "from .pipeline import MyPipeline\n")],
        "reexport",
        f"{INIT_PY}:1: imports my_pipeline.pipeline.pipeline, so that loading the params class loads the whole ",
    ),
    "re-export one level up": (
        [(f"{SRC}/__init__.py", None, "from my_pipeline.pipeline.pipeline import MyPipeline\n")],
        "reexport",
        f"{SRC}/__init__.py:1: imports my_pipeline.pipeline.pipeline",
    ),
    "torch in the parameters": (
        [(PARAMS_PY, "from typing import TYPE_CHECKING\n", "from typing import TYPE_CHECKING\nimport torch.nn\n")],
        "params_heavy",
        f"{PARAMS_PY}:2: imports torch when the params class is loaded",
    ),
    "torch through a helper": (
        [
            (PARAMS_PY, "from pydantic", "from ..helpers import LIMIT\nfrom pydantic"),
            (f"{SRC}/helpers.py", None, "try:\n    import diffusers\nexcept ImportError:\n    LIMIT = 1\n"),
        ],
        "params_heavy",
        f"{SRC}/helpers.py:2: imports diffusers when the params class is loaded",
    ),
    "parameters without base": (
        [(PARAMS_PY, "class MyPipelineParams(BaseParams)", "class MyPipelineParams")],
        "params_base",
        "MyPipelineParams does not derive from the runner's BaseParams",
    ),
    "unknown initial parameter": (
        [(MAIN_PY, '"strength"', '"strenght"')],
        "initial_params",
        "initial_params names 'strenght', which MyPipelineParams does not have and would ignore.",
    ),
    # The entry
    "no main()": (
        [(MAIN_PY, "def main():\n    start_app", "if True:\n    start_app"), (MAIN_PY, "    main()\n", "    pass\n")],
        "script_target",
        f"{MAIN_PY}: has no main(), which the script my-pipeline calls.",
    ),
    "script of a missing module": (
        [(TOML, "my_pipeline.main:main", "my_pipeline.app:main")],
        "script_target",
        "the script my-pipeline starts my_pipeline.app:main, but there is no module my_pipeline.app.",
    ),
    "wire name": (
        [(MAIN_PY, '"my-pipeline"', '"my-other-pipeline"')],
        "wire_name",
        f"{MAIN_PY}:4: the PipelineSpec is named 'my-other-pipeline', but the pipeline is declared as 'my-pipeline'.",
    ),
    "pipeline_cls with a dot": (
        [(MAIN_PY, "pipeline.pipeline:MyPipeline", "pipeline.pipeline.MyPipeline")],
        "class_path",
        "pipeline_cls 'my_pipeline.pipeline.pipeline.MyPipeline' names no module and class.",
    ),
    "pipeline_cls of a missing module": (
        [(MAIN_PY, "pipeline.pipeline:MyPipeline", "pipelines:MyPipeline")],
        "class_missing",
        "there is no module my_pipeline.pipelines.",
    ),
    "pipeline_cls of a missing class": (
        [(MAIN_PY, ':MyPipeline"', ':Pipelin"')],
        "class_missing",
        "my_pipeline.pipeline.pipeline has no class Pipelin.",
    ),
    "no specification": (
        [(MAIN_PY, None, "from runner.app import start_app\n\n\ndef main():\n    start_app()\n")],
        "spec_missing",
        "no PipelineSpec is made anywhere",
    ),
    "never started": (
        [(MAIN_PY, "    start_app(pipeline=pipeline_spec)", "    print(pipeline_spec)")],
        "start_app_missing",
        "start_app is never called",
    ),
    "positional specification": (
        [(MAIN_PY, 'name="my-pipeline",', '"my-pipeline",')],
        "spec_argument",
        "PipelineSpec takes no positional arguments.",
    ),
    "computed specification": (
        [(MAIN_PY, 'initial_params={"strength": 0.5}', "initial_params=dict(strength=0.5)")],
        "spec_unreadable",
        "initial_params is computed when the program runs.",
    ),
    "syntax": (
        [(PARAMS_PY, "class MyPipelineParams(BaseParams):", "class MyPipelineParams(BaseParams)")],
        "syntax",
        f"{PARAMS_PY}:10: Python cannot read it: expected ':'.",
    ),
    # pyproject.toml
    "no pyproject.toml": ([(TOML, None, None)], "pyproject_missing", "pyproject.toml: is missing"),
    "broken pyproject.toml": ([(TOML, "[project]", "[project")], "pyproject_invalid", "pyproject.toml:1: is not valid"),
    "not packaged": (
        [(TOML, "package = true", "package = false")],
        "not_packaged",
        "uv would not install the package itself, so its script would not exist.",
    ),
    "no ai-runner extra": (
        [(TOML, "ai-runner[realtime]", "ai-runner"), ("uv.lock", 'extras = ["realtime"], ', "")],
        "runner_extra",
        "ai-runner is named without an extra.",
    ),
    "ai-worker": (
        [(TOML, "livepeer/ai-runner.git", "livepeer/ai-worker.git")],
        "runner_source",
        f"{TOML}:16: ai-worker.git holds no Python package any more: it is in ai-runner.git.",
    ),
    "no subdirectory": (
        [(TOML, ', subdirectory = "runner"', "")],
        "runner_source",
        "the Python package lies in the subdirectory runner.",
    ),
    "no source": (
        [(TOML, 'ai-runner = { git = "https://github.com/livepeer/ai-runner.git", rev = "v0.14.1", subdirectory', "x")],
        "pyproject_invalid",
        "is not valid TOML",
    ),
    "ai-runner from an index": (
        [(TOML, "ai-runner = {", "other = {")],
        "runner_source",
        "ai-runner has no git source, and it is not on PyPI.",
    ),
    "ai-runner from another folder": (
        [(TOML, 'git = "https://github.com/livepeer/ai-runner.git", rev = "v0.14.1"', 'path = "../ai-runner"')],
        "runner_source",
        "ai-runner comes from the path ../ai-runner, which is no folder of this package",
    ),
    "a branch": (
        [(TOML, 'rev = "v0.14.1"', 'branch = "main"')],
        "runner_unpinned",
        "ai-runner follows a branch",
    ),
    "hidden module": (
        [("src/runner/__init__.py", None, "")],
        "package_name",
        "src/runner/__init__.py: the name runner hides the module runner that is needed.",
    ),
    # uv.lock
    "no lock": ([("uv.lock", None, None)], "lock_missing", "uv.lock: is missing: uv sync --locked refuses to build"),
    "lock of another version": (
        [("uv.lock", 'version = "0.1.0"', 'version = "0.0.9"')],
        "lock_stale",
        "does not fit pyproject.toml: it has version 0.0.9 instead of 0.1.0.",
    ),
    "lock of another Python": (
        [("uv.lock", ">=3.10.12, <3.11", ">=3.10")],
        "lock_stale",
        "it was made for Python '>=3.10' instead of '>=3.10.12,<3.11'.",
    ),
    "lock without a dependency": (
        [(TOML, '    "diffusers",\n', '    "diffusers",\n    "accelerate>=1",\n')],
        "lock_stale",
        "it does not know the dependency accelerate.",
    ),
    "lock with a dependency too many": (
        [(TOML, '    "diffusers",\n', "")],
        "lock_stale",
        "it still has the dependency diffusers.",
    ),
    "lock of another ai-runner": (
        [("uv.lock", "rev=v0.14.1", "rev=v0.14.0")],
        "lock_stale",
        "it has ai-runner v0.14.0 instead of v0.14.1.",
    ),
    "no torch": (
        [
            (TOML, '    "torch>=2.7",\n', ""),
            ("uv.lock", '    { name = "torch", specifier = ">=2.7" },\n', ""),
            ("uv.lock", '[[package]]\nname = "torch"\nversion = "2.8.0+cu128"\n', ""),
        ],
        "libraries_missing",
        "the live runner imports torch, which ai-runner[realtime] does not bring.",
    ),
    "a lock of noise": ([("uv.lock", None, "<<<<<<< HEAD\n")], "lock_invalid", "uv.lock:1: is not a lock file"),
    # Dockerfile
    "no Dockerfile": ([("Dockerfile", None, None)], "dockerfile_missing", "Dockerfile: is missing"),
    "a base image that is not": (
        [("Dockerfile", "live-base-v0.14.1", "live-base-57efd92")],
        "base_image",
        "Dockerfile:2: livepeer/ai-runner:live-base-57efd92: the tag live-base-57efd92 is none that live base images "
        "have (live-base-vX.Y.Z, live-base-sha-<commit>). Use livepeer/ai-runner:live-base-v0.14.1.",
    ),
    "a batch base image": (
        [("Dockerfile", "ai-runner:live-base-v0.14.1", "ai-runner")],
        "base_image",
        "without a tag it is no live base",
    ),
    "a moving base image": (
        [("Dockerfile", "live-base-v0.14.1", "live-base")],
        "base_unpinned",
        "the tag live-base moves",
    ),
    "another base image": (
        [("Dockerfile", "live-base-v0.14.1", "live-base-v0.13.9")],
        "base_version",
        "the base image is v0.13.9, the ai-runner package v0.14.1.",
    ),
    "online": (
        [("Dockerfile", "ENV HF_HUB_OFFLINE=1", "ENV HF_HUB_OFFLINE=0")],
        "offline_missing",
        "HF_HUB_OFFLINE is not 1, so a start may wait for the Hub.",
    ),
    "offline in a stage that is left behind": (
        [
            ("Dockerfile", "ENV HF_HUB_OFFLINE=1\n", ""),
            ("Dockerfile", "ARG BASE", "FROM a AS b\nENV HF_HUB_OFFLINE=1\nARG BASE"),
            ("Dockerfile", "${BASE_IMAGE}", "livepeer/ai-runner:live-base-v0.14.1"),
        ],
        "offline_missing",
        "Dockerfile:4: HF_HUB_OFFLINE is not 1",
    ),
    "no version": (
        [("Dockerfile", '" \\\n    VERSION="${VERSION}"', '"')],
        "version_missing",
        "VERSION is not set",
    ),
    "lock not copied": (
        [("Dockerfile", "COPY pyproject.toml uv.lock ./", "COPY pyproject.toml ./")],
        "lock_not_copied",
        "uv.lock is not in the image when uv sync runs.",
    ),
    "lock ignored": (
        [(".dockerignore", None, ".git\nuv.lock\n")],
        "lock_ignored",
        ".dockerignore:2: keeps uv.lock out of the build.",
    ),
    "no command": (
        [("Dockerfile", 'CMD ["uv", "run", "--frozen", "my-pipeline"]', "")],
        "command_missing",
        "has no CMD: the image would not start the pipeline.",
    ),
    "another command": (
        [("Dockerfile", '"--frozen", "my-pipeline"', '"--frozen", "mypipeline"')],
        "command_script",
        "CMD starts 'mypipeline', but the package's scripts are: my-pipeline.",
    ),
    "an unfrozen command": (
        [("Dockerfile", '["uv", "run", "--frozen", "my-pipeline"]', "uv run my-pipeline")],
        "command_unfrozen",
        "uv run without --frozen may install packages at every start.",
    ),
    "name in capitals": (
        [(MAIN_PY, 'name="my-pipeline"', 'name="My_Pipeline"')],
        "wire_form",
        "the name 'My_Pipeline' cannot serve as the name of images, files and models alike.",
    ),
    "old argument of the Hub": (
        [(PIPELINE_PY, "exist_ok=True)", "exist_ok=True, local_dir_use_symlinks=False)")],
        "download_argument",
        "local_dir_use_symlinks is no argument of newer huggingface_hub.",
    ),
    "no version in the project": ([(TOML, 'version = "0.1.0"\n', "")], "project_table", "[project] has no version."),
    "no script": (
        [(TOML, '[project.scripts]\nmy-pipeline = "my_pipeline.main:main"\n', "")],
        "script_missing",
        "Dockerfile:21: CMD starts 'my-pipeline', but [project.scripts] of pyproject.toml is empty.",
    ),
    "ai-worker as the dependency": (
        [
            (TOML, "ai-runner[realtime]", "ai-worker"),
            ("uv.lock", 'name = "ai-runner", extras = ["realtime"]', ('name = "ai-worker"')),
        ],
        "runner_missing",
        "[project] dependencies name ai-worker, which is now called ai-runner.",
    ),
    "the CPU's extra": (
        [(TOML, "ai-runner[realtime]", "ai-runner[realtime-dev]"), ("uv.lock", '"realtime"', '"realtime-dev"')],
        "runner_extra_cpu",
        "ai-runner[realtime-dev] brings a torch that uses no GPU.",
    ),
    "another release of ai-runner": (
        [(TOML, "v0.14.1", "v0.14.0"), ("uv.lock", "v0.14.1", "v0.14.0"), ("Dockerfile", "v0.14.1", "v0.14.0")],
        "runner_version",
        "ai-runner v0.14.0 is not the release that this check knows (v0.14.1).",
    ),
    "no FROM": ([("Dockerfile", None, "# nothing yet\n")], "base_missing", "Dockerfile: has no FROM."),
    "sync without lock": (
        [("Dockerfile", "uv sync --locked\n", "uv sync\n")],
        "sync_unlocked",
        "Dockerfile:12: uv sync without --locked may install other versions than uv.lock names.",
    ),
}

# A file that cannot be read leaves other checks without what they look for, and a name may be wrong in two ways.
FOLLOWED = {"name in capitals", "no pyproject.toml", "broken pyproject.toml", "no source"}


def break_it(package, changes):
    for path, old, new in changes:
        if old is not None:
            package.change(path, old, new)
        elif new is not None:
            package.write(path, new)
        else:
            package.remove(path)


@pytest.mark.parametrize("case", WRONG)
def test_wrong_package(package, case):
    changes, code, sentence = WRONG[case]
    break_it(package, changes)
    told = package.look(name="my-pipeline")
    found = [finding for finding in told["findings"] if finding["code"] == code]
    assert found, told["sentences"]
    assert any(sentence in finding["sentence"] for finding in found), told["sentences"]
    assert not told["clean"]
    if case not in FOLLOWED:
        assert set(codes(told)) == {code}, told["sentences"]


@pytest.mark.parametrize(
    ("bounds", "part"),
    [
        ("", "requires-python is missing; ai-runner needs >=3.10,<3.12."),
        (">=3.9,<3.11", "admits Python 3.9, which ai-runner excludes"),
        (">=3.10", "admits Python 3.12, which ai-runner excludes"),
        (">=3.12", "leaves no Python that ai-runner runs on"),
        ("~=3.10", "admits Python 3.12, which ai-runner excludes"),
        ("three", "cannot be read"),
        (">=3.10.12,<3.11", None),
        (">=3.11,<3.12", None),
        (">=3.10,!=3.10.5,<3.12", None),
        ("==3.10.*", None),
        ("~=3.10.12", None),
    ],
)
def test_python_bounds(package, bounds, part):
    package.change(TOML, 'requires-python = ">=3.10.12,<3.11"\n', f'requires-python = "{bounds}"\n' if bounds else "")
    package.change("uv.lock", ">=3.10.12, <3.11", bounds)
    told = package.look()
    assert codes(told) == ([] if part is None else ["python_bounds"])
    assert part is None or part in told["sentences"][0]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            [
                (PIPELINE_PY, "(self, frame: VideoFrame, request_id: str)", "(self, *args)"),
                (PIPELINE_PY, "frame.", "args[0]."),
                (PIPELINE_PY, ", request_id)", ", args[1])"),
            ],
            id="any arguments",
        ),
        pytest.param([(PIPELINE_PY, "    async def put", "    @torch.no_grad()\n    async def put")], id="decorated"),
        pytest.param(
            [
                (f"{SRC}/pipeline/base.py", None, PIPELINE.replace("class MyPipeline", "class Base")),
                (PIPELINE_PY, None, "from .base import Base\n\n\nclass MyPipeline(Base):\n    pass\n"),
            ],
            id="inherited",
        ),
        pytest.param(
            [(PIPELINE_PY, None, "from elsewhere import Ready\n\n\nclass MyPipeline(Ready):\n    pass\n")],
            id="from another package",
        ),
        pytest.param(
            [
                (PIPELINE_PY, "from runner.live.pipelines import Pipeline", "import runner.live.pipelines as api"),
                (PIPELINE_PY, "(Pipeline)", "(api.Pipeline)"),
            ],
            id="through the module",
        ),
        pytest.param(
            [
                (MAIN_PY, '"my-pipeline"', "NAME"),
                (MAIN_PY, "pipeline_spec = P", 'NAME = "my-pipeline"\npipeline_spec = P'),
            ],
            id="constant",
        ),
        pytest.param(
            [
                (MAIN_PY, '    name="my-pipeline",\n', ""),
                (MAIN_PY, 'MyPipeline"', 'My"'),
                (PIPELINE_PY, "class MyPipeline", "class My"),
            ],
            id="derived name",
        ),
        pytest.param(
            [
                (MAIN_PY, "from runner.app import start_app\n", ""),
                (MAIN_PY, "    start_app(", "    from runner.app import start_app\n\n    start_app("),
            ],
            id="late import",
        ),
        pytest.param(
            [(MAIN_PY, '    params_cls="my_pipeline.pipeline.params:MyPipelineParams",\n', "")], id="no params"
        ),
        pytest.param([(f"{SRC}/__init__.py", None, None), (INIT_PY, None, None)], id="namespace packages"),
        pytest.param([(INIT_PY, None, "from .params import MyPipelineParams\n")], id="re-export of the params"),
        pytest.param([("tests/test_it.py", None, "import torch\n(\n")], id="tests are not the package's sources"),
        pytest.param([(TOML, "ai-runner = {", "ai_runner = {")], id="other spelling"),
        pytest.param(
            [("Dockerfile", "livepeer/ai-runner:live-base-v0.14.1", "nvidia/cuda:12.8.1-devel")], id="own base"
        ),
        pytest.param(
            [("Dockerfile", "livepeer/ai-runner:", "registry.example:5000/livepeer/ai-runner:")], id="registry"
        ),
        pytest.param([("Dockerfile", "live-base-v0.14.1", "live-base-sha-57efd92")], id="base by commit"),
        pytest.param([("Dockerfile", "live-base-v0.14.1", "live-base@sha256:" + "a" * 64)], id="base by digest"),
        pytest.param([("Dockerfile", "COPY pyproject.toml uv.lock ./", "COPY . .")], id="everything copied"),
        pytest.param(
            [("Dockerfile", "WORKDIR /app\n", "RUN <<EOT\nCMD nothing\nFROM nowhere\nEOT\nWORKDIR /app\n")],
            id="heredoc",
        ),
        pytest.param([("Dockerfile", "ENV HF_HUB_OFFLINE=1", "ENV HF_HUB_OFFLINE 1")], id="old ENV"),
        pytest.param(
            [
                (
                    "Dockerfile",
                    'CMD ["uv", "run", "--frozen", "my-pipeline"]',
                    ('ENTRYPOINT ["uv", "run", "--frozen"]\nCMD ["my-pipeline"]'),
                )
            ],
            id="entry point",
        ),
        pytest.param(
            [("Dockerfile", '"--frozen", "my-pipeline"', '"--frozen", "python", "-m", "my_pipeline.main"')],
            id="python -m",
        ),
        pytest.param(
            [
                (
                    TOML,
                    '"ai-runner[realtime]"',
                    (
                        '"ai-runner[realtime] @ git+https://github.com/livepeer/ai-runner.git@v0.14.1#subdirectory=runner"'
                    ),
                )
            ],
            id="direct address",
        ),
    ],
)
def test_no_false_alarm(package, changes):
    break_it(package, changes)
    told = package.look()
    assert told["sentences"] == []


def test_program_without_a_script(package):
    """As upstream's own live pipelines start: a file beside pyproject.toml."""
    package.change(TOML, '[project.scripts]\nmy-pipeline = "my_pipeline.main:main"\n', "")
    package.change("Dockerfile", '"my-pipeline"', '"python", "src/my_pipeline/main.py"')
    assert package.look()["sentences"] == []


@pytest.mark.parametrize(
    ("extra", "code"),
    [("--extra gpu", None), ("--extra=gpu", None), ("", "runner_extra"), ("--extra cpu", "runner_extra_cpu")],
)
def test_extra_that_the_image_chooses(package, extra, code):
    """One package with an extra for the image and another for the tests."""
    package.change(TOML, "ai-runner[realtime]", "ai-runner")
    package.change("uv.lock", 'extras = ["realtime"], ', "")
    optional = '[project.optional-dependencies]\ngpu = ["ai-runner[realtime]"]\ncpu = ["ai-runner[realtime-dev]"]\n'
    package.change(TOML, "[project.scripts]", optional + "\n[project.scripts]")
    package.change("Dockerfile", "uv sync --locked", f"uv sync --locked {extra}")
    assert codes(package.look()) == ([code] if code else [])


def test_copy_of_the_runner_inside_the_package(package):
    package.change(TOML, 'git = "https://github.com/livepeer/ai-runner.git", rev = "v0.14.1"', 'path = "vendor/runner"')
    package.write("vendor/runner/pyproject.toml", "")
    assert package.look()["sentences"] == []


def test_derived_name_is_compared(package):
    package.change(MAIN_PY, '    name="my-pipeline",\n', "")
    told = package.look(name="my-pipeline")
    assert told["package"]["name"] == "my"
    assert codes(told) == ["wire_name"]


def test_batch_package(package):
    for path in (PARAMS_PY,):
        package.remove(path)
    package.write(MAIN_PY, BATCH_MAIN)
    package.write(PIPELINE_PY, BATCH_PIPELINE)
    package.change(TOML, "[realtime]", "[batch]")
    package.change("uv.lock", '["realtime"]', '["batch"]')
    package.change("Dockerfile", "live-base-v0.14.1", "base")
    told = package.look()
    assert told["sentences"] == []
    assert told["package"]["kind"] == "batch"

    package.change(PIPELINE_PY, "def router", "def routes")
    package.change(PIPELINE_PY, "        self.model_id = model_id", "        self.model = model_id")
    assert codes(package.look()) == ["batch_method", "batch_model_id"]


def test_package_is_never_imported_or_run(package):
    mark = package.root / "ran"
    for path in (MAIN_PY, PARAMS_PY, PIPELINE_PY, INIT_PY, f"{SRC}/__init__.py", "setup.py"):
        text = RIGHT.get(path, "")
        package.write(path, f"open({str(mark)!r}, 'w').close()\n{text}")
    before = set(sys.modules)
    assert package.look()["clean"]
    assert not mark.exists()
    assert not {name for name in set(sys.modules) - before if name.startswith("my_pipeline")}


def test_link_out_of_the_package_is_not_followed(package, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "Dockerfile"
    secret.write_text("FROM secret\n")
    package.remove("Dockerfile")
    (package.root / "Dockerfile").symlink_to(secret)
    told = package.look()
    assert codes(told) == ["outside"]
    assert told["package"]["base_image"] == ""


def test_second_look_is_the_same_and_check_mode_too(package):
    package.remove("uv.lock")
    package.change("Dockerfile", "ENV HF_HUB_OFFLINE=1", "")
    told = package.look()
    assert codes(told) == ["lock_missing", "offline_missing"]
    assert [finding["severity"] for finding in told["findings"]] == ["error", "warning"]
    again = package.run_module(pipeline_package_info, check=True, path=str(package.root))
    assert again == told


def test_fails_only_with_what_fail_on_names(package):
    package.change("Dockerfile", "ENV HF_HUB_OFFLINE=1", "")
    assert "failed" not in package.look()
    assert "failed" not in package.look(fail_on=["error"])
    told = package.look(fail_on=["error", "warning"])
    assert told["failed"]
    assert told["msg"].startswith(f"{package.root} is no package that can be built: Dockerfile:2: HF_HUB_OFFLINE")
    assert codes(told) == ["offline_missing"]


def test_no_folder(tmp_path, run_module):
    told = run_module(pipeline_package_info, path=str(tmp_path / "absent"))
    assert told["failed"]
    assert told["msg"].endswith("is no folder. Name the folder that holds the pipeline's pyproject.toml.")


def test_empty_folder_is_told_and_no_traceback(tmp_path, run_module):
    assert codes(run_module(pipeline_package_info, path=str(tmp_path))) == ["dockerfile_missing", "pyproject_missing"]


def test_binary_file(package):
    (package.root / PARAMS_PY).write_bytes(b"\xff\xfe\x00")
    assert codes(package.look()) == ["not_utf8"]


def test_old_python_is_told(package, monkeypatch):
    monkeypatch.setattr(pipeline_package_info, "tomllib", None)
    told = package.look()
    assert told["msg"] == "pipeline_package_info needs Python 3.11 or newer: run it where the controller runs."


def test_every_rule_has_a_remedy_that_is_a_sentence():
    for code, (severity, remedy) in _pipeline_package_findings.RULES.items():
        assert severity in ("error", "warning"), code
        assert "{" not in remedy.replace("{signature}", "").replace("${VERSION}", "").replace("{ git", ""), code
        assert remedy.endswith("."), code


def test_every_rule_is_tried():
    elsewhere = {"python_bounds", "batch_method", "batch_model_id", "outside", "not_utf8"}
    assert {code for _changes, code, _sentence in WRONG.values()} | elsewhere == set(_pipeline_package_findings.RULES)
