# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trickle channels of live streams: numbered segments over HTTP, the last five of each channel.

A publisher posts segment after segment, a subscriber asks for the next one and waits until it is there. Unlike the
real server's, a segment is passed on when it is whole, not while it is written.
"""

from __future__ import annotations

import re
import threading
import time

from . import web

PATH = "/ai/trickle/"
KEPT_SEGMENTS = 5
IDLE_SECONDS = 5 * 60
NEXT, CURRENT = -1, -2
# A channel without this segment; upstream's own number.
NO_SEGMENT = 470
# How often a waiting subscriber looks whether its client is still there.
LOOK_SECONDS = 0.2
_TERMINATED = {"Lp-Trickle-Closed": "terminated"}


class Channel:
    def __init__(self, mime_type):
        self.mime_type = mime_type
        self.segments = {}
        self.next_write = 0
        self.written_at = time.monotonic()
        self.closed = False

    def write(self, index, data):
        """Keep a segment, in place of an older one of that number; the number that it got."""
        index = self.next_write if index == NEXT else index
        self.segments[index] = data
        self.next_write, self.written_at = index + 1, time.monotonic()
        for old in sorted(self.segments)[:-KEPT_SEGMENTS]:
            del self.segments[old]
        return index

    def wanted(self, index):
        """The number that a subscriber means."""
        if index == NEXT:
            return self.next_write
        return max(self.next_write - 1, 0) if index == CURRENT else index

    def may_come(self, index):
        """Whether it is worth waiting for a segment: only the next one is, and the second of an empty channel."""
        return not self.closed and (index == self.next_write or (self.next_write == 0 and index == 1))


class Trickle:
    """All channels of one orchestrator. A stream has four, and they end together with the one that feeds it."""

    def __init__(self):
        self._changed = threading.Condition()
        self._channels = {}
        self._streams = {}

    def open(self, stream):
        """The four channels of a stream: its name alone is what goes in."""
        kinds = {"": "video/MP2T", "-out": "video/MP2T", "-control": "application/json", "-events": "application/json"}
        with self._changed:
            self._streams[stream] = [stream + suffix for suffix in kinds]
            self._channels.update({stream + suffix: Channel(mime) for suffix, mime in kinds.items()})

    def close(self, name):
        """End a channel, or all channels of a stream; False when there is no such channel."""
        with self._changed:
            known = name in self._channels
            for each in self._streams.pop(name, [name]):
                if each in self._channels:
                    self._channels.pop(each).closed = True
            self._changed.notify_all()
        return known

    def handle(self, request):
        """The answer to a request below PATH, or None for any other."""
        found = re.fullmatch(re.escape(PATH) + r"([^/]+)(?:/([^/]+))?", request.path)
        if not found:
            return None
        self._close_idle()
        name, index = found.groups()
        if request.method == "DELETE" and index is None:
            return web.text("") if self.close(name) else web.error("Invalid stream", 400)
        with self._changed:
            channel = self._channels.get(name)
        if channel is None:
            return web.error("Stream not found", 404)
        if request.method == "POST" and index is None:
            return web.text("")
        if request.method == "GET" and index == "next":
            return web.Response(200, str(channel.next_write).encode(), {"Lp-Trickle-Latest": str(channel.next_write)})
        if index is None or request.method not in ("GET", "POST"):
            return web.error("Method Not Allowed", 405)
        if not re.fullmatch(r"[+-]?[0-9]+", index) or int(index) < CURRENT:
            return web.error("Invalid idx", 400)
        answer = self._read if request.method == "GET" else self._write
        return answer(channel, int(index), request)

    def _write(self, channel, index, request):
        with self._changed:
            index = channel.write(index, request.body)
            self._changed.notify_all()
        # A publisher that waited with an open request learns here that its channel is gone.
        ended = _TERMINATED if channel.closed and not request.body else {}
        return web.Response(200, b"", {"Lp-Trickle-Seq": str(index), **ended})

    def _read(self, channel, index, request):
        with self._changed:
            index = channel.wanted(index)
            while index not in channel.segments and channel.may_come(index):
                self._changed.wait(LOOK_SECONDS)
                if request.gone():
                    raise web.Abort
            data = None if channel.closed else channel.segments.get(index)
            headers = {"Lp-Trickle-Seq": str(index), "Lp-Trickle-Latest": str(channel.next_write)}
        if data is not None:
            return web.Response(200, data, {**headers, "Content-Type": channel.mime_type})
        if channel.closed:
            return web.Response(200, b"", {**headers, **_TERMINATED})
        return web.Response(NO_SEGMENT, b"Entry not found", headers)

    def _close_idle(self):
        limit = time.monotonic() - IDLE_SECONDS
        with self._changed:
            idle = [name for name, channel in self._channels.items() if channel.written_at < limit]
        for name in idle:
            self.close(name)
