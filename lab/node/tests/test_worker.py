# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, names, ports, containers, health and capacity of the AI worker (facts 2.3-2.5, 3)."""

from __future__ import annotations

import threading
import time

import pytest
from livepeer_node import worker as w
from livepeer_node.docker_api import DockerClient, DockerError, familiar_reference
from node_helpers.fake_docker import FakeRunner
from node_helpers.process import FAST, eventually, free_port

LATEST = "livepeer/ai-runner:latest"
TTS = "livepeer/ai-runner:text-to-speech"


# --- images ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pipeline", "model", "image"),
    [
        ("text-to-image", "a/b", LATEST),
        ("upscale", "a/b", LATEST),
        ("image-to-text", "a/b", LATEST),
        ("segment-anything-2", "a/b", "livepeer/ai-runner:segment-anything-2"),
        ("text-to-speech", "a/b", TTS),
        ("audio-to-text", "a/b", "livepeer/ai-runner:audio-to-text"),
        ("llm", "a/b", "livepeer/ai-runner:llm"),
        ("live-video-to-video", "noop", "livepeer/ai-runner:live-app-noop"),
        (
            "live-video-to-video",
            "streamdiffusion-sdxl-faceid",
            "livepeer/ai-runner:live-app-streamdiffusion-sdxl-faceid",
        ),
        ("live-video-to-video", "scope", "daydreamlive/scope-runner"),
    ],
)
def test_default_images(pipeline, model, image):
    assert w.image_for(w.ImageOverrides(), pipeline, model) == image


def test_overrides_by_name_win_and_the_default_never_beats_the_table():
    overrides = w.ImageOverrides.parse(
        '{"default": "d", "batch": {"upscale": "u"}, "live": {"my-pipe": "m", "noop": "n"}, "unknown": 1}'
    )
    assert w.image_for(overrides, "upscale", "a") == "u"
    assert w.image_for(overrides, "text-to-image", "a") == "d"
    assert w.image_for(overrides, "llm", "a") == "livepeer/ai-runner:llm"
    assert w.image_for(overrides, "live-video-to-video", "my-pipe") == "m"
    assert w.image_for(overrides, "live-video-to-video", "noop") == "n"


def test_an_unknown_live_pipeline_has_no_image():
    with pytest.raises(w.WorkerError, match="no container image found for live pipeline nobody"):
        w.image_for(w.ImageOverrides(), "live-video-to-video", "nobody")


@pytest.mark.parametrize("text", ["{", "[]", '{"batch": []}', '{"default": 1}', '{"live": {"a": 1}}'])
def test_bad_overrides_are_refused(text):
    with pytest.raises(ValueError):
        w.ImageOverrides.parse(text)


# --- slots, ports, names ---------------------------------------------------------------------------------------
def test_colocated_slots_go_round_the_gpus():
    assert w.gpu_slots(["0", "1"], 2) == ["colocated-0-0", "colocated-0-1", "colocated-1-0", "colocated-1-1"]
    assert w.gpu_slots(["0", "1"], 1) == w.gpu_slots(["0", "1"], 0) == ["0", "1"]


@pytest.mark.parametrize(
    ("pipeline", "slot", "port"),
    [
        ("text-to-image", "0", "8000"),
        ("text-to-image", "1", "8001"),
        ("image-to-image", "emulated-0", "8100"),
        ("image-to-video", "0", "8200"),
        ("upscale", "0", "8300"),
        ("audio-to-text", "0", "8400"),
        ("llm", "colocated-2-1", "8521"),
        ("segment-anything-2", "0", "8600"),
        ("image-to-text", "0", "8700"),
        ("text-to-speech", "colocated-1-emulated-0", "8810"),
        ("live-video-to-video", "colocated-3-5", "8935"),
        ("text-to-image", "10", "80010"),
        ("text-to-image", "GPU-1234", "800GPU-1234"),
    ],
)
def test_host_ports(pipeline, slot, port):
    assert w.host_port(pipeline, slot) == port


def test_container_names():
    name = w.container_name("text-to-image", "SG161222/RealVisXL_V4.0_Lightning", "8000")
    assert name == "text-to-image_SG161222-RealVisXL-V4.0-Lightning_8000"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (LATEST, ("livepeer/ai-runner", "latest")),
        ("localhost:5000/a/b", ("localhost:5000/a/b", "latest")),
        ("a/b@sha256:00", ("a/b", "sha256:00")),
        ("docker.io/library/debian:12", ("debian", "12")),
    ],
)
def test_pull_references(image, expected):
    assert familiar_reference(image) == expected


def test_the_lowest_runner_version_is_advertised():
    versions = [{"pipeline": "llm", "model_id": "a", "version": v} for v in ("0.14.1", "0.9.0", "undefined", "0.14.0")]
    assert w.lowest_version(versions, "llm", "a") == "0.9.0"
    assert w.lowest_version(versions, "llm", "b") == ""


# --- a worker and a daemon -------------------------------------------------------------------------------------
@pytest.fixture
def ports(monkeypatch):
    """Free ports instead of 80xx, so that tests may run beside each other; the formula has its own test."""
    given = {}
    monkeypatch.setattr(w, "host_port", lambda pipeline, slot: given.setdefault((pipeline, slot), str(free_port())))
    return given


@pytest.fixture
def make_worker(docker, ports):
    docker.images |= {LATEST, TTS}
    made = []

    def make(slots=("emulated-0",), timing=None, **options):
        client = DockerClient({"DOCKER_HOST": docker.host})
        options = {"models_dir": "/srv/models", "overrides": w.ImageOverrides(), "creator_id": "host:8935", **options}
        made.append(w.Worker(client, list(slots), timing=w.Timing(**{**FAST, **(timing or {})}), **options))
        return made[-1]

    yield make
    for worker in made:
        worker.stop()


def warm(worker, pipeline="upscale", model="a/b", optimization_flags=None, capacity=1):
    worker.warm(pipeline, model, "", "", optimization_flags or {})
    worker.advertise(pipeline, model, True, capacity)


def test_what_the_daemon_is_asked_to_create(docker, make_worker, ports):
    worker = make_worker(["1"], verbose_logs=True)
    warm(worker, "upscale", "org/my_model", {"SFAST": "true", "HF_HUB_OFFLINE": "1"})
    ((name, config),) = docker.created
    port = ports["upscale", "1"]
    assert name == f"upscale_org-my-model_{port}"
    assert config == {
        "Image": LATEST,
        "Env": ["PIPELINE=upscale", "MODEL_ID=org/my_model", "SFAST=true", "HF_HUB_OFFLINE=1", "VERBOSE_LOGGING=1"],
        "Volumes": {"/models": {}},
        "ExposedPorts": {"8000/tcp": {}},
        "Labels": {"creator": "ai-worker", "creator_id": "host:8935"},
        "HostConfig": {
            "DeviceRequests": [
                {"Driver": "", "Count": 0, "DeviceIDs": ["1"], "Capabilities": [["gpu"]], "Options": {}}
            ],
            "Mounts": [{"Type": "bind", "Source": "/srv/models", "Target": "/models"}],
            "PortBindings": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]},
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        },
    }


@pytest.mark.parametrize("slot", ["emulated-0", "colocated-1-emulated-0"])
def test_an_emulated_gpu_requests_no_device(docker, make_worker, slot):
    warm(make_worker([slot]))
    assert docker.created[0][1]["HostConfig"]["DeviceRequests"] is None


def test_a_colocated_slot_requests_its_gpu(docker, make_worker):
    warm(make_worker(["colocated-1-3"]))
    assert docker.created[0][1]["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == ["3"]


def test_the_api_version_is_negotiated_down_and_capped(docker, make_worker):
    make_worker().ensure_image("upscale", "a/b")
    docker.api_version = "9.99"
    make_worker().ensure_image("upscale", "a/b")
    assert docker.versions == {"1.41", "1.47"}


def test_an_image_is_pulled_only_when_it_is_absent(docker, make_worker):
    worker = make_worker()
    worker.ensure_image("upscale", "a/b")
    assert not any("/images/create" in call for call in docker.calls)
    docker.images.clear()
    docker.pullable.add(LATEST)
    worker.ensure_image("upscale", "a/b")
    assert "POST /images/create?fromImage=livepeer%2Fai-runner&tag=latest" in docker.calls


def test_an_error_inside_the_pull_stream_goes_unnoticed(docker, make_worker):
    docker.images.clear()
    docker.pull_error = "toomanyrequests"
    make_worker().ensure_image("upscale", "a/b")
    with pytest.raises(DockerError, match="No such image"):
        warm(make_worker())


def test_a_daemon_that_is_not_there_is_said_to_be_so(tmp_path):
    client = DockerClient({"DOCKER_HOST": f"unix://{tmp_path}/absent.sock"})
    with pytest.raises(DockerError, match="Is the docker daemon running"):
        client.image_exists(LATEST)


def test_a_failed_start_removes_the_container(docker, make_worker):
    docker.start_error = 'could not select device driver "" with capabilities: [[gpu]]'
    with pytest.raises(DockerError, match="could not select device driver"):
        warm(make_worker(["0"]))
    assert docker.names == []


# --- readiness -------------------------------------------------------------------------------------------------
def unhealthy(docker, **knobs):
    def start(container):
        runner = docker.run_runner(container)
        for name, value in knobs.items():
            setattr(runner, name, value)
        return runner

    docker.on_start = start


def test_a_runner_that_never_answers_times_out_and_is_removed(docker, make_worker):
    docker.on_start = lambda container: None
    with pytest.raises(w.WorkerError, match="timed out waiting for runner"):
        warm(make_worker(timing={"ready": 0.2}))
    assert docker.names == []


def test_optimization_flags_give_it_more_time(docker, make_worker):
    docker.on_start = lambda container: None
    began = time.monotonic()
    with pytest.raises(w.WorkerError):
        warm(make_worker(timing={"ready": 0.05, "ready_with_flags": 0.5}), optimization_flags={"SFAST": "true"})
    assert time.monotonic() - began >= 0.5
    assert (w.Timing().ready, w.Timing().ready_with_flags, w.Timing().ready_external) == (180, 300, 120)


def test_error_at_start_fails_at_once(docker, make_worker):
    unhealthy(docker, status="ERROR")
    with pytest.raises(w.WorkerError, match="runner is in error state"):
        warm(make_worker())
    assert docker.names == []


def test_http_500_is_not_yet_ready(docker, make_worker):
    unhealthy(docker, http_status=500)
    with pytest.raises(w.WorkerError, match="status code 500"):
        warm(make_worker(timing={"ready": 0.2}))


def test_a_200_without_json_panics(docker, make_worker):
    unhealthy(docker, content_type="text/plain")
    with pytest.raises(w.Panic, match="nil pointer"):
        warm(make_worker())


def test_a_container_that_exits_before_it_runs_fails_fast(docker, make_worker):
    def die(container):
        container["State"] = {"Status": "exited", "Running": False, "ExitCode": 1}

    docker.on_start = die
    with pytest.raises(w.WorkerError, match=r"terminal state before running: exited \(exitCode=1\)"):
        warm(make_worker())


def test_loading_counts_as_started_but_stays_out_of_the_pool_until_idle(docker, make_worker):
    unhealthy(docker, status="LOADING")
    worker = make_worker()
    docker.images.add("livepeer/ai-runner:live-app-noop")
    warm(worker, "live-video-to-video", "noop")
    state = worker.pool_status()["live-video-to-video", "noop"]
    assert (state["capacity"], state["in_use"]) == (0, 1)
    next(iter(docker.containers.values()))["runner"].status = "IDLE"
    eventually(lambda: worker.pool_status()["live-video-to-video", "noop"]["capacity"] == 1)


def test_hardware_and_version_are_asked_once_it_is_ready(docker, make_worker):
    worker = make_worker()
    warm(worker)
    assert worker.hardware() == [{"pipeline": "upscale", "model_id": "a/b", "gpu_info": {}}]
    assert worker.pool_status()["upscale", "a/b"]["runner_version"] == "0.14.1"


# --- external endpoints ----------------------------------------------------------------------------------------
def test_an_external_endpoint_gets_the_token_and_no_container(docker, make_worker):
    runner = FakeRunner()
    worker = make_worker()
    url = f"http://127.0.0.1:{runner.port}"
    worker.warm("upscale", "a/b", url, "hush", {})
    worker.advertise("upscale", "a/b", False, 2)
    assert ("/health", "Bearer hush") in runner.seen
    assert docker.created == []
    with worker.borrow("upscale", "a/b") as one, worker.borrow("upscale", "a/b") as two:
        assert (one.endpoint, one.token, two.endpoint) == (url, "hush", url)
        with pytest.raises(w.InsufficientCapacity), worker.borrow("upscale", "a/b"):
            pass
    runner.close()


def test_an_external_endpoint_is_never_looked_at_again(make_worker):
    runner = FakeRunner()
    make_worker().warm("upscale", "a/b", f"http://127.0.0.1:{runner.port}", "", {})
    seen = len(runner.seen)
    time.sleep(3 * FAST["watch"])
    assert len(runner.seen) == seen
    runner.close()


def test_an_external_endpoint_that_does_not_answer_fails(make_worker):
    with pytest.raises(w.WorkerError, match="timed out waiting for runner"):
        make_worker(timing={"ready_external": 0.1}).warm("upscale", "a/b", "http://127.0.0.1:1", "", {})


# --- lending ---------------------------------------------------------------------------------------------------
def test_a_borrowed_runner_comes_back(make_worker):
    worker = make_worker()
    warm(worker)
    with worker.borrow("upscale", "a/b") as lease:
        assert lease.endpoint.startswith("http://localhost:")
        state = worker.pool_status()["upscale", "a/b"]
        assert (state["capacity"], state["in_use"]) == (0, 1)
        with pytest.raises(w.InsufficientCapacity), worker.borrow("upscale", "a/b"):
            pass
    eventually(lambda: worker.pool_status()["upscale", "a/b"]["capacity"] == 1)
    with worker.borrow("upscale", "a/b"):
        pass


def test_a_model_nobody_offers_has_no_capacity(make_worker):
    with pytest.raises(w.InsufficientCapacity, match="does not exist"), make_worker().borrow("upscale", "a/b"):
        pass


def test_a_lost_slot_stays_lost(make_worker):
    worker = make_worker()
    warm(worker)
    with worker.borrow("upscale", "a/b") as lease:
        lease.keep_slot()
    assert worker.pool_status()["upscale", "a/b"]["capacity"] == 0


def test_a_cold_model_starts_at_the_first_request_without_optimization_flags(docker, make_worker):
    worker = make_worker()
    worker.advertise("upscale", "a/b", False, 1)
    assert docker.created == []
    with worker.borrow("upscale", "a/b"):
        ((_, config),) = docker.created
    assert config["Env"] == ["PIPELINE=upscale", "MODEL_ID=a/b"]


def test_the_offer_is_readable_while_a_cold_model_loads(docker, make_worker):
    docker.on_start = lambda container: None
    worker = make_worker(timing={"ready": 1})
    worker.advertise("upscale", "a/b", False, 1)

    def borrow():
        with pytest.raises(w.WorkerError), worker.borrow("upscale", "a/b"):
            pass

    thread = threading.Thread(target=borrow)
    thread.start()
    eventually(lambda: docker.names)
    assert worker.pool_status()["upscale", "a/b"]["in_use"] == 1
    assert worker.hardware() == []
    thread.join()


def test_an_idle_cold_container_is_evicted_for_another_model(docker, make_worker):
    worker = make_worker()
    for model in ("a/one", "a/two"):
        worker.advertise("upscale", model, False, 1)
    with (
        worker.borrow("upscale", "a/one"),
        pytest.raises(w.InsufficientCapacity),
        worker.borrow("upscale", "a/two"),
    ):
        pass
    eventually(lambda: worker._idle, what="return to the pool")
    with worker.borrow("upscale", "a/two"):
        assert [name.split("_")[1] for name in docker.names] == ["a-two"]


def test_a_warm_container_is_never_evicted(docker, make_worker):
    worker = make_worker()
    warm(worker)
    worker.advertise("text-to-speech", "c/d", False, 1)
    with pytest.raises(w.InsufficientCapacity), worker.borrow("text-to-speech", "c/d"):
        pass
    with pytest.raises(w.InsufficientCapacity):
        warm(worker, "text-to-speech", "c/d")


def test_capacities_of_equal_entries_add_up_and_warm_beside_cold_panics(make_worker):
    worker = make_worker()
    worker.advertise("upscale", "a/b", True, 1)
    worker.advertise("upscale", "a/b", True, 1)
    assert worker.pool_status()["upscale", "a/b"]["capacity"] == 2
    with pytest.raises(w.Panic, match="Cannot have same model_id"):
        worker.advertise("upscale", "a/b", False, 1)


# --- the watch -------------------------------------------------------------------------------------------------
def only_runner(docker):
    (container,) = docker.containers.values()
    return container["runner"]


def test_two_failures_in_a_row_recreate_a_warm_container_once(docker, make_worker):
    worker = make_worker()
    warm(worker, optimization_flags={"SFAST": "true"})
    first = next(iter(docker.containers))
    docker.kill(docker.names[0])
    eventually(lambda: docker.containers and first not in docker.containers and only_runner(docker))
    assert docker.created[1] == docker.created[0]
    with worker.borrow("upscale", "a/b"):
        pass


def test_a_single_failure_is_forgiven(docker, make_worker):
    warm(make_worker(timing={"watch": 0.2}))
    runner = only_runner(docker)
    runner.http_status = 500
    before = len(runner.seen)
    eventually(lambda: len(runner.seen) > before)
    runner.http_status = 200
    eventually(lambda: len(runner.seen) > before + 3)
    assert only_runner(docker) is runner


def test_error_destroys_at_once_and_a_failed_second_start_leaves_it_dead(docker, make_worker):
    worker = make_worker()
    warm(worker)
    docker.start_error = "no more"
    only_runner(docker).status = "ERROR"
    eventually(lambda: not docker.names)
    time.sleep(3 * FAST["watch"])
    assert len(docker.created) == 2
    assert worker.pool_status()["upscale", "a/b"]["capacity"] == 1  # still advertised


def test_a_cold_container_that_dies_is_not_replaced(docker, make_worker):
    worker = make_worker()
    worker.advertise("upscale", "a/b", False, 1)
    with worker.borrow("upscale", "a/b"):
        pass
    docker.kill(docker.names[0])
    eventually(lambda: not docker.names)
    assert len(docker.created) == 1


def test_loading_for_too_long_counts_as_failures(docker, make_worker):
    worker = make_worker(timing={"loading": 0.2})
    warm(worker)
    only_runner(docker).status = "LOADING"
    eventually(lambda: len(docker.created) == 2)


def test_an_answer_without_json_leaves_the_container_unwatched(docker, make_worker):
    worker = make_worker()
    warm(worker)
    runner = only_runner(docker)
    runner.content_type = "text/plain"
    eventually(lambda: not any(t.name.startswith("watch") and t.is_alive() for t in worker._watchers))
    assert only_runner(docker) is runner


def test_an_unknown_status_is_only_logged(docker, make_worker):
    warm(make_worker())
    runner = only_runner(docker)
    runner.status = "DREAMING"
    before = len(runner.seen)
    eventually(lambda: len(runner.seen) > before + 3)
    assert only_runner(docker) is runner


# --- live pipelines --------------------------------------------------------------------------------------------
LIVE = ("live-video-to-video", "my-pipeline")
LIVE_IMAGE = "livepeer-pipeline/my-pipeline:0123456789ab"


@pytest.fixture
def live_worker(docker, make_worker):
    """A worker whose overrides give my-pipeline an image, and the state its runner starts in."""
    docker.images.add(LIVE_IMAGE)

    def make(state="IDLE", **options):
        unhealthy(docker, status=state)
        return make_worker(overrides=w.ImageOverrides(live={"my-pipeline": LIVE_IMAGE}), **options)

    return make


def live_state(worker):
    state = worker.pool_status()[LIVE]
    return state["warm"], state["capacity"], state["in_use"]


def test_a_live_pipeline_is_started_from_its_override_as_any_other(docker, live_worker, ports):
    warm(live_worker(), *LIVE)
    ((name, config),) = docker.created
    assert name == f"live-video-to-video_my-pipeline_{ports['live-video-to-video', 'emulated-0']}"
    assert config["Image"] == LIVE_IMAGE
    assert config["Env"] == ["PIPELINE=live-video-to-video", "MODEL_ID=my-pipeline"]


def test_a_live_pipeline_without_an_image_starts_nothing(docker, live_worker):
    with pytest.raises(w.WorkerError, match="no container image found for live pipeline nobody"):
        warm(live_worker(), LIVE[0], "nobody")
    assert docker.created == []


def test_a_live_pipeline_that_loads_counts_as_started_and_is_lent_once_it_is_idle(docker, live_worker):
    worker = live_worker("LOADING")
    warm(worker, *LIVE)
    assert live_state(worker) == (True, 0, 1)
    assert not worker.has_live_capacity("my-pipeline")
    only_runner(docker).status = "IDLE"
    eventually(lambda: live_state(worker) == (True, 1, 0))
    assert worker.has_live_capacity("my-pipeline")


def test_a_live_stream_keeps_its_runner_until_it_is_idle_again(docker, live_worker):
    worker = live_worker()
    warm(worker, *LIVE)
    only_runner(docker).status = "OK"
    assert worker.lend_live("my-pipeline").endpoint.startswith("http://localhost:")
    seen = len(only_runner(docker).seen)
    eventually(lambda: len(only_runner(docker).seen) > seen + 3)
    assert live_state(worker) == (True, 0, 1)
    only_runner(docker).status = "IDLE"
    eventually(lambda: live_state(worker) == (True, 1, 0))


def test_a_live_pipeline_in_error_is_replaced_at_once(docker, live_worker):
    warm(live_worker(), *LIVE)
    only_runner(docker).status = "ERROR"
    eventually(lambda: len(docker.created) == 2)


def test_a_live_pipeline_that_loads_for_too_long_is_replaced(docker, live_worker):
    warm(live_worker("LOADING", timing={"loading": 0.2}), *LIVE)
    eventually(lambda: len(docker.created) == 2)


def test_an_external_live_runner_is_lent_to_everybody_and_counted_nowhere(docker, live_worker):
    worker, runner = live_worker(), FakeRunner(pipeline=LIVE[0], model_id=LIVE[1])
    try:
        worker.warm(*LIVE, f"http://127.0.0.1:{runner.port}", "", {})
        worker.advertise(*LIVE, True, 1)
        for _stream in range(3):
            assert worker.lend_live("my-pipeline").endpoint == f"http://127.0.0.1:{runner.port}"
    finally:
        runner.close()
    assert live_state(worker) == (True, 0, 0)
    assert worker.has_live_capacity("my-pipeline")
    assert docker.created == []


# --- the end, and what was left before -------------------------------------------------------------------------
def test_stop_removes_every_container(docker, make_worker):
    worker = make_worker(["0", "1"])
    warm(worker)
    warm(worker, "text-to-speech", "c/d")
    assert len(docker.names) == 2
    assert worker.stop()
    assert docker.names == []


def test_stop_interrupts_a_start(docker, make_worker):
    docker.on_start = lambda container: None
    worker = make_worker()
    failed = []

    def start():
        try:
            warm(worker)
        except w.WorkerError as error:
            failed.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    eventually(lambda: docker.names)
    worker.interrupt()
    thread.join(3)
    assert failed == ["context canceled"]


def test_orphans_of_this_creator_and_those_without_one_are_removed(docker):
    for name, labels in {
        "mine": {"creator": "ai-worker", "creator_id": "host:8935"},
        "nobodys": {"creator": "ai-worker"},
        "theirs": {"creator": "ai-worker", "creator_id": "other:8935"},
        "foreign": {"creator": "ansible"},
    }.items():
        docker.add_container(name, labels)
    client = DockerClient({"DOCKER_HOST": docker.host})
    assert w.remove_orphans(client, "host:8935", w.Timing(**FAST)) == 2
    assert docker.names == ["theirs", "foreign"]


def test_a_container_gets_eight_seconds_to_stop(docker):
    identity = docker.add_container("old", {"creator": "ai-worker"})
    w.remove_orphans(DockerClient({"DOCKER_HOST": docker.host}), "", w.Timing())
    assert docker.calls[-2:] == [f"POST /containers/{identity}/stop?t=8", f"DELETE /containers/{identity}"]


def test_the_intervals_are_upstreams():
    timing = w.Timing()
    assert (timing.poll, timing.watch, timing.health_timeout, timing.loading) == (0.5, 5, 5, 180)
    assert (timing.start, timing.stop, timing.remove, timing.shutdown_budget, timing.graceful) == (180, 8, 30, 5, 10)
