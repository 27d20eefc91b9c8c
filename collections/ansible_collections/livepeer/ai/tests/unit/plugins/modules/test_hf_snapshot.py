# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's half against the lab's Hub: what lies on the disk afterwards, and what came over the network."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download, try_to_load_from_cache

from ansible_collections.livepeer.ai.plugins.module_utils._hf_lock import RepositoryLock
from ansible_collections.livepeer.ai.plugins.modules import hf_snapshot

REALVIS = "SG161222/RealVisXL_V4.0_Lightning"
CLIP = "openai/clip-vit-base-patch32"
BLIP = "Salesforce/blip-image-captioning-large"
WHISPER = "openai/whisper-medium"
SVD = "stabilityai/stable-video-diffusion-img2vid-xt-1-1"


def tree(root):
    return {str(p.relative_to(root)): os.readlink(p) for p in root.rglob("*") if p.is_symlink()}


def weights_of(snapshots, model_id, name):
    (path,) = (snapshots.root(model_id) / "snapshots").glob(f"*/{name}")
    return path


# The layout


def test_layout(snapshots):
    told = snapshots.fetch(REALVIS, "text-to-image")
    assert told["changed"]
    root = snapshots.root(REALVIS)
    commit = (root / "refs/main").read_bytes()
    assert re.fullmatch(rb"[0-9a-f]{40}", commit)
    assert told["commit"] == commit.decode()
    assert told["path"] == str(root / "snapshots" / commit.decode())
    links = tree(root / "snapshots" / commit.decode())
    assert links["model_index.json"].startswith("../../blobs/")
    assert links["unet/diffusion_pytorch_model.fp16.safetensors"].startswith("../../../blobs/")
    assert {path.name for path in (root / "blobs").iterdir()} == {Path(text).name for text in links.values()}
    assert sorted(path.name for path in root.iterdir()) == ["blobs", "refs", "snapshots"]
    assert snapshots.partials() == []


def test_companions_come_along(snapshots):
    told = snapshots.fetch(REALVIS, "text-to-image", companions=True)
    assert [repository["model_id"] for repository in told["repositories"]] == [
        REALVIS,
        "CompVis/stable-diffusion-safety-checker",
        CLIP,
    ]
    assert snapshots.info()["complete"]


def test_huggingface_hub_accepts_the_layout(snapshots):
    """The reader that runners use, with its network switched off."""
    told = snapshots.fetch(BLIP, "image-to-text")
    found = snapshot_download(BLIP, cache_dir=snapshots.directory, local_files_only=True)
    assert found == told["path"]
    loaded = try_to_load_from_cache(BLIP, "model.safetensors", cache_dir=snapshots.directory)
    assert os.path.getsize(loaded) > 1000


def test_revision_that_is_not_main_is_what_a_runner_finds(snapshots):
    commit = snapshots.manifests(CLIP, allow=["config.json"])[CLIP]["commit"]
    told = snapshots.fetch(CLIP, allow=["config.json"], revision=commit)
    assert told["commit"] == commit
    assert (snapshots.root(CLIP) / "refs/main").read_text() == commit


# Nothing to do


def test_second_run_changes_nothing_and_asks_nobody(snapshots):
    snapshots.fetch(REALVIS, "text-to-image", companions=True)
    before = {str(p): p.lstat().st_mtime_ns for p in snapshots.root(REALVIS).rglob("*")}
    snapshots.hub.reset()
    told = snapshots.call(REALVIS, pipeline="text-to-image", companions=True)
    assert not told["changed"]
    assert told["actions"] == []
    assert told["finished"]
    assert snapshots.hub.stats()["total"] == 0
    assert before == {str(p): p.lstat().st_mtime_ns for p in snapshots.root(REALVIS).rglob("*")}


def test_unknown_model_is_handed_back_to_the_controller(snapshots):
    told = snapshots.call(REALVIS, pipeline="text-to-image", companions=True)
    assert told["unresolved"] == [REALVIS, "CompVis/stable-diffusion-safety-checker", CLIP]
    assert not told["changed"]
    assert not snapshots.directory.exists()


@pytest.mark.parametrize("options", [{"revision": "other"}, {"ignore_patterns": ["*.txt"]}, {"refresh": True}])
def test_another_request_needs_another_answer(snapshots, options):
    snapshots.fetch(BLIP, "image-to-text")
    assert snapshots.call(BLIP, pipeline="image-to-text", **options)["unresolved"] == [BLIP]


def test_larger_selection_adds_to_the_snapshot(snapshots):
    snapshots.fetch(CLIP, allow=["config.json"])
    told = snapshots.fetch(CLIP, allow=["*.json"])
    assert told["changed"]
    assert len(list(Path(told["path"]).iterdir())) > 1
    # The first request is still answered from the record.
    assert not snapshots.call(CLIP, allow_patterns=["config.json"])["changed"]


# Check mode


def test_check_mode_on_a_bare_host(snapshots):
    manifests = snapshots.manifests(BLIP, "image-to-text")
    snapshots.hub.reset()
    told = snapshots.call(BLIP, manifests, check=True, pipeline="image-to-text", owner="nobody-yet")
    size = sum(file["size"] for file in manifests[BLIP]["files"])
    assert told["changed"]
    assert told["bytes_to_fetch"] == size
    assert f"({size} bytes)" in told["actions"][0]
    assert "refs/main: absent" in told["diff"]["before"]
    assert f"refs/main: {manifests[BLIP]['commit']}" in told["diff"]["after"]
    assert not snapshots.directory.exists()
    assert snapshots.hub.stats()["total"] == 0


def test_check_mode_tells_what_the_run_does(snapshots):
    manifests = snapshots.manifests(BLIP, "image-to-text")
    told = snapshots.call(BLIP, manifests, check=True, pipeline="image-to-text")
    done = snapshots.fetch(BLIP, "image-to-text")
    assert done["actions"] == told["actions"]


# Damage and repair


def damage(path, kind):
    blob = path.resolve()
    if kind == "truncated":
        blob.write_bytes(blob.read_bytes()[:-100])
    elif kind == "flipped":
        content = bytearray(blob.read_bytes())
        content[-1] ^= 0xFF
        blob.write_bytes(content)
    elif kind == "flipped with its time put back":
        found = blob.stat()
        damage(path, "flipped")
        os.utime(blob, ns=(found.st_atime_ns, found.st_mtime_ns))
    elif kind == "blob gone":
        blob.unlink()
    elif kind == "link gone":
        path.unlink()
    elif kind == "newline":
        reference = path.parents[2] / "refs/main"
        reference.write_text(reference.read_text() + "\n")


# kind: (how info names it, whether bytes have to be fetched, verification that notices)
DAMAGE = {
    "truncated": ("size", True, "quick"),
    "flipped": ("time", True, "quick"),
    "flipped with its time put back": ("digest", True, "full"),
    "blob gone": ("dangling", True, "quick"),
    "link gone": ("missing", False, "quick"),
    "newline": ("refs", False, "quick"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_and_repaired(snapshots, kind):
    problem, fetches, verify = DAMAGE[kind]
    snapshots.fetch(BLIP, "image-to-text")
    path = weights_of(snapshots, BLIP, "model.safetensors")
    damage(path, kind)

    told = snapshots.info(BLIP, verify=verify)
    assert not told["complete"]
    assert [p["problem"] for p in told["repositories"][0]["problems"]] == [problem]
    assert told["sentences"][0].startswith(f"{BLIP}: {'refs/main' if kind == 'newline' else 'model.safetensors'} ")

    # The record is enough: nobody has to be asked what the file should be.
    snapshots.hub.reset()
    told = snapshots.call(BLIP, pipeline="image-to-text", verify=verify)
    assert told["changed"]
    assert told["finished"]
    assert snapshots.hub.stats()["api"] == 0
    assert (told["bytes_fetched"] > 0) == fetches
    assert snapshots.info(BLIP, verify="full")["complete"]
    assert not snapshots.call(BLIP, pipeline="image-to-text", verify="full")["changed"]


def test_quick_does_not_see_what_full_sees(snapshots):
    """Why there are two."""
    snapshots.fetch(BLIP, "image-to-text")
    damage(weights_of(snapshots, BLIP, "model.safetensors"), "flipped with its time put back")
    assert snapshots.info(BLIP)["complete"]
    assert not snapshots.info(BLIP, verify="full")["complete"]


def test_touched_file_is_read_and_believed(snapshots):
    snapshots.fetch(BLIP, "image-to-text")
    os.utime(weights_of(snapshots, BLIP, "model.safetensors").resolve())
    snapshots.hub.reset()
    assert not snapshots.call(BLIP, pipeline="image-to-text")["changed"]
    assert snapshots.hub.stats()["total"] == 0
    assert snapshots.info(BLIP)["complete"]


def test_damaged_file_stays_until_its_replacement_is_verified(snapshots):
    snapshots.fetch(BLIP, "image-to-text")
    path = weights_of(snapshots, BLIP, "model.safetensors")
    damage(path, "truncated")
    snapshots.hub.fault({"match": "model.safetensors", "kind": "status", "status": 500, "times": -1})
    assert snapshots.call(BLIP, pipeline="image-to-text", retries=0)["error"] == "server_error"
    assert path.exists()
    assert not snapshots.info(BLIP)["complete"]


# What other tools left


def test_files_that_huggingface_hub_fetched_are_taken_over(snapshots, monkeypatch):
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    snapshot_download(BLIP, cache_dir=snapshots.directory, endpoint=snapshots.hub.url, token=False)
    assert snapshots.info(BLIP, verify="full")["complete"]
    manifests = snapshots.manifests(BLIP, "image-to-text")
    snapshots.hub.reset()
    told = snapshots.call(BLIP, manifests, pipeline="image-to-text")
    assert told["finished"]
    assert snapshots.hub.stats()["total"] == 0
    blobs = list((snapshots.root(BLIP) / "blobs").iterdir())
    assert told["bytes_fetched"] == 0
    assert not any(path.is_symlink() for path in blobs if path.stat().st_size < 10**9 and path.name in str(manifests))


def test_copy_without_links_is_taken_over(snapshots):
    """rsync -L and cp -L leave files where links were."""
    snapshots.fetch(BLIP, "image-to-text")
    path = weights_of(snapshots, BLIP, "model.safetensors")
    blob = path.resolve()
    path.unlink()
    blob.rename(path)
    snapshots.hub.reset()
    told = snapshots.call(BLIP, pipeline="image-to-text")
    assert told["changed"]
    assert path.is_symlink()
    assert snapshots.hub.stats()["total"] == 0
    assert snapshots.info(BLIP, verify="full")["complete"]


def test_orphaned_partial_files_go(snapshots):
    snapshots.fetch(BLIP, "image-to-text")
    ours = snapshots.directory / ".livepeer/partial/models--Salesforce--blip-image-captioning-large" / ("0" * 64)
    ours.parent.mkdir()
    ours.write_bytes(b"x")
    stale = snapshots.root(BLIP) / "blobs/abc.incomplete"
    stale.write_bytes(b"x")
    os.utime(stale, (1, 1))
    fresh = snapshots.root(BLIP) / "blobs/def.incomplete"
    fresh.write_bytes(b"x")
    kinds = [p["problem"] for p in snapshots.info(BLIP)["repositories"][0]["problems"]]
    assert kinds == ["partial"] * 3
    told = snapshots.call(BLIP, pipeline="image-to-text")
    assert told["actions"] == [f"remove 2 partial files of {BLIP} that belong to no download"]
    assert not ours.exists()
    assert not stale.exists()
    # Somebody may be writing to it.
    assert fresh.exists()


# Atomicity


def test_incomplete_download_shows_no_snapshot(snapshots):
    manifests = snapshots.manifests(BLIP, "image-to-text")
    snapshots.hub.fault({"match": "model.safetensors|/lfs|[0-9a-f]{64}", "kind": "cut", "at": 500000, "times": -1})
    told = snapshots.call(BLIP, manifests, pipeline="image-to-text", retries=0, stall_timeout=2)
    # Four bytes in five come; the rest is refused for ever.
    snapshots.hub.fault({"match": "[0-9a-f]{64}", "kind": "cut", "at": 0, "times": -1})
    told = snapshots.call(BLIP, manifests, pipeline="image-to-text", retries=0)
    assert told["failed"]
    assert not (snapshots.root(BLIP) / "snapshots").exists()
    assert not (snapshots.root(BLIP) / "refs/main").exists()
    with pytest.raises(Exception, match="Cannot find an appropriate cached snapshot|local"):
        snapshot_download(BLIP, cache_dir=snapshots.directory, local_files_only=True)


KILLED = """
import json, sys
sys.path.insert(0, {collections!r})
from ansible.module_utils.testing import patch_module_args
from ansible_collections.livepeer.ai.plugins.modules import hf_snapshot
with patch_module_args(json.loads(sys.stdin.read())):
    hf_snapshot.main()
"""


def test_kill_in_the_middle_and_run_again(snapshots):
    """What a power cut leaves is not mistaken for a snapshot, and at most a quarter is fetched again."""
    manifests = snapshots.manifests(WHISPER, "audio-to-text")
    total = sum(file["size"] for file in manifests[WHISPER]["files"])
    snapshots.hub.reset()
    snapshots.hub.fault({"match": ".", "kind": "slow", "bytes_per_second": total // 3, "times": -1})
    arguments = {
        "model_id": WHISPER,
        "pipeline": "audio-to-text",
        "models_dir": str(snapshots.directory),
        "endpoint": snapshots.hub.url,
        "_controller": {"manifests": manifests, "run": "killed", "holder": "the run that is killed"},
    }
    collections = str(Path(hf_snapshot.__file__).parents[5])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(collections=collections)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    process.stdin.write(json.dumps(arguments).encode())
    process.stdin.close()
    arrived = 0
    limit = time.monotonic() + 20
    while arrived < 0.8 * total and time.monotonic() < limit:
        time.sleep(0.02)
        files = [*snapshots.partials(), *(snapshots.root(WHISPER) / "blobs").glob("*")]
        arrived = sum(path.stat().st_size for path in files if path.exists())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0.8 * total <= arrived < total
    assert not (snapshots.root(WHISPER) / "snapshots").exists()

    snapshots.hub.reset()
    told = snapshots.fetch(WHISPER, "audio-to-text")
    assert told["finished"]
    assert told["bytes_fetched"] <= 0.25 * total
    assert snapshots.hub.stats()["bytes"] <= 0.25 * total
    assert snapshots.info(WHISPER, verify="full")["complete"]
    assert snapshots.partials() == []


def test_bounded_call_reports_and_the_next_one_goes_on(snapshots):
    manifests = snapshots.manifests(WHISPER, "audio-to-text")
    total = sum(file["size"] for file in manifests[WHISPER]["files"])
    snapshots.hub.fault({"match": ".", "kind": "slow", "bytes_per_second": total // 3, "times": -1})
    told = snapshots.call(WHISPER, manifests, pipeline="audio-to-text", progress_interval=1)
    assert not told["finished"]
    assert told["bytes_total"] == total
    assert 0 < told["bytes_left"] < total
    snapshots.hub.reset()
    again = snapshots.call(WHISPER, manifests, pipeline="audio-to-text")
    assert again["finished"]
    assert told["bytes_fetched"] + again["bytes_fetched"] == total


# Refusals before anything changes


def test_small_disk_is_refused_with_the_numbers(snapshots, monkeypatch):
    manifests = snapshots.manifests(BLIP, "image-to-text")
    need = sum(file["size"] for file in manifests[BLIP]["files"])
    monkeypatch.setattr(hf_snapshot, "free_bytes", lambda path: need)
    snapshots.hub.reset()
    told = snapshots.call(BLIP, manifests, pipeline="image-to-text")
    assert told["error"] == "disk"
    assert f"{need} bytes" in told["msg"]
    assert f"needs {need + need // 10} " in told["msg"]
    assert f"free {need // 10} bytes" in told["msg"]
    assert snapshots.hub.stats()["total"] == 0
    assert not snapshots.root(BLIP).exists()
    # What is already there does not count.
    assert snapshots.call(BLIP, manifests, pipeline="image-to-text", disk_margin=0)["finished"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"owner": "nobody-at-all"}, "owner nobody-at-all does not exist on this host"),
        ({"group": "nobody-at-all"}, "group nobody-at-all does not exist on this host"),
        ({"mode": "0044"}, "mode '0044' is not an octal permission"),
        ({"mode": "rw-r--r--"}, "mode 'rw-r--r--' is not an octal permission"),
    ],
)
def test_bad_input(snapshots, options, sentence):
    told = snapshots.call(CLIP, snapshots.manifests(CLIP, allow=["*.json"]), allow_patterns=["*.json"], **options)
    assert told["error"] == "input"
    assert sentence in told["msg"]
    assert not snapshots.directory.exists()


@pytest.mark.parametrize("path", ["../../evil", "/etc/passwd", "a//b", "a/./b", ""])
def test_names_that_lead_out_of_the_snapshot(snapshots, path):
    manifests = snapshots.manifests(CLIP, allow=["config.json"])
    manifests[CLIP]["files"][0]["path"] = path
    told = snapshots.call(CLIP, manifests, allow_patterns=["config.json"])
    assert "unsafe name" in told["msg"]
    assert not snapshots.directory.exists()


def test_digest_that_leads_out_of_blobs(snapshots):
    manifests = snapshots.manifests(CLIP, allow=["config.json"])
    manifests[CLIP]["files"][0]["digest"] = "../../../evil"
    assert "odd digest" in snapshots.call(CLIP, manifests, allow_patterns=["config.json"])["msg"]


def test_failures_of_the_hub_reach_the_user(snapshots):
    manifests = snapshots.manifests(CLIP, allow=["config.json"])
    snapshots.hub.fault(
        {"match": "resolve", "kind": "status", "status": 404, "error_code": "EntryNotFound", "times": -1}
    )
    told = snapshots.call(CLIP, manifests, allow_patterns=["config.json"])
    assert told["error"] == "no_file"
    assert "config.json" in told["msg"]


@pytest.mark.parametrize(
    ("token", "error"), [(None, "no_token"), ("hf_lab_nolicence", "licence"), ("hf_mistyped", "bad_token")]
)
def test_gated_model(snapshots, token, error):
    manifests = snapshots.manifests(SVD, "image-to-video", token="hf_lab_good")
    options = {"token": token} if token else {}
    told = snapshots.call(SVD, manifests, pipeline="image-to-video", **options)
    assert told["error"] == error
    assert not (snapshots.root(SVD) / "snapshots").exists()
    assert snapshots.call(SVD, manifests, pipeline="image-to-video", token="hf_lab_good")["finished"]
    assert snapshots.hub.stats()["lfs_with_token"] == 0


def test_no_trace_of_the_token_on_the_host(snapshots):
    snapshots.fetch(SVD, "image-to-video", token="hf_lab_good")
    for path in snapshots.directory.rglob("*"):
        if path.is_file():
            assert b"hf_lab_good" not in path.read_bytes()


# One writer


def test_second_run_names_the_first(snapshots, monkeypatch):
    monkeypatch.setattr(RepositoryLock.acquire, "__defaults__", (1,))
    path = snapshots.directory / ".livepeer/locks/models--openai--clip-vit-base-patch32"
    path.parent.mkdir(parents=True)
    lock = RepositoryLock(str(path), CLIP, "first", "the Ansible run of alice on control1")
    lock.acquire()
    told = snapshots.call(CLIP, snapshots.manifests(CLIP, allow=["config.json"]), allow_patterns=["config.json"])
    assert told["error"] == "lock"
    holder = f"the Ansible run of alice on control1 (process {os.getpid()} on this host"
    assert told["msg"].startswith(f"{CLIP} is being changed by {holder}")
    lock.release()
    assert snapshots.fetch(CLIP, allow=["config.json"])["finished"]


def test_claim_between_two_calls(tmp_path):
    first = RepositoryLock(str(tmp_path / "lock"), CLIP, "first", "first")
    first.acquire()
    first.release(claim=True)
    with pytest.raises(Exception, match="is being changed by first"):
        RepositoryLock(str(tmp_path / "lock"), CLIP, "second", "second").acquire(wait=0)
    first.acquire(wait=0)
    first.release()
    RepositoryLock(str(tmp_path / "lock"), CLIP, "second", "second").acquire(wait=0)


def test_lock_of_a_killed_run_is_free(tmp_path):
    path = tmp_path / "lock"
    dead = RepositoryLock(str(path), CLIP, "dead", "dead")
    dead.acquire()
    # What the kernel does when the process dies: its file is closed, and what it wrote there stays.
    fcntl.flock(dead.descriptor, fcntl.LOCK_UN)
    RepositoryLock(str(path), CLIP, "next", "next").acquire(wait=0)


# Ownership, pruning, removal


def test_owner_group_and_mode(snapshots):
    snapshots.fetch(BLIP, "image-to-text", owner="65534", group="65534", mode="0640")
    found = [path.lstat() for path in snapshots.root(BLIP).rglob("*")] + [snapshots.root(BLIP).lstat()]
    assert {(stat.st_uid, stat.st_gid) for stat in found} == {(65534, 65534)}
    files = [path for path in snapshots.root(BLIP).rglob("*") if path.is_file() and not path.is_symlink()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o640}
    directories = [path for path in snapshots.root(BLIP).rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in directories} == {0o750}

    options = {"pipeline": "image-to-text", "owner": "65534", "group": "65534", "mode": "0640"}
    assert not snapshots.call(BLIP, **options)["changed"]
    files[0].chmod(0o600)
    assert snapshots.call(BLIP, check=True, **options)["changed"]
    assert snapshots.call(BLIP, **options)["changed"]
    assert not snapshots.call(BLIP, **options)["changed"]


def old_snapshot(snapshots, model_id):
    """What an earlier commit would have left: one file of its own, one that is shared."""
    root = snapshots.root(model_id)
    old = root / "snapshots" / ("1" * 40)
    old.mkdir()
    (root / "blobs" / ("2" * 64)).write_bytes(b"old weights")
    (old / "old.fp16.safetensors").symlink_to("../../blobs/" + "2" * 64)
    shared = next(path for path in (root / "blobs").iterdir() if path.name != "2" * 64)
    (old / "shared").symlink_to(f"../../blobs/{shared.name}")
    (root / "refs/older").write_text("1" * 40)
    return old, shared


def test_prune(snapshots):
    snapshots.fetch(BLIP, "image-to-text")
    old, shared = old_snapshot(snapshots, BLIP)
    assert not snapshots.call(BLIP, pipeline="image-to-text")["changed"]
    told = snapshots.call(BLIP, check=True, pipeline="image-to-text", prune=True)
    assert told["actions"] == [f"prune 3 unused entries (51 bytes) of {BLIP}"]
    assert old.exists()
    assert snapshots.call(BLIP, pipeline="image-to-text", prune=True)["changed"]
    assert not old.exists()
    assert shared.exists()
    assert not (snapshots.root(BLIP) / "blobs" / ("2" * 64)).exists()
    assert not (snapshots.root(BLIP) / "refs/older").exists()
    assert snapshots.info(BLIP, verify="full")["complete"]
    assert not snapshots.call(BLIP, pipeline="image-to-text", prune=True)["changed"]


def test_new_commit_replaces_the_old_one_in_one_step(snapshots):
    snapshots.fetch(CLIP, allow=["config.json"])
    manifests = snapshots.manifests(CLIP, allow=["*.json"])
    manifests[CLIP]["commit"] = "f" * 40
    # Its files come from the commit that exists; only the name of the snapshot is new.
    blobs = snapshots.root(CLIP) / "blobs"
    for file in manifests[CLIP]["files"]:
        (blobs / file["digest"]).write_bytes((snapshots.hub.root / CLIP / file["path"]).read_bytes())
    told = snapshots.call(CLIP, manifests, allow_patterns=["*.json"], prune=True)
    assert told["finished"]
    assert (snapshots.root(CLIP) / "refs/main").read_text() == "f" * 40
    assert [path.name for path in (snapshots.root(CLIP) / "snapshots").iterdir()] == ["f" * 40]


def test_absent(snapshots):
    snapshots.fetch(BLIP, "image-to-text")
    snapshots.fetch(CLIP, allow=["config.json"])
    told = snapshots.call(BLIP, state="absent", check=True)
    assert told["changed"]
    assert snapshots.root(BLIP).exists()
    told = snapshots.call(BLIP, state="absent")
    assert told["changed"]
    assert re.fullmatch(rf"remove {BLIP} \(\d+ bytes\)", told["actions"][0])
    assert not snapshots.root(BLIP).exists()
    assert not snapshots.call(BLIP, state="absent")["changed"]
    assert snapshots.info()["complete"]
    assert [told["model_id"] for told in snapshots.info()["repositories"]] == [CLIP]


def test_unwritable_directory_is_one_sentence(snapshots):
    snapshots.directory.write_text("a file where the directory should be")
    told = snapshots.call(CLIP, snapshots.manifests(CLIP, allow=["config.json"]), allow_patterns=["config.json"])
    assert told["error"] == "write"
    assert "cannot be read or written" in told["msg"]
