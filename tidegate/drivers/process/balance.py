"""How many tasks of one group to start and which to end. Pure.

Rules:
1. As many as `count` that do not retire, no more. Too many: those that do not serve go first, then the youngest numbers.
2. A retiring task is replaced: the new one starts beside it, at most one more than `count` at a time, and an old one goes
   only when a new one serves in its place and `count` serve without it. Old ones that do not serve go first.
3. A new one that cannot become healthy stops the replacement there; the old ones go on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tidegate.drivers.process.record import Ending, Record
from tidegate.ports import TaskState


@dataclass(frozen=True, slots=True)
class Balance:
    start: int = 0
    revive: tuple[Record, ...] = ()
    end: tuple[Record, ...] = ()


CALM = Balance()


def balance(records: Collection[Record], count: int) -> Balance:
    """`records` are all that exist of the group, also those that are stopping."""
    live = [record for record in records if record.state is not TaskState.STOPPING]
    old = [record for record in live if record.retiring]
    if len(live) == count and not old:
        return CALM
    fresh = [record for record in live if not record.retiring]
    if len(fresh) > count:
        return Balance(end=tuple(sorted(fresh, key=_first_to_go)[: len(fresh) - count]))
    missing = min(count - len(fresh), count + 1 - len(live))
    if old:
        waits = any(not record.serves for record in fresh)
        missing = min(missing, max(count - len(live), 0)) if waits else missing
    revive = _draining(records)[: max(missing, 0)]
    return Balance(start=max(missing, 0) - len(revive), revive=tuple(revive), end=_dispensable(live, old, count))


def _first_to_go(record: Record) -> tuple[bool, int]:
    return record.serves, -record.number


def _draining(records: Collection[Record]) -> list[Record]:
    """Those that were told nothing yet but to finish: they may as well stay."""
    return [record for record in records if record.stopping and record.ending is Ending.DRAIN and not record.retiring]


def _dispensable(live: list[Record], old: list[Record], count: int) -> tuple[Record, ...]:
    """The old ones whose place is taken."""
    spare = sum(record.serves for record in live) - count
    taken = sum(record.serves for record in live if not record.retiring)
    may_go = max(len(old) - max(count - taken, 0), 0)
    idle = [record for record in old if not record.serves][:may_go]
    serving = [record for record in old if record.serves]
    return tuple(idle + serving[: min(may_go - len(idle), max(spare, 0))])
