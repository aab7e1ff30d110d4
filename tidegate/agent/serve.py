"""Serves the agent to this machine until SIGTERM, in the main thread; the agent follows in its own."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Callable
from ipaddress import ip_address
from types import FrameType

import uvicorn

from tidegate.agent import logs
from tidegate.agent.agent import Agent
from tidegate.agent.fetching import Source
from tidegate.agent.server import AgentApp
from tidegate.agent.settings import AgentSettings
from tidegate.connection import Connection
from tidegate.core.errors import Refused

MOST_CONNECTIONS = 1000


def run(settings: AgentSettings, began: Callable[[str], None], source: Source | None = None) -> None:
    """Calls `began` with its address when it answers; returns after SIGTERM or SIGINT. Raises Refused without a port. `source`
    where there is no control plane."""
    agent = Agent(
        settings.application,
        settings.environment,
        control=settings.control,
        source=source,
        token=settings.token,
        cache=settings.cache,
        poll=settings.poll,
    )
    door = open_door(settings.host, settings.port)
    with door:
        server = serving(agent, local=settings.local, token=settings.access_token)
        with agent:
            began(_address(settings.host, door.getsockname()[1]))
            _until_told(server, door)
        logs.info("agent_ends")


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: AgentApp) -> None:
        super().__init__(config)
        self._agent_app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Streams would go on for ever: they are told first."""
        self._agent_app.closing.set()
        super().handle_exit(sig, frame)


def serving(agent: Agent, *, local: bool = True, token: str = "") -> Server:
    app = AgentApp(agent, local=local, token=token)
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=1,
        proxy_headers=False,
    )
    return Server(config, app)


def open_door(host: str, port: int) -> socket.socket:
    address = ip_address(host)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # Only where the protocol is named does asyncio send small answers at once, instead of waiting 40 ms for company.
    door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(512)
    except OSError as error:
        door.close()
        if error.errno == errno.EADDRINUSE:
            raise Refused(f"Port {port} on {host} is taken.", "Choose another with --port or HTTP_PORT.") from error
        raise Refused(f"Port {port} on {host} cannot be had: {error.strerror}.", "Choose another with --port.") from error
    return door


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _until_told(server: uvicorn.Server, door: socket.socket) -> None:
    def ignored(_signal: int, _frame: FrameType | None) -> None:
        """The server raises the signal once more when it has ended; by then it has been obeyed."""

    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, ignored)
    asyncio.run(server.serve(sockets=[door]))
