"""What is known of one task, and what is written down of it so that the next controller can go on.

Frozen: every change makes a new record, and the changed one is saved before or right after the act that it tells.
Times are seconds on the patient clock (clock.py), never of the wall.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.drivers.process.identity import Identity
from tidegate.ports import Task, TaskState

Group = tuple[str, str]  # service, version
Key = tuple[str, str]  # service, task id: two services may have tasks of one name, as a-b-1 does


class Ending(StrEnum):
    """How far the end of a task has come. The order is the order of the phases."""

    DRAIN = "drain"  # gets no new requests, finishes those it has
    TERM = "term"  # was asked to end
    KILL = "kill"  # was killed; gone as soon as the kernel says so


@dataclass(frozen=True, slots=True)
class Record:
    """One task. `managed` is False for targets, which somebody else runs: they are watched and never ended."""

    id: str
    service: str
    version: str
    number: int
    host: str
    port: int
    state: TaskState
    since: float  # when state or ending was entered
    managed: bool = True
    instance: str = ""  # this start's mark in the environment
    process: Identity | None = None  # None before the spawn was noted, and after the end was seen
    started: datetime | None = None
    restarts: int = 0
    deaths: int = 0  # in a row, for the back-off
    early: int = 0  # deaths in a row before it was healthy
    proven: bool = False  # was healthy at least once
    retiring: bool = False  # to be replaced by a new one beside it
    ending: Ending | None = None
    drain: float = 0.0  # seconds; as the service said when it was started
    why: str = ""

    @property
    def key(self) -> Key:
        return self.service, self.id

    @property
    def group(self) -> Group:
        return self.service, self.version

    @property
    def serves(self) -> bool:
        return self.state is TaskState.HEALTHY

    @property
    def stopping(self) -> bool:
        return self.state is TaskState.STOPPING

    def task(self) -> Task:
        """The same as everybody else sees it."""
        return Task(
            id=self.id,
            service=self.service,
            version=self.version,
            state=self.state,
            host=self.host,
            port=self.port,
            pid=self.process.pid if self.process else None,
            started=self.started,
            restarts=self.restarts,
            why=self.why,
        )


def task_id(service: str, version: str, number: int) -> str:
    return f"{service}-{version}-{number}"
