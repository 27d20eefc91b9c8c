# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way of not answering has its own name, against real servers."""

from __future__ import annotations

import time

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _http
from ansible_collections.livepeer.ai.plugins.module_utils._http import HttpClient, HttpFailure
from ansible_collections.livepeer.ai.tests.unit.liars import (
    CLOSE,
    STALL,
    free_port,
    reply,
    self_signed,
    serve,
    serve_raw,
)


def failure(url, timeout=2.0, **options):
    with pytest.raises(HttpFailure) as caught:
        HttpClient(timeout, **options).get(url)
    assert caught.value.sentence.endswith(".")
    assert caught.value.remedy.endswith(".")
    return caught.value


def test_refused():
    told = failure(f"http://127.0.0.1:{free_port()}/health")
    assert told.name == "refused"
    assert "was refused" in told.sentence


def test_name_that_does_not_resolve():
    assert failure("http://orchestrator.invalid:8935/healthz").name == "dns"


def test_silence_is_a_time_out():
    with serve({"*": STALL}) as server:
        told = failure(server.url, timeout=0.3)
    assert told.name == "timeout"
    assert "0.3 s" in told.sentence


def test_a_dripping_server_meets_the_deadline_too(monkeypatch):
    """The socket's own limit is per piece, so only the clock on the whole catches a server that drips."""

    class Dripping:
        headers = {}

        def read1(self, _size):
            time.sleep(0.05)
            return b"."

    with pytest.raises(TimeoutError):
        _http.read_whole(Dripping(), time.monotonic() + 0.2)


def test_self_signed_certificate(tmp_path):
    with serve({"*": reply()}, self_signed(tmp_path / "cert.pem")) as server:
        told = failure(server.url)
        assert HttpClient(2, validate_certs=False).get(server.url).status == 200
    assert told.name == "certificate"
    assert "self-signed" in told.sentence or "self signed" in told.sentence


def test_plain_port_asked_for_tls():
    with serve_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        assert failure(f"https://{address}/").name == "tls"


def test_closed_without_reply():
    with serve({"*": CLOSE}) as server:
        assert failure(server.url).name == "closed_without_reply"


def test_not_http():
    with serve_raw(b"SSH-2.0-OpenSSH_9.2\r\n") as address:
        assert failure(f"http://{address}/").name == "not_http"


def test_body_shorter_than_promised():
    with serve({"*": reply(body=b"half", length=8)}) as server:
        assert failure(server.url).name == "truncated"


def test_larger_than_any_answer(monkeypatch):
    monkeypatch.setattr(_http, "MAX_BYTES", 10)
    with serve({"*": reply(body=b"x" * 100)}) as server:
        assert failure(server.url).name == "too_large"


@pytest.mark.parametrize("url", ["127.0.0.1:9935", "ftp2://x/", "http://", "http://exa mple/"])
def test_not_an_address(url):
    assert failure(url).name in ("bad_url", "dns")


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_status_is_an_answer(status):
    with serve({"*": reply(status, {"error": {"message": "no"}})}) as server:
        answer = HttpClient(2).get(server.url)
    assert (answer.status, answer.error_text()) == (status, "no")


def test_a_redirect_does_not_carry_the_token_away():
    with serve({"*": reply(body={})}) as there:
        moved = dict(reply(302), headers={"Location": there.url + "/there"})
        with serve({"*": moved}) as here:
            assert HttpClient(2, token="sesame").get(here.url).url == there.url + "/there"
            assert here.seen[0]["headers"]["Authorization"] == "Bearer sesame"
        assert "Authorization" not in there.seen[0]["headers"]


def test_loopback_needs_no_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with serve({"*": reply(body={})}) as server:
        assert HttpClient(2).get(server.url).status == 200


def test_multipart_holds_fields_and_files():
    with serve({"*": reply(body={})}) as server:
        HttpClient(2).post_multipart(server.url, {"prompt": "dawn"}, {"image": ("a.png", "image/png", b"\x89PNG")})
        seen = server.seen[0]
    boundary = seen["headers"]["Content-Type"].partition("boundary=")[2].encode()
    assert seen["body"].split(b"--" + boundary)[1:3] == [
        b'\r\nContent-Disposition: form-data; name="prompt"\r\n\r\ndawn\r\n',
        b'\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
        b"\x89PNG\r\n",
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"detail": {"msg": "Prompt must be provided."}}, "Prompt must be provided."),
        ({"detail": [{"loc": ["body", "prompt"], "msg": "Field required"}]}, "body.prompt: Field required"),
        ("network capabilities not available", "network capabilities not available"),
    ],
)
def test_error_bodies_of_node_and_runner(body, text):
    with serve({"*": reply(500, body)}) as server:
        assert HttpClient(2).get(server.url).error_text() == text


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("token hf_abcdefghijklmnopqrstuvwxyz0123456789 used", "token hf_*** used"),
        ("hf_hub_download failed", "hf_hub_download failed"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("http://user:secret@host/path", "http://***@host/path"),
    ],
)
def test_redact(secret, shown):
    assert _http.redact(secret) == shown
