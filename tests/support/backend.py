"""A small server that fails on demand, and knows how often it did.

    with Backend("v2") as backend:
        backend.fault = Fault("500", share=0.2, methods={"GET"})
        ...
        assert backend.failed == 20

It answers every path but a few with its version, also in the header `x-version`:

    /healthz    200, or 503 when `healthy` is False
    /echo       the request's own head
    /-/fault?kind=500&share=0.2&methods=GET,POST     sets the fault from outside
    an upgrade to websocket is accepted, and bytes are sent back

Kinds of faults: 500 (any status), reset, close, truncate, hang, slow (`seconds`). A share is met exactly, not by chance.
`python -m tests.support.backend v2 --port 8080` serves one in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import sys
import threading
import urllib.parse
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from types import TracebackType

_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    kind: str = "ok"
    share: float = 1.0
    methods: Collection[str] = ()
    seconds: float = 30.0

    def concerns(self, method: str) -> bool:
        return self.kind != "ok" and (not self.methods or method in self.methods)


@dataclass
class Backend:
    """One server, in a thread of its own."""

    version: str
    port: int = 0
    host: str = "127.0.0.1"
    fault: Fault = field(default_factory=Fault)
    healthy: bool = True
    begun: int = 0
    failed: int = 0
    upgrades: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    """Requests by method."""

    def __post_init__(self) -> None:
        self._concerned = 0
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Backend:
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self), self.host, self.port, backlog=1024)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.die()

    def die(self) -> None:
        """As after kill -9: connections are reset, new ones refused."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(5)
        self._thread = None
        self._loop.close()

    def revive(self) -> None:
        """Serves again on the same port."""
        self._loop = asyncio.new_event_loop()
        self.__enter__()

    @property
    def open(self) -> int:
        return len(self._connections)

    def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.reset()
        self._loop.call_later(0.01, self._loop.stop)

    def verdict(self, method: str) -> Fault | None:
        """Which fault this request meets. Of a share of 0.2 it is every fifth."""
        fault = self.fault
        if not fault.concerns(method):
            return None
        before = int(self._concerned * fault.share + 1e-9)
        self._concerned += 1
        return fault if int(self._concerned * fault.share + 1e-9) > before else None

    def obey(self, query: str) -> None:
        given = dict(urllib.parse.parse_qsl(query))
        methods = tuple(filter(None, given.get("methods", "").split(",")))
        share, seconds = float(given.get("share", "1")), float(given.get("seconds", "30"))
        self.fault = Fault(given.get("kind", "ok"), share, methods, seconds)


class _Connection(asyncio.Protocol):
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._transport: asyncio.Transport
        self._buffer = b""
        self._waiting = False
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._backend._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._backend._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._upgraded:
            self._transport.write(data)
            return
        self._buffer += data
        self._next()

    def reset(self) -> None:
        plain: socket.socket = self._transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def _next(self) -> None:
        """Answers every whole request in the buffer, in order."""
        while not self._waiting and not self._upgraded and not self._transport.is_closing():
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            length = _content_length(head)
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        method, target = head.split(b" ", 2)[:2]
        path, _, query = target.decode("latin-1").partition("?")
        if path == "/healthz":
            self._send(200 if self._backend.healthy else 503, b"")
        elif path == "/-/fault":
            self._backend.obey(query)
            self._send(200, b"")
        elif b"\r\nupgrade: websocket" in head.lower():
            self._upgrade()
        else:
            self._serve(method.decode(), path, head)

    def _serve(self, method: str, path: str, head: bytes) -> None:
        backend = self._backend
        backend.begun += 1
        backend.seen[method] += 1
        fault = backend.verdict(method)
        body = head if path == "/echo" else backend.version.encode()
        if method == "HEAD":
            body = b""
        if fault is None:
            self._send(200, body)
            return
        if fault.kind != "slow":
            backend.failed += 1
        self._fail(fault, body)

    def _fail(self, fault: Fault, body: bytes) -> None:
        match fault.kind:
            case "reset":
                self.reset()
            case "close":
                self._transport.close()
            case "truncate":
                self._transport.write(b"HTTP/1.1 200 OK\r\nx-version: cut\r\ncontent-length: 1000\r\n\r\n" + body)
                self._backend._loop.call_later(0.02, self._transport.close)
            case "hang" | "slow":
                self._waiting = True
                self._backend._loop.call_later(fault.seconds, self._go_on, body)
            case status:
                self._send(int(status), body)

    def _go_on(self, body: bytes) -> None:
        self._waiting = False
        if not self._transport.is_closing():
            self._send(200, body)
            self._next()

    def _send(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} Answer\r\nx-version: {self._backend.version}\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    def _upgrade(self) -> None:
        self._backend.upgrades += 1
        self._upgraded = True
        version = f"x-version: {self._backend.version}\r\n".encode()
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n" + version + b"\r\n"
        )


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("version")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    with Backend(given.version, given.port) as backend:
        sys.stdout.write(f"{backend.port}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
