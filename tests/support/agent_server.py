"""An agent's server in a thread of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.control_plane import until
from tidegate.agent import Agent
from tidegate.agent.serve import open_door, serving


@contextmanager
def served(agent: Agent, *, local: bool = True, token: str = "") -> Iterator[str]:
    """Its address, while it serves."""
    with open_door("127.0.0.1", 0) as door:
        server = serving(agent, local=local, token=token)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[door])), daemon=True)
        thread.start()
        until(lambda: server.started)
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
        server.should_exit = True
        thread.join(5)
        assert not thread.is_alive()
