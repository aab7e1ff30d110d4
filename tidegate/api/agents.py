"""What agents ask: the snapshot, the stream of its changes; and what they report."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response, StreamingResponse

from tidegate.api.arguments import ApplicationName, EnvironmentName
from tidegate.api.flag_stream import FlagStreams
from tidegate.api.needs import Closing, Services
from tidegate.api.openapi import described
from tidegate.api.peer import trusted
from tidegate.api.reports import take
from tidegate.core.environment import subject_of
from tidegate.core.errors import NotFound
from tidegate.core.flags.agent_report import ReportFile

router = APIRouter(tags=["agents"])

IfNoneMatch = Annotated[str | None, Header(max_length=200, description="The ETag of the snapshot that is known.")]
Age = Annotated[str, Header(alias="Tidegate-Agent-Age", max_length=20, description="Seconds since the agent began.")]
_PATH = "/applications/{application}/environments/{environment}"


@router.get(f"{_PATH}/snapshot", dependencies=[Depends(trusted)], **described(str))
async def show_snapshot(
    application: ApplicationName, environment: EnvironmentName, services: Services, if_none_match: IfNoneMatch = None
) -> Response:
    """Everything that an agent needs to answer, as one text with a digest; 304 when it is known. Wants the token."""
    posted = services.flags.board.get(subject_of(application, environment))
    if posted is None:
        raise NotFound(
            f"{application} has no flags in force in {environment}.",
            f"Deploy some: tidegate flags deploy -f FILE -e {application}/{environment}.",
        )
    headers = {"ETag": posted.etag, "Cache-Control": "no-cache"}
    if if_none_match is not None and posted.etag in (one.strip() for one in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(await asyncio.to_thread(lambda: posted.text), media_type="application/json", headers=headers)


@router.get(f"{_PATH}/stream", dependencies=[Depends(trusted)], **described(str, media="text/event-stream"))
async def stream_snapshots(
    application: ApplicationName, environment: EnvironmentName, request: Request, services: Services, closing: Closing
) -> Response:
    """`snapshot` at once and with every change; `exposure` when nothing else has changed. Wants the token."""
    state = request.app.state
    streams: dict[int, FlagStreams] = state.flag_streams
    loop = id(asyncio.get_running_loop())
    if loop not in streams:
        streams[loop] = FlagStreams(services.flags.board, closing)
    messages = streams[loop].messages(subject_of(application, environment))
    return StreamingResponse(messages, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.post(f"{_PATH}/reports", **described(str, body=ReportFile, status=204))
async def report(
    application: ApplicationName, environment: EnvironmentName, services: Services, request: Request, age: Age = ""
) -> Response:
    """What an agent applies, and how the requests ended that asked it; about once a second, or as seldom as the answer's
    `Tidegate-Report-Every` (seconds) says."""
    take(services.flags.agents, subject_of(application, environment), await request.body(), age)
    return Response(status_code=204)
