"""OFREP, OpenFeature's remote evaluation protocol, so that its providers of any language can ask the agent.

POST /ofrep/v1/evaluate/flags/checkout     {"context": {"targetingKey": "ann"}}
POST /ofrep/v1/evaluate/flags              all flags; an ETag for this context, and 304 while nothing has changed
GET  /ofrep/v1/stream                      events: evaluate again, something has changed
GET  /ofrep/v1/configuration
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tidegate.agent.answer import JSON, NOT_READY, Answer, Ready, dump, say
from tidegate.agent.cache import View
from tidegate.core.flags.result import Fault, Result

STREAM = "/ofrep/v1/stream"
INACTIVE_AFTER = 120
"""Seconds after which a client that nobody looks at may close its stream."""
_decode = json.JSONDecoder().decode
CONFIGURATION = {
    "name": "tidegate",
    "capabilities": {
        "cacheInvalidation": {"polling": {"enabled": True, "minPollingIntervalMs": 1000}},
        "flagEvaluation": {"supportedTypes": ["boolean", "string", "int", "float", "object"]},
        "caching": {"enabled": False},
    },
}


class Answering(Protocol):
    """What it asks of an agent. The control plane has one of its own."""

    @property
    def view(self) -> View | None: ...

    def evaluate(self, flag: str, context: Mapping[str, Any]) -> Result: ...

    def evaluate_all(self, context: Mapping[str, Any]) -> Mapping[str, Result]: ...


def evaluate_one(agent: Answering, flag: str, body: bytes) -> Answer:
    context = _context(body)
    if isinstance(context, str):
        return _wrong(context, flag)
    view = agent.view
    if view is None:
        return _not_ready(flag)
    result = agent.evaluate(flag, context)
    if result.error == Fault.FLAG_NOT_FOUND:
        return say(404, _failure(result))
    return say(400, _failure(result)) if result.error else Answer(200, view.ofrep.of(result, _success), (JSON,))


def evaluate_all(agent: Answering, body: bytes, *, seen: str, host: str) -> Answer:
    """`seen` is If-None-Match; `host` what the client calls this agent, where it streams."""
    context = _context(body)
    if isinstance(context, str):
        return _wrong(context)
    view = agent.view
    if view is None:
        return _not_ready()
    flags, etag = view.ofrep.together(tuple(agent.evaluate_all(context).values()), _say)
    if _matches(seen, etag):
        return Answer(304, headers=((b"etag", etag.encode()),))
    stream = {"type": "sse", "url": f"http://{host}{STREAM}", "inactivityDelaySec": INACTIVE_AFTER}
    rest = dump({"eventStreams": [stream] if host else [], "metadata": _metadata(view)})
    return Answer(200, b'{"flags":' + flags + b"," + rest[1:], (JSON, (b"etag", etag.encode())))


def _say(results: Sequence[Result], ready: Ready) -> tuple[bytes, str]:
    """All of them, and what they are known by."""
    said = [dump(_failure(result)) if result.error else ready.of(result, _success) for result in results]
    flags = b"[" + b",".join(said) + b"]"
    return flags, f'"{hashlib.sha256(flags).hexdigest()[:32]}"'


def configuration(seen: str) -> Answer:
    body = dump(CONFIGURATION)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = ((b"etag", etag.encode()),)
    return Answer(304, headers=headers) if _matches(seen, etag) else Answer(200, body, (JSON, *headers))


def refetch(view: View) -> bytes:
    """The event that makes clients evaluate again."""
    version = f"{view.snapshot.origin}-{view.snapshot.serial}"
    content = json.dumps({"type": "refetchEvaluation", "etag": f'"{version}"'})
    return f"id: {view.snapshot.serial}\nevent: message\ndata: {content}\n\n".encode()


def _context(body: bytes) -> dict[str, Any] | str:
    """The context, or the code of what is wrong with it."""
    if not body:
        return {}
    try:
        content = _decode(body.decode())
    except (ValueError, RecursionError):
        return "PARSE_ERROR"
    context = content.get("context") if isinstance(content, dict) else content
    if context is None:
        return {}
    return context if isinstance(context, dict) and isinstance(content, dict) else "INVALID_CONTEXT"


def _success(result: Result) -> dict[str, Any]:
    """Without a value the caller's default counts."""
    said = {
        "key": result.flag,
        "reason": result.reason.value,
        "variant": result.variant or "",
        "metadata": {"document": result.number, "side": result.side.value},
    }
    value = result.value
    return said if value is None else said | {"value": value}


def _failure(result: Result) -> dict[str, Any]:
    return {"key": result.flag, "errorCode": result.error, "errorDetails": result.message}


def _wrong(code: str, flag: str | None = None) -> Answer:
    details = "The body is no JSON." if code == "PARSE_ERROR" else "The context is no mapping."
    said = {"errorCode": code, "errorDetails": details}
    return say(400, said if flag is None else {"key": flag, **said})


def _not_ready(flag: str | None = None) -> Answer:
    said = {"errorCode": "PROVIDER_NOT_READY", "errorDetails": "The agent has no flags yet."}
    return say(NOT_READY.status, said if flag is None else {"key": flag, **said}, (b"retry-after", b"1"))


def _metadata(view: View) -> dict[str, Any]:
    return {"version": str(view.snapshot.serial)}


def _matches(seen: str, etag: str) -> bool:
    return any(one.strip().removeprefix("W/") in (etag, "*") for one in seen.split(",")) if seen else False
