# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP client that says what went wrong. Private to the collection.

A status code proves little on a Livepeer node and a dead connection can mean five things, so every way in which a
server can fail to answer has a name of its own here, a sentence and a remedy. An answer, whatever its status code,
is a Response; only the lack of one raises HttpFailure.
"""

from __future__ import annotations

import errno
import http.client
import json
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

# What to do about each way of not answering. One home; callers may know better and say so.
REMEDIES = {
    "refused": "Start the service, or correct the address: nothing listens there.",
    "dns": "Correct the host name, or the name servers of the host that asks.",
    "unreachable": "Check the route and the firewall between the two hosts.",
    "timeout": "Look whether the service is busy or hung, or allow more time.",
    "certificate": (
        "Serve a certificate that the asking host trusts, or set validate_certs to false if it is self-signed on "
        "purpose."
    ),
    "tls": "Use http:// for a plain port, or another port: this one does not speak TLS.",
    "not_http": "Correct the address or the scheme: something that is not an HTTP server answers there.",
    "closed_without_reply": (
        "Read the log of the service: it dropped the connection instead of answering, as a crashed handler does."
    ),
    "truncated": "Read the log of the service and check the network: the connection ended in the middle of the answer.",
    "too_large": "Check that the address is the right one: the answer is larger than any this can be.",
    "bad_url": "Give a complete address such as http://127.0.0.1:9935.",
}

LOOPBACK = re.compile(r"^(localhost|127\.\d+\.\d+\.\d+|::1)$")
SECRETS = (
    (re.compile(r"\bhf_[A-Za-z0-9]{16,}"), "hf_***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 ***"),
    (re.compile(r"(\w://)[^/@\s:]+:[^/@\s]+@"), r"\1***@"),
)
MAX_BYTES = 512 * 1024 * 1024


def redact(text):
    """The text without Hugging Face tokens, Authorization values and passwords in addresses."""
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


def shorten(text, limit=300):
    """One line of at most limit characters, without secrets: fit for a message."""
    line = " ".join(redact(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def clause(sentence):
    """A sentence as part of another one: no full stop, no capital article."""
    sentence = sentence.rstrip(".")
    return sentence[0].lower() + sentence[1:] if sentence.startswith(("The ", "A ")) else sentence


def join_url(base, path):
    """Put a path behind a base address, whether or not either has the slash."""
    return base.rstrip("/") + "/" + path.lstrip("/")


def host_port(url):
    """The host:port that a connection to this address is made to."""
    parts = urllib.parse.urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return "{}:{}".format(host, parts.port or (443 if parts.scheme == "https" else 80))


class HttpFailure(Exception):
    """No answer came back. name tells which way, remedy what to do about it."""

    def __init__(self, name, sentence):
        super().__init__(sentence)
        self.name = name
        self.sentence = sentence
        self.remedy = REMEDIES[name]


class Response:
    """An answer, whatever its status code."""

    def __init__(self, status, headers, body, url, seconds):
        self.status = status
        self.headers = headers
        self.body = body
        self.url = url
        self.seconds = seconds

    @property
    def content_type(self):
        return (self.headers.get("Content-Type") or "").lower()

    @property
    def is_json(self):
        """As the clients of the node judge it: by the Content-Type, not by the body."""
        return "json" in self.content_type

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        """The decoded body; ValueError if it is not JSON, whatever the Content-Type says."""
        return json.loads(self.body.decode("utf-8"))

    def error_text(self):
        """The human part of an error body: a node says {"error":{"message"}}, a runner {"detail":{"msg"}} or a list."""
        try:
            value = self.json()
        except ValueError:
            return shorten(self.text)
        if isinstance(value, dict):
            error, detail = value.get("error"), value.get("detail")
            if isinstance(error, dict) and error.get("message"):
                return shorten(str(error["message"]))
            if isinstance(detail, dict) and detail.get("msg"):
                return shorten(str(detail["msg"]))
            if isinstance(detail, list):
                return shorten("; ".join(_validation_text(item) for item in detail))
        return shorten(self.text)


def _validation_text(item):
    if not isinstance(item, dict):
        return str(item)
    return "{}: {}".format(".".join(str(part) for part in item.get("loc") or []), item.get("msg"))


class _KeepErrors(urllib.request.HTTPErrorProcessor):
    """An answer of 400 or more is an answer to judge, not an exception. Redirects stay as they are."""

    def http_response(self, request, response):
        return response if response.status >= 400 else super().http_response(request, response)

    https_response = http_response


class HttpClient:
    """Sends one request at a time, each with a limit on the whole of it."""

    def __init__(self, timeout=30.0, validate_certs=True, token=""):
        self.timeout = timeout
        self.token = token
        context = ssl.create_default_context()
        if not validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        https = urllib.request.HTTPSHandler(context=context)
        self._opener = urllib.request.build_opener(https, _KeepErrors())
        # A proxy from the environment can never reach this host's own loopback, so those addresses go direct.
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), https, _KeepErrors())

    def get(self, url, timeout=None):
        return self.request("GET", url, timeout=timeout)

    def post_json(self, url, value, timeout=None):
        body = json.dumps(value).encode("utf-8")
        return self.request("POST", url, body, {"Content-Type": "application/json"}, timeout)

    def post_multipart(self, url, fields, files, timeout=None):
        """fields: {name: text}; files: {name: (file name, content type, bytes)}."""
        body, content_type = encode_multipart(fields, files)
        return self.request("POST", url, body, {"Content-Type": content_type}, timeout)

    def request(self, method, url, body=None, headers=None, timeout=None, read=None):
        """read(answer, deadline) gives the bytes of the body, for a caller who need not wait for its end."""
        limit = self.timeout if timeout is None else timeout
        started = time.monotonic()
        try:
            request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
            if self.token:
                # Unredirected: a redirect to another host must not carry the token there.
                request.add_unredirected_header("Authorization", "Bearer " + self.token)
            parts = urllib.parse.urlsplit(url)
            opener = self._direct if LOOPBACK.match(parts.hostname or "") else self._opener
            with _open(opener, request, limit) as answer:
                content = (read or read_whole)(answer, started + limit)
                return Response(answer.status, answer.headers, content, answer.geturl(), time.monotonic() - started)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _explain(error, url, limit) from error


def _open(opener, request, limit):
    try:
        return opener.open(request, timeout=limit)
    except urllib.error.HTTPError as answer:
        # A redirect of a POST, or a loop of them, is for the caller to judge like any other answer.
        return answer


def read_whole(answer, deadline):
    """Read in pieces: the socket's time-out is per piece, and a server that drips must still meet the deadline."""
    pieces, size = [], 0
    while True:
        piece = answer.read1(65536) if hasattr(answer, "read1") else answer.read(65536)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise _TooLarge(size)
        if time.monotonic() > deadline:
            raise socket.timeout("the answer was not complete in time")
    promised = answer.headers.get("Content-Length")
    # read1 does not count, so a body that is cut short is noticed here.
    if promised and promised.isdigit() and size < int(promised):
        raise http.client.IncompleteRead(b"", int(promised) - size)
    return b"".join(pieces)


class _TooLarge(ValueError):
    """More bytes than any answer of a node has."""


def _explain(error, url, limit):
    """Give the failure its name. The order matters: several of these classes are each other's parents."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    where = host_port(url) if "://" in url and urllib.parse.urlsplit(url).hostname else url
    shown = redact(url)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return HttpFailure(
            "certificate", "The certificate of {} is not trusted: {}.".format(where, reason.verify_message.rstrip("."))
        )
    if isinstance(reason, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)):
        return HttpFailure("closed_without_reply", f"{where} closed the connection without a reply.")
    if isinstance(reason, ssl.SSLError):
        return HttpFailure("tls", "{} does not speak TLS ({}).".format(where, reason.reason or "handshake failed"))
    if isinstance(reason, socket.gaierror):
        return HttpFailure("dns", f"The name in {shown} cannot be resolved ({reason.strerror}).")
    if isinstance(reason, ConnectionRefusedError):
        return HttpFailure("refused", f"The connection to {where} was refused.")
    if isinstance(reason, (socket.timeout, TimeoutError)):
        return HttpFailure("timeout", f"{where} gave no complete answer within {limit:g} s.")
    if isinstance(reason, http.client.IncompleteRead):
        return HttpFailure("truncated", f"The answer of {where} ended before it was complete.")
    if isinstance(reason, _TooLarge):
        return HttpFailure("too_large", f"The answer of {where} is larger than {MAX_BYTES} bytes.")
    if isinstance(reason, OSError) and reason.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return HttpFailure("unreachable", f"{where} cannot be reached: {reason.strerror}.")
    if isinstance(reason, (http.client.InvalidURL, ValueError, str)):
        return HttpFailure("bad_url", f"{shown} is not an address that can be asked ({redact(str(reason))}).")
    if isinstance(reason, http.client.HTTPException):
        return HttpFailure("not_http", f"{where} answered with something that is not HTTP.")
    return HttpFailure("unreachable", f"{where} cannot be reached: {redact(str(reason))}.")


def encode_multipart(fields, files):
    """The body and Content-Type of a multipart/form-data request."""
    boundary = uuid.uuid4().hex
    pieces = []
    for name, value in fields.items():
        pieces.append(_part(boundary, f'name="{name}"', None, value.encode("utf-8")))
    for name, (file_name, content_type, content) in files.items():
        pieces.append(
            _part(boundary, 'name="{}"; filename="{}"'.format(name, file_name.replace('"', "")), content_type, content)
        )
    pieces.append((f"--{boundary}--\r\n").encode("ascii"))
    return b"".join(pieces), "multipart/form-data; boundary=" + boundary


def _part(boundary, disposition, content_type, content):
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n"
    if content_type:
        head += f"Content-Type: {content_type}\r\n"
    return (head + "\r\n").encode("utf-8") + content + b"\r\n"
