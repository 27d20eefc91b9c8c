# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version table: what it refuses and how it says so, and that a future release is a row and not a rewrite."""

from __future__ import annotations

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import (
    LIVE_PIPELINE,
    RELEASES,
    SECRET_FILE,
    Flag,
    Pipeline,
    Release,
    UnsupportedError,
    release,
)

NEWEST = RELEASES["0.9.1"]

# A release as upstream means to make it: batch pipelines and BYOC are gone, live runners stay.
WITHOUT_BATCH = Release(
    version="0.10.0",
    flags={"network": Flag("string", "offchain"), "liveRunnerConfig": Flag("string")},
    pipelines={LIVE_PIPELINE: Pipeline(35, 89)},
    live_images={"noop": "livepeer/ai-runner:live-app-noop"},
    default_image="livepeer/ai-runner:latest",
    paths=frozenset({"live_runner", "custom_pipeline"}),
    networks=frozenset({"offchain"}),
    removed={
        "text-to-image": "serve the model as a static live runner",
        "byoc": "register the container as a static live runner",
        "aiRunnerImage": "use aiRunnerImageOverrides",
    },
)
FUTURE = {**RELEASES, "0.10.0": WITHOUT_BATCH}


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("0.9.0", "go-livepeer '0.9.0' is not supported: use '0.9.1' (supported: 0.9.1)"),
        ("v0.9.1", "go-livepeer version 'v0.9.1' is written with a leading v: use '0.9.1'"),
        (
            "0.10.0",
            "go-livepeer '0.10.0' is newer than this version of the livepeer.ai collection knows:"
            " use '0.9.1' or upgrade the collection",
        ),
        ("latest", "go-livepeer 'latest' is not supported: use '0.9.1' (supported: 0.9.1)"),
    ],
)
def test_other_versions_are_refused_by_name(version, message):
    with pytest.raises(UnsupportedError) as caught:
        release(version)
    assert str(caught.value) == message


def test_a_number_from_yaml_is_a_version_too():
    with pytest.raises(UnsupportedError, match="'0.9' is not supported"):
        release(0.9)


def test_newest_known_version_is_proposed_by_number_not_by_text():
    with pytest.raises(UnsupportedError, match="'0.8.0' is not supported: use '0.10.0'"):
        release("0.8.0", FUTURE)


def test_ten_pipelines_with_their_ids_and_ports():
    table = {name: (pipeline.capability, pipeline.port_base) for name, pipeline in NEWEST.pipelines.items()}
    assert table == {
        "text-to-image": (27, 80),
        "image-to-image": (28, 81),
        "image-to-video": (29, 82),
        "upscale": (30, 83),
        "audio-to-text": (31, 84),
        "segment-anything-2": (32, 86),
        "llm": (33, 85),
        "image-to-text": (34, 87),
        "live-video-to-video": (35, 89),
        "text-to-speech": (36, 88),
    }


@pytest.mark.parametrize(
    ("pipeline", "model", "overrides", "image"),
    [
        ("text-to-image", "a/b", {}, "livepeer/ai-runner:latest"),
        ("text-to-image", "a/b", {"default": "mine:1"}, "mine:1"),
        ("text-to-image", "a/b", {"default": "mine:1", "batch": {"text-to-image": "mine:2"}}, "mine:2"),
        ("llm", "a/b", {}, "livepeer/ai-runner:llm"),
        ("llm", "a/b", {"default": "mine:1"}, "livepeer/ai-runner:llm"),
        ("llm", "a/b", {"batch": {"llm": "mine:3"}}, "mine:3"),
        (LIVE_PIPELINE, "noop", {}, "livepeer/ai-runner:live-app-noop"),
        (LIVE_PIPELINE, "scope", {}, "daydreamlive/scope-runner"),
        (LIVE_PIPELINE, "noop", {"live": {"noop": "mine:4"}}, "mine:4"),
        (LIVE_PIPELINE, "mine", {"live": {"mine": "mine:5"}}, "mine:5"),
    ],
)
def test_images_are_chosen_as_the_node_chooses(pipeline, model, overrides, image):
    assert NEWEST.image(pipeline, model, overrides) == image


def test_live_model_without_an_image():
    with pytest.raises(UnsupportedError, match=r"live pipeline 'noops' \(did you mean noop\?\)"):
        NEWEST.image(LIVE_PIPELINE, "noops")
    with pytest.raises(UnsupportedError, match="'zebra': name one in the image overrides under live"):
        NEWEST.image(LIVE_PIPELINE, "zebra", {"default": "mine:1"})


def test_flags_that_a_tutorial_invented_do_not_exist():
    for name in ("byoc", "byocContainerURL", "byocModelID", "remoteSignerAddr"):
        with pytest.raises(UnsupportedError):
            NEWEST.flag(name)


def test_nearest_flag_is_proposed():
    with pytest.raises(UnsupportedError, match=r"has no flag '-serviceaddr' \(did you mean serviceAddr\?\)"):
        NEWEST.flag("-serviceaddr")


def test_credentials_are_marked():
    assert NEWEST.flags["orchSecret"].holds == NEWEST.flags["ethPassword"].holds == SECRET_FILE
    assert {"ethUrl", "kafkaPassword", "mediaMTXApiPassword", "objectStore", "remoteSignerHeaders"} <= set(
        NEWEST.secret_flags()
    )


def test_a_release_without_batch_pipelines_is_a_row():
    future = release("0.10.0", FUTURE)
    future.require_path("live_runner")
    assert future.image(LIVE_PIPELINE, "noop") == "livepeer/ai-runner:live-app-noop"
    with pytest.raises(
        UnsupportedError, match="0.10.0 no longer has text-to-image: serve the model as a static live runner"
    ):
        future.pipeline("text-to-image")
    with pytest.raises(
        UnsupportedError, match="0.10.0 does not offer the path 'byoc': register the container as a static live runner"
    ):
        future.require_path("byoc")
    with pytest.raises(UnsupportedError, match="0.10.0 no longer has -aiRunnerImage: use aiRunnerImageOverrides"):
        future.flag("aiRunnerImage")
    with pytest.raises(UnsupportedError, match="'builtin': use one of custom_pipeline, live_runner"):
        future.require_path("builtin")


def test_every_default_has_the_type_of_its_flag():
    kinds = {"string": str, "json": str, "duration": str, "bool": bool, "int": int, "float": float}
    assert [name for name, flag in NEWEST.flags.items() if flag.default.__class__ is not kinds[flag.type]] == []
