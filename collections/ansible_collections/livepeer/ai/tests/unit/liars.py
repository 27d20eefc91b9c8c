# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny real servers that answer, lie or fall silent as told, and a way to run a module against them."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import io
import ipaddress
import json
import os
import socket
import socketserver
import ssl
import threading

from ansible.module_utils.testing import patch_module_args


def reply(status=200, body=b"", content_type="application/json", length=None):
    """An answer; length lies about how long it is."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    return {
        "status": status,
        "body": body,
        "content_type": content_type,
        "length": len(body) if length is None else length,
    }


CLOSE = "close"  # drop the connection without a word
STALL = "stall"  # accept, read, say nothing


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = {
            "method": self.command,
            "path": self.path,
            "headers": dict(self.headers),
            "body": self.rfile.read(length),
        }
        self.server.seen.append(request)
        told = self.server.routes.get(
            self.path.partition("?")[0], self.server.routes.get("*", reply(404, "404 page not found", "text/plain"))
        )
        if isinstance(told, list):
            told = told.pop(0) if len(told) > 1 else told[0]
        if callable(told):
            told = told(request)
        self.close_connection = True
        if told == CLOSE:
            return
        if told == STALL:
            self.server.released.wait(30)
            return
        self.send_response(told["status"])
        if told["content_type"]:
            self.send_header("Content-Type", told["content_type"])
        for name, value in told.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(told["length"]))
        self.end_headers()
        self.wfile.write(told["body"])

    do_GET = do_POST = answer

    def address_string(self):
        return "client"

    def log_message(self, *_arguments):
        """Quiet: the tests look at what was seen."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that gives up is part of the tests."""


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def _serving(server, routes):
    server.routes, server.seen, server.released = routes, [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def serve(routes, certificate=None):
    """An HTTP server on loopback; routes: {path: answer, list of answers in turn, or a function of the request}."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
    with _serving(server, routes):
        yield server


@contextlib.contextmanager
def serve_docker(path, routes):
    """The same behind a Unix socket."""
    with _serving(_UnixServer(str(path), _Handler), routes) as server:
        yield server


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serve_raw(text):
    """A server that does not speak HTTP."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk():
        with contextlib.suppress(OSError):
            connection, _address = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(text)

    threading.Thread(target=talk, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def self_signed(path):
    """A certificate as the node makes one: self-signed, for its own address."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def run_module(module, check_mode=False, **arguments):
    """What the module prints, run whole: argument parsing, the work, the JSON."""
    printed = io.StringIO()
    arguments["_ansible_check_mode"] = check_mode
    arguments["_ansible_remote_tmp"] = os.environ.get("TMPDIR", "/tmp")
    with patch_module_args(arguments), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        module.main()
    return json.loads(printed.getvalue().strip().splitlines()[-1])
