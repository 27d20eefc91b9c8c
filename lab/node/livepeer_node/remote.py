# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote AI workers: how a standalone -aiWorker joins an orchestrator without a worker of its own, and does its jobs.

POST /_lab/ai-worker stands in for the gRPC call RegisterAIWorker: its answer stays open, a line of JSON for each job.
Results go to /aiResults, as in the real node. The books are kept as upstream keeps them, faults included (source):
the offer of a model grows by one with every job, so a model that was used stays offered when its worker is gone, and a
job whose worker leaves meanwhile waits until its time is over.
"""

from __future__ import annotations

import base64
import itertools
import json
import queue
import threading
from dataclasses import dataclass, field

from . import jobs, log, runner, web
from .aimodels import capability_of
from .worker import WorkerError

REGISTER_PATH = "/_lab/ai-worker"
RESULTS_PATH = "/aiResults"
PROTOCOL = "Livepeer-AI-Worker-1.0"
INVALID_SECRET = "invalid secret"
# A job's limit, and how often a line without a job shows that both ends are there.
REQUEST_SECONDS = 15 * 60
HEARTBEAT_SECONDS = 0.5
# Between two tries to register; doubled up to the longest.
RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 60


# --- the orchestrator's side -------------------------------------------------------------------------------------
@dataclass(eq=False)
class _Remote:
    """A worker that registered; `free` is by (pipeline, model_id)."""

    address: str
    free: dict
    hardware: list
    live: bool = True
    outbox: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)


class RemoteWorkers:
    """The workers of an orchestrator that has none of its own."""

    def __init__(self, secret):
        self._secret = secret
        self._lock = threading.Lock()
        self._workers = []
        self._offers = {}
        self._results = {}
        self._numbers = itertools.count()

    def handle(self, request):
        """The answer to a worker's request, or None for any other."""
        if request.path == REGISTER_PATH:
            return self._register(request)
        return self._take_result(request) if request.path == RESULTS_PATH else None

    def pool_status(self):
        """What is offered: no runner version, since upstream does not take over a worker's."""
        with self._lock:
            return {
                model: {"warm": offer["warm"], "capacity": offer["capacity"], "in_use": 0, "runner_version": ""}
                for model, offer in self._offers.items()
            }

    def hardware(self):
        with self._lock:
            return [item for worker in self._workers if worker.live for item in worker.hardware]

    def has_capacity(self, model):
        """Asked of every worker that was not found dead yet, living or not."""
        with self._lock:
            return any(worker.free.get(model, 0) > 0 for worker in self._workers)

    def process(self, job):
        """The runner's answer from a worker that has room for the job, or RunnerError."""
        model = (job.pipeline, job.model)
        worker = self._select(model)
        number, answer = next(self._numbers), queue.SimpleQueue()
        self._results[number] = answer
        try:
            worker.outbox.put({"task_id": number, **_as_message(job)})
            result = answer.get(timeout=REQUEST_SECONDS)
        except queue.Empty:
            raise runner.RunnerError("Remote worker took too long") from None
        finally:
            self._results.pop(number, None)
            with self._lock:
                worker.free[model] += 1
        if "error" in result:
            raise runner.RunnerError(result["error"])
        return result["answer"]

    def release(self, model):
        """What the end of every job does to the offer, though its beginning took nothing from it."""
        with self._lock:
            if model in self._offers:
                self._offers[model]["capacity"] += 1

    def _select(self, model):
        with self._lock:
            while self._workers:
                worker = next((each for each in self._workers if each.free.get(model, 0) > 0), None)
                if worker is None:
                    raise runner.RunnerError("no workers can process job requested")
                if worker.live:
                    worker.free[model] -= 1
                    return worker
                self._workers.remove(worker)
        raise runner.RunnerError("no workers available")

    def _register(self, request):
        log.info(f"Got a RegisterAIWorker request from aiworker={request.remote}")
        try:
            told = json.loads(request.body)
            models = {(each["pipeline"], each["model_id"]): each for each in told["models"]}
            secret, hardware = told["secret"], told["hardware"]
        except (ValueError, KeyError, TypeError):
            return web.error("this is no registration", 400)
        if secret != self._secret:
            log.error(f'err="{INVALID_SECRET}"')
            return web.error(INVALID_SECRET, 403)
        worker = _Remote(request.remote, {model: each["capacity"] for model, each in models.items()}, hardware)
        log.info(f"Worker compatible, connecting worker_addr={worker.address}")
        self._add(worker, models)
        return web.Response(200, self._notifications(worker, models, request), {"Content-Type": "application/jsonl"})

    def _notifications(self, worker, models, request):
        """A line per job while the worker listens; whatever ends this takes the worker's models away."""
        try:
            while not request.gone():
                try:
                    line = json.dumps(worker.outbox.get(timeout=HEARTBEAT_SECONDS))
                except queue.Empty:
                    line = ""
                yield line.encode() + b"\n"
        finally:
            log.info(f"Got aiworker={worker.address} eof, removing from live aiworkers map")
            self._remove(worker, models)

    def _add(self, worker, models):
        with self._lock:
            self._workers.append(worker)
            for model, each in models.items():
                offer = self._offers.setdefault(model, {"warm": each["warm"], "capacity": 0})
                offer["capacity"] += each["capacity"]

    def _remove(self, worker, models):
        with self._lock:
            worker.live = False
            for model, each in models.items():
                if model in self._offers:
                    self._offers[model]["capacity"] -= each["capacity"]
                    if self._offers[model]["capacity"] <= 0:
                        del self._offers[model]

    def _take_result(self, request):
        if request.headers.get("Authorization") != PROTOCOL:
            return web.error("Unauthorized", 401)
        if request.headers.get("Credentials") != self._secret:
            return web.error(INVALID_SECRET, 401)
        try:
            number, result = int(request.headers.get("TaskId", "")), json.loads(request.body)
        except ValueError:
            return web.error("Invalid Task ID", 400)
        waiting = self._results.get(number)
        if waiting:
            waiting.put(result)
        return web.text("OK")


# --- the worker's side -------------------------------------------------------------------------------------------
class Client:
    """A standalone AI worker: registers, does what it is told, and tries again whenever the connection ends.

    A wrong secret is final, yet the process stays and does nothing (source).
    """

    def __init__(self, node):
        self._node = node
        self._url = node.orch_addrs[0].rstrip("/")
        self._host = self._url.partition("://")[2]

    def start(self):
        threading.Thread(target=self._stay_registered, daemon=True, name="registration").start()

    def _stay_registered(self):
        pause = RETRY_SECONDS
        while not self._node.stopping.is_set():
            log.info(f"Registering AI worker to {self._host}")
            try:
                reason = self._serve()
            except (OSError, web.ProtocolError, ValueError) as error:
                reason = str(error)
            log.info(f"Unregistering AI worker: {reason}")
            if reason == INVALID_SECRET:
                log.info(f"Terminating AI Worker because of {reason}")
                return
            self._node.stopping.wait(pause)
            pause = min(2 * pause, LONGEST_RETRY_SECONDS)

    def _serve(self):
        """Do jobs until the connection ends; why it did."""
        body = json.dumps(
            {"secret": self._node.orch_secret, "models": self._models(), "hardware": self._node.worker.hardware()}
        )
        # Twenty missed heartbeats are a connection that is gone.
        reply = web.call("POST", self._url + REGISTER_PATH, body.encode(), timeout=20 * HEARTBEAT_SECONDS)
        if reply.status != 200:
            reason = reply.read().decode("utf-8", "replace").strip()
            log.error(f"Could not register aiworker to orchestrator {reason}")
            return reason
        for line in reply.lines():
            if line:
                threading.Thread(target=self._do, args=(json.loads(line),), daemon=True).start()
        return "EOF"

    def _models(self):
        """What the worker offers at this moment; the orchestrator is told once for each connection."""
        return [
            {"pipeline": pipeline, "model_id": model_id, "warm": state["warm"], "capacity": state["capacity"]}
            for (pipeline, model_id), state in self._node.worker.pool_status().items()
            if capability_of(pipeline) is not None
        ]

    def _do(self, task):
        log.info(f"Received AI job, validating request taskId={task['task_id']}")
        try:
            result = {"answer": self._answer(task)}
        except (WorkerError, runner.RunnerError) as error:
            result = {"error": str(error)}
        headers = {
            "Authorization": PROTOCOL,
            "Credentials": self._node.orch_secret,
            "TaskId": str(task["task_id"]),
            "Pipeline": task["pipeline"],
            "Content-Type": "application/json",
        }
        try:
            web.call("POST", self._url + RESULTS_PATH, json.dumps(result).encode(), headers, timeout=30).read()
        except (OSError, web.ProtocolError) as error:
            log.error(f"Error sending AI results taskId={task['task_id']} err={error}")

    def _answer(self, task):
        if task["pipeline"] not in jobs.FORMS:
            reason = "AI request pipeline type not supported"
            raise WorkerError(f"AI request validation failed for {task['pipeline']} pipeline err={reason}")
        job = _from_message(task)
        with self._node.worker.borrow(job.pipeline, job.model) as lease:
            if job.values.get("stream") and job.pipeline == "llm":
                return list(runner.stream(lease, job))
            return runner.submit(lease, job)


# --- a job on its way --------------------------------------------------------------------------------------------
def _as_message(job):
    values = dict(job.values)
    files = {name: value for name, value in values.items() if isinstance(value, jobs.File)}
    encoded = {name: [file.filename, base64.b64encode(file.data).decode()] for name, file in files.items()}
    plain = {name: value for name, value in values.items() if name not in files}
    return {"pipeline": job.pipeline, "values": plain, "files": encoded}


def _from_message(task):
    files = {name: jobs.File(filename, base64.b64decode(data)) for name, (filename, data) in task["files"].items()}
    return jobs.Job(task["pipeline"], {**task["values"], **files})
