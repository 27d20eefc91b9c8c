# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP itself: the routes of every runner, validation, tokens, the blocked event loop, faults (ai-runner.md 2.1, 4)."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
from pathlib import Path

import pytest
from runner.pipelines import load_pipeline
from runner.pipelines.base import out_of_memory_error
from runner.routes import Application
from runner.settings import Settings
from runner_fixtures import LLM, MODEL_OF, TEXT_TO_IMAGE, picture, recording
from runner_process import RunnerProcess

SMALL = {"prompt": "x", "width": 64, "height": 64}
GPU = {
    "id": "GPU-0",
    "name": "NVIDIA L4",
    "memory_total": 24,
    "memory_free": 23,
    "major": 8,
    "minor": 9,
    "utilization_compute": 1,
    "utilization_memory": 2,
}


# Routes of every runner


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health(running, path: str) -> None:
    answer = running("text-to-image").get(path)
    assert (answer.status, answer.headers["content-type"], answer.json()) == (200, "application/json", {"status": "OK"})


@pytest.mark.parametrize("path", ["/hardware/info", "/hardware/info/"])
def test_hardware_info_without_a_gpu_is_empty(running, path: str) -> None:
    answer = running("text-to-image").get(path)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"pipeline": "text-to-image", "model_id": TEXT_TO_IMAGE, "gpu_info": {}}


def test_version_hardware_and_metrics_of_a_described_machine(models: Path) -> None:
    with RunnerProcess(models, "text-to-image", VERSION="0.14.1", GPU_INFO=json.dumps({"0": GPU})) as runner:
        runner.wait_until_ready()
        identity = {"pipeline": "text-to-image", "model_id": TEXT_TO_IMAGE}
        for slash in ("", "/"):
            assert runner.get(f"/version{slash}").json() == identity | {"version": "0.14.1"}
            stats = runner.get(f"/hardware/stats{slash}").json()["gpu_stats"]["0"]
            assert stats == {name: GPU[name] for name in GPU if name not in {"major", "minor"}}
        info = runner.get("/hardware/info").json()["gpu_info"]["0"]
        assert info == {name: GPU[name] for name in GPU if not name.startswith("utilization")}
        metrics = runner.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=")
        assert b'version{app="ai-runner",version="0.14.1"} 1.0' in metrics.body


def test_version_is_undefined_unless_told(running) -> None:
    assert running("llm").get("/version").json() == {"pipeline": "llm", "model_id": LLM, "version": "undefined"}


def test_openapi_names_the_routes_and_their_fields(running) -> None:
    paths = running("upscale").get("/openapi.json").json()["paths"]
    assert {"/health", "/hardware/info", "/hardware/stats", "/version", "/upscale"} <= set(paths)
    schema = paths["/upscale"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert schema["required"] == ["prompt", "image"]
    assert schema["properties"]["num_inference_steps"] == {"type": "integer", "default": 75}


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [("POST", "/health", 405, "GET"), ("HEAD", "/health", 405, "GET"), ("GET", "/text-to-image", 405, "POST")],
)
def test_a_wrong_method_is_named(running, method: str, path: str, status: int, allow: str) -> None:
    answer = running("text-to-image").request(method, path)
    assert (answer.status, answer.headers["allow"]) == (status, allow)


def test_an_unknown_path_is_json_too(running) -> None:
    answer = running("text-to-image").get("/nope")
    assert (answer.status, answer.json()) == (404, {"detail": "Not Found"})


# Validation: `detail` is a list


def detail(answer) -> list[dict]:
    assert answer.status == 422
    return answer.json()["detail"]


def test_a_missing_field_of_a_json_route(running) -> None:
    assert detail(running("text-to-image").post_json("/text-to-image", {"width": 64})) == [
        {"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": {"width": 64}}
    ]


def test_missing_fields_of_a_form_route(running) -> None:
    assert detail(running("image-to-image").post_form("/image-to-image")) == [
        {"type": "missing", "loc": ["body", name], "msg": "Field required", "input": None}
        for name in ("prompt", "image")
    ]


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("width", "wide", "int_parsing"),
        ("width", 64.5, "int_from_float"),
        ("width", [64], "int_type"),
        ("seed", None, "int_type"),
        ("prompt", 1, "string_type"),
        ("prompt", None, "string_type"),
        ("guidance_scale", "much", "float_parsing"),
        ("guidance_scale", None, "float_type"),
        ("safety_check", "perhaps", "bool_parsing"),
        ("safety_check", None, "bool_type"),
    ],
)
def test_wrong_types_in_json(running, field: str, value: object, kind: str) -> None:
    (found,) = detail(running("text-to-image").post_json("/text-to-image", SMALL | {field: value}))
    assert (found["type"], found["loc"], found["input"]) == (kind, ["body", field], value)


@pytest.mark.parametrize(("field", "value"), [("width", "64"), ("width", 64.0), ("safety_check", "off"), ("x", 1)])
def test_lenient_types_in_json(running, field: str, value: object) -> None:
    assert running("text-to-image").post_json("/text-to-image", SMALL | {field: value}).status == 200


def test_wrong_types_in_a_form(running) -> None:
    fields = {"prompt": "x", "strength": "much", "seed": "1.5"}
    problems = detail(running("image-to-image").post_form("/image-to-image", {"image": picture()}, fields))
    assert [(found["loc"][-1], found["type"]) for found in problems] == [
        ("strength", "float_parsing"),
        ("seed", "int_parsing"),
    ]


def test_text_where_a_file_belongs(running) -> None:
    (found,) = detail(running("image-to-text").post_form("/image-to-text", fields={"image": "cat.png"}))
    assert found["msg"] == "Value error, Expected UploadFile, received: <class 'str'>"


def test_llm_messages_are_validated_inside(running) -> None:
    (found,) = detail(running("llm").post_json("/llm", {"messages": [{"role": "user"}]}))
    assert found["loc"] == ["body", "messages", 0, "content"]


def test_a_form_to_a_json_route_and_broken_json(running) -> None:
    runner = running("text-to-image")
    (found,) = detail(runner.post_form("/text-to-image", fields={"prompt": "x"}))
    assert found["type"] == "model_attributes_type"
    (found,) = detail(runner.request("POST", "/text-to-image", b'{"prompt": ', content_type="application/json"))
    assert (found["type"], found["loc"], found["ctx"]) == ("json_invalid", ["body", 11], {"error": "Expecting value"})
    (found,) = detail(runner.request("POST", "/text-to-image"))
    assert (found["type"], found["loc"]) == ("missing", ["body"])


def test_json_to_a_form_route_holds_no_fields(running) -> None:
    problems = detail(running("upscale").post_json("/upscale", {"prompt": "x"}))
    assert [found["loc"][-1] for found in problems] == ["prompt", "image"]


def test_a_broken_form_is_a_400_with_plain_detail(running) -> None:
    runner = running("upscale")
    answer = runner.request("POST", "/upscale", b"x", content_type="multipart/form-data")
    assert (answer.status, answer.json()) == (400, {"detail": "Missing boundary in multipart."})
    answer = runner.request("POST", "/upscale", b"x", content_type="multipart/form-data; boundary=b")
    assert (answer.status, answer.json()) == (400, {"detail": "There was an error parsing the body"})


@pytest.mark.parametrize(
    ("pipeline", "body", "message"),
    [
        ("text-to-image", {"prompt": ""}, "Prompt must be provided."),
        ("text-to-speech", {}, "Text input must be provided."),
    ],
)
def test_empty_input_is_a_400(running, pipeline: str, body: dict, message: str) -> None:
    answer = running(pipeline).post_json(f"/{pipeline}", body)
    assert (answer.status, answer.json()) == (400, {"detail": {"msg": message}})


def test_a_body_in_chunks_is_read(running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running("text-to-image").port, timeout=20)
    chunks = iter([b'{"prompt": "x", ', b'"width": 64, "height": 64}'])
    connection.request("POST", "/text-to-image", chunks, {"content-type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


# Tokens


@pytest.mark.parametrize("pipeline", ["text-to-image", "image-to-text", "llm"])
def test_inference_needs_the_token_and_nothing_else_does(models: Path, pipeline: str) -> None:
    with RunnerProcess(models, pipeline, AUTH_TOKEN="s3cret") as runner:
        runner.wait_until_ready()
        assert runner.get("/health").status == 200
        assert runner.get("/version").status == 200
        message = "Invalid bearer token." if pipeline == "text-to-image" else "Invalid bearer token"
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic s3cret"}):
            answer = send(runner, pipeline, **headers)
            assert (answer.status, answer.json()) == (401, {"detail": {"msg": message}})
            assert answer.headers["www-authenticate"] == "Bearer"
        assert send(runner, pipeline, authorization="bearer s3cret").status == 200
        assert send(runner, pipeline, authorization="Bearer s3cret").status == 200


def send(runner: RunnerProcess, pipeline: str, **headers: str):
    if pipeline == "image-to-text":
        return runner.post_form("/image-to-text", {"image": picture()}, **headers)
    body = SMALL if pipeline == "text-to-image" else {"messages": [{"role": "user", "content": "x"}]}
    return runner.post_json(f"/{pipeline}", body, **headers)


def test_an_empty_prompt_is_told_before_the_token_is_asked_for(models: Path) -> None:
    with RunnerProcess(models, "text-to-image", AUTH_TOKEN="s3cret") as runner:
        runner.wait_until_ready()
        assert runner.post_json("/text-to-image", {"prompt": ""}).status == 400


# The blocked event loop


def health_during_a_job(models: Path, pipeline: str, job, **env: str) -> float:
    """Seconds that /health takes while a job of about a second runs."""
    with RunnerProcess(models, pipeline, INFERENCE_SECONDS="1.2", **env) as runner:
        runner.wait_until_ready()
        status: list[int] = []
        thread = threading.Thread(target=lambda: status.append(job(runner).status))
        thread.start()
        time.sleep(0.3)
        started = time.monotonic()
        assert runner.get("/health").json() == {"status": "OK"}
        seconds = time.monotonic() - started
        thread.join()
        assert status == [200]
        return seconds


def draw(runner: RunnerProcess):
    return runner.post_json("/text-to-image", SMALL)


def test_health_is_not_answered_during_a_job(models: Path) -> None:
    assert health_during_a_job(models, "text-to-image", draw) > 0.6


def test_a_health_check_with_a_short_timeout_is_missed_during_a_job(models: Path) -> None:
    with RunnerProcess(models, "text-to-image", INFERENCE_SECONDS="1.5") as runner:
        runner.wait_until_ready()
        thread = threading.Thread(target=draw, args=(runner,))
        thread.start()
        time.sleep(0.3)
        with pytest.raises((TimeoutError, urllib.error.URLError)):
            runner.get("/health", timeout=0.5)
        thread.join()
        assert runner.get("/health").status == 200


def test_the_loop_can_be_left_free(models: Path) -> None:
    assert health_during_a_job(models, "text-to-image", draw, BLOCK_EVENT_LOOP="0") < 0.5


def test_audio_to_text_does_not_block(models: Path) -> None:
    def transcribe(runner: RunnerProcess):
        return runner.post_form("/audio-to-text", {"audio": recording(0.1)})

    assert health_during_a_job(models, "audio-to-text", transcribe) < 0.5


# Faults for tests


def test_error_arrives_with_status_200(models: Path) -> None:
    with RunnerProcess(models, "text-to-image", HEALTH_STATUS="ERROR") as runner:
        answer = runner.wait_until_ready().get("/health")
    assert (answer.status, answer.json()) == (200, {"status": "ERROR"})


def test_out_of_memory_is_a_500_and_the_runner_stays_up(models: Path) -> None:
    with RunnerProcess(models, "text-to-image", OOM_AFTER="1") as runner:
        runner.wait_until_ready()
        assert draw(runner).status == 200
        for _ in range(2):
            answer = draw(runner)
            assert answer.status == 500
            assert answer.json()["detail"]["msg"] == "Out of memory error. Try reducing output image resolution."
        assert runner.get("/health").json() == {"status": "OK"}
        log = runner.stop()[1]
    assert "TextToImage pipeline error: CUDA out of memory." in log


@pytest.mark.parametrize("pipeline", sorted(MODEL_OF))
def test_out_of_memory_has_each_routes_own_text(models: Path, pipeline: str) -> None:
    settings = Settings(pipeline=pipeline, model_id=MODEL_OF[pipeline], model_dir=models, hub_cache=models)
    answer = Application(settings, load_pipeline(settings))._failure(out_of_memory_error())
    message = json.loads(answer.body)["detail"]["msg"]
    assert answer.status == 500
    expected = {
        "audio-to-text": "GPU out of memory.",
        "llm": "Internal server error during LLM processing.",
        "text-to-speech": "Out of memory error. Try reducing text input length.",
        "image-to-video": "Out of memory error. Try reducing input or output video resolution.",
        "text-to-image": "Out of memory error. Try reducing output image resolution.",
    }
    assert message == expected.get(pipeline, "Out of memory error. Try reducing input image resolution.")
