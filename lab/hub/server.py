#!/usr/bin/env python3
# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the Hugging Face Hub: its HTTP API over a folder of real files, standard library only.

Two ports, because the true Hub has two authorities: the first answers the API and redirects, the second hands out
the files that Git LFS stores, against a signed and expiring link. README.md says where this is weaker than the Hub.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import hmac
import json
import mimetypes
import re
import secrets
import signal
import socket
import sys
import threading
import time
import uuid
import zlib
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from faults import ANSWER_FAULTS, BODY_FAULTS, Counters, Cut, Faults
from repository import Blob, Catalogue, Repository, Snapshot

TOKENS = {"hf_lab_good": "lab-good", "hf_lab_nolicence": "lab-nolicence"}
LICENCE_ACCEPTED = {"hf_lab_good"}
TREE_PAGE = 1000  # the Hub's page size of a plain tree listing ...
TREE_PAGE_EXPANDED = 100  # ... and of one with expand=true
COMPRESSED = {".json", ".md", ".txt"}  # served with gzip to clients that accept it
COMPRESSED_FROM = 1024
GRACE_SECONDS = 5
EXPANDABLE = [
    "author",
    "baseModels",
    "cardData",
    "childrenModelCount",
    "config",
    "createdAt",
    "disabled",
    "downloads",
    "downloadsAllTime",
    "evalResults",
    "gated",
    "gguf",
    "inference",
    "inferenceProviderMapping",
    "lastModified",
    "library_name",
    "likes",
    "mask_token",
    "model-index",
    "pipeline_tag",
    "private",
    "resourceGroup",
    "safetensors",
    "sha",
    "siblings",
    "spaces",
    "tags",
    "transformersInfo",
    "trendingScore",
    "usedStorage",
    "widgetData",
    "xetEnabled",
]


class Refusal(Exception):
    """An answer that is not the one asked for."""

    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = {"X-Error-Message": message}
        if code:
            self.headers["X-Error-Code"] = code
        if status == 401:
            self.headers["WWW-Authenticate"] = 'Bearer realm="Authentication required", charset="UTF-8"'
        self.headers.update({key.replace("_", "-"): value for key, value in headers.items()})


BAD_TOKEN = "Invalid credentials in Authorization header"
ANONYMOUS = "Invalid username or password."


class Links:
    """Signed links to the LFS authority, as a CDN gives them out: no token needed, but they expire."""

    def __init__(self, lifetime: int) -> None:
        self.lifetime = lifetime
        self._key = secrets.token_bytes(32)

    def sign(self, path: str) -> str:
        expires = int(time.time()) + self.lifetime
        return f"{path}?{urlencode({'Expires': expires, 'Signature': self._signature(path, expires)})}"

    def check(self, path: str, query: dict[str, list[str]]) -> None:
        expires = query.get("Expires", ["0"])[0]
        given = query.get("Signature", [""])[0]
        if not expires.isdigit() or not hmac.compare_digest(given, self._signature(path, int(expires))):
            raise Refusal(403, "AccessDenied")
        if int(expires) < time.time():
            raise Refusal(403, "AccessDenied: Request has expired")

    def _signature(self, path: str, expires: int) -> str:
        return hmac.new(self._key, f"{path} {expires}".encode(), hashlib.sha256).hexdigest()


@dataclass
class Hub:
    """What both ports share."""

    catalogue: Catalogue
    links: Links
    faults: Faults
    counters: Counters
    stopping: threading.Event
    public_host: str = ""
    lfs_port: int = 0


class HubServer(ThreadingHTTPServer):
    """One of the two authorities; counts the requests in progress, so that a stop can wait for them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], hub: Hub) -> None:
        super().__init__(address, handler)
        self.hub = hub
        self._busy = 0
        self._idle = threading.Condition()

    @contextlib.contextmanager
    def busy(self):
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def wait_idle(self, seconds: float) -> bool:
        with self._idle:
            return self._idle.wait_for(lambda: self._busy == 0, seconds)


class Handler(BaseHTTPRequestHandler):
    """What both authorities do: count, meet a fault, route, answer with or without a body."""

    protocol_version = "HTTP/1.1"
    server_version = "livepeer-lab-hub"
    sys_version = ""
    disable_nagle_algorithm = True
    server: HubServer
    routes: tuple = ()

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args) -> None:
        """Requests are in /_lab/stats; the standard error stream is for trouble."""

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def _serve(self) -> None:
        with self.server.busy():
            url = urlsplit(self.path)
            self.raw_path = url.path
            self.query = parse_qs(url.query, keep_blank_values=True)
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.counted = not self.raw_path.startswith("/_lab/")
            try:
                if self.counted:
                    self.count()
                    self._meet_fault()
                self._route()
            except Refusal as refusal:
                self.refuse(refusal)
            except (Cut, BrokenPipeError, ConnectionResetError):
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

    def count(self) -> None:
        self.hub.counters.add("total")

    def _meet_fault(self) -> None:
        fault = self.hub.faults.take(self.command, unquote(self.raw_path), ANSWER_FAULTS)
        if fault is None:
            return
        if fault.kind == "rate_limit":
            seconds = fault.retry_after
            raise Refusal(
                429,
                fault.message or "We had to rate limit you. Retry later.",
                Retry_After=str(seconds),
                RateLimit=f'"{"api" if self.raw_path.startswith("/api/") else "resolvers"}";r=0;t={seconds}',
            )
        usual = {401: (BAD_TOKEN, None), 403: ("Access is restricted.", "GatedRepo"), 404: ("Entry not found", None)}
        message, code = usual.get(fault.status, (f"Lab fault {fault.status}", None))
        if fault.status == 404:
            code = "EntryNotFound" if self.is_file_request() else "RepoNotFound"
        raise Refusal(fault.status, fault.message or message, fault.error_code or code)

    def is_file_request(self) -> bool:
        return not self.raw_path.startswith(("/api/", "/_lab/")) or self.raw_path.startswith("/api/resolve-cache/")

    def _route(self) -> None:
        for methods, pattern, action in self.routes:
            match = re.fullmatch(pattern, self.raw_path)
            if match and self.command in methods:
                getattr(self, action)(**{key: unquote(value) for key, value in match.groupdict().items() if value})
                return
        raise Refusal(404, "Sorry, we can't find the page you are looking for.")

    # answers

    def refuse(self, refusal: Refusal) -> None:
        if self.is_file_request():
            self.send(refusal.status, refusal.message.encode(), "text/plain; charset=utf-8", refusal.headers)
        else:
            self.send_json({"error": refusal.message}, refusal.status, refusal.headers)

    def send_json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(value).encode(), "application/json; charset=utf-8", headers or {})

    def redirect(self, status: int, location: str, headers: dict[str, str]) -> None:
        text = f"{'Temporary Redirect' if status == 307 else 'Found'}. Redirecting to {location}"
        self.send(status, text.encode(), "text/plain; charset=utf-8", {**headers, "Location": location})

    def send(self, status: int, body: bytes, content_type: str, headers: dict[str, str]) -> None:
        self._head(status, {"Content-Type": content_type, "Content-Length": str(len(body)), **headers})
        if self.command != "HEAD":
            self._write([body], self._body_fault(status))

    def send_file(self, blob: Blob, etag: str, headers: dict[str, str]) -> None:
        """The bytes of a file: all, the range asked for, or nothing when the client has them already."""
        kind = mimetypes.guess_type(blob.path)[0] or "application/octet-stream"
        name = blob.path.rsplit("/", 1)[-1]
        headers = {
            "Content-Type": "text/plain; charset=utf-8" if kind.startswith("text/") else kind,
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}; filename=\"{name}\";",
            "Accept-Ranges": "bytes",
            "ETag": f'"{etag}"',
            **headers,
        }
        known = [tag.strip().removeprefix("W/") for tag in self.headers.get("If-None-Match", "").split(",")]
        if headers["ETag"] in known or "*" in known:
            self._head(304, {key: value for key, value in headers.items() if not key.startswith("Content-")})
            return
        fault = self._body_fault(200)
        if fault is None and self._compresses(blob):
            self._send_compressed(blob, headers)
            return
        start, length = self._range(blob.size, headers["ETag"])
        partial = length != blob.size or "Range" in self.headers and self._range_applies(headers["ETag"])
        if partial:
            headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{blob.size}"
        self._head(206 if partial else 200, {**headers, "Content-Length": str(length)})
        if self.command != "HEAD":
            self._write(blob.read(start, length), fault, counted_bytes=True)

    def _range_applies(self, etag: str) -> bool:
        asked = re.fullmatch(r"bytes=(\d+-\d*|-\d+)", self.headers.get("Range", "").replace(" ", ""))
        return bool(asked) and self.headers.get("If-Range", etag) == etag

    def _range(self, size: int, etag: str) -> tuple[int, int]:
        """Start and length of the one range asked for; anything else but a single range means the whole file."""
        if not self._range_applies(etag):
            return 0, size
        first, _, last = self.headers["Range"].replace(" ", "").removeprefix("bytes=").partition("-")
        if not first:
            start, end = max(0, size - int(last)), size - 1
            empty = int(last) == 0
        else:
            start, end = int(first), min(int(last), size - 1) if last else size - 1
            empty = start >= size or (last and int(last) < start)
        if empty or size == 0:
            raise Refusal(
                416,
                "The range specified is invalid for the current size of the resource.",
                Content_Range=f"bytes */{size}",
            )
        return start, end - start + 1

    def _compresses(self, blob: Blob) -> bool:
        codings = self.headers.get("Accept-Encoding", "")
        return (
            "gzip" in codings and not blob.lfs and Path(blob.path).suffix in COMPRESSED and blob.size >= COMPRESSED_FROM
        )

    def _send_compressed(self, blob: Blob, headers: dict[str, str]) -> None:
        """Text goes out compressed and chunked: no Content-Length, a weak etag, and no ranges."""
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        packed = packer.compress(b"".join(blob.read(0, blob.size))) + packer.flush()
        self._head(
            200,
            {
                **headers,
                "Content-Encoding": "gzip",
                "Transfer-Encoding": "chunked",
                "ETag": "W/" + headers["ETag"],
                "Vary": "Accept-Encoding",
            },
        )
        if self.command != "HEAD":
            self.hub.counters.add("bytes", len(packed))
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed))

    def _body_fault(self, status: int):
        if not self.counted or self.command == "HEAD" or status not in (200, 206):
            return None
        return self.hub.faults.take(self.command, unquote(self.raw_path), BODY_FAULTS)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        if self.counted:
            # logged before the first byte leaves, so that a client that has its answer finds it in the statistics
            self.hub.counters.log(f"{self.command} {self.raw_path} {status}")
        self.send_response(status)
        for name, value in {"X-Request-Id": f"Root=1-{uuid.uuid4()}", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _write(self, chunks, fault, counted_bytes: bool = False) -> None:
        for chunk in fault.spoil(chunks, self.hub.stopping) if fault else chunks:
            if counted_bytes:
                self.hub.counters.add("bytes", len(chunk))
            self.wfile.write(chunk)


REPO = r"(?P<repo>[^/]+/[^/]+)"
REVISION = r"(?P<revision>[^/]+)"


class ApiHandler(Handler):
    """The Hub itself: API, resolve, and the lab's own switches."""

    READ = ("GET", "HEAD")
    routes = (
        (READ, r"/api/whoami-v2", "whoami"),
        (READ, r"/api/models", "list_models"),
        (READ, rf"/api/resolve-cache/models/{REPO}/{REVISION}/(?P<path>.+)", "resolve_cache"),
        (READ, rf"/api/models/{REPO}", "model_info"),
        (READ, rf"/api/models/{REPO}/revision/{REVISION}", "model_info"),
        (READ, rf"/api/models/{REPO}/tree/{REVISION}(?:/(?P<path>.+))?", "tree"),
        (("POST",), rf"/api/models/{REPO}/paths-info/{REVISION}", "paths_info"),
        (READ, rf"/api/models/{REPO}/refs", "refs"),
        (READ, rf"/api/models/{REPO}/commits/{REVISION}", "commits"),
        (READ, rf"/api/models/{REPO}/auth-check", "auth_check"),
        (READ, rf"/{REPO}/resolve/{REVISION}/(?P<path>.+)", "resolve"),
        (READ, r"/_lab/stats", "lab_stats"),
        (("POST",), r"/_lab/reset", "lab_reset"),
        (READ, r"/_lab/faults", "lab_faults"),
        (("POST",), r"/_lab/faults", "lab_set_faults"),
        (("POST",), r"/_lab/commit", "lab_commit"),
    )

    def count(self) -> None:
        super().count()
        self.hub.counters.add("resolve" if self.is_file_request() else "api")

    # who asks, and for what

    def token(self) -> str | None:
        """The token given, None when there is none; an unknown one is refused, on public repositories as well."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or token not in TOKENS:
            raise Refusal(401, BAD_TOKEN)
        return token

    def repository(self, repo: str) -> Repository:
        """The repository. To a stranger the Hub does not say whether it is missing or private."""
        found = self.hub.catalogue.find(repo)
        if found:
            return found
        if self.token() is None:
            raise Refusal(401, ANONYMOUS)
        raise Refusal(404, "Repository not found", "RepoNotFound")

    def api_repository(self, repo: str) -> Repository:
        """As `repository`, and an old name or other letter case is redirected to the name of today."""
        found = self.repository(repo)
        self.token()
        if found.name != repo:
            prefix = f"/api/models/{repo}"
            location = f"/api/models/{found.name}{unquote(self.path)[len(prefix) :]}"
            raise Moved(quote(location, safe="/?&=%:"))
        return found

    def snapshot(self, repository: Repository, revision: str) -> Snapshot:
        found = repository.resolve(revision)
        if found is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found

    def check_gate(self, repository: Repository) -> None:
        """A gated repository shows its card and its list of files to all, its content to those who were let in."""
        if not repository.meta.get("gated"):
            self.token()
            return
        try:
            token = self.token()
        except Refusal:
            token = None  # the Hub answers to a wrong token as it does to none
        if token is None:
            raise Refusal(
                401,
                f"Access to model {repository.name} is restricted. You must have access to it and be authenticated"
                " to access it. Please log in.",
                "GatedRepo",
            )
        if token not in LICENCE_ACCEPTED:
            raise Refusal(
                403,
                f"Access to model {repository.name} is restricted and you are not in the authorized list."
                f" Visit https://huggingface.co/{repository.name} to ask for access.",
                "GatedRepo",
            )

    def refuse(self, refusal: Refusal) -> None:
        if isinstance(refusal, Moved):
            self.redirect(307, refusal.message, {})
            return
        super().refuse(refusal)

    # the API

    def whoami(self) -> None:
        token = self.token()
        if token is None:
            raise Refusal(401, ANONYMOUS)
        name = TOKENS[token]
        self.send_json(
            {
                "type": "user",
                "id": hashlib.sha256(name.encode()).hexdigest()[:24],
                "name": name,
                "fullname": name,
                "isPro": False,
                "orgs": [],
                "auth": {"type": "access_token", "accessToken": {"displayName": "lab", "role": "read"}},
            }
        )

    def list_models(self) -> None:
        self.token()
        search = self.query.get("search", [""])[0].lower()
        author = self.query.get("author", [""])[0].lower()
        found = [repo for repo in self.hub.catalogue.repositories.values() if search in repo.name.lower()]
        found = [repo for repo in found if author in ("", repo.name.split("/")[0].lower())]
        limit = int(self.query.get("limit", ["1000"])[0])
        keys = ("id", "modelId", "private", "downloads", "likes", "tags", "pipeline_tag", "library_name", "createdAt")
        infos = (describe(repo, repo.revisions[repo.branches["main"]], False) for repo in found[:limit])
        self.send_json([{"_id": info["_id"], **{key: info[key] for key in keys}} for info in infos])

    def model_info(self, repo: str, revision: str = "main") -> None:
        repository = self.api_repository(repo)
        snapshot = self.snapshot(repository, revision)
        info = describe(repository, snapshot, self.flag("blobs"))
        expand = self.query.get("expand", []) + self.query.get("expand[]", [])
        unknown = [name for name in expand if name not in EXPANDABLE]
        if unknown:
            raise Refusal(400, f"Invalid option: {unknown[0]!r}. Expected one of {'|'.join(EXPANDABLE)} at expand")
        if expand:
            info = {key: value for key, value in info.items() if key in ("_id", "id", *expand)}
        self.send_json(info, headers={"X-Repo-Commit": snapshot.sha})

    def tree(self, repo: str, revision: str, path: str = "") -> None:
        repository = self.api_repository(repo)
        snapshot = self.snapshot(repository, revision)
        path = path.strip("/")
        if path not in snapshot.folders:
            raise Refusal(404, f'{path} does not exist on "{revision}"', "EntryNotFound")
        expand = self.flag("expand")
        entries = [
            tree_entry(snapshot, name, expand)
            for name in [*snapshot.folders, *snapshot.files]
            if name and is_below(name, path, self.flag("recursive"))
        ]
        entries.sort(key=lambda entry: (entry["type"] == "file", entry["path"]))
        page = TREE_PAGE_EXPANDED if expand else TREE_PAGE
        page = min(page, int(self.query.get("limit", [page])[0]))
        start = int(self.query.get("cursor", ["0"])[0])
        headers = {}
        if start + page < len(entries):
            again = {key: values[0] for key, values in self.query.items()}
            address = f"http://{self.headers['Host']}{self.raw_path}?{urlencode({**again, 'cursor': start + page})}"
            headers["Link"] = f'<{address}>; rel="next"'
        self.send_json(entries[start : start + page], headers=headers)

    def paths_info(self, repo: str, revision: str) -> None:
        repository = self.api_repository(repo)
        snapshot = self.snapshot(repository, revision)
        if self.headers.get("Content-Type", "").startswith("application/json"):
            asked = json.loads(self.body or b"{}")
            paths, expand = asked.get("paths", []), bool(asked.get("expand"))
        else:
            form = parse_qs(self.body.decode())
            paths, expand = form.get("paths", []), form.get("expand", ["false"])[0].lower() in ("true", "1")
        paths = [paths] if isinstance(paths, str) else paths
        known = [path.strip("/") for path in paths]
        known = [path for path in known if path in snapshot.files or path and path in snapshot.folders]
        self.send_json([tree_entry(snapshot, path, expand) for path in known])

    def refs(self, repo: str) -> None:
        repository = self.api_repository(repo)
        answer: dict[str, list] = {"converts": []}
        for key, kind, refs in (("branches", "heads", repository.branches), ("tags", "tags", repository.tags)):
            answer[key] = [
                {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": sha} for name, sha in refs.items()
            ]
        if self.flag("include_prs"):
            answer["pullRequests"] = []
        self.send_json(answer)

    def commits(self, repo: str, revision: str) -> None:
        repository = self.api_repository(repo)
        self.check_gate(repository)
        snapshot: Snapshot | None = self.snapshot(repository, revision)
        history = []
        while snapshot:
            history.append(
                {
                    "id": snapshot.sha,
                    "title": snapshot.title,
                    "message": "",
                    "authors": [{"user": repository.name.split("/")[0]}],
                    "date": snapshot.date,
                }
            )
            snapshot = repository.revisions.get(snapshot.parent or "")
        self.send_json(history, headers={"X-Total-Count": str(len(history))})

    def auth_check(self, repo: str) -> None:
        self.check_gate(self.api_repository(repo))
        self.send_json({})

    def flag(self, name: str) -> bool:
        return self.query.get(name, ["false"])[0].lower() in ("true", "1")

    # the files

    def resolve(self, repo: str, revision: str, path: str) -> None:
        """Never the bytes themselves: git's files are one hop away on this host, LFS files on the other authority."""
        repository = self.repository(repo)
        self.check_gate(repository)
        snapshot = self.snapshot(repository, revision)
        blob = self._entry(snapshot, path)
        headers = {
            "X-Repo-Commit": snapshot.sha,
            "X-Linked-Size": str(blob.size),
            "X-Linked-ETag": f'"{blob.etag}"',
            "Accept-Ranges": "bytes",
        }
        if blob.lfs:
            location = self.hub.links.sign(quote(f"/lfs/{repository.name}/{blob.sha256}/{path}"))
            self.redirect(302, f"http://{self._host()}:{self.hub.lfs_port}{location}", headers)
            return
        query = urlencode({self.raw_path: "", "etag": f'"{blob.etag}"'})
        location = quote(f"/api/resolve-cache/models/{repository.name}/{snapshot.sha}/{path}")
        self.redirect(307, f"{location}?{query}", headers)

    def resolve_cache(self, repo: str, revision: str, path: str) -> None:
        repository = self.repository(repo)
        self.check_gate(repository)
        if revision not in repository.revisions:
            raise Refusal(400, "Invalid commit hash")
        snapshot = repository.revisions[revision]
        blob = self._entry(snapshot, path)
        self.send_file(blob, blob.etag, {"X-Repo-Commit": snapshot.sha})

    def _entry(self, snapshot: Snapshot, path: str) -> Blob:
        if path not in snapshot.files:
            raise Refusal(404, "Entry not found", "EntryNotFound", X_Repo_Commit=snapshot.sha)
        return snapshot.files[path]

    def _host(self) -> str:
        return self.hub.public_host or (urlsplit(f"//{self.headers.get('Host', '')}").hostname or "localhost")

    # the lab's own switches

    def lab_stats(self) -> None:
        self.send_json(self.hub.counters.show())

    def lab_reset(self) -> None:
        self.hub.faults.replace([])
        self.hub.catalogue.restore()
        self.hub.counters.reset()
        self.send_json({})

    def lab_faults(self) -> None:
        self.send_json(self.hub.faults.show())

    def lab_set_faults(self) -> None:
        try:
            self.send_json(self.hub.faults.replace(json.loads(self.body)))
        except ValueError as error:
            raise Refusal(400, str(error)) from error

    def lab_commit(self) -> None:
        """Move a repository's main on: {"repo": id, "files": {path: text or null}, "title": text}."""
        try:
            asked = json.loads(self.body)
            repository = self.hub.catalogue.find(asked["repo"])
            changes = {path: text and text.encode() for path, text in asked["files"].items()}
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise Refusal(400, f"expected repo and files: {error!r}") from error
        if repository is None:
            raise Refusal(404, f"no repository {asked['repo']}")
        self.send_json({"sha": repository.add_commit(changes, asked.get("title", "Update")).sha})


class Moved(Refusal):
    """The same thing has another address; the message is the address."""

    def __init__(self, location: str) -> None:
        super().__init__(307, location)


class LfsHandler(Handler):
    """The authority behind the redirects: bytes against a signed link, and an etag that is not the file's digest."""

    routes = ((("GET", "HEAD"), r"/lfs/(?P<repo>[^/]+/[^/]+)/(?P<sha256>[0-9a-f]{64})/(?P<path>.+)", "content"),)

    def count(self) -> None:
        super().count()
        self.hub.counters.add("lfs")
        if "Authorization" in self.headers:
            self.hub.counters.add("lfs_with_token")

    def content(self, repo: str, sha256: str, path: str) -> None:
        self.hub.links.check(self.raw_path, self.query)
        repository = self.hub.catalogue.find(repo)
        snapshots = repository.revisions.values() if repository else ()
        for blob in (snapshot.files.get(path) for snapshot in snapshots):
            if blob and blob.sha256 == sha256:
                self.send_file(blob, hashlib.sha256(f"chunks of {sha256}".encode()).hexdigest(), {})
                return
        raise Refusal(404, "NoSuchKey")

    def refuse(self, refusal: Refusal) -> None:
        text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{refusal.message}</Code></Error>'
        headers = {key: value for key, value in refusal.headers.items() if not key.startswith("X-Error-")}
        self.send(refusal.status, text.encode(), "application/xml", headers)


def is_below(name: str, folder: str, recursive: bool) -> bool:
    rest = name[len(folder) + 1 :] if folder else name
    return name.startswith(f"{folder}/" if folder else "") and (recursive or "/" not in rest)


def tree_entry(snapshot: Snapshot, path: str, expand: bool) -> dict:
    """One line of a tree listing or of paths-info."""
    if path in snapshot.folders:
        entry = {"type": "directory", "oid": snapshot.folders[path], "size": 0, "path": path}
    else:
        blob = snapshot.files[path]
        entry = {"type": "file", "oid": blob.oid, "size": blob.size, "path": path}
        if blob.lfs:
            entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}
    if expand:
        entry["lastCommit"] = {"id": snapshot.sha, "title": snapshot.title, "date": snapshot.date}
        if entry["type"] == "file":
            entry["securityFileStatus"] = {"status": "safe", "avScan": None, "pickleImportScan": None}
    return entry


def describe(repository: Repository, snapshot: Snapshot, blobs: bool) -> dict:
    """The answer of the model info endpoint."""
    meta = repository.meta
    siblings = []
    for blob in snapshot.files.values():
        sibling: dict = {"rfilename": blob.path}
        if blobs:
            sibling.update(blobId=blob.oid, size=blob.size)
            if blob.lfs:
                sibling["lfs"] = {"sha256": blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}
        siblings.append(sibling)
    info = {
        "_id": hashlib.sha256(repository.id.encode()).hexdigest()[:24],
        "id": repository.name,
        "modelId": repository.name,
        "author": repository.name.split("/")[0],
        "sha": snapshot.sha,
        "lastModified": snapshot.date,
        "createdAt": meta["lastModified"],
        "private": False,
        "gated": meta.get("gated", False),
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": meta.get("tags", []),
        "pipeline_tag": meta.get("pipeline_tag"),
        "library_name": meta.get("library_name"),
        "cardData": meta.get("cardData", {}),
        "config": summarize_config(snapshot),
        "siblings": siblings,
        "spaces": [],
        "usedStorage": sum(blob.size for blob in snapshot.files.values()),
    }
    if "safetensors" in meta:
        info["safetensors"] = meta["safetensors"]
    return info


def summarize_config(snapshot: Snapshot) -> dict:
    """What the Hub keeps of a repository's own configuration files."""

    def read(path: str) -> dict:
        blob = snapshot.files.get(path)
        return json.loads(b"".join(blob.read(0, blob.size))) if blob else {}

    config = read("config.json")
    summary: dict = {key: config[key] for key in ("architectures", "model_type") if key in config}
    tokenizer = read("tokenizer_config.json")
    if "chat_template" in tokenizer:
        summary["tokenizer_config"] = {"chat_template": tokenizer["chat_template"]}
    class_name = read("model_index.json").get("_class_name")
    if class_name:
        summary["diffusers"] = {"_class_name": class_name}
    return summary


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the Hugging Face HTTP API over a folder of repositories.")
    parser.add_argument("--root", type=Path, required=True, help="folder that make_models.py wrote")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port of the API; 0 takes a free one")
    parser.add_argument("--lfs-port", type=int, default=8081, help="port of the LFS authority; 0 takes a free one")
    parser.add_argument("--public-host", default="", help="host in redirects (default: the one the client named)")
    parser.add_argument("--link-lifetime", type=int, default=3600, help="seconds a link to an LFS file stays valid")
    arguments = parser.parse_args(argv)
    if not arguments.root.is_dir():
        parser.error(f"--root {arguments.root} is not a folder; make one with make_models.py")
    return arguments


def main(argv: list[str]) -> int:
    arguments = parse_arguments(argv)
    stopping = threading.Event()
    hub = Hub(
        Catalogue(arguments.root),
        Links(arguments.link_lifetime),
        Faults(),
        Counters(),
        stopping,
        arguments.public_host,
    )
    api = HubServer((arguments.host, arguments.port), ApiHandler, hub)
    lfs = HubServer((arguments.host, arguments.lfs_port), LfsHandler, hub)
    hub.lfs_port = lfs.server_port
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())
    for server in (api, lfs):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(
        f"hub ready: {len(hub.catalogue.repositories)} repositories,"
        f" api http://{arguments.host}:{api.server_port} lfs http://{arguments.host}:{lfs.server_port}",
        flush=True,
    )
    stopping.wait()
    for server in (api, lfs):
        server.shutdown()
        server.server_close()
        server.wait_idle(GRACE_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
