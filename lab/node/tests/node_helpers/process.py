# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node as its own process, and waiting for things without sleeping for long."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

RUN_NODE = Path(__file__).parent / "run_node.py"
FAST = {"poll": 0.02, "watch": 0.1, "availability_delay": 0.1, "graceful": 5, "shutdown_budget": 3}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def eventually(condition, seconds: float = 8, what: str = "condition"):
    """The first true value of `condition()`, or a failure saying what never came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds} s")


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class NodeProcess:
    """One `livepeer` process; `log` is its stderr, `output` its stdout, both readable while it runs."""

    def __init__(self, arguments, folder: Path, docker_host: str, environment: dict, timing: dict) -> None:
        self.folder = folder
        home = folder / "home"
        home.mkdir(exist_ok=True)
        number = len(list(folder.glob("log*")))
        self._log, self._output = folder / f"log{number}", folder / f"output{number}"
        with self._log.open("wb") as errors, self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, str(RUN_NODE), json.dumps({**FAST, **timing}), *map(str, arguments)],
                stdout=output,
                stderr=errors,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "HOME": str(home), "DOCKER_HOST": docker_host, **environment},
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float = 30) -> int:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the node still runs after {seconds} s; its log:\n{self.log}") from None

    def says(self, text: str, seconds: float = 8) -> None:
        eventually(lambda: text in self.log or not self.running, seconds, f"log line {text!r}")
        assert text in self.log, self.log

    def terminate(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        if self.running:
            self._process.kill()
        self._process.wait()
