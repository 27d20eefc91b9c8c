# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orchestrator's service port: who may send a job, to which runner it goes, what comes back (facts 4.1, 6.3).

/_lab/orchestrator-info stands in for the gRPC call GetOrchestrator, and the bare auth token in Livepeer-Segment for
signed credentials; README.md says so. Everything else on this port is as the real one shows it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import threading
import time
import urllib.parse
from fractions import Fraction

from . import apps, byoc, capabilities, eth, jobs, live, log, media, remote, runner, tables, tls, web
from .metrics import Metrics
from .node import split_host_port
from .worker import InsufficientCapacity, Lease, WorkerError

INFO_PATH = "/_lab/orchestrator-info"
SEGMENT_HEADER = "Livepeer-Segment"
TOKEN_SECONDS = 30 * 60
# How long results wait for the gateway to fetch them.
RESULT_SECONDS = 10 * 60
DEFAULT_FRAME_RATE = 7
_IMAGE_JOBS = {"image-to-image", "upscale", "segment-anything-2", "image-to-text"}
# Results the handler takes apart; for the others an unreadable answer is passed on as JSON null.
_MEDIA_JOBS = {"text-to-image", "image-to-image", "upscale", "text-to-speech"}


def start(node):
    """Bind the service port and serve; raises OSError when it is taken."""
    orchestrator = Orchestrator(node)
    node.orchestrator = orchestrator
    return orchestrator


def listening_address(http_addr):
    """(host, port, TLS?) of -httpAddr, which may carry a scheme but no path."""
    if "://" not in http_addr:
        return *split_host_port(http_addr), True
    url = urllib.parse.urlsplit(http_addr)
    if url.scheme not in ("http", "https"):
        raise ValueError(f'unsupported -httpAddr scheme "{url.scheme}"')
    if url.path not in ("", "/"):
        raise ValueError("-httpAddr must not include a path")
    return *split_host_port(url.netloc), url.scheme == "https"


class Tokens:
    """Auth tokens: a session and an end, sealed with a secret of this process, so none outlives a restart."""

    def __init__(self):
        self._secret = secrets.token_bytes(32)

    def issue(self):
        session, expiration = media.random_id(), int(time.time()) + TOKEN_SECONDS
        return self._sealed(session, expiration), expiration

    def _sealed(self, session, expiration):
        text = f"{session}|{expiration}"
        seal = hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
        return base64.b64encode(f"{text}|{seal}".encode()).decode()

    def refusal(self, header):
        """Why these credentials are not taken, or None."""
        if not header:
            return "missing auth token"
        try:
            session, expiration, _seal = base64.b64decode(header, validate=True).decode().split("|")
            known = hmac.compare_digest(header, self._sealed(session, int(expiration)))
        except ValueError:
            return "ErrorSegEncoding"
        if not known:
            return "invalid auth token"
        return "expired auth token" if int(expiration) < time.time() else None


class Orchestrator:
    def __init__(self, node):
        self._node = node
        self.metrics = Metrics(node)
        self.store = media.Store(node.service_uri)
        self._tokens = Tokens()
        self.byoc = byoc.Byoc(node)
        self._apps = apps.Apps(node)
        # A node with a worker of its own takes no others (source).
        self._remote = None if node.worker else remote.RemoteWorkers(node.orch_secret)
        self._live = live.LiveStreams(node, self._tokens, SEGMENT_HEADER)
        host, port, encrypted = listening_address(node.http_addr)
        certificate = None
        if encrypted:
            name = urllib.parse.urlsplit(node.service_uri).hostname or ""
            certificate = tls.make_certificate(node.data_dir, name)
        self._server = web.Server(host, port, self._handle, certificate).start()
        log.info(f"Listening for RPC on {'https' if encrypted else 'http'}://{host}:{self.port}")

    @property
    def port(self):
        return self._server.port

    def stop(self):
        self._server.stop()

    # --- routes --------------------------------------------------------------------------------------------------
    def _handle(self, request):
        if request.path == "/healthz":
            return web.text("")
        if request.path == INFO_PATH:
            return self._info_reply(request.query)
        answer = self._remote and self._remote.handle(request)
        if answer:
            return answer
        answer = self.byoc.handle(request) or self._apps.handle(request) or self._live.handle(request)
        if answer:
            return answer
        pipeline = request.path.removeprefix("/")
        if pipeline in jobs.FORMS:
            return self._job(pipeline, request)
        found = self.store.at_path(request.path)
        if found:
            return web.Response(200, found[1], {"Content-Type": found[0]})
        return web.not_found()

    # --- GetOrchestrator -----------------------------------------------------------------------------------------
    def _info_reply(self, query):
        """A live model that has no container and no place for one is refused here already (source)."""
        if self._remote and any(pipeline == tables.LIVE_PIPELINE for pipeline, _model in self._pool()):
            # Live models are counted at the own worker, which is nil; gRPC recovers no panic.
            log.error("panic: runtime error: invalid memory address or nil pointer dereference")
            os._exit(2)
        live_capability = str(tables.PIPELINES[tables.LIVE_PIPELINE].capability)
        if query.get("capability") == [live_capability] and not self._live.has_capacity(query["model_id"][0]):
            return web.error("Invalid orchestrator request: OrchestratorCapped", 500)
        return web.as_json(self.info(query))

    def info(self, query):
        """With a capability: its price alone. Without: the prices of all, and the hardware (facts 5.1)."""
        node = self._node
        wanted = (int(query["capability"][0]), query["model_id"][0]) if "capability" in query else None
        sender = query.get("sender", ["default"])[0]
        token, expiration = self._tokens.issue()
        account = node.eth
        prices = [] if wanted else self._all_prices(sender)
        return {
            "address": account.recipient if account else "",
            "local_address": account.address if account else eth.ZERO_ADDRESS,
            "orch_uri": node.service_uri,
            "service_uri": node.service_uri,
            "capabilities": capabilities.describe(node.version, self._pool()),
            "price_info": capabilities.price_info(self._price(wanted, sender)) if account else None,
            "capabilities_prices": prices or None,
            "hardware": None if wanted else self._hardware(),
            # Tickets are not stood in for; that there are any tells an on-chain gateway from an offchain one.
            "ticket_params": {"recipient": account.recipient} if account else None,
            "auth_token": token,
            "auth_token_expiration": expiration,
        }

    def _pool(self):
        return (self._node.worker or self._remote).pool_status()

    def _all_prices(self, sender):
        return capabilities.capability_prices(self._node.prices, sender) + self.byoc.registry.network_prices()

    def _price(self, wanted, sender):
        node, price = self._node, Fraction(0)
        base = node.base_prices.get(sender.lower(), node.base_prices.get("default", Fraction(0)))
        if wanted:
            own = node.prices.get((sender.lower(), *wanted))
            price = own if own is not None else node.prices.get(("default", *wanted), Fraction(0))
        return price or base

    def _hardware(self):
        known = (self._node.worker or self._remote).hardware()
        return [capabilities.without_zeros(item) for item in known] or None

    # --- jobs ----------------------------------------------------------------------------------------------------
    def _job(self, pipeline, request):
        if request.method != "POST":
            # The OpenAPI check refuses, and its error handler writes nothing.
            log.error(f"oapi validation error statusCode=405 message=method not allowed path={request.path}")
            return web.text("")
        try:
            job = jobs.decode(pipeline, request.body, request.headers.get("Content-Type", ""))
        except jobs.BadBody as error:
            return _refused(str(error), 400)
        refusal = self._tokens.refusal(request.headers.get(SEGMENT_HEADER, ""))
        if refusal:
            return _refused(refusal, 403)
        if job.model is None:
            raise web.Abort
        refusal = _unusable(job)
        if refusal:
            return _refused(refusal, 400)
        return self._run(job)

    def _run(self, job):
        if self._remote:
            return self._run_remotely(job)
        with contextlib.ExitStack() as held:
            try:
                lease = held.enter_context(self._borrowed(job))
                if job.values.get("stream") and job.pipeline == "llm":
                    return self._streamed(runner.stream(lease, job), held.pop_all())
                answer = runner.submit(lease, job)
                result = self._result(job, lease, answer)
            except InsufficientCapacity:
                log.error(f"Insufficient capacity for pipeline={job.pipeline} modelID={job.model}")
                return _refused("insufficient capacity", 503)
            except (WorkerError, runner.RunnerError, media.MediaError) as error:
                return _refused(str(error), 500)
        self.metrics.add("ai_models_requested", pipeline=job.pipeline, model_name=job.model)
        return web.as_json(result)

    def _run_remotely(self, job):
        model = (job.pipeline, job.model)
        if not self._remote.has_capacity(model):
            log.error(f"Insufficient capacity for pipeline={job.pipeline} modelID={job.model}")
            return _refused("insufficient capacity", 503)
        try:
            answer = self._remote.process(job)
            if job.values.get("stream") and job.pipeline == "llm":
                return self._streamed(iter(answer), contextlib.ExitStack())
            result = self._result(job, Lease(job.model), answer)
        except (runner.RunnerError, media.MediaError) as error:
            return _refused(str(error), 500)
        finally:
            self._remote.release(model)
        self.metrics.add("ai_models_requested", pipeline=job.pipeline, model_name=job.model)
        return web.as_json(result)

    def _borrowed(self, job):
        return self._node.worker.borrow(job.pipeline, job.model)

    def _streamed(self, chunks, held):
        """Server-sent events until one carries a finish_reason; the runner is given back after the last."""
        first = next(chunks, None)  # a refusal of the runner must become a status, not a broken stream

        def events():
            with held:
                chunk = first
                while chunk is not None:
                    yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
                    if not chunk["choices"] or chunk["choices"][0].get("finish_reason"):
                        return
                    chunk = next(chunks, None)

        return web.Response(200, events(), {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})

    # --- results -------------------------------------------------------------------------------------------------
    def _result(self, job, lease, answer):
        """The answer with its media kept here, to be fetched by the gateway."""
        if answer is None and job.pipeline == "image-to-video":
            raise runner.RunnerError("image-to-video container returned no content")
        if answer is None and job.pipeline in _MEDIA_JOBS:
            # The nil result is dereferenced; the panic skips the line that releases the slot.
            lease.keep_slot()
            log.error(f"http: panic serving {job.pipeline}: invalid memory address or nil pointer dereference")
            raise web.Abort
        request_id = media.random_id()
        self._forget_later(request_id)
        if job.pipeline == "image-to-video":
            return self._film(job, answer, request_id)
        if job.pipeline == "text-to-speech":
            _kind, sound = media.decode_data_url(answer["audio"]["url"])
            return {"audio": {"url": self.store.save(request_id, media.random_id() + ".wav", sound)}}
        if job.pipeline in _MEDIA_JOBS:
            return self._pictures(answer, request_id)
        return answer

    def _forget_later(self, request_id):
        timer = threading.Timer(RESULT_SECONDS, self.store.end, [request_id])
        timer.daemon = True
        timer.start()

    def _pictures(self, answer, request_id):
        # One name for all pictures of an answer: the last one is what each URL shows (saveLocalAIWorkerResults).
        name = media.random_id() + ".png"
        for image in answer["images"] or []:
            _kind, data = media.decode_data_url(image["url"])
            image["url"] = self.store.save(request_id, name, media.reencoded(data))
        return answer

    def _film(self, job, answer, request_id):
        batches = answer["frames"]
        if len(batches) != 1:
            raise runner.RunnerError(f"unexpected number of image-to-video outputs expected=1 actual={len(batches)}")
        frames = [media.reencoded(media.decode_data_url(frame["url"])[1]) for frame in batches[0]]
        if not frames:
            raise runner.RunnerError("no frames to transcode")
        data = media.film(frames, job.values.get("fps", DEFAULT_FRAME_RATE))
        url = self.store.save(request_id, media.random_id() + ".mp4", data)
        first = batches[0][0]
        return {"images": [{"nsfw": first["nsfw"], "seed": first["seed"], "url": url}]}


def _refused(message, status):
    log.error(f"HTTP Response Error statusCode={status} err={message}")
    return web.error(message, status)


def _unusable(job):
    """What the orchestrator itself finds wrong with a job's input, or None."""
    if job.pipeline == "llm" and "max_tokens" not in job.values:
        return "MaxTokens not specified"
    try:
        if job.pipeline in _IMAGE_JOBS:
            media.image_size(job.file)
    except media.MediaError as error:
        return str(error)
    if job.pipeline == "audio-to-text":
        try:
            if media.audio_seconds(job.file) <= 0:
                raise media.MediaError
        except media.MediaError:
            return "Unable to calculate duration"
    if job.pipeline == "text-to-speech" and "text" not in job.values:
        raise web.Abort
    return None
