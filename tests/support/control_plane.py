"""A small control plane of one application in one environment: it serves what agents ask for, and no more."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.ports import free_port as free_port
from tidegate.core.exposure import Exposure, say_share
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.snapshot import Snapshot, encode_snapshot

OLD: dict[str, Any] = {
    "application": "shop",
    "flags": {
        "checkout": "off",
        "banner": "Summer sale",
        "page-size": 20,
        "price": 1.5,
        "theme": {"variants": {"dark": {"value": "#000", "when": 'plan == "pro" and age >= 18'}, "light": "#fff"}},
        "search": {
            "attributes": {"engine": {"type": "string"}, "limit": {"type": "number"}},
            "variants": {
                "vector": {"when": 'country in ["DE", "AT"]', "attributes": {"engine": "vector", "limit": 20}},
                "classic": {"attributes": {"engine": "classic", "limit": 10}},
            },
        },
    },
}
NEW: dict[str, Any] = {"application": "shop", "flags": {**OLD["flags"], "checkout": "on"}}


def document(content: dict[str, Any], number: int) -> FlagDocument:
    return read_flags(content).numbered(number)


def plain(serial: int = 1, number: int = 3, content: dict[str, Any] = OLD, origin: str = "db-1") -> Snapshot:
    return Snapshot("shop", "prod", serial, origin, document(content, number))


def moving(serial: int = 2, points: int = 1000, rollout: str = "shop-prod-3") -> Snapshot:
    return Snapshot("shop", "prod", serial, "db-1", document(OLD, 3), document(NEW, 4), "salt", Exposure(points), rollout)


def until(done: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


class ControlPlane:
    """`uds` for a unix socket, else a port on loopback. `heartbeat` seconds lie between two comments of a stream."""

    def __init__(self, uds: Path | None = None, *, heartbeat: float = 0.05) -> None:
        self.uds = uds
        self.port = 0 if uds else free_port()
        self.text: str | None = None
        self.serial = 0
        self.streams = True
        self.heartbeat = heartbeat
        self.look_every = 0.005
        self.asked: list[str] = []
        self.reports: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self._said: list[tuple[int, str]] = []
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None

    @property
    def address(self) -> str:
        return str(self.uds) if self.uds else f"http://127.0.0.1:{self.port}"

    # --- what it says ------------------------------------------------------------------------------------------------

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.say(encode_snapshot(snapshot), snapshot.serial)

    def say(self, text: str, serial: int) -> None:
        """Any text as a snapshot, also a damaged one."""
        self.text, self.serial = text, serial
        self._said.append((serial, f"event: snapshot\nid: {serial}\ndata: {text}\n\n"))

    def tell(self, message: str) -> None:
        """Anything, on the open streams."""
        self._said.append((self.serial, message))

    def move(self, points: int) -> None:
        """Only the exposure moves: agents get it, and the whole only when they ask."""
        self.snapshot = self.snapshot.moved(Exposure(points), self.serial + 1)
        self.text, self.serial = encode_snapshot(self.snapshot), self.serial + 1
        content = {"serial": self.serial, "exposure": say_share(points), "rollout": self.snapshot.rollout}
        self._said.append((self.serial, f"event: exposure\nid: {self.serial}\ndata: {json.dumps(content)}\n\n"))

    # --- its life ----------------------------------------------------------------------------------------------------

    def start(self) -> ControlPlane:
        family, protocol = (socket.AF_UNIX, 0) if self.uds else (socket.AF_INET, socket.IPPROTO_TCP)
        door = socket.socket(family, socket.SOCK_STREAM, protocol)
        if self.uds:
            self.uds.unlink(missing_ok=True)
            door.bind(str(self.uds))
        else:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(("127.0.0.1", self.port))
        door.listen(128)
        self._closing.clear()
        config = uvicorn.Config(
            self._app(), lifespan="off", log_config=None, log_level="critical", access_log=False, timeout_graceful_shutdown=1
        )
        server = self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(server, door)), daemon=True)
        self._thread.start()
        until(lambda: server.started)
        return self

    async def _serve(self, server: uvicorn.Server, door: socket.socket) -> None:
        await server.serve(sockets=[door])
        for connection in list(server.server_state.connections):
            connection.transport.abort()  # who was cancelled at the end would leave its client waiting
        await asyncio.sleep(0)

    def stop(self) -> None:
        self._closing.set()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(5)

    def __enter__(self) -> ControlPlane:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what it serves ----------------------------------------------------------------------------------------------

    def _app(self) -> Starlette:
        base = "/v1/applications/{application}/environments/{environment}"
        return Starlette(
            routes=[
                Route(f"{base}/snapshot", self._snapshot),
                Route(f"{base}/stream", self._stream),
                Route(f"{base}/reports", self._report, methods=["POST"]),
            ]
        )

    async def _snapshot(self, request: Request) -> Response:
        self.asked.append("snapshot")
        self.tokens.add(request.headers.get("authorization", ""))
        if self.text is None or request.path_params != {"application": "shop", "environment": "prod"}:
            return PlainTextResponse("none", 404)
        etag = f'"{self.serial}-{len(self.text)}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return PlainTextResponse(self.text, headers={"etag": etag})

    async def _stream(self, request: Request) -> Response:
        self.asked.append("stream")
        if self.text is None or not self.streams:
            return PlainTextResponse("none", 404 if self.text is None else 503)
        return StreamingResponse(self._messages(), media_type="text/event-stream")

    async def _messages(self) -> AsyncIterator[str]:
        told = len(self._said)
        yield f"event: snapshot\nid: {self.serial}\ndata: {self.text}\n\n"
        beaten = time.monotonic()
        while not self._closing.is_set() and self.streams:
            while told < len(self._said):
                yield self._said[told][1]
                told += 1
            if time.monotonic() - beaten >= self.heartbeat:
                beaten = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(self.look_every)

    async def _report(self, request: Request) -> Response:
        self.reports.append(await request.json())
        return Response(status_code=204)
