# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared pipelines: what is refused, and the images and containers that follow."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.pipeline_container import pipeline_container
from ansible_collections.livepeer.ai.plugins.filter.pipeline_context import pipeline_context
from ansible_collections.livepeer.ai.plugins.filter.pipeline_declarations import pipeline_declarations
from ansible_collections.livepeer.ai.plugins.filter.pipeline_images import pipeline_images

PACKAGE = {"name": "my-pipeline", "path": "package"}
EXTERNAL = {"name": "sepia", "image": "registry.example/sepia@sha256:ab", "run": "external", "port": 8900}


@pytest.fixture
def base(tmp_path):
    (tmp_path / "package/src").mkdir(parents=True)
    (tmp_path / "package/Dockerfile").write_text("FROM x")
    (tmp_path / "package/src/a.py").write_text("a")
    return tmp_path


def test_every_key_is_there():
    managed, external = pipeline_declarations([PACKAGE, {**EXTERNAL, "shm_size": "1GiB", "env": {"A": True}}])
    assert (managed["run"], managed["container"], managed["url"]) == ("managed", "", "")
    assert (managed["prepare"], managed["prepare_timeout"], managed["names"]["models"]) == (
        True,
        7200,
        "MyPipeline--models",
    )
    assert (external["container"], external["url"]) == ("livepeer-pipeline-sepia", "http://127.0.0.1:8900")
    assert (external["shm_size"], external["env"]) == ("1g", {"A": "true"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "My Pipeline"}, "name: .*cannot be a model_id"),
        ({"name": "noop"}, "name: .*brings an image for"),
        ({"name": None}, "name: is null"),
        ({"path": ""}, "give either path, .* or image"),
        ({"image": "x"}, "not both"),
        ({"path": 3}, "path: is a number, must be text"),
        ({"path": "", "image": "no image"}, "'no image' is not a reference"),
        ({"path": "", "image": "x", "build_args": {"A": "1"}}, "build_args: are for path"),
        ({"prots": 1}, "prots: is not a key of a pipeline"),
        ({"run": "external"}, "port: is missing"),
        ({"run": "both"}, "run: is 'both', must be one of managed, external"),
        ({"port": 8900}, "port: is for run: external"),
        ({"env": {"A": "b"}}, "env: is for run: external"),
        ({"run": "external", "port": 80}, "port: is 80, must be a whole number from 1024"),
        ({"run": "external", "port": "8900"}, "port: is '8900', must be a whole number"),
        ({"gpus": "0"}, "gpus: must be a list"),
        ({"gpus": [0, 0]}, "gpus: names a GPU twice"),
        ({"gpu_mode": "all"}, "gpu_mode: is 'all'"),
        ({"prepare": "yes"}, "prepare: is text, must be true or false"),
        ({"prepare_size": "4G"}, "prepare_size: is '4G'"),
        ({"prepare_timeout": 0}, "prepare_timeout: is 0"),
        ({"run": "external", "port": 8900, "shm_size": "much"}, "shm_size: is 'much'"),
        ({"run": "external", "port": 8900, "env": {"HF_TOKEN": "hush"}}, "HF_TOKEN .* custom_pipeline_hf_token"),
        ({"run": "external", "port": 8900, "env": {"A": ["hush"]}}, "env: A is a list"),
        ({"build_args": {"GIT_SHA": "x"}}, "GIT_SHA is what the role itself says"),
        ({"build_args": "A=1"}, "build_args: is text, must map"),
    ],
)
def test_what_is_refused(change, words):
    with pytest.raises(AnsibleFilterError, match=words) as caught:
        pipeline_declarations([{**PACKAGE, **change}], "custom_pipelines")
    assert str(caught.value).startswith("custom_pipelines, entry 0")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("packages", "words"),
    [
        ("x", "must be a list"),
        (["x"], "entry 0, it is text, must be a mapping"),
        ([PACKAGE, PACKAGE], "two entries have the name my-pipeline"),
        ([EXTERNAL, {**EXTERNAL, "name": "other"}], "two entries have the port 8900"),
        (
            [{"name": "sepia", "image": "x"}, {"name": "sepia-pipeline", "image": "x"}],
            "two entries have the directory of models SepiaPipeline--models",
        ),
    ],
)
def test_lists_that_are_refused(packages, words):
    with pytest.raises(AnsibleFilterError, match=words):
        pipeline_declarations(packages)


def test_all_problems_are_told_at_once():
    with pytest.raises(AnsibleFilterError) as caught:
        pipeline_declarations([{**PACKAGE, "gpus": 1, "run": "x"}, {"name": "sepia"}])
    assert all(word in str(caught.value) for word in ("gpus:", "run:", "entry 1 (sepia), path:"))


def test_an_image_is_named_by_the_package(base):
    images = pipeline_images([PACKAGE, EXTERNAL], str(base))
    assert images["sepia"] == EXTERNAL["image"]
    repository, tag = images["my-pipeline"].rsplit(":", 1)
    assert (repository, len(tag)) == ("livepeer-pipeline/my-pipeline", 12)
    in_registry = pipeline_images([PACKAGE], str(base), "registry.example/team/")
    assert in_registry == {"my-pipeline": f"registry.example/team/my-pipeline:{tag}"}
    # A commit alone is no change.
    (base / "package/.git").mkdir()
    (base / "package/.git/HEAD").write_text("x")
    assert pipeline_images([PACKAGE], str(base))["my-pipeline"].endswith(tag)
    (base / "package/src/a.py").write_text("b")
    assert not pipeline_images([PACKAGE], str(base))["my-pipeline"].endswith(tag)
    assert not pipeline_images([{**PACKAGE, "build_args": {"A": 1}}], str(base))["my-pipeline"].endswith(tag)


def test_what_cannot_be_built_is_named(base):
    entry = pipeline_declarations([PACKAGE])[0]
    assert [file["dest"] for file in pipeline_context(entry, "v", str(base))["files"]] == ["Dockerfile", "src/a.py"]
    (base / "package/link").symlink_to("Dockerfile")
    with pytest.raises(AnsibleFilterError, match="custom_pipelines, my-pipeline, path: .*symbolic link"):
        pipeline_context(entry, "custom_pipelines", str(base))
    (base / "package/Dockerfile").unlink()
    with pytest.raises(AnsibleFilterError, match="there is no Dockerfile"):
        pipeline_images([PACKAGE], str(base))


def test_the_container_of_an_external_runner():
    entry = pipeline_declarations([{**EXTERNAL, "gpus": [1], "env": {"API_KEY": "x"}}])[0]
    found = pipeline_container(entry, "image", "sha256:1", "/models-here")
    options = found["options"]
    assert found["secret"] is True
    assert options["published_ports"] == ["127.0.0.1:8900:8000"]
    assert options["env"] == {"PIPELINE": "live-video-to-video", "MODEL_ID": "sepia", "API_KEY": "x"}
    assert options["device_requests"][0]["device_ids"] == ["1"]
    assert options["mounts"] == [{"type": "bind", "source": "/models-here", "target": "/models"}]
    # go-livepeer removes what has its label.
    assert "creator" not in options["labels"]
    assert pipeline_container(entry, "image", "sha256:2", "/models-here")["options"] != options
