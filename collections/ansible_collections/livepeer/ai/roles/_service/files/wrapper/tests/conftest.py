# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services as they run: in a process of their own, asked over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TEMPLATE = Path(__file__).resolve().parents[1]
PATIENCE = 30


class Service:
    """A running service."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {
            "SERVICE_DIR": str(folder),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "PYTHONPATH": str(TEMPLATE),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service_wrapper"],
            env={"PATH": os.environ["PATH"], **settings, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def open(self, method: str, path: str, body: Any = None, token: str = "") -> http.client.HTTPResponse:
        """The answer, unread. A body of bytes goes as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, payload, headers)
        return connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        answer = self.open(method, path, body, token)
        return answer.status, json.loads(answer.read())

    def health(self) -> tuple[int, dict[str, Any]]:
        return self.ask("GET", "/health")

    def wait(self, status: str) -> dict[str, Any]:
        """Wait until the port answers and /health says so."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.stdout.read()
            try:
                answer = self.health()[1]
            except ConnectionRefusedError:
                answer = {}
            if answer.get("status") == status:
                return answer
            time.sleep(0.02)
        raise AssertionError(f"/health does not say {status} within {PATIENCE} s")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start a service from the text of its service.py, or from a folder that has one."""
    running: list[Service] = []

    def starter(source: str | Path, wait: str = "ready", **environment: str) -> Service:
        folder = source if isinstance(source, Path) else tmp_path
        if isinstance(source, str):
            (tmp_path / "service.py").write_text(source, encoding="utf-8")
        running.append(Service(folder, environment))
        running[-1].wait(wait)
        return running[-1]

    yield starter
    for service in running:
        service.end()
