"""What an ended rollout still owes: the winner is handed over, and the loser goes. Rules 8 to 10 of core/decide.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from tidegate.core.exposure import NONE
from tidegate.core.rollout import Phase, Rollout, Seen, Tidy, decided


def tidied(rollout: Rollout, seen: Seen, now: datetime) -> Rollout:
    """One step of what an ended rollout owes; each is seen before the next (rules 9 and 10).

    The winner must still be the stable side at each: whatever else is applied was put there by somebody else, and the
    loser's tasks may be all that serves.
    """
    winner, stable = rollout.setting.stable, seen.applied.stable
    if rollout.tidy in (Tidy.UNWEIGH, Tidy.EMPTY) and stable != winner and (winner or stable):
        why = f"{stable or 'nobody'} is stable instead of {winner or 'nobody'}"
        return rollout if stable is None else decided(rollout, "put_back", why)
    match rollout.tidy:
        case Tidy.HAND_OVER if stable == winner:
            return _now(rollout, Tidy.UNWEIGH)
        case Tidy.UNWEIGH if seen.applied.exposure == NONE:
            return _now(rollout, Tidy.EMPTY)
        case Tidy.EMPTY if seen.applied.slot == "":
            return replace(_now(rollout, Tidy.KEEP), freed=now)
        case Tidy.KEEP | Tidy.RETIRE if not rollout.loser or seen.loser_needed:
            return _now(rollout, Tidy.DONE)
        case Tidy.KEEP if now - (rollout.freed or rollout.ended or now) >= _keep(rollout):
            return _now(rollout, Tidy.RETIRE)
        case Tidy.RETIRE if seen.loser_gone:
            return _now(rollout, Tidy.DONE)
        case _:
            return rollout


def _keep(rollout: Rollout) -> timedelta:
    completed = rollout.phase is Phase.COMPLETED
    return rollout.plan.keep_baseline if completed else rollout.plan.rollback_drain


_OWED = {
    Tidy.UNWEIGH: "the winner is the stable side",
    Tidy.EMPTY: "the slot has no weight",
    Tidy.KEEP: "the slot is empty",
    Tidy.RETIRE: "the other version may go",
    Tidy.DONE: "nothing is left to do",
}


def _now(rollout: Rollout, tidy: Tidy) -> Rollout:
    return decided(replace(rollout, tidy=tidy), "tidy", _OWED[tidy])
