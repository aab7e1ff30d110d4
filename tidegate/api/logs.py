"""Logs: what tasks say. They may hold secrets, so that over TCP they want the token."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from threading import Event
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from tidegate.api.answers import Line
from tidegate.api.arguments import OfTask, OfVersion, ServiceName
from tidegate.api.needs import Closing, LogLine, Services
from tidegate.api.openapi import described
from tidegate.api.peer import trusted
from tidegate.api.present import answer

router = APIRouter(tags=["logs"])

Lines = Annotated[int, Query(ge=0, le=10_000, description="Of each task.")]
Follow = Annotated[bool, Query(description="Go on with every new line, one JSON document a line.")]
STILL_HERE = 25
"""Silent looks between two empty lines."""


@router.get("/services/{service}/logs", dependencies=[Depends(trusted)], **described(list[Line]))
def logs(
    *,
    service: ServiceName,
    request: Request,
    services: Services,
    closing: Closing,
    version: OfVersion = None,
    task: OfTask = None,
    lines: Lines = 200,
    follow: Follow = False,
) -> Response:
    """The last lines of each task, and with `follow` all that come."""
    services.glance.service(service)
    if follow:
        found = services.follow_logs(service, version, task, lines)
        return StreamingResponse(
            _lines(found, closing, request.app.state.log_threads),
            media_type="application/jsonl",
            headers={"Cache-Control": "no-store"},
        )
    return answer([_line(line) for line in services.read_logs(service, version, task, lines)])


async def _lines(found: Iterator[LogLine | None], closing: Event, threads: CapacityLimiter) -> AsyncIterator[str]:
    silent = 0
    while not closing.is_set():
        line = await to_thread.run_sync(next, found, None, limiter=threads)
        silent = 0 if line else silent + 1
        if line is not None:
            yield json.dumps(_line(line)) + "\n"
        elif silent % STILL_HERE == 1:
            yield "\n"


def _line(line: LogLine) -> dict[str, str]:
    return {"task": line.task, "text": line.text}
