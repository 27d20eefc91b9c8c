# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job at a runner, and what the node makes of the runner's answer (facts 6.4)."""

from __future__ import annotations

import json

from . import jobs, log, tables, web

# What the node calls each runner in its errors, and the error statuses it reads as JSON.
_NAMES = {"segment-anything-2": "segment anything 2", "llm": "LLM"}
_STATUSES = {"audio-to-text": {400, 401, 415, 422, 500}, "llm": {400, 401, 500}}
_COMMON_STATUSES = {400, 401, 422, 500}
_TOO_LARGE = {
    "audio-to-text": "audio-to-text container returned 413: file too large; max file size is 50MB",
    "image-to-text": "image-to-text container returned 413 file too large; max file size is 50MB",
}


class RunnerError(Exception):
    """The job failed; the text goes to the gateway with status 500."""


def submit(lease, job):
    """The runner's answer as JSON, or None when it gave none that the client library can read."""
    reply = _post(lease, job)
    try:
        body = reply.read()
    except (OSError, web.ProtocolError) as error:
        raise RunnerError(str(error)) from error
    if not reply.is_json:
        return None
    try:
        document = json.loads(body)
        if reply.status == 200:
            return jobs.shaped(job.pipeline, document) if job.pipeline != "image-to-video" else _frames(document)
        raise RunnerError(_refusal(job.pipeline, reply.status, document))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunnerError(f"json: cannot unmarshal the answer of the runner: {error}") from error
    except _Unread:
        return None


def stream(lease, job):
    """The chunks of a streamed llm answer; the marker [DONE] is swallowed here."""
    reply = _post(lease, job)
    if reply.status != 200:
        reply.read()
        raise RunnerError(f"unexpected status code: {reply.status}")
    for line in reply.lines():
        data = line.removeprefix("data: ")
        if not data:
            continue
        if data == "[DONE]":
            return
        try:
            yield jobs.shaped("llm", json.loads(data))
        except ValueError as error:
            log.error(f"Error unmarshaling stream data err={error} json={data}")


def start_live(lease, values):
    """Give a runner its live stream; False for an answer that the client library cannot read."""
    reply = _send(lease, tables.LIVE_PIPELINE, json.dumps(values).encode(), "application/json")
    try:
        body = reply.read()
        document = json.loads(body) if reply.is_json else None
        if document is None:
            return False
        if reply.status == 200:
            return True
        raise RunnerError(_refusal(tables.LIVE_PIPELINE, reply.status, document))
    except (OSError, web.ProtocolError, ValueError, TypeError, KeyError) as error:
        raise RunnerError(f"cannot read the answer of the runner: {error}") from error
    except _Unread:
        return False


def _post(lease, job):
    return _send(lease, job.pipeline, *job.encode())


def _send(lease, pipeline, body, content_type):
    headers = {"Content-Type": content_type}
    if lease.token:
        headers["Authorization"] = f"Bearer {lease.token}"
    url = f"{lease.endpoint.rstrip('/')}/{pipeline}"
    try:
        return web.call("POST", url, body, headers)
    except (OSError, web.ProtocolError) as error:
        raise RunnerError(f'Post "{url}": {error}') from error


class _Unread(Exception):
    """A status the generated client has no field for."""


def _refusal(pipeline, status, document):
    if status == 413 and pipeline in _TOO_LARGE:
        return _TOO_LARGE[pipeline]
    if status not in _STATUSES.get(pipeline, _COMMON_STATUSES):
        raise _Unread
    name = _NAMES.get(pipeline, pipeline)
    if status == 422:
        return f"{name} container returned 422: {json.dumps({'detail': document['detail']}, separators=(',', ':'))}"
    return f"{name} container returned {status}: {document['detail']['msg']}"


def _frames(document):
    """A VideoResponse: batches of frames."""
    return {"frames": [jobs.shaped("text-to-image", {"images": batch})["images"] for batch in document["frames"]]}
