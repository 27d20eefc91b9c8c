# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How go-livepeer's orchestrator registers external capabilities (BYOC), and how it fails. Private to the collection.

The one home of the protocol: the module byoc_capability imports it, and the role byoc installs a copy of this file with
the registrar. So it needs nothing but the standard library.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import socket
import ssl
import time
import urllib.parse
import uuid
from dataclasses import dataclass

MAX_BYTES = 1024 * 1024
NOBODY = "0x" + "0" * 40
# Currencies that need no price feed.
OWN_CURRENCIES = ("", "wei", "eth")
# Keys of a registration, in the node's spelling.
DECLARED = ("name", "description", "url", "capacity", "price_per_unit", "price_scaling", "currency")
# A job that is sent there and nowhere else tells a busy capability from one that is not registered.
PROBE_PATH = "livepeer-capability-probe"
PROBE_SECONDS = 5

# What read-back says of a capability.
LISTED = "listed"  # registered, with a free slot
BUSY = "busy"  # registered, without a free slot
MISSING = "missing"  # not registered
UNREADABLE = "unreadable"  # the node does not tell, as on-chain, where a token needs a funded account
UNSURE = "unsure"  # no free slot, and not asked further

REMEDIES = {
    "wrong_secret": "Give the orchestrator's current orchSecret; one that was changed counts from its next restart on.",
    "open_registration": (
        "Start the orchestrator with orchSecret, as the role orchestrator does: without one, anybody who reaches it "
        "can register a capability, or take one away."
    ),
    "currency_without_feed": (
        "Use wei or eth, or an on-chain orchestrator with a price feed for this currency; off-chain there is no feed."
    ),
    "unreachable": "Check that the orchestrator runs and that its service address is right.",
    "not_an_orchestrator": (
        "Give the service address of an orchestrator (https://host:8935), not that of a gateway or a CLI port."
    ),
    "rejected": "Correct the declaration: capacity and prices are whole numbers.",
    "not_listed": "Read the orchestrator's log: it accepted the registration and does not offer the capability.",
    "still_listed": "Look for another registrar that registers the same name with this orchestrator.",
}


class ByocFailure(Exception):
    """The orchestrator did not do what it was asked. name tells in which way."""

    def __init__(self, name, sentence):
        super().__init__(sentence)
        self.name = name
        self.sentence = sentence
        self.remedy = REMEDIES[name]


class NoAnswer(Exception):
    """No HTTP answer came back. dropped: the connection was made and then closed without a word."""

    def __init__(self, sentence, dropped=False):
        super().__init__(sentence)
        self.sentence = sentence
        self.dropped = dropped


@dataclass(frozen=True)
class Answer:
    """An answer, whatever its status."""

    status: int
    text: str
    fingerprint: str


@dataclass(frozen=True)
class Listing:
    """What read-back says. available counts free slots; price is (per unit, scaling), None if the node names none."""

    state: str
    available: int = 0
    price: tuple | None = None


def one_line(text, limit=200):
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def service_error(url):
    """What is wrong with the address of a server, empty if nothing is."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it does not begin with http:// or https:// and a host"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "credentials, a query or a fragment have no place in it"
    return "the port 0 cannot be connected to" if port == 0 else ""


def exchange(method, url, headers=None, body=None, timeout=5.0):
    """One request, direct and without redirects, within a limit on the whole of it.

    Certificates are not verified: every node of the network makes its own at each start. What one is good for is its
    fingerprint, which changes when the orchestrator has been restarted.
    """
    parts = urllib.parse.urlsplit(url)
    where = parts.netloc
    deadline = time.monotonic() + timeout
    connection = _connection(parts, timeout)
    try:
        connection.connect()
        fingerprint = ""
        if parts.scheme == "https":
            fingerprint = hashlib.sha256(connection.sock.getpeercert(binary_form=True)).hexdigest()
    except ssl.SSLError as error:
        connection.close()
        raise NoAnswer(f"{where} does not speak TLS ({error.reason or 'the handshake failed'})") from error
    except OSError as error:
        connection.close()
        raise NoAnswer(f"{where} cannot be reached: {_words(error, timeout)}") from error
    # Kept, because the connection lets go of it when the server is one that closes after its answer.
    sock = connection.sock
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, _read(answer, sock, deadline).decode("utf-8", "replace"), fingerprint)
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) as error:
        raise NoAnswer(f"{where} closed the connection without an answer", dropped=True) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(f"{where} gave no answer: {_words(error, timeout)}") from error
    finally:
        connection.close()


def _connection(parts, timeout):
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=timeout, context=context)


def _read(answer, sock, deadline):
    """The body, in pieces: a server that drips must still meet the deadline."""
    pieces, size = [], 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("out of time")
        if sock.fileno() >= 0:
            sock.settimeout(left)
        piece = answer.read1(65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise ValueError(f"it is longer than {MAX_BYTES} bytes")


def _words(error, timeout):
    if isinstance(error, (socket.timeout, TimeoutError)):
        return f"nothing complete came within {timeout:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, http.client.HTTPException):
        return f"it is not HTTP ({type(error).__name__})"
    return one_line(getattr(error, "strerror", None) or error)


def registration(declaration, token=""):
    """The body of a registration; the node takes whole numbers only, and a capacity of 0 is never used."""
    document = {key: declaration[key] for key in DECLARED if key in declaration}
    if token:
        document["token"] = token
    return document


class Orchestrator:
    """The service port of one orchestrator."""

    def __init__(self, url, secret="", timeout=5.0):
        self.url = url.rstrip("/")
        self.secret = secret
        self.timeout = timeout
        self.fingerprint = ""

    def _ask(self, method, path, headers=None, body=None, timeout=None):
        answer = exchange(method, f"{self.url}/{path}", headers, body, timeout or self.timeout)
        self.fingerprint = answer.fingerprint
        return answer

    def _send(self, path, body, secret, currency=""):
        """One of the two requests that need the secret."""
        headers = {"Authorization": secret} if secret else {}
        try:
            answer = self._ask("POST", path, headers, body)
        except NoAnswer as problem:
            if problem.dropped and currency.lower() not in OWN_CURRENCIES:
                raise ByocFailure(
                    "currency_without_feed",
                    f"The orchestrator dropped the connection, as for a currency that it cannot convert: {currency}.",
                ) from problem
            raise ByocFailure("unreachable", f"The orchestrator at {problem.sentence}.") from problem
        text = answer.text.strip()
        if answer.status == 200 and text == "ok":
            return
        if answer.status == 400 and text == "invalid authorization":
            raise ByocFailure("wrong_secret", f"The orchestrator at {self.url} does not accept the secret.")
        if answer.status == 400:
            raise ByocFailure("rejected", f"The orchestrator refuses this: {self.hide(text)}.")
        raise ByocFailure(
            "not_an_orchestrator", f"{self.url}/{path} answers {answer.status} ({self.hide(text, 80) or 'no text'})."
        )

    def hide(self, text, limit=200):
        """The words of a server without the secret, should it repeat what it was sent."""
        return one_line(text.replace(self.secret, "***") if self.secret else text, limit).rstrip(".")

    def register(self, document):
        """Register, or replace what is registered. Resets the count of jobs that run."""
        self._send("capability/register", json.dumps(document).encode(), self.secret, document.get("currency", ""))

    def unregister(self, name):
        """Unregister; one that is not registered is fine. The body is the bare name."""
        self._send("capability/unregister", name.encode(), self.secret)

    def is_open(self):
        """Whether it takes orders without a secret, asked by unregistering a name that nobody has."""
        try:
            self._send("capability/unregister", f"nobody-{uuid.uuid4().hex}".encode(), "")
        except ByocFailure as failure:
            if failure.name == "wrong_secret":
                return False
            raise
        return True

    def alive(self):
        """Look at the node without asking for anything; sets the fingerprint."""
        try:
            self._ask("GET", "healthz")
        except NoAnswer as problem:
            raise ByocFailure("unreachable", f"The orchestrator at {problem.sentence}.") from problem

    def listing(self, name, probe=True):
        """Whether the capability is registered, as far as the node tells."""
        try:
            answer = self._ask("GET", "process/token", token_headers(name))
        except NoAnswer as problem:
            raise ByocFailure("unreachable", f"The orchestrator at {problem.sentence}.") from problem
        text = answer.text.strip()
        if answer.status in (400, 503) and re.match(r"(Invalid eth address header|Could not get )", text):
            return Listing(UNREADABLE)
        token = self._token(answer)
        price = _price(token)
        available = token.get("available_capacity") or 0
        if available > 0:
            return Listing(LISTED, available, price)
        if not probe:
            return Listing(UNSURE, 0, price)
        return Listing(self._probe(name), 0, price)

    def _token(self, answer):
        """The token's document. A missing name or price tells nothing, but service_addr is always there."""
        try:
            token = json.loads(answer.text)
        except ValueError:
            token = None
        if answer.status != 200 or not isinstance(token, dict) or "service_addr" not in token:
            raise ByocFailure(
                "not_an_orchestrator",
                f"{self.url}/process/token answers {answer.status} ({self.hide(answer.text, 80) or 'no text'}).",
            )
        return token

    def _probe(self, name):
        """Without a free slot the token reads as if nothing were registered; only a job is answered differently."""
        job = job_header(name, f"probe-{uuid.uuid4().hex}", PROBE_SECONDS)
        headers = {"Livepeer": job, "Content-Type": "application/json"}
        try:
            answer = self._ask(
                "POST", f"process/request/{PROBE_PATH}", headers, b"{}", timeout=PROBE_SECONDS + self.timeout
            )
        except NoAnswer as problem:
            raise ByocFailure("unreachable", f"The orchestrator at {problem.sentence}.") from problem
        missing = answer.status == 503 and answer.text.strip() == "No capacity available for capability"
        return MISSING if missing else BUSY


def _price(token):
    price = token.get("price") or {}
    per_unit = price.get("pricePerUnit") or 0
    return (int(per_unit), int(price.get("pixelsPerUnit") or 1)) if per_unit else None


def _encoded(document):
    return base64.b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()


def token_headers(name):
    """The headers of a token request by nobody, which an off-chain node answers."""
    return {"Livepeer-Eth-Address": _encoded({"addr": NOBODY, "sig": ""}), "Livepeer-Capability": name}


def job_header(name, job_id, seconds, request="{}", parameters="{}"):
    """The Livepeer header of a job by nobody, straight to an off-chain orchestrator."""
    return _encoded(
        {
            "id": job_id,
            "request": request,
            "parameters": parameters,
            "capability": name,
            "sender": NOBODY,
            "sig": "",
            "timeout_seconds": seconds,
        }
    )
