# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trickle channel's two ends: segments numbered from 0, one HTTP request for each."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType

import aiohttp

ATTEMPTS = 5
PAUSE = 0.5
# "The newest there is", as the channel's server reads a negative number.
NEWEST = -2
NOTHING_YET = 470


class _Channel:
    """One end, with its HTTP session."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False))

    async def __aenter__(self):
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self.session.close()


class TrickleSubscriber(_Channel):
    """The reading end."""

    def __init__(self, url: str, start_seq: int = NEWEST) -> None:
        super().__init__(url)
        self.index = start_seq

    async def next(self) -> bytes | None:
        """The next segment's content; None when the channel is closed, gone or out of reach."""
        for _attempt in range(ATTEMPTS):
            try:
                async with self.session.get(f"{self.url}/{self.index}") as answer:
                    if answer.status == 200:
                        if "Lp-Trickle-Closed" in answer.headers:
                            return None
                        content = await answer.read()
                        self.index = int(answer.headers.get("Lp-Trickle-Seq", self.index)) + 1
                        return content
                    if answer.status == 404:
                        return None
                    if answer.status == NOTHING_YET:
                        self.index = int(answer.headers.get("Lp-Trickle-Latest", "-1"))
                        continue
                    logging.error("Trickle: GET %s/%s gave %s", self.url, self.index, answer.status)
            except aiohttp.ClientError as error:
                logging.error("Trickle: GET %s/%s: %s", self.url, self.index, error)
            await asyncio.sleep(PAUSE)
        return None


class TricklePublisher(_Channel):
    """The writing end; closing it removes the channel."""

    def __init__(self, url: str, mime_type: str) -> None:
        super().__init__(url)
        self.mime_type = mime_type
        self.index = 0

    async def publish(self, content: bytes) -> None:
        place = f"{self.url}/{self.index}"
        self.index += 1
        async with self.session.post(place, data=content, headers={"Content-Type": self.mime_type}) as answer:
            if answer.status != 200:
                logging.error("Trickle: POST %s gave %s", place, answer.status)

    async def close(self) -> None:
        try:
            async with self.session.delete(self.url):
                pass
        except aiohttp.ClientError as error:
            logging.error("Trickle: DELETE %s: %s", self.url, error)
        await super().close()
