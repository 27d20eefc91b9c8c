# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 over sockets, with the one property of the real server that operators run into: a blocked event loop.

Connections have a thread each, but nothing is answered without the loop's turn, and a route that blocks keeps the turn
for its whole inference. So a health check sent meanwhile is accepted by the kernel and answered only afterwards, which
is what the real image does (ai-runner.md 4.7).
"""

from __future__ import annotations

import contextlib
import logging
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from .routes import Application, Request, Response

access_log = logging.getLogger("uvicorn.access")


class EventLoop:
    """One turn at a time; without `blocks`, everybody's turn is now."""

    def __init__(self, blocks: bool) -> None:
        self._turn: contextlib.AbstractContextManager = threading.Lock() if blocks else contextlib.nullcontext()

    def turn(self) -> contextlib.AbstractContextManager:
        return self._turn

    def wait_for_turn(self) -> None:
        with self._turn:
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 2048

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        self.application = application
        self.loop = EventLoop(application.settings.block_event_loop)
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    # Headers and body leave in one segment.
    wbufsize = -1

    def version_string(self) -> str:
        return "uvicorn"

    def __getattr__(self, name: str):
        """Every method goes the same way; an unsuitable one is the application's 405, not the library's 501."""
        if name.startswith("do_"):
            return self.respond
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()  # the client holds its body back until it reads this
        return True

    def respond(self) -> None:
        request = Request(self.command, urlsplit(self.path).path, self.headers, self._read_body())
        response = self._answer(request)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._send(response)

    def _answer(self, request: Request) -> Response:
        application, loop = self.server.application, self.server.loop
        route = application.route(request.path)
        if route is None or route.blocks or request.method != route.method:
            with loop.turn():
                return application.answer(request)
        loop.wait_for_turn()
        response = application.answer(request)
        loop.wait_for_turn()
        return response

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return b"".join(self._read_chunks())
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _read_chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        if isinstance(response.body, bytes):
            self.send_header("content-length", str(len(response.body)))
        else:
            self.send_header("transfer-encoding", "chunked")
        if response.body or response.status == 200:
            self.send_header("content-type", response.content_type)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(response.body, bytes):
            self.wfile.write(response.body)
        else:
            self._send_chunks(response.body)

    def _send_chunks(self, chunks: Iterator[bytes]) -> None:
        for chunk in chunks:
            self.server.loop.wait_for_turn()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.log_message('"%s" %d', self.requestline, code)

    def log_message(self, format: str, *args) -> None:
        access_log.info("%s:%s - %s", *self.client_address[:2], format % args)
