"""A control plane, and agents that follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.control_plane import ControlPlane, plain
from tidegate.agent import Agent

Started = Callable[..., Agent]


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        plane.show(plain())
        yield plane


@pytest.fixture
def started(plane: ControlPlane) -> Iterator[Started]:
    """Starts agents, and stops them in the end."""
    agents: list[Agent] = []

    def start(**settings: object) -> Agent:
        agents.append(Agent("shop", "prod", **{"control": plane.address, **settings}).start())  # type: ignore[arg-type]
        return agents[-1]

    yield start
    for agent in agents:
        agent.stop()
