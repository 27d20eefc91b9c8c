# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start-up: load the model, then open the port. Whoever waits for the port waits for the model."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
import traceback

from .pipelines import load_pipeline
from .routes import Application
from .server import Server
from .settings import Settings

log = logging.getLogger(__name__)
uvicorn_log = logging.getLogger("uvicorn.error")

LOG_FORMAT = (
    "timestamp=%(asctime)s level=%(levelname)s location=%(filename)s:%(lineno)d:%(funcName)s "
    "gateway_request_id= manifest_id= stream_id= message=%(message)s"
)
UVICORN_FORMAT = "%(asctime)s %(levelname)s:     %(message)s"
# What uvicorn exits with when the application's own start-up fails after the import.
STARTUP_FAILED = 3
# uvicorn raises the signal again once it has shut down.
TERMINATED = 128 + signal.SIGTERM
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def main() -> int:
    settings = Settings.from_environment()
    set_up_logging(settings.verbose)
    # As process 1 of a container, a signal without a handler would be ignored.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    log.info("Runner version: %s", settings.version)
    if not settings.pipeline or not settings.model_id:
        return no_pipeline()
    try:
        application = load(settings)
    except Exception:
        # The last lines are all that an operator sees of a container that is gone.
        traceback.print_exc()
        return 1
    return serve(settings, application)


def load(settings: Settings) -> Application:
    if not settings.hub_offline:
        log.info("This stand-in never downloads; the real runner would ask the Hub for what is missing")
    started = time.monotonic()
    pipeline = load_pipeline(settings)
    time.sleep(settings.load_seconds)
    size = sum(file.bytes for file in pipeline.weights)
    log.info("Read %d weight files, %d bytes, in %.1f s", len(pipeline.weights), size, time.monotonic() - started)
    if settings.gpus:
        log.info("CUDA devices available: %s", settings.gpus)
    else:
        log.info("No CUDA devices available.")
    log.info("Started up with pipeline=%s model_id=%s", type(pipeline).__name__, pipeline.model_id)
    return Application(settings, pipeline)


def no_pipeline() -> int:
    message = "Pipeline must be provided or set through the PIPELINE and MODEL_ID environment variables"
    uvicorn_log.error("Traceback (most recent call last):\nOSError: %s", message)
    uvicorn_log.error("Application startup failed. Exiting.")
    return STARTUP_FAILED


def serve(settings: Settings, application: Application) -> int:
    # Blocked here, before any thread exists, so that the wait below is the one place that takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        server = Server((settings.host, settings.port), application)
    except OSError as error:
        uvicorn_log.error("[Errno %s] error while attempting to bind on address %s", error.errno, error.strerror)
        return 1
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    uvicorn_log.info("Uvicorn running on http://%s:%d (Press CTRL+C to quit)", *server.server_address[:2])
    received = signal.sigwait(STOP_SIGNALS)
    uvicorn_log.info("Shutting down")
    server.shutdown()
    server.loop.wait_for_turn()  # a job on the loop is finished first, as in the real server
    return TERMINATED if received == signal.SIGTERM else 0


def set_up_logging(verbose: bool) -> None:
    root = logging.StreamHandler()
    root.setFormatter(logging.Formatter(LOG_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[root])
    server = logging.StreamHandler()
    server.setFormatter(logging.Formatter(UVICORN_FORMAT))
    for name in ("uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.addHandler(server)
        logger.propagate = False
