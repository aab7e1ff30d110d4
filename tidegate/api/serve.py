"""Serves the app on both doors, in one thread beside the loop, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
import struct
import threading
from asyncio import BaseTransport
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, cast

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from tidegate.api.door import UID, loopback_door, socket_door
from tidegate.connection import Connection
from tidegate.core.errors import Refused, Unreachable
from tidegate.settings import Settings

if TYPE_CHECKING:
    from tidegate.api.needs import ApiServices

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 2500
"""Per door: a thousand agents stream and report."""
OWN_FILES = 300
"""What the controller itself may have open, which no connection takes from it."""
START_WITHIN = 10.0
STOP_WITHIN = 5.0


class Serving:
    """Both doors while they are open. `port` is 0 when there is none on TCP."""

    def __init__(self, socket_path: Path, port: int, doors: list[tuple[uvicorn.Server, socket.socket]], closing: Event) -> None:
        self.socket = socket_path
        self.port = port
        self._doors = doors
        self._servers = [server for server, _ in doors]
        self._closing = closing
        self._inode = socket_path.stat().st_ino
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            structlog.get_logger().exception("api_ended")

    async def _serve(self) -> None:
        await asyncio.gather(*(server.serve(sockets=[door]) for server, door in self._doors))
        for connection in [one for server in self._servers for one in server.server_state.connections]:
            connection.transport.abort()  # who was cancelled in the end would leave its client waiting
        await asyncio.sleep(0)  # in which they close

    def start(self) -> Serving:
        """Returns when both doors answer."""
        self._thread.start()
        tick = Event()
        for _ in range(int(START_WITHIN / 0.01)):
            if all(server.started for server in self._servers):
                return self
            if not self._thread.is_alive():
                break
            tick.wait(0.01)
        self.stop()
        raise Unreachable("The API did not start.", "Look into the controller's log.")

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ends open streams and closes both doors. Twice is once."""
        self._closing.set()
        for server in self._servers:
            server.should_exit = True
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(STOP_WITHIN)
        with contextlib.suppress(OSError):
            if self.socket.stat().st_ino == self._inode:  # not that of whoever came after us
                self.socket.unlink()


def serve(app: FastAPI, settings: Settings) -> Serving:
    """Opens both doors. Raises Refused when another Tidegate has this home, or when the port is taken."""
    services = cast("ApiServices", app.state.services)
    doors = [(_server(socket_door(app)), _open_socket(settings.socket))]
    if settings.port:
        try:
            doors.append((_server(loopback_door(app, services.token)), _open_port(settings.port)))
        except BaseException:
            doors[0][1].close()
            settings.socket.unlink(missing_ok=True)
            raise
    return Serving(settings.socket, settings.port, doors, app.state.closing).start()


def most_connections(files: int) -> int:
    """Per door, of so many files that may be open. More are answered with 503, so that nobody can use up the controller's."""
    return max(100, min(MOST_CONNECTIONS, (files - OWN_FILES) // 2))


def _files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**20 if soft == resource.RLIM_INFINITY else soft


def _server(app: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=KnowsItsPeer,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # what goes wrong inside is logged by us, and what comes from outside is not worth a line
        access_log=False,
        proxy_headers=False,  # nobody stands before these doors, and whoever asks could claim to
        server_header=False,
        limit_concurrency=most_connections(_files()),
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


class KnowsItsPeer(Connection):
    """Writes beside each connection which user it is, where the kernel tells."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        uid = _uid_of(transport.get_extra_info("socket"))
        if uid is not None:
            self.app_state = {**self.app_state, UID: uid}


def _uid_of(door: socket.socket | None) -> int | None:
    if door is None or door.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack("3i", door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def _open_socket(path: Path) -> socket.socket:
    """Bound under another name and renamed: at no moment does it have other rights, or nobody behind it."""
    if _answers(path):
        raise Refused(f"Another Tidegate already listens on {path}.", "Use it, or end it first: tidegate down.")
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.bind(str(aside))
        aside.chmod(0o600)
        door.listen(1024)
        aside.rename(path)
    except OSError as error:
        door.close()
        aside.unlink(missing_ok=True)
        raise Refused(f"The socket {path} cannot be made: {error.strerror}.", "Check the rights of its directory.") from error
    return door


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(1)
        try:
            door.connect(str(path))
        except TimeoutError:
            return True  # somebody has it, and is too busy to answer
        except OSError:
            return False
        return True


def _open_port(port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((LOOPBACK, port))
        door.listen(1024)
    except OSError as error:
        door.close()
        raise _no_port(port, error) from error
    return door


def _no_port(port: int, error: OSError) -> Refused:
    if error.errno == errno.EADDRINUSE:
        return Refused(f"Port {port} on {LOOPBACK} is taken.", "Choose another with TIDEGATE_PORT, or 0 for none.")
    return Refused(f"Port {port} on {LOOPBACK} cannot be had: {error.strerror}.", "Choose another with TIDEGATE_PORT.")
