"""Outcomes by themselves: notes how each request ended, for the side that its flags came from.

    app = OutcomesMiddleware(app, agent)            # ASGI: FastAPI, Starlette, Django
    application = WsgiOutcomes(application, agent)   # WSGI: Flask, Django

A status of 5xx and an exception are failures. A client that went away is none: that request ended, and nothing is said
against it. The latency is that of the whole request, to the last byte of its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from types import TracebackType
from typing import Any

from tidegate.agent import Agent
from tidegate.agent.outcomes import CURRENT, Use

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

Environ = dict[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


_LAST = ("http.response.body", "http.response.pathsend", "http.response.zerocopysend")
"""What ends an answer, unless it says that more comes."""


class OutcomesMiddleware:
    """For ASGI. What the application evaluates in tasks and threads that it starts for a request belongs to the request."""

    def __init__(self, app: AsgiApp, agent: Agent) -> None:
        self._app = app
        self._agent = agent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        use = self._agent.use()
        watch = _Watch(receive, send, use)
        token = CURRENT.set(use)
        try:
            await self._app(scope, watch.receive, watch.send)
        except asyncio.CancelledError:
            use.end(failed=watch.failed)
            raise
        except BaseException:
            use.end(failed=not watch.gone)
            raise
        finally:
            CURRENT.reset(token)
            use.end(failed=watch.failed or not watch.gone)


class _Watch:
    """Looks at what passes between the application and its client. With the last byte the request has ended: what the
    application does after it (background tasks) delays nobody, and fails for nobody."""

    def __init__(self, receive: Receive, send: Send, use: Use) -> None:
        self._receive = receive
        self._send = send
        self._use = use
        self.failed = False
        self.whole = False
        """The last byte was sent."""
        self.gone = False
        """The client went away before it."""

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.whole:
            self.gone = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.failed = message["status"] >= 500
        try:
            await self._send(message)
        except OSError:
            self.gone = True
            raise
        if message["type"] in _LAST and not message.get("more_body"):
            self.whole = True
            self._use.end(failed=self.failed)


class WsgiOutcomes:
    """For WSGI. The request ends when its answer is closed, as every server does in the end."""

    def __init__(self, app: WsgiApp, agent: Agent) -> None:
        self._app = app
        self._agent = agent

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        use = self._agent.use()
        failed = False

        def start(status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Any:
            nonlocal failed
            failed = status[:1] == "5"
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        token = CURRENT.set(use)
        try:
            body = self._app(environ, start)
        except BaseException:
            use.end(failed=True)
            raise
        finally:
            CURRENT.reset(token)
        return _Body(body, use, lambda: failed)


class _Body:
    """The answer's body. The application may evaluate flags while it is made, piece by piece."""

    def __init__(self, body: Iterable[bytes], use: Use, failed: Callable[[], bool]) -> None:
        self._body = body
        self._use = use
        self._failed = failed

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._body)
        while True:
            token = CURRENT.set(self._use)
            try:
                piece = next(pieces, None)
            except BaseException:
                self._use.end(failed=True)
                raise
            finally:
                CURRENT.reset(token)
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            # Closed before its end: the client went away.
            self._use.end(failed=self._failed())
