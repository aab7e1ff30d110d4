"""What the agent's server answers with: status, headers and a body, sent in two messages."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

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


def dump(content: object) -> bytes:
    """As JSON, which has no word for infinity."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def say(status: int, content: object, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, dump(content), (JSON, *headers))


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
