"""The stream: server-sent events. Each has the id of its event, so that a reader who lost the connection goes on where it was.

With `service` or `rollout` it carries a `status` message about once a second too: one connection is enough to watch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from threading import Event as ThreadEvent
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from tidegate.api.arguments import LARGEST_ID, After, OfRollout, OfService
from tidegate.api.needs import ApiServices, Closing, Services
from tidegate.api.openapi import described
from tidegate.api.present import present
from tidegate.api.shared import ReadOnce, Shared
from tidegate.core.errors import TidegateError
from tidegate.ports import Event

router = APIRouter(tags=["events"])

PAUSE = 0.25
"""Seconds between two looks for new events."""
STATUS_EVERY = 4
"""Looks between two status messages."""
HEARTBEAT_EVERY = 40
AT_ONCE = 500

LastEventId = Annotated[str | None, Header(max_length=20, description="Goes on after this event.")]


@router.get("/stream", **described(str, media="text/event-stream"))
async def stream(
    *,
    services: Services,
    shared: ReadOnce,
    closing: Closing,
    service: OfService = None,
    rollout: OfRollout = None,
    after: After | None = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Messages `event` from now on, or after the event that is given; `status` with the rollout that is named, or the
    latest one of the service; `problem` when something could not be read; and heartbeats as comments."""
    wanted = Wanted(services, shared, service, rollout)
    begin = _resumed(last_event_id, after)
    if begin is None:
        begin = await wanted.newest()
    messages = _messages(wanted, closing, begin)
    return StreamingResponse(messages, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _resumed(last_event_id: str | None, after: int | None) -> int | None:
    if last_event_id and last_event_id.isascii() and last_event_id.isdigit() and int(last_event_id) <= LARGEST_ID:
        return int(last_event_id)
    return after


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one reader wants to hear of."""

    services: ApiServices
    shared: Shared
    service: str | None
    rollout: str | None

    async def newest(self) -> int:
        """The id of the newest event of all."""
        return int(await self.shared.read("newest", self._newest, PAUSE))

    async def events(self, after: int) -> Sequence[Event]:
        if await self.newest() <= after:
            return ()
        found: Sequence[Event] = await run_in_threadpool(self._events, after)
        return found

    async def status(self) -> str:
        """The message that tells how the rollout stands; read once for everybody who wants the same."""
        return str(await self.shared.read((self.service, self.rollout), self._status, PAUSE))

    def _newest(self) -> int:
        newest = self.services.glance.events(limit=1, last=True)
        return newest[-1].id if newest else 0

    def _events(self, after: int) -> Sequence[Event]:
        return self.services.glance.events(after=after, service=self.service, rollout=self.rollout, limit=AT_ONCE)

    def _status(self) -> str:
        if self.rollout:
            return _message("status", present(self.services.glance.rollout(self.rollout)))
        latest = self.services.glance.history(self.service, 1)
        return _message("status", present(latest[0]) if latest else None)


async def _messages(wanted: Wanted, closing: ThreadEvent, after: int) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    look = 0
    while not closing.is_set():
        try:
            for event in await wanted.events(after):
                yield _message("event", present(event), event.id)
                after = event.id
            if look % STATUS_EVERY == 0 and (wanted.service or wanted.rollout):
                yield await wanted.status()
        except TidegateError as error:
            # The stream goes on: next time it may work.
            yield _message("problem", {"detail": error.what, "mend": error.mend})
        if look % STATUS_EVERY == 0:
            for problem in wanted.services.health().problems:
                yield _message("problem", {"detail": problem, "mend": "Look for it: tidegate doctor."})
        if look % HEARTBEAT_EVERY == 0:
            yield ": still here\n\n"
        look += 1
        await asyncio.sleep(PAUSE)


def _message(kind: str, content: Any, id_: int | None = None) -> str:
    said = f"event: {kind}\ndata: {json.dumps(content)}\n\n"
    return said if id_ is None else f"id: {id_}\n{said}"
