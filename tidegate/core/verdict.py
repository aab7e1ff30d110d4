"""The verdict: what all guards together say of the candidate at this moment.

bad      one guard that may roll back says so, or the hard gate does
unknown  nobody says bad, and somebody could not judge (the cause decides what follows)
good     everybody could look, and nobody complains
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Judgement(StrEnum):
    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why nothing can be said."""

    BLIND = "blind"  # the source did not answer: never zero, never good
    HELD = "held"  # something is wrong that is not the candidate's: do not grow into it
    NO_DATA = "no_data"  # it answered: nothing there


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` is one sentence without volatile figures: it tells apart one reason from another."""

    judgement: Judgement
    why: str = ""
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class GuardSeen:
    """One guard at this moment, as it is shown and recorded.

    `state`: ok, firing, no_data, blind, held, not_armed, not_applicable. `figure` and `limit` are written with their units.
    """

    name: str
    state: str
    figure: str = ""
    limit: str = ""
    why: str = ""
    query: str = ""
    value: float | None = None
    rollback: bool = True


@dataclass(frozen=True, slots=True)
class TaskHealth:
    """How many of a side's tasks are healthy. None in its place: cannot be seen."""

    wanted: int
    healthy: int
    hurt: int = 0  # were healthy and are not any more, or gave up
    why: str = ""
    youngest: datetime | None = None  # when its youngest task was started; None when nobody knows

    @property
    def sound(self) -> bool:
        return self.healthy > 0 and 2 * self.healthy >= self.wanted


GOOD = Verdict(Judgement.GOOD)


def bad(why: str) -> Verdict:
    return Verdict(Judgement.BAD, why)


def unknown(cause: Cause, why: str) -> Verdict:
    return Verdict(Judgement.UNKNOWN, why, cause)


def hard_gate(
    *,
    candidate: TaskHealth | None,
    baseline: TaskHealth | None,
    ejected_hard: int,
    ejected_soft: int,
    out_of_patience: bool = False,
) -> Verdict:
    """What needs no metric: tasks that fail their checks, and endpoints that the router ejected.

    Only while the baseline is sound: when both sides fail alike, the reason is elsewhere. Ejection for status 5xx only
    holds, for a shared outage ejects the candidate too; until that has lasted for the plan's patience while the baseline
    answered well (`out_of_patience`): whom nobody can reach, nobody can judge.
    """
    sound = baseline is not None and baseline.sound
    if ejected_hard and sound:
        return bad("the router ejected candidate tasks for refused or broken connections while the baseline is sound")
    if candidate is None:
        return unknown(Cause.BLIND, "the candidate's tasks cannot be seen")
    if candidate.hurt and sound:
        return bad(f"candidate tasks are unhealthy while the baseline is sound ({candidate.why})")
    if (candidate.hurt or ejected_hard) and baseline is None:
        return unknown(Cause.BLIND, "candidate tasks are unhealthy, and the baseline's tasks cannot be seen")
    if candidate.hurt or ejected_hard:
        return unknown(Cause.HELD, "candidate tasks are unhealthy, and so is the baseline")
    if ejected_soft and sound and out_of_patience:
        return bad("the router keeps candidate tasks ejected for status 5xx while the baseline answers well")
    if ejected_soft:
        return unknown(Cause.HELD, "the router ejected candidate tasks for status 5xx: nobody reaches them just now")
    return GOOD


def combine(gate: Verdict, guards: Sequence[GuardSeen]) -> Verdict:
    """Bad beats blind beats held beats no data beats good; the first of its kind is named."""
    verdicts = [gate, *(_verdict_of(guard) for guard in guards if guard.rollback)]
    return min(verdicts, key=_rank)


_SAID = {Cause.BLIND: "its source does not answer", Cause.HELD: "on hold", Cause.NO_DATA: "not enough data"}
_CONTENT = ("ok", "not_armed", "not_applicable")


def _verdict_of(guard: GuardSeen) -> Verdict:
    if guard.state == "firing":
        return bad(f"{guard.name}: {guard.why or guard.limit}")
    for cause, said in _SAID.items():
        if guard.state == cause.value:
            return unknown(cause, f"{guard.name}: {said}")
    # A state that nobody knows says nothing about the candidate, least of all that it is good.
    return GOOD if guard.state in _CONTENT else unknown(Cause.BLIND, f"{guard.name}: its state {guard.state!r} is not known")


def _rank(verdict: Verdict) -> int:
    match verdict.judgement, verdict.cause:
        case Judgement.BAD, _:
            return 0
        case Judgement.GOOD, _:
            return 4
        case _, Cause.HELD:
            return 2
        case _, Cause.NO_DATA:
            return 3
        case _:
            return 1
