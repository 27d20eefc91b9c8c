# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registrar as its unit starts it, against an orchestrator and a service that fail as the real ones do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.livepeer.ai.tests.unit.byoc_orchestrator import SECRET, FakeOrchestrator, FakeService

COLLECTION = Path(__file__).resolve().parents[3]
INTERVAL = 0.2
LIMIT = 15.0


class Registrar:
    """An installed copy, its configuration, and what systemd would have seen of it."""

    def __init__(self, directory, node, service):
        self.directory, self.node, self.service = directory, node, service
        self.code = directory / "code"
        self.code.mkdir()
        registrar = COLLECTION / "roles/byoc/files/registrar"
        for source in [*registrar.rglob("*.py"), COLLECTION / "plugins/module_utils/_byoc.py"]:
            base = registrar if registrar in source.parents else source.parent
            target = self.code / source.relative_to(base)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(source.read_bytes())
        for name in ("credentials", "runtime", "state"):
            (directory / name).mkdir()
        self.config = directory / "registrar.json"
        self.log = directory / "log"
        self.credentials()
        self.configure()
        self.told = []
        self.messenger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.messenger.bind(str(directory / "notify"))
        self.messenger.settimeout(0.2)
        threading.Thread(target=self.listen, daemon=True).start()
        self.process = None

    def listen(self):
        while self.messenger.fileno() >= 0:
            with contextlib.suppress(OSError):
                self.told += self.messenger.recv(4096).decode().splitlines()

    def credentials(self, secret=SECRET, **tokens):
        (self.directory / "credentials/orch_secret").write_text(f"{secret}\n")
        (self.directory / "credentials/tokens").write_text(json.dumps(tokens))

    def declaration(self, name="words", **changes):
        declaration = {
            "name": name,
            "description": "",
            "base_url": self.service.url,
            "health_url": f"{self.service.url}/health",
            "healthy_status": 200,
            "capacity": 2,
            "price_per_unit": 0,
            "price_scaling": 1,
            "currency": "wei",
        }
        return {**declaration, **changes}

    def configure(self, *capabilities, **changes):
        document = {
            "orchestrator": self.node.url,
            "interval": INTERVAL,
            "healthy_checks": 2,
            "unhealthy_checks": 3,
            "refresh": 300,
            "capabilities": list(capabilities) or [self.declaration()],
        }
        self.config.write_text(json.dumps({**document, **changes}))

    def start(self):
        environment = {
            "CREDENTIALS_DIRECTORY": str(self.directory / "credentials"),
            "RUNTIME_DIRECTORY": str(self.directory / "runtime"),
            "STATE_DIRECTORY": str(self.directory / "state"),
            "NOTIFY_SOCKET": str(self.directory / "notify"),
        }
        with self.log.open("a") as log:
            command = [sys.executable, "-I", "-B", self.code, "--config", self.config]
            self.process = subprocess.Popen(command, env=environment, stderr=log)
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(10)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.messenger.close()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def status(self):
        try:
            return json.loads((self.directory / "runtime/status.json").read_text())
        except FileNotFoundError:
            return {"capabilities": {}, "leaving": {}}

    def state(self, name="words"):
        return self.status()["capabilities"].get(name, {}).get("state")

    def until(self, true, what):
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > LIMIT:
                pytest.fail(f"no {what}\n{self.log.read_text()}\n{self.status()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def until_state(self, state, name="words"):
        return self.until(lambda: self.state(name) == state, f"state {state} of {name}")

    def wait(self, what, timeout=5):
        command = [sys.executable, "-I", "-B", self.code, "--config", self.config, "--wait", what]
        command += ["--runtime", self.directory / "runtime", "--timeout", str(timeout)]
        return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def node(tmp_path):
    orchestrator = FakeOrchestrator(tmp_path)
    yield orchestrator
    orchestrator.stop()


@pytest.fixture
def service():
    one = FakeService()
    yield one
    one.stop()


@pytest.fixture
def registrar(tmp_path, node, service):
    one = Registrar(tmp_path, node, service)
    yield one
    one.close()
    assert SECRET not in one.log.read_text() if one.log.exists() else True
    for file in [*(tmp_path / "runtime").iterdir(), *(tmp_path / "state").iterdir()]:
        assert SECRET not in file.read_text()
        assert "hush" not in file.read_text()


@pytest.fixture
def running(registrar, node):
    registrar.start()
    registrar.until_state("registered")
    assert "words" in node.registry
    return registrar


def test_registers_and_tells_systemd(running, node, service):
    assert "READY=1" in running.told
    running.until(lambda: "WATCHDOG=1" in running.told, "watchdog message")
    running.until(lambda: "STATUS=1 of 1 capabilities registered" in running.told, "status text")
    assert node.registry["words"]["url"] == service.url
    time.sleep(10 * INTERVAL)
    assert node.count("/capability/register") == 1


def test_a_loading_service_is_not_registered(registrar, node, service):
    service.status, service.body = 503, {"status": "loading", "reason": "reading weights"}
    registrar.start()
    registrar.until(lambda: registrar.state() == "unhealthy", "state unhealthy")
    assert "loading: reading weights" in registrar.status()["capabilities"]["words"]["reason"]
    assert node.registry == {}
    service.status = 200
    registrar.until_state("registered")


def test_a_restarted_orchestrator_gets_it_back(running, node):
    node.restart()
    running.until(lambda: "words" in node.registry, "registration")
    running.until(lambda: "the orchestrator was restarted" in running.log.read_text(), "log line")


def test_an_orchestrator_that_was_away_gets_it_back(running, node):
    node.stop()
    running.until_state("unreachable")
    time.sleep(1)
    node.start()
    assert running.until(lambda: "words" in node.registry, "registration") < 7
    running.until_state("registered")
    assert running.status()["capabilities"]["words"]["last_outage_seconds"] >= 1


def test_a_dropped_capability_comes_back(running, node):
    node.registry.clear()
    running.until(lambda: "words" in node.registry, "registration")


def test_a_busy_capability_is_left_alone(running, node):
    node.registry["words"]["load"] = 2
    time.sleep(10 * INTERVAL)
    assert node.registry["words"]["load"] == 2
    assert node.count("/process/request/livepeer-capability-probe") > 2
    assert running.state() == "registered"


def test_a_sick_service_is_taken_off_and_brought_back(running, node, service):
    service.status = 500
    running.until(lambda: "words" not in node.registry, "unregistration")
    running.until_state("unhealthy")
    service.status = 200
    running.until(lambda: "words" in node.registry, "registration")


def test_a_stopped_registrar_leaves_the_registration(running, node):
    assert running.stop() == 0
    assert "words" in node.registry
    assert "STOPPING=1" in running.told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_process_takes_over_without_registering(running, node, number):
    running.stop(number)
    node.registry["words"]["load"] = 1
    running.start()
    time.sleep(10 * INTERVAL)
    running.until_state("registered")
    assert node.count("/capability/register") == 1
    assert node.registry["words"]["load"] == 1


def test_a_new_price_needs_no_restart(running, node):
    running.configure(running.declaration(price_per_unit=7))
    running.reload()
    running.until(lambda: node.registry["words"]["price_per_unit"] == 7, "new price")
    assert node.count("/capability/register") == 2
    assert running.told.count("READY=1") == 2
    assert any(line.startswith("MONOTONIC_USEC=") for line in running.told)
    assert running.process.poll() is None


def test_a_renamed_capability(running, node):
    running.configure(running.declaration("phrases"))
    running.reload()
    running.until(lambda: set(node.registry) == {"phrases"}, "new name only")
    assert running.wait("retired").returncode == 0
    assert running.wait("registered").returncode == 0


def test_removed_while_the_registrar_was_away(running, node):
    running.stop()
    running.configure(running.declaration("phrases"))
    running.start()
    running.until(lambda: set(node.registry) == {"phrases"}, "new name only")


def test_removed_while_the_orchestrator_was_away(running, node):
    node.stop()
    running.until_state("unreachable")
    running.configure(running.declaration("phrases"))
    running.reload()
    assert running.wait("retired").returncode == 0
    node.start()
    node.registry["words"] = {"load": 0, "capacity": 1}
    running.until(lambda: set(node.registry) == {"phrases"}, "new name only")


def test_another_orchestrator(running, node, tmp_path):
    (tmp_path / "other").mkdir()
    other = FakeOrchestrator(tmp_path / "other")
    running.configure(running.declaration(), orchestrator=other.url)
    running.reload()
    running.until(lambda: "words" in other.registry, "registration there")
    running.until(lambda: not node.registry, "unregistration here")
    other.stop()


def test_a_broken_configuration_changes_nothing(running, node):
    good = running.config.read_text()
    running.configure(running.declaration(capacity=0))
    running.reload()
    running.until(lambda: running.status()["config_error"], "error")
    told = running.wait("registered", timeout=0)
    assert told.returncode == 1
    assert "cannot be served" in told.stderr
    assert "words" in node.registry
    running.config.write_text(good)
    running.reload()
    running.until(lambda: not running.status()["config_error"], "configuration")


def test_a_wrong_secret_ends_it_and_the_current_one_mends_it(registrar, node):
    registrar.credentials(secret="of yesterday")
    registrar.start()
    assert registrar.process.wait(LIMIT) == 77
    told = registrar.wait("registered", timeout=0)
    assert "words is refused (The orchestrator" in told.stderr
    assert node.registry == {}
    registrar.credentials()
    registrar.start()
    registrar.until_state("registered")


def test_an_open_orchestrator_is_refused(registrar, node):
    node.secret = ""
    registrar.start()
    registrar.until_state("refused")
    assert registrar.status()["capabilities"]["words"]["failure"] == "open_registration"
    assert node.registry == {}


def test_a_token_is_registered_and_never_shown(registrar, node):
    registrar.credentials(words="hush-hush")
    registrar.start()
    registrar.until_state("registered")
    assert node.registry["words"]["token"] == "hush-hush"
    assert "hush" not in registrar.log.read_text()


def test_without_read_back(registrar, node):
    node.on_chain = True
    registrar.start()
    registrar.until_state("registered")
    time.sleep(10 * INTERVAL)
    assert node.count("/capability/register") == 1
    # It logs each refused question.
    assert node.count("/process/token") < 4
    node.restart()
    registrar.until(lambda: "words" in node.registry, "registration")


def test_without_tls(tmp_path, service):
    (tmp_path / "plain").mkdir()
    node = FakeOrchestrator(tmp_path, tls=False)
    registrar = Registrar(tmp_path / "plain", node, service).start()
    try:
        registrar.until_state("registered")
        node.restart()
        registrar.until(lambda: "words" in node.registry, "registration")
    finally:
        registrar.close()
        node.stop()


def test_no_credentials(registrar):
    (registrar.directory / "credentials/orch_secret").unlink()
    registrar.start()
    assert registrar.process.wait(LIMIT) == 78
    assert "did not hand over the credential orch_secret" in registrar.log.read_text()


def test_many_capabilities_and_one_that_hangs(registrar, node, service):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        names = [f"words{number}" for number in range(8)]
        hung = registrar.declaration("hung", base_url=address, health_url=f"{address}/health")
        registrar.configure(*[registrar.declaration(name) for name in names], hung)
        registrar.start()
        for name in names:
            registrar.until_state("registered", name)
        assert set(node.registry) == set(names)
        assert "hung is waiting" in registrar.wait("registered", timeout=0).stderr


def test_metrics(running):
    text = (running.directory / "runtime/metrics.prom").read_text()
    assert 'livepeer_byoc_capability_registered{capability="words"} 1\n' in text
    assert 'livepeer_byoc_capability_registrations_total{capability="words"} 1\n' in text
    for line in text.splitlines():
        if not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            assert f"# TYPE {name} " in text and f"# HELP {name} " in text


def test_files_of_the_process(running):
    assert oct((running.directory / "runtime/status.json").stat().st_mode)[-3:] == "644"
    assert oct((running.directory / "state/registrations.json").stat().st_mode)[-3:] == "600"
    assert not list((running.directory / "runtime").glob("*.new"))
    assert os.getpgid(running.process.pid)
