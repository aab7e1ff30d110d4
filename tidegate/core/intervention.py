"""What a person may do to a rollout in flight. Pure: the rollout afterwards, or `Refused` with the mend."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tidegate.core.errors import Refused
from tidegate.core.rollout import Decision, Phase, Rollout, Tidy, complete, roll_back, shift_to


def pause(rollout: Rollout, by: str) -> Rollout:
    """Holds the exposure. Guards keep looking and may roll back; the deadline waits. Twice is once."""
    _must_go_forward(rollout, "paused")
    if rollout.plan.led:
        raise Refused(
            f"{rollout.plan.led} moves {rollout.subject} {rollout.candidate}, and cannot be held at {rollout.wanted}.",
            f"Let it go on, or stop it: tidegate abort {rollout.subject}.",
        )
    if rollout.paused:
        return rollout
    return replace(rollout, paused=True, decision=Decision("paused", f"by {by}"))


def resume(rollout: Rollout, by: str) -> Rollout:
    """Goes on where it was paused. Twice is once."""
    _must_go_forward(rollout, "resumed")
    if not rollout.paused:
        return rollout
    return replace(rollout, paused=False, decision=Decision("resumed", f"by {by}"))


def promote(rollout: Rollout, by: str, now: datetime, *, full: bool = False) -> Rollout:
    """Goes to the next step without waiting for this one's hold, gate or hook; with `full` to the last one. From the last
    step it completes. Guards keep looking. Sent twice, it goes one step: the second waits until the first is applied."""
    _must_go_forward(rollout, "promoted")
    if rollout.phase is Phase.PREPARING:
        raise Refused(
            f"{rollout.subject} {rollout.candidate} is still preparing: there is nothing to promote yet.",
            f"Wait until it is healthy: tidegate watch {rollout.subject}.",
        )
    last = len(rollout.plan.steps) - 1
    why = f"promoted by {by}"
    if rollout.plan.led and rollout.step < last and (full or rollout.wanted):
        raise Refused(
            f"{rollout.plan.led} takes {rollout.subject} {rollout.candidate} from {rollout.wanted} to its next step by itself.",
            f"Wait for it, or stop it: tidegate abort {rollout.subject}.",
        )
    rollout = replace(rollout, paused=False)
    if full and rollout.step < last:
        return shift_to(rollout, last, why)
    if rollout.phase is Phase.SHIFTING:
        raise Refused(
            f"{rollout.subject} {rollout.candidate} is on its way to {rollout.wanted}: step {rollout.step + 1} of {last + 1}.",
            f"Promote it again when that is applied: tidegate watch {rollout.subject}.",
        )
    return shift_to(rollout, rollout.step + 1, why) if rollout.step < last else complete(rollout, now, why)


def abort(rollout: Rollout, by: str, reason: str = "") -> Rollout:
    """A rollback by a person. Twice is once."""
    if rollout.phase is Phase.ROLLING_BACK:
        return rollout
    if not rollout.in_flight:
        raise _ended(rollout, "aborted")
    return roll_back(rollout, f"aborted by {by}" + (f": {reason}" if reason else ""))


def supersede(rollout: Rollout, by: str, candidate: str) -> Rollout:
    """The running candidate is dropped for a newer one; the baseline keeps serving. What goes back or has ended is in
    nobody's way, and stays as it is."""
    if rollout.phase is Phase.ROLLING_BACK or not rollout.in_flight:
        return rollout
    return roll_back(rollout, f"superseded by {candidate} (by {by})")


def drop(rollout: Rollout, by: str, candidate: str, now: datetime) -> Rollout:
    """Lets go of its lever at once, for one that puts the next setting in the place of this one's in one piece: nothing is to
    be undone. In flight it ends with that; it stays open for the next look, so that the other parts of its release go back
    with it."""
    why = f"dropped for {candidate} (by {by})"
    dropped = replace(rollout, tidy=Tidy.KEEP, freed=now, waiting="", decision=Decision("dropped", why))
    if not rollout.in_flight:
        return dropped
    return replace(dropped, phase=Phase.ROLLED_BACK, reason=rollout.reason or why, ended=now)


def _must_go_forward(rollout: Rollout, verb: str) -> None:
    if rollout.phase is Phase.ROLLING_BACK:
        raise Refused(
            f"{rollout.subject} is rolling back ({rollout.reason}) and cannot be {verb}.",
            "Nothing stops a rollback. Deploy again when it is done.",
        )
    if not rollout.in_flight:
        raise _ended(rollout, verb)


def _ended(rollout: Rollout, verb: str) -> Refused:
    said = {Phase.COMPLETED: "completed", Phase.ROLLED_BACK: "was rolled back"}[rollout.phase]
    mend = (
        f"To go back to {rollout.baseline}: tidegate rollback {rollout.subject}."
        if rollout.phase is Phase.COMPLETED and rollout.baseline
        else "Deploy again to start a new rollout."
    )
    return Refused(f"{rollout.id} {said} and cannot be {verb}.", mend)
