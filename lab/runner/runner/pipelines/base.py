# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all pipelines share: loading, the order of a request's checks, and the mapping of failures to answers."""

from __future__ import annotations

import base64
import io
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from PIL import Image, ImageFile

from ..errors import OutOfMemoryError
from ..forms import Upload
from ..hubcache import HubCache
from ..schema import Field
from ..settings import Settings
from ..weights import WeightFile

log = logging.getLogger(__name__)

# More pixels than any card these models run on has memory for.
MOST_PIXELS = 4096 * 4096


class Pipeline(ABC):
    """One model, loaded at construction. `prepare`, `infer` and `present` are the three legs of a request.

    As in the real routes, only a failure of `infer` is turned into a JSON answer; one in the other two is a bare 500.
    """

    name: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    takes_form: ClassVar[bool] = True
    # How the route names itself in log lines and answers.
    log_name: ClassVar[str]
    failure: ClassVar[str]
    out_of_memory: ClassVar[str] = "GPU out of memory."
    # Two routes leave the dot off some of their messages.
    bearer_message: ClassVar[str] = "Invalid bearer token."
    mismatch_end: ClassVar[str] = "."
    model_field: ClassVar[str] = "model_id"
    # Whether the model is called on the event loop itself, so that nothing else is answered meanwhile.
    blocks_event_loop: ClassVar[bool] = True
    # Whether a cut-off picture is taken as far as it goes (most routes say so to Pillow), or refused.
    tolerates_truncated_images: ClassVar[bool] = True
    # The answer to bytes that open as media but do not decode, where a route foresees that.
    unsupported: ClassVar[str] = ""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model_id = settings.model_id
        self.cache = HubCache(settings.model_dir)
        self.weights: list[WeightFile] = []
        self._inferences = 0
        self._counting = threading.Lock()
        ImageFile.LOAD_TRUNCATED_IMAGES = self.tolerates_truncated_images
        self.load()

    @abstractmethod
    def load(self) -> None:
        """Read everything the model needs, or raise."""

    def missing_input(self, values: dict[str, Any]) -> str | None:
        """What the caller left empty; two routes look at this before they look at the token."""
        return None

    def prepare(self, values: dict[str, Any]) -> Any:
        return values

    @abstractmethod
    def infer(self, job: Any) -> Any: ...

    def present(self, result: Any) -> dict:
        return result

    def work(self) -> None:
        """Spend what an inference costs: time, and memory that may run out (stand-in switches)."""
        time.sleep(self.settings.inference_seconds)
        with self._counting:
            self._inferences += 1
            exhausted = self.settings.out_of_memory_after is not None and (
                self._inferences > self.settings.out_of_memory_after
            )
        if exhausted:
            raise out_of_memory_error()

    def keep(self, files: Iterable[WeightFile]) -> None:
        for file in files:
            log.debug("Loaded %s (%d bytes, %d tensors)", file.path, file.bytes, len(file.tensors))
            self.weights.append(file)


def out_of_memory_error() -> OutOfMemoryError:
    return OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has no free memory left.")


def check_memory(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise out_of_memory_error()


def open_image(upload: Upload) -> Image.Image:
    return Image.open(io.BytesIO(upload.data)).convert("RGB")


def image_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="png", compress_level=3)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
