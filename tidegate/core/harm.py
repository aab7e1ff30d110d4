"""The harm account of a rollout: who was exposed, what failed, what users saw, from when to when, and how fast we were.

It is not added up, it is computed: what the router counts now, less what it had counted when the rollout began. So a restart
of the controller neither forgets nor counts twice. When the router itself was restarted (a new epoch), what was counted until
then is kept, and the new epoch counts from zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidegate.core.exposure import NONE, Exposure
from tidegate.core.tally import Tally


@dataclass(frozen=True, slots=True)
class Counted:
    """Attempts of both sides. `seen`: failures that users in the candidate's slot saw, for no retry rescued them."""

    requests: int = 0  # begun on the candidate
    finished: int = 0
    failed: int = 0
    seen: int = 0
    baseline_finished: int = 0
    baseline_failed: int = 0

    @classmethod
    def of(cls, candidate: Tally, baseline: Tally, seen: int) -> Counted:
        return cls(candidate.begun, candidate.finished, candidate.failed, seen, baseline.finished, baseline.failed)

    def plus(self, other: Counted) -> Counted:
        return Counted(
            self.requests + other.requests,
            self.finished + other.finished,
            self.failed + other.failed,
            self.seen + other.seen,
            self.baseline_finished + other.baseline_finished,
            self.baseline_failed + other.baseline_failed,
        )

    def minus(self, other: Counted) -> Counted:
        return Counted(
            max(0, self.requests - other.requests),
            max(0, self.finished - other.finished),
            max(0, self.failed - other.failed),
            max(0, self.seen - other.seen),
            max(0, self.baseline_finished - other.baseline_finished),
            max(0, self.baseline_failed - other.baseline_failed),
        )


@dataclass(frozen=True, slots=True)
class Harm:
    """Times are those of the looks, hence exact to one tick."""

    counted: Counted = field(default_factory=Counted)  # since the rollout began
    most: Exposure = NONE  # the largest exposure that was applied
    first: datetime | None = None  # first and last look that found a new failed attempt, or more slow requests
    last: datetime | None = None
    detected: datetime | None = None  # when going back was decided
    stopped: datetime | None = None  # when exposure zero was seen
    epoch: str = ""  # of the router's counts
    mark: Counted = field(default_factory=Counted)  # what the router had counted when this epoch began for us
    before: Counted = field(default_factory=Counted)  # what was counted in earlier epochs
    slow: int = 0  # about how many were slower than they would have been on the baseline, beyond what chance does

    @property
    def rate(self) -> float | None:
        return self.counted.failed / self.counted.finished if self.counted.finished else None

    @property
    def baseline_rate(self) -> float | None:
        counted = self.counted
        return counted.baseline_failed / counted.baseline_finished if counted.baseline_finished else None

    @property
    def rescued(self) -> int:
        """Failed attempts that a retry on the baseline made good."""
        return max(0, self.counted.failed - self.counted.seen)

    @property
    def time_to_detect(self) -> timedelta | None:
        """From the first failed attempt or slow request to the decision."""
        return self.detected - self.first if self.detected and self.first and self.detected >= self.first else None

    @property
    def time_to_act(self) -> timedelta | None:
        """From the decision to exposure zero seen."""
        return self.stopped - self.detected if self.detected and self.stopped else None


def look_at(harm: Harm, *, epoch: str, counts: Counted, at: datetime) -> Harm:
    """The account after a look at the router's counts."""
    if not harm.epoch:
        harm = replace(harm, epoch=epoch, mark=counts)
    elif harm.epoch != epoch:
        harm = replace(harm, epoch=epoch, mark=Counted(), before=harm.counted)
    counted = harm.before.plus(counts.minus(harm.mark))
    failing = counted.failed > harm.counted.failed
    first, last = (harm.first or at, at) if failing else (harm.first, harm.last)
    return replace(harm, counted=counted, first=first, last=last)


def note_slow(harm: Harm, *, slow: int, at: datetime) -> Harm:
    """The account after a look at how slow the candidate is."""
    if slow > harm.slow:
        harm = replace(harm, first=harm.first or at, last=at)
    return replace(harm, slow=slow)


def note_exposure(harm: Harm, *, applied: Exposure | None, going_back: bool, at: datetime) -> Harm:
    """The account after a look at what is applied. Unseen exposure (None) is neither more nor zero."""
    if applied is not None and applied > harm.most:
        harm = replace(harm, most=applied)
    if going_back and harm.detected is None:
        harm = replace(harm, detected=at)
    if going_back and harm.stopped is None and applied == NONE:
        harm = replace(harm, stopped=at)
    return harm
