"""Requests that were begun and are not finished: a candidate that hangs must not be a candidate without data.

The router counts what is finished with its latency, and what is begun without a name. So nobody knows *which* requests wait.
But of those that were unfinished at an earlier look, only so many can have been finished since as were finished since and took
long enough. The rest waits still, and is at least as old as that look:

    older(s) >= begun(s) - finished(s) - those finished after s that may have begun before s

Of the first interval after s that may be all that were finished; of later ones only those whose latency reaches back to s. This
is never less than begun(s) - finished(now), and unlike that it also sees a part of the requests hang in a stream of others.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import datetime

from tidegate.core.latency import Latencies, bin_of, upper_edge
from tidegate.core.tally import Tally

SLOW = 0.2
"""Seconds. Latencies below are not kept by their bins: looks are assumed to be further from each other than that."""
SLACK = 0.1
"""How many seconds later than it says a look may have read the counts."""
FINE = 5.0
"""Looks of the last seconds are kept one by one, older ones ever more sparsely."""
STREAM = 300.0
"""What is unfinished for longer is taken for a stream (a WebSocket, a long download) and not for a slow request."""
OLDEST = 2 * STREAM
"""Marks before are left out."""
MOST = 64
_SPARSE = 0.15
_SLOW_BIN = bin_of(SLOW * 1e6)


@dataclass(frozen=True, slots=True)
class Mark:
    """Begun and finished at one look, and the slow ones among those finished since the mark before."""

    at: float  # seconds since 1970: they are compared by the thousand at every tick
    begun: int
    finished: int
    slow: Latencies = field(default_factory=Latencies)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The marks of one side, oldest first. It begins anew with each epoch of the router."""

    marks: tuple[Mark, ...] = ()

    def look(self, at: datetime, *, total: Tally, grown: Tally) -> Waiting:
        """Adds a look. `total` is all that the router has counted in this epoch, `grown` what came since the last look."""
        now = at.timestamp()
        if self.marks and now <= self.marks[-1].at:
            return self
        slow = Latencies({bin_: count for bin_, count in grown.latency.bins.items() if bin_ >= _SLOW_BIN})
        marks = (*self.marks, Mark(now, total.begun, total.finished, slow))
        return Waiting(marks if len(marks) <= MOST else _thinned(marks))

    def ages(self) -> Latencies:
        """How many requests surely wait at the last look, each in the bin of the age that it surely has; without streams."""
        bins: dict[int, int] = {}
        told = 0
        for place, mark in enumerate(self.marks[:-1]):
            if mark.begun - mark.finished <= told:
                continue  # it cannot tell of more than are known already
            older, age = self._older_than(place), self.marks[-1].at - mark.at
            if older > told and age <= STREAM:
                bins[bin_of(age * 1e6)] = bins.get(bin_of(age * 1e6), 0) + older - told
            told = max(told, older)
        return Latencies(bins)

    def _older_than(self, place: int) -> int:
        """How many of those that were unfinished at this mark surely are so still."""
        mark = self.marks[place]
        waiting = mark.begun - mark.finished
        before = mark
        for after in self.marks[place + 1 :]:
            waiting -= _may_reach_back(before, after, before.at - mark.at - SLACK)
            if waiting <= 0:
                return 0
            before = after
        return waiting


def _may_reach_back(before: Mark, after: Mark, span: float) -> int:
    """How many of those finished between two marks may have begun so many seconds before the first of the two."""
    if span < SLOW:
        return after.finished - before.finished
    if not after.slow.bins:
        return 0
    return sum(count for bin_, count in after.slow.bins.items() if upper_edge(bin_) > span * 1e6)


def _thinned(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Leaves out marks so that they get sparser with their age; what was slow then goes to the next one."""
    now = marks[-1].at
    kept: list[Mark] = []
    carried = Latencies()
    for mark, following in itertools.pairwise(marks):
        slow = mark.slow.plus(carried)
        age = now - mark.at
        if age > OLDEST:
            carried = Latencies()
        elif kept and age > FINE and following.at - kept[-1].at <= _SPARSE * age:
            carried = slow
        else:
            kept.append(replace(mark, slow=slow))
            carried = Latencies()
    return (*kept, replace(marks[-1], slow=marks[-1].slow.plus(carried)))


def quantile(finished: Latencies, waiting: Latencies, share: float) -> float | None:
    """The quantile in microseconds when those that wait count as at least as slow as they are old.

    One that waits for less than what the finished ones took says nothing yet, so it only counts where it makes it slower.
    """
    known = finished.quantile(share)
    if known is None:
        return waiting.quantile(share)
    slower = Latencies({bin_: count for bin_, count in waiting.bins.items() if upper_edge(bin_) > known})
    return max(known, finished.plus(slower).quantile(share) or known)
