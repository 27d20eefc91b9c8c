# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runners of small packages, each a process of its own on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[1]
PATHS = (HOME / "runner/src", HOME / "standins", HOME)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A package's main module, and its HTTP server."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        variables = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (folder, *PATHS[:2]))),
            "MODEL_DIR": str(folder / "models"),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "LAB_INFER_PORT": str(free_port()),
            **environment,
        }
        self.log = folder / "log"
        with self.log.open("w") as log:
            argv = [sys.executable, str(folder / "main.py"), *arguments]
            self.process = subprocess.Popen(argv, env=variables, stdout=log, stderr=log, start_new_session=True)

    def get(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except urllib.error.URLError:
            return 0, None

    def until(self, status: str, seconds: float = 40) -> list[Any]:
        """All that /health said on the way, without repetitions."""
        seen: list[Any] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            code, body = self.get("/health")
            said = body["status"] if code == 200 else code
            if said not in seen:
                seen.append(said)
            if said == status:
                return seen
            time.sleep(0.1)
        raise AssertionError(f"never {status}, but {seen}:\n{self.log.read_text()}")

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)


MAIN = """
from runner.app import start_app
from runner.live.pipelines import PipelineSpec

if __name__ == "__main__":
    start_app(pipeline=PipelineSpec(name="{name}", pipeline_cls="own:Own", params_cls={params}))
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Write a package with this pipeline and start it."""
    started: list[Running] = []

    def start(source: str, *arguments: str, name: str = "own", params: str | None = None, **environment: str):
        (tmp_path / "own.py").write_text(textwrap.dedent(source), encoding="utf-8")
        (tmp_path / "main.py").write_text(MAIN.format(name=name, params=repr(params)), encoding="utf-8")
        started.append(Running(tmp_path, *arguments, **environment))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins as importable packages, as long as the test lasts."""
    for path in PATHS:
        monkeypatch.syspath_prepend(str(path))
    # lab/runner has a package of the same name, which other tests may have imported.
    for name in _ours(sys.modules):
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in _ours(sys.modules):
        del sys.modules[name]


def _ours(modules: Iterable[str]) -> list[str]:
    return [
        name for name in modules if name.split(".")[0] in {"runner", "torch", "diffusers", "transformers", "frames"}
    ]
