# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker Engine API in a thread: enough for the AI worker. Its "containers" are runners in threads."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import socketserver
import threading
import urllib.parse


class FakeRunner:
    """A runner's HTTP API on a loopback port; the test turns its knobs."""

    def __init__(self, port: int = 0, pipeline: str = "", model_id: str = "") -> None:
        self.status, self.http_status, self.content_type = "OK", 200, "application/json"
        self.version, self.seen = "0.14.1", []
        self.pipeline, self.model_id = pipeline, model_id
        self._server = _Threading(("127.0.0.1", port), self._handler())
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str) -> tuple[int, object]:
        named = {"pipeline": self.pipeline, "model_id": self.model_id}
        if path == "/health":
            return self.http_status, {"status": self.status}
        if path == "/version":
            return 200, {**named, "version": self.version}
        if path == "/hardware/info":
            return 200, {**named, "gpu_info": {}}
        return 404, {"detail": "Not Found"}

    def _handler(self):
        fake = self

        class Handler(_Quiet):
            def do_GET(self):
                fake.seen.append((self.path, self.headers.get("Authorization")))
                status, body = fake._answer(self.path)
                self.reply(status, json.dumps(body).encode(), fake.content_type)

        return Handler


class _Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_arguments):
        """The requests are asserted on, not printed."""

    def address_string(self):
        return "unix"

    def reply(self, status: int, body: bytes = b"", content_type: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class _Threading(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def server_bind(self):
        # No name look-up of 127.0.0.1, which HTTPServer would do.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class FakeDocker:
    """`containers` by id: {"Name", "Config", "State", "runner"}; `calls` is every "METHOD /path" without version."""

    def __init__(self, path) -> None:
        self.host = f"unix://{path}"
        self.api_version = "1.41"
        self.images: set[str] = set()
        self.pullable: set[str] = set()
        self.pull_error = ""  # an error message inside the pull's stream
        self.containers: dict[str, dict] = {}
        self.created: list[tuple[str, dict]] = []
        self.calls: list[str] = []
        self.versions: set[str] = set()
        self.on_start = self.run_runner
        self.start_error = ""
        self.remove_delay = threading.Event()
        self._count = 0
        self._server = _UnixServer(str(path), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> FakeDocker:
        return self

    def __exit__(self, *_exc) -> None:
        self._server.shutdown()
        self._server.server_close()
        for container in list(self.containers.values()):
            self._end(container)

    # --- what tests do to it -------------------------------------------------------------------------------------
    def run_runner(self, container: dict) -> FakeRunner:
        """The default behaviour of a started container: a healthy runner on the published port."""
        environment = dict(item.split("=", 1) for item in container["Config"]["Env"])
        (binding,) = container["Config"]["HostConfig"]["PortBindings"]["8000/tcp"]
        return FakeRunner(int(binding["HostPort"]), environment["PIPELINE"], environment["MODEL_ID"])

    def add_container(self, name: str, labels: dict[str, str]) -> str:
        return self._add(name, {"Labels": labels, "Env": [], "HostConfig": {}})

    def named(self, name: str) -> dict:
        return next(c for c in self.containers.values() if c["Name"] == f"/{name}")

    def kill(self, name: str) -> None:
        self._end(self.named(name))

    @property
    def names(self) -> list[str]:
        return [container["Name"].removeprefix("/") for container in self.containers.values()]

    # --- the API -------------------------------------------------------------------------------------------------
    def _add(self, name: str, config: dict) -> str:
        self._count += 1
        identity = f"{self._count:064x}"
        self.containers[identity] = {
            "Id": identity,
            "Name": f"/{name}",
            "Config": config,
            "State": {"Status": "created", "Running": False, "ExitCode": 0},
            "runner": None,
        }
        return identity

    @staticmethod
    def _end(container: dict) -> None:
        runner, container["runner"] = container["runner"], None
        if runner:
            runner.close()
        container["State"] = {"Status": "exited", "Running": False, "ExitCode": 0}

    def _handler(self):
        fake = self

        class Handler(_Quiet):
            def do_GET(self):
                fake._serve(self, "GET")

            def do_POST(self):
                fake._serve(self, "POST")

            def do_DELETE(self):
                fake._serve(self, "DELETE")

        return Handler

    def _serve(self, handler: _Quiet, method: str) -> None:
        if handler.path == "/_ping":
            handler.reply(200, b"OK", "text/plain", API_Version=self.api_version)
            return
        version, path = re.match(r"/v([0-9.]+)(/.*)", handler.path).groups()
        self.versions.add(version)
        self.calls.append(f"{method} {path}")
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(path)
        status, answer = self._dispatch(method, url.path, urllib.parse.parse_qs(url.query), body)
        content = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        with contextlib.suppress(BrokenPipeError):
            handler.reply(status, content)

    def _dispatch(self, method: str, path: str, query: dict, body: bytes) -> tuple[int, object]:
        if path == "/containers/json":
            return 200, self._list(json.loads(query["filters"][0])["label"])
        if path == "/containers/create":
            return self._create(query["name"][0], json.loads(body))
        if path == "/images/create":
            return self._pull(f"{query['fromImage'][0]}:{query['tag'][0]}")
        image = re.match(r"/images/(.+)/json\Z", path)
        if image:
            name = urllib.parse.unquote(image[1])
            return (200, {"Id": name}) if name in self.images else (404, {"message": f"No such image: {name}"})
        identity, action = re.match(r"/containers/(\w+)/?(\w*)\Z", path).groups()
        container = self.containers.get(identity)
        if container is None:
            return 404, {"message": f"No such container: {identity}"}
        return self._act(container, method, action)

    def _list(self, labels: dict) -> list[dict]:
        found = []
        for container in self.containers.values():
            own = container["Config"].get("Labels") or {}
            if all(f"{key}={own.get(key)}" == label for label in labels for key in [label.split("=")[0]]):
                found.append({"Id": container["Id"], "Names": [container["Name"]], "Labels": own})
        return found

    def _create(self, name: str, config: dict) -> tuple[int, object]:
        self.created.append((name, config))
        if config["Image"] not in self.images:
            return 404, {"message": f"No such image: {config['Image']}"}
        if name in self.names:
            return 409, {"message": f'Conflict. The container name "/{name}" is already in use'}
        if not config["HostConfig"]["Mounts"][0]["Source"].startswith("/"):
            return 400, {"message": 'invalid mount config for type "bind": mount path must be absolute'}
        return 201, {"Id": self._add(name, config), "Warnings": []}

    def _pull(self, image: str) -> tuple[int, object]:
        if self.pull_error:
            return 200, json.dumps({"errorDetail": {"message": self.pull_error}, "error": self.pull_error}).encode()
        if image not in self.pullable:
            return 404, {"message": f"pull access denied for {image}, repository does not exist"}
        self.images.add(image)
        progress = {"status": "Downloading", "progress": "[==>] 1B/2B", "id": "a"}
        return 200, json.dumps(progress).encode() + b"\r\n" + json.dumps({"status": "Done"}).encode() + b"\r\n"

    def _act(self, container: dict, method: str, action: str) -> tuple[int, object]:
        if method == "GET":
            return 200, {key: container[key] for key in ("Id", "Name", "Config", "State")}
        if method == "DELETE":
            self._end(container)
            del self.containers[container["Id"]]
            return 204, None
        if action == "stop":
            if not container["State"]["Running"]:
                return 304, None
            self._end(container)
            return 204, None
        if self.start_error:
            return 500, {"message": self.start_error}
        container["State"] = {"Status": "running", "Running": True, "ExitCode": 0}
        container["runner"] = self.on_start(container)
        return 204, None
