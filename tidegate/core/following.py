"""The rules of a rollout whose exposure somebody else moves, by a plan that he was told, as AWS CodeDeploy does.

1.  He is followed: the rollout is at the step whose exposure is seen. Guards look at each, and may turn it back.
2.  What is seen is what counts, never what was agreed. Less than he was let do is no blindness: he is on his way.
3.  When he turns back by himself, so does the rollout, with his reason.
4.  What a person has had him put in force since is not undone: then the way back is over, and it is told.
5.  Nobody can hold him. Before he lets anybody in he may be asked to wait (a step of 0%), and at 100% before the old side goes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tidegate.core.exposure import NONE
from tidegate.core.rollout import Phase, Rollout, Seen, Tidy, Together, decided
from tidegate.core.setting import Applied


def together_with_leader(rollout: Rollout, seen: Seen) -> Together:
    """What he does means for the rollout what the parts of a release mean for each other."""
    if seen.candidate.back:
        return Together(back=seen.candidate.back)
    reached = _reached(rollout, seen.applied)
    if reached is not None:
        return Together(waits=f"{rollout.plan.led} went on", reached=reached)
    return Together(waits=_waits(rollout, seen))


def overtaken(rollout: Rollout, by: str, now: datetime) -> Rollout:
    """Rule 4. Nothing is owed: the next rollout is refused until somebody has said what is meant."""
    reason = rollout.reason if by in rollout.reason else f"{rollout.reason}; {by}"
    back = replace(rollout, phase=Phase.ROLLED_BACK, tidy=Tidy.DONE, ended=now, reason=reason)
    return decided(back, "rolled_back", reason)


def is_on_its_way(rollout: Rollout, applied: Applied) -> bool:
    """Rule 2."""
    is_less = applied.exposure is not None and applied.exposure < rollout.wanted
    return bool(rollout.plan.led) and rollout.phase is Phase.SHIFTING and is_less


def _reached(rollout: Rollout, applied: Applied) -> int | None:
    """The step that he has come to, when the rollout is not there yet."""
    if not applied.exposure:
        return None
    steps = [index for index, step in enumerate(rollout.plan.steps) if NONE < step.exposure <= applied.exposure]
    return steps[-1] if steps and steps[-1] > rollout.place else None


def _waits(rollout: Rollout, seen: Seen) -> str:
    step = rollout.now_at
    if step is None or step.exposure == NONE:
        return ""
    if rollout.step + 1 == len(rollout.plan.steps):
        return seen.candidate.busy
    return f"{rollout.plan.led} takes the next step"
