# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An orchestrator's BYOC routes as go-livepeer v0.9.1 has them, and a service, in the test's own process."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import socket
import ssl
import threading

from ansible_collections.livepeer.ai.tests.unit.liars import self_signed

SECRET = "s3cret-of-the-orchestrator"
CURRENCIES = ("", "wei", "eth")
WHOLE_NUMBERS = ("capacity", "price_per_unit", "price_scaling")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one_request(self):
        # A client that goes away in the middle is part of the tests.
        with contextlib.suppress(OSError):
            super().handle_one_request()

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        node = self.server.node
        with node.lock:
            told = node.answer(self.command, self.path, self.headers, body)
        self.close_connection = True
        if told is None:
            return
        status, text, kind = told
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = answer

    def log_message(self, *_arguments):
        """Quiet."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        """Clients give up in these tests."""


def plain(status, text):
    return status, text, "text/plain; charset=utf-8"


class FakeOrchestrator:
    """Registry in memory, a certificate for each start, and every answer of facts 4.1 to 4.3 that a client can meet."""

    def __init__(self, directory, secret=SECRET, on_chain=False, tls=True):
        self.directory = directory
        self.secret = secret
        self.on_chain = on_chain
        self.tls = tls
        self.lock = threading.Lock()
        self.registry = {}
        self.seen = []
        self.deaf = False  # says ok and keeps nothing
        self.server = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.registry = {}
        self.server = _Server(("127.0.0.1", self.port), _Handler)
        self.server.node = self
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self_signed(self.directory / "node.pem"))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def restart(self):
        self.stop()
        self.start()

    def count(self, path):
        return sum(one == path for _method, one in self.seen)

    def answer(self, method, path, headers, body):
        self.seen.append((method, path))
        if path == "/healthz":
            return plain(200, "")
        if path == "/process/token":
            return self.token(method, headers)
        if path.startswith("/process/request/"):
            return self.job(method, headers)
        if path not in ("/capability/register", "/capability/unregister"):
            return plain(404, "404 page not found\n")
        if method != "POST":
            return plain(405, "Method not allowed\n")
        if (headers.get("Authorization") or "") != self.secret:
            return plain(400, "invalid authorization\n")
        if path == "/capability/unregister":
            if not self.deaf:
                self.registry.pop(body.decode(), None)
            return 200, "ok", "application/json"
        return self.register(body)

    def register(self, body):
        try:
            document = json.loads(body)
            for key in WHOLE_NUMBERS:
                if not isinstance(document.get(key, 0), int) or isinstance(document.get(key, 0), bool):
                    raise ValueError(f"json: cannot unmarshal number into Go struct field ExternalCapability.{key}")
        except ValueError as error:
            return 400, f"Error registering capability: {error}", "application/json"
        if document.get("currency", "").lower() not in CURRENCIES:
            return None  # the handler panics
        if not self.deaf:
            self.registry[document.get("name", "")] = {**document, "load": 0}
        return 200, "ok", "application/json"

    def token(self, method, headers):
        if method != "GET":
            return plain(405, "Method not allowed\n")
        if not headers.get("Livepeer-Eth-Address"):
            return plain(400, "Must have eth address and signature on address in Livepeer-Eth-Address header\n")
        sender = json.loads(base64.b64decode(headers["Livepeer-Eth-Address"], validate=True))
        try:
            bytes.fromhex(sender["sig"])
        except ValueError:
            return plain(400, "Invalid eth address header \n")
        if self.on_chain:
            return plain(400, "Invalid eth address header \n")
        name = headers.get("Livepeer-Capability")
        if not name:
            return plain(400, "Job capabilities not provided, must provide comma separated capabilities\n")
        token = {"sender_address": sender, "price": {"pixelsPerUnit": 1}, "service_addr": self.url, "LastNonce": 0}
        entry = self.registry.get(name)
        if entry and entry.get("capacity", 0) > entry["load"]:
            token["available_capacity"] = entry["capacity"] - entry["load"]
        return 200, json.dumps(token), "application/json"

    def job(self, method, headers):
        if method != "POST":
            return plain(405, "Method not allowed\n")
        job = json.loads(base64.b64decode(headers["Livepeer"], validate=True))
        if not job.get("timeout_seconds"):
            return plain(400, "no timeout_seconds set with request, timeout_seconds is required\n")
        if self.on_chain:
            return plain(400, "Could not verify job creds\n")
        if job["capability"] not in self.registry:
            return plain(503, "No capacity available for capability\n")
        json.loads(job["request"])
        return plain(404, '{"detail":"Not Found"}\n')


class FakeService:
    """A container's /health."""

    def __init__(self):
        self.status = 200
        self.body = {"status": "ready"}
        self.lock = threading.Lock()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.node = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, _method, _path, _headers, _body):
        return self.status, json.dumps(self.body), "application/json"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
