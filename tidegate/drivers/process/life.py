"""The life of one task. Pure: gets the record, what was seen and the time, and returns the next record.

    starting -> healthy <-> unhealthy      while its process lives, by its health check
    any of them -> dead                    its process ended; started again after a back-off
    starting -> failed                     ended three times, or not healthy within start_within, and never healthy before
    any -> stopping -> gone                not wanted any more: drain, SIGTERM, SIGKILL

* The back-off doubles from 0.5 s to 30 s with each death in a row, and begins anew after half a minute of health.
* Failed is given up, but not for ever: it is tried again every minute, so a database that was away at boot does not keep
  a service down until somebody comes.
* A task that once was healthy is never given up: it is started again for as long as it is wanted.
* A task that never got a request needs no drain, and little time before SIGKILL.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from tidegate.core.duration import say_duration
from tidegate.drivers.process.record import Ending, Record
from tidegate.ports import TaskState

STARTS = 3
"""Ends in a row before it was ever healthy that are enough."""
STEADY = 30.0
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
SECOND_CHANCE = 60.0
LEAST_GRACE = 1.0
"""Between SIGTERM and SIGKILL, also for a drain of 0."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the health check found. None: not decided yet. `checks` counts the answers, good or bad, of this start."""

    healthy: bool | None = None
    why: str = ""
    checks: int = 0


def judged(record: Record, verdict: Verdict, start_within: timedelta, clock: float) -> Record:
    """The record after a look at a living task."""
    match record.state, verdict.healthy:
        case TaskState.STARTING | TaskState.UNHEALTHY | TaskState.FAILED, True if record.ending is None:
            return replace(record, state=TaskState.HEALTHY, since=clock, early=0, proven=True, why="")
        case TaskState.HEALTHY, False:
            return replace(record, state=TaskState.UNHEALTHY, since=clock, why=verdict.why)
        case TaskState.UNHEALTHY, False if record.why != verdict.why:
            return replace(record, why=verdict.why)
        case TaskState.STARTING, _ if verdict.checks and clock - record.since > start_within.total_seconds():
            return late(record, verdict, start_within, clock)
    return record


def late(record: Record, verdict: Verdict, start_within: timedelta, clock: float) -> Record:
    """Not healthy in time. A target is only told of; a process is ended, and the task given up or tried again."""
    why = f"not healthy within {say_duration(start_within)} of its start: {verdict.why or 'it did not answer'}"
    if not record.managed:
        return replace(record, state=TaskState.FAILED, since=clock, why=why)
    state = TaskState.DEAD if record.proven else TaskState.FAILED
    return replace(record, state=state, since=clock, deaths=record.deaths + 1, ending=Ending.TERM, why=why)


def ended(record: Record, how: str, last_words: str, clock: float) -> Record:
    """The record after its process was seen gone, by itself or at our wish."""
    if record.ending is not None or record.state in (TaskState.DEAD, TaskState.FAILED):
        return replace(record, process=None, ending=None)
    steady = record.state is TaskState.HEALTHY and clock - record.since >= STEADY
    deaths = 1 if steady else record.deaths + 1
    early = record.early + 1 if record.state is TaskState.STARTING else 0
    gone = replace(record, process=None, since=clock, deaths=deaths, early=early)
    words = f"; its last words: {last_words}" if last_words else ""
    if early < STARTS or record.proven:
        return replace(gone, state=TaskState.DEAD, why=f"it ended {how}{words}")
    return replace(gone, state=TaskState.FAILED, why=f"it ended {how}, {early} times before it was ever healthy{words}")


def impossible(record: Record, why: str, clock: float) -> Record:
    """The command cannot be run at all."""
    return replace(
        record, state=TaskState.FAILED, since=clock, process=None, why=why, deaths=record.deaths + 1, early=record.early + 1
    )


def unstarted(record: Record, why: str, clock: float) -> Record:
    """The machine could not start it now; that is no fault of the command."""
    return replace(record, state=TaskState.DEAD, since=clock, process=None, why=why, deaths=record.deaths + 1)


def unwanted(record: Record, clock: float, hurry: bool = False) -> Record:
    """The first step to the end. In a hurry nothing is drained, and what drains already stops to."""
    if record.ending in (Ending.TERM, Ending.KILL):
        return replace(record, state=TaskState.STOPPING)
    if record.ending is Ending.DRAIN and not hurry:
        return record
    serves = record.state in (TaskState.HEALTHY, TaskState.UNHEALTHY, TaskState.STOPPING)
    drain = 0.0 if hurry or not serves else record.drain
    return replace(record, state=TaskState.STOPPING, since=clock, ending=Ending.DRAIN, drain=drain, why="")


def wanted_again(record: Record, clock: float) -> Record:
    """It was only draining: the same process serves on. Its check goes on and corrects this if need be."""
    return replace(record, state=TaskState.HEALTHY, since=clock, ending=None)


def next_ending(record: Record, clock: float) -> Ending | None:
    """The phase that is due after the present one, or None while it goes on."""
    passed = clock - record.since
    match record.ending:
        case Ending.DRAIN if passed >= record.drain:
            return Ending.TERM
        case Ending.TERM if passed >= max(record.drain, LEAST_GRACE):
            return Ending.KILL
        case Ending.KILL if passed >= LEAST_GRACE:
            return Ending.KILL  # once more, for a child that was born meanwhile
    return None


def taken_over(record: Record, clock: float) -> Record:
    """As the next controller finds it: a start that was meant and that nobody finds has to be made again."""
    if not record.managed or record.process is not None or record.state is not TaskState.STARTING:
        return record
    return replace(record, state=TaskState.DEAD, since=clock, why="its start was interrupted")


def due(record: Record, clock: float) -> bool:
    """Whether a task that ended is to be started again now."""
    match record.state:
        case TaskState.DEAD:
            return clock - record.since >= backoff(record.deaths)
        case TaskState.FAILED:
            return clock - record.since >= SECOND_CHANCE
    return False


def backoff(deaths: int) -> float:
    return min(FIRST_BACKOFF * 2.0 ** max(deaths - 1, 0), LONGEST_BACKOFF) if deaths < 10 else LONGEST_BACKOFF
