"""The agent's server: a plain ASGI app, for a framework would cost more than the answer.

On loopback a request whose `Host` is not this machine, or that comes from a foreign page, is refused: a browser must not
become somebody's deputy. With an access token everything but health wants it.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tidegate.agent import appconfig, gauges, ofrep
from tidegate.agent.agent import Agent, News
from tidegate.agent.answer import Answer, Receive, Scope, Send, refuse
from tidegate.agent.body import Bodies, RawHeaders

HEARTBEAT = 10.0
MOST_STREAMS = 200
_LOOPBACK = re.compile(rb"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_EVALUATE = "/ofrep/v1/evaluate/flags"


class AgentApp:
    """`local` wants a Host of this machine. `closing` is set when the server is to end: streams end by themselves."""

    def __init__(self, agent: Agent, *, local: bool = True, token: str = "") -> None:
        self.closing = asyncio.Event()
        self._agent = agent
        self._local = local
        self._token = token.encode()
        self._bodies = Bodies()
        self._requests: dict[tuple[str, int], int] = {}
        self._streams = 0
        self._hosts: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path == ofrep.STREAM and scope["method"] == "GET":
            await self._stream(scope, receive, send)
            return
        kind, answer = await self._answer(scope, path, receive)
        key = (kind, answer.status)
        self._requests[key] = self._requests.get(key, 0) + 1
        await answer.send(send)

    async def _answer(self, scope: Scope, path: str, receive: Receive) -> tuple[str, Answer]:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        refused = self._refused(path, headers)
        if refused is not None:
            return "refused", refused
        method = scope["method"]
        if path.startswith("/applications/"):
            if method != "GET":
                return "appconfig", _not_allowed("GET")
            return "appconfig", appconfig.retrieve(self._agent, path, scope["query_string"], headers)
        if path.startswith(_EVALUATE):
            if method != "POST":
                return "ofrep", _not_allowed("POST")
            body = await self._bodies.read(receive, headers)
            return "ofrep", body if isinstance(body, Answer) else self._ofrep(path, body, headers)
        return self._rest(path, method, headers)

    def _ofrep(self, path: str, body: bytes, headers: RawHeaders) -> Answer:
        rest = path[len(_EVALUATE) :]
        if rest in ("", "/"):
            seen, host = _one(headers, b"if-none-match"), _one(headers, b"host")
            return ofrep.evaluate_all(self._agent, body, seen=seen, host=host)
        if not rest.startswith("/"):
            return _nothing(path)
        return ofrep.evaluate_one(self._agent, rest[1:], body)

    def _rest(self, path: str, method: str, headers: RawHeaders) -> tuple[str, Answer]:
        if method not in ("GET", "HEAD"):
            return "other", _not_allowed("GET")
        match path:
            case "/health/live":
                return "health", gauges.ALIVE
            case "/health/ready":
                return "health", gauges.readiness(self._agent)
            case "/metrics":
                return "metrics", gauges.metrics(self._agent, self._requests)
            case "/ofrep/v1/configuration":
                return "ofrep", ofrep.configuration(_one(headers, b"if-none-match"))
            case _:
                return "other", _nothing(path)

    # --- Who may ask -----------------------------------------------------------------------------------------------------

    def _refused(self, path: str, headers: RawHeaders) -> Answer | None:
        given, hosts = b"", 0
        for name, value in headers:
            if name == b"host":
                hosts += 1
                if self._local and not self._is_local(value):
                    said = value[:100].decode("latin-1")
                    return refuse(403, f"The host {said!r} is not this machine.", "Use http://127.0.0.1:PORT.")
            elif name == b"authorization":
                given = value
            elif name == b"origin" and self._local:
                return refuse(403, "Pages may not ask here.", "Ask from a process of this machine.")
        if self._local and hosts != 1:
            return refuse(403, "The request names no host.", "Send one Host header.")
        if self._token and not path.startswith("/health/") and not _shows(given, self._token):
            return refuse(401, "The request does not show the agent's access token.", "Send Authorization: Bearer TOKEN.")
        return None

    def _is_local(self, host: bytes) -> bool:
        if host in self._hosts:
            return True
        if _LOOPBACK.fullmatch(host) is None:
            return False
        if len(self._hosts) < 100:
            self._hosts.add(host)
        return True

    # --- The stream of changes -------------------------------------------------------------------------------------------

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refused(scope["path"], scope["headers"])
        if refused is None and self._streams >= MOST_STREAMS:
            refused = refuse(503, f"{MOST_STREAMS} streams are open already.", "Poll, or come back later.")
        if refused is not None:
            await refused.send(send)
            return
        self._streams += 1
        gone = asyncio.create_task(_gone(receive))
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async with aclosing(self._events(gone)) as pieces:
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except OSError:
            pass  # the client went away
        finally:
            gone.cancel()
            self._streams -= 1

    async def _events(self, gone: asyncio.Task[None]) -> AsyncGenerator[bytes, None]:
        """An event with every change; the client has just evaluated when it comes."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def hear(what: News, _flags: frozenset[str]) -> None:
            if what in (News.READY, News.CHANGED):
                loop.call_soon_threadsafe(news.set)

        closing = asyncio.create_task(self.closing.wait())
        try:
            with self._agent.listen(hear):
                yield b"retry: 1000\n\n"
                while not (gone.done() or closing.done()):
                    waiting = asyncio.create_task(news.wait())
                    await asyncio.wait({waiting, gone, closing}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
                    view = self._agent.view
                    yield ofrep.refetch(view) if news.is_set() and view is not None else b": still here\n\n"
                    news.clear()
        finally:
            closing.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _not_allowed(method: str) -> Answer:
    return refuse(405, "This cannot be done here.", f"Use {method}.")


def _nothing(path: str) -> Answer:
    return refuse(404, f"There is nothing at {path[:200]}.", "See the agent's documentation for its paths.")


def _shows(given: bytes, token: bytes) -> bool:
    kind, _, shown = given.partition(b" ")
    return kind.lower() == b"bearer" and hmac.compare_digest(shown.strip(), token)


def _one(headers: RawHeaders, name: bytes) -> str:
    found = [value for key, value in headers if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ", ".join(value.decode("latin-1") for value in found)
