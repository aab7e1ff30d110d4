"""What the API asks of the house. Wiring fills it; every route gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Annotated, Protocol

from fastapi import Depends, Request

from tidegate.engine.agents import Agents
from tidegate.engine.exposing import Exposing
from tidegate.engine.flag_board import FlagBoard
from tidegate.engine.flag_glance import FlagGlance
from tidegate.engine.flag_orders import FlagOrders
from tidegate.engine.foresight import Foresight
from tidegate.engine.glance import Glance
from tidegate.engine.notices import Notices
from tidegate.engine.orders import Orders
from tidegate.engine.releases import Releases


class LogLine(Protocol):
    """One line that a task said."""

    @property
    def task(self) -> str: ...

    @property
    def text(self) -> str: ...


class ReadLogs(Protocol):
    def __call__(self, service: str, version: str | None, task: str | None, lines: int) -> Sequence[LogLine]:
        """The last lines of each task that fits."""


class FollowLogs(Protocol):
    def __call__(self, service: str, version: str | None, task: str | None, lines: int) -> Iterator[LogLine | None]:
        """The last lines and then every new one; None after a short pause when there is nothing new."""


class Push(Protocol):
    def __call__(self, name: str, value: float, *, labels: Mapping[str, str], service: str, version: str, at: datetime) -> None:
        """Takes one value of a metric. Raises Refused for one that cannot be taken."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the controller is. `ticked` is when the loop last ended a tick; `problems` are sentences of what is not well."""

    started: datetime
    ticked: datetime | None
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FlagServices:
    orders: FlagOrders
    glance: FlagGlance
    agents: Agents
    board: FlagBoard


@dataclass(frozen=True, slots=True)
class ApiServices:
    orders: Orders
    releases: Releases
    glance: Glance
    flags: FlagServices
    foresight: Foresight
    exposing: Exposing
    notices: Notices
    home: Path
    token: str = field(repr=False)
    clock: Callable[[], datetime]
    read_logs: ReadLogs
    follow_logs: FollowLogs
    push: Push
    health: Callable[[], Health]
    shutdown: Callable[[str], None]
    """Ends the controller, tasks and router; gets who asked. Returns at once."""


async def services_of(request: Request) -> ApiServices:
    services: ApiServices = request.app.state.services
    return services


Services = Annotated[ApiServices, Depends(services_of)]


async def closing_of(request: Request) -> Event:
    closing: Event = request.app.state.closing
    return closing


Closing = Annotated[Event, Depends(closing_of)]
"""Set when the doors close: whoever streams ends then."""
