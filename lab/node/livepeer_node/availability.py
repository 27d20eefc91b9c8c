# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start-up self-check: can the node reach itself at its own service address? (facts 1.6, 7.1)"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass

from . import log, web

CONNECT_SECONDS, CALL_SECONDS = 3, 8


@dataclass(frozen=True)
class Check:
    """A GET that proves that something serves at the service address; no certificate is checked."""

    name: str
    path: str
    reads: Callable[[bytes], bool]
    failure: str

    def passes(self, service_uri: str) -> bool:
        url = f"{service_uri.rstrip('/')}{self.path}"
        try:
            reply = web.call("GET", url, timeout=CALL_SECONDS, connect_timeout=CONNECT_SECONDS)
            body = reply.read()
        except (OSError, ValueError, http.client.HTTPException) as error:
            log.error(f"{self.failure}: {error}")
            return False
        return reply.status == 200 and self.reads(body)


def _is_list(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), list)
    except ValueError:
        return False


# /healthz stands in for the gRPC ping.
PING = Check("grpc ping", "/healthz", lambda _body: True, "Was not able to submit Ping")
# What a node with live runners asks.
DISCOVERY = Check("discovery", "/discovery", _is_list, "Was not able to submit discovery availability request")
