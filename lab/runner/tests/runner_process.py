# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One runner as a process of its own on loopback, as a container would run it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner_fixtures import MODEL_OF

HOME = Path(__file__).parents[1]


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RunnerProcess:
    def __init__(self, models: Path, pipeline: str, model_id: str | None = None, **env: str) -> None:
        self.port = free_port()
        own = {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "MODEL_DIR": str(models),
            "PIPELINE": pipeline,
            "MODEL_ID": MODEL_OF.get(pipeline, "") if model_id is None else model_id,
        }
        command = [sys.executable, "-m", "runner"]
        self.process = subprocess.Popen(command, cwd=HOME, env=own | env, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> RunnerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def port_is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_until_ready(self, seconds: float = 20) -> RunnerProcess:
        deadline = time.monotonic() + seconds
        while not self.port_is_open():
            if self.process.poll() is not None:
                raise AssertionError(f"the runner exited:\n{self.process.stderr.read()}")
            assert time.monotonic() < deadline, "the runner did not open its port"
            time.sleep(0.05)
        return self

    def exit(self, seconds: float = 20) -> tuple[int, str]:
        """Exit status and log of a runner that gives up."""
        _, log = self.process.communicate(timeout=seconds)
        return self.process.returncode, log

    def stop(self) -> tuple[int, str]:
        self.process.terminate()
        return self.exit()

    def request(self, method: str, path: str, body: bytes | None = None, timeout: float = 30, **headers: str) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data=body, method=method, headers=names)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return Answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def get(self, path: str, **options) -> Answer:
        return self.request("GET", path, **options)

    def post_json(self, path: str, document: Any, **headers: str) -> Answer:
        return self.request("POST", path, json.dumps(document).encode(), content_type="application/json", **headers)

    def post_form(self, path: str, files: dict[str, bytes] | None = None, fields: dict | None = None, **headers):
        boundary = uuid.uuid4().hex
        parts = [(f'name="{name}"', str(value).encode()) for name, value in (fields or {}).items()]
        parts += [(f'name="{name}"; filename="{name}.bin"', data) for name, data in (files or {}).items()]
        body = b"".join(
            b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (boundary.encode(), head.encode(), data)
            for head, data in parts
        )
        body += b"--%b--\r\n" % boundary.encode()
        return self.request("POST", path, body, content_type=f"multipart/form-data; boundary={boundary}", **headers)
