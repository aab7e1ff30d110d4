"""What several streams ask at the same moment is read once: fifty watchers cost little more than one."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

MOST_KEPT = 200


class Shared:
    """Lives in the event loop of the doors. Errors are not kept: whoever asks next reads again."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._reading: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def read(self, key: Hashable, read: Callable[[], Any], fresh: float) -> Any:
        """What `read` gives, or what it gave to somebody within the last `fresh` seconds."""
        async with self._reading[key]:
            at, value = self._kept.get(key, (float("-inf"), None))
            if time.monotonic() - at < fresh:
                return value
            value = await run_in_threadpool(read)
            if len(self._kept) >= MOST_KEPT:
                self._forget()
            self._kept[key] = (time.monotonic(), value)
            return value

    def _forget(self) -> None:
        self._kept.clear()
        for key in [key for key, lock in self._reading.items() if not lock.locked()]:
            del self._reading[key]


def shared_of(request: Request) -> Shared:
    shared: Shared = request.app.state.shared
    return shared


ReadOnce = Annotated[Shared, Depends(shared_of)]
