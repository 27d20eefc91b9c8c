# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's HTTP port: the AI routes, their quirks, and the media they return (facts 6.1, 6.2)."""

from __future__ import annotations

import json
import os
import threading
import time

from . import aimodels, byoc_gateway, capabilities, jobs, log, media, orchestrator, sessions, web
from .metrics import Metrics
from .node import split_host_port

MAX_TRIES = 20
MAX_TRIES_PER_SESSION = 3
WORKER_PROTOCOL = "Livepeer-AI-Worker-1.0"
RESULT_ROUTE = "/image-to-video/result"
# Errors after which an orchestrator goes back to the pool when the search is over.
_NOT_ITS_FAULT = ("ticketparams expired", "invalid ticket sendernonce", "insufficient capacity")
_IMAGE_JOBS = {"image-to-image", "upscale", "segment-anything-2", "image-to-text"}
_PICTURE_JOBS = {"text-to-image", "image-to-image", "image-to-video", "upscale"}


def start(node):
    """Look at the network once if on-chain, bind the HTTP port and serve; raises OSError when it is taken."""
    gateway = Gateway(node)
    node.gateway = gateway
    return gateway


class BadRequest(Exception):
    """400 with the true text."""


class Unavailable(Exception):
    """503; the text is only logged."""


class Failed(Exception):
    """What an orchestrator, or the way to it, answered to a job."""


def api_error(message, status):
    """Only a 400 tells its reason; the others have one fixed text each."""
    log.error(f"Error with API code={status} err={message}")
    shown = {500: "Internal Server Error", 503: "Service Unavailable Error"}.get(status, message)
    return web.Response(
        status, json.dumps({"error": {"message": shown}}).encode() + b"\n", {"Content-Type": "application/json"}
    )


class Gateway:
    def __init__(self, node):
        self._node = node
        self.metrics = Metrics(node)
        self.store = media.Store()
        self.discovery = sessions.Discovery(node, self.metrics)
        self.sessions = sessions.Manager(node, self.discovery)
        self._byoc = byoc_gateway.Gateway(node)
        self.network = Network(node)
        if not node.offchain:
            self.network.start()
        self._server = web.Server(*split_host_port(node.http_addr), self._handle).start()

    @property
    def port(self):
        return self._server.port

    def stop(self):
        self._server.stop()
        self.network.stop()

    # --- routes --------------------------------------------------------------------------------------------------
    def _handle(self, request):
        if request.path == "/healthz":
            return web.text("")
        if request.path.startswith("/stream/"):
            found = self.store.at_path(request.path)
            return web.Response(200, found[1], {"Content-Type": found[0]}) if found else web.error("ErrNotFound", 404)
        if self._node.http_ingest:
            if request.path == RESULT_ROUTE:
                return self._film_result(request)
            pipeline = request.path.removeprefix("/")
            if pipeline in jobs.FORMS:
                return self._ai_route(pipeline, request)
            return self._byoc.handle(request) or web.not_found()
        return web.not_found()

    def _ai_route(self, pipeline, request):
        if request.method != "POST":
            # The OpenAPI check refuses, and its error handler writes nothing: 200, empty.
            log.error(f"oapi validation error statusCode=405 message=method not allowed path={request.path}")
            return web.text("")
        try:
            job = jobs.decode(pipeline, request.body, request.headers.get("Content-Type", ""))
        except jobs.BadBody as error:
            return api_error(str(error), 400)
        if pipeline == "llm":
            return self._llm(job)
        if pipeline == "image-to-video":
            if job.model is None:
                raise web.Abort
            if request.headers.get("Prefer") == "respond-async":
                return self._film_later(job)
        status, document = self._outcome(job)
        return web.as_json(document) if status == 200 else api_error(document, status)

    def _outcome(self, job):
        """(200, answer) or (error status, its text)."""
        request_id = media.random_id()
        try:
            return 200, self._with_media(job, self.process(job), request_id)
        except BadRequest as error:
            return 400, str(error)
        except Unavailable as error:
            return 503, str(error)
        except (Failed, media.MediaError) as error:
            return 500, str(error)

    # --- image-to-video in the background ------------------------------------------------------------------------
    def _film_later(self, job):
        request_id = media.random_id()
        self.store.save(request_id, "request.json", b"{}")
        threading.Thread(target=self._film_now, args=(job, request_id), daemon=True).start()
        return web.as_json({"request_id": request_id}, 202)

    def _film_now(self, job, request_id):
        try:
            status, document = self._outcome(job)
        except web.Abort:
            # Nothing recovers a panic outside a handler: the whole gateway ends.
            log.error("panic: runtime error: invalid memory address or nil pointer dereference")
            os._exit(2)
        if status != 200:
            document = json.loads(api_error(document, status).body)
        self.store.save(request_id, "result.json", json.dumps(document).encode())

    def _film_result(self, request):
        try:
            wanted = json.loads(request.body)
            request_id = wanted.get("request_id", "")
        except (ValueError, AttributeError) as error:
            return api_error(f"invalid request body: {error}", 400)
        if self.store.read(request_id, "request.json") is None:
            return api_error("invalid request ID", 400)
        result = self.store.read(request_id, "result.json")
        if result is None:
            return web.text(json.dumps({"status": "processing"}) + "\n", 202)
        return web.text(json.dumps({"result": json.loads(result), "status": "complete"}) + "\n")

    # --- llm -----------------------------------------------------------------------------------------------------
    def _llm(self, job):
        required = ("model", "messages", "stream", "max_tokens")
        if any(name not in job.values for name in required) or not job.values["messages"]:
            return api_error("missing required fields", 400)
        try:
            answer = self.process(job)
        except Unavailable as error:
            return api_error(str(error), 503)
        except (BadRequest, Failed) as error:
            return api_error(str(error), 500)
        if not job.values["stream"]:
            return web.as_json(answer)
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        return web.Response(200, _events(answer), headers)

    # --- selection (processAIRequest) ----------------------------------------------------------------------------
    def process(self, job):
        """Try orchestrators until one answers, the retry time-out is over, or twenty tries are spent."""
        timeout = self._node.settings["aiProcessingRetryTimeout"]
        deadline = time.monotonic() + timeout
        capability = aimodels.capability_of(job.pipeline)
        model_id = job.form.default_model if job.model is None else job.model
        tries, waiting, selector = {}, [], None
        for _try in range(MAX_TRIES):
            if time.monotonic() > deadline:
                self._count_error("no orchestrators available within timeout", job, model_id)
                raise Unavailable(f"no orchestrators available within {timeout:g}s timeout")
            try:
                selector = self.sessions.selector(capability, model_id)
                session = selector.select()
                if session is None:
                    break
                selector.renew(session)
            except (sessions.NoOrchestrators, OSError, ValueError, web.ProtocolError) as error:
                log.info(f"Error selecting session modelID={model_id} err={error}")
                continue
            tries[session.url] = tries.get(session.url, 0) + 1
            try:
                answer = self._submit(session, job)
            except (Failed, BadRequest) as error:
                log.info(f"Error submitting request modelID={model_id} orch={session.url} err={error}")
                self._after_failure(selector, session, error, tries[session.url], waiting)
                continue
            selector.complete(session)
            _all_complete(selector, waiting)
            self._count_success(session, job, model_id)
            return answer
        _all_complete(selector, waiting)
        self._count_error("no orchestrators available", job, model_id)
        # Here the real node traces "no orchestrators available" through a nil pointer: the connection is dropped.
        log.error("http: panic serving: runtime error: invalid memory address or nil pointer dereference")
        raise web.Abort

    def _after_failure(self, selector, session, error, tries, waiting):
        """Retry, set aside, or suspend; a bad request ends the search, yet suspends its orchestrator all the same."""
        text = str(error).lower()
        if "ticketparams expired" in text and tries < MAX_TRIES_PER_SESSION:
            selector.complete(session)
            return
        if any(known in text for known in _NOT_ITS_FAULT):
            waiting.append(session)
            return
        selector.remove(session)
        if isinstance(error, BadRequest):
            raise error
        _before, found, detail = str(error).partition("returned 400")
        if found:
            raise BadRequest(detail.strip() or "bad request")

    def _count_error(self, message, job, model_id):
        self.metrics.add("ai_request_errors", error_code=message, pipeline=job.pipeline, model_name=model_id)

    def _count_success(self, session, job, model_id):
        labels = {"pipeline": job.pipeline, "model_name": model_id, "orchestrator_uri": session.url}
        self.metrics.add("ai_models_requested", **labels)
        self.metrics.set("ai_request_latency_score", session.latency_score, **labels)

    # --- one try at one orchestrator -----------------------------------------------------------------------------
    def _submit(self, session, job):
        units = _prepare(job)
        if job.model is None:
            raise web.Abort
        body, content_type = job.encode()
        headers = {
            "Content-Type": content_type,
            "Authorization": WORKER_PROTOCOL,
            orchestrator.SEGMENT_HEADER: session.info["auth_token"],
        }
        begin = time.monotonic()
        try:
            reply = web.call("POST", f"{session.url}/{job.pipeline}", body, headers)
            if job.pipeline == "llm" and job.values["stream"] and reply.status == 200:
                return _chunks(reply)
            content = reply.read()
        except (OSError, web.ProtocolError) as error:
            raise Failed(f'Post "{session.url}/{job.pipeline}": {error}') from error
        if units > 0:
            session.latency_score = (time.monotonic() - begin) / units
        return _answer(job, reply, content)

    # --- media ---------------------------------------------------------------------------------------------------
    def _with_media(self, job, answer, request_id):
        """The answer's media fetched from the orchestrator and offered here, under relative URLs."""
        if job.pipeline in _PICTURE_JOBS:
            items, suffix = answer["images"] or [], ".png"
            answer["images"] = items
        elif job.pipeline == "text-to-speech":
            items, suffix = [answer["audio"]], ".wav"
        else:
            return answer
        for item in items:
            name, data = _fetch(item["url"], suffix)
            item["url"] = self.store.save(request_id, name, data)
        return answer


def _all_complete(selector, waiting):
    for session in waiting:
        selector.complete(session)


def _prepare(job):
    """Fill in what the gateway fills in, look at the input, and return the size of the job for the latency score."""
    values = job.values
    if job.pipeline in ("text-to-image", "image-to-image"):
        values["num_images_per_prompt"] = max(1, values.get("num_images_per_prompt", 1))
    if job.pipeline == "text-to-image":
        width, height = values.setdefault("width", 512), values.setdefault("height", 512)
        return width * height * values["num_images_per_prompt"]
    if job.pipeline in _IMAGE_JOBS:
        try:
            width, height = media.image_size(job.file)
        except media.MediaError as error:
            raise Failed(str(error)) from error
        return width * height
    if job.pipeline == "audio-to-text":
        return _prepare_audio(job)
    if job.pipeline == "text-to-speech":
        if "text" not in values:
            raise BadRequest("text field is required")
        return len(values["text"].encode())
    return values.get("max_tokens", 0)


def _prepare_audio(job):
    try:
        seconds = media.audio_seconds(job.file)
    except media.MediaError as error:
        raise Failed(str(error)) from error
    if seconds <= 0:
        raise BadRequest("audio duration calculation failed")
    job.values["metadata"] = json.dumps({"duration": str(seconds)}, separators=(",", ":"))
    return seconds


def _answer(job, reply, content):
    if reply.status != 200:
        text = content.decode("utf-8", "replace").removesuffix("\n")
        raise Failed(f"unexpected status code: {reply.status}, body: {text}" if job.pipeline == "llm" else text)
    try:
        return jobs.shaped(job.pipeline, json.loads(content))
    except (ValueError, TypeError, AttributeError) as error:
        raise Failed(str(error)) from error


def _chunks(reply):
    """The chunks of a streamed answer as they arrive, until one carries a finish_reason."""
    for line in reply.lines():
        if not line.startswith("data: "):
            continue
        try:
            chunk = jobs.shaped("llm", json.loads(line.removeprefix("data: ")))
        except ValueError as error:
            log.error(f"Error unmarshaling SSE data: {error}")
            continue
        yield chunk
        if not chunk["choices"] or chunk["choices"][0].get("finish_reason"):
            return


def _events(chunks):
    for chunk in chunks:
        yield b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _fetch(url, suffix):
    """(name, bytes) of a result: a data URL of an old orchestrator, else the orchestrator's own URL."""
    if url.startswith("data:"):
        return media.random_id() + suffix, media.decode_data_url(url)[1]
    try:
        reply = web.call("GET", url, timeout=30)
        content = reply.read()
    except (OSError, ValueError, web.ProtocolError) as error:
        raise Failed(f"could not download {url}: {error}") from error
    if reply.status != 200:
        raise Failed(f"Status code {reply.status} for {url}")
    return url.rsplit("/", 1)[-1], content


class Network:
    """What getNetworkCapabilities knows: asked on-chain only, at start and at every report interval (facts 5.2)."""

    def __init__(self, node):
        self._node = node
        self._stopping = threading.Event()
        self.orchestrators = None

    def start(self):
        interval = self._node.settings["liveAICapReportInterval"]
        self._poll()
        if interval <= 0:
            log.panic("non-positive interval for NewTicker")
        threading.Thread(target=self._repeat, args=(interval,), daemon=True).start()

    def stop(self):
        self._stopping.set()

    def _repeat(self, interval):
        while not self._stopping.wait(interval):
            self._poll()

    def _poll(self):
        found, threads = [], []
        for url in self._node.orch_addrs:
            threads.append(threading.Thread(target=self._ask, args=(url, found), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(sessions.CONNECT_SECONDS + 1)
        self.orchestrators = list(found) or None

    def _ask(self, url, found):
        try:
            info = sessions.ask(url, **({"sender": self._node.eth.address} if self._node.eth else {}))
        except (OSError, ValueError, web.ProtocolError) as error:
            log.error(f"Could not get orchestrator orch={url}: {error}")
            return
        if info["price_info"] is None:
            log.error(f"missing price info orch={info['service_uri']}")
            return
        found.append(capabilities.network_item(info))
