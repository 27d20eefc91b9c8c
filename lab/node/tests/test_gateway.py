# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's HTTP port against facts 5.3, 6.1 and 6.2: above all the answers that lie."""

from __future__ import annotations

import http.client
import json
import time
from fractions import Fraction
from types import SimpleNamespace

import pytest
from livepeer_node import jobs, media, sessions, web
from node_helpers.network import (
    MODEL,
    Site,
    data_url,
    error_text,
    fetch,
    images,
    picture,
    png,
    post_form,
    post_json,
    url_of,
    wav,
)
from node_helpers.process import eventually, free_port

T2I = ("text-to-image", MODEL)
# Slow machines must not turn "twenty tries" into "two seconds are over".
PATIENT = ("-aiProcessingRetryTimeout=30s",)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def dropped():
    return pytest.raises((ConnectionError, http.client.HTTPException))


def t2i(gateway, **values):
    return post_json(url_of(gateway, "/text-to-image"), {"prompt": "dawn", "model_id": MODEL, **values})


def pools(gateway):
    return gateway.gateway.sessions.describe()


# --- routes ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", [*(f"/{name}" for name in jobs.FORMS), "/image-to-video/result"])
def test_without_ingest_every_ai_route_is_404_and_healthz_stays_green(site, path):
    gateway = site.gateway(http_ingest=False)
    assert fetch(url_of(gateway, path), "POST", b"{}")[::2] == (404, b"404 page not found\n")
    assert fetch(url_of(gateway, "/healthz"))[::2] == (200, b"")


@pytest.mark.parametrize("pipeline", jobs.FORMS)
def test_another_method_is_200_and_empty(site, pipeline):
    assert fetch(url_of(site.gateway(), f"/{pipeline}")) == (200, "", b"")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "EOF"),
        (b'{"prompt": ', "unexpected EOF"),
        (b"[1]", "json: cannot unmarshal array into Go value of type worker.TextToImageParams"),
        (
            b'{"height": "512"}',
            "json: cannot unmarshal string into Go struct field TextToImageParams.height of type int",
        ),
        (
            b'{"height": 1.5}',
            "json: cannot unmarshal number 1.5 into Go struct field TextToImageParams.height of type int",
        ),
    ],
)
def test_a_body_that_cannot_be_decoded_is_400_with_the_true_text(site, body, text):
    status, kind, answer = fetch(url_of(site.gateway(), "/text-to-image"), "POST", body)
    assert (status, kind, error_text(answer)) == (400, "application/json", text)


def test_multipart_routes_refuse_other_content_types_and_bad_numbers(site):
    url = url_of(site.gateway(), "/image-to-image")
    status, _kind, body = post_json(url, {"prompt": "x"})
    assert (status, error_text(body)) == (400, "request Content-Type isn't multipart/form-data")
    status, _kind, body = post_form(url, {"image": picture(), "num_inference_steps": "many"})
    assert status == 400
    assert 'parsing "many": invalid syntax' in error_text(body)


# --- nobody to do it ---------------------------------------------------------------------------------------------
def test_no_orchestrator_reachable_is_503_after_two_to_three_seconds(site):
    gateway = site.gateway(f"https://127.0.0.1:{free_port()}")
    begin = time.monotonic()
    status, kind, body = t2i(gateway)
    assert (status, kind, error_text(body)) == (503, "application/json", "Service Unavailable Error")
    assert 1.9 < time.monotonic() - begin < 6


def test_a_model_that_nobody_offers_drops_the_connection(site, dropped):
    orchestrator = site.orchestrator(site.runner(), ("text-to-image", "other/model"))
    gateway = site.gateway(orchestrator, arguments=PATIENT)
    with dropped:
        t2i(gateway)
    assert pools(gateway) == {}


def test_a_gateway_without_orchestrators_drops_the_connection(site, dropped):
    with dropped:
        t2i(site.gateway())


@pytest.mark.parametrize("pipeline", ["text-to-image", "text-to-speech"])
def test_a_missing_model_id_drops_the_connection_even_if_the_default_is_offered(site, dropped, pipeline):
    runner = site.runner()
    orchestrator = site.orchestrator(runner, (pipeline, jobs.FORMS[pipeline].default_model))
    gateway = site.gateway(orchestrator, arguments=PATIENT)
    with dropped:
        post_json(url_of(gateway, f"/{pipeline}"), {"prompt": "x", "text": "x"})
    assert runner.requests == []


def test_orchestrators_not_available_for_work_are_passed_over(site, dropped):
    orchestrator = site.orchestrator(site.runner(), T2I)
    url, orchestrator.service_uri = orchestrator.service_uri, ""
    with dropped:
        t2i(site.gateway(url, arguments=PATIENT))


# --- answers -----------------------------------------------------------------------------------------------------
def test_a_picture_comes_back_under_a_relative_url_that_the_gateway_serves(site):
    runner = site.runner(images(png(9, 9)))
    gateway = site.gateway(site.orchestrator(runner, T2I))
    status, kind, body = t2i(gateway, seed=7)
    answer = json.loads(body)
    assert (status, kind) == (200, "application/json")
    assert [(item["seed"], item["nsfw"]) for item in answer["images"]] == [(7, False)]
    url = answer["images"][0]["url"]
    assert url.startswith("/stream/")
    assert fetch(url_of(gateway, url)) == (200, "image/png", png(9, 9))
    assert fetch(url_of(gateway, url + "x"))[0] == 404


def test_the_gateway_fills_in_size_and_number_of_pictures(site):
    runner = site.runner()
    t2i(site.gateway(site.orchestrator(runner, T2I)))
    sent = json.loads(runner.last.body)
    assert (sent["width"], sent["height"], sent["num_images_per_prompt"]) == (512, 512, 1)


def test_only_the_last_twelve_files_of_a_session_are_kept():
    store = media.Store()
    urls = [store.save("s", f"{n}.png", b"x") for n in range(13)]
    assert store.at_path(urls[0]) is None
    assert store.at_path(urls[1]) == ("image/png", b"x")


def test_a_400_of_the_runner_keeps_its_text(site):
    runner = site.runner(web.as_json({"detail": {"msg": "Prompt must be provided."}}, 400))
    gateway = site.gateway(site.orchestrator(runner, T2I))
    status, _kind, body = t2i(gateway, prompt="")
    assert (status, error_text(body)) == (400, ": Prompt must be provided.")
    assert len(runner.requests) == 1


def test_a_500_of_the_only_runner_is_tried_twenty_times_and_then_dropped(site, dropped):
    runner = site.runner(web.as_json({"detail": {"msg": "CUDA out of memory"}}, 500))
    gateway = site.gateway(site.orchestrator(runner, T2I), arguments=PATIENT)
    with dropped:
        t2i(gateway)
    assert len(runner.requests) == 20


def test_a_500_that_outlasts_the_retry_time_is_503(site):
    runner = site.runner(web.as_json({"detail": {"msg": "CUDA out of memory"}}, 500))
    gateway = site.gateway(site.orchestrator(runner, T2I), arguments=["-aiProcessingRetryTimeout=1ms"])
    status, _kind, body = t2i(gateway)
    assert (status, error_text(body)) == (503, "Service Unavailable Error")


def test_media_that_cannot_be_fetched_are_500_with_the_fixed_text(site):
    orchestrator = site.orchestrator(site.runner(), T2I)
    orchestrator.orchestrator.store.read = lambda _session, _name: None
    status, _kind, body = t2i(site.gateway(orchestrator))
    assert (status, error_text(body)) == (500, "Internal Server Error")


@pytest.mark.parametrize("values", [{}, {"image": jobs.File("x.webp", b"RIFFxxxxWEBP")}])
def test_a_missing_or_unknown_picture_drops_the_connection(site, dropped, values):
    runner = site.runner()
    gateway = site.gateway(site.orchestrator(runner, ("upscale", MODEL)), arguments=PATIENT)
    with dropped:
        post_form(url_of(gateway, "/upscale"), {"prompt": "x", "model_id": MODEL, **values})
    assert runner.requests == []


def test_audio_is_measured_and_shorter_than_a_second_refused(site):
    runner = site.runner({"text": "hello", "chunks": [{"text": "hello", "timestamp": [0.0, 1.0]}]})
    gateway = site.gateway(site.orchestrator(runner, ("audio-to-text", "openai/whisper-large-v3")))
    values = {"model_id": "openai/whisper-large-v3", "audio": jobs.File("a.wav", wav(2))}
    status, _kind, body = post_form(url_of(gateway, "/audio-to-text"), values)
    assert (status, json.loads(body)["text"]) == (200, "hello")
    assert b'name="metadata"\r\n\r\n{"duration":"2"}\r\n' in runner.last.body
    status, _kind, body = post_form(
        url_of(gateway, "/audio-to-text"), {**values, "audio": jobs.File("a.wav", wav(0.5))}
    )
    assert (status, error_text(body)) == (400, "audio duration calculation failed")


@pytest.mark.parametrize(
    ("pipeline", "answer", "values"),
    [
        ("image-to-image", images(png()), {"prompt": "x"}),
        ("upscale", images(png()), {"prompt": "x"}),
        ("segment-anything-2", {"masks": "[[1]]", "scores": "[0.9]", "logits": "[[0]]"}, {"point_coords": "[[1,1]]"}),
        ("image-to-text", {"text": "a harbour"}, {}),
    ],
)
def test_the_pictures_other_pipelines(site, pipeline, answer, values):
    gateway = site.gateway(site.orchestrator(site.runner(answer), (pipeline, "m")))
    status, _kind, body = post_form(url_of(gateway, f"/{pipeline}"), {"image": picture(), "model_id": "m", **values})
    assert status == 200
    assert json.loads(body).keys() == answer.keys()


def test_speech_comes_back_under_a_relative_url(site):
    runner = site.runner({"audio": {"url": data_url("audio/wav", wav())}})
    gateway = site.gateway(site.orchestrator(runner, ("text-to-speech", "m")))
    answer = json.loads(post_json(url_of(gateway, "/text-to-speech"), {"text": "hi", "model_id": "m"})[2])
    assert fetch(url_of(gateway, answer["audio"]["url"])) == (200, "audio/wav", wav())


def test_speech_without_text_is_400(site):
    gateway = site.gateway(site.orchestrator(site.runner(), ("text-to-speech", "m")))
    status, _kind, body = post_json(url_of(gateway, "/text-to-speech"), {"model_id": "m"})
    assert (status, error_text(body)) == (400, "text field is required")


# --- image-to-video ----------------------------------------------------------------------------------------------
def film_site(site):
    frames = [{"url": data_url("image/png", png()), "seed": 3, "nsfw": False}] * 2
    return site.gateway(site.orchestrator(site.runner({"frames": [frames]}), ("image-to-video", "m")))


def test_a_film_is_one_mp4_in_the_shape_of_pictures(site):
    gateway = film_site(site)
    answer = json.loads(post_form(url_of(gateway, "/image-to-video"), {"image": picture(), "model_id": "m"})[2])
    (item,) = answer["images"]
    status, kind, film = fetch(url_of(gateway, item["url"]))
    assert (status, kind, film[4:8]) == (200, "video/mp4", b"ftyp")


def test_a_film_without_model_id_drops_the_connection_at_once(site, dropped):
    with dropped:
        post_form(url_of(site.gateway("https://127.0.0.1:1"), "/image-to-video"), {"image": picture()})


def test_a_film_can_be_asked_for_later(site):
    gateway = film_site(site)
    values = {"image": picture(), "model_id": "m"}
    status, _kind, body = post_form(url_of(gateway, "/image-to-video"), values, Prefer="respond-async")
    assert status == 202
    request = json.loads(body)

    def done():
        status, _kind, body = post_json(url_of(gateway, "/image-to-video/result"), request)
        answer = json.loads(body)
        assert (status, answer["status"]) in ((202, "processing"), (200, "complete"))
        return answer.get("result")

    result = eventually(done, what="the film")
    assert fetch(url_of(gateway, result["images"][0]["url"]))[1] == "video/mp4"


def test_an_unknown_request_id_is_400(site):
    status, _kind, body = post_json(url_of(site.gateway(), "/image-to-video/result"), {"request_id": "nope"})
    assert (status, error_text(body)) == (400, "invalid request ID")


# --- llm ---------------------------------------------------------------------------------------------------------
LLM = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False, "max_tokens": 9}
LLM_ANSWER = {
    "id": "1",
    "model": "m",
    "created": 1,
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
}


@pytest.mark.parametrize("name", ["model", "messages", "stream", "max_tokens"])
def test_llm_requires_all_four_fields(site, name):
    status, _kind, body = post_json(url_of(site.gateway(), "/llm"), {k: v for k, v in LLM.items() if k != name})
    assert (status, error_text(body)) == (400, "missing required fields")


def test_llm_answers_json(site):
    gateway = site.gateway(site.orchestrator(site.runner(LLM_ANSWER), ("llm", "m")))
    assert json.loads(post_json(url_of(gateway, "/llm"), LLM)[2]) == LLM_ANSWER


def test_llm_hides_a_400_of_the_runner_behind_500(site):
    runner = site.runner(web.as_json({"detail": {"msg": "too long"}}, 400))
    status, _kind, body = post_json(url_of(site.gateway(site.orchestrator(runner, ("llm", "m"))), "/llm"), LLM)
    assert (status, error_text(body)) == (500, "Internal Server Error")


def test_llm_streams_events_without_a_done_marker(site):
    def event(text, reason):
        choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}
        return b"data: " + json.dumps({**LLM_ANSWER, "choices": [choice]}).encode() + b"\n\n"

    events = [event("Hel", None), event("lo", "stop"), b"data: [DONE]\n\n"]
    runner = site.runner(web.Response(200, events, {"Content-Type": "text/event-stream"}))
    gateway = site.gateway(site.orchestrator(runner, ("llm", "m")))
    status, kind, body = post_json(url_of(gateway, "/llm"), {**LLM, "stream": True})
    assert (status, kind) == (200, "text/event-stream")
    chunks = [json.loads(part.removeprefix("data: ")) for part in body.decode().strip().split("\n\n")]
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["Hel", "lo"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


# --- selection ---------------------------------------------------------------------------------------------------
def test_one_request_fills_the_session_pools(site):
    orchestrator = site.orchestrator(site.runner(), T2I)
    gateway = site.gateway(orchestrator)
    assert pools(gateway) == {}
    t2i(gateway)
    item = pools(gateway)[f"27_{MODEL}"]
    (known,) = item["warm"].pop("orchestrators")
    assert (known["url"], known["in_flight"]) == (orchestrator.service_uri, 0)
    assert known["latency_score"] > 0
    assert item["warm"] == {"size": 1, "in_use": 0}
    assert item["cold"] == {"size": 0, "in_use": 0, "orchestrators": None}
    assert item["suspended"]["list"] == {}
    assert item["last_refresh"].endswith("Z")


def test_warm_orchestrators_are_taken_before_cold_ones(site):
    warm, cold = site.runner(), site.runner()
    gateway = site.gateway(site.orchestrator(cold, T2I, warm=False), site.orchestrator(warm, T2I))
    for _ in range(4):
        assert t2i(gateway)[0] == 200
    assert (len(warm.requests), len(cold.requests)) == (4, 0)


def test_a_failing_orchestrator_is_suspended_and_another_does_the_job(site):
    broken = site.runner(web.as_json({"detail": {"msg": "boom"}}, 500))
    bad = site.orchestrator(broken, T2I)
    gateway = site.gateway(bad, site.orchestrator(site.runner(), T2I, warm=False), arguments=PATIENT)
    assert t2i(gateway)[0] == 200
    item = pools(gateway)[f"27_{MODEL}"]
    assert item["suspended"]["list"] == {bad.service_uri: 4}
    assert (item["warm"]["size"], item["cold"]["size"]) == (0, 1)


def test_a_full_orchestrator_is_passed_over_but_not_suspended(site):
    full = site.orchestrator(site.runner(), T2I, capacity=0)
    gateway = site.gateway(full, site.orchestrator(site.runner(), T2I))
    assert [t2i(gateway)[0] for _ in range(3)] == [200] * 3
    item = pools(gateway)[f"27_{MODEL}"]
    assert (item["warm"]["size"], item["suspended"]["list"]) == (2, {})


def test_when_the_only_orchestrator_is_full_the_connection_is_dropped(site, dropped):
    gateway = site.gateway(site.orchestrator(site.runner(), T2I, capacity=0), arguments=PATIENT)
    with dropped:
        t2i(gateway)


def test_a_restarted_orchestrator_serves_the_next_request(site):
    runner = site.runner()
    first = site.orchestrator(runner, T2I)
    gateway = site.gateway(first)
    assert t2i(gateway)[0] == 200
    first.orchestrator.stop()
    site._things.remove(first.orchestrator)
    site.orchestrator(runner, T2I, port=int(first.service_uri.rsplit(":", 1)[1]))
    assert t2i(gateway)[0] == 200


def test_jobs_go_to_the_service_address_not_to_the_address_asked(site):
    runner = site.runner()
    orchestrator = site.orchestrator(runner, T2I)
    asked = orchestrator.service_uri.replace("127.0.0.1", "localhost")
    gateway = site.gateway(asked)
    assert t2i(gateway)[0] == 200
    assert pools(gateway)[f"27_{MODEL}"]["warm"]["orchestrators"][0]["url"] == orchestrator.service_uri


ACCOUNT = SimpleNamespace(address="0xA", recipient="0xB", chain_id=42161)


def test_an_onchain_gateway_takes_no_offchain_orchestrator(site, dropped):
    gateway = site.gateway(site.orchestrator(site.runner(), T2I), eth=ACCOUNT, arguments=PATIENT)
    with dropped:
        t2i(gateway)


def test_an_onchain_gateway_keeps_to_its_price_limit(site, dropped):
    prices = {("default", 27, MODEL): Fraction(10)}
    orchestrator = site.orchestrator(site.runner(), T2I, eth=ACCOUNT, prices=prices)
    assert t2i(site.gateway(orchestrator, eth=ACCOUNT, max_prices={(27, "default"): Fraction(10)}))[0] == 200
    cheap = site.gateway(orchestrator, eth=ACCOUNT, max_prices={(27, "default"): Fraction(9)}, arguments=PATIENT)
    with dropped:
        t2i(cheap)


def test_an_expiring_token_is_renewed(site, monkeypatch):
    gateway = site.gateway(site.orchestrator(site.runner(), T2I))
    t2i(gateway)
    (session,) = gateway.gateway.sessions.selector(27, MODEL).warm.known.values()
    old = session.info["auth_token"]
    t2i(gateway)
    assert session.info["auth_token"] == old
    monkeypatch.setattr(sessions, "RENEW_SECONDS", 31 * 60)
    t2i(gateway)
    assert session.info["auth_token"] != old
