"""Live pages: what changed on a page is sent as it is to be shown, about once a second, until the reader leaves.

Parts are rendered once for everybody who looks at the same page; each reader gets only those that he does not have yet. A
`beat` goes out when nothing has changed, so that silence means that nobody is there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from starlette.responses import Response, StreamingResponse

from tidegate import __version__
from tidegate.api.shared import Shared
from tidegate.core.errors import TidegateError
from tidegate.engine.course import NAMES, Course, row_of

EVERY = 1.0
PAUSE = 0.25
"""Seconds between two looks whether the doors close."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A page at this moment: its parts, and the course of its rollout where it has one."""

    parts: Mapping[str, str]
    course: Course | None = None


@dataclass
class Reader:
    """What one reader has."""

    had: dict[str, str] = field(default_factory=dict)
    at: float | None = None

    def news(self, seen: Seen) -> list[str]:
        changed = {name: part for name, part in seen.parts.items() if self.had.get(name) != part}
        self.had |= changed
        told = [message("parts", changed)] if changed else []
        return told + self._points(seen.course)

    def _points(self, course: Course | None) -> list[str]:
        if course is None:
            return []
        fresh = self.at is None
        points = course.points if self.at is None else course.after(self.at)
        if not points:
            return []
        self.at = points[-1].at
        return [message("course", {"fresh": fresh, "names": NAMES, "rows": [row_of(point) for point in points]})]


def message(kind: str, content: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n"


def live(key: Sequence[str], look: Callable[[], Seen], shared: Shared, closing: Event) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(_messages(tuple(key), look, shared, closing), media_type="text/event-stream", headers=headers)


async def _messages(key: tuple[str, ...], look: Callable[[], Seen], shared: Shared, closing: Event) -> AsyncIterator[str]:
    yield f"retry: 1000\n\n{message('hello', {'version': __version__})}"
    reader = Reader()
    while not closing.is_set():
        try:
            news = reader.news(await shared.read(("page", *key), look, EVERY * 0.9))
        except TidegateError as error:
            news = [message("problem", {"detail": error.what, "mend": error.mend})]
        yield "".join(news) or message("beat", {})
        for _ in range(int(EVERY / PAUSE)):
            await asyncio.sleep(PAUSE)
            if closing.is_set():
                return
