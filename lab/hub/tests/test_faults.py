# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault on demand, and a stop in the middle of one."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

MODEL = "SG161222/RealVisXL_V4.0_Lightning"
FILE = "unet/diffusion_pytorch_model.fp16.safetensors"
WEIGHTS = f"/{MODEL}/resolve/main/{FILE}"
SMALL = f"/{MODEL}/resolve/main/model_index.json"


@pytest.fixture
def content(models):
    return (models / MODEL / FILE).read_bytes()


@pytest.fixture
def link(hub):
    return hub.location(WEIGHTS)


def test_cut_ends_the_connection_after_so_many_bytes_of_the_body(hub, link, content):
    hub.faults({"match": "^/lfs/.*unet", "kind": "cut", "at": 300000})
    with pytest.raises(http.client.IncompleteRead) as error:
        hub.get(link)
    assert error.value.partial == content[:300000]
    assert hub.stats()["bytes"] == 300000
    resumed = hub.get(link, Range="bytes=300000-")
    assert error.value.partial + resumed.body == content


def test_cut_counts_from_the_start_of_the_answer(hub, link, content):
    hub.faults({"match": "unet", "kind": "cut", "at": 1000, "times": 2})
    for start in (0, 1000):
        with pytest.raises(http.client.IncompleteRead) as error:
            hub.get(link, Range=f"bytes={start}-")
        assert error.value.partial == content[start : start + 1000]
    assert hub.get(link, Range="bytes=2000-").body == content[2000:]


def test_wrong_bytes_keep_the_length(hub, link, content):
    hub.faults({"match": "unet", "kind": "wrong_bytes", "at": 4096})
    answer = hub.get(link)
    assert len(answer.body) == len(content)
    assert [index for index, byte in enumerate(answer.body) if byte != content[index]] == list(range(4096, 4112))
    assert hub.get(link).body == content


def test_wrong_bytes_reach_small_files(hub, models):
    hub.faults({"match": "model_index", "kind": "wrong_bytes"})
    answer = hub.get(hub.location(SMALL), Accept_Encoding="gzip")
    truth = (models / MODEL / "model_index.json").read_bytes()
    assert len(answer.body) == len(truth)
    assert answer.body != truth


@pytest.mark.parametrize(
    ("status", "url", "code"),
    [
        (401, WEIGHTS, None),
        (403, WEIGHTS, "GatedRepo"),
        (404, WEIGHTS, "EntryNotFound"),
        (404, f"/api/models/{MODEL}", "RepoNotFound"),
        (503, f"/api/models/{MODEL}", None),
    ],
)
def test_status_answers_with_a_status_and_its_usual_code(hub, status, url, code):
    hub.faults({"match": MODEL, "kind": "status", "status": status})
    answer = hub.get(url)
    assert (answer.status, answer.headers["X-Error-Code"]) == (status, code)
    assert answer.headers["X-Error-Message"]
    assert hub.get(url).status in (200, 302)


def test_status_on_the_lfs_authority(hub, link):
    hub.faults({"match": "^/lfs/", "kind": "status", "status": 503})
    assert hub.get(link).status == 503
    assert hub.get(link).status == 200


def test_code_and_message_can_be_chosen(hub):
    message = "Access to this resource is disabled."
    hub.faults({"match": MODEL, "kind": "status", "status": 403, "error_code": "Odd", "message": message})
    answer = hub.get(SMALL)
    assert (answer.headers["X-Error-Code"], answer.headers["X-Error-Message"]) == ("Odd", message)


def test_rate_limit_says_how_long_to_wait(hub):
    hub.faults({"match": "/resolve/", "kind": "rate_limit", "retry_after": 7})
    answer = hub.get(WEIGHTS)
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["RateLimit"] == '"resolvers";r=0;t=7'
    assert hub.get(WEIGHTS).status == 302


def test_stall_sends_so_much_and_then_nothing(hub, link, content):
    hub.faults({"match": "^/lfs/", "kind": "stall", "at": 50000, "seconds": 30})
    parts = urlsplit(link)
    with socket.create_connection((parts.hostname, parts.port), timeout=1) as connection:
        connection.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        received = b""
        with pytest.raises(TimeoutError):
            while True:
                received += connection.recv(1 << 16)
    assert received.partition(b"\r\n\r\n")[2] == content[:50000]


def test_stall_goes_on_after_its_seconds(hub, link, content):
    hub.faults({"match": "^/lfs/", "kind": "stall", "at": 10, "seconds": 0.3})
    begin = time.monotonic()
    assert hub.get(link).body == content
    assert time.monotonic() - begin >= 0.3


def test_slow_keeps_to_its_pace(hub, link):
    hub.faults({"match": "^/lfs/", "kind": "slow", "bytes_per_second": 100000})
    begin = time.monotonic()
    assert len(hub.get(link, Range="bytes=0-49999").body) == 50000
    assert 0.45 <= time.monotonic() - begin < 5


def test_count_from_lets_some_pass_and_minus_one_never_ends(hub):
    hub.faults({"match": "/refs$", "kind": "status", "status": 500, "count_from": 2, "times": -1})
    assert [hub.get(f"/api/models/{MODEL}/refs").status for _ in range(5)] == [200, 200, 500, 500, 500]


def test_a_fault_may_be_for_one_method(hub):
    hub.faults({"match": "/resolve/", "kind": "status", "status": 500, "method": "GET", "times": -1})
    assert hub.head(WEIGHTS).status == 302
    assert hub.get(WEIGHTS).status == 500


def test_a_body_fault_is_not_used_up_by_answers_without_content(hub, link):
    hub.faults({"match": "unet", "kind": "cut", "at": 10})
    hub.get(WEIGHTS)
    hub.head(link)
    hub.get(link, If_None_Match=hub.head(link).headers["ETag"])
    assert hub.get("/_lab/faults").json()[0]["fired"] == 0
    with pytest.raises(http.client.IncompleteRead):
        hub.get(link)


def test_faults_are_replaced_shown_and_reset(hub):
    hub.faults({"match": "a", "kind": "cut"}, {"match": "b", "kind": "slow"})
    assert [fault["match"] for fault in hub.get("/_lab/faults").json()] == ["a", "b"]
    hub.faults({"match": "c", "kind": "stall"})
    assert [fault["match"] for fault in hub.get("/_lab/faults").json()] == ["c"]
    assert hub.ask("POST", "/_lab/faults", body=json.dumps(hub.get("/_lab/faults").json())).status == 200
    hub.reset()
    assert hub.get("/_lab/faults").json() == []


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"match": "x", "kind": "fire"}, "unknown kind"),
        ({"match": "x", "kind": "cut", "bytes": 3}, "unknown fault keys: bytes"),
        ({"kind": "cut"}, "needs match"),
        ({"match": "(", "kind": "cut"}, "not a regular expression"),
        ("cut", "is an object"),
    ],
)
def test_a_fault_that_is_none_is_refused(hub, fault, word):
    answer = hub.faults(fault)
    assert answer.status == 400
    assert word in answer.json()["error"]


def test_a_stop_ends_a_stalled_answer_and_exits_with_0(start_hub, models):
    hub = start_hub(models)
    hub.faults({"match": "^/lfs/", "kind": "stall", "at": 10})
    link = hub.location(WEIGHTS)
    ended = threading.Event()

    def download():
        try:
            hub.get(link)
        except (http.client.HTTPException, OSError):
            ended.set()

    reader = threading.Thread(target=download)
    reader.start()
    while not any(line.startswith("GET /lfs/") for line in hub.stats()["log"]):
        time.sleep(0.01)
    begin = time.monotonic()
    assert hub.stop() == 0
    reader.join(5)
    assert ended.is_set()
    assert time.monotonic() - begin < 3


def test_a_stop_lets_an_answer_in_progress_end(start_hub, models, content):
    hub = start_hub(models)
    link = hub.location(WEIGHTS)
    parts = urlsplit(link)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        connection.sendall(
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
        )
        received = connection.recv(1 << 12)
        stopper = threading.Thread(target=hub.stop)
        stopper.start()
        time.sleep(0.3)
        while piece := connection.recv(1 << 16):
            received += piece
        stopper.join(10)
    assert received.partition(b"\r\n\r\n")[2] == content


def test_a_missing_folder_is_one_clear_sentence(tmp_path):
    server = Path(__file__).resolve().parents[1] / "server.py"
    result = subprocess.run(
        [sys.executable, str(server), "--root", str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "is not a folder; make one with make_models.py" in result.stderr
