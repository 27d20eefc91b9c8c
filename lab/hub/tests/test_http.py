# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire, seen without a client library."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import re
import time
from urllib.parse import urlsplit

import pytest

MODEL = "SG161222/RealVisXL_V4.0_Lightning"
GATED = "stabilityai/stable-video-diffusion-img2vid-xt-1-1"
WEIGHTS = f"/{MODEL}/resolve/main/unet/diffusion_pytorch_model.fp16.safetensors"
SMALL = f"/{MODEL}/resolve/main/model_index.json"
LONG_TEXT = f"/{MODEL}/resolve/main/.gitattributes"
GOOD = "Bearer hf_lab_good"
NO_LICENCE = "Bearer hf_lab_nolicence"
WRONG = "Bearer hf_of_somebody_else"


def git_blob(payload: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(payload) + payload).hexdigest()


@pytest.fixture
def content(models):
    return (models / MODEL / "unet/diffusion_pytorch_model.fp16.safetensors").read_bytes()


@pytest.fixture
def link(hub):
    return hub.location(WEIGHTS)


# model info, tree, paths-info, refs


def test_model_info_names_the_commit_and_lists_the_files_without_sizes(hub, models):
    info = hub.get(f"/api/models/{MODEL}").json()
    assert info["id"] == MODEL
    assert info["sha"] == json.loads((models / f"{MODEL}.meta.json").read_text())["sha"]
    assert re.fullmatch("[0-9a-f]{40}", info["sha"])
    assert info["config"] == {"diffusers": {"_class_name": "StableDiffusionXLPipeline"}}
    assert all(set(sibling) == {"rfilename"} for sibling in info["siblings"])


def test_blobs_true_adds_sizes_and_digests(hub, models):
    info = hub.get(f"/api/models/{MODEL}/revision/main?blobs=true").json()
    assert len(info["siblings"]) > 20
    for sibling in info["siblings"]:
        payload = (models / MODEL / sibling["rfilename"]).read_bytes()
        assert sibling["size"] == len(payload)
        if "lfs" in sibling:
            assert sibling["lfs"]["sha256"] == hashlib.sha256(payload).hexdigest()
            assert sibling["lfs"]["size"] == len(payload)
        else:
            assert sibling["blobId"] == git_blob(payload)
    assert {s["rfilename"].endswith(".safetensors") for s in info["siblings"] if "lfs" in s} == {True}


def test_transformers_models_show_architecture_and_parameters(hub):
    info = hub.get("/api/models/Salesforce/blip-image-captioning-large").json()
    assert info["config"] == {"architectures": ["BlipForConditionalGeneration"], "model_type": "blip"}
    assert info["safetensors"]["total"] == sum(info["safetensors"]["parameters"].values()) > 0


def test_expand_gives_the_named_fields_alone(hub):
    info = hub.get(f"/api/models/{MODEL}?expand=sha&expand=gated").json()
    assert set(info) == {"_id", "id", "sha", "gated"}
    assert hub.get(f"/api/models/{MODEL}?expand=colour").status == 400


def test_tree_of_a_folder_and_of_everything(hub):
    top = hub.get(f"/api/models/{MODEL}/tree/main").json()
    assert {"unet", "model_index.json"} <= {entry["path"] for entry in top}
    assert not [entry for entry in top if "/" in entry["path"]]
    unet = hub.get(f"/api/models/{MODEL}/tree/main/unet").json()
    assert [entry["path"] for entry in unet] == [
        "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
    ]
    assert set(unet[1]["lfs"]) == {"oid", "size", "pointerSize"}
    everything = hub.get(f"/api/models/{MODEL}/tree/main?recursive=true&expand=true").json()
    assert {entry["lastCommit"]["title"] for entry in everything} == {"Upload model"}
    assert {entry["path"] for entry in unet} < {entry["path"] for entry in everything}


def test_tree_comes_in_pages(hub):
    page = hub.get(f"/api/models/{MODEL}/tree/main?recursive=true&limit=20")
    following = re.fullmatch(r'<(.+)>; rel="next"', page.headers["Link"]).group(1)
    rest = hub.get(following)
    assert "Link" not in rest.headers
    whole = hub.get(f"/api/models/{MODEL}/tree/main?recursive=true").json()
    assert page.json() + rest.json() == whole


def test_paths_info_knows_files_and_folders_and_leaves_out_the_rest(hub):
    asked = json.dumps({"paths": ["unet", "model_index.json", "nothing"]})
    answer = hub.ask("POST", f"/api/models/{MODEL}/paths-info/main", {"Content-Type": "application/json"}, asked)
    assert [(entry["type"], entry["path"]) for entry in answer.json()] == [
        ("directory", "unet"),
        ("file", "model_index.json"),
    ]


def test_refs_and_commits(hub):
    sha = hub.get(f"/api/models/{MODEL}").json()["sha"]
    refs = hub.get(f"/api/models/{MODEL}/refs").json()
    assert refs["branches"] == [{"name": "main", "ref": "refs/heads/main", "targetCommit": sha}]
    assert [commit["id"] for commit in hub.get(f"/api/models/{MODEL}/commits/main").json()] == [sha]


def test_a_revision_is_a_branch_a_commit_or_its_beginning(hub):
    sha = hub.get(f"/api/models/{MODEL}").json()["sha"]
    for revision in ("main", "refs%2Fheads%2Fmain", sha, sha[:7]):
        assert hub.get(f"/api/models/{MODEL}/revision/{revision}").json()["sha"] == sha


def test_an_old_name_and_other_letter_case_are_redirected_by_the_api_and_served_by_resolve(hub):
    old = hub.get("/api/models/meta-llama/Meta-Llama-3.1-8B-Instruct/revision/main?blobs=true")
    assert old.status == 307
    assert old.headers["Location"] == "/api/models/meta-llama/Llama-3.1-8B-Instruct/revision/main?blobs=true"
    assert hub.get(old.headers["Location"]).json()["id"] == "meta-llama/Llama-3.1-8B-Instruct"
    assert hub.get(f"/api/models/{MODEL.lower()}").headers["Location"] == f"/api/models/{MODEL}"
    file = hub.get("/meta-llama/Meta-Llama-3.1-8B-Instruct/resolve/main/config.json", Authorization=GOOD)
    assert file.status == 307


def test_a_new_commit_moves_main_and_leaves_the_old_one_reachable(hub):
    old = hub.get(f"/api/models/{MODEL}").json()["sha"]
    asked = json.dumps({"repo": MODEL, "files": {"README.md": "new", "vae/config.json": None}, "title": "Tidy"})
    new = hub.ask("POST", "/_lab/commit", body=asked).json()["sha"]
    assert new != old
    assert hub.get(f"/api/models/{MODEL}").json()["sha"] == new
    assert hub.head(f"/{MODEL}/resolve/main/vae/config.json").status == 404
    assert hub.head(f"/{MODEL}/resolve/{old}/vae/config.json").status == 307
    assert hub.get(hub.location(f"/{MODEL}/resolve/{new}/README.md")).body == b"new"
    hub.reset()
    assert hub.get(f"/api/models/{MODEL}").json()["sha"] == old


# resolve


def test_a_small_file_is_one_relative_redirect_away_and_named_by_its_git_id(hub, models):
    payload = (models / MODEL / "model_index.json").read_bytes()
    sha = hub.get(f"/api/models/{MODEL}").json()["sha"]
    for method in ("HEAD", "GET"):
        first = hub.ask(method, SMALL)
        assert first.status == 307
        assert first.headers["Location"].startswith(f"/api/resolve-cache/models/{MODEL}/{sha}/model_index.json?")
        assert first.headers["X-Repo-Commit"] == sha
        assert first.headers["X-Linked-ETag"] == f'"{git_blob(payload)}"'
        assert first.headers["X-Linked-Size"] == str(len(payload))
        last = hub.ask(method, first.headers["Location"])
        assert last.status == 200
        assert last.headers["ETag"] == f'"{git_blob(payload)}"'
        assert last.headers["X-Repo-Commit"] == sha
        assert last.headers["Content-Length"] == str(len(payload))
        assert last.body == (payload if method == "GET" else b"")


def test_resolve_cache_wants_a_commit(hub):
    assert hub.get(f"/api/resolve-cache/models/{MODEL}/main/model_index.json").status == 400


def test_an_lfs_file_is_a_redirect_to_the_other_authority(hub, content):
    for method in ("HEAD", "GET"):
        first = hub.ask(method, WEIGHTS)
        assert first.status == 302
        assert first.headers["Location"].startswith(f"{hub.lfs}/lfs/")
        assert first.headers["X-Linked-ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
        assert first.headers["X-Linked-Size"] == str(len(content))
        assert re.fullmatch("[0-9a-f]{40}", first.headers["X-Repo-Commit"])
        last = hub.ask(method, first.headers["Location"])
        assert last.status == 200
        assert last.headers["Content-Length"] == str(len(content))
        assert last.body == (content if method == "GET" else b"")


def test_the_redirect_keeps_the_host_the_client_named(hub):
    port = urlsplit(hub.lfs).port
    assert hub.head(WEIGHTS, Host="hub.lab:8080").headers["Location"].startswith(f"http://hub.lab:{port}/")


def test_the_public_host_wins(start_hub, models):
    server = start_hub(models, "--public-host", "hub.lab")
    try:
        assert server.head(WEIGHTS).headers["Location"].startswith("http://hub.lab:")
    finally:
        assert server.stop() == 0


def test_the_etag_of_the_lfs_authority_is_not_the_files_digest(hub, link, content):
    assert hashlib.sha256(content).hexdigest() not in hub.head(link).headers["ETag"]


def test_a_link_needs_no_token_but_cannot_be_made_up(hub, link):
    assert hub.head(link).status == 200
    assert hub.head(link.split("?")[0]).status == 403
    assert hub.head(re.sub("Expires=[0-9]+", "Expires=99999999999", link)).status == 403


def test_a_link_expires(start_hub, models):
    server = start_hub(models, "--link-lifetime", "0")
    try:
        link = server.location(WEIGHTS)
        time.sleep(1.1)
        assert server.get(link).status == 403
    finally:
        assert server.stop() == 0


# ranges and conditions


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=10-19", 10, 20), ("bytes=1000000-", 1000000, None), ("bytes=-7", -7, None)]
)
def test_a_range_is_answered_with_206(hub, link, content, asked, start, end):
    answer = hub.get(link, Range=asked)
    assert answer.status == 206
    assert answer.body == content[start:end]
    first = content.index(answer.body) if start < 0 else start
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.body) - 1}/{len(content)}"
    assert answer.headers["Content-Length"] == str(len(answer.body))


def test_a_range_works_on_small_files_too(hub, models):
    answer = hub.get(hub.location(SMALL), Range="bytes=5-")
    assert answer.status == 206
    assert answer.body == (models / MODEL / "model_index.json").read_bytes()[5:]


def test_the_whole_file_as_a_range_is_206(hub, link, content):
    answer = hub.get(link, Range="bytes=0-")
    assert answer.status == 206
    assert answer.body == content


@pytest.mark.parametrize("beyond", [0, 1000])
def test_a_range_that_starts_at_or_after_the_end_is_416_with_the_size(hub, link, content, beyond):
    answer = hub.get(link, Range=f"bytes={len(content) + beyond}-")
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(content)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "lines=1-2", "bytes=-"])
def test_what_is_not_one_range_is_ignored(hub, link, content, asked):
    answer = hub.get(link, Range=asked)
    assert answer.status == 200
    assert answer.body == content


def test_if_range_with_the_etag_resumes_and_with_another_starts_over(hub, link, content):
    etag = hub.head(link).headers["ETag"]
    assert hub.get(link, Range="bytes=9-", If_Range=etag).body == content[9:]
    other = hub.get(link, Range="bytes=9-", If_Range='"another"')
    assert (other.status, other.body) == (200, content)


def test_if_none_match_is_304_without_a_body(hub, link):
    etag = hub.head(link).headers["ETag"]
    assert hub.get(link, If_None_Match=etag).status == 304
    assert hub.get(link, If_None_Match='"another"').status == 200
    small = hub.location(SMALL)
    answer = hub.get(small, If_None_Match=hub.head(small).headers["ETag"])
    assert (answer.status, answer.body) == (304, b"")


def test_text_is_compressed_for_who_accepts_it_and_then_has_neither_length_nor_ranges(hub, models):
    payload = (models / "openai/whisper-large-v3/tokenizer.json").read_bytes()
    url = hub.location("/openai/whisper-large-v3/resolve/main/tokenizer.json")
    packed = hub.get(url, Accept_Encoding="gzip, deflate", Range="bytes=5-")
    assert packed.status == 200
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Length" not in packed.headers
    assert packed.headers["ETag"].startswith('W/"')
    assert gzip.decompress(packed.body) == payload
    assert hub.get(url, Accept_Encoding="identity").body == payload


def test_weights_are_never_compressed(hub, link, content):
    assert hub.get(link, Accept_Encoding="gzip").body == content


# who may have what


def test_a_gated_repository_shows_its_list_to_everyone(hub):
    info = hub.get(f"/api/models/{GATED}?blobs=true")
    assert info.status == 200
    assert info.json()["gated"] == "auto"
    assert hub.get(f"/api/models/{GATED}/tree/main").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Authorization": WRONG}, 401), ({"Authorization": NO_LICENCE}, 403)],
    ids=["no token", "wrong token", "licence not accepted"],
)
def test_the_content_of_a_gated_repository(hub, headers, status):
    for url in (
        f"/{GATED}/resolve/main/model_index.json",
        f"/{GATED}/resolve/main/unet/diffusion_pytorch_model.fp16.safetensors",
    ):
        answer = hub.get(url, **headers)
        assert answer.status == status
        assert answer.headers["X-Error-Code"] == "GatedRepo"
        assert f"Access to model {GATED} is restricted" in answer.headers["X-Error-Message"]


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": NO_LICENCE}, 403)])
def test_auth_check_and_commits_are_behind_the_gate(hub, headers, status):
    for url in (f"/api/models/{GATED}/auth-check", f"/api/models/{GATED}/commits/main"):
        answer = hub.get(url, **headers)
        assert (answer.status, answer.headers["X-Error-Code"]) == (status, "GatedRepo")


def test_resolve_cache_is_no_way_around_the_gate(hub):
    sha = hub.get(f"/api/models/{GATED}").json()["sha"]
    assert hub.get(f"/api/resolve-cache/models/{GATED}/{sha}/model_index.json").status == 401


def test_the_token_of_an_account_that_accepted_the_licence_opens_it(hub):
    assert hub.get(f"/{GATED}/resolve/main/model_index.json", Authorization=GOOD).status == 307
    assert hub.get(f"/api/models/{GATED}/auth-check", Authorization=GOOD).status == 200


def test_a_wrong_token_is_refused_on_public_repositories_as_well(hub):
    for url in (f"/api/models/{MODEL}", SMALL, WEIGHTS, "/api/whoami-v2"):
        answer = hub.get(url, Authorization=WRONG)
        assert answer.status == 401
        assert answer.headers["X-Error-Message"] == "Invalid credentials in Authorization header"
        assert "X-Error-Code" not in answer.headers


def test_whoami(hub):
    assert hub.get("/api/whoami-v2", Authorization=NO_LICENCE).json()["name"] == "lab-nolicence"
    assert hub.get("/api/whoami-v2").status == 401


def test_a_missing_repository_is_401_to_a_stranger_and_404_to_a_user(hub):
    for url in ("/api/models/nobody/nothing", "/nobody/nothing/resolve/main/config.json"):
        stranger = hub.get(url)
        assert stranger.status == 401
        assert stranger.headers["X-Error-Message"] == "Invalid username or password."
        assert "X-Error-Code" not in stranger.headers
        user = hub.get(url, Authorization=GOOD)
        assert (user.status, user.headers["X-Error-Code"]) == (404, "RepoNotFound")


def test_a_missing_revision(hub):
    for url in (f"/api/models/{MODEL}/revision/v9", f"/{MODEL}/resolve/v9/config.json", f"/api/models/{MODEL}/tree/v9"):
        answer = hub.get(url)
        assert (answer.status, answer.headers["X-Error-Code"]) == (404, "RevisionNotFound")
        assert answer.headers["X-Error-Message"] == "Invalid rev id: v9"


def test_a_missing_file(hub):
    answer = hub.head(f"/{MODEL}/resolve/main/unet/nothing.json")
    assert (answer.status, answer.headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert re.fullmatch("[0-9a-f]{40}", answer.headers["X-Repo-Commit"])


def test_api_errors_have_a_json_body(hub):
    assert hub.get(f"/api/models/{MODEL}/revision/v9").json() == {"error": "Invalid rev id: v9"}


# the connection and the counters


def test_a_connection_carries_many_requests(hub):
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=10)
    for url in (f"/api/models/{MODEL}", "/api/models/nobody/nothing", SMALL, f"/api/models/{MODEL}/refs"):
        connection.request("GET", url)
        connection.getresponse().read()
        assert connection.sock is not None
        sock = connection.sock.getsockname()
    connection.request("GET", SMALL)
    assert connection.sock.getsockname() == sock
    connection.close()


def test_requests_are_counted_by_kind(hub, link, content):
    hub.reset()
    hub.get(f"/api/models/{MODEL}")
    hub.get(hub.location(SMALL))
    hub.get(link, Range="bytes=0-99")
    stats = hub.stats()
    small = len(hub.get(hub.location(SMALL)).body)
    assert {key: stats[key] for key in ("total", "api", "resolve", "lfs", "bytes", "lfs_with_token")} == {
        "total": 4,
        "api": 1,
        "resolve": 2,
        "lfs": 1,
        "bytes": 100 + small,
        "lfs_with_token": 0,
    }
    assert stats["log"][0] == f"GET /api/models/{MODEL} 200"
    assert stats["log"][1] == f"HEAD {SMALL} 307"
    assert stats["log"][-1].endswith(" 206")


def test_a_token_sent_to_the_lfs_authority_is_noticed(hub, link):
    hub.get(link, Authorization=GOOD)
    assert hub.stats()["lfs_with_token"] == 1


def test_looking_at_the_lab_is_not_counted(hub):
    hub.get("/_lab/stats")
    hub.get("/_lab/faults")
    assert hub.stats()["total"] == 0
