# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few Docker Engine API calls that the AI worker makes, over the socket, with version negotiation (facts 3.2)."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import urllib.parse
from collections.abc import Iterator, Mapping

DEFAULT_HOST = "unix:///var/run/docker.sock"
# The newest API the node's client library speaks, and what it assumes of a daemon too old to say.
NEWEST_API = "1.47"
OLDEST_API = "1.24"


class DockerError(Exception):
    """The daemon could not be reached (status 0) or refused (its HTTP status)."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status

    @property
    def not_found(self) -> bool:
        return self.status == 404


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("api.moby.localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


class DockerClient:
    """Addresses the daemon named by DOCKER_HOST, else the local socket; each call opens its own connection."""

    def __init__(self, environment: Mapping[str, str] = os.environ, timeout: float = 60) -> None:
        self._host = environment.get("DOCKER_HOST") or DEFAULT_HOST
        self._version = environment.get("DOCKER_API_VERSION", "").removeprefix("v")
        self._timeout = timeout
        scheme = urllib.parse.urlsplit(self._host).scheme
        if scheme not in ("unix", "tcp", "http") or environment.get("DOCKER_TLS_VERIFY"):
            raise DockerError(
                f"unable to parse docker host `{self._host}`: only unix:// and plain tcp:// are spoken here"
            )

    # --- calls ---------------------------------------------------------------------------------------------------
    def image_exists(self, image: str) -> bool:
        try:
            self._call("GET", f"/images/{urllib.parse.quote(image, safe='/:@')}/json")
        except DockerError as error:
            if error.not_found:
                return False
            raise
        return True

    def pull(self, image: str) -> Iterator[dict]:
        """The progress messages. An error inside the stream is one of them: the node does not look (facts 3.7)."""
        name, tag = familiar_reference(image)
        query = urllib.parse.urlencode({"fromImage": name, "tag": tag})
        with self._open("POST", f"/images/create?{query}", timeout=None) as response, _reading():
            for line in response:
                if line.strip():
                    yield json.loads(line)

    def create(self, name: str, config: dict) -> str:
        query = urllib.parse.urlencode({"name": name})
        return self._call("POST", f"/containers/create?{query}", config)["Id"]

    def start(self, container: str) -> None:
        self._call("POST", f"/containers/{container}/start")

    def inspect(self, container: str) -> dict:
        return self._call("GET", f"/containers/{container}/json")

    def stop(self, container: str, seconds: int) -> None:
        self._call("POST", f"/containers/{container}/stop?t={seconds}")

    def remove(self, container: str) -> None:
        self._call("DELETE", f"/containers/{container}")

    def containers_with_label(self, label: str) -> list[dict]:
        query = urllib.parse.urlencode({"all": "1", "filters": json.dumps({"label": {label: True}})})
        return self._call("GET", f"/containers/json?{query}")

    # --- transport -----------------------------------------------------------------------------------------------
    def _call(self, method: str, path: str, body: dict | None = None):
        with self._open(method, path, body, self._timeout) as response, _reading():
            content = response.read()
            return json.loads(content) if content.strip() else None

    @contextlib.contextmanager
    def _open(
        self, method: str, path: str, body: dict | None = None, timeout: float | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        with self._connection(timeout) as connection:
            response = self._request(connection, method, f"/v{self._negotiated()}{path}", body)
            if response.status >= 400:
                raise DockerError(f"Error response from daemon: {_message(response.read())}", response.status)
            yield response

    def _request(self, connection, method: str, path: str, body: dict | None = None) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(
                f"Cannot connect to the Docker daemon at {self._host}. Is the docker daemon running? ({error})"
            ) from error

    @contextlib.contextmanager
    def _connection(self, timeout: float | None) -> Iterator[http.client.HTTPConnection]:
        parts = urllib.parse.urlsplit(self._host)
        connection = (
            _UnixConnection(parts.path, timeout)
            if parts.scheme == "unix"
            else http.client.HTTPConnection(parts.netloc, timeout=timeout)
        )
        with contextlib.closing(connection):
            yield connection

    def _negotiated(self) -> str:
        """The newest version both sides speak, asked for once; DOCKER_API_VERSION settles it without asking."""
        if not self._version:
            with self._connection(self._timeout) as connection:
                response = self._request(connection, "GET", "/_ping")
                response.read()
            spoken = response.headers.get("API-Version") or OLDEST_API
            self._version = min(spoken, NEWEST_API, key=_version_key)
        return self._version


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """A daemon that goes away in the middle of an answer is a daemon that could not be reached."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DockerError(f"error reading the daemon's answer: {error}") from error


def _message(content: bytes) -> str:
    try:
        return json.loads(content)["message"]
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip()


def familiar_reference(image: str) -> tuple[str, str]:
    """(name, tag or digest) as the API's pull wants them; Docker Hub's own prefixes are left out."""
    name, at, digest = image.partition("@")
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    name = f"{head}{slash}{last}".removeprefix("docker.io/").removeprefix("library/")
    return name, digest if at else tag or "latest"
