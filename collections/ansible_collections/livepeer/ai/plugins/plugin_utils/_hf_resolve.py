# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.

"""Ask the Hub, on the controller, what a revision is: commit, files, sizes and digests.

Ansible runs the hosts of a play in processes of their own, so what one of them learnt is kept in a file that all
processes of this run can see and that goes away with the run. Whoever comes first asks; the others wait for the answer.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from contextlib import contextmanager

from ansible_collections.livepeer.ai.plugins.module_utils._hf_errors import (
    HubError,
    backoff,
    refusal,
    wait_asked,
)

TIMEOUT = 30
# A failure holds for the other hosts of the same task, but not for a task that is retried later.
FAILURE_SECONDS = 20
# Packages below huggingface_hub, by its version, whose exceptions mean that no answer came.
TRANSPORTS = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")


class Resolver:
    """Answers from this run's memory, or from the Hub. `say` gets lines for the user."""

    def __init__(self, endpoint, token, memory, retries=5, max_wait=600, say=None):
        self.endpoint = endpoint.rstrip("/")
        self.token = token
        self.memory = os.path.join(memory, "livepeer_ai_hub")
        self.retries = retries
        self.max_wait = max_wait
        self.say = say or (lambda line: None)

    def manifest(self, want):
        """The exact list of what `want` selects."""
        told = self.listing(want)
        paths = want.pick([file["path"] for file in told["files"]], told["model_index"])
        chosen = set(paths)
        return {
            "model_id": want.model_id,
            "revision": want.revision,
            "selection": want.selection,
            "commit": told["commit"],
            "files": [file for file in told["files"] if file["path"] in chosen],
        }

    def listing(self, want):
        """The repository's files, asked for once in a run."""
        os.makedirs(self.memory, mode=0o700, exist_ok=True)
        key = "\n".join([self.endpoint, self.token or "", want.model_id, want.revision, str(want.needs_index)])
        path = os.path.join(self.memory, hashlib.sha256(key.encode()).hexdigest())
        with exclusive(path + ".lock"):
            told = recall(path)
            if told is None:
                told = self._try_to_ask(want)
                remember(path, told)
        if "failure" in told:
            raise HubError(told["failure"], **told["facts"])
        return told

    def _try_to_ask(self, want):
        try:
            return self._ask(want)
        except HubError as error:
            return {"failure": error.kind, "facts": error.facts, "until": time.time() + FAILURE_SECONDS}

    def _ask(self, want):
        api = hub().HfApi(endpoint=self.endpoint, token=self.token or False)
        info = self._request(
            want, lambda: api.model_info(want.model_id, revision=want.revision, files_metadata=True, timeout=TIMEOUT)
        )
        files = [self._file(want, sibling) for sibling in info.siblings or []]
        if not re.fullmatch("[0-9a-f]{40}", info.sha or ""):
            raise self._error("unexpected", want, detail="no commit in the description of the model")
        model_index = None
        if want.needs_index and any(file["path"] == "model_index.json" for file in files):
            model_index = self._model_index(want, info.sha)
        elif info.gated:
            # Everybody may list a gated model. One file tells whether this token may have its files too; the largest,
            # because some of the small ones are open to everybody as well.
            largest = max(files, key=lambda file: file["size"])["path"]
            self._request(want, lambda: self._get("HEAD", want, info.sha, largest))
        return {"commit": info.sha, "files": files, "model_index": model_index}

    def _file(self, want, sibling):
        if sibling.size is None or not (sibling.lfs or sibling.blob_id):
            raise self._error("unexpected", want, detail=f"neither size nor digest of {sibling.rfilename}")
        return {
            "path": sibling.rfilename,
            "size": sibling.size,
            "digest": sibling.lfs.sha256 if sibling.lfs else sibling.blob_id,
            "algorithm": "sha256" if sibling.lfs else "git-sha1",
        }

    def _model_index(self, want, commit):
        text = self._request(want, lambda: self._get("GET", want, commit, "model_index.json")).text
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._error("unexpected", want, detail="model_index.json is not a JSON object")
        return found

    def _get(self, method, want, commit, path):
        library = hub()
        response = library.get_session().request(
            method,
            library.hf_hub_url(want.model_id, path, revision=commit, endpoint=self.endpoint),
            headers=library.utils.build_hf_headers(token=self.token or False),
            timeout=TIMEOUT,
            # Where the content network keeps a file does not matter here; that the Hub lets us go there does.
            follow_redirects=method == "GET",
        )
        library.utils.hf_raise_for_status(response)
        return response

    def _request(self, want, ask):
        """Call `ask`, again while that may help; failures become HubError."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return ask()
            except hub().errors.HfHubHTTPError as exc:
                wait, last = self._judge(want, exc.response)
            except (TypeError, ValueError, KeyError) as exc:
                raise self._error("unexpected", want, detail=f"{type(exc).__name__}: {exc}") from exc
            except Exception as exc:
                if not isinstance(exc, OSError) and type(exc).__module__.partition(".")[0] not in TRANSPORTS:
                    raise
                wait, last = None, self._error(certificate_or("unreachable", exc), want, detail=words(exc))
            if attempt > self.retries or last.kind == "certificate":
                raise last
            wait = backoff(attempt) if wait is None else wait
            if wait > self.max_wait:
                raise self._error("rate_limit", want, seconds=wait)
            self.say(f"{last.facts['detail']}; asking {self.endpoint} about {want.model_id} again in {wait} s")
            time.sleep(wait)

    def _judge(self, want, response):
        """(seconds to wait or None, the error to raise if no attempt is left); raises what no attempt will change."""
        status = response.status_code
        if status == 429 or (status == 503 and response.headers.get("Retry-After")):
            wait = wait_asked(response.headers, None)
            return wait, self._error(
                "still_limited", want, attempts=self.retries + 1, detail=f"HTTP status {status}: too many requests"
            )
        if status >= 500:
            return None, self._error("server_error", want, detail=f"HTTP status {status}")
        kind = refusal(status, response.headers.get("X-Error-Code"), bool(self.token))
        raise self._error(kind or "unexpected", want, detail=f"HTTP status {status}")

    def _error(self, kind, want, **facts):
        facts.setdefault("detail", "")
        return HubError(
            kind,
            endpoint=self.endpoint,
            model_id=want.model_id,
            revision=want.revision,
            path="model_index.json",
            **facts,
        )


def hub():
    """huggingface_hub, imported only when the Hub is really asked: it takes a third of a second."""
    import huggingface_hub
    import huggingface_hub.errors
    import huggingface_hub.utils

    return huggingface_hub


@contextmanager
def exclusive(path):
    with open(path, "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def recall(path):
    try:
        with open(path, encoding="utf-8") as source:
            told = json.load(source)
    except FileNotFoundError:
        return None
    return told if told.get("until", time.time()) >= time.time() - 0.001 else None


def remember(path, told):
    fresh = path + ".new"
    with open(fresh, "w", encoding="utf-8") as target:
        json.dump(told, target)
    os.replace(fresh, path)


def certificate_or(kind, exc):
    return "certificate" if "CERTIFICATE_VERIFY_FAILED" in str(exc) else kind


def words(exc):
    return str(exc).strip().split("\n", maxsplit=1)[0] or type(exc).__name__
