# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nine pipelines that work, and every answer that lies, told by servers that tell it."""

from __future__ import annotations

import base64
import json
import os
import struct
import zlib

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _media as media
from ansible_collections.livepeer.ai.plugins.modules import gateway_request
from ansible_collections.livepeer.ai.tests.unit.liars import (
    CLOSE,
    STALL,
    free_port,
    reply,
    run_module,
    self_signed,
    serve,
    serve_raw,
)

MODEL = "SG161222/RealVisXL_V4.0_Lightning"
ORCHESTRATOR = "https://172.29.10.21:8935"


def png(size=512):
    return media.sample_png(size, size)


def black_png():
    """A sound file of 512 x 512 black pixels: what a model that overflowed sends."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 512, 512, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * (512 * (1 + 3 * 512)))
    return media.PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind) + body


MOVIE = (
    box(b"ftyp", b"isom\0\0\2\0")
    + box(b"moov", box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, 4000)) + box(b"trak", b""))
    + box(b"mdat", b"frames")
)


def pictures(*urls, nsfw=False):
    return reply(body={"images": [{"url": url, "seed": 42 + number, "nsfw": nsfw} for number, url in enumerate(urls)]})


def data_url(data, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def run(url, pipeline="text-to-image", **arguments):
    arguments = {"url": url, "pipeline": pipeline, "model_id": MODEL, "timeout": 1, **arguments}
    return run_module(gateway_request, **arguments)


def passed(result, words):
    assert "failed" not in result, result.get("msg")
    assert result["verdict"] == "passed"
    assert result["failure"] == ""
    assert not result["changed"]
    assert words in result["checks"][0]["sentence"]
    return result


def told(result, failure, words, remedy=""):
    assert result["failed"]
    assert result["failure"] == failure
    check = result["checks"][0]
    assert check["status"] == "failed"
    assert words in check["sentence"]
    assert check["sentence"].endswith((".", "…"))
    assert ".." not in check["sentence"]
    assert check["remedy"].endswith(".")
    assert remedy in check["remedy"]
    assert result["msg"] == f"{check['sentence']} {check['remedy']}"
    return result


# --- nine pipelines through a gateway -------------------------------------------------------------


def test_text_to_image_fetches_and_keeps_the_picture(tmp_path):
    routes = {
        "/text-to-image": pictures("/stream/abc/1.png"),
        "/stream/abc/1.png": reply(body=png(), content_type="image/png"),
    }
    with serve(routes) as gateway:
        result = passed(run(gateway.url, dest=str(tmp_path)), "1 picture of 512 x 512 came back.")
        asked = gateway.seen[0]
    body = json.loads(asked["body"])
    assert asked["headers"]["Content-Type"] == "application/json"
    assert (body["model_id"], body["prompt"], body["width"], body["seed"]) == (
        MODEL,
        "a quiet harbour at dawn",
        512,
        42,
    )
    path = tmp_path / "text-to-image-SG161222-RealVisXL-V4.0-Lightning-1.png"
    assert result["media"] == [
        {"format": "png", "width": 512, "height": 512, "black": False, "bytes": len(png()), "path": str(path)}
    ]
    assert path.read_bytes() == png()
    assert os.stat(path).st_mode & 0o777 == 0o644


def test_parameters_replace_the_built_in_ones():
    with serve({"/text-to-image": pictures(data_url(png(64)))}) as gateway:
        passed(
            run(
                gateway.url,
                parameters={"prompt": "dusk", "width": 64, "height": 64, "seed": None, "loras": {"a/b": 1.0}},
            ),
            "64 x 64",
        )
        body = json.loads(gateway.seen[0]["body"])
    assert body["prompt"] == "dusk"
    assert "seed" not in body
    assert body["loras"] == '{"a/b": 1.0}'


@pytest.mark.parametrize("pipeline", ["image-to-image", "upscale"])
def test_pictures_from_a_picture(pipeline):
    with serve({f"/{pipeline}": pictures(data_url(png(64)))}) as gateway:
        passed(run(gateway.url, pipeline), "1 picture of 64 x 64 came back.")
        asked = gateway.seen[0]
    assert asked["headers"]["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="model_id"\r\n\r\n' + MODEL.encode() in asked["body"]
    assert b'name="image"; filename="sample.png"\r\nContent-Type: image/png' in asked["body"]
    assert media.sample_png() in asked["body"]


def test_own_file_is_sent(tmp_path):
    own = tmp_path / "own.jpg"
    own.write_bytes(b"\xff\xd8 a photograph")
    with serve({"/image-to-image": pictures(data_url(png(64)))}) as gateway:
        passed(run(gateway.url, "image-to-image", files={"image": str(own)}), "1 picture")
        assert b'filename="own.jpg"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8 a photograph' in gateway.seen[0]["body"]


def test_several_pictures():
    with serve({"/text-to-image": pictures(*[data_url(png())] * 2)}) as gateway:
        passed(run(gateway.url, parameters={"num_images_per_prompt": 2}), "2 pictures")


def test_video_of_a_gateway():
    routes = {
        "/image-to-video": pictures("/stream/abc/1.mp4"),
        "/stream/abc/1.mp4": reply(body=MOVIE, content_type="video/mp4"),
    }
    with serve(routes) as gateway:
        passed(run(gateway.url, "image-to-video"), "A video of 4 s came back.")


def test_frames_of_a_runner():
    frame = {"url": data_url(media.sample_png(512, 320)), "seed": 42, "nsfw": False}
    with serve({"/image-to-video": reply(body={"frames": [[frame, frame]]})}) as runner:
        passed(run(runner.url, "image-to-video", target="runner"), "2 frames of 512 x 320 came back.")


def test_text_to_speech():
    routes = {
        "/text-to-speech": reply(body={"audio": {"url": "/stream/a/1.wav"}}),
        "/stream/a/1.wav": reply(body=media.sample_wav()),
    }
    with serve(routes) as gateway:
        passed(
            run(gateway.url, "text-to-speech", expect={"min_duration": 0.5}), "Sound of 2 s came back, 32000 frames."
        )


def test_audio_to_text():
    with serve({"/audio-to-text": reply(body={"text": " hello harbour", "chunks": []})}) as gateway:
        result = passed(run(gateway.url, "audio-to-text", expect={"contains": "Harbour"}), 'came back: "hello harbour"')
        assert b'filename="sample.wav"\r\nContent-Type: audio/wav' in gateway.seen[0]["body"]
    assert result["text"] == "hello harbour"


def test_a_tone_has_no_words():
    with serve({"/audio-to-text": reply(body={"text": "", "chunks": []})}) as gateway:
        passed(run(gateway.url, "audio-to-text"), "rightly without words")


def test_image_to_text(tmp_path):
    with serve({"/image-to-text": reply(body={"text": "a boat"})}) as gateway:
        passed(run(gateway.url, "image-to-text", dest=str(tmp_path)), 'A text of 6 characters came back: "a boat".')
    assert [one.read_text() for one in tmp_path.iterdir()] == ["a boat"]


def masks(**changes):
    body = {"masks": "[[[1.0, 0.0], [0.0, 1.0]]]", "scores": "[0.9]", "logits": "[[[0.1]]]"}
    body.update(changes)
    return reply(body=body)


def test_segment_anything_2():
    with serve({"/segment-anything-2": masks()}) as gateway:
        passed(run(gateway.url, "segment-anything-2"), "1 mask came back, each of 2 x 2.")
        assert b'name="point_coords"\r\n\r\n[[128, 128]]\r\n' in gateway.seen[0]["body"]


def test_llm():
    choice = {"index": 0, "message": {"role": "assistant", "content": "Rotterdam."}, "finish_reason": "stop"}
    with serve(
        {"/llm": reply(body={"id": "1", "model": MODEL, "created": 1, "choices": [choice], "usage": {}})}
    ) as gateway:
        passed(run(gateway.url, "llm"), '"Rotterdam."')
        body = json.loads(gateway.seen[0]["body"])
    # The four fields without which a gateway refuses.
    assert body["model"] == MODEL
    assert {"messages", "max_tokens", "stream"} <= set(body)
    assert "model_id" not in body


def events(*choices, done=False):
    text = "".join("data: " + json.dumps({"choices": [choice]}) + "\n\n" for choice in choices)
    return reply(body=text + ("data: [DONE]\n\n" if done else ""), content_type="text/event-stream")


@pytest.mark.parametrize("done", [True, False])
def test_llm_as_a_stream(done):
    stream = events({"delta": {"content": "Rotter"}}, {"delta": {"content": "dam"}, "finish_reason": "stop"}, done=done)
    with serve({"/llm": stream}) as gateway:
        passed(run(gateway.url, "llm", parameters={"stream": True}), '"Rotterdam".')


def test_runner_with_a_token():
    with serve({"/text-to-image": pictures(data_url(png()))}) as runner:
        result = passed(run(runner.url, target="runner", token="sesame-open"), "1 picture")
        assert runner.seen[0]["headers"]["Authorization"] == "Bearer sesame-open"
    assert result["checks"][0]["check"] == "runner_request"
    assert "sesame-open" not in str(result)


# --- answers that lie -----------------------------------------------------------------------------


def test_empty_200():
    with serve({"/text-to-image": reply()}) as gateway:
        result = told(run(gateway.url), "empty_200", "200 with an empty body, which is a failure", "gateway's log")
    assert result["status_code"] == 200


def test_closed_without_reply():
    with serve({"/text-to-image": CLOSE}) as gateway:
        result = told(run(gateway.url), "closed_without_reply", "no orchestrator that offers the model", "pinned to")
    assert result["status_code"] is None


def test_runner_that_dies_at_work():
    with serve({"/text-to-image": CLOSE}) as runner:
        told(run(runner.url, target="runner"), "closed_without_reply", "it ended while it worked", "GPU memory")


def test_not_found_everywhere():
    with serve({"/healthz": reply(content_type="")}) as gateway:
        told(run(gateway.url), "not_found_everywhere", "its HTTP ingest is off", "-httpIngest")


def test_not_a_gateway():
    with serve({}) as other:
        told(run(other.url), "not_a_gateway", "no gateway's HTTP port", "CLI port")


def test_one_route_missing():
    with serve({"/healthz": reply(content_type=""), "/text-to-image": reply()}) as gateway:
        told(run(gateway.url, "upscale"), "not_found", "no route for this pipeline, though it has others")


def test_runner_of_another_pipeline():
    with serve({}) as runner:
        told(run(runner.url, target="runner"), "not_found", "The runner has no route", "own pipeline only")


def test_server_error_with_json_behind_it():
    with serve({"/text-to-image": reply(500, {"error": {"message": "Internal Server Error"}})}) as gateway:
        told(run(gateway.url), "server_error_json", "failed with 500 (Internal Server Error)", "gateway's log")


def test_runner_out_of_memory():
    with serve({"/text-to-image": reply(500, {"detail": {"msg": "Out of memory error."}})}) as runner:
        told(run(runner.url, target="runner"), "server_error_json", "500 (Out of memory error.)", "GPU memory")


def test_other_statuses():
    for status, words in ((500, "status 500 (oops)"), (502, "status 502 (oops)"), (202, "status 202 (oops)")):
        with serve({"/text-to-image": reply(status, "oops", "text/plain")}) as gateway:
            told(
                run(gateway.url), f"http_{status}", f"The gateway answered with {words}", "Read the log of what answers"
            )


def test_certificate(tmp_path):
    with serve({"*": reply()}, self_signed(tmp_path / "cert.pem")) as gateway:
        told(
            run(gateway.url),
            "certificate",
            "The gateway gives no answer: the certificate of 127.0.0.1",
            "validate_certs",
        )


def test_plain_port_asked_for_tls():
    with serve_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        told(run(f"https://{address}"), "tls", "does not speak TLS")


def test_timeout():
    with serve({"*": STALL}) as gateway:
        told(run(gateway.url, timeout=0.3), "timeout", "no complete answer within 0.3 s", "more time")


def test_refused():
    told(run(f"http://127.0.0.1:{free_port()}"), "refused", "was refused", "Start the service")


def test_name_that_does_not_resolve():
    told(run("http://gateway.invalid:9935"), "dns", "cannot be resolved")


def test_not_an_address():
    told(run("127.0.0.1:9935"), "bad_url", "is not an address", "http://127.0.0.1:9935")


@pytest.mark.parametrize("target", ["gateway", "runner"])
def test_refused_by_its_contents(target):
    bad = (
        {"error": {"message": "width must be a multiple of 8."}}
        if target == "gateway"
        else {"detail": {"msg": "width must be a multiple of 8."}}
    )
    with serve({"/text-to-image": reply(400, bad)}) as server:
        told(
            run(server.url, target=target),
            "http_400",
            "refused the request: width must be a multiple of 8.",
            "does not fit",
        )


def test_validation_of_a_runner():
    with serve(
        {"/text-to-image": reply(422, {"detail": [{"loc": ["body", "seed"], "msg": "not an integer"}]})}
    ) as runner:
        told(run(runner.url, target="runner"), "http_422", "is not valid: body.seed: not an integer")


def test_wrong_token():
    with serve({"/text-to-image": reply(401, {"detail": {"msg": "Invalid bearer token."}})}) as runner:
        told(run(runner.url, target="runner", token="wrong-one"), "http_401", "another bearer token", "AUTH_TOKEN")


def test_orchestrator_asked_like_a_gateway():
    with serve({"/text-to-image": reply(403, "missing auth token", "text/plain")}) as node:
        told(run(node.url), "http_403", "403 (missing auth token)", "service address takes signed jobs only")


def test_no_orchestrator_takes_the_job():
    with serve({"/text-to-image": reply(503, {"error": {"message": "Service Unavailable Error"}})}) as gateway:
        told(run(gateway.url), "http_503", "found no orchestrator that would take the job")


# --- payloads that lie ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(body="fine"), "the answer is not JSON (fine)"),
        (reply(body=[]), "not a JSON object"),
        (reply(body={"images": []}), "holds no images"),
        (reply(body={"images": None}), "holds no images"),
        (reply(body={"images": [{"seed": 1}]}), "points to no media"),
        (pictures(data_url(png()), data_url(png())), "holds 2 pictures, asked were 1"),
        (pictures(data_url(png(256))), "the picture is 256 x 256, asked was a width of 512"),
        (pictures(data_url(png()[:-20])), "cut short"),
        (pictures(data_url(b"<html>not found</html>")), "neither PNG, WAV nor MP4"),
        (pictures(data_url(b"")), "it is empty"),
        (pictures("data:image/png;base64,@@"), "base64 text is damaged"),
        (pictures(data_url(media.sample_wav())), "the media is WAV where PNG belongs"),
        (pictures(data_url(black_png())), "every pixel of it is black (a model that computes nothing"),
        (pictures(data_url(black_png()), nsfw=True), "safety checker blackened it"),
    ],
)
def test_bad_picture(answer, words):
    with serve({"/text-to-image": answer}) as gateway:
        told(run(gateway.url), "bad_payload", words, "Ask the runner directly")


def test_flagged_picture_is_mentioned():
    with serve({"/text-to-image": pictures(data_url(png()), nsfw=True)}) as gateway:
        passed(run(gateway.url), "marked as not safe for work")


def test_expected_size_rules():
    with serve({"/upscale": pictures(data_url(png(256)))}) as gateway:
        told(run(gateway.url, "upscale", expect={"width": 1024}), "bad_payload", "asked was a width of 1024")


@pytest.mark.parametrize("missing", [reply(404, "gone", "text/plain"), CLOSE])
def test_media_that_cannot_be_fetched(missing):
    with serve({"/text-to-image": pictures("/stream/a/1.png"), "/stream/a/1.png": missing}) as gateway:
        told(run(gateway.url), "media_not_fetched", "points to media that cannot be fetched", "Fetch promptly")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(body={"audio": {}}), "points to no media"),
        (reply(body={}), "points to no media"),
        (reply(body={"audio": {"url": data_url(png(), "audio/wav")}}), "the media is PNG where WAV belongs"),
        (reply(body={"audio": {"url": data_url(media.sample_wav(0))}}), "no frames"),
        (
            reply(body={"audio": {"url": data_url(media.sample_wav()[:44] + bytes(64000))}}),
            "silent from beginning to end",
        ),
    ],
)
def test_bad_sound(answer, words):
    with serve({"/text-to-speech": answer}) as gateway:
        told(run(gateway.url, "text-to-speech"), "bad_payload", words)


def test_sound_too_short():
    with serve({"/text-to-speech": reply(body={"audio": {"url": data_url(media.sample_wav())}})}) as gateway:
        result = run(gateway.url, "text-to-speech", expect={"min_duration": 3})
    told(result, "bad_payload", "lasts 2 s, expected were at least 3")


@pytest.mark.parametrize(
    ("answer", "expect", "words"),
    [
        (reply(body={"text": "  "}), {}, "the text is empty"),
        (reply(body={"caption": "x"}), {}, "holds no text"),
        (reply(body={"text": "boat"}), {"min_text": 10}, "the text has 4 characters, expected were 10"),
        (reply(body={"text": "boat"}), {"contains": "ship"}, "does not hold 'ship' (it says: boat)"),
    ],
)
def test_bad_text(answer, expect, words):
    with serve({"/image-to-text": answer}) as gateway:
        told(run(gateway.url, "image-to-text", expect=expect), "bad_payload", words)


def test_a_recording_must_have_words(tmp_path):
    own = tmp_path / "own.wav"
    own.write_bytes(media.sample_wav())
    with serve({"/audio-to-text": reply(body={"text": "", "chunks": []})}) as gateway:
        told(run(gateway.url, "audio-to-text", files={"audio": str(own)}), "bad_payload", "the text is empty")
    with serve({"/audio-to-text": reply(body={"text": "words"})}) as gateway:
        told(run(gateway.url, "audio-to-text"), "bad_payload", "no list of chunks")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (masks(masks="[]"), "masks: it is an empty list"),
        (masks(scores="[0.9, 0.8]"), "differ in number (masks 1, scores 2, logits 1)"),
        (masks(logits=[[1]]), "holds no logits"),
        (masks(masks="tensor([1])"), "masks: it is not a list of numbers"),
    ],
)
def test_bad_masks(answer, words):
    with serve({"/segment-anything-2": answer}) as gateway:
        told(run(gateway.url, "segment-anything-2"), "bad_payload", words)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(body={"images": [{"url": data_url(png())}]}), "the media is PNG where MP4 belongs"),
        (reply(body={"frames": [[{"url": data_url(media.sample_png(512, 320))}]]}), "a video needs more than 1 frame"),
        (reply(body={"frames": []}), "holds no frames"),
    ],
)
def test_bad_video(answer, words):
    with serve({"/image-to-video": answer}) as gateway:
        told(run(gateway.url, "image-to-video"), "bad_payload", words)


@pytest.mark.parametrize(
    ("answer", "stream", "words"),
    [
        (reply(body={"choices": []}), False, "holds no choices"),
        (reply(body={"choices": [{"message": {"content": ""}}]}), False, "the text is empty"),
        (reply(body={"choices": [{"delta": {"content": "x"}}]}), False, "holds no text"),
        (events({"delta": {"content": "Rot"}}), True, "ended without a finish_reason"),
        (reply(body='data: {"error": "CUDA out of memory"}\n\n'), True, "reports an error (CUDA out of memory)"),
        (reply(body="data: not json\n\n"), True, "an event of the stream is not JSON"),
        (reply(body="data: {}\n\n"), True, "holds no choices"),
    ],
)
def test_bad_chat(answer, stream, words):
    with serve({"/llm": answer}) as gateway:
        told(run(gateway.url, "llm", parameters={"stream": stream}), "bad_payload", words)


# --- who answered ---------------------------------------------------------------------------------


def pool(*urls):
    items = [{"url": url, "latency_score": 0, "in_flight": 0} for url in urls]
    empty = {"size": 0, "in_use": 0, "orchestrators": None}
    return reply(
        body={f"27_{MODEL}": {"warm": {"size": len(urls), "in_use": 0, "orchestrators": items}, "cold": empty}}
    )


@pytest.mark.parametrize(
    ("answer", "judgement", "status", "words"),
    [
        (pool(ORCHESTRATOR), "expected", "passed", f"Only {ORCHESTRATOR} could have answered."),
        (
            pool("https://other:8935"),
            "unexpected",
            "failed",
            f"came from https://other:8935, expected was {ORCHESTRATOR}",
        ),
        (pool(ORCHESTRATOR, "https://other:8935"), "mixed", "unknown", "the gateway does not tell"),
        (reply(body={}), "unknown", "unknown", "do not tell who could have answered"),
        (CLOSE, "unknown", "unknown", "do not tell"),
    ],
)
def test_answering_orchestrator(answer, judgement, status, words):
    with serve({"/text-to-image": pictures(data_url(png())), "/getAISessionPoolsInfo": answer}) as gateway:
        result = run(gateway.url, cli_url=gateway.url, orchestrators=["172.29.10.21:8935"], fail=False)
    assert result["orchestrators"]["judgement"] == judgement
    assert result["verdict"] == status
    check = result["checks"][1]
    assert (check["check"], check["status"]) == ("answering_orchestrator", status)
    assert words in check["sentence"]


def test_nobody_answered_nobody_is_judged():
    with serve({"/text-to-image": reply(), "/getAISessionPoolsInfo": pool(ORCHESTRATOR)}) as gateway:
        result = run(gateway.url, cli_url=gateway.url, orchestrators=[ORCHESTRATOR], fail=False)
    assert [one["check"] for one in result["checks"]] == ["gateway_request"]
    assert result["orchestrators"]["candidates"] == [ORCHESTRATOR]


# --- input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"files": {"image": "/x"}}, "files has image, but the pipeline text-to-image takes no file."),
        ({"pipeline": "upscale", "files": {"audio": "/x"}}, "files has audio, but the pipeline upscale takes image."),
        (
            {"pipeline": "upscale", "files": {"image": "/nonexistent.png"}},
            "files.image is /nonexistent.png, which cannot be read on this host: No such file or directory.",
        ),
        ({"dest": "/nonexistent"}, "dest is /nonexistent, which is not a directory; create it first."),
        (
            {"orchestrators": ["x:1"]},
            "orchestrators is given without cli_url: only the gateway's CLI port knows who could have answered.",
        ),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    assert run("http://127.0.0.1:1", **arguments)["msg"] == message


def test_check_mode_sends_and_writes_nothing(tmp_path):
    with serve({"*": reply()}) as gateway:
        result = run(gateway.url, check_mode=True, dest=str(tmp_path / "not-there-yet"))
        assert gateway.seen == []
    assert result["verdict"] == "unknown"
    assert not (tmp_path / "not-there-yet").exists()
