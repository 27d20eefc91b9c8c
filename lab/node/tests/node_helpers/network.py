# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small doubles for the network side: a worker that lends one scripted runner, and nodes of either kind around it."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import struct
import wave
import zlib
from types import SimpleNamespace

from livepeer_node import cli, gateway, jobs, live_runners, orchestrator, web
from livepeer_node.node import Node
from livepeer_node.settings import Settings
from livepeer_node.worker import InsufficientCapacity

from .process import free_port

MODEL = "SG161222/RealVisXL_V4.0_Lightning"


def png(width=8, height=6, comment=b""):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress((b"\0" + b"\x20\x40\x60" * width) * height)
    text = chunk(b"tEXt", b"Comment\0" + comment) if comment else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + text + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def wav(seconds=2):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * int(8000 * seconds))
    return out.getvalue()


def data_url(kind, data):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def images(*pictures):
    items = [{"url": data_url("image/png", p), "seed": 7 + i, "nsfw": False} for i, p in enumerate(pictures)]
    return {"images": items}


class ScriptedRunner:
    """Answers each POST with `answer` (a document, or a web.Response) and remembers what it was asked."""

    def __init__(self, answer=None):
        self.answer = images(png()) if answer is None else answer
        self.requests = []
        self._server = web.Server("127.0.0.1", 0, self._handle).start()
        self.endpoint = f"http://127.0.0.1:{self._server.port}"

    def _handle(self, request):
        self.requests.append(request)
        return self.answer if isinstance(self.answer, web.Response) else web.as_json(self.answer)

    @property
    def last(self):
        return self.requests[-1]

    def stop(self):
        self._server.stop()


class Service:
    """A service behind BYOC or a live runner: `answer` is a web.Response or makes one of a request; 200 on /health."""

    def __init__(self, answer):
        self.answer, self.health, self.requests = answer, 200, []
        self._server = web.Server("127.0.0.1", 0, self._handle).start()
        self.port = self._server.port
        self.url = f"http://127.0.0.1:{self.port}"

    def _handle(self, request):
        if request.path == "/health":
            return web.text("", self.health)
        self.requests.append(request)
        return self.answer(request) if callable(self.answer) else self.answer

    @property
    def last(self):
        return self.requests[-1]

    def stop(self):
        self._server.stop()


class Lease:
    def __init__(self, endpoint, token):
        self.endpoint, self.token, self.lost = endpoint, token, False

    def keep_slot(self):
        self.lost = True


class LendingWorker:
    """The worker's interface over one runner; `capacity` jobs at a time."""

    def __init__(self, runner, models, token="", capacity=1):
        self._runner, self._token = runner, token
        self.free = dict.fromkeys(models, capacity)
        self.warm = dict(models)

    def pool_status(self):
        return {
            model: {"warm": self.warm[model], "capacity": free, "in_use": 0, "runner_version": "0.14.1"}
            for model, free in self.free.items()
        }

    def hardware(self):
        return [{"pipeline": p, "model_id": m, "gpu_info": {}} for p, m in self.free]

    def has_live_capacity(self, model_id):
        return bool(self.free.get(("live-video-to-video", model_id)))

    def lend_live(self, model_id):
        self.free["live-video-to-video", model_id] -= 1
        return Lease(self._runner.endpoint, self._token)

    @contextlib.contextmanager
    def borrow(self, pipeline, model_id):
        if not self.free.get((pipeline, model_id)):
            raise InsufficientCapacity("model capacity is 0")
        self.free[pipeline, model_id] -= 1
        lease = Lease(self._runner.endpoint, self._token)
        try:
            yield lease
        finally:
            if not lease.lost:
                self.free[pipeline, model_id] += 1


def account():
    """An account on a chain, as far as a node shows it."""
    address = "0x" + "ab" * 20
    return SimpleNamespace(address=address, recipient=address, chain_id=42161)


def settings(*arguments):
    return Settings.parse(list(arguments), {})


class Site:
    """Nodes and runners of one test, all on loopback, all stopped at its end."""

    def __init__(self, folder):
        self._folder = folder
        self._things = []

    def add(self, thing):
        self._things.append(thing)
        return thing

    def stop(self):
        for thing in reversed(self._things):
            thing.stop()

    def runner(self, answer=None):
        return self.add(ScriptedRunner(answer))

    def service(self, answer=None):
        return self.add(Service(web.as_json({"ok": True}) if answer is None else answer))

    def live_runners(self, node, *entries, onchain=False, interval=0.05, timeout=0.5):
        """Give an orchestrator a registry, filled with these entries."""
        registry = self.add(live_runners.Registry(node.service_uri, onchain, interval, timeout))
        registry.register(json.dumps({"runners": entries}))
        node.live_runners = registry
        return registry

    def orchestrator(self, runner, *models, scheme="https", warm=True, arguments=(), token="", capacity=1, **node):
        """An orchestrator that offers `models`, (pipeline, model_id) each."""
        port = node.pop("port", None) or free_port()
        address = f"http://127.0.0.1:{port}" if scheme == "http" else f"127.0.0.1:{port}"
        worker = LendingWorker(runner, dict.fromkeys(models, warm), token, capacity) if runner else None
        made = self._node("orchestrator", f"-httpAddr={address}", *arguments, worker=worker, **node)
        made.service_uri = f"{scheme}://127.0.0.1:{port}"
        self.add(orchestrator.start(made))
        return made

    def gateway(self, *orchestrators, arguments=(), **node):
        urls = [o if isinstance(o, str) else o.service_uri for o in orchestrators]
        made = self._node("gateway", "-httpAddr=127.0.0.1:0", *arguments, orch_addrs=urls, **node)
        self.add(gateway.start(made))
        return made

    def cli(self, node):
        node.settings["cliAddr"] = "127.0.0.1:0"
        server = self.add(cli.start(node))
        return f"http://127.0.0.1:{server.port}"

    def _node(self, kind, *arguments, **values):
        folder = self._folder / f"{kind}{len(self._things)}"
        folder.mkdir()
        return Node(settings(*arguments), kind, folder, **values)


def url_of(gateway_node, path):
    return f"http://127.0.0.1:{gateway_node.gateway.port}{path}"


def fetch(url, method="GET", body=None, headers=None):
    """(status, content type, bytes)."""
    reply = web.call(method, url, body, headers, timeout=20)
    return reply.status, reply.headers.get("Content-Type", ""), reply.read()


def post_json(url, document, **headers):
    return fetch(url, "POST", json.dumps(document).encode(), {"Content-Type": "application/json", **headers})


def post_form(url, values, **headers):
    body, content_type = jobs.write_multipart(values)
    return fetch(url, "POST", body, {"Content-Type": content_type, **headers})


def picture(data=None):
    return jobs.File("in.png", png() if data is None else data)


def error_text(body):
    return json.loads(body)["error"]["message"]
