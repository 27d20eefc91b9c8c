# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as Go's net/http shows it to a client: server, replies, and a client that verifies no certificate."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import select
import socket
import socketserver
import ssl
import threading
import urllib.parse
from dataclasses import dataclass, field

TEXT = "text/plain; charset=utf-8"
# Statuses whose answer has no body, and no length either.
NO_BODY = (204, 304)

ProtocolError = http.client.HTTPException


class Abort(Exception):
    """The real handler panics here: net/http recovers and closes the connection without a reply."""


@dataclass
class Request:
    method: str
    path: str
    query: dict
    headers: http.client.HTTPMessage
    body: bytes
    remote: str
    # As it was sent: path and query undecoded.
    target: str = ""
    connection: socket.socket | None = None

    @property
    def raw_query(self):
        return urllib.parse.urlsplit(self.target).query

    def gone(self):
        """Whether the client hung up while it waits: then it has sent an end, or, over TLS, anything at all."""
        if self.connection is None:
            return False
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        if not poll.poll(0):
            return False
        if isinstance(self.connection, ssl.SSLSocket):
            return True
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def form(self, name):
        """A parameter as Go's FormValue finds it: the body of a form first, then the query."""
        if "application/x-www-form-urlencoded" in self.headers.get("Content-Type", ""):
            values = urllib.parse.parse_qs(self.body.decode("utf-8", "replace"))
            if values.get(name):
                return values[name][0]
        return self.query.get(name, [""])[0]


@dataclass
class Response:
    """A reply; `body` is bytes, or an iterator of bytes that is sent in chunks as they come.

    `headers` is anything with items(): a message of http.client keeps names that come more than once.
    """

    status: int = 200
    body: object = b""
    headers: object = field(default_factory=dict)


def text(body, status=200):
    return Response(status, body.encode(), {"Content-Type": TEXT} if body else {})


def error(message, status):
    """Go's http.Error: the message and a line feed."""
    return Response(status, message.encode() + b"\n", {"Content-Type": TEXT, "X-Content-Type-Options": "nosniff"})


def not_found():
    return error("404 page not found", 404)


def as_json(value, status=200):
    return Response(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 300
    # One packet per write would otherwise wait for the peer's delayed acknowledgement.
    disable_nagle_algorithm = True

    def setup(self):
        if isinstance(self.request, ssl.SSLSocket):
            # The handshake happens here, in this connection's own thread, so that a silent client blocks nobody.
            self.request.settimeout(10)
            self.request.do_handshake()
        super().setup()

    def version_string(self):
        return "livepeer-stand-in"

    def log_message(self, format, *args):
        pass

    def _serve(self):
        body = self._read_body()
        split = urllib.parse.urlsplit(self.path)
        request = Request(
            self.command,
            urllib.parse.unquote(split.path),
            urllib.parse.parse_qs(split.query, keep_blank_values=True),
            self.headers,
            body,
            self.client_address[0],
            self.path,
            self.connection,
        )
        try:
            self._send(self.server.handle_request_(request))
        except Abort:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def _read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue
        return b"".join(parts)

    def _send(self, response):
        with contextlib.ExitStack() as ends:
            # Whatever the body holds is given back at once, even when the client leaves before or while it is sent.
            if hasattr(response.body, "close"):
                ends.callback(response.body.close)
            self._send_head(response)
            if self.command != "HEAD":
                self._send_body(response.body)

    def _send_head(self, response):
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if not isinstance(response.body, bytes):
            self.send_header("Transfer-Encoding", "chunked")
        elif response.status not in NO_BODY:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()

    def _send_body(self, body):
        if isinstance(body, bytes):
            self.wfile.write(body)
            return
        for part in body:
            if part:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One listening address; raises OSError when it is taken, as a listener does."""

    allow_reuse_address = True
    # Two nodes on one port must clash.
    allow_reuse_port = False
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host, port, handler, certificate=None):
        self.handle_request_ = handler
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*map(str, certificate))

    @property
    def port(self):
        return self.server_address[1]

    def get_request(self):
        connection, address = super().get_request()
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request, client_address):
        """A client that went away is no event; anything else is a fault of this program and is shown."""
        import sys
        import traceback

        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()

    def start(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def stop(self):
        self.shutdown()
        self.server_close()


class Reply:
    """What a peer answered: status, headers, and a body read at once or line by line."""

    def __init__(self, connection, raw):
        self._connection = connection
        self._raw = raw
        self.status = raw.status
        self.headers = raw.headers

    @property
    def is_json(self):
        return "json" in self.headers.get("Content-Type", "")

    def read(self):
        with contextlib.closing(self._connection):
            return self._raw.read()

    def json(self):
        return json.loads(self.read())

    def lines(self):
        with contextlib.closing(self._connection):
            while line := self._raw.readline():
                yield line.decode("utf-8", "replace").rstrip("\r\n")


def call(method, url, body=None, headers=None, timeout=None, connect_timeout=None):
    """One request on one connection. Certificates are not verified: no Livepeer client does (facts 4.1)."""
    split = urllib.parse.urlsplit(url)
    if split.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(split.hostname, split.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(split.hostname, split.port, timeout=timeout)
    target = urllib.parse.urlunsplit(("", "", split.path or "/", split.query, ""))
    try:
        if connect_timeout is not None:
            connection.timeout = connect_timeout
            connection.connect()
            connection.sock.settimeout(timeout)
        connection.request(method, target, body, headers or {})
        return Reply(connection, connection.getresponse())
    except BaseException:
        connection.close()
        raise
