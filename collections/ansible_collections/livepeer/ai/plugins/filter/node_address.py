# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documented in node_address.yml."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from ansible.errors import AnsibleFilterError

SCHEMES = ("http", "https")


def _parse(address, scheme):
    """(scheme, host, port), or ValueError with the second half of a sentence."""
    text = str(address)
    if "://" in text and not text.startswith(tuple(f"{known}://" for known in SCHEMES)):
        raise ValueError("begins with neither http:// nor https://")
    try:
        parts = urlsplit(text if "://" in text else f"{scheme}://{text}")
        port = parts.port
    except ValueError:
        raise ValueError("has a port that is no number from 1 to 65535") from None
    if parts.path or parts.query or parts.fragment or parts.username:
        raise ValueError("has more than a host and a port")
    if not port:
        raise ValueError("has no port: write host:port")
    return parts.scheme, parts.hostname or "", port


def _reach(host):
    """From where an address can be reached, as far as its text tells."""
    if host == "":
        return "wildcard"
    if host == "localhost" or host.endswith(".localhost"):
        return "loopback"
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return "name"
    for name in ("unspecified", "loopback", "link_local", "multicast", "private"):
        if getattr(number, f"is_{name}"):
            return "wildcard" if name == "unspecified" else name
    return "public"


def node_address(address, name="the address", scheme="https"):
    """A listen or service address of a node in its parts; a malformed one is refused in the name of its variable."""
    try:
        scheme, host, port = _parse(address, scheme)
    except ValueError as error:
        raise AnsibleFilterError(f"{name} ({address}) {error}") from None
    reach = _reach(host)
    # Where this host itself reaches the listener.
    local = "127.0.0.1" if reach == "wildcard" else f"[{host}]" if ":" in host else host
    return {"scheme": scheme, "host": host, "port": port, "reach": reach, "local_url": f"{scheme}://{local}:{port}"}


class FilterModule:
    def filters(self):
        return {"node_address": node_address}
