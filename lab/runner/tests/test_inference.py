# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nine inference routes answer (ai-runner.md 2.1), and that it is what it claims to be."""

from __future__ import annotations

import base64
import io
import json
import wave

import pytest
from PIL import Image, ImageChops
from runner import caption
from runner.scene import paint
from runner_fixtures import FRAMES, LLM, MODEL_OF, TEXT_TO_IMAGE, picture, recording

DAWN = {"prompt": "a quiet harbour at dawn", "width": 320, "height": 192, "seed": 7}


def decoded(url: str, kind: str = "image/png") -> bytes:
    head, data = url.split(",", 1)
    assert head == f"data:{kind};base64"
    return base64.b64decode(data, validate=True)


def image_of(url: str) -> Image.Image:
    image = Image.open(io.BytesIO(decoded(url)))
    assert image.format == "PNG"
    image.load()
    return image


# text-to-image


def test_text_to_image_draws_a_png_of_the_asked_size(running) -> None:
    answer = running("text-to-image").post_json("/text-to-image", DAWN)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    (image,) = answer.json()["images"]
    assert set(image) == {"url", "seed", "nsfw"}
    assert (image["seed"], image["nsfw"]) == (7, False)
    assert image_of(image["url"]).size == (320, 192)


def test_text_to_image_defaults(running) -> None:
    (image,) = running("text-to-image").post_json("/text-to-image", {"prompt": "a"}).json()["images"]
    assert image_of(image["url"]).size == (1024, 576)
    assert 0 <= image["seed"] < 2**32


def test_several_images_count_the_seed_up_and_differ(running) -> None:
    runner = running("text-to-image")
    images = runner.post_json("/text-to-image", DAWN | {"num_images_per_prompt": 3}).json()["images"]
    assert [image["seed"] for image in images] == [7, 8, 9]
    assert len({image["url"] for image in images}) == 3
    alone = runner.post_json("/text-to-image", DAWN | {"seed": 8}).json()["images"]
    assert alone == images[1:2]


def test_the_picture_depends_on_prompt_and_is_repeatable(running) -> None:
    runner = running("text-to-image")
    first, again = (runner.post_json("/text-to-image", DAWN).json() for _ in range(2))
    assert first == again
    other = runner.post_json("/text-to-image", DAWN | {"prompt": "a storm"}).json()
    assert other["images"][0]["url"] != first["images"][0]["url"]


def test_prompt_model_seed_and_size_are_written_in_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = caption._write

    def listening(draw, place, text, letters, colour) -> None:
        before = draw._image.copy()
        write(draw, place, text, letters, colour)
        # The words count as written only if they changed pixels, to nearly white, inside the picture.
        left, top, right, bottom = ImageChops.difference(before, draw._image).getbbox()
        assert right < draw._image.width
        assert bottom < draw._image.height
        assert draw._image.crop((left, top, right, bottom)).convert("L").getextrema()[1] > 200
        written.append(text)

    monkeypatch.setattr(caption, "_write", listening)
    paint("a quiet harbour at dawn", TEXT_TO_IMAGE, 42, 640, 384)
    text = " ".join(written)
    for part in ("a quiet harbour at dawn", TEXT_TO_IMAGE, "seed 42", "640 x 384"):
        assert part in text


@pytest.mark.parametrize("size", [(8, 8), (64, 512), (2048, 64), (1280, 1280)])
def test_odd_sizes_are_drawn_too(size: tuple[int, int]) -> None:
    assert paint("a long prompt " * 40, "org/model", 1, *size).size == size


def test_safety_check_gives_a_bool_either_way(running) -> None:
    runner = running("text-to-image")
    for body, expected in (({}, True), ({"safety_check": False}, False)):
        answer = runner.post_json("/text-to-image", DAWN | {"prompt": "nsfw test"} | body)
        assert answer.json()["images"][0]["nsfw"] is expected


def test_a_size_that_is_no_multiple_of_8_is_the_models_refusal(running) -> None:
    answer = running("text-to-image").post_json("/text-to-image", DAWN | {"width": 321})
    assert answer.status == 400
    assert answer.json()["detail"]["msg"] == (
        "Error during model execution: `height` and `width` have to be divisible by 8 but are 192 and 321.."
    )


def test_a_size_beyond_any_card_runs_out_of_memory(running) -> None:
    answer = running("text-to-image").post_json("/text-to-image", DAWN | {"width": 80000, "height": 80000})
    assert answer.status == 500
    assert answer.json() == {"detail": {"msg": "Out of memory error. Try reducing output image resolution."}}


@pytest.mark.parametrize(
    ("loras", "message"),
    [
        ("nope", "Unable to parse 'nope' as JSON.."),
        ('{"a/b": "strong"}', "All strengths must be numbers greater than or equal to 0.0.."),
        ('{"a/b": -1}', "All strengths must be numbers greater than or equal to 0.0.."),
        (json.dumps({f"a/{n}": 1 for n in range(5)}), "Too many LoRas provided. Maximum is 4.."),
        ('{"not/cached": 1}', "Unable to load LoRas for adapter 'not/cached'."),
    ],
)
def test_bad_loras_are_told_apart(running, loras: str, message: str) -> None:
    answer = running("text-to-image").post_json("/text-to-image", DAWN | {"loras": loras})
    assert (answer.status, answer.json()["detail"]["msg"]) == (400, message)


# image-to-image, upscale, image-to-video


def test_image_to_image_transforms_the_given_image(running) -> None:
    runner = running("image-to-image")
    asked = {"prompt": "as an oil painting", "seed": 3, "num_images_per_prompt": 2}
    images = runner.post_form("/image-to-image", {"image": picture(100, 66)}, asked).json()["images"]
    assert [image["seed"] for image in images] == [3, 4]
    assert images[0]["url"] != images[1]["url"]
    assert image_of(images[0]["url"]).size == (96, 64)
    other = runner.post_form("/image-to-image", {"image": picture(100, 66, "#883311")}, asked).json()["images"]
    assert other[0]["url"] != images[0]["url"]


def test_strength_zero_leaves_the_image_alone(running) -> None:
    answer = running("image-to-image").post_form(
        "/image-to-image", {"image": picture()}, {"prompt": "x", "strength": 0}
    )
    result = image_of(answer.json()["images"][0]["url"])
    assert ImageChops.difference(result, Image.open(io.BytesIO(picture()))).getbbox() is None


def test_upscale_gives_four_times_the_size(running) -> None:
    answer = running("upscale").post_form("/upscale", {"image": picture(40, 30)}, {"prompt": "x", "seed": 5})
    (image,) = answer.json()["images"]
    assert image["seed"] == 5
    large = image_of(image["url"])
    assert large.size == (160, 120)
    assert (
        ImageChops.difference(large.resize((40, 30)), Image.open(io.BytesIO(picture(40, 30)))).getextrema()[0][1] < 90
    )


def test_image_to_video_gives_frames_that_move(running) -> None:
    answer = running("image-to-video").post_form(
        "/image-to-video", {"image": picture()}, {"width": 128, "height": 64, "seed": 9}
    )
    (frames,) = answer.json()["frames"]
    assert len(frames) == FRAMES
    assert {frame["seed"] for frame in frames} == {9}
    assert all(image_of(frame["url"]).size == (128, 64) for frame in frames)
    assert len({frame["url"] for frame in frames}) == FRAMES


def test_image_to_video_refuses_sizes_itself(running) -> None:
    answer = running("image-to-video").post_form("/image-to-video", {"image": picture()}, {"width": 100})
    assert answer.status == 400
    assert answer.json()["detail"]["msg"] == "`height` and `width` have to be divisible by 8 but are 576 and 100."


def test_image_to_video_without_safety_check_is_a_bare_500(running) -> None:
    fields = {"width": 64, "height": 64, "safety_check": "false"}
    answer = running("image-to-video").post_form("/image-to-video", {"image": picture()}, fields)
    assert (answer.status, answer.body) == (500, b"Internal Server Error")


# What is no image at all: three routes foresee it, three do not.


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("image-to-video", "Image-to-video pipeline error."),
        ("segment-anything-2", "Segment-anything-2 pipeline error."),
    ],
)
def test_undecodable_image_foreseen(running, pipeline: str, message: str) -> None:
    answer = running(pipeline).post_form(f"/{pipeline}", {"image": b"no image"}, {"prompt": "x"})
    assert (answer.status, answer.json()) == (500, {"detail": {"msg": message}})


@pytest.mark.parametrize("pipeline", ["image-to-image", "upscale", "image-to-text"])
def test_undecodable_image_unforeseen(running, pipeline: str) -> None:
    answer = running(pipeline).post_form(f"/{pipeline}", {"image": b"no image"}, {"prompt": "x"})
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert answer.headers["content-type"].startswith("text/plain")


# image-to-text, segment-anything-2


def test_image_to_text_describes_what_it_was_given(running) -> None:
    runner = running("image-to-text")
    text = runner.post_form("/image-to-text", {"image": picture(200, 100, "#1040a0")}).json()["text"]
    assert "wide picture of 200 by 100 pixels" in text
    assert "blue" in text
    red = runner.post_form("/image-to-text", {"image": picture(100, 200, "#c02020")}, {"prompt": "this is"}).json()
    assert red["text"].startswith("this is a ")
    assert "tall" in red["text"]
    assert "red" in red["text"]


def test_image_to_text_refuses_more_than_50_mebibytes(running) -> None:
    answer = running("image-to-text").post_form("/image-to-text", {"image": bytes(50 * 1024 * 1024 + 1)})
    assert (answer.status, answer.json()) == (413, {"detail": {"msg": "File size exceeds limit"}})


def test_segment_returns_stringified_lists_best_first(running) -> None:
    fields = {"point_coords": "[[5, 5]]", "point_labels": "[1]", "return_logits": "false"}
    answer = running("segment-anything-2").post_form("/segment-anything-2", {"image": picture(64, 48)}, fields)
    body = answer.json()
    assert set(body) == {"masks", "scores", "logits"}
    masks, scores, logits = (json.loads(body[name]) for name in ("masks", "scores", "logits"))
    assert len(masks) == len(scores) == len(logits) == 3
    assert scores == sorted(scores, reverse=True)
    assert (len(masks[0]), len(masks[0][0])) == (48, 64)
    assert (len(logits[0]), len(logits[0][0])) == (256, 256)
    # The point lies in the golden corner of the picture, and the mask is that corner.
    assert masks[0][5][5] == 1.0
    assert masks[0][40][60] == 0.0


def test_segment_gives_one_mask_with_logits_when_asked(running) -> None:
    fields = {"box": "[0, 0, 20, 20]", "multimask_output": "false"}
    body = running("segment-anything-2").post_form("/segment-anything-2", {"image": picture(64, 48)}, fields).json()
    (mask,) = json.loads(body["masks"])
    assert mask[2][2] > 1
    assert mask[40][40] < 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"box": "nope"}, "Error parsing JSON for box: Expecting value: line 1 column 1 (char 0)"),
        (
            {"point_coords": "[[1, 1]]"},
            "Error during model execution: point_labels must be supplied if point_coords is supplied..",
        ),
    ],
)
def test_segment_refuses_bad_prompts(running, fields: dict, message: str) -> None:
    answer = running("segment-anything-2").post_form("/segment-anything-2", {"image": picture()}, fields)
    assert (answer.status, answer.json()) == (400, {"detail": {"msg": message}})


# Sound


def seconds_of(runner, text: str) -> float:
    answer = runner.post_json("/text-to-speech", {"text": text})
    with wave.open(io.BytesIO(decoded(answer.json()["audio"]["url"], "audio/wav"))) as file:
        assert file.getframerate() == 44100
        frames = file.readframes(file.getnframes())
        assert any(frames)
        return file.getnframes() / file.getframerate()


def test_text_to_speech_gives_a_wav_as_long_as_the_text(running) -> None:
    runner = running("text-to-speech")
    short, long = seconds_of(runner, "A ship."), seconds_of(runner, "A ship sails out at dawn.")
    assert 0.2 < short < long < 10


def test_audio_to_text_states_what_the_header_says(running) -> None:
    body = running("audio-to-text").post_form("/audio-to-text", {"audio": recording(2.5)}).json()
    assert "2.50 seconds" in body["text"]
    assert body["chunks"] == [{"timestamp": [0.0, 2.5], "text": body["text"]}]


@pytest.mark.parametrize(("value", "chunks"), [("false", 0), ("0", 0), ("SENTENCE", 1), ("1", 1)])
def test_audio_to_text_timestamps(running, value: str, chunks: int) -> None:
    fields = {"return_timestamps": value}
    body = running("audio-to-text").post_form("/audio-to-text", {"audio": recording(1.0)}, fields).json()
    assert len(body["chunks"]) == chunks


def test_audio_to_text_times_each_word(running) -> None:
    fields = {"return_timestamps": "word"}
    body = running("audio-to-text").post_form("/audio-to-text", {"audio": recording(1.0)}, fields).json()
    assert [chunk["text"].strip() for chunk in body["chunks"]] == body["text"].split()
    assert body["chunks"][0]["timestamp"][0] == 0.0
    assert body["chunks"][-1]["timestamp"][1] == 1.0


@pytest.mark.parametrize(
    ("audio", "fields", "status", "message"),
    [
        (b"noise", {}, 400, "Unable to calculate duration of file"),
        (recording(1), {"metadata": "no json"}, 400, "Unable to calculate duration of file"),
        (recording(1), {"metadata": '{"duration": "long"}'}, 400, "Unable to calculate duration of file"),
        (picture(), {"metadata": '{"duration": 1}'}, 415, "Unsupported audio format or malformed file."),
        (b"noise", {"metadata": '{"duration": 1}'}, 500, "Audio-to-text pipeline error."),
        (bytes(50 * 1024 * 1024 + 1), {}, 413, "File size exceeds limit."),
    ],
)
def test_audio_to_text_refusals(running, audio: bytes, fields: dict, status: int, message: str) -> None:
    answer = running("audio-to-text").post_form("/audio-to-text", {"audio": audio}, fields)
    assert (answer.status, answer.json()) == (status, {"detail": {"msg": message}})


def test_audio_to_text_hears_what_text_to_speech_said(running) -> None:
    said = running("text-to-speech").post_json("/text-to-speech", {"text": "hello there"}).json()["audio"]["url"]
    heard = running("audio-to-text").post_form("/audio-to-text", {"audio": decoded(said, "audio/wav")}).json()
    assert "at 44100 hertz" in heard["text"]
    assert "silence" not in heard["text"]


# llm

QUESTION = {"messages": [{"role": "user", "content": "Why is the sea salt?"}]}


def test_llm_answers_with_one_message(running) -> None:
    body = running("llm").post_json("/llm", QUESTION | {"model": LLM}).json()
    assert set(body) == {"id", "model", "created", "usage", "choices"}
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    assert "Why is the sea salt?" in choice["message"]["content"]
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_llm_keeps_to_max_tokens(running) -> None:
    body = running("llm").post_json("/llm", QUESTION | {"max_tokens": 3}).json()
    assert body["usage"]["completion_tokens"] == 3


def test_llm_streams_events_that_end_with_done(running) -> None:
    answer = running("llm").post_json("/llm", QUESTION | {"stream": True})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *events, done = [line.removeprefix("data: ") for line in answer.body.decode().strip().split("\n\n")]
    assert done == "[DONE]"
    choices = [json.loads(event)["choices"][0] for event in events]
    assert "Why is the sea salt?" in "".join(choice["delta"]["content"] for choice in choices)
    assert [choice["finish_reason"] for choice in choices] == [""] * (len(choices) - 1) + ["stop"]


@pytest.mark.parametrize(
    "wrong",
    [{"messages": []}, {"messages": [{"role": "robot", "content": "x"}]}, {"temperature": 3}, {"max_tokens": 0}],
)
def test_llm_answers_every_failure_alike(running, wrong: dict) -> None:
    runner = running("llm")
    answer = runner.post_json("/llm", QUESTION | wrong)
    assert (answer.status, answer.json()) == (
        500,
        {"detail": {"msg": "Internal server error during LLM processing."}},
    )
    streamed = runner.post_json("/llm", QUESTION | wrong | {"stream": True})
    assert streamed.status == 200
    assert "error" in json.loads(streamed.body.decode().removeprefix("data: "))
    assert b"[DONE]" not in streamed.body


# All of them

SMALLEST = {
    "text-to-image": ({"prompt": "x", "width": 64, "height": 64}, None),
    "image-to-image": ({"prompt": "x"}, {"image": picture()}),
    "image-to-video": ({"width": 64, "height": 64}, {"image": picture()}),
    "upscale": ({"prompt": "x"}, {"image": picture(16, 16)}),
    "audio-to-text": ({}, {"audio": recording(0.1)}),
    "image-to-text": ({}, {"image": picture()}),
    "segment-anything-2": ({}, {"image": picture(16, 16)}),
    "text-to-speech": ({"text": "x"}, None),
    "llm": (QUESTION, None),
}


def ask(runner, pipeline: str, path: str | None = None, extra: dict | None = None, **headers: str):
    fields, files = SMALLEST[pipeline]
    where = path or f"/{pipeline}"
    if files is None:
        return runner.post_json(where, fields | (extra or {}), **headers)
    return runner.post_form(where, files, fields | (extra or {}), **headers)


@pytest.mark.parametrize("pipeline", sorted(MODEL_OF))
def test_every_route_has_a_twin_with_a_slash(running, pipeline: str) -> None:
    answer = ask(running(pipeline), pipeline, f"/{pipeline}/")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize("pipeline", sorted(MODEL_OF))
def test_the_model_may_be_named_but_not_another(running, pipeline: str) -> None:
    key = "model" if pipeline == "llm" else "model_id"
    runner = running(pipeline)
    assert ask(runner, pipeline, extra={key: MODEL_OF[pipeline]}).status == 200
    answer = ask(runner, pipeline, extra={key: "other/model"})
    dot = "" if pipeline in {"llm", "text-to-speech", "image-to-text"} else "."
    assert (answer.status, answer.json()) == (
        400,
        {"detail": {"msg": f"pipeline configured with {MODEL_OF[pipeline]} but called with other/model{dot}"}},
    )


@pytest.mark.parametrize("pipeline", sorted(MODEL_OF))
def test_a_runner_serves_its_own_route_only(running, pipeline: str) -> None:
    other = "upscale" if pipeline != "upscale" else "text-to-image"
    answer = running(pipeline).post_json(f"/{other}", {"prompt": "x"})
    assert (answer.status, answer.json()) == (404, {"detail": "Not Found"})
