# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An own pipeline from start to a picture, and what goes wrong with wrong ones."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

GOOD = """
import asyncio
import time
from pathlib import Path
import os
from runner.live.pipelines import Pipeline
from runner.live.trickle import VideoOutput

class Own(Pipeline):
    def __init__(self):
        self.queue = asyncio.Queue()

    async def initialize(self, **params):
        time.sleep(1)

    async def put_video_frame(self, frame, request_id):
        await self.queue.put(VideoOutput(frame.replace_tensor(1.0 - frame.tensor), request_id))

    async def get_processed_video_frame(self):
        return await self.queue.get()

    async def update_params(self, **params):
        return None

    @classmethod
    def prepare_models(cls):
        target = Path(os.environ["MODEL_DIR"]) / "Own--models"
        target.mkdir(parents=True)
        (target / "weights").write_text("prepared")
"""


def inverted(came, sent) -> bool:
    """To one step: the runner cuts fractions off, as the real one does."""
    return len(came.pixels) == len(sent.pixels) and all(
        0 <= 255 - there - here <= 1 for here, there in zip(came.pixels, sent.pixels, strict=True)
    )


@pytest.fixture
def frames(packages):
    return importlib.import_module("frames")


def test_health_goes_from_loading_over_idle_to_ok_and_a_picture_comes_through(run, frames) -> None:
    running = run(GOOD, VERSION="1.2.3")
    seen = running.until("IDLE")
    assert "LOADING" in seen
    assert "ERROR" not in seen
    sent = [frames.gradient(), frames.gradient(blue=7)]
    came = frames.pass_frames(running.url, sent, model_id="own")
    assert [inverted(*pair) for pair in zip(came, sent, strict=True)] == [True, True]
    assert running.get("/health") == (200, {"status": "OK"})
    assert running.get("/version") == (
        200,
        {"pipeline": "live-video-to-video", "model_id": "own", "version": "1.2.3"},
    )
    assert running.get("/hardware/info")[1]["gpu_info"] == {}
    running.until("IDLE")


def test_another_model_is_refused(run, frames) -> None:
    running = run(GOOD)
    running.until("IDLE")
    with pytest.raises(RuntimeError, match=r"answers 400.*configured with own but called with other"):
        frames.pass_frames(running.url, [frames.gradient()], model_id="other")


@pytest.mark.parametrize(
    ("how", "arguments", "environment"),
    [("variable", (), {"PREPARE_MODELS": "1"}), ("argument", ("--prepare-models",), {})],
    ids=["variable", "argument"],
)
def test_preparing_writes_the_models_and_ends(run, tmp_path: Path, how, arguments, environment) -> None:
    running = run(GOOD, *arguments, **environment)
    assert running.process.wait(30) == 0
    assert (tmp_path / "models/Own--models/weights").read_text() == "prepared"


def test_a_failed_preparation_is_an_exit_status(run) -> None:
    running = run(GOOD.replace('"prepared"', "1 / 0"), PREPARE_MODELS="1")
    assert running.process.wait(30) == 1


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (GOOD.replace("async def initialize", "async def initialise"), "initialize"),
        (GOOD.replace("def __init__(self)", "def __init__(self, name)"), "__init__"),
        (GOOD.replace("time.sleep(1)", "raise RuntimeError('no weights')"), "no weights"),
    ],
    ids=["abstract", "arguments", "load"],
)
def test_what_does_not_load_ends_in_error(run, broken: str, said: str) -> None:
    running = run(broken)
    assert "IDLE" not in running.until("ERROR")
    assert said in running.log.read_text()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (GOOD.replace("frame, request_id):", "frame):"), "takes 2 positional arguments but 3 were given"),
        (GOOD.replace("frame.tensor), request_id", "frame.tensor), 'other'"), "this is another stream"),
        (GOOD.replace("1.0 - frame.tensor", "frame.tensor[0]"), "has the shape"),
    ],
    ids=["signature", "request", "shape"],
)
def test_a_wrong_pipeline_gives_no_picture(run, frames, broken: str, said: str) -> None:
    running = run(broken)
    running.until("IDLE")
    with pytest.raises(TimeoutError):
        frames.pass_frames(running.url, [frames.gradient()], timeout=3)
    assert said in running.log.read_text()


def test_a_slow_import_of_the_parameters_is_refused(run, tmp_path: Path) -> None:
    (tmp_path / "params.py").write_text(
        "import time\nfrom runner.live.pipelines import BaseParams\ntime.sleep(0.7)\nclass P(BaseParams): pass\n"
    )
    running = run(GOOD, params="params:P")
    running.until("IDLE")
    assert "Importing the parameters took" in running.log.read_text()


def test_the_name_is_the_class_without_pipeline(packages) -> None:
    spec = importlib.import_module("runner.live.pipelines").PipelineSpec
    assert spec(pipeline_cls="a.b:SepiaPipeline").name == "sepia"
    assert spec(name="my-own", pipeline_cls="a.b:SepiaPipeline").name == "my-own"


def test_values_outside_the_range_wrap_around(packages) -> None:
    trickle = importlib.import_module("runner.live.trickle")
    picture = importlib.import_module("runner.live.trickle.picture")
    torch = importlib.import_module("torch")
    tensor = torch.tensor([[[[-1.0, 0.5, 1.0]]]])
    output = trickle.VideoOutput(trickle.VideoFrame(tensor, 0, picture.TIME_BASE))
    assert picture.encode(output)[-3:] == bytes((1, 127, 255))
