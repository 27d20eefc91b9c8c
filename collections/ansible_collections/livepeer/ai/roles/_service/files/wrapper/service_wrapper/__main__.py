# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m service_wrapper`: what the image starts."""

from __future__ import annotations

import logging
import os
import signal
import sys

import uvicorn

from . import settings
from .errors import SettingsError
from .server import create_app

# go-livepeer keeps a connection for 60 s and sends the next job over it. If we had closed it just then, the job would
# fail and the node would drop the capability; so it has to be the one that closes.
KEEP_ALIVE_SECONDS = 75


class HealthIsQuiet(logging.Filter):
    """Somebody asks every few seconds; an answer of 200 is no news."""

    def filter(self, record: logging.LogRecord) -> bool:
        path, status = record.args[2], record.args[4]
        return not (path == "/health" and status == 200)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s", stream=sys.stdout)
    try:
        chosen = settings.read(os.environ)
    except SettingsError as error:
        print(f"service_wrapper: {error}", file=sys.stderr)
        return 2
    logging.getLogger("uvicorn.access").addFilter(HealthIsQuiet())
    config = uvicorn.Config(
        create_app(chosen),
        host=chosen.host,
        port=chosen.port,
        # Lets the engineer's loggers and ours speak through one handler.
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=chosen.stop_timeout,
    )
    server = uvicorn.Server(config)
    # uvicorn raises the signal that stopped it once more when it is through; an orderly end shall be status 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Requests that had their time are over; a thread that still computes for nobody must not hold up the end.
    os._exit(code)
