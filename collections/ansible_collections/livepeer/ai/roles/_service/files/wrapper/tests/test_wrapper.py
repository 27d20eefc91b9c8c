# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wrapper promises to whoever asks it, whatever the service."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).resolve().parents[1]
ECHO = "def load(*names): return names\ndef infer(state, request): return {'state': state, 'request': request}\n"
# Answers with the folder of its weights.
WEIGHTS = """
from service_wrapper import snapshot_path
def load(*names): return str(snapshot_path(*names))
def infer(state, request): return state
"""
# Inference that ends when the test says so: the file `go` beside it.
SLOW = """
import pathlib, time
here = pathlib.Path(__file__).parent
def load(*names): pass
def infer(state, request):
    (here / f"began-{request['n']}").touch()
    while not (here / "go").exists(): time.sleep(0.01)
    return request["n"]
"""
FAILING = """
from service_wrapper import BadRequest
def load(*names): pass
def infer(state, request):
    if request["how"] == "bad": raise BadRequest("`how` is bad")
    if request["how"] == "stop": next(iter(()))
    if request["how"] == "exit": raise SystemExit(3)
    if request["how"] == "nan": return float("nan")
    if request["how"] == "object": return object()
    raise KeyError("weights")
"""
STREAM = """
import pathlib, time
here = pathlib.Path(__file__).parent
def load(*names): pass
def infer(state, request): return "whole"
def infer_stream(state, request):
    try:
        for n in range(request["count"]):
            yield {"n": n}
            if n + 1 == request.get("fail_after"): raise RuntimeError("lost the GPU")
            if n == 0 and request.get("wait"):
                while not (here / "go").exists(): time.sleep(0.01)
    finally:
        (here / "closed").touch()
"""


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "what the test waits for does not happen"
        time.sleep(0.01)


def wait_for(path: Path) -> None:
    wait_until(path.exists)


def events(answer) -> list[str]:
    return [line for line in answer.read().decode().split("\n\n") if line]


class TestHealth:
    def test_the_port_answers_while_loading(self, start, tmp_path: Path) -> None:
        source = "import pathlib, time\ndef infer(state, request): return 1\ndef load(*names):\n"
        source += "    while not (pathlib.Path(__file__).parent / 'go').exists(): time.sleep(0.01)\n"
        service = start(source, wait="loading", MODEL_ID="org/name")
        status, answer = service.health()
        assert (status, answer["status"]) == (503, "loading")
        assert answer["reason"].startswith("loading org/name for ")
        status, answer = service.ask("POST", "/v1/infer", {})
        assert (status, answer["error"].partition(":")[0]) == (503, "loading")
        (tmp_path / "go").touch()
        service.wait("ready")
        assert service.health()[0] == 200

    def test_a_load_that_fails_is_told(self, start) -> None:
        service = start("def load(*names): raise OSError('no GPU')\ndef infer(state, request): pass\n", wait="error")
        assert service.health() == (500, {"status": "error", "model_id": "", "reason": "OSError: no GPU"})
        assert service.ask("POST", "/v1/infer", {}) == (503, {"error": "error: OSError: no GPU"})

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
            ("def load(*names): pass\n", "TypeError: service.py has no function infer"),
            ("raise SystemExit('bye')\n", "SystemExit: bye"),
            (
                "def load(*names): pass\nasync def infer(state, request): pass\n",
                "TypeError: infer in service.py is async",
            ),
        ],
    )
    def test_a_service_that_is_none_is_told(self, start, source: str, reason: str) -> None:
        assert start(source, wait="error").health()[1]["reason"].startswith(reason)

    def test_inference_does_not_hold_it_up(self, start, tmp_path: Path) -> None:
        service = start(SLOW)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(service.ask, "POST", "/v1/infer", {"n": 1})
            wait_for(tmp_path / "began-1")
            begin = time.monotonic()
            assert service.health()[1]["requests"] == 1
            assert time.monotonic() - begin < 1
            (tmp_path / "go").touch()
            assert running.result() == (200, 1)
        assert service.health()[1]["requests"] == 0


class TestInfer:
    def test_state_and_request_reach_the_service(self, start) -> None:
        service = start(ECHO, MODEL_ID="org/name", MODEL_DIR="/weights", MODEL_REVISION="v1")
        answer = {"state": ["/weights", "org/name", "v1"], "request": {"text": "grüße"}}
        assert service.ask("POST", "/v1/infer", {"text": "grüße"}) == (200, answer)

    @pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff"])
    def test_what_is_no_object_is_refused(self, start, body: bytes) -> None:
        assert start(ECHO).ask("POST", "/v1/infer", body)[0] == 400

    def test_a_large_body_is_refused(self, start) -> None:
        service = start(ECHO, MAX_BODY_BYTES="100")
        assert service.ask("POST", "/v1/infer", {"text": "a" * 100})[0] == 413
        assert service.ask("POST", "/v1/infer", {"text": "a" * 10})[0] == 200

    def test_errors_are_told_apart_and_survived(self, start) -> None:
        service = start(FAILING)
        answers = {
            how: service.ask("POST", "/v1/infer", {"how": how})
            for how in ("bad", "stop", "exit", "nan", "object", "key")
        }
        assert answers["bad"] == (400, {"error": "`how` is bad"})
        assert {how: status for how, (status, _answer) in answers.items() if how != "bad"} == dict.fromkeys(
            ("stop", "exit", "nan", "object", "key"), 500
        )
        assert answers["key"][1] == {"error": "KeyError: 'weights'"}
        assert service.health()[1]["requests"] == 0

    def test_unknown_paths_and_methods(self, start) -> None:
        service = start(ECHO)
        assert [service.ask("GET", path)[0] for path in ("/", "/docs", "/v1/infer")] == [404, 404, 405]

    def test_what_exceeds_running_and_waiting_is_refused(self, start, tmp_path: Path) -> None:
        service = start(SLOW, MAX_CONCURRENCY="2", MAX_QUEUE="1")
        with ThreadPoolExecutor(3) as pool:
            accepted = []
            for number in (1, 2):
                accepted.append(pool.submit(service.ask, "POST", "/v1/infer", {"n": number}))
                wait_for(tmp_path / f"began-{number}")
            accepted.append(pool.submit(service.ask, "POST", "/v1/infer", {"n": 3}))
            wait_until(lambda: service.health()[1]["requests"] == 3)
            refused = service.open("POST", "/v1/infer", {"n": 4})
            assert (refused.status, refused.getheader("Retry-After")) == (503, "1")
            # The third waits for its turn.
            assert not (tmp_path / "began-3").exists()
            (tmp_path / "go").touch()
            assert [future.result() for future in accepted] == [(200, 1), (200, 2), (200, 3)]

    def test_work_is_not_begun_for_a_client_that_is_gone(self, start, tmp_path: Path) -> None:
        service = start(SLOW, MAX_CONCURRENCY="1", MAX_QUEUE="1")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(service.ask, "POST", "/v1/infer", {"n": 1})
            wait_for(tmp_path / "began-1")
            with socket.create_connection(("127.0.0.1", service.port)) as client:
                client.sendall(b'POST /v1/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n{"n": 2}')
                wait_until(lambda: service.health()[1]["requests"] == 2)
            wait_until(lambda: service.health()[1]["requests"] == 1)
            (tmp_path / "go").touch()
            assert running.result() == (200, 1)
        assert service.ask("POST", "/v1/infer", {"n": 3}) == (200, 3)
        assert not (tmp_path / "began-2").exists()


class TestStream:
    def test_events_come_as_they_are_made(self, start, tmp_path: Path) -> None:
        service = start(STREAM)
        answer = service.open("POST", "/v1/infer/stream", {"count": 2, "wait": True})
        assert answer.getheader("Content-Type").startswith("text/event-stream")
        # The service makes no second event before `go`.
        assert answer.readline() == b'data: {"n":0}\n'
        (tmp_path / "go").touch()
        assert events(answer) == ['\ndata: {"n":1}', "data: [DONE]"]

    def test_without_a_generator_the_answer_is_the_event(self, start) -> None:
        answer = start("def load(*n): pass\ndef infer(state, request): return [1]\n").open(
            "POST", "/v1/infer/stream", {}
        )
        assert events(answer) == ["data: [1]", "data: [DONE]"]

    def test_an_error_before_the_first_event_has_a_status(self, start) -> None:
        assert start(FAILING).ask("POST", "/v1/infer/stream", {"how": "bad"}) == (400, {"error": "`how` is bad"})

    def test_an_error_afterwards_is_an_event(self, start) -> None:
        service = start(STREAM)
        answer = service.open("POST", "/v1/infer/stream", {"count": 9, "fail_after": 1})
        error = 'event: error\ndata: {"error":"RuntimeError: lost the GPU"}'
        assert (answer.status, events(answer)) == (200, ['data: {"n":0}', error, "data: [DONE]"])
        assert service.health()[1]["requests"] == 0

    def test_a_stream_of_nothing_ends_too(self, start) -> None:
        assert events(start(STREAM).open("POST", "/v1/infer/stream", {"count": 0})) == ["data: [DONE]"]

    def test_work_stops_when_the_reader_is_gone(self, start, tmp_path: Path) -> None:
        service = start(STREAM)
        answer = service.open("POST", "/v1/infer/stream", {"count": 10**9})
        answer.readline()
        assert service.health()[1]["requests"] == 1
        answer.close()
        wait_for(tmp_path / "closed")
        wait_until(lambda: service.health()[1]["requests"] == 0)


class TestWeights:
    COMMIT = "0123456789abcdef0123456789abcdef01234567"

    @pytest.fixture
    def models(self, tmp_path: Path) -> Path:
        repository = tmp_path / "models/models--org--name"
        (repository / "snapshots" / self.COMMIT).mkdir(parents=True)
        (repository / "refs").mkdir()
        (repository / "refs/main").write_text(self.COMMIT, encoding="ascii")
        return repository.parent

    @pytest.mark.parametrize("revision", ["", "main", "a-tag-fetched-as-main", COMMIT])
    def test_the_snapshot_is_found(self, start, models: Path, revision: str) -> None:
        service = start(WEIGHTS, MODEL_DIR=str(models), MODEL_ID="org/name", MODEL_REVISION=revision)
        folder = models / "models--org--name/snapshots" / self.COMMIT
        assert service.ask("POST", "/v1/infer", {}) == (200, str(folder))

    @pytest.mark.parametrize(("model_id", "revision"), [("org/other", "main"), ("org/name", "f" * 40)])
    def test_what_is_not_there_is_named(self, start, models: Path, model_id: str, revision: str) -> None:
        service = start(WEIGHTS, "error", MODEL_DIR=str(models), MODEL_ID=model_id, MODEL_REVISION=revision)
        reason = service.health()[1]["reason"]
        assert (reason.startswith("FileNotFoundError: "), model_id in reason, str(models) in reason) == (
            True,
            True,
            True,
        )


class TestToken:
    @pytest.fixture
    def guarded(self, start, tmp_path: Path):
        (tmp_path / "token").write_text("s3cret\n", encoding="ascii")
        return start(ECHO, BEARER_TOKEN_FILE=str(tmp_path / "token"))

    @pytest.mark.parametrize("path", ["/v1/infer", "/v1/infer/stream"])
    def test_without_the_right_one(self, guarded, path: str) -> None:
        assert [guarded.open("POST", path, {}, token).status for token in ("", "wrong", "s3cret2")] == [401] * 3
        assert guarded.open("POST", path, {}, "s3cret").status == 200

    def test_health_needs_none(self, guarded) -> None:
        assert guarded.health()[0] == 200

    @pytest.mark.parametrize("content", [None, "\n"])
    def test_a_token_file_without_a_token_is_refused(self, tmp_path: Path, content: str | None) -> None:
        token = tmp_path / "token"
        if content is not None:
            token.write_text(content, encoding="ascii")
        done = run({"BEARER_TOKEN_FILE": str(token)})
        assert (done.returncode, str(token) in done.stderr) == (2, True)


class TestProcess:
    def test_sigterm_lets_running_requests_end(self, start, tmp_path: Path) -> None:
        service = start(SLOW)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(service.ask, "POST", "/v1/infer", {"n": 1})
            wait_for(tmp_path / "began-1")
            service.process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                service.process.wait(0.5)
            (tmp_path / "go").touch()
            assert running.result() == (200, 1)
        assert service.process.wait(10) == 0

    def test_a_request_without_end_does_not_keep_it(self, start, tmp_path: Path) -> None:
        service = start(SLOW, STOP_TIMEOUT="1")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(service.open, "POST", "/v1/infer", {"n": 1})
            wait_for(tmp_path / "began-1")
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(10) == 0
            assert running.exception() or running.result().status >= 500

    @pytest.mark.parametrize(("name", "value"), [("PORT", "eighty"), ("PORT", "70000"), ("MAX_CONCURRENCY", "0")])
    def test_settings_that_cannot_be_are_refused(self, name: str, value: str) -> None:
        done = run({name: value})
        assert (done.returncode, done.stderr.startswith(f"service_wrapper: {name} is '{value}'")) == (2, True)

    def test_health_checks_are_not_logged_and_requests_are(self, start) -> None:
        service = start(ECHO)
        service.ask("POST", "/v1/infer", {})
        service.process.terminate()
        log = service.process.communicate(timeout=10)[0]
        assert "POST /v1/infer" in log
        assert '/health HTTP/1.1" 200' not in log

    def test_healthcheck_follows_health(self, start) -> None:
        check = [sys.executable, "-I", str(TEMPLATE / "service_wrapper/healthcheck.py")]
        ready = start(ECHO)
        environment = {"PORT": str(ready.port), "http_proxy": "http://127.0.0.1:9"}
        assert subprocess.run(check, env=environment, check=False).returncode == 0
        broken = start("def load(): pass\n", wait="error")
        done = subprocess.run(check, env={"PORT": str(broken.port)}, capture_output=True, text=True, check=False)
        assert (done.returncode, json.loads(done.stdout)["status"]) == (1, "error")
        ready.end()
        assert subprocess.run(check, env=environment, check=False).returncode == 1


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service_wrapper"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TEMPLATE), **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
