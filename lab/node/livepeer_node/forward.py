# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's request passed on to a service: the answer as it comes, and an end to it when the client goes away.

The exchange runs in a thread of its own, so that whoever waits for it can look at the client and at the clock.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import queue
import socket
import ssl
import threading
import time
import urllib.parse

# How often a waiting job looks whether its client is still there.
WATCH_SECONDS = 0.05
PIECE = 64 * 1024
# As many pieces as upstream's channel holds lines; a slow client then slows the service down.
BACKLOG = 100
# What a decoded path may hold unquoted (RFC 3986, pchar and the slash).
_PATH = "/:@!$&'()*+,;=~"


class Failed(Exception):
    """No answer. The text is the error as Go's HTTP client words it, `reason` as its transport does."""

    def __init__(self, reason, what=""):
        super().__init__(f"{what}: {reason}" if what else reason)
        self.reason = reason


class Gone(Failed):
    """The client went away first."""


class TimedOut(Failed):
    """The time was over first."""


def quoted(path):
    return urllib.parse.quote(path, safe=_PATH)


class Exchange:
    """One request to a service. `gone` tells whether the client who waits for the answer has left."""

    def __init__(self, method, url, body=None, headers=None, gone=None):
        self._request = (method, url, body, dict(headers or {}))
        self._what = f'{method.capitalize()} "{url}"'
        self._gone = gone or (lambda: False)
        self._pieces = queue.Queue(BACKLOG)
        self._cancelled = threading.Event()
        self._socket = None
        self.status, self.headers = 0, http.client.HTTPMessage()
        threading.Thread(target=self._run, daemon=True).start()

    # --- for the one who waits -----------------------------------------------------------------------------------
    def head(self, timeout=None):
        """Wait for status and headers; raises Failed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        for _step in ("connected", "answered"):
            piece = self._next(deadline)
            if isinstance(piece, Exception):
                raise Failed(self._words(piece), self._what) from piece
        return self

    def pieces(self, deadline=None):
        """The body as it arrives; raises Failed where it breaks off, or is not over at the deadline."""
        with contextlib.closing(self):
            while (piece := self._next(deadline)) is not None:
                if isinstance(piece, Exception):
                    raise Failed(self._words(piece)) from piece
                yield piece

    def read(self):
        return b"".join(self.pieces())

    def close(self):
        """End it, wherever it is."""
        self._cancelled.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _next(self, deadline):
        while True:
            wait = WATCH_SECONDS if deadline is None else min(WATCH_SECONDS, deadline - time.monotonic())
            try:
                return self._pieces.get(timeout=max(wait, 0.001))
            except queue.Empty:
                if self._gone():
                    self.close()
                    raise Gone("context canceled", self._what) from None
                if deadline is not None and time.monotonic() >= deadline:
                    self.close()
                    raise TimedOut("context canceled", self._what) from None

    # --- in the thread -------------------------------------------------------------------------------------------
    def _run(self):
        method, url, body, headers = self._request
        try:
            connection, target = _connection(url)
            with contextlib.closing(connection):
                connection.connect()
                self._socket = connection.sock
                self._put(b"")  # raises where nobody waits any more
                connection.request(method, target, body, headers)
                raw = connection.getresponse()
                self.status, self.headers = raw.status, raw.headers
                self._put(b"")
                for piece in _body(raw):
                    self._put(piece)
            self._put(None)
        except (OSError, ValueError, http.client.HTTPException) as error:
            with contextlib.suppress(ConnectionAbortedError):
                self._put(error)

    def _put(self, piece):
        while not self._cancelled.is_set():
            try:
                self._pieces.put(piece, timeout=WATCH_SECONDS)
                return
            except queue.Full:
                continue
        raise ConnectionAbortedError

    def _words(self, error):
        return words(error, urllib.parse.urlsplit(self._request[1]).netloc)


def _body(raw):
    if raw.length is None:
        yield from iter(lambda: raw.read1(PIECE), b"")
        return
    while raw.length:
        piece = raw.read(min(PIECE, raw.length))
        if not piece:
            raise http.client.IncompleteRead(b"", raw.length)
        yield piece


def _connection(url):
    split = urllib.parse.urlsplit(url)
    if split.scheme not in ("http", "https"):
        raise ValueError(f'unsupported protocol scheme "{split.scheme}"')
    if not split.hostname:
        raise ValueError("http: no Host in request URL")
    target = urllib.parse.urlunsplit(("", "", split.path or "/", split.query, ""))
    if split.scheme == "http":
        return http.client.HTTPConnection(split.hostname, split.port), target
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(split.hostname, split.port, context=context), target


def words(error, peer):
    """An error of a connection in the words of Go's net package."""
    if isinstance(error, http.client.RemoteDisconnected):
        return "EOF"
    if isinstance(error, http.client.IncompleteRead):
        return "unexpected EOF"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {peer.rpartition(':')[0] or peer}: no such host"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return f"read tcp {peer}: read: connection reset by peer"
    if isinstance(error, OSError) and error.errno in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
        return f"dial tcp {peer}: connect: {(error.strerror or str(error)).lower()}"
    return str(error) or type(error).__name__
