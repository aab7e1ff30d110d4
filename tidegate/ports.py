"""What we ask of the outside. The engine declares these; drivers and the store keep the promises.

All are plain synchronous calls, may be repeated with no harm, and raise `Unreachable` (the world did not answer) or
`Refused` (it said no, with the reason). Everything that is read says None where it could not be seen: never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from tidegate.core.alarm_state import AlarmState
from tidegate.core.environment import Environment
from tidegate.core.errors import Stale
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.harm import Harm
from tidegate.core.metric_name import MetricName
from tidegate.core.plan import Hook
from tidegate.core.rollout import HookSeen, Readiness, Rollout
from tidegate.core.service import On, Service, Tasks
from tidegate.core.setting import UNSEEN as UNSEEN
from tidegate.core.setting import Applied as Applied
from tidegate.core.setting import Setting
from tidegate.core.tally import Tally
from tidegate.core.verdict import TaskHealth

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

    def restart(self, service: str, version: str) -> None:
        """Replaces these tasks one by one: a new one beside each, healthy before the old one ends. Returns at once.
        Raises Refused for targets, NotFound when there are none."""

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
    tasks: Tasks | None = None
    """This version's own task specification (protocol, health); None: that of Routing.service."""


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
    OTHER = "other"
    """Of flags: requests that are on neither side, as they ask for nothing that differs; outside of rollouts all of them."""


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
    flags: Mapping[tuple[str, str, Slot, str], Tally] = field(default_factory=dict)  # by flag, variant, slot and version
    every: timedelta = timedelta(0)
    """How long the periods are of which it is told, when it is told by periods."""
    by_chance: bool = False
    """Users are split by chance, and kept by what outranks the weights: their share is not exactly the exposure."""


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
        changed. Raises NotRouted, with the router's own reason, for services whose configuration it rejects: their last
        good one stays in force, and the others are routed as wanted."""

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
    """One raw value of a metric, of one task or of nobody in particular. `service`, `version` and `task` are "" when that was
    not said. A histogram's come under its name with the endings _bucket (and the label le), _sum and _count."""

    metric: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: str = "gauge"  # counter | gauge | histogram
    version: str = ""
    task: str = ""
    service: str = ""
    at: datetime | None = None  # when it was true; None: when it was looked at


@dataclass(frozen=True, slots=True)
class Asked:
    """What to look for at one task: where it shows its metrics, and the names that alarms ask for (`jobs_total`)."""

    task: Task
    path: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Measured:
    """One look. Tasks that answered, with their versions, and why each of the others is blind."""

    measurements: tuple[Measurement, ...] = ()
    answered: Mapping[str, str] = field(default_factory=dict)
    blind: Mapping[str, str] = field(default_factory=dict)


class MetricSource(Protocol):
    """Metrics that the router does not count: what tasks expose, what is pushed, what a metrics server knows."""

    def measure(self, asked: Sequence[Asked]) -> Measured:
        """One look at all of these tasks at the same time. A task that does not answer is blind, and never zero."""


@dataclass(frozen=True, slots=True)
class Query:
    """One statistic of one metric of a server that adds up. `metric` is its whole name, with every placeholder filled in."""

    metric: MetricName
    statistic: str  # as alarms write it: average, sum, p99
    period: timedelta


class CloudSource(Protocol):
    """Alarms and metrics that CloudWatch evaluates and adds up; or metrics that Prometheus does."""

    def states(self, names: Sequence[str]) -> Mapping[str, AlarmState]:
        """The states of these alarms; one that does not exist is not in it."""

    def figures(self, queries: Sequence[Query], begin: datetime, end: datetime) -> Mapping[Query, Mapping[datetime, float]]:
        """By query, the figures of the periods that begin in this span. A period without data is not in it; a query that
        cannot be answered is not in it either."""


class CounterSource(Protocol):
    """Counters that a metrics server has collected, as they stand now."""

    def counters(self, queries: Sequence[str], at: datetime) -> Mapping[str, Sequence[Measurement]]:
        """By query, every series of its answer at this moment, with who exposed it as its task. Raises Unreachable."""


class QueryChecker(Protocol):
    """Says before the start what would never be answered."""

    def refused(self, query: str, *, single: bool) -> str:
        """Why the server does not take this query; "" when it does. `single`: an answer of many series is none, else one
        of series that are no counters. Raises Unreachable when it does not answer."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of ours that is published."""

    name: str
    value: float
    unit: str  # Percent, Count
    dimensions: tuple[tuple[str, str], ...] = ()


class Publisher(Protocol):
    def publish(self, figures: Sequence[Figure], at: datetime) -> None:
        """Makes them known outside."""


class Notifier(Protocol):
    def tell(self, target: On, message: Mapping[str, object]) -> None:
        """Tells one target once: `event`, `sentence`, `reason`, `harm` and so on. Raises Unreachable when it did not get it."""


class HookRunner(Protocol):
    """Runs the hooks of steps in the background."""

    def run(self, rollout: str, step: int, hook: Hook, facts: Mapping[str, str]) -> None:
        """Starts it; a second call while it runs or after it ended does nothing."""

    def seen(self, rollout: str, step: int) -> HookSeen | None:
        """How it stands; None when it was not started (or by a controller that is gone: it is started again)."""

    def forget(self, rollout: str) -> None:
        """Ends what runs for this rollout."""


# --- State ------------------------------------------------------------------------------------------------------------

TIDEGATE = "tidegate"
"""The actor of what no person did."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened, as it is written down with the change that it tells of. `actor` is a person or TIDEGATE."""

    kind: str
    subject: str
    why: str = ""
    rollout: str = ""
    actor: str = TIDEGATE
    facts: Mapping[str, object] = field(default_factory=dict)
    at: datetime | None = None  # when it happened; None: when it is written


@dataclass(frozen=True, slots=True)
class Event:
    """A `Told` with its place and time in history."""

    id: int
    at: datetime
    told: Told


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """A service as it was last applied. `stable` is the version that serves, "" before the first."""

    file: Service
    stable: str
    number: int  # of rollouts begun so far
    salt: str  # of the last rollout: it stays in force, so that nobody's side is computed anew for nothing

    @property
    def lever(self) -> str:
        return "traffic"


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """An environment of an application. `stable` is the number of the flag document in force as a text, "" before the first."""

    file: Environment
    stable: str
    number: int  # of rollouts begun so far
    salt: str

    @property
    def lever(self) -> str:
        return "flags"


Record = ServiceRecord | EnvironmentRecord
"""What rollouts are about. The engine asks the same of both; see core.environment.Released."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A flag document of an application under its number. It never changes. `text` is the canonical one (core/flags/codec)."""

    application: str
    number: int
    text: str
    digest: str
    created: datetime
    by: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Serials:
    """Serials of snapshots that nobody else gives out: from `first` up to `last`. `origin` is that of their count."""

    origin: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A task specification under its name. It never changes."""

    service: str
    version: str
    tasks: Tasks
    created: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Held:
    """A rollout as it was read, with the claim to write it: an old `revision` is refused."""

    rollout: Rollout
    revision: int
    harm: Harm = field(default_factory=Harm)
    watch: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """One event that one target is still to be told of."""

    id: int
    target: On
    message: Mapping[str, object]
    tries: int


class Store(Protocol):
    """What is remembered. Each writing verb is one transaction: the change and what is told of it, or nothing.

    All raise Unreachable when the database is busy, full or away.
    """

    @property
    def alone(self) -> bool:
        """Whether no other controller can share it: what we hold stays ours, also while it cannot be read."""

    def services(self) -> Sequence[ServiceRecord]: ...

    def service(self, name: str) -> ServiceRecord | None: ...

    def version(self, service: str, version: str) -> VersionRecord | None: ...

    def versions(self, service: str) -> Sequence[VersionRecord]: ...

    def apply(self, file: Service, now: datetime, told: Sequence[Told]) -> None:
        """Writes the service file; a new service gets its row."""

    def environments(self) -> Sequence[EnvironmentRecord]: ...

    def environment(self, subject: str) -> EnvironmentRecord | None: ...

    def configure(self, file: Environment, now: datetime, told: Sequence[Told]) -> None:
        """Writes the file of an environment; a new one gets its row."""

    def document(self, application: str, number: int) -> DocumentRecord | None: ...

    def documents(self, application: str, limit: int = 50) -> Sequence[DocumentRecord]:
        """Newest first."""

    def reserve_serials(self, subject: str, count: int) -> Serials:
        """So many serials, written down as used: they are never given out again."""

    def remove(self, service: str, now: datetime, told: Sequence[Told]) -> None:
        """Forgets the service and its versions, or the environment, and what its ended rollouts owe; history stays."""

    def memories(self) -> Mapping[str, str]:
        """What was remembered of each service."""

    def remember(self, memories: Mapping[str, str], now: datetime) -> None:
        """Writes what is remembered of these services; of one that is gone nothing is."""

    def begin(self, starts: Sequence[Start], now: datetime) -> Sequence[Held]:
        """Starts a rollout, or all parts of a release. Raises Conflict when another one goes forward, Stale when a superseded
        one was written."""

    def parts(self, release: str) -> Sequence[Held]:
        """The rollouts of a release, in the order of their ids; none when there is no such release."""

    def releases(self, limit: int | None = 50, *, name: str = "") -> Sequence[str]:
        """Releases, newest first; those whose ids begin with this name."""

    def claim(self, owner: str, now: datetime, lease: timedelta) -> Sequence[Held]:
        """All open rollouts that nobody else holds, oldest first; they are ours for two thirds of the lease at least. When
        the claim cannot be renewed, those that still bear our name."""

    def held(self, rollout: str) -> Held | None: ...

    def commit(self, changes: Sequence[Change], now: datetime, *, hurry: bool = False) -> Sequence[Held | Stale]:
        """Writes each change whose claim is still good, all in one transaction, and answers in the same order. In a hurry it
        waits for other writers only for a moment: it is tried again soon."""

    def history(self, subject: str | None = None, limit: int = 50, *, open_only: bool = False) -> Sequence[Held]:
        """Rollouts, newest first."""

    def events(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        rollout: str | None = None,
        subject: str | None = None,
        by: str | None = None,
        people: bool = False,
        limit: int = 1000,
        last: bool = False,
    ) -> Sequence[Event]:
        """Events in order; with `last` the newest `limit` of them. `by`: what this person did, from wherever: as `ann`, and as
        `ann (dashboard)`; `people`: what any person did."""

    def letters(self, now: datetime, limit: int = 20) -> Sequence[Letter]:
        """Letters that are due, of each rollout and target the oldest only: they arrive in order."""

    def delivered(self, letter: int, now: datetime) -> None:
        """It arrived, and is remembered."""

    def undelivered(self, letter: int, problem: str, due: datetime) -> None:
        """To be tried again at `due`."""

    def given_up(self, letter: int) -> None:
        """It is not tried any more."""


Letters = Sequence[tuple[On, Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class Start:
    """A rollout that begins: with its file, its version or document when that is new, and those that make way for it."""

    rollout: Rollout
    file: Service | Environment
    version: VersionRecord | DocumentRecord | None = None
    superseded: Sequence[Change] = ()
    told: Sequence[Told] = ()
    letters: Letters = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a held rollout. `stable` names the version that serves from now on, None when that stays."""

    held: Held
    rollout: Rollout
    harm: Harm
    watch: str | None = None  # None: as it was
    told: Sequence[Told] = ()
    letters: Letters = ()
    stable: str | None = None


class Jotter(Protocol):
    """A few words beside the store, for what cannot be written there now and must not be forgotten by who comes next."""

    def jotted(self) -> Mapping[str, str]:
        """By name. Without a text where there was no room for one."""

    def jot(self, name: str, text: str) -> None:
        """As well as it can be done: it never raises."""

    def strike(self, name: str) -> None:
        """Forgets it."""


# --- Levers -----------------------------------------------------------------------------------------------------------


class Lever(Protocol):
    """Moves exposure: the router with its tasks, or the flag snapshots of the agents. Knows nothing of rollouts."""

    @property
    def grain(self) -> Exposure:
        """The finest step of exposure that it can apply."""

    def look(self, now: datetime) -> None:
        """Looks once at everything; the verbs below tell what was seen."""

    def applied(self, subject: str) -> Applied: ...

    def readiness(self, subject: str, version: str) -> Readiness:
        """Whether this version could take traffic now."""

    def health(self, subject: str, version: str) -> TaskHealth | None:
        """None: cannot be seen, which is not healthy."""

    def gone(self, subject: str, version: str) -> bool:
        """Whether nothing of this version is left."""

    def apply(self, settings: Mapping[str, Setting], needs: frozenset[tuple[str, str]], now: datetime) -> None:
        """Makes these settings true for just these subjects, and keeps these (subject, version) ready. Repeatable;
        returns without waiting for the effect. What is refused is told by `readiness`."""
