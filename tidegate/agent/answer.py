"""What the agent's server answers with: status, headers and a body, sent in two messages."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from tidegate.core.flags.result import Result

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

MOST_KEPT = 10_000
MOST_TOGETHER = 8 * 1024 * 1024
"""Bytes that are kept of answers with all flags."""
JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Headers = ()

    async def send(self, send: Send) -> None:
        length = (b"content-length", str(len(self.body)).encode())
        await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers, length]})
        await send({"type": "http.response.body", "body": self.body})


# Made once: `dumps` would make one for each answer. JSON has no word for infinity.
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def dump(content: object) -> bytes:
    return _encode(content).encode()


def say(status: int, content: object, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, dump(content), (JSON, *headers))


class Ready:
    """Answers as they are sent, by the identity of their result, which each keeps alive: results are made once for each
    rule, and so are their texts. One that tells of an error is made anew each time."""

    __slots__ = ("_kept", "_room", "_together")

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Result, bytes]] = {}
        self._room = MOST_TOGETHER
        self._together: dict[tuple[int, ...], tuple[tuple[Result, ...], tuple[bytes, str]]] = {}

    def of(self, result: Result, make: Callable[[Result], object]) -> bytes:
        kept = self._kept.get(id(result))
        if kept is not None and kept[0] is result:
            return kept[1]
        body = dump(make(result))
        if not result.error and len(self._kept) < MOST_KEPT:
            self._kept[id(result)] = (result, body)
        return body

    def together(
        self, results: tuple[Result, ...], make: Callable[[tuple[Result, ...], Ready], tuple[bytes, str]]
    ) -> tuple[bytes, str]:
        """The same for all flags of a document at once: most entities get what others got."""
        key = tuple(map(id, results))
        kept = self._together.get(key)
        if kept is not None:
            return kept[1]  # it keeps its results alive, so that none of these ids has become another's
        said = make(results, self)
        if len(said[0]) <= self._room and not any(result.error for result in results):
            self._room -= len(said[0])
            self._together[key] = (results, said)
        return said


def refuse(status: int, what: str, mend: str) -> Answer:
    """A problem document, as the control plane answers."""
    return Answer(
        status,
        dump({"title": _TITLES.get(status, "Refused"), "status": status, "detail": what, "mend": mend}),
        ((b"content-type", b"application/problem+json"), *(((b"retry-after", b"1"),) if status == 503 else ())),
    )


_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}
_TITLES |= {408: "Request Timeout", 413: "Content Too Large", 503: "Service Unavailable"}

NOT_READY = refuse(503, "The agent has no flags yet.", "Look whether it reaches the control plane: /health/ready.")
