# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the BYOC routes, against servers that answer in every way."""

from __future__ import annotations

import time

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _byoc
from ansible_collections.livepeer.ai.plugins.module_utils._byoc import NoAnswer, exchange
from ansible_collections.livepeer.ai.tests.unit.liars import (
    CLOSE,
    STALL,
    free_port,
    reply,
    self_signed,
    serve,
    serve_raw,
)


def silence(url, timeout=0.5):
    began = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        exchange("GET", url, timeout=timeout)
    assert time.monotonic() - began < timeout + 2
    return caught.value


def test_a_server_that_closes_after_its_answer():
    with serve_raw(b"HTTP/1.0 200 OK\r\n\r\nready") as address:
        answer = exchange("GET", f"http://{address}/health")
    assert (answer.status, answer.text, answer.fingerprint) == (200, "ready", "")


def test_the_fingerprint_is_the_certificates(tmp_path):
    seen = []
    for number in (1, 2):
        with serve({"*": reply(200)}, self_signed(tmp_path / f"{number}.pem")) as server:
            seen += [exchange("GET", f"{server.url}/healthz").fingerprint for _number in range(2)]
    assert seen[0] == seen[1] != seen[2] == seen[3]
    assert all(len(one) == 64 for one in seen)


def test_ways_of_not_answering(tmp_path):
    with serve({"*": CLOSE}) as server:
        assert silence(server.url).dropped
        assert "does not speak TLS" in silence(server.url.replace("http:", "https:")).sentence
    with serve({"*": CLOSE}, self_signed(tmp_path / "node.pem")) as server:
        assert silence(server.url).dropped
    with serve({"*": STALL}) as server:
        assert "nothing complete came within 0.5 s" in silence(server.url).sentence
    with serve_raw(b"SSH-2.0-OpenSSH_9.9\r\n") as address:
        assert "it is not HTTP" in silence(f"http://{address}").sentence
    refused = silence(f"http://127.0.0.1:{free_port()}")
    assert "the connection was refused" in refused.sentence
    assert not refused.dropped


def test_a_redirect_is_an_answer_and_takes_the_secret_nowhere():
    with serve({"*": reply(200, "ok")}) as other:
        told = {**reply(307), "headers": {"Location": other.url}}
        with serve({"*": told}) as server, pytest.raises(_byoc.ByocFailure) as caught:
            _byoc.Orchestrator(server.url, "secret").unregister("words")
        assert caught.value.name == "not_an_orchestrator"
        assert other.seen == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://node:8935", ""),
        ("http://[::1]:8935/base", ""),
        ("node:8935", "it does not begin with"),
        ("https://", "it does not begin with"),
        ("https://node:0", "the port 0"),
        ("https://node:99999", "ort"),
        ("https://me@node", "credentials"),
        ("https://node?x=1", "credentials"),
    ],
)
def test_addresses(url, problem):
    assert bool(_byoc.service_error(url)) == bool(problem)
    assert problem in _byoc.service_error(url)


def test_long_texts_become_one_line():
    assert _byoc.one_line("a\n b\tc") == "a b c"
    assert len(_byoc.one_line("x" * 500)) == 200
