"""The loop: look, decide, write down, act. It is the only place that lets a rollout move.

Everything it does may be repeated: a crash between any two lines is no event. A change is written before it is acted upon,
and what is asked of a lever is computed anew at every tick from what was written. Only going back does not wait for the pen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from tidegate.core.decide import Action, RunHook, decide
from tidegate.core.errors import Stale, TidegateError, Unreachable
from tidegate.core.release import decide_parts
from tidegate.core.rollout import Phase, Rollout, Seen, Tidy
from tidegate.core.setting import Errand, Setting
from tidegate.core.verdict import GOOD
from tidegate.engine.catalog import Catalog
from tidegate.engine.teller import letters_of, told_of
from tidegate.engine.unwritten import Unwritten
from tidegate.engine.watcher import Watcher
from tidegate.ports import Change, Held, HookRunner, Lever, Record, Store

LEASE = timedelta(seconds=30)
"""Longer than any timeout of a driver: who acts late must still hold the claim."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One rollout in one tick: what was held and seen, and what becomes of it."""

    held: Held
    seen: Seen
    after: Rollout
    hooks: tuple[RunHook, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One rollout in one tick: what was held, what becomes of it, and what its hook asks for."""

    change: Change
    hooks: tuple[RunHook, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """What was written when it was last read, and until when it is surely ours; None: for good."""

    records: Mapping[str, Record]
    held: Sequence[Held]
    until: datetime | None


class Loop:
    """Ticks through all rollouts that this controller may claim.

    Levers are pulled in the order in which they are given: flags first, so that a release goes back in this order.
    """

    def __init__(
        self,
        *,
        store: Store,
        catalog: Catalog,
        levers: Mapping[str, Lever],
        watcher: Watcher,
        hooks: HookRunner,
        unwritten: Unwritten,
        owner: str,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._levers = levers
        self._watcher = watcher
        self._hooks = hooks
        self._unwritten = unwritten
        self._owner = owner
        self._last: Read | None = None
        self._log = structlog.get_logger()

    def tick(self, now: datetime) -> bool:
        """One turn of everything. True when something is under way that the next look may already see: come back soon."""
        read = self._read(now)
        claimed = self._unwritten.claimed(read.held)
        for lever in self._levers.values():
            lever.look(now)
        if not self._watcher.remembers:
            self._watcher.recall(self._store.memories(), now)
        self._watcher.look(list(read.records.values()), claimed, now)
        turns = [self._turn(decided, read.records, now) for decided in self._decide(read.records, claimed, now)]
        written = self._write(turns, now)
        records = _with_new_stables(read.records, turns, written)
        current = _merge(claimed, [held for held in written if isinstance(held, Held)])
        self._last = read if self.problem else replace(read, records=records, held=current)
        self._act(turns, written, records, current, now)
        if not self.problem:
            self._remember(now)
        return not self.problem and any(_is_moving(held) for held in current)

    @property
    def problem(self) -> str:
        """Why nothing can be written down, and since when; "" when all is well."""
        return self._unwritten.problem

    def _read(self, now: datetime) -> Read:
        """What is written and ours. While that cannot be read: what was read last, until somebody else may hold it."""
        try:
            records, held = self._catalog.refresh(), self._store.claim(self._owner, now, LEASE)
        except TidegateError as error:
            last = self._last
            if last is None or not last.held or (last.until is not None and now >= last.until):
                raise
            self._unwritten.cannot_write(error, now)
            return last
        return Read(records, held, None if self._store.alone else now + LEASE * 2 / 3)

    def _write(self, turns: Sequence[Turn], now: datetime) -> Sequence[Held | Stale]:
        """What was written, and what goes back although it could not be."""
        changes = [self._unwritten.whole(turn.change, now) for turn in turns]
        try:
            written = self._store.commit(changes, now, hurry=True) if changes else []
        except TidegateError as error:
            self._unwritten.cannot_write(error, now)
            return [self._unwritten.keep(change, error, now) or Stale(change.held.rollout.id) for change in changes]
        self._unwritten.written(written, now)
        return written

    def _decide(self, records: Mapping[str, Record], claimed: Sequence[Held], now: datetime) -> Sequence[Decided]:
        """What becomes of each."""
        seen = {held.rollout.id: self._seen(held, records, claimed) for held in _heads(claimed)}
        found = {
            held.rollout.id: decide(held.rollout, seen[held.rollout.id], now)
            for held in claimed
            if held.rollout.id in seen and not held.rollout.release
        }
        for parts in _releases(claimed):
            found |= decide_parts(parts, seen, now)
        return [_decided(held, seen, *found[held.rollout.id]) for held in claimed if held.rollout.id in found]

    def _turn(self, decided: Decided, records: Mapping[str, Record], now: datetime) -> Turn:
        held, seen, after = decided.held, decided.seen, decided.after
        look = self._watcher.of(held)
        harm = self._watcher.harm(held, after, seen.applied, now)
        told = told_of(held.rollout, after, seen.applied, look, harm)
        record = records.get(after.subject)
        letters = letters_of(held.rollout, after, harm, record.file.on if record else ())
        completed = after.phase is Phase.COMPLETED and held.rollout.phase is not Phase.COMPLETED
        watch = self._watcher.saved(held, after, now)
        stable = after.candidate if completed else None
        change = Change(held, after, harm, watch=watch, told=told, letters=letters, stable=stable)
        return Turn(change, decided.hooks)

    def _seen(self, held: Held, records: Mapping[str, Record], claimed: Sequence[Held]) -> Seen:
        rollout, lever = held.rollout, self._levers[held.rollout.lever]
        look = self._watcher.of(held)
        judged = rollout.plan.guarded and rollout.phase in (Phase.SHIFTING, Phase.WATCHING)
        return Seen(
            applied=lever.applied(rollout.subject),
            candidate=lever.readiness(rollout.subject, rollout.candidate),
            verdict=look.verdict if judged else GOOD,
            allowed=look.allowed,
            not_worse=look.not_worse,
            hook=self._hooks.seen(rollout.id, rollout.step),
            loser_gone=bool(rollout.loser) and lever.gone(rollout.subject, rollout.loser),
            loser_needed=_is_needed(rollout.loser, held, records.get(rollout.subject), claimed),
        )

    def _act(
        self,
        turns: Sequence[Turn],
        written: Sequence[Held | Stale],
        records: Mapping[str, Record],
        current: Sequence[Held],
        now: datetime,
    ) -> None:
        for turn, result in zip(turns, written, strict=True):
            if isinstance(result, Stale):
                continue  # somebody wrote it meanwhile, or nobody can: the next tick goes by what is written then
            self._run_hooks(turn)
        for name, lever in self._levers.items():
            mine = {subject: record for subject, record in records.items() if record.lever == name}
            settings, needs = wanted(mine, [held for held in current if held.rollout.lever == name])
            try:
                lever.apply(settings, needs, now)
            except Unreachable as error:
                self._log.warning("lever_unreachable", lever=name, problem=error.what, mend=error.mend)

    def _remember(self, now: datetime) -> None:
        """What services were like is worth less than a tick: what cannot be written now is written in a minute."""
        try:
            if memories := self._watcher.memories(now):
                self._store.remember(memories, now)
        except Unreachable as error:
            self._log.warning("history_unwritten", problem=error.what, mend=error.mend)

    def _run_hooks(self, turn: Turn) -> None:
        rollout = turn.change.rollout
        for action in turn.hooks:
            facts = {"service": rollout.subject, "exposure": str(rollout.wanted), "version": rollout.candidate}
            file = self._catalog.known(rollout.subject, rollout.candidate)
            if file is not None and file.tasks.directory:
                facts["directory"] = file.tasks.directory
            self._hooks.run(rollout.id, action.step, action.hook, facts)
        if not rollout.in_flight or rollout.phase is Phase.ROLLING_BACK:
            self._hooks.forget(rollout.id)


def wanted(records: Mapping[str, Record], held: Sequence[Held]) -> tuple[dict[str, Setting], frozenset[tuple[str, str]]]:
    """What a lever should apply to each subject, and which versions must be ready for it."""
    settings = {name: Setting(record.stable, salt=record.salt) for name, record in records.items()}
    needs = {(name, record.stable) for name, record in records.items() if record.stable}
    for one in held:
        if one.rollout.subject in records:
            needs |= {(one.rollout.subject, version) for version in one.rollout.needs}
    for one in reversed(held):  # the oldest unsettled one of a subject has its lever
        if not one.rollout.settled and one.rollout.subject in records:
            settings[one.rollout.subject] = replace(one.rollout.setting, rollout=one.rollout.id, errand=_errand(one.rollout))
    return settings, frozenset(needs)


def _errand(rollout: Rollout) -> Errand | None:
    return Errand(rollout.plan, rollout.created, rollout.goes_back) if rollout.plan.led else None


def _releases(claimed: Sequence[Held]) -> Sequence[Sequence[Rollout]]:
    """The parts of each release."""
    parts: dict[str, list[Rollout]] = {}
    for held in claimed:
        if held.rollout.release:
            parts.setdefault(held.rollout.release, []).append(held.rollout)
    return list(parts.values())


def _decided(held: Held, seen: Mapping[str, Seen], after: Rollout, actions: Sequence[Action]) -> Decided:
    hooks = tuple(action for action in actions if isinstance(action, RunHook))
    return Decided(held, seen.get(held.rollout.id, Seen()), after, hooks)


def _heads(claimed: Sequence[Held]) -> list[Held]:
    """Those that may move now. A rollout waits until an older one of its subject has let go of the lever."""
    heads: list[Held] = []
    taken: set[str] = set()
    for held in claimed:
        if held.rollout.settled:
            heads.append(held)
        elif held.rollout.subject not in taken:
            taken.add(held.rollout.subject)
            heads.append(held)
    return heads


def _is_needed(version: str, held: Held, record: Record | None, claimed: Sequence[Held]) -> bool:
    """Whether somebody else keeps this version: it serves again, or another rollout in flight is about it."""
    if not version:
        return False
    if record is None or record.stable == version:
        return True
    others = (one.rollout for one in claimed if one.rollout.id != held.rollout.id)
    return any(one.subject == held.rollout.subject and one.in_flight and version in one.needs for one in others)


def _merge(claimed: Sequence[Held], written: Sequence[Held]) -> list[Held]:
    newer = {held.rollout.id: held for held in written}
    return [newer.get(held.rollout.id, held) for held in claimed]


def _with_new_stables(
    records: Mapping[str, Record], turns: Sequence[Turn], written: Sequence[Held | Stale]
) -> dict[str, Record]:
    after = dict(records)
    for turn, result in zip(turns, written, strict=True):
        stable, subject = turn.change.stable, turn.change.rollout.subject
        if stable is not None and subject in after and isinstance(result, Held):
            after[subject] = replace(after[subject], stable=stable)
    return after


def _is_moving(held: Held) -> bool:
    """Whether something was asked for that is seen at the next look, or decided as soon as that is seen."""
    rollout = held.rollout
    if rollout.in_flight:
        return rollout.phase is not Phase.WATCHING
    return rollout.tidy in (Tidy.HAND_OVER, Tidy.UNWEIGH, Tidy.EMPTY)
