# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AI worker: runner containers from creation to removal, their health, and who may use one (facts 2.3-2.5, 3)."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from . import log, tables
from .docker_api import DockerClient, DockerError


@dataclass(frozen=True)
class Timing:
    """Every interval and limit of facts 3.5, 3.6 and 7.4 in seconds; tests shorten them."""

    poll: float = 0.5
    start: float = 180
    ready: float = 180
    ready_with_flags: float = 300
    ready_external: float = 120
    loading: float = 180
    watch: float = 5
    health_timeout: float = 5
    hardware_timeout: float = 5
    version_timeout: float = 30
    stop: int = 8
    remove: float = 30
    shutdown_budget: float = 5
    graceful: float = 10
    availability_delay: float = 2
    runner_health: float = 5
    runner_health_timeout: float = 3


MAX_HEALTH_FAILURES = 2


class WorkerError(Exception):
    """A container could not be had or used."""


class InsufficientCapacity(WorkerError):
    """No container is free and no GPU slot is left."""


class Panic(Exception):
    """Where the real node panics: at start the process ends with status 2, an HTTP handler drops its connection."""


NIL_DEREFERENCE = "runtime error: invalid memory address or nil pointer dereference"


# --- names, images, slots: pure functions of the facts -----------------------------------------------------------
@dataclass(frozen=True)
class ImageOverrides:
    """-aiRunnerImageOverrides; unknown keys are ignored (facts 1.6)."""

    default: str = ""
    batch: Mapping[str, str] = field(default_factory=dict)
    live: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> ImageOverrides:
        document = json.loads(text)
        if document is None:
            return cls()
        if not isinstance(document, dict):
            raise ValueError("json: cannot unmarshal into Go value of type worker.ImageOverrides")
        known = {key.lower(): value for key, value in document.items() if value is not None}
        default, batch, live = known.get("default", ""), known.get("batch", {}), known.get("live", {})
        if not isinstance(default, str):
            raise ValueError("json: cannot unmarshal into Go struct field ImageOverrides.default of type string")
        for name, images in (("batch", batch), ("live", live)):
            if not isinstance(images, dict) or not all(isinstance(i, str) for i in images.values()):
                raise ValueError(f"json: cannot unmarshal into Go struct field ImageOverrides.{name} of type string")
        return cls(default, batch, live)


def image_for(overrides: ImageOverrides, pipeline: str, model_id: str) -> str:
    """Overrides by name, then the built-in table, then the default (facts 3.1)."""
    if pipeline == tables.LIVE_PIPELINE:
        if model_id in overrides.live:
            return overrides.live[model_id]
        if model_id in tables.LIVE_IMAGES:
            return tables.LIVE_IMAGES[model_id]
        raise WorkerError(f"no container image found for live pipeline {model_id}")
    if pipeline in overrides.batch:
        return overrides.batch[pipeline]
    known = tables.PIPELINES.get(pipeline)
    return (known and known.image) or overrides.default or tables.DEFAULT_IMAGE


def gpu_slots(gpus: list[str], per_gpu: int) -> list[str]:
    """One slot per GPU, or colocated-<i>-<gpu>: all GPUs once, then all again (facts 3.3)."""
    if per_gpu <= 1:
        return list(gpus)
    return [f"colocated-{i}-{gpu}" for i in range(per_gpu) for gpu in gpus]


def hardware_gpu(slot: str) -> str:
    match = re.match(r"colocated-\d+-(.*)", slot)
    return match[1] if match else slot


def is_emulated(gpu: str) -> bool:
    return gpu.startswith("emulated-")


def host_port(pipeline: str, slot: str) -> str:
    """<2-digit base><colocation index><gpu id>; text, since a GPU named by UUID gives no number (facts 3.4)."""
    match = re.match(r"colocated-(\d+)-", slot)
    offset = (match[1] if match else "0")[:1] + hardware_gpu(slot).removeprefix("emulated-")
    return tables.PIPELINES[pipeline].port_base + offset


def container_name(pipeline: str, model_id: str, suffix: str) -> str:
    return f"{pipeline}_{model_id.replace('/', '-').replace('_', '-')}_{suffix}"


def lowest_version(versions: list[dict], pipeline: str, model_id: str) -> str:
    """The lowest runner version of a model: what the node advertises for it."""
    found = [v.get("version", "") for v in versions if (v.get("pipeline"), v.get("model_id")) == (pipeline, model_id)]
    valid = [text for text in found if re.match(r"v?\d+(\.\d+){0,2}([-+].*)?\Z", text)]
    return min(valid, key=_semver_key, default="")


def _semver_key(text: str) -> tuple:
    core, _, build = text.removeprefix("v").partition("+")
    core, dash, pre = core.partition("-")
    numbers = [int(n) for n in core.split(".")] + [0, 0]
    return (*numbers[:3], not dash, pre)


# --- runners -----------------------------------------------------------------------------------------------------
class RunnerClient:
    """The runner's own HTTP API, as far as the node asks it about itself (facts 3.5)."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._url = urllib.parse.urlsplit(endpoint)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, timeout: float) -> tuple[int, object]:
        """(status, decoded JSON); the JSON is None for any answer that is not a 200 with a JSON content type."""
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        if self._url.scheme not in ("http", "https"):
            raise OSError(f'unsupported protocol scheme "{self._url.scheme}"')
        with contextlib.closing(kind(self._url.netloc, timeout=timeout)) as connection:
            connection.request("GET", self._url.path.rstrip("/") + path, headers=self._headers)
            response = connection.getresponse()
            body = response.read()
        is_json = response.status == 200 and "json" in response.headers.get("Content-Type", "")
        return response.status, json.loads(body) if is_json else None

    def health(self, timeout: float) -> tuple[int, str]:
        """(HTTP status, state). A 200 that is not JSON is the nil dereference that crashes the real node."""
        status, body = self.get("/health", timeout)
        if status != 200:
            return status, ""
        if body is None:
            raise Panic(NIL_DEREFERENCE)
        return status, str(body.get("status", "")) if isinstance(body, dict) else ""


# The borrower of a runner that is still loading: nobody, so nobody returns it but the watcher.
_LOADING = object()

# What a request to a runner may raise when it is not there, too slow, or talks nonsense.
_UNREACHABLE = (OSError, http.client.HTTPException, ValueError)


@dataclass
class Runner:
    """A managed container, or an external endpoint (no container id, no slot)."""

    name: str
    pipeline: str
    model_id: str
    endpoint: str
    token: str = ""
    container: str = ""
    slot: str = ""
    keep_warm: bool = False
    optimization_flags: dict[str, str] = field(default_factory=dict)
    hardware: dict = field(default_factory=dict)
    version: dict = field(default_factory=dict)
    borrower: object | None = None  # who took it out of the pool
    returned: bool = False  # the borrower is done; the watcher puts the runner back
    watched: bool = False  # a runner that nobody watches is never returned
    wake: threading.Event = field(default_factory=threading.Event)

    @property
    def client(self) -> RunnerClient:
        return RunnerClient(self.endpoint, self.token)


@dataclass(eq=False)
class Lease:
    """What a borrower gets. keep_slot() gives nothing back: the slot is lost as after upstream's panic (facts 6.4)."""

    model_id: str
    endpoint: str = ""
    token: str = ""
    lost: bool = False

    def keep_slot(self) -> None:
        self.lost = True


@dataclass
class _Offer:
    """What the node advertises for one model."""

    warm: bool
    capacity: int
    runner_version: str
    in_use: int = 0


class Worker:
    """Starts, lends, watches and removes the runners of one node."""

    def __init__(
        self,
        docker: DockerClient,
        slots: list[str],
        models_dir: str,
        overrides: ImageOverrides,
        creator_id: str,
        verbose_logs: bool = False,
        timing: Timing | None = None,
    ) -> None:
        self._docker = docker
        self._slots = slots
        self._models_dir = models_dir
        self._overrides = overrides
        self._creator_id = creator_id
        self._verbose_logs = verbose_logs
        self._timing = timing or Timing()
        # As upstream: one lock over all containers, held while one starts, and another over the offers,
        # so that the node still answers what it offers during a cold start.
        self._lock = threading.RLock()
        self._offers_lock = threading.Lock()
        self._by_slot: dict[str, Runner] = {}
        self._idle: dict[str, Runner] = {}
        self._external: dict[str, Runner] = {}
        self._offers: dict[tuple[str, str], _Offer] = {}
        self._stopping = threading.Event()
        self._watchers: list[threading.Thread] = []

    # --- what the servers ask ------------------------------------------------------------------------------------
    def pool_status(self) -> dict[tuple[str, str], dict]:
        """Per (pipeline, model_id): warm, capacity left, in_use, runner_version as advertised (facts 2.4, 5.1)."""
        with self._offers_lock:
            return {model: self._status(model, offer) for model, offer in self._offers.items()}

    def _status(self, model: tuple[str, str], offer: _Offer) -> dict:
        capacity, in_use = offer.capacity, offer.in_use
        if model[0] == tables.LIVE_PIPELINE:
            idle = sum((r.pipeline, r.model_id) == model for r in list(self._idle.values()))
            total = sum((r.pipeline, r.model_id) == model for r in list(self._by_slot.values()))
            capacity, in_use = idle, total - idle
        return {
            "warm": offer.warm,
            "capacity": capacity,
            "in_use": in_use,
            "runner_version": offer.runner_version,
        }

    def hardware(self) -> list[dict]:
        return [runner.hardware for runner in (*self._external.values(), *self._by_slot.values())]

    def versions(self) -> list[dict]:
        return [runner.version for runner in (*self._external.values(), *self._by_slot.values())]

    @contextlib.contextmanager
    def borrow(self, pipeline: str, model_id: str) -> Iterator[Lease]:
        """A runner for one job, or InsufficientCapacity or WorkerError. Blocks while a cold one starts (facts 3.9)."""
        self._reserve(pipeline, model_id)
        lease = None
        try:
            lease = Lease(model_id)
            runner = self._external_runner(pipeline, model_id) or self._managed_runner(pipeline, model_id, lease)
            lease.endpoint, lease.token = runner.endpoint, runner.token
            try:
                yield lease
            finally:
                self._give_back(runner, lease)
        finally:
            if not (lease and lease.lost):
                self._release(pipeline, model_id)

    def lend_live(self, model_id: str) -> Lease:
        """A runner for a live stream: nobody gives it back but the watcher, when it is IDLE again (facts 3.5)."""
        lease = Lease(model_id)
        pipeline = tables.LIVE_PIPELINE
        runner = self._external_runner(pipeline, model_id) or self._managed_runner(pipeline, model_id, lease)
        lease.endpoint, lease.token = runner.endpoint, runner.token
        return lease

    def _reserve(self, pipeline: str, model_id: str) -> None:
        """Batch capacity is counted by model; live capacity is what containers there are (facts 2.4)."""
        with self._offers_lock:
            offer = self._offers.get((pipeline, model_id))
            if offer is None:
                raise InsufficientCapacity(f"model does not exist pipeline={pipeline} modelID={model_id}")
            if pipeline == tables.LIVE_PIPELINE:
                if not self.has_live_capacity(model_id):
                    raise InsufficientCapacity("insufficient capacity")
                return
            if offer.capacity <= 0:
                raise InsufficientCapacity(f"model capacity is 0 pipeline={pipeline} modelID={model_id}")
            offer.capacity -= 1
            offer.in_use += 1

    def _release(self, pipeline: str, model_id: str) -> None:
        with self._offers_lock:
            offer = self._offers[pipeline, model_id]
            if pipeline != tables.LIVE_PIPELINE:
                offer.capacity += 1
                offer.in_use -= 1

    def has_live_capacity(self, model_id: str) -> bool:
        """A runner of it, or a place for one: upstream does not ask whether the model is declared at all."""
        wanted = (tables.LIVE_PIPELINE, model_id)
        if any((r.pipeline, r.model_id) == wanted for r in (*self._external.values(), *self._idle.values())):
            return True
        return len(self._by_slot) < len(self._slots) or self._evictable() is not None

    def _external_runner(self, pipeline: str, model_id: str) -> Runner | None:
        wanted = (pipeline, model_id)
        return next((r for r in list(self._external.values()) if (r.pipeline, r.model_id) == wanted), None)

    def _managed_runner(self, pipeline: str, model_id: str, borrower: object) -> Runner:
        with self._lock:
            for runner in self._idle.values():
                if (runner.pipeline, runner.model_id) == (pipeline, model_id):
                    break
            else:
                runner = self._create_cold(pipeline, model_id)
            self._take_from_pool(runner, borrower)
            return runner

    def _create_cold(self, pipeline: str, model_id: str) -> Runner:
        """Optimization flags are for warm containers only (facts 2.3)."""
        try:
            return self._create(pipeline, model_id, keep_warm=False, optimization_flags={})
        except DockerError as error:
            raise WorkerError(str(error)) from error

    def _take_from_pool(self, runner: Runner, borrower: object) -> None:
        self._idle.pop(runner.name, None)
        runner.borrower, runner.returned = borrower, False

    def _give_back(self, runner: Runner, lease: Lease) -> None:
        """End the loan; an IDLE runner may have been returned and lent again, which only its new borrower can end.

        Upstream's watcher does this at once. Ours may be slower than the next request, so the borrower does it
        himself, except when a cold start holds the lock: then the watcher does, and the answer is not kept waiting.
        """
        if runner.borrower is not lease or not runner.watched:
            return
        if self._lock.acquire(blocking=False):
            try:
                self._return_to_pool(runner)
            finally:
                self._lock.release()
        else:
            runner.returned = True
            runner.wake.set()

    def _return_to_pool(self, runner: Runner) -> None:
        with self._lock:
            runner.borrower, runner.returned = None, False
            self._idle[runner.name] = runner

    # --- what the start-up does ----------------------------------------------------------------------------------
    def ensure_image(self, pipeline: str, model_id: str) -> None:
        """Pull the image when it is absent; never refresh it (facts 3.7)."""
        image = image_for(self._overrides, pipeline, model_id)
        if self._image_available(image):
            return
        log.slog("ERROR", f"Image for pipeline {pipeline} and modelID {model_id} is not available locally: {image}")
        log.slog("INFO", f"Pulling image for pipeline {pipeline} and modelID {model_id}: {image}")
        for message in self._docker.pull(image):
            if self._stopping.is_set():
                raise WorkerError("context canceled")
            if message.get("status") and message.get("progress"):
                log.slog("INFO", f"{message['status']}: {message['progress']}")

    def _image_available(self, image: str) -> bool:
        try:
            return self._docker.image_exists(image)
        except DockerError:
            return False

    def warm(self, pipeline: str, model_id: str, url: str, token: str, optimization_flags: dict[str, str]) -> None:
        """Start a container that stays, or register the external endpoint at `url` (facts 2.3, 2.5)."""
        if not url:
            with self._lock:
                self._create(pipeline, model_id, keep_warm=True, optimization_flags=optimization_flags)
            return
        runner = Runner(url, pipeline, model_id, url, token)
        self._make_ready(runner, self._timing.ready_external)
        name = container_name(pipeline, model_id, url)
        log.slog("INFO", "Starting external container", name=name, modelID=model_id)
        self._external[name] = runner

    def advertise(self, pipeline: str, model_id: str, warm: bool, capacity: int) -> None:
        """Add to what the node offers; the same model once warm and once cold is a panic (facts 2.3)."""
        version = lowest_version(self.versions(), pipeline, model_id)
        with self._offers_lock:
            offer = self._offers.get((pipeline, model_id))
            if offer is None:
                self._offers[pipeline, model_id] = _Offer(warm, capacity, version)
            elif offer.warm == warm:
                offer.capacity += capacity
            else:
                raise Panic(
                    f"Cannot have same model_id ({model_id}) as cold and warm in same AI worker, "
                    "please fix aiModels json config"
                )

    def stop(self) -> bool:
        """Remove every container within the budget; False when some had to be left behind (facts 3.8)."""
        self.interrupt()
        deadline = time.monotonic() + self._timing.shutdown_budget
        # Asked anew each time: a watcher that was warming its container again has started another watcher.
        while watcher := next((thread for thread in self._watchers if thread.is_alive()), None):
            watcher.join(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                return False
        return True

    def interrupt(self) -> None:
        """End every wait: a start in progress fails with "context canceled"."""
        self._stopping.set()
        for runner in list(self._by_slot.values()):
            runner.wake.set()

    # --- containers ----------------------------------------------------------------------------------------------
    def _create(self, pipeline: str, model_id: str, keep_warm: bool, optimization_flags: dict[str, str]) -> Runner:
        """Create, start and await one container; its watcher lives as long as it does."""
        slot = self._allocate_slot()
        if pipeline not in tables.PIPELINES:
            # The port table is indexed with whatever passed the capability check (facts 2.2).
            raise Panic("runtime error: slice bounds out of range [:2] with length 0")
        port = host_port(pipeline, slot)
        image = image_for(self._overrides, pipeline, model_id)
        name = container_name(pipeline, model_id, port)
        log.slog("INFO", "Starting managed container", gpu=slot, name=name, modelID=model_id, containerImage=image)
        config = self.container_config(pipeline, model_id, image, port, slot, optimization_flags)
        runner = Runner(
            name,
            pipeline,
            model_id,
            f"http://localhost:{port}",
            container=self._docker.create(name, config),
            slot=slot,
            keep_warm=keep_warm,
            optimization_flags=optimization_flags,
        )
        limit = self._timing.ready_with_flags if optimization_flags else self._timing.ready
        try:
            self._docker.start(runner.container)
            self._wait_until_running(runner.container)
            loading = self._make_ready(runner, limit)
        except (WorkerError, DockerError):
            self._remove_quietly(runner)
            raise
        self._idle[name] = self._by_slot[slot] = runner
        if keep_warm and loading:
            log.slog("INFO", "Warm container started on loading state, removing from pool on startup", container=name)
            self._take_from_pool(runner, _LOADING)
        watcher = threading.Thread(target=self._watch, args=(runner,), daemon=True, name=f"watch {name}")
        self._watchers.append(watcher)
        runner.watched = True
        watcher.start()
        return runner

    def container_config(
        self, pipeline: str, model_id: str, image: str, port: str, slot: str, optimization_flags: dict[str, str]
    ) -> dict:
        """The body of the create call (facts 3.2)."""
        environment = [f"PIPELINE={pipeline}", f"MODEL_ID={model_id}"]
        environment += [f"{key}={value}" for key, value in optimization_flags.items()]
        if self._verbose_logs:
            environment.append("VERBOSE_LOGGING=1")
        return {
            "Image": image,
            "Env": environment,
            "Volumes": {tables.CONTAINER_MODEL_DIR: {}},
            "ExposedPorts": {tables.CONTAINER_PORT: {}},
            "Labels": {tables.CREATOR_LABEL: tables.CREATOR, tables.CREATOR_ID_LABEL: self._creator_id},
            "HostConfig": {
                "DeviceRequests": _device_requests(hardware_gpu(slot)),
                "Mounts": [{"Type": "bind", "Source": self._models_dir, "Target": tables.CONTAINER_MODEL_DIR}],
                "PortBindings": {tables.CONTAINER_PORT: [{"HostIp": "127.0.0.1", "HostPort": port}]},
                "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
            },
        }

    def _allocate_slot(self) -> str:
        """A free slot, else that of an idle container which is not kept warm (facts 3.3, 3.9).

        As upstream, the victim's watcher is not told: it ends by itself once its port stops answering.
        """
        for slot in self._slots:
            if slot not in self._by_slot:
                return slot
        victim = self._evictable()
        if victim is None:
            raise InsufficientCapacity("insufficient capacity")
        self._destroy(victim)
        return victim.slot

    def _evictable(self) -> Runner | None:
        return next((r for r in self._by_slot.values() if r.name in self._idle and not r.keep_warm), None)

    def _wait_until_running(self, container: str) -> None:
        deadline = time.monotonic() + self._timing.start
        while True:
            self._pause(deadline, "timed out waiting for managed container")
            state = self._docker.inspect(container).get("State") or {}
            if state.get("Running"):
                return
            if state.get("Status", "").lower() in ("exited", "dead"):
                raise WorkerError(
                    "container entered terminal state before running: "
                    f"{state['Status']} (exitCode={state.get('ExitCode', 0)})"
                )
            if not state.get("Restarting") and (state.get("ExitCode") or state.get("Error")):
                raise WorkerError(
                    f"container exited before running (status={state.get('Status')}, "
                    f"exitCode={state.get('ExitCode', 0)}, error={state.get('Error', '')})"
                )

    def _make_ready(self, runner: Runner, limit: float) -> bool:
        """Wait for the first good /health, then ask for hardware and version; True when it says LOADING (facts 3.5)."""
        loading = self._wait_until_healthy(runner.client, limit)
        runner.hardware = self._ask_hardware(runner)
        runner.version = self._ask_version(runner)
        return loading

    def _wait_until_healthy(self, client: RunnerClient, limit: float) -> bool:
        deadline = time.monotonic() + limit
        last = "%!w(<nil>)"
        while True:
            self._pause(deadline, f"timed out waiting for runner: {last}")
            try:
                status, state = client.health(self._timing.health_timeout)
            except _UNREACHABLE as error:
                last = str(error)
                continue
            if status != 200:
                last = f"health check failed with status code {status}"
            elif state == "ERROR":
                raise WorkerError("runner is in error state")
            else:
                return state == "LOADING"

    def _pause(self, deadline: float, timeout_text: str) -> None:
        if self._stopping.wait(self._timing.poll):
            raise WorkerError("context canceled")
        if time.monotonic() > deadline:
            raise WorkerError(timeout_text)

    def _ask_hardware(self, runner: Runner) -> dict:
        nothing = {"pipeline": runner.pipeline, "model_id": runner.model_id, "gpu_info": None}
        try:
            status, body = runner.client.get("/hardware/info", self._timing.hardware_timeout)
        except _UNREACHABLE as error:
            log.slog("ERROR", "Error getting hardware info for runner", error=error)
            return nothing
        if status != 200:
            log.slog("ERROR", "HTTP Status error getting hardware info for runner", status=status)
            return nothing
        return body if isinstance(body, dict) else {}

    def _ask_version(self, runner: Runner) -> dict:
        nothing = {"pipeline": runner.pipeline, "model_id": runner.model_id, "version": "0.0.0"}
        try:
            status, body = runner.client.get("/version", self._timing.version_timeout)
        except _UNREACHABLE as error:
            log.slog("ERROR", "Error getting runner version", error=error)
            return nothing
        if status != 200:
            log.slog("ERROR", "HTTP Status error getting runner version", status=status)
            return nothing
        if not isinstance(body, dict):
            raise Panic(NIL_DEREFERENCE)
        log.slog("INFO", "Started runner with version", version=body.get("version", ""))
        return body

    def _destroy(self, runner: Runner) -> None:
        """Stop and remove; a container that cannot be removed keeps its slot."""
        log.slog("INFO", "Removing managed container", gpu=runner.slot, name=runner.name, modelID=runner.model_id)
        try:
            remove_container(self._docker, runner.container, self._timing)
        except DockerError as error:
            log.slog("ERROR", "Error removing managed container", name=runner.name, error=error)
            raise WorkerError(f"failed to remove container {runner.name}: {error}") from error
        with self._lock:
            self._by_slot.pop(runner.slot, None)
            self._idle.pop(runner.name, None)

    def _remove_quietly(self, runner: Runner) -> None:
        """Clear away a container that did not start; the reason it did not is what must be reported."""
        with contextlib.suppress(DockerError):
            remove_container(self._docker, runner.container, self._timing)

    # --- the watcher (facts 3.5) ---------------------------------------------------------------------------------
    def _watch(self, runner: Runner) -> None:
        log.slog("INFO", "Watching container", container=runner.name)
        try:
            self._watch_until_failed(runner)
        except Panic as error:
            # The real watcher recovers from this panic and is gone: the container stays, unwatched.
            log.slog("ERROR", "Panic in container watch routine", container=runner.name, panic=error)
            return
        finally:
            runner.watched = False
        with contextlib.suppress(WorkerError):  # said by _destroy; the slot stays taken, as upstream's does
            self._end_of_watch(runner)

    def _watch_until_failed(self, runner: Runner) -> None:
        watch = _Watch(self._timing.watch)
        while not self._stopping.is_set() and watch.failures < MAX_HEALTH_FAILURES:
            woken = runner.wake.wait(max(0.0, watch.next_check - time.monotonic()))
            runner.wake.clear()
            if runner.borrower is not None and runner.returned:
                self._return_to_pool(runner)
            elif not woken:
                self._check(runner, watch)

    def _check(self, runner: Runner, watch: _Watch) -> None:
        watch.next_check = max(watch.next_check + self._timing.watch, time.monotonic())
        try:
            status, state = runner.client.health(self._timing.health_timeout)
        except _UNREACHABLE as error:
            watch.failures += 1
            log.slog("ERROR", "Error getting health for runner", container=runner.name, error=error)
            return
        if status != 200:
            watch.failures += 1
            log.slog(
                "ERROR",
                "Container health check failed with HTTP status code",
                container=runner.name,
                status_code=status,
            )
        elif state == "IDLE" and runner.borrower is not None:
            log.slog("INFO", "Container is idle, returning to pool", container=runner.name)
            self._return_to_pool(runner)
        elif state in ("OK", "IDLE"):
            watch.failures, watch.loading_since = 0, None
        elif state == "LOADING":
            self._check_loading(runner, watch)
        elif state == "ERROR":
            watch.failures = MAX_HEALTH_FAILURES
            log.slog("ERROR", "Container returned ERROR state, restarting immediately", container=runner.name)
        else:
            log.slog("ERROR", "Unknown container status", container=runner.name, status=state)

    def _check_loading(self, runner: Runner, watch: _Watch) -> None:
        now = time.monotonic()
        if watch.loading_since is None:
            watch.failures, watch.loading_since = 0, now
            if runner.borrower is None:
                log.slog("INFO", "Container is loading, removing from pool", container=runner.name)
                with self._lock:
                    self._take_from_pool(runner, _LOADING)
        if now - watch.loading_since > self._timing.loading:
            watch.failures += 1
            log.slog("ERROR", "Container is loading for too long", container=runner.name)

    def _end_of_watch(self, runner: Runner) -> None:
        if self._stopping.is_set():
            log.slog("INFO", "Docker manager context is done, stopping container", container=runner.name)
            self._destroy(runner)
            log.slog("INFO", "Container destroyed", container=runner.name)
            return
        log.slog("ERROR", "Container health check failed too many times", container=runner.name)
        self._destroy(runner)
        if runner.keep_warm:
            log.slog("INFO", "Container was kept warm, restarting", container=runner.name)
            self._warm_again(runner)

    def _warm_again(self, runner: Runner) -> None:
        """Once only: when this fails the model stays advertised and dead (facts 3.5)."""
        try:
            self.warm(runner.pipeline, runner.model_id, "", "", runner.optimization_flags)
        except (WorkerError, DockerError, Panic) as error:
            log.slog("ERROR", "Error restarting warm container", container=runner.name, error=error)


class _Watch:
    """What a watcher remembers between two checks."""

    def __init__(self, interval: float) -> None:
        self.failures = 0
        self.loading_since: float | None = None
        self.next_check = time.monotonic() + interval


def _device_requests(gpu: str) -> list[dict] | None:
    """What `--gpus device=<id>` asks for; an emulated GPU asks for nothing (facts 3.2)."""
    if is_emulated(gpu):
        return None
    return [{"Driver": "", "Count": 0, "DeviceIDs": [gpu], "Capabilities": [["gpu"]], "Options": {}}]


def remove_container(docker: DockerClient, container: str, timing: Timing) -> None:
    """Stop, then remove; gone already is fine, and a removal in progress is waited for."""
    deadline = time.monotonic() + timing.remove
    try:
        docker.stop(container, timing.stop)
    except DockerError as error:
        if not error.not_found:
            raise
    try:
        docker.remove(container)
    except DockerError as error:
        if error.not_found:
            return
        if "is already in progress" not in str(error):
            raise
        _wait_until_gone(docker, container, deadline, timing.poll)


def _wait_until_gone(docker: DockerClient, container: str, deadline: float, poll: float) -> None:
    while time.monotonic() < deadline:
        time.sleep(poll)
        try:
            docker.inspect(container)
        except DockerError as error:
            if error.not_found:
                return
    raise DockerError("timed out waiting for container removal to complete")


def remove_orphans(docker: DockerClient, creator_id: str, timing: Timing) -> int:
    """Remove the containers this node's predecessor left, and those that name no creator_id (facts 3.8)."""
    removed = 0
    for container in docker.containers_with_label(f"{tables.CREATOR_LABEL}={tables.CREATOR}"):
        labels = container.get("Labels") or {}
        if labels.get(tables.CREATOR_ID_LABEL, creator_id) != creator_id:
            continue
        log.slog("INFO", "Removing existing managed container", name=container["Names"][0])
        remove_container(docker, container["Id"], timing)
        removed += 1
    return removed
