"""Reports of agents: a thousand of them each second must leave the controller its time.

A ring inside the app takes them before anything that a framework does for a route: that would cost several times what the
report does. Whoever may not report goes on to the route, and is refused there as everywhere.
"""

from __future__ import annotations

import json
import re

from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.api.arguments import NAME
from tidegate.api.peer import SCOPE_KEY, Peer
from tidegate.api.problems import problem
from tidegate.core.environment import subject_of
from tidegate.core.errors import Invalid, TidegateError
from tidegate.core.flags.agent_report import AGE, EVERY, read_age, read_report
from tidegate.engine.agents import Agents

_AGE = AGE.encode()
_NAME = NAME.strip("^$").replace("([a-z0-9-]{0,38}", "(?:[a-z0-9-]{0,38}")
_PATH = re.compile(f"/v1/applications/({_NAME})/environments/({_NAME})/reports")


class Reports:
    def __init__(self, app: ASGIApp, agents: Agents) -> None:
        self._app = app
        self._agents = agents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        peer = scope.get(SCOPE_KEY)
        if found is None or not isinstance(peer, Peer) or not peer.trusted:
            await self._app(scope, receive, send)
            return
        try:
            take(self._agents, subject_of(found[1], found[2]), await _body(receive), _age(scope))
        except TidegateError as error:
            await problem(error)(scope, receive, send)
            return
        every = f"{self._agents.every.total_seconds():g}".encode()
        await send({"type": "http.response.start", "status": 204, "headers": [(EVERY.encode(), every)]})
        await send({"type": "http.response.body", "body": b""})


def take(agents: Agents, subject: str, body: bytes, age: str = "") -> None:
    """Raises Invalid for what is no report."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as wrong:
        raise Invalid("The report is not JSON.", "Send one as docs/api.md tells.") from wrong
    agents.report(subject, read_report(content, read_age(age)))


def _age(scope: Scope) -> str:
    """As it was said, or "" when it was not."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == _AGE), "")


async def _body(receive: Receive) -> bytes:
    """The door has read it, and knows that it is not too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
