"""Requests of each side as a growing count, from the sums of whole periods that a metrics service tells.

1.  A period is counted once its end is `late` old: for both sides at the same look, so that they are of the same moments.
2.  What is told of it afterwards, and is more, is added when it comes. Nothing is ever taken away.
3.  What was answered by a version in a period in which it was in the slot is the candidate's, also when it is told later.
    So is what a version answers that is neither in the slot nor the stable one: users who are pinned to it.
4.  It is written down with the place where it stands: a controller that was away goes on from there, for the periods are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from tidegate.core.counts import CANDIDATE, STABLE
from tidegate.core.period import end_of, period_at

KEPT = 5
"""For how many times `late` a period may still grow."""
LONGEST_AWAY = timedelta(hours=2)
"""Whoever was away for longer begins anew: CloudWatch keeps periods of less than a minute for three hours."""

Told = tuple[int, int]
"""Requests, and how many of them failed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Which versions are stable and in the slot, as the router shows it now."""

    stable: str
    slot: str = ""


@dataclass(frozen=True, slots=True)
class ToldCounts:
    """`until` is the first period that is not counted yet. `taken` is what was counted of the last periods, by version."""

    epoch: str
    by: str
    """Whose counts these are: others are not added to them."""
    period: timedelta
    late: timedelta
    until: int
    taken: Mapping[str, Mapping[int, Told]] = field(default_factory=dict)
    in_slot: Mapping[int, str] = field(default_factory=dict)
    totals: Mapping[str, Mapping[str, Told]] = field(default_factory=dict)
    """By slot and version."""
    last: Mapping[str, int] = field(default_factory=dict)
    """The last period in which a version answered somebody."""

    @property
    def oldest(self) -> int:
        """The first period that may still grow."""
        return self.until - max(2, -(-KEPT * self.late // self.period))

    @property
    def counted_until(self) -> datetime:
        return end_of(self.until - 1, self.period)

    def answered_last(self, version: str) -> datetime | None:
        """The end of the last period in which it answered somebody; None when it has not since this began."""
        return end_of(self.last[version], self.period) if version in self.last else None

    def settled(self, now: datetime) -> int:
        """The first period that is not whole yet."""
        return period_at(now - self.late, self.period)

    def is_due(self, now: datetime) -> bool:
        """Whether another period is whole."""
        return self.settled(now) > self.until

    def is_outdated(self, now: datetime) -> bool:
        return now - self.counted_until > LONGEST_AWAY or self.counted_until > now

    def seen(self, standing: Standing, now: datetime) -> ToldCounts:
        """Notes who is in the slot now."""
        number = period_at(now, self.period)
        if not standing.slot or self.in_slot.get(number) == standing.slot:
            return self
        kept = {other: version for other, version in self.in_slot.items() if other >= self.oldest}
        return replace(self, in_slot={**kept, number: standing.slot})

    def told(self, answers: Mapping[str, Mapping[int, Told]], standing: Standing, now: datetime) -> ToldCounts:
        """After an answer about the periods since `oldest`, by version. A version that is not in it was not asked for."""
        until, after = max(self.until, self.settled(now)), self
        for version, figures in answers.items():
            for number in range(self.oldest, until):
                if told := figures.get(number):
                    after = after._add(version, number, told, standing, is_new=version not in self.taken)
        after = replace(after, until=until)
        oldest = after.oldest
        taken = {
            version: {number: told for number, told in after.taken.get(version, {}).items() if number >= oldest}
            for version in answers
        }
        return replace(after, taken=taken)

    def _add(self, version: str, number: int, told: Told, standing: Standing, *, is_new: bool) -> ToldCounts:
        mine = self.taken.get(version, {})
        taken = {**self.taken, version: {**mine, number: told}}
        if is_new and number < self.until:  # before this began, or what somebody else answered on this side
            return replace(self, taken=taken)
        requests, failed = mine.get(number, (0, 0))
        grown = max(0, told[0] - requests), max(0, told[1] - failed)
        if not any(grown):
            return self
        slot = _slot_of(version, self.in_slot.get(number, standing.slot), standing)
        counted = self.totals.get(slot, {}).get(version, (0, 0))
        total = counted[0] + grown[0], counted[1] + grown[1]
        return replace(
            self,
            taken=taken,
            totals={**self.totals, slot: {**self.totals.get(slot, {}), version: total}},
            last={**self.last, version: max(number, self.last.get(version, number))},
        )


def _slot_of(version: str, in_slot: str, standing: Standing) -> str:
    """Rule 3."""
    return CANDIDATE if version == in_slot or version != standing.stable else STABLE


def begin(*, epoch: str, by: str, period: timedelta, late: timedelta, now: datetime) -> ToldCounts:
    """Counts what is whole from now on."""
    return ToldCounts(epoch, by, period, late, period_at(now - late, period))


def dump(told: ToldCounts) -> str:
    return _adapter.dump_json(told).decode()


def load(text: str) -> ToldCounts:
    """Raises ValueError for what `dump` did not write."""
    return _adapter.validate_json(text)


_adapter: TypeAdapter[ToldCounts] = TypeAdapter(ToldCounts)
