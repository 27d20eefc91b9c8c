# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Hub of one's own for the tests: generated once, served by a process, reset before each test."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

HUB = Path(__file__).resolve().parents[1]

# the client must not find a person's own token or cache, and must not report on itself
os.environ.update(HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_IMPLICIT_TOKEN="1")


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


class Hub:
    """A running server and a client that follows no redirect and hides nothing."""

    def __init__(self, root: Path, *options: str) -> None:
        command = [sys.executable, str(HUB / "server.py"), "--root", str(root), "--port", "0", "--lfs-port", "0"]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        found = re.search(r"api (\S+) lfs (\S+)", self.process.stdout.readline())
        self.url, self.lfs = found.groups()

    def ask(self, method: str, url: str, headers: dict | None = None, body: bytes | str | None = None) -> Answer:
        parts = urlsplit(urljoin(self.url, url))
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, url: str, **headers: str) -> Answer:
        return self.ask("GET", url, {name.replace("_", "-"): value for name, value in headers.items()})

    def head(self, url: str, **headers: str) -> Answer:
        return self.ask("HEAD", url, {name.replace("_", "-"): value for name, value in headers.items()})

    def location(self, url: str, **headers: str) -> str:
        return urljoin(self.url, self.head(url, **headers).headers["Location"])

    def stats(self) -> dict:
        return self.get("/_lab/stats").json()

    def faults(self, *faults: dict) -> Answer:
        return self.ask("POST", "/_lab/faults", body=json.dumps(faults))

    def reset(self) -> None:
        assert self.ask("POST", "/_lab/reset").status == 200

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        self.process.stdout.close()
        return code


def make_models(dest: Path) -> Path:
    subprocess.run([sys.executable, str(HUB / "make_models.py"), str(dest)], check=True)
    return dest


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    return make_models(tmp_path_factory.mktemp("hub") / "models")


@pytest.fixture(scope="session")
def make_again():
    return make_models


@pytest.fixture(scope="session")
def start_hub():
    return Hub


@pytest.fixture(scope="session")
def running_hub(models):
    hub = Hub(models)
    yield hub
    assert hub.stop() == 0


@pytest.fixture
def hub(running_hub) -> Hub:
    running_hub.reset()
    return running_hub
