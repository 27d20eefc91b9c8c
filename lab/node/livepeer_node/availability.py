# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start-up self-check: can the node reach itself at its own service address? (facts 1.6)"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import urllib.parse

from . import log

CONNECT_SECONDS, CALL_SECONDS = 3, 8


def answers(service_uri: str) -> bool:
    """Whether something serves there; stands in for the gRPC ping, and checks no certificate either."""
    parts = urllib.parse.urlsplit(service_uri)
    with contextlib.closing(_connection(parts)) as connection:
        try:
            connection.connect()
            connection.sock.settimeout(CALL_SECONDS)
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException) as error:
            log.error(f"Was not able to submit Ping: {error}")
            return False


def _connection(parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.netloc, timeout=CONNECT_SECONDS)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.netloc, timeout=CONNECT_SECONDS, context=context)
