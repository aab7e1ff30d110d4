"""How many requests each side of a service answered, as CloudWatch tells it. The pilot never waits for it.

Both sides are asked for in one call, in whole periods. Where the counting stands is kept in a jot, so that a controller that
died neither forgets nor counts twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from tidegate.core import told_counts
from tidegate.core.period import begin_of, period_at
from tidegate.core.platform import Ecs, OwnCounts
from tidegate.core.tally import Tally
from tidegate.core.told_counts import Standing, Told, ToldCounts
from tidegate.drivers.aws import alb_seen
from tidegate.drivers.aws.alb_seen import Quiet, Seen, Side
from tidegate.drivers.aws.call import Caller
from tidegate.drivers.aws.cloudwatch import CloudWatch
from tidegate.ports import Jotter, Query, RouterReading, ServiceReading, Slot

QUIETLY = timedelta(minutes=1)
"""How often it is asked while nothing is released: each question costs money, and the periods are kept."""
PATIENCE = timedelta(seconds=30)
"""How long CloudWatch may owe an answer before that is blindness."""


class Counting:
    """One service. `ask` is called in a thread of its own, the rest by the loop and the pilot."""

    def __init__(self, subject: str, ecs: Ecs, caller: Callable[[], Caller], jotter: Jotter | None = None) -> None:
        self._subject = subject
        self._ecs = ecs
        self._cloudwatch = CloudWatch(caller)
        self._jotter = jotter
        self._counts: ToldCounts | None = None
        self._answered: datetime | None = None
        self._began: datetime | None = None
        self._cadence = QUIETLY

    # --- asking -------------------------------------------------------------------------------------------------------

    def ask(self, seen: Seen, now: datetime) -> bool:
        """Asks when another period is whole; whether it did. Raises TidegateError."""
        by = self._ecs.counted_by
        stable = seen.tags.get(alb_seen.STABLE, "")
        if by is None or not stable:
            return False
        standing = Standing(stable, seen.tags.get(alb_seen.SLOT, ""))
        self._began = self._began or now
        counts = (self._counts or self._restored(by, now)).seen(standing, now)
        self._cadence = by.period if _is_moving(standing, seen) else max(by.period, QUIETLY)
        self._counts = counts
        waited = self._answered is None or now - self._answered >= self._cadence
        if not (counts.is_due(now) and waited) and self._answered is not None:
            return False
        answers = self._figures(by, counts, seen, now)
        self._counts = counts.told(answers, standing, now)
        self._answered = now
        if self._jotter is not None:
            self._jotter.jot(self._subject, told_counts.dump(self._counts))
        return True

    def check(self, seen: Seen, now: datetime) -> None:
        """Asks once, to see that it may be asked. Raises TidegateError."""
        by = self._ecs.counted_by
        if by is not None:
            number = period_at(now - by.late, by.period)
            queries = queries_of(self._ecs, by, seen.sides[0])
            self._cloudwatch.figures(queries, begin_of(number - 1, by.period), begin_of(number, by.period))

    def _restored(self, by: OwnCounts, now: datetime) -> ToldCounts:
        """Goes on where the last controller stood, unless that counted something else, or is too long ago."""
        name = f"{by.requests} {by.failed}"
        kept = self._jotter.jotted().get(self._subject, "") if self._jotter is not None else ""
        with suppress(ValueError):
            counts = told_counts.load(kept)
            if (counts.by, counts.period, counts.late) == (name, by.period, by.late) and not counts.is_outdated(now):
                return counts
        return told_counts.begin(epoch=uuid.uuid4().hex, by=name, period=by.period, late=by.late, now=now)

    def _figures(self, by: OwnCounts, counts: ToldCounts, seen: Seen, now: datetime) -> Mapping[str, Mapping[int, Told]]:
        sides = [side for side in seen.sides if side.version and side is seen.of(side.version)]
        queries = {side.version: queries_of(self._ecs, by, side) for side in sides}
        every = list(dict.fromkeys(query for mine in queries.values() for query in mine))
        begin, end = (begin_of(number, by.period) for number in (counts.oldest, max(counts.until, counts.settled(now))))
        found = self._cloudwatch.figures(every, begin, end) if every else {}
        return {version: _told([found.get(query, {}) for query in mine], by.period) for version, mine in queries.items()}

    # --- what is known ------------------------------------------------------------------------------------------------

    def reading(self, now: datetime) -> RouterReading | None:
        """None while nobody knows."""
        counts, by = self._counts, self._ecs.counted_by
        if counts is None or by is None or self._is_blind(now):
            return None
        tallies = {
            (Slot(slot), version): Tally(begun=requests, finished=requests, failed=failed)
            for slot, mine in counts.totals.items()
            for version, (requests, failed) in mine.items()
        }
        # The load balancer tries nothing again: what fails on the candidate, its users see.
        seen = sum(tally.failed for (slot, _), tally in tallies.items() if slot is Slot.CANDIDATE)
        mine = ServiceReading(tallies, seen_failures=seen, every=by.period, by_chance=True)
        return RouterReading(counts.epoch, {self._subject: mine})

    def quiet(self, now: datetime) -> Quiet | None:
        """Until when it is counted, and when each version answered somebody last; None while nobody knows."""
        counts = self._counts
        if counts is None or self._answered is None or self._is_blind(now):
            return None
        return Quiet(counts.counted_until, {v: at for v in counts.last if (at := counts.answered_last(v))}, counts.period)

    def _is_blind(self, now: datetime) -> bool:
        since = self._answered or self._began
        return self._answered is None or (since is not None and now - since > self._cadence + PATIENCE)


def _is_moving(standing: Standing, seen: Seen) -> bool:
    """Whether somebody but the stable side may answer users."""
    stable = seen.of(standing.stable)
    return standing.slot not in ("", standing.stable) or stable is None or not seen.other(stable).is_empty


def queries_of(ecs: Ecs, by: OwnCounts, side: Side) -> tuple[Query, ...]:
    """Of all requests, and of those that failed."""
    values = {**dimensions(ecs, side), "version": side.version or "-"}
    return tuple(Query(metric, "sum", by.period) for metric in by.metrics(values))


def dimensions(ecs: Ecs, side: Side) -> dict[str, str]:
    """What CloudWatch calls the target group of this side, and the load balancer."""
    balancer = ecs.listener_rule.partition("listener-rule/")[2].rsplit("/", 2)[0]
    return {"target_group": side.target_group.rpartition(":")[2], "load_balancer": balancer}


def _told(figures: list[Mapping[datetime, float]], period: timedelta) -> dict[int, Told]:
    """By period: requests, and how many failed, never more than there were."""
    sums = [{period_at(at, period): round(value) for at, value in one.items()} for one in figures]
    requests, failed = sums
    numbers = requests.keys() | failed.keys()
    return {number: (max(requests.get(number, 0), failed.get(number, 0)), failed.get(number, 0)) for number in numbers}
