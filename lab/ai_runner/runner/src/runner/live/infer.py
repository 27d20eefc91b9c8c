# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inner process: `python -m runner.live.infer --pipeline JSON --http-port 8888`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from .guardian import Guardian
from .pipelines import PipelineSpec
from .stream import Stream


class StartStreamParams(BaseModel):
    subscribe_url: str
    publish_url: str
    control_url: str = ""
    events_url: str = ""
    params: dict[str, Any] = {}
    request_id: str = ""
    manifest_id: str = ""
    stream_id: str = ""


class Api:
    """Three routes, asked by the outer process only."""

    def __init__(self, guardian: Guardian) -> None:
        self.guardian = guardian

    async def start(self, request: web.Request) -> web.Response:
        try:
            await self.guardian.stop_stream()
            asked = StartStreamParams(**await request.json())
            await self.guardian.start_stream(Stream(asked, self.guardian))
        except Exception as error:
            logging.exception("The stream did not start")
            return web.Response(text=f"The stream did not start: {error}", status=400)
        return web.Response(text="The stream started")

    async def params(self, request: web.Request) -> web.Response:
        try:
            self.guardian.update_params(await request.json())
        except Exception as error:
            return web.Response(text=f"The parameters were not taken: {error}", status=400)
        return web.Response(text="The parameters are taken")

    async def status(self, request: web.Request) -> web.Response:
        return web.json_response(self.guardian.status())


async def serve(spec: PipelineSpec, port: int) -> None:
    guardian = Guardian(spec)
    guardian.start()
    api = Api(guardian)
    app = web.Application()
    app.router.add_post("/api/live-video-to-video", api.start)
    app.router.add_post("/api/params", api.params)
    app.router.add_get("/api/status", api.status)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
        await guardian.look()
    # The outer process is gone, and nobody will ask again.
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--http-port", type=int, default=8888)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="timestamp=%(asctime)s level=%(levelname)s message=%(message)s")
    asyncio.run(serve(PipelineSpec.model_validate_json(arguments.pipeline), arguments.http_port))


if __name__ == "__main__":
    main()
