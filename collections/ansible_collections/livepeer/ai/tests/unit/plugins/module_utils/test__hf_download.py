# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The downloader against a server that answers exactly as each test says, over real sockets."""

from __future__ import annotations

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils._hf_download import Downloader, Transfer
from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import HubError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Each request is answered by the next function of the script, and by `whole` when the script is over."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = []
        self.requests = []
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that hangs up is part of these tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with self.server.lock:
            self.server.requests.append((self.path, dict(self.headers)))
            answer = self.server.script.pop(0) if self.server.script else whole
        answer(self)

    def log_message(self, format, *args):
        pass

    def start(self, status, length, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def offset(self):
        found = self.headers.get("Range")
        return int(found.split("=")[1].rstrip("-")) if found else 0


def whole(handler):
    """The file as it is, from the offset that was asked for."""
    start = handler.offset()
    handler.start(206 if start else 200, len(CONTENT) - start)
    handler.wfile.write(CONTENT[start:])


def status(code, **headers):
    def answer(handler):
        handler.start(code, 0, **headers)

    return answer


def cut(length):
    def answer(handler):
        start = handler.offset()
        handler.start(206 if start else 200, len(CONTENT) - start)
        handler.wfile.write(CONTENT[start : start + length])
        handler.close_connection = True

    return answer


def stall(length, seconds):
    def answer(handler):
        start = handler.offset()
        handler.start(206 if start else 200, len(CONTENT) - start)
        handler.wfile.write(CONTENT[start : start + length])
        handler.wfile.flush()
        time.sleep(seconds)

    return answer


def trickle(seconds):
    """A byte now and then: alive, but no use."""

    def answer(handler):
        handler.start(200, len(CONTENT))
        end = time.monotonic() + seconds
        for byte in CONTENT:
            if time.monotonic() > end:
                return
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    return answer


def wrong(handler):
    handler.start(200, len(CONTENT))
    handler.wfile.write(b"\xff" + CONTENT[1:])


def no_range(handler):
    handler.start(200, len(CONTENT))
    handler.wfile.write(CONTENT)


def redirect(location, code=302):
    return status(code, Location=location)


def slowly(handler):
    start = handler.offset()
    handler.start(206 if start else 200, len(CONTENT) - start)
    for position in range(start, len(CONTENT), 1 << 14):
        handler.wfile.write(CONTENT[position : position + (1 << 14)])
        time.sleep(0.02)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def other():
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


class Fetch:
    """One file to be fetched, and what became of it."""

    def __init__(self, server, tmp_path):
        self.server = server
        self.partial = tmp_path / "partial"
        self.final = tmp_path / "final"
        self.done = []
        self.downloader = None

    def transfer(self, name="file", content=CONTENT):
        facts = {"endpoint": self.server.url, "model_id": "org/name", "revision": "main", "path": name}
        digest = hashlib.sha256(content).hexdigest()
        suffix = "" if name == "file" else name
        return Transfer(
            facts,
            f"{self.server.url}/{name}",
            f"{self.partial}{suffix}",
            f"{self.final}{suffix}",
            len(content),
            digest,
            "sha256",
        )

    def run(self, *script, transfers=None, **options):
        self.server.script = list(script)
        options = {"stall_timeout": 1, "retries": 2, "token": None, **options}
        self.downloader = Downloader(**options)
        return self.downloader.run(transfers or [self.transfer()], self.done.append)

    def is_complete(self):
        return self.final.read_bytes() == CONTENT and not self.partial.exists() and len(self.done) == 1

    def ranges(self):
        return [headers.get("Range") for _path, headers in self.server.requests]


@pytest.fixture
def fetch(server, tmp_path, monkeypatch):
    # The order and number of attempts are under test, not how long they wait.
    monkeypatch.setattr("ansible_collections.livepeer.ai.plugins.module_utils._hf_download.backoff", lambda count: 0.01)
    return Fetch(server, tmp_path)


def test_whole_file(fetch):
    assert fetch.run()
    assert fetch.is_complete()
    assert fetch.downloader.received == len(CONTENT)


def test_cut_connection_is_resumed_at_the_byte(fetch):
    assert fetch.run(cut(300000), cut(200000))
    assert fetch.is_complete()
    assert fetch.ranges() == [None, "bytes=300000-", "bytes=500000-"]
    assert fetch.downloader.received == len(CONTENT)


def test_kept_partial_file_is_resumed(fetch):
    fetch.partial.write_bytes(CONTENT[:900000])
    assert fetch.run()
    assert fetch.is_complete()
    assert fetch.downloader.received == len(CONTENT) - 900000


def test_complete_partial_file_needs_no_request(fetch):
    fetch.partial.write_bytes(CONTENT)
    assert fetch.run()
    assert fetch.is_complete()
    assert fetch.server.requests == []


def test_too_long_partial_file_is_started_again(fetch):
    fetch.partial.write_bytes(CONTENT + b"more")
    assert fetch.run()
    assert fetch.is_complete()
    assert fetch.ranges() == [None]


def test_server_without_range_starts_again(fetch):
    fetch.partial.write_bytes(CONTENT[:1000])
    assert fetch.run(no_range)
    assert fetch.is_complete()


def test_416_starts_again(fetch):
    fetch.partial.write_bytes(CONTENT[:1000])
    assert fetch.run(status(416))
    assert fetch.is_complete()
    assert fetch.ranges() == ["bytes=1000-", None]


def test_empty_file_needs_no_request(fetch):
    assert fetch.run(transfers=[fetch.transfer(content=b"")])
    assert fetch.final.read_bytes() == b""
    assert fetch.server.requests == []


def test_stalled_connection_is_replaced(fetch):
    began = time.monotonic()
    assert fetch.run(stall(100000, 20))
    assert fetch.is_complete()
    assert time.monotonic() - began < 10
    assert fetch.ranges() == [None, "bytes=100000-"]
    assert "no byte for 1 s after 100000" in fetch.downloader.problem


def test_trickling_connection_is_replaced(fetch):
    assert fetch.run(trickle(10))
    assert fetch.is_complete()
    assert "stalled" in fetch.downloader.problem


def test_wrong_bytes_are_fetched_once_more(fetch):
    assert fetch.run(wrong)
    assert fetch.is_complete()
    assert fetch.ranges() == [None, None]


def test_wrong_bytes_twice_are_deleted_and_told(fetch):
    with pytest.raises(HubError, match="arrived twice with the wrong content") as caught:
        fetch.run(wrong, wrong)
    assert caught.value.kind == "digest"
    assert DIGEST in str(caught.value)
    assert not fetch.partial.exists()
    assert not fetch.final.exists()


def test_wrong_bytes_are_counted_over_calls(fetch):
    with pytest.raises(HubError, match="wrong content"):
        fetch.run(wrong, history={"mismatches": {DIGEST: 1}})


def test_damaged_partial_file_is_found_out(fetch):
    fetch.partial.write_bytes(b"\0" * 1000)
    assert fetch.run()
    assert fetch.is_complete()
    assert fetch.ranges() == ["bytes=1000-", None]


def test_429_waits_as_long_as_asked(fetch):
    began = time.monotonic()
    assert fetch.run(status(429, Retry_After="1"))
    assert fetch.is_complete()
    assert time.monotonic() - began >= 1


def test_429_with_the_rate_limit_header(fetch):
    began = time.monotonic()
    assert fetch.run(status(429, RateLimit='"resolve";r=0;t=1'))
    assert time.monotonic() - began >= 1


def test_429_that_outlasts_the_call_is_handed_back(fetch):
    assert not fetch.run(status(429, Retry_After="60"), seconds=5)
    assert 50 < fetch.downloader.retry_in() <= 60
    assert fetch.downloader.history()["attempts"] == {DIGEST: 1}


def test_429_with_a_wait_beyond_max_wait(fetch):
    with pytest.raises(HubError, match="asks to wait 3600 s") as caught:
        fetch.run(status(429, Retry_After="3600"), max_wait=600)
    assert caught.value.kind == "rate_limit"


def test_429_for_ever(fetch):
    with pytest.raises(HubError, match="still limits the rate of requests for org/name after 3 attempts"):
        fetch.run(*[status(429, Retry_After="0")] * 3)


def test_503_passes(fetch):
    assert fetch.run(status(503), status(500))
    assert fetch.is_complete()


def test_503_for_ever(fetch):
    with pytest.raises(HubError, match="keeps failing for org/name: HTTP status 503") as caught:
        fetch.run(*[status(503)] * 3)
    assert caught.value.kind == "server_error"


def test_attempts_are_counted_over_calls(fetch):
    with pytest.raises(HubError, match="after 3 attempts"):
        fetch.run(cut(0), history={"attempts": {DIGEST: 2}})


def test_progress_resets_the_count(fetch):
    assert fetch.run(*[cut(100000)] * 8)
    assert fetch.is_complete()


def test_connection_without_a_byte_is_given_up(fetch):
    with pytest.raises(HubError, match="Gave up on file of org/name after 3 attempts without a byte") as caught:
        fetch.run(cut(100), cut(0), cut(0), cut(0))
    assert caught.value.kind == "transfer"
    assert fetch.partial.read_bytes() == CONTENT[:100]


def test_unreachable_server(fetch, server):
    transfer = fetch.transfer()
    transfer.url = "http://127.0.0.1:9/file"
    with pytest.raises(HubError, match="cannot be reached for org/name: Connection refused") as caught:
        fetch.run(transfers=[transfer])
    assert caught.value.kind == "unreachable"


@pytest.mark.parametrize(
    ("code", "error", "token", "kind"),
    [
        (401, "GatedRepo", None, "no_token"),
        (401, None, None, "no_repository"),
        (401, None, "hf_x", "bad_token"),
        (403, "GatedRepo", "hf_x", "licence"),
        (403, None, "hf_x", "licence"),
        (404, "EntryNotFound", None, "no_file"),
        (404, "RevisionNotFound", None, "no_revision"),
        (404, "RepoNotFound", None, "no_repository"),
        (401, "RepoNotFound", None, "no_repository"),
        (400, None, None, "refused"),
    ],
)
def test_refusals_are_told_apart_and_not_repeated(fetch, code, error, token, kind):
    with pytest.raises(HubError) as caught:
        fetch.run(status(code, **({"X_Error_Code": error} if error else {})), token=token)
    assert caught.value.kind == kind
    assert str(caught.value).endswith(".")
    assert "hf_x" not in str(caught.value)
    assert len(fetch.server.requests) == 1


def test_token_goes_to_its_own_authority_only(fetch, other):
    assert fetch.run(redirect(f"{other.url}/cdn"), token="hf_secret")
    assert fetch.is_complete()
    assert fetch.server.requests[0][1]["Authorization"] == "Bearer hf_secret"
    assert "Authorization" not in other.requests[0][1]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_token_follows_a_redirect_within_its_authority(fetch, code):
    assert fetch.run(redirect("/elsewhere", code), token="hf_secret")
    assert [headers.get("Authorization") for _path, headers in fetch.server.requests] == ["Bearer hf_secret"] * 2


def test_range_follows_a_redirect(fetch, other):
    fetch.partial.write_bytes(CONTENT[:1000])
    assert fetch.run(redirect(f"{other.url}/cdn"))
    assert other.requests[0][1]["Range"] == "bytes=1000-"


def test_expired_link_of_another_authority_is_asked_for_again(fetch, other):
    other.script = [status(403)]
    assert fetch.run(redirect(f"{other.url}/cdn"), redirect(f"{other.url}/cdn"))
    assert fetch.is_complete()


def test_several_files_at_once(fetch):
    names = [f"file{number}" for number in range(4)]
    transfers = [fetch.transfer(name) for name in names]
    # Four of them have to be in the server's hands at the same time, or none is answered.
    barrier = threading.Barrier(4, timeout=10)

    def together(handler):
        barrier.wait()
        whole(handler)

    assert fetch.run(*[together] * 4, transfers=transfers, parallel=4)
    assert len(fetch.done) == 4


def test_limited_time_keeps_what_came(fetch):
    assert not fetch.run(slowly, seconds=0.5)
    kept = fetch.partial.stat().st_size
    assert 0 < kept < len(CONTENT)
    assert fetch.downloader.received == kept
    assert fetch.run()
    assert fetch.is_complete()
    assert fetch.downloader.received == len(CONTENT) - kept


def test_full_disk_reaches_the_caller(fetch, monkeypatch):
    def no_space(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ansible_collections.livepeer.ai.plugins.module_utils._hf_download.os.fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        fetch.run()


def test_redirect_from_tls_to_plain_http_is_not_followed():
    import urllib.request

    from ansible_collections.livepeer.ai.plugins.module_utils._hf_download import Redirects, Trouble

    request = urllib.request.Request("https://hub/file")
    with pytest.raises(Trouble) as caught:
        Redirects().redirect_request(request, None, 302, "Found", {}, "http://cdn/file")
    assert caught.value.kind == "plain_redirect"
