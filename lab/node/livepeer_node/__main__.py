# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `livepeer`: settings, then the node, then the signals that end it (facts 1.2, 1.3)."""

from __future__ import annotations

import json
import os
import platform
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from . import flags, log, tables
from .settings import ConfigError, Settings
from .starter import Starter
from .worker import Timing

PROGRAM = "livepeer"
_SIGNALS = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupt"}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def main(arguments: Sequence[str], environment: Mapping[str, str], timing: Timing | None = None) -> int:
    """The exit status."""
    try:
        settings = Settings.parse(arguments, environment)
    except flags.UsageError as error:
        print(*filter(None, (error.text, flags.usage(sys.argv[0]))), sep="\n")
        return error.code
    except ConfigError as error:
        return _end(log.fatal, f"Error parsing config: {error}")
    log.set_verbosity(settings["v"])
    if settings["j"]:
        print(json.dumps(_description()))
        return 0
    print(settings.table(), flush=True)
    if settings["version"]:
        print(_version())
        return 0
    return _run(Starter(settings, environment, timing), (timing or Timing()).graceful)


def _version() -> str:
    return "\n".join(
        (
            f"Livepeer Node Version: {tables.VERSION}",
            f"Golang runtime version: {tables.GO_RUNTIME}",
            f"Architecture: {_ARCHITECTURES.get(platform.machine(), platform.machine())}",
            "Operating system: linux",
        )
    )


def _description() -> dict:
    """-j: what the Mist controller reads."""
    return {
        "name": PROGRAM,
        "version": tables.VERSION,
        "optional": {flag.name: {"option": f"-{flag.name}", "type": flag.kind} for flag in flags.FLAGS},
    }


def _end(action: Callable, *arguments: str) -> int:
    """The status with which `action` ends the process; 0 when it just returns."""
    try:
        action(*arguments)
    except log.Exit as leaving:
        return leaving.code
    return 0


def _run(starter: Starter, graceful: float) -> int:
    """Run the node in a thread, so that a signal is heard wherever its start-up is."""
    # A SimpleQueue may be filled from a signal handler, which an Event may not.
    events: queue.SimpleQueue = queue.SimpleQueue()
    for number in _SIGNALS:
        signal.signal(number, lambda received, _frame: events.put(("signal", received)))
    threading.Thread(target=lambda: events.put(("ended", _guarded(starter))), daemon=True).start()
    what, value = _next(events)
    if what == "signal":
        log.info(f"Exiting Livepeer: {_SIGNALS[value]}")
        starter.cancel()
        value = _outcome(events, graceful)
    if value == 0:
        log.info("Graceful shutdown complete")
    return value


def _next(events: queue.SimpleQueue) -> tuple:
    """The first event. Python's handler runs in this thread only, and not while it waits: if the kernel gave the signal
    to another thread, nothing would wake it, so it wakes by itself."""
    while True:
        try:
            return events.get(timeout=0.2)
        except queue.Empty:
            continue


def _outcome(events: queue.SimpleQueue, graceful: float) -> int:
    """The node's status after a signal; further signals change nothing, as upstream hears only the first."""
    try:
        while True:
            what, value = events.get(timeout=graceful)
            if what == "ended":
                return value
    except queue.Empty:
        log.info("Shutdown timed out, forcing exit")
        return 1


def _guarded(starter: Starter) -> int:
    """The node's exit status; a fault of this stand-in itself must not look like one of the real node's."""
    try:
        return _end(starter.run)
    except Exception:
        sys.excepthook(*sys.exc_info())
        return 70


if __name__ == "__main__":
    status = main(sys.argv[1:], os.environ)
    sys.stdout.flush()
    # The servers' threads hold nothing worth waiting for.
    os._exit(status)
