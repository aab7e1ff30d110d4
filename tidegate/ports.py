"""What we ask of the outside. The engine declares these; drivers and the store keep the promises.

All are plain synchronous calls, may be repeated with no harm, and raise `Unreachable` (the world did not answer) or
`Refused` (it said no, with the reason). Everything that is read says None where it could not be seen: never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tidegate.core.exposure import NONE, Exposure
from tidegate.core.service import Service
from tidegate.core.setting import UNSEEN as UNSEEN
from tidegate.core.setting import Applied as Applied
from tidegate.core.tally import Tally

# --- Tasks ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """All tasks of one version of a service that should run: `service.tasks.count` of them."""

    service: Service
    version: str

    @property
    def key(self) -> tuple[str, str]:
        return self.service.service, self.version


class TaskState(StrEnum):
    STARTING = "starting"  # started, not yet healthy
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"  # was healthy, its check fails now
    STOPPING = "stopping"  # draining, or told to end
    DEAD = "dead"  # ended by itself; it is started again after a back-off
    FAILED = "failed"  # given up: never healthy within start_within, or the command cannot be run


@dataclass(frozen=True, slots=True)
class Task:
    """One running copy. `why` says what is wrong in one sentence when it is not healthy."""

    id: str  # web-v2-1
    service: str
    version: str
    state: TaskState
    host: str
    port: int
    pid: int | None = None
    started: datetime | None = None
    restarts: int = 0
    why: str = ""


class Runtime(Protocol):
    """Runs tasks. It outlives the controller: tasks go on without us and are adopted by whoever comes next."""

    def reconcile(self, wanted: Sequence[TaskGroup], now: datetime) -> None:
        """Brings about just these groups: starts what is missing, restarts what died (with back-off), ends what is not
        wanted any more (taken out of the router first, drained, SIGTERM, SIGKILL). Returns at once; `tasks` tells."""

    def tasks(self) -> Sequence[Task]:
        """All tasks that exist now, wanted or still ending. Raises Unreachable when that cannot be seen."""

    def check(self, service: Service, version: str) -> None:
        """Raises Refused when these tasks can never start: command not found, working directory missing."""


# --- Router -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a task listens, and which task it is (the id orders and names it in the router's own statistics)."""

    host: str
    port: int
    task: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """A target group in the router: the tasks of one version that may get traffic now."""

    version: str
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Routing:
    """Everything the router should do for one service. `slot` is the candidate's place; None leaves it empty."""

    service: Service
    salt: str
    stable: Side | None
    slot: Side | None
    exposure: Exposure = NONE


class Slot(StrEnum):
    STABLE = "stable"
    CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class ServiceReading:
    """The router's counts of one service, growing since `RouterReading.epoch`.

    `seen_failures`: failures that users in the candidate's slot saw (those that no retry on the baseline rescued).
    `ejected_hard` and `ejected_soft`: candidate endpoints that outlier detection ejects now, for connect failures and
    resets, and for status 5xx.
    """

    tallies: Mapping[tuple[Slot, str], Tally] = field(default_factory=dict)  # by slot and version
    seen_failures: int = 0
    ejected_hard: int = 0
    ejected_soft: int = 0


@dataclass(frozen=True, slots=True)
class RouterReading:
    """One look at the router. A new `epoch` means that it was restarted and counts from zero again."""

    epoch: str
    services: Mapping[str, ServiceReading]


class Router(Protocol):
    """Sends each user to his side. Serves on, and restarts, without us."""

    grain: Exposure
    """The finest step of exposure that it can apply."""

    def route(self, routings: Sequence[Routing]) -> None:
        """Makes these routings true for just these services; a service not named is no longer routed. Writes only what
        changed. Raises Refused, with the router's own reason, for a configuration that it rejects: the last good one
        stays in force for everybody."""

    def look(self) -> RouterReading | None:
        """Reads counts and acknowledgements once, for all services; None when the router does not answer."""

    def applied(self, service: str) -> Applied:
        """What the last `look` saw in force for this service."""

    def check(self, service: Service, others: Sequence[Service]) -> None:
        """Raises Refused when this service can never be routed: port taken, certificate missing, two services on one
        host and path."""


# --- Metrics and telling --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measurement:
    """One raw value of a metric, of one task or of nobody in particular."""

    metric: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: str = "gauge"  # counter | gauge | histogram
    version: str = ""
    task: str = ""


class MetricSource(Protocol):
    """Metrics that the router does not count: what tasks expose, what is pushed, what a metrics server knows."""

    def measure(self, tasks: Sequence[Task]) -> Sequence[Measurement]:
        """One look. Raises Unreachable when it did not answer: that is blind, and never zero."""


class Notifier(Protocol):
    def tell(self, kind: str, sentence: str, facts: Mapping[str, object]) -> None:
        """Tells people or programs. May fail with Unreachable; it is told again."""
