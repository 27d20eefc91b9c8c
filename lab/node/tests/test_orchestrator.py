# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orchestrator's service port against facts 4.1, 5.1, 5.2, 6.3 and 6.4."""

from __future__ import annotations

import http.client
import json
import ssl
from fractions import Fraction
from types import SimpleNamespace

import pytest
from livepeer_node import orchestrator, web
from node_helpers.network import (
    MODEL,
    Site,
    data_url,
    fetch,
    images,
    picture,
    png,
    post_form,
    post_json,
    wav,
)

T2I = ("text-to-image", MODEL)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.stop()


def info_of(node, **query):
    return node.orchestrator.info({key: [str(value)] for key, value in query.items()})


def credentials(node):
    return {"Livepeer-Segment": info_of(node)["auth_token"]}


def t2i(node, **values):
    document = {"prompt": "a quiet harbour at dawn", "model_id": MODEL, **values}
    return post_json(f"{node.service_uri}/text-to-image", document, **credentials(node))


# --- the port ----------------------------------------------------------------------------------------------------
def test_healthz_is_empty_and_the_certificate_is_self_signed_for_the_service_host(site):
    node = site.orchestrator(None)
    assert fetch(f"{node.service_uri}/healthz")[::2] == (200, b"")
    host, port = node.service_uri.removeprefix("https://").split(":")
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        http.client.HTTPSConnection(host, int(port), timeout=5).request("GET", "/healthz")


def test_plain_http_only_where_the_http_address_says_http(site):
    assert fetch(f"{site.orchestrator(None, scheme='http').service_uri}/healthz")[0] == 200
    encrypted = site.orchestrator(None).service_uri.replace("https", "http")
    with pytest.raises((OSError, http.client.HTTPException)):
        fetch(f"{encrypted}/healthz")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (":8935", ("", 8935, True)),
        ("0.0.0.0:8935", ("0.0.0.0", 8935, True)),
        ("https://0.0.0.0:8935", ("0.0.0.0", 8935, True)),
        ("http://0.0.0.0:8935/", ("0.0.0.0", 8935, False)),
    ],
)
def test_http_address_may_carry_a_scheme(address, expected):
    assert orchestrator.listening_address(address) == expected


@pytest.mark.parametrize("address", ["http://0.0.0.0:8935/x", "ftp://0.0.0.0:8935"])
def test_http_address_with_a_path_or_another_scheme_is_refused(address):
    with pytest.raises(ValueError, match="-httpAddr"):
        orchestrator.listening_address(address)


def test_a_taken_port_is_an_error(site):
    port = int(site.orchestrator(None).service_uri.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"):
        site.orchestrator(None, port=port)


@pytest.mark.parametrize("path", ["/", "/capability", "/apps/a", "/text-to-image/"])
def test_unknown_paths_are_404(site, path):
    assert fetch(site.orchestrator(None).service_uri + path) == (
        404,
        "text/plain; charset=utf-8",
        b"404 page not found\n",
    )


# --- who may send a job ------------------------------------------------------------------------------------------
def test_a_job_without_credentials_is_403_missing_auth_token(site):
    runner = site.runner()
    node = site.orchestrator(runner, T2I)
    answer = post_json(f"{node.service_uri}/text-to-image", {"prompt": "x", "model_id": MODEL})
    assert answer == (403, "text/plain; charset=utf-8", b"missing auth token\n")
    assert runner.requests == []


def test_a_token_of_another_process_is_refused(site):
    runner = site.runner()
    one, other = site.orchestrator(runner, T2I), site.orchestrator(runner, T2I)
    answer = post_json(f"{one.service_uri}/text-to-image", {"prompt": "x", "model_id": MODEL}, **credentials(other))
    assert answer[::2] == (403, b"invalid auth token\n")


def test_the_body_is_decoded_before_the_credentials_are_looked_at(site):
    node = site.orchestrator(None)
    assert fetch(f"{node.service_uri}/text-to-image", "POST", b"")[::2] == (400, b"EOF\n")


def test_another_method_is_200_and_empty(site):
    assert fetch(f"{site.orchestrator(None).service_uri}/llm")[::2] == (200, b"")


def test_a_model_id_left_out_drops_the_connection(site):
    node = site.orchestrator(site.runner(), T2I)
    with pytest.raises((OSError, http.client.HTTPException)):
        post_json(f"{node.service_uri}/text-to-image", {"prompt": "x"}, **credentials(node))


def test_full_or_unknown_models_and_nodes_without_worker_are_503(site):
    runner = site.runner()
    full = site.orchestrator(runner, T2I, capacity=0)
    for node in (full, site.orchestrator(runner, ("upscale", MODEL)), site.orchestrator(None)):
        assert t2i(node)[::2] == (503, b"insufficient capacity\n")


# --- the runner --------------------------------------------------------------------------------------------------
def test_a_json_job_reaches_the_runner_with_its_token_and_known_fields_only(site):
    runner = site.runner()
    status, kind, body = t2i(site.orchestrator(runner, T2I, token="s3cret"), seed=7, Width=64, colour="red")
    assert (status, kind) == (200, "application/json")
    assert runner.last.headers["Authorization"] == "Bearer s3cret"
    sent = json.loads(runner.last.body)
    assert sent == {"prompt": "a quiet harbour at dawn", "model_id": MODEL, "width": 64, "seed": 7}
    assert json.loads(body)["images"][0]["seed"] == 7


def test_no_token_no_authorization_header(site):
    runner = site.runner()
    t2i(site.orchestrator(runner, T2I))
    assert "Authorization" not in runner.last.headers


def test_a_multipart_job_reaches_the_runner_with_its_file(site):
    runner = site.runner()
    node = site.orchestrator(runner, ("image-to-image", MODEL))
    values = {"image": picture(), "prompt": "x", "model_id": MODEL, "strength": 0.5, "safety_check": False}
    assert post_form(f"{node.service_uri}/image-to-image", values, **credentials(node))[0] == 200
    assert runner.last.headers["Content-Type"].startswith("multipart/form-data")
    assert png() in runner.last.body
    assert b'name="strength"\r\n\r\n0.500000\r\n' in runner.last.body
    assert b'name="safety_check"\r\n\r\nfalse\r\n' in runner.last.body


def test_pictures_are_kept_and_served_without_their_metadata(site):
    runner = site.runner(images(png(comment=b"secret prompt")))
    node = site.orchestrator(runner, T2I)
    url = json.loads(t2i(node)[2])["images"][0]["url"]
    assert url.startswith(f"{node.service_uri}/stream/")
    assert fetch(url) == (200, "image/png", png())


def test_several_pictures_of_one_answer_share_one_name(site):
    node = site.orchestrator(site.runner(images(png(4, 4), png(5, 5))), T2I)
    first, second = json.loads(t2i(node)[2])["images"]
    assert first["url"] == second["url"]
    assert (first["seed"], second["seed"]) == (7, 8)


@pytest.mark.parametrize(
    ("status", "detail", "text"),
    [
        (400, {"msg": "Prompt must be provided."}, "text-to-image container returned 400: Prompt must be provided."),
        (401, {"msg": "Invalid bearer token."}, "text-to-image container returned 401: Invalid bearer token."),
        (500, {"msg": "Out of memory."}, "text-to-image container returned 500: Out of memory."),
        (
            422,
            [{"loc": ["body", "height"], "msg": "no", "type": "int"}],
            'text-to-image container returned 422: {"detail":[{"loc":["body","height"],"msg":"no","type":"int"}]}',
        ),
    ],
)
def test_a_refusal_of_the_runner_is_500_with_its_text_and_frees_the_slot(site, status, detail, text):
    runner = site.runner(web.as_json({"detail": detail}, status))
    node = site.orchestrator(runner, T2I)
    assert t2i(node)[::2] == (500, text.encode() + b"\n")
    assert node.worker.free[T2I] == 1


@pytest.mark.parametrize("answer", [web.text("ok"), web.as_json({"detail": {"msg": "no"}}, 503), web.text("x", 500)])
def test_an_unreadable_answer_drops_the_connection_and_the_slot_is_lost(site, answer):
    node = site.orchestrator(site.runner(answer), T2I)
    with pytest.raises((OSError, http.client.HTTPException)):
        t2i(node)
    assert node.worker.free[T2I] == 0
    assert t2i(node)[0] == 503


def test_an_unreadable_answer_to_a_text_job_is_passed_on_as_null(site):
    node = site.orchestrator(site.runner(web.text("ok")), ("image-to-text", MODEL))
    values = {"image": picture(), "model_id": MODEL}
    answer = post_form(f"{node.service_uri}/image-to-text", values, **credentials(node))
    assert answer == (200, "application/json", b"null")


def test_a_runner_that_is_gone_is_500(site):
    runner = site.runner()
    node = site.orchestrator(runner, T2I)
    runner.stop()
    site._things.remove(runner)
    status, _kind, body = t2i(node)
    assert status == 500
    assert b"refused" in body


def test_frames_become_one_mp4(site):
    frames = [{"url": data_url("image/png", png(16, 8)), "seed": 3, "nsfw": False} for _ in range(4)]
    node = site.orchestrator(site.runner({"frames": [frames]}), ("image-to-video", MODEL))
    values = {"image": picture(), "model_id": MODEL, "fps": 6}
    answer = json.loads(post_form(f"{node.service_uri}/image-to-video", values, **credentials(node))[2])
    assert [item["seed"] for item in answer["images"]] == [3]
    status, kind, film = fetch(answer["images"][0]["url"])
    assert (status, kind, film[4:8]) == (200, "video/mp4", b"ftyp")
    assert film.count(png(16, 8)) == 4
    (offset,) = (int.from_bytes(film[film.index(b"stco") + 12 :][:4], "big"),)
    assert film[offset:].startswith(png(16, 8))


def test_speech_is_served_as_wav(site):
    node = site.orchestrator(
        site.runner({"audio": {"url": data_url("audio/wav", wav())}}), ("text-to-speech", "parler-tts/x")
    )
    document = {"text": "hello", "model_id": "parler-tts/x"}
    answer = json.loads(post_json(f"{node.service_uri}/text-to-speech", document, **credentials(node))[2])
    assert fetch(answer["audio"]["url"]) == (200, "audio/wav", wav())


def test_a_picture_that_cannot_be_decoded_is_400(site):
    node = site.orchestrator(site.runner(), ("upscale", MODEL))
    values = {"image": picture(b"RIFFxxxxWEBP"), "prompt": "x", "model_id": MODEL}
    answer = post_form(f"{node.service_uri}/upscale", values, **credentials(node))
    assert answer[::2] == (400, b"image: unknown format\n")


def test_a_streamed_answer_ends_at_the_finish_reason_and_then_frees_the_slot(site):
    def chunk(text, reason=None):
        choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}
        document = {"id": "1", "model": "m", "created": 1, "usage": {}, "choices": [choice]}
        return b"data: " + json.dumps(document).encode() + b"\n\n"

    events = [chunk("Hel"), chunk("lo", "stop"), b"data: [DONE]\n\n"]
    runner = site.runner(web.Response(200, events, {"Content-Type": "text/event-stream"}))
    node = site.orchestrator(runner, ("llm", "m"))
    document = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True, "max_tokens": 9}
    status, kind, body = post_json(f"{node.service_uri}/llm", document, **credentials(node))
    assert (status, kind) == (200, "text/event-stream")
    assert body.count(b"data: ") == 2
    assert b"[DONE]" not in body
    assert node.worker.free["llm", "m"] == 1


# --- what it says of itself --------------------------------------------------------------------------------------
def test_capabilities_show_warmth_and_the_capacity_left(site):
    runner = site.runner()
    node = site.orchestrator(runner, T2I)
    info = info_of(node)
    assert info["orch_uri"] == info["service_uri"] == node.service_uri
    assert info["capabilities"]["version"] == "0.9.1"
    assert info["capabilities"]["bitstring"][0] >> 27 & 1
    models = info["capabilities"]["constraints"]["PerCapability"]["27"]["models"]
    assert models == {MODEL: {"warm": True, "capacity": 1, "runnerVersion": "0.14.1"}}
    with node.worker.borrow(*T2I):
        models = info_of(node)["capabilities"]["constraints"]["PerCapability"]["27"]["models"]
        assert models == {MODEL: {"warm": True, "runnerVersion": "0.14.1"}}


def test_offchain_it_names_no_price(site):
    info = info_of(site.orchestrator(site.runner(), T2I))
    assert (info["price_info"], info["capabilities_prices"], info["ticket_params"]) == (None, None, None)


def test_onchain_prices_are_whole_wei_and_zero_vanishes(site):
    account = SimpleNamespace(address="0xA", recipient="0xB")
    prices = {("default", 27, MODEL): Fraction(7, 2), ("default", 30, "up"): Fraction(1, 3)}
    node = site.orchestrator(site.runner(), T2I, eth=account, prices=prices, base_prices={"default": Fraction(0)})
    info = info_of(node)
    assert (info["address"], info["local_address"]) == ("0xB", "0xA")
    assert info["price_info"] == {"pixelsPerUnit": 1}
    assert info["capabilities_prices"] == [
        {"pricePerUnit": 3, "pixelsPerUnit": 1, "capability": 27, "constraint": MODEL},
        {"pixelsPerUnit": 1, "capability": 30, "constraint": "up"},
    ]
    asked = info_of(node, capability=27, model_id=MODEL)
    assert asked["price_info"] == {"pricePerUnit": 7, "pixelsPerUnit": 2}
    assert (asked["capabilities_prices"], asked["hardware"]) == (None, None)


def test_a_price_for_one_gateway_replaces_the_default(site):
    account = SimpleNamespace(address="0xA", recipient="0xB")
    prices = {("default", 27, MODEL): Fraction(100), ("0xfeed", 27, MODEL): Fraction(50)}
    node = site.orchestrator(site.runner(), T2I, eth=account, prices=prices)
    assert info_of(node, sender="0xFEED")["capabilities_prices"][0]["pricePerUnit"] == 50
    assert info_of(node, sender="0xbeef")["capabilities_prices"][0]["pricePerUnit"] == 100
