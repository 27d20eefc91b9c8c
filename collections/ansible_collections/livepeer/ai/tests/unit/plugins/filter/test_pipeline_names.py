# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.livepeer.ai.plugins.filter.pipeline_names import pipeline_names


def test_every_name_follows_from_the_wire_name():
    assert pipeline_names("my-pipeline") == {
        "wire": "my-pipeline",
        "package": "my_pipeline",
        "class": "MyPipeline",
        "params_class": "MyPipelineParams",
        "distribution": "my-pipeline",
        "script": "my-pipeline",
        "models": "MyPipeline--models",
        "title": "My Pipeline",
    }


@pytest.mark.parametrize(
    "wire, class_name",
    [
        ("sepia", "SepiaPipeline"),
        ("depth-2-map", "Depth2MapPipeline"),
        ("a", "APipeline"),
        ("x" * 40, "X" + "x" * 39 + "Pipeline"),
    ],
)
def test_a_class_name_ends_in_pipeline_once(wire, class_name):
    assert pipeline_names(wire)["class"] == class_name


@pytest.mark.parametrize(
    "name",
    [
        "",
        None,
        7,
        ["my-pipeline"],
        "My-Pipeline",
        "my_pipeline",
        "2fast",
        "my--pipeline",
        "-x",
        "x-",
        "a b",
        "x/y",
        "ä",
        "x\n",
    ],
)
def test_what_is_no_model_id_is_refused(name):
    with pytest.raises(AnsibleFilterError, match="such as my-pipeline"):
        pipeline_names(name)


@pytest.mark.parametrize(
    "name, owner",
    [
        ("text-to-image", "go-livepeer's own pipelines"),
        ("live-video-to-video", "go-livepeer's own pipelines"),
        ("scope", "brings an image for"),
        ("streamdiffusion-sdxl", "brings an image for"),
        ("segment-anything-2", "go-livepeer's own pipelines"),
        ("noop", "brings an image for"),
        ("lambda", "the Python language"),
        ("match", "the Python language"),
        ("json", "standard library"),
        ("test", "which the package would hide"),
        ("torch", "dependencies or tests"),
        ("runner", "dependencies or tests"),
        ("huggingface-hub", "dependencies or tests"),
        ("pipeline", "base class"),
    ],
)
def test_a_name_that_somebody_has_is_refused(name, owner):
    with pytest.raises(AnsibleFilterError, match=owner):
        pipeline_names(name)


def test_a_long_name_is_refused_with_its_length():
    with pytest.raises(AnsibleFilterError, match="has 41 characters: use at most 40"):
        pipeline_names("x" * 41)


def test_the_refusal_names_the_variable_of_the_caller():
    with pytest.raises(AnsibleFilterError, match=r"^custom_pipelines\[0\]\.name 'torch' is a module"):
        pipeline_names("torch", "custom_pipelines[0].name")
