# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preparing models on a disk, with a Docker Engine that answers as told: what stays when a run does not end well."""

from __future__ import annotations

import json
import os
import stat
import types
from pathlib import Path

import pytest

from ansible_collections.livepeer.ai.plugins.module_utils import _pipeline_prepare
from ansible_collections.livepeer.ai.plugins.module_utils._pipeline_prepare import (
    Prepare,
    PrepareDocker,
    PrepareError,
)
from ansible_collections.livepeer.ai.plugins.modules.pipeline_models import PipelineModels

TOKEN = "hf_not_to_be_seen"
IMAGE_ID = "sha256:new"


class Engine(PrepareDocker):
    """A Docker Engine with one image, whose container does what a test says."""

    def __init__(self):
        super().__init__("/nonexistent")
        self.made, self.removed, self.others = None, 0, []
        self.work = lambda models: (models / "engine.bin").write_text("new")
        self.exit_code, self.ended, self.log = 0, True, []

    def image_id(self, name):
        return IMAGE_ID

    def preparing(self):
        return self.others

    def order(self, method, path, accepted, body=None, **query):
        if path == "/containers/create":
            self.made = body
            return {"Id": "1"}
        self.token = self.read_token()
        (mount,) = [one for one in self.made["HostConfig"]["Mounts"] if one["Target"] == "/models"]
        self.work(Path(mount["Source"]) / "MyPipeline--models")
        return {}

    def read_token(self):
        for mount in self.made["HostConfig"]["Mounts"]:
            if mount["Target"] != "/models":
                return Path(mount["Source"]).read_text(), stat.S_IMODE(os.stat(mount["Source"]).st_mode)
        return None

    def inspect(self, name):
        state = {"status": "exited", "exit_code": self.exit_code, "ended": self.ended, "error": ""}
        return types.SimpleNamespace(**state, killed_for_memory=False)

    def log_since(self, container, since):
        return [(stamp, line) for stamp, line in self.log if stamp > since]

    def log_tail(self, container, lines):
        return [line for _stamp, line in self.log]

    def remove(self, name):
        self.removed += 1


@pytest.fixture
def host(tmp_path):
    params = {
        "name": "my-pipeline",
        "image": "livepeer-pipeline/my-pipeline:1",
        "models": "MyPipeline--models",
        "models_dir": str(tmp_path / "models"),
        "state_dir": str(tmp_path / "state"),
        "gpus": [],
        "gpu_mode": "runtime",
        "architectures": [],
        "env": {},
        "token": TOKEN,
        "size": 0,
        "timeout": 100,
        "progress_interval": 0,
        "docker_socket": "/nonexistent",
        "_controller": None,
    }
    module = types.SimpleNamespace(params=params, check_mode=False)
    engine = Engine()

    def call(told=None, check=False, **changed):
        params.update(changed, _controller=told)
        module.check_mode = check
        models = PipelineModels(module)
        models.prepare = Prepare(engine, params)
        return models.work()

    def run(**changed):
        answer = call(**changed)
        first = answer
        while not answer["finished"]:
            between = {"began": first["began"], "image_id": first["image_id"], "since": answer["since"]}
            answer = call(between)
        return first

    return types.SimpleNamespace(
        call=call, run=run, engine=engine, path=tmp_path, models=tmp_path / "models/MyPipeline--models"
    )


def left(host):
    """Everything that is on the disk."""
    return sorted(str(path.relative_to(host.path)) for path in host.path.rglob("*") if path.is_file())


def test_a_run_makes_models_and_a_record(host):
    first = host.run()
    assert (first["changed"], first["reason"]) == (True, "the models are not there")
    assert left(host) == ["models/MyPipeline--models/engine.bin", "state/prepared.json"]
    assert host.engine.token == (TOKEN, 0o400)
    assert TOKEN not in json.dumps(host.engine.made)
    assert {"PREPARE_MODELS=1", "HF_HUB_OFFLINE=0", "HF_TOKEN_PATH=/run/secrets/hf_token"} <= set(
        host.engine.made["Env"]
    )
    assert "Pipeline-Prepare" in host.engine.made["Labels"]
    assert host.call()["changed"] is False


def test_without_a_token_there_is_no_file(host):
    host.run(token="")
    assert host.engine.token is None
    assert not [one for one in host.engine.made["Env"] if "TOKEN" in one]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda host: host.models.joinpath("engine.bin").unlink() or host.models.rmdir(), "the models are not there"),
        (lambda host: (host.path / "state/prepared.json").unlink(), "there is no record of a run"),
        (lambda host: (host.path / "state/prepared.json").write_text("{"), "there is no record of a run"),
        (
            lambda host: setattr(host.engine, "image_id", lambda name: "sha256:other"),
            "they were prepared by another image",
        ),
    ],
)
def test_what_makes_it_run_again(host, change, reason):
    host.run()
    change(host)
    answer = host.call(check=True)
    assert (answer["changed"], answer["reason"], answer["finished"]) == (True, reason, True)


def test_other_gpus_make_it_run_again(host):
    host.run(architectures=["8.9"], gpus=[0])
    assert host.engine.made["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == ["0"]
    assert host.call(architectures=["8.9", "8.9"])["changed"] is False
    assert host.call(check=True, architectures=["9.0"])["reason"] == "they were prepared for other GPUs"


def test_a_run_begins_with_the_present_models(host):
    host.models.mkdir(parents=True)
    (host.models / "weights").write_text("large")
    host.run()
    assert sorted(path.name for path in host.models.iterdir()) == ["engine.bin", "weights"]


@pytest.fixture
def serving(host):
    host.run()
    (host.models / "engine.bin").write_text("serves")
    (host.path / "state/prepared.json").write_text("{}")
    return host


def still_serves(host):
    assert (host.models / "engine.bin").read_text() == "serves"
    assert left(host) == ["models/MyPipeline--models/engine.bin", "state/prepared.json"]


def test_a_failed_run_leaves_what_serves(serving):
    serving.engine.exit_code = 1
    serving.engine.log = [("2026-01-01T00:00:00.1Z", "torch.OutOfMemoryError: CUDA out of memory.")]
    with pytest.raises(PrepareError, match="the GPU has too little memory.*\n.*CUDA out of memory"):
        serving.run()
    still_serves(serving)


def test_a_run_that_takes_too_long_leaves_what_serves(serving):
    serving.engine.ended = False
    with pytest.raises(PrepareError, match="ended after 0 s; give it longer with prepare_timeout"):
        serving.run(timeout=0)
    still_serves(serving)


def test_a_run_that_empties_the_directory_leaves_what_serves(serving):
    serving.engine.work = lambda models: (models / "engine.bin").unlink()
    with pytest.raises(PrepareError, match="wrote nothing into /models/MyPipeline--models"):
        serving.run()
    still_serves(serving)


def test_a_swap_that_fails_leaves_what_serves(serving, monkeypatch):
    rename = os.rename

    def refuse(source, target):
        if "/new/" in source:
            raise PermissionError(13, "no", source)
        rename(source, target)

    monkeypatch.setattr(_pipeline_prepare.os, "rename", refuse)
    with pytest.raises(PermissionError):
        serving.run()
    assert (serving.models / "engine.bin").read_text() == "serves"


def test_what_a_power_cut_left_is_put_back(serving):
    staging = serving.path / "models/.prepare-my-pipeline"
    staging.mkdir()
    serving.models.rename(staging / "old")
    with pytest.raises(PrepareError, match="is not on this host"):
        serving.engine.image_id = lambda name: ""
        serving.call()
    assert (serving.models / "engine.bin").read_text() == "serves"


@pytest.mark.parametrize("check", [True, False])
def test_one_run_at_a_time(host, check):
    host.engine.others = ["livepeer-prepare-other"]
    with pytest.raises(PrepareError, match="livepeer-prepare-other prepares models .* docker rm -f"):
        host.call(check=check)
    assert host.engine.made is None


@pytest.mark.parametrize("check", [True, False])
def test_a_disk_that_is_too_small_is_refused(host, check):
    with pytest.raises(PrepareError, match="need 1000000000000000000 bytes below .*models, where"):
        host.call(check=check, size=10**18)
    assert left(host) == []


def test_the_image_must_be_there_unless_one_only_looks(host):
    host.engine.image_id = lambda name: ""
    assert host.call(check=True)["changed"] is True
    with pytest.raises(PrepareError, match="is not on this host"):
        host.call()


def test_each_line_is_told_once(host):
    host.engine.ended = False
    host.engine.log = [("2026-01-01T00:00:00.1Z", "one")]
    first = host.call()
    between = {"began": first["began"], "image_id": IMAGE_ID, "since": ""}
    told = host.call(between)
    host.engine.log.append(("2026-01-01T00:00:00.2Z", "two"))
    again = host.call({**between, "since": told["since"]})
    assert (told["lines"], again["lines"]) == (["one"], ["two"])
