"""The harm account of a rollout: who was exposed, what failed, what users saw, from when to when, and how fast we were.

It is added up tick by tick from the differences of the router's counts, and written down in the same transaction as the
rollout, so that a restart neither forgets nor counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.core.exposure import NONE, Exposure
from tidegate.core.tally import Tally


@dataclass(frozen=True, slots=True)
class Harm:
    """Counts since the rollout began. Times are those of the looks, hence exact to one tick."""

    requests: int = 0  # attempts begun on the candidate for users
    finished: int = 0
    failed: int = 0  # attempts that failed on the candidate
    seen: int = 0  # failures that users saw: no retry on the baseline rescued them
    baseline_requests: int = 0  # finished on the baseline meanwhile, to compare with
    baseline_failed: int = 0
    most: Exposure = NONE  # the largest exposure that was applied
    first: datetime | None = None  # first and last look that found a failed attempt
    last: datetime | None = None
    detected: datetime | None = None  # when going back was decided
    stopped: datetime | None = None  # when exposure zero was seen

    @property
    def rate(self) -> float | None:
        return self.failed / self.finished if self.finished else None

    @property
    def baseline_rate(self) -> float | None:
        return self.baseline_failed / self.baseline_requests if self.baseline_requests else None

    @property
    def rescued(self) -> int:
        return max(0, self.failed - self.seen)

    @property
    def time_to_detect(self) -> timedelta | None:
        """From the first failed attempt to the decision."""
        return self.detected - self.first if self.detected and self.first and self.detected >= self.first else None

    @property
    def time_to_act(self) -> timedelta | None:
        """From the decision to exposure zero seen."""
        return self.stopped - self.detected if self.detected and self.stopped else None


def add_counts(harm: Harm, *, candidate: Tally, baseline: Tally, seen_failures: int, at: datetime) -> Harm:
    """Adds what was counted since the last look."""
    failing = candidate.failed > 0
    return replace(
        harm,
        requests=harm.requests + candidate.begun,
        finished=harm.finished + candidate.finished,
        failed=harm.failed + candidate.failed,
        seen=harm.seen + seen_failures,
        baseline_requests=harm.baseline_requests + baseline.finished,
        baseline_failed=harm.baseline_failed + baseline.failed,
        first=harm.first or (at if failing else None),
        last=at if failing else harm.last,
    )
