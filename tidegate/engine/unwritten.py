"""What goes back although nothing can be written down: the one exception from "write down first, act second".

While the database is locked, full or away, nothing may advance, complete or begin. But nothing blocks a rollback either: it is
kept here, acted upon at once, and written as soon as that works, with the time when it was decided. A jot beside the store
tells whoever starts anew in the meantime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

import structlog

from tidegate.core.duration import say_roughly
from tidegate.core.errors import Stale, TidegateError
from tidegate.core.rollout import Decision, Phase, Rollout, roll_back
from tidegate.engine.jot import read_jot, write_jot
from tidegate.ports import Change, Held, Jotter, Told


@dataclass(frozen=True, slots=True)
class _Trouble:
    what: str
    since: datetime


class Unwritten:
    """The loop's memory of it. Orders add to it and glances read it from other threads: what it holds is replaced, never
    changed."""

    def __init__(self, jotter: Jotter) -> None:
        self._jotter = jotter
        self._jotted = dict(jotter.jotted())  # by the controller before, and not yet looked at
        self._back: Mapping[str, Change] = {}  # by rollout; what is told carries its time
        self._claimed: Sequence[Held] = ()
        self._trouble: _Trouble | None = None
        self._lock = Lock()
        self._log = structlog.get_logger()

    # --- when nothing can be written ----------------------------------------------------------------------------------

    def keep(self, change: Change, error: TidegateError, now: datetime) -> Held | None:
        """Goes back unwritten. None when this change does not lead back, or is not ours: then it has to wait."""
        id_ = change.held.rollout.id
        with self._lock:
            kept = self._back.get(id_)
            if kept is not None:
                kept = replace(kept, harm=change.harm)
            elif _leads_back(change) and any(one.rollout.id == id_ for one in self._claimed):
                kept = _timed(change, now)
                self._jotter.jot(id_, write_jot(kept))
                self._log.warning("goes_back_unwritten", rollout=id_, why=kept.rollout.reason)
            else:
                return None
            self._back = {**self._back, id_: kept}
        self.cannot_write(error, now)
        return self.over(change.held)

    def cannot_write(self, error: TidegateError, now: datetime) -> None:
        if self._trouble is None:
            self._trouble = _Trouble(error.what, now)
            self._log.error("nothing_can_be_written", problem=error.what, mend=error.mend)

    # --- what stands in the place of what is written ------------------------------------------------------------------

    def claimed(self, held: Sequence[Held]) -> Sequence[Held]:
        """What was read, with those that go back. What somebody else wrote of them wins, but for this: it goes back."""
        with self._lock:
            self._claimed = held
            if self._jotted:
                self._read_jots(held)
            if self._back:
                self._forget(self._back.keys() - {one.rollout.id for one in held if _goes_forward(one.rollout)})
        return [self.over(one) for one in held]

    def _read_jots(self, held: Sequence[Held]) -> None:
        found = {one.rollout.id: one for one in held if one.rollout.id in self._jotted}
        self._back = {**self._back, **{id_: read_jot(one, self._jotted[id_]) for id_, one in found.items()}}
        for nobodys in self._jotted.keys() - found.keys():
            self._jotter.strike(nobodys)
        self._jotted = {}

    def _forget(self, ids: Set[str]) -> None:
        for id_ in ids:
            self._jotter.strike(id_)
        self._back = {id_: change for id_, change in self._back.items() if id_ not in ids}

    def over(self, held: Held) -> Held:
        """The same as it goes now."""
        kept = self._back.get(held.rollout.id)
        if kept is None or not _goes_forward(held.rollout):
            return held
        return replace(held, rollout=roll_back(held.rollout, kept.rollout.reason), harm=kept.harm)

    def shown(self, held: Held) -> Held:
        """The same for people, with why it is not written."""
        back, trouble = self.over(held), self._trouble
        if back is held or trouble is None:
            return back
        why = f"{back.rollout.reason} (not written down yet: {trouble.what})"
        return replace(back, rollout=replace(back.rollout, reason=why, decision=Decision(back.rollout.decision.kind, why)))

    # --- when it can be written again ---------------------------------------------------------------------------------

    def whole(self, change: Change, now: datetime) -> Change:
        """This change, with everything that is still to be told."""
        kept = self._back.get(change.held.rollout.id)
        if kept is None:
            return change
        told = (*(_late(one, now) for one in kept.told), *change.told)
        return replace(change, told=told, letters=(*kept.letters, *change.letters))

    def written(self, results: Sequence[Held | Stale], now: datetime) -> None:
        """Something could be written, or there was nothing to write."""
        if self._trouble is not None:
            self._log.info("written_again", after=say_roughly(now - self._trouble.since), went_back=sorted(self._back))
            self._trouble = None
        if self._back:
            with self._lock:
                self._forget(self._back.keys() & {result.rollout.id for result in results if isinstance(result, Held)})

    @property
    def problem(self) -> str:
        """For people: since when nothing can be written, and what goes back all the same; "" when all is well."""
        trouble, back = self._trouble, sorted(self._back)
        if trouble is None:
            return ""
        going = f" {', '.join(back)} {'go' if len(back) > 1 else 'goes'} back all the same." if back else ""
        return f"Nothing could be written down since {trouble.since:%H:%M:%S} UTC: {trouble.what}{going}"


def _goes_forward(rollout: Rollout) -> bool:
    return rollout.in_flight and rollout.phase is not Phase.ROLLING_BACK


def _leads_back(change: Change) -> bool:
    return _goes_forward(change.held.rollout) and change.rollout.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)


def _timed(change: Change, now: datetime) -> Change:
    """What was decided, to be told later. Where its end was seen in the same look, that is told when it is seen again."""
    if change.rollout.phase is Phase.ROLLED_BACK:
        return replace(change, told=(), letters=())
    return replace(change, told=tuple(replace(one, at=now) for one in change.told))


def _late(told: Told, now: datetime) -> Told:
    return replace(told, why=f"{told.why} (written down {say_roughly(now - told.at)} later)") if told.at else told
