# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs and addresses as the flags give them, read the way Go's net/url reads them (facts 1.6)."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse

from . import log, tables
from .node import default_address

_BAD_HOST = re.compile(r"[\s<>\"^`{|}\\]")


class UrlError(ValueError):
    """Go's url.ParseRequestURI would refuse this text, or the flag's own rule does."""


def parse_request_uri(text: str) -> urllib.parse.SplitResult:
    """An absolute URI, or an absolute path; what Go takes for neither is refused with its words."""
    quoted = f'parse "{text}"'
    if not text:
        raise UrlError(f"{quoted}: empty url")
    if not text.startswith("/") and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text):
        raise UrlError(f"{quoted}: invalid URI for request")
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError as error:
        raise UrlError(f"{quoted}: {error}") from error
    authority = parts.netloc.rpartition("@")[2]
    bad = _BAD_HOST.search(authority)
    if bad:
        raise UrlError(f'{quoted}: invalid character "{bad[0]}" in host name')
    port = re.search(r":([^:\]]*)\Z", authority)
    if port and not re.fullmatch("[0-9]*", port[1]):
        raise UrlError(f'{quoted}: invalid port ":{port[1]}" after host')
    return parts


def http_url(text: str) -> str:
    """The text itself when it is an http or https URL."""
    if parse_request_uri(text).scheme not in ("http", "https"):
        raise UrlError("URL should be HTTP or HTTPS")
    return text


def absolute_http_url(text: str) -> str:
    parts = parse_request_uri(text)
    if not parts.scheme or not parts.netloc:
        raise UrlError("must be an absolute URL")
    if parts.scheme not in ("http", "https"):
        raise UrlError("scheme must be http or https")
    return text


def orchestrators(text: str) -> list[str]:
    """-orchAddr: default port and scheme are filled in, what cannot be parsed is only logged."""
    found = []
    for address in text.split(",") if text else []:
        url = default_address(address.strip(), "127.0.0.1", str(tables.ORCHESTRATOR_HTTP_PORT))
        if not url.startswith("http"):
            url = f"https://{url}"
        try:
            parse_request_uri(url)
        except UrlError as error:
            log.error(f"Could not parse orchestrator URI: {error}")
        else:
            found.append(url)
    return found


def instances(text: str) -> list[str]:
    """-nodes: https URLs of this orchestrator's other instances."""
    found = []
    for address in filter(None, (part.strip() for part in text.split(","))):
        url = address if address.startswith("https://") else f"https://{address}"
        try:
            parse_request_uri(url)
        except UrlError as error:
            raise UrlError(f"Could not parse instance URI '{url}': {error}") from error
        found.append(url)
    return found


def service_uri(text: str) -> str:
    """-serviceAddr as a URI; "none" is the node that takes no work."""
    if text == "none":
        return ""
    uri = text if text.startswith(("http://", "https://")) else f"https://{text}"
    parse_request_uri(uri)
    return uri


def is_local(address: str) -> bool:
    """Whether -httpAddr is on loopback, which decides about HTTP ingest (facts 6.1)."""
    host = parse_request_uri(f"https://{address}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_public(uri: str) -> bool:
    """Whether a service URI looks reachable from the internet: a name, or a global address."""
    host = urllib.parse.urlsplit(uri).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return host != "localhost"
