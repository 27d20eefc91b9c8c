# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engineer's code: found, checked and loaded in the background."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from .settings import Settings

log = logging.getLogger("service_wrapper")

LOADING, READY, ERROR = "loading", "ready", "error"


def import_service(folder: Path) -> ModuleType:
    """service.py of the folder; modules beside it can be imported by it."""
    path = folder / "service.py"
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("service", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["service"] = module
    spec.loader.exec_module(module)
    for name in ("load", "infer"):
        if not callable(getattr(module, name, None)):
            raise TypeError(f"service.py has no function {name}")
    for name in ("load", "infer", "infer_stream"):
        function = getattr(module, name, None)
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{name} in service.py is async; it runs in a thread of its own and must be a plain function"
            )
    return module


class Model:
    """What `load` returned, and how far it is."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.status = LOADING
        self._reason = ""
        self._service: ModuleType | None = None
        self._state: Any = None
        self._begin = time.monotonic()

    def start(self) -> None:
        """Load in a thread that does not keep the process from ending."""
        threading.Thread(target=self._load, name="load", daemon=True).start()

    def _load(self) -> None:
        settings = self.settings
        try:
            self._service = import_service(settings.service_dir)
            self._state = self._service.load(settings.model_dir, settings.model_id, settings.model_revision)
        # Whatever ends the loading, an exit included, must be readable at /health.
        except BaseException as error:
            log.exception("loading failed")
            self._reason = f"{type(error).__name__}: {error}"
            self.status = ERROR
        else:
            self.status = READY
            log.info("ready after %.1f s", time.monotonic() - self._begin)

    @property
    def reason(self) -> str:
        """Why it is not ready, in a sentence."""
        if self.status == LOADING:
            what = self.settings.model_id or "the service"
            return f"loading {what} for {time.monotonic() - self._begin:.0f} s"
        return self._reason

    def infer(self, request: dict[str, Any]) -> Any:
        return self._service.infer(self._state, request)

    def infer_stream(self, request: dict[str, Any]) -> Iterator[Any]:
        """The engineer's generator, or the one answer of `infer` where there is none."""
        stream = getattr(self._service, "infer_stream", None)
        if stream is None:
            yield self.infer(request)
        else:
            yield from stream(self._state, request)
