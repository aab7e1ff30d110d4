"""The stream: server-sent events. Each has the id of its event, so that a reader who lost the connection goes on where it was.

With `service` or `rollout` it carries a `status` message about once a second too: one connection is enough to watch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from threading import Event as ThreadEvent
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from tidegate.api.arguments import LARGEST_ID, After, OfRollout, OfService
from tidegate.api.needs import ApiServices, Closing, Services
from tidegate.api.openapi import described
from tidegate.api.present import present
from tidegate.core.errors import NotFound, TidegateError
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
    closing: Closing,
    service: OfService = None,
    rollout: OfRollout = None,
    after: After | None = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Messages `event` from now on, or after the event that is given; `status` with the rollout that is named, or the
    latest one of the service; `problem` when something could not be read; and heartbeats as comments."""
    begin = _resumed(last_event_id, after)
    if begin is None:
        begin = await run_in_threadpool(_newest, services)
    messages = _messages(services, closing, service=service, rollout=rollout, after=begin)
    return StreamingResponse(messages, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _resumed(last_event_id: str | None, after: int | None) -> int | None:
    if last_event_id and last_event_id.isascii() and last_event_id.isdigit() and int(last_event_id) <= LARGEST_ID:
        return int(last_event_id)
    return after


def _newest(services: ApiServices) -> int:
    newest = services.glance.events(limit=1, last=True)
    return newest[-1].id if newest else 0


async def _messages(
    services: ApiServices, closing: ThreadEvent, *, service: str | None, rollout: str | None, after: int
) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    look = 0
    while not closing.is_set():
        events = await _tried(partial(_events, services, service, rollout, after))
        if isinstance(events, str):
            yield events
        else:
            for event in events:
                yield _message("event", present(event), event.id)
                after = event.id
        if look % STATUS_EVERY == 0 and (service or rollout):
            yield await _tried(partial(_status, services, service, rollout))
            for problem in services.health().problems:
                yield _message("problem", {"detail": problem, "mend": "Look for it: tidegate doctor."})
        if look % HEARTBEAT_EVERY == 0:
            yield ": still here\n\n"
        look += 1
        await asyncio.sleep(PAUSE)


async def _tried(read: Callable[[], Any]) -> Any:
    """What was read, or the message that tells why not. The stream goes on: next time it may work."""
    try:
        return await run_in_threadpool(read)
    except TidegateError as error:
        return _message("problem", {"detail": error.what, "mend": error.mend})


def _events(services: ApiServices, service: str | None, rollout: str | None, after: int) -> Sequence[Event]:
    return services.glance.events(after=after, service=service, rollout=rollout, limit=AT_ONCE)


def _status(services: ApiServices, service: str | None, rollout: str | None) -> str:
    if rollout:
        return _message("status", present(services.glance.rollout(rollout)))
    try:
        latest = services.glance.history(service, 1)
    except NotFound:
        latest = []
    return _message("status", present(latest[0]) if latest else None)


def _message(kind: str, content: Any, id_: int | None = None) -> str:
    said = f"event: {kind}\ndata: {json.dumps(content)}\n\n"
    return said if id_ is None else f"id: {id_}\n{said}"
