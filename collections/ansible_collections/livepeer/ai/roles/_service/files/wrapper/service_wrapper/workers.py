# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inference off the event loop: so many at a time, so many waiting, and no more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from .errors import ClientGone, Overloaded

T = TypeVar("T")
# Pieces of a stream that are computed ahead of a slow reader.
STREAM_BUFFER = 16


class Workers:
    """A bounded pool of threads. A place is taken until the work itself ends, whether or not somebody still waits."""

    def __init__(self, concurrency: int, queue: int) -> None:
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="infer")
        self._places = concurrency + queue
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        return self._taken

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Start or queue the work, unless all places are taken."""
        with self._lock:
            if self._taken >= self._places:
                raise Overloaded(f"{self._taken} requests run or wait, which is all this service takes")
            self._taken += 1
        future = self._pool.submit(_contained, work)
        # The first of its callbacks: whoever hears of the end finds the place free.
        future.add_done_callback(self._release)
        return future

    def _release(self, _future: Future) -> None:
        with self._lock:
            self._taken -= 1

    async def run(self, work: Callable[[], T], client_gone: Coroutine[Any, Any, None]) -> T:
        """The result of the work; work that still waits for its turn when its client goes away is not begun."""
        try:
            future = asyncio.wrap_future(self.submit(work))
        except Overloaded:
            client_gone.close()
            raise
        watch = asyncio.ensure_future(client_gone)
        await asyncio.wait({future, watch}, return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        if not future.done():
            # Work that has begun goes on, in its place, for nobody.
            future.cancel()
            raise ClientGone
        return future.result()

    def stream(self, pieces: Callable[[], Iterator[str]]) -> AsyncIterator[str]:
        """The pieces as they are made; the work stops at the next piece when nobody reads on."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue = asyncio.Queue(STREAM_BUFFER)
        abandoned = threading.Event()

        def hand_over(item: str | BaseException | None) -> Future:
            return asyncio.run_coroutine_threadsafe(queue.put(item), loop)

        def work() -> None:
            for piece in pieces():
                if abandoned.is_set():
                    return
                # Waiting here is what keeps the work from running far ahead of the reader.
                hand_over(piece).result()

        # It may be called at once and in this thread, so it must not wait.
        self.submit(work).add_done_callback(lambda future: hand_over(future.exception()))
        return _read(queue, abandoned)


def _contained(work: Callable[[], T]) -> T:
    """Run the work; what asyncio cannot carry (StopIteration) or what ends the process becomes an ordinary error."""
    try:
        return work()
    except StopIteration as error:
        raise RuntimeError("StopIteration: next() found nothing") from error
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


async def _read(queue: asyncio.Queue, abandoned: threading.Event) -> AsyncIterator[str]:
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        abandoned.set()
        # The thread may wait for room for one piece, and then for one more.
        while not queue.empty():
            queue.get_nowait()
