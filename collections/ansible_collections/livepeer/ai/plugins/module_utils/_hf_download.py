# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.

"""Fetch files of known size and digest over HTTP, resuming what an earlier attempt left.

Written here because huggingface_hub gave up resuming and does not check what it fetched, and because a host needs
nothing but Python for it. A download works for a limited time and then says how far it came, so that whoever called it
can report progress and nothing is left running on the host.
"""

from __future__ import annotations

import collections
import http.client
import os
import random
import ssl
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from ansible_collections.livepeer.ai.plugins.module_utils._hf_cache import (
    digest_of,
    new_hash,
    sync_directory,
)
from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import (
    HubError,
    backoff,
    refusal,
    wait_asked,
)

CHUNK = 1 << 20
# Fewer bytes in a second than this, over a whole stall_timeout, is a connection that hangs politely.
LOWEST_RATE = 256
USER_AGENT = "livepeer.ai-hf_snapshot"


class Trouble(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(self, detail, wait=None, kind="transfer"):
        self.detail = detail
        self.wait = wait
        self.kind = kind
        super().__init__(detail)


class Transfer:
    """One file: where it comes from, where it grows, where it goes, and what it must be."""

    def __init__(self, facts, url, partial, final, size, digest, algorithm):
        # For messages: model_id, revision, path, endpoint.
        self.facts = facts
        self.url = url
        self.partial = partial
        self.final = final
        self.size = size
        self.digest = digest
        self.algorithm = algorithm

    def present(self):
        """Bytes that an earlier attempt left and that can be continued."""
        try:
            found = os.path.getsize(self.partial)
        except OSError:
            return 0
        return found if found <= self.size else 0


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, and show the token only to the authority it was given for."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if old.scheme == "https" and new.scheme != "https":
            raise Trouble(f"{new.scheme}://{new.netloc}", kind="plain_redirect")
        onward = urllib.request.Request(newurl, headers=req.headers, unverifiable=True)
        token = req.unredirected_hdrs.get("Authorization")
        if token and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            onward.add_unredirected_header("Authorization", token)
        return onward

    # Python before 3.11 does not know this one.
    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302


class Downloader:
    """Several files at once, for at most `seconds`."""

    def __init__(self, token=None, parallel=4, stall_timeout=30, retries=5, max_wait=600, seconds=None, history=None):
        self.token = token
        self.parallel = parallel
        self.stall_timeout = stall_timeout
        self.retries = retries
        self.max_wait = max_wait
        self.deadline = time.monotonic() + seconds if seconds else None
        # By digest: attempts since the last byte, and complete files with wrong content. Carried from call to call.
        history = history or {}
        self.attempts = dict(history.get("attempts") or {})
        self.mismatches = dict(history.get("mismatches") or {})
        self.received = 0
        self.problem = None
        self.resume_at = time.monotonic()
        self._queue = collections.deque()
        self._error = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._opener = urllib.request.build_opener(Redirects())

    def run(self, transfers, on_done):
        """Fetch; `on_done(transfer)` follows each file that is in its place. True if none is left."""
        # Large ones first: the last to finish should be a small one.
        self._queue.extend(sorted(transfers, key=lambda t: -t.size))
        left = len(self._queue)
        workers = [
            threading.Thread(target=self._work, args=(on_done,), daemon=True)
            for _count in range(min(self.parallel, left))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if self._error:
            raise self._error
        return not self._queue

    def history(self):
        return {"attempts": self.attempts, "mismatches": self.mismatches}

    def retry_in(self):
        """Seconds until the next attempt makes sense."""
        return max(0.0, self.resume_at - time.monotonic())

    def _time_is_up(self):
        return self._stop.is_set() or (self.deadline is not None and time.monotonic() >= self.deadline)

    def _work(self, on_done):
        while self._pause():
            with self._lock:
                if not self._queue:
                    return
                transfer = self._queue.popleft()
            try:
                finished = self._fetch(transfer)
            except Trouble as trouble:
                finished = False
                self._note(transfer, trouble)
            except Exception as exc:
                # Whatever it is must reach the caller; a thread would only print it.
                finished = False
                self._fail(exc)
            with self._lock:
                if finished:
                    self.attempts.pop(transfer.digest, None)
                    on_done(transfer)
                else:
                    self._queue.append(transfer)

    def _pause(self):
        """Wait until the Hub may be asked again; False if this call's time ends before, or is over."""
        wait = self.retry_in()
        if self.deadline is not None and time.monotonic() + wait >= self.deadline:
            return False
        return not self._stop.wait(wait)

    def _fail(self, error):
        with self._lock:
            self._error = self._error or error
        self._stop.set()

    def _note(self, transfer, trouble):
        """Count a failed attempt and decide when, or whether, to try again."""
        if trouble.kind == "plain_redirect":
            return self._fail(HubError("plain_redirect", detail=trouble.detail, **transfer.facts))
        with self._lock:
            self.problem = f"{transfer.facts['path']}: {trouble.detail}"
            count = self.attempts[transfer.digest] = self.attempts.get(transfer.digest, 0) + 1
        if count > self.retries:
            kind = "still_limited" if trouble.kind == "rate_limit" else trouble.kind
            return self._fail(HubError(kind, attempts=count, detail=trouble.detail, **transfer.facts))
        wait = backoff(count) * random.uniform(0.5, 1) if trouble.wait is None else trouble.wait
        if wait > self.max_wait:
            return self._fail(HubError("rate_limit", seconds=wait, **transfer.facts))
        with self._lock:
            self.resume_at = max(self.resume_at, time.monotonic() + wait)

    def _fetch(self, transfer):
        """One attempt at one file; True if it is complete, False if time ran out."""
        start = transfer.present()
        hasher = None
        if start < transfer.size or transfer.size == 0:
            hasher, complete = self._receive(transfer, start)
            if not complete:
                return False
        return self._finish(transfer, hasher)

    def _receive(self, transfer, start):
        """Append what is missing. The hash runs along from the first byte on; a resumed file is read once more."""
        if transfer.size == 0:
            with open(transfer.partial, "wb"):
                return None, True
        with self._open(transfer, start) as response:
            if start and response.status != 206:
                # The server does not know Range: begin again rather than append a second beginning.
                start = 0
            hasher = None if start else new_hash(transfer.algorithm, transfer.size)
            with open(transfer.partial, "ab" if start else "wb", buffering=0) as target:
                complete = self._copy(transfer, response, target, start, hasher)
                os.fsync(target.fileno())
        return hasher, complete

    def _open(self, transfer, start):
        request = urllib.request.Request(transfer.url, headers={"User-Agent": USER_AGENT})
        # Compression in transit would make the lengths meaningless.
        request.add_header("Accept-Encoding", "identity")
        if start:
            request.add_header("Range", f"bytes={start}-")
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            return self._opener.open(request, timeout=self.stall_timeout)
        except urllib.error.HTTPError as answer:
            with answer:
                raise self._judge(transfer, answer) from None
        except urllib.error.URLError as exc:
            if isinstance(exc.reason, ssl.SSLCertVerificationError):
                raise HubError("certificate", detail=exc.reason.verify_message, **transfer.facts) from exc
            raise Trouble(plain(exc.reason), kind="unreachable") from exc
        except (OSError, http.client.HTTPException) as exc:
            raise Trouble(plain(exc), kind="unreachable") from exc

    def _judge(self, transfer, answer):
        """The exception that an HTTP error stands for."""
        status, authority = answer.code, urlsplit(answer.url or transfer.url).netloc
        if status == 429 or (status == 503 and answer.headers.get("Retry-After")):
            return Trouble(f"HTTP status {status}", wait=wait_asked(answer.headers, None), kind="rate_limit")
        if status == 416:
            remove_partial(transfer)
            return Trouble("the server has fewer bytes than were kept; starting again", wait=0)
        if status >= 500 or status == 408:
            return Trouble(f"HTTP status {status} from {authority}", kind="server_error")
        if authority != urlsplit(transfer.url).netloc:
            # A signed address of the content network that has expired: the Hub will give a new one.
            return Trouble(f"HTTP status {status} from {authority}")
        kind = refusal(status, answer.headers.get("X-Error-Code"), bool(self.token))
        return HubError(kind or "refused", detail=f"HTTP status {status}", **transfer.facts)

    def _copy(self, transfer, response, target, start, hasher):
        """Bytes from the response to the file; True when all have come, False when time is up."""
        position = start
        window_start, window_position = time.monotonic(), start
        while position < transfer.size:
            if self._time_is_up():
                return False
            try:
                chunk = response.read1(CHUNK)
            except (OSError, http.client.HTTPException) as exc:
                raise Trouble(self._describe(exc, position, transfer)) from exc
            if not chunk:
                raise Trouble(f"the connection ended after {position} of {transfer.size} bytes")
            chunk = chunk[: transfer.size - position]
            target.write(chunk)
            if hasher:
                hasher.update(chunk)
            position += len(chunk)
            with self._lock:
                self.received += len(chunk)
                self.attempts.pop(transfer.digest, None)
            now = time.monotonic()
            if now - window_start >= self.stall_timeout:
                if position - window_position < LOWEST_RATE * self.stall_timeout:
                    raise Trouble(f"the connection stalled after {position} of {transfer.size} bytes")
                window_start, window_position = now, position
        return True

    def _describe(self, exc, position, transfer):
        if isinstance(exc, TimeoutError) or "timed out" in str(exc):
            return f"no byte for {self.stall_timeout} s after {position} of {transfer.size} bytes"
        return f"{plain(exc)} after {position} of {transfer.size} bytes"

    def _finish(self, transfer, hasher):
        found = hasher.hexdigest() if hasher else digest_of(transfer.partial, transfer.algorithm)
        if found == transfer.digest:
            os.replace(transfer.partial, transfer.final)
            sync_directory(os.path.dirname(transfer.final))
            return True
        remove_partial(transfer)
        with self._lock:
            count = self.mismatches[transfer.digest] = self.mismatches.get(transfer.digest, 0) + 1
        if count > 1:
            raise HubError(
                "digest", algorithm=transfer.algorithm, found=found, digest=transfer.digest, **transfer.facts
            )
        with self._lock:
            self.problem = f"{transfer.facts['path']}: wrong content, fetched again"
        return False


def remove_partial(transfer):
    if os.path.exists(transfer.partial):
        os.unlink(transfer.partial)


def plain(reason):
    """An exception as words."""
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
