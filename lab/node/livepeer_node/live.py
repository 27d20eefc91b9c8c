# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A live stream at the orchestrator: its trickle channels, and the runner that reads one and writes the other.

The runner keeps the stream after the request has ended, so it is never given back: the worker's watcher takes it back
when it says that it is IDLE again (facts 3.5).
"""

from __future__ import annotations

import urllib.parse

from . import jobs, log, media, runner, trickle, web
from .tables import LIVE_PIPELINE
from .worker import WorkerError

ROUTE = f"/{LIVE_PIPELINE}"


class LiveStreams:
    def __init__(self, node, tokens, segment_header):
        self._node = node
        self._tokens = tokens
        self._segment_header = segment_header
        self._trickle = trickle.Trickle()

    def handle(self, request):
        """The answer to a request of this part, or None."""
        if request.path == ROUTE:
            return self._start(request)
        return self._trickle.handle(request)

    def has_capacity(self, model_id):
        return self._node.worker is not None and self._node.worker.has_live_capacity(model_id)

    def _start(self, request):
        """Body, capacity, credentials, channels, runner: in the real order, so that each fault has its own answer."""
        if request.method != "POST":
            log.error(f"oapi validation error statusCode=405 message=method not allowed path={request.path}")
            return web.text("")
        try:
            values = jobs.decode_live(request.body)
        except jobs.BadBody as error:
            return _refused(str(error), 400)
        model_id = values.get("model_id")
        if model_id is None:
            raise web.Abort
        if not self.has_capacity(model_id):
            log.error(f"Insufficient capacity for pipeline={LIVE_PIPELINE} modelID={model_id}")
            return _refused("insufficient capacity", 503)
        refusal = self._tokens.refusal(request.headers.get(self._segment_header, ""))
        if refusal:
            return _refused(refusal, 403)
        return self._opened(model_id, values, request.headers)

    def _opened(self, model_id, values, headers):
        stream = media.random_id()
        base = f"{self._node.service_uri}{trickle.PATH}{stream}"
        # As the gateway calls them: it publishes what the runner subscribes to.
        urls = {
            "publish_url": base,
            "subscribe_url": f"{base}-out",
            "control_url": f"{base}-control",
            "events_url": f"{base}-events",
        }
        self._trickle.open(stream)
        log.warning(f"No price info found for model {model_id}, Orchestrator will not charge for video processing")
        job = {
            **{key: self._for_runner(url) for key, url in urls.items()},
            "publish_url": self._for_runner(urls["subscribe_url"]),
            "subscribe_url": self._for_runner(urls["publish_url"]),
            "model_id": model_id,
            "gateway_request_id": values.get("gateway_request_id") or headers.get("requestID", ""),
            "manifest_id": stream,
            "stream_id": values.get("stream_id") or headers.get("streamID", ""),
        }
        if "params" in values:
            job["params"] = values["params"]
        try:
            understood = runner.start_live(self._node.worker.lend_live(model_id), job)
        except (WorkerError, runner.RunnerError) as error:
            self._trickle.close(stream)
            return _refused(str(error), 500)
        if not understood:
            # The empty result is dereferenced; the channels stay until they have been idle for too long.
            log.error(f"http: panic serving {LIVE_PIPELINE}: invalid memory address or nil pointer dereference")
            raise web.Abort
        return web.as_json({**urls, "manifest_id": stream})

    def _for_runner(self, url):
        """-liveAITrickleHostForRunner replaces host and port, and nothing else: https stays https."""
        host = self._node.settings["liveAITrickleHostForRunner"]
        return urllib.parse.urlsplit(url)._replace(netloc=host).geturl() if host else url


def _refused(message, status):
    log.error(f"HTTP Response Error statusCode={status} err={message}")
    return web.error(message, status)
