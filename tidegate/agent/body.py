"""Bodies of requests: whole, not too large, and not waited for for ever.

One look a second finds those that are late: a timer for each request would cost more than most answers do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from tidegate.agent.answer import Answer, Receive, refuse

MOST_BODY = 1024 * 1024
BODY_WITHIN = 10.0
"""Seconds in which a request's body has to arrive, and up to a tenth more."""

RawHeaders = Iterable[tuple[bytes, bytes]]


class Bodies:
    def __init__(self, within: float = BODY_WITHIN) -> None:
        self._within = within
        self._waiting: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._looks = False

    async def read(self, receive: Receive, headers: RawHeaders) -> bytes | Answer:
        """The body, or why there is none."""
        for name, value in headers:
            if name == b"content-length" and value.isdigit() and int(value[:20]) > MOST_BODY:
                return _too_large()
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._waiting[task] = loop.time() + self._within
        if not self._looks:
            self._looks = True
            loop.call_later(self._within / 10, self._look, loop)
        try:
            return await _whole(receive)
        except asyncio.CancelledError:
            if task not in self._late or task.uncancel():
                raise
            return refuse(408, f"The body did not arrive within {self._within:g} s.", "Send it at once.")
        finally:
            del self._waiting[task]
            self._late.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, deadline in self._waiting.items():
            if deadline < now and task not in self._late:
                self._late.add(task)
                task.cancel()
        self._looks = bool(self._waiting)
        if self._looks:
            loop.call_later(self._within / 10, self._look, loop)


async def _whole(receive: Receive) -> bytes | Answer:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        first: bytes = message.get("body", b"")
        return first if len(first) <= MOST_BODY else _too_large()
    body = bytearray()
    while True:
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            return _too_large()
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(body)
        message = await receive()


def _too_large() -> Answer:
    return refuse(413, f"The body has more than {MOST_BODY:,} bytes.", "Send less; a context is small.")
