# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-sent events of a BYOC job on their way through orchestrator and gateway (facts 4.3, 4.4).

Neither looks whether the channel of lines is closed: where a stream is over, both write blank lines until the job's
time is. The orchestrator does so after [DONE] as well; only the gateway ends there.
"""

from __future__ import annotations

import time

from . import forward, web

DONE = "[DONE]"
# bufio.Scanner's limit: a longer line ends the scanning, and nobody looks why.
LINE_LIMIT = 64 * 1024
# The real loop spins as fast as the client reads; this one leaves the machine to others.
BLANK_SECONDS = 0.02
# A gateway gives the orchestrator this long to end the stream by itself.
GATEWAY_GRACE = 10


class Held:
    """A body that gives something back when it is over, however it ends."""

    def __init__(self, parts, give_back):
        self._parts = parts
        self._give_back = give_back

    def __iter__(self):
        return iter(self._parts)

    def close(self):
        self._parts.close()
        give_back, self._give_back = self._give_back, lambda: None
        give_back()


def _lines(exchange, deadline):
    """The lines of a body as a scanner gives them; a stream that breaks off or takes too long is only over."""
    rest = b""
    try:
        for piece in exchange.pieces(deadline):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if len(line) >= LINE_LIMIT:
                    return
                yield line.removesuffix(b"\r").decode("utf-8", "replace")
            if len(rest) >= LINE_LIMIT:
                return
    except forward.Gone as error:
        raise web.Abort from error
    except forward.Failed:
        return
    if rest:
        yield rest.decode("utf-8", "replace")


def _blank_until(deadline):
    while time.monotonic() < deadline:
        time.sleep(BLANK_SECONDS)
        yield b"\n"


def from_service(exchange, seconds):
    """What an orchestrator makes of a service's stream, until the job's time is over or the client leaves."""
    deadline = time.monotonic() + seconds
    for line in _lines(exchange, deadline):
        if DONE in line:
            yield b'data: {"balance": 0.000}\n\n\n'
        yield line.encode() + b"\n"
    yield from _blank_until(deadline)


def from_orchestrator(exchange, seconds):
    """What a gateway passes on: everything up to [DONE]."""
    deadline = time.monotonic() + seconds + GATEWAY_GRACE
    for line in _lines(exchange, deadline):
        yield line.encode() + b"\n"
        if DONE in line:
            exchange.close()
            return
    yield from _blank_until(deadline)
