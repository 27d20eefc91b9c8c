# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The offline check: every kind of problem, named with the file."""

from __future__ import annotations

import hashlib
import os

import pytest

from ansible_collections.livepeer.ai.plugins.modules import hf_snapshot_info

COMMIT = "a" * 40
CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GIT = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()


@pytest.fixture
def cache(tmp_path):
    """A cache as huggingface_hub leaves it: no record of ours, blobs named after their digests."""
    root = tmp_path / "models--org--name"
    snapshot = root / "snapshots" / COMMIT
    (snapshot / "unet").mkdir(parents=True)
    for folder in ("blobs", "refs"):
        (root / folder).mkdir()
    (root / "refs/main").write_text(COMMIT)
    for digest in (SHA256, GIT):
        (root / "blobs" / digest).write_bytes(CONTENT)
    (snapshot / "unet/model.safetensors").symlink_to(f"../../../blobs/{SHA256}")
    (snapshot / "config.json").symlink_to(f"../../blobs/{GIT}")
    return root


@pytest.fixture
def look(cache, run_module):
    def run(verify="quick", **arguments):
        return run_module(hf_snapshot_info, models_dir=str(cache.parent), verify=verify, **arguments)

    return run


def problems(told):
    return [(problem["file"], problem["problem"]) for problem in told["repositories"][0]["problems"]]


def test_sound_cache_of_another_tool(look):
    told = look("full")
    assert told["complete"]
    assert told["sentences"] == []
    (repository,) = told["repositories"]
    assert repository["model_id"] == "org/name"
    assert repository["commit"] == COMMIT
    assert repository["files"] == 2
    assert repository["bytes"] == 2 * len(CONTENT) + 40
    assert not repository["recorded"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "missing or empty"),
        ("", "missing or empty"),
        (COMMIT + "\n", "newline"),
        ("main", "does not hold a commit"),
        ("b" * 40, "does not exist"),
    ],
)
def test_reference(cache, look, text, words):
    (cache / "refs/main").unlink()
    if text is not None:
        (cache / "refs/main").write_text(text)
    told = look()
    assert not told["complete"]
    assert problems(told)[0][0] == "refs/main"
    assert words in told["sentences"][0]


def test_dangling_link(cache, look):
    (cache / "blobs" / GIT).unlink()
    assert problems(look()) == [("config.json", "dangling")]


def test_link_out_of_the_models_directory(cache, look, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
    elsewhere.write_bytes(CONTENT)
    link = cache / "snapshots" / COMMIT / "config.json"
    link.unlink()
    link.symlink_to(elsewhere)
    told = look()
    assert problems(told) == [("config.json", "outside")]
    assert str(elsewhere) in told["sentences"][0]


def test_link_to_a_directory(cache, look):
    link = cache / "snapshots" / COMMIT / "config.json"
    link.unlink()
    link.symlink_to("../../blobs")
    assert problems(look()) == [("config.json", "missing")]


def test_empty_snapshot(cache, look):
    for path in (cache / "snapshots" / COMMIT).rglob("*"):
        if path.is_symlink():
            path.unlink()
    assert problems(look()) == [(f"snapshots/{COMMIT}", "missing")]


@pytest.mark.parametrize(("digest", "file"), [(SHA256, "unet/model.safetensors"), (GIT, "config.json")])
def test_wrong_content_of_either_kind_of_digest(cache, look, digest, file):
    (cache / "blobs" / digest).write_bytes(b"Weights")
    assert look("quick")["complete"]
    told = look("full")
    assert problems(told) == [(file, "digest")]
    assert f"instead of {digest}" in told["sentences"][0]


def test_leftover_of_a_download(cache, look):
    (cache / "blobs/xyz.incomplete").write_bytes(b"w")
    assert problems(look()) == [("blobs/xyz.incomplete", "partial")]


def test_absent_repository(look):
    told = look(model_ids=["org/other"])
    assert not told["complete"]
    assert told["repositories"][0]["bytes"] == 0
    assert problems(told) == [("refs/main", "refs")]


def test_absent_directory(run_module, tmp_path):
    told = run_module(hf_snapshot_info, models_dir=str(tmp_path / "none"))
    assert told["repositories"] == []
    assert told["complete"]


def test_name_that_leads_out(look):
    assert "not a Hugging Face model name" in look(model_ids=["../../etc"])["msg"]


def test_nothing_is_written(cache, look):
    before = {path: path.lstat().st_mtime_ns for path in cache.parent.rglob("*")}
    look("full")
    assert before == {path: path.lstat().st_mtime_ns for path in cache.parent.rglob("*")}
    assert os.listdir(cache.parent) == [cache.name]
