"""The rules of a rollout. The engine calls `decide` at every tick; nothing else changes a phase.

1.  Before the end, a bad verdict, an abort or a passed deadline leads to rolling_back, from every phase.
2.  Wanted exposure is computed from phase, step and evidence. Inside a rollout it grows or holds; it falls only to zero.
3.  The hold begins when the exposure is *seen* applied, not when it was asked for.
4.  Only watched time counts: a controller that was down for an hour adds at most one gap.
5.  Cannot see is not fine: while blind the clock stops, and after `patience` the plan decides. Blind is also who does
    not see in force what was asked for.
6.  No data is something else: a quiet night is no failure, and at the end of the hold the plan decides what it is.
7.  Nothing blocks a rollback: no gate, hook, pause or router error. It is asked for until seen.
8.  Whatever is applied other than wanted is put back.
9.  The winner is handed over in three steps, each seen before the next: it becomes the stable side, the weight returns
    to zero, the slot is emptied. A crash between any two, and a router restarted on a broken file, harm nobody.
10. The loser's tasks stay a while (`keep_baseline`), and go when nobody needs them.
11. The parts of a release leave each place together and go back together: see core/release.py.
12. Where somebody else moves the exposure he is followed, and told to turn back: see core/following.py.

preparing -> shifting <-> watching --(last step watched)--> completed
    |            |            |
    +------------+------------+-----> rolling_back -------> rolled_back
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.core.duration import say_duration, say_roughly
from tidegate.core.exposure import NONE
from tidegate.core.following import is_on_its_way, overtaken, together_with_leader
from tidegate.core.plan import Hook, Step, Unsure
from tidegate.core.rollout import HookState, Phase, Ready, Rollout, Seen, Tidy, complete, decided, roll_back, shift_to
from tidegate.core.setting import Applied, Setting
from tidegate.core.tidying import tidied
from tidegate.core.verdict import GOOD, Cause, Judgement, Verdict


@dataclass(frozen=True, slots=True)
class Apply:
    """Asks the lever for this setting. Repeated until it is seen."""

    setting: Setting


@dataclass(frozen=True, slots=True)
class RunHook:
    """Asks for the hook of this step. Repeated until its end is seen."""

    step: int
    hook: Hook


Action = Apply | RunHook


def decide(rollout: Rollout, seen: Seen, now: datetime) -> tuple[Rollout, tuple[Action, ...]]:
    """One turn: the rollout as it is to be written down, and what to ask for afterwards."""
    # A clock that was set back counts for nothing once, and then goes on.
    passed = max(timedelta(0), now - rollout.ticked)
    rollout = replace(rollout, ticked=now)
    after = _in_flight(rollout, seen, passed, now) if rollout.in_flight else tidied(rollout, seen, now)
    return after, _actions(after)


def _actions(rollout: Rollout) -> tuple[Action, ...]:
    actions: list[Action] = []
    if not rollout.settled:
        actions.append(Apply(rollout.setting))
    step = rollout.now_at
    if rollout.phase is Phase.WATCHING and step and step.hook and not rollout.hook_passed:
        actions.append(RunHook(rollout.step, step.hook))
    return tuple(actions)


def _in_flight(rollout: Rollout, seen: Seen, passed: timedelta, now: datetime) -> Rollout:
    if rollout.phase is Phase.ROLLING_BACK:
        return _rolling_back(rollout, seen, now)
    if not rollout.plan.guarded:
        seen = replace(seen, verdict=GOOD)
    if rollout.plan.led:
        seen = replace(seen, together=together_with_leader(rollout, seen))
    unseen = _unseen(rollout, seen)
    # A span that began blind was not watched, even when it ends with a look that sees.
    watched = min(passed, rollout.plan.gap) if rollout.blind is None else timedelta(0)
    rollout = _clocks(rollout, unseen, passed)
    if why := _why_back(rollout, seen, unseen):
        return _rolling_back(roll_back(rollout, why), seen, now)
    rollout = replace(rollout, ready=False)
    if seen.together.reached is not None and not (rollout.paused or rollout.first):
        return shift_to(_allowed(rollout, seen, seen.together.reached), seen.together.reached, seen.together.waits)
    match rollout.phase:
        case Phase.PREPARING:
            return _preparing(rollout, seen, unseen, now)
        case Phase.SHIFTING:
            return _shifting(rollout, seen)
        case _:
            return _watching(_with_hook(rollout, seen), seen, unseen, watched, now)


def _unseen(rollout: Rollout, seen: Seen) -> str:
    """What cannot be seen now, or not as it was asked for; "" when nothing is missing (rule 5)."""
    if rollout.phase is Phase.PREPARING:
        return _unprepared(rollout, seen)
    if is_on_its_way(rollout, seen.applied):
        return _unjudged(seen.verdict)
    return _unlike(rollout, seen.applied) or _unjudged(seen.verdict)


def _unlike(rollout: Rollout, applied: Applied) -> str:
    """How what is applied differs from what was asked for (rule 8)."""
    if applied.exposure is None:
        return "the lever does not show what it applies"
    if applied.exposure != rollout.wanted:
        return f"{applied.exposure} is applied instead of {rollout.wanted}"
    return "" if applied.shows(rollout.setting) else "another version or salt is applied than was asked for"


def _unjudged(verdict: Verdict) -> str:
    is_blind = verdict.judgement is Judgement.UNKNOWN and verdict.cause in (Cause.BLIND, None)
    return (verdict.why or "the guards cannot see") if is_blind else ""


def _unprepared(rollout: Rollout, seen: Seen) -> str:
    """A candidate that is not healthy yet is seen well enough, and takes its time."""
    match seen.candidate.ready:
        case Ready.UNSEEN:
            return f"the tasks of {rollout.candidate} cannot be seen"
        case Ready.YES if not seen.applied.shows(rollout.setting):
            place = "the stable side" if rollout.first else "in its slot"
            return f"{rollout.candidate} is not {place} yet"
        case _:
            return ""


def _clocks(rollout: Rollout, unseen: str, passed: timedelta) -> Rollout:
    held = rollout.paused or bool(rollout.waiting)
    elapsed = rollout.elapsed if held else rollout.elapsed + passed
    # Time before the first blind look may have been seen by nobody: it is not blindness, and nobody's fault.
    so_far = timedelta(0) if rollout.blind is None else rollout.blind + min(passed, rollout.plan.gap)
    return replace(rollout, elapsed=elapsed, blind=so_far if unseen else None, waiting="")


def _why_back(rollout: Rollout, seen: Seen, unseen: str) -> str:
    """Why this rollout must go back now; "" when it need not (rule 1)."""
    if seen.verdict.judgement is Judgement.BAD:
        return seen.verdict.why
    if seen.together.back:
        return seen.together.back
    if rollout.phase is Phase.PREPARING and seen.candidate.ready is Ready.FAILED:
        return f"{rollout.candidate} did not become healthy: {seen.candidate.why}"
    if seen.hook and seen.hook.state is HookState.FAILED:
        return f"the hook of step {rollout.step + 1} failed: {seen.hook.why}"
    if rollout.elapsed >= rollout.plan.deadline:
        return f"it was not finished within its deadline of {say_duration(rollout.plan.deadline)}"
    if _out_of_patience(rollout) and rollout.plan.guarded and rollout.plan.unsure_blind is Unsure.ROLLBACK:
        return f"{unseen}, for {say_duration(rollout.plan.patience)}"
    return ""


def _out_of_patience(rollout: Rollout) -> bool:
    return rollout.blind is not None and rollout.blind >= rollout.plan.patience


def _with_hook(rollout: Rollout, seen: Seen) -> Rollout:
    """A hook that has passed has passed, also while nothing else can be seen."""
    passed = seen.hook is not None and seen.hook.state is HookState.PASSED
    return replace(rollout, hook_passed=True) if passed else rollout


def _preparing(rollout: Rollout, seen: Seen, unseen: str, now: datetime) -> Rollout:
    """Leaves when the candidate is healthy and stands in its slot, with this rollout's salt, and nobody is exposed."""
    if unseen:
        return decided(rollout, "prepare", unseen)
    if seen.candidate.ready is not Ready.YES:
        why = f"{rollout.candidate} is not healthy yet"
        return decided(rollout, "prepare", (seen.candidate.why or why) if rollout.plan.led else why)
    if rollout.paused:
        return _paused(rollout)
    if seen.together.waits:
        return _ready(rollout, seen)
    if rollout.first:
        return complete(rollout, now, "the first version: there is nothing to protect")
    return shift_to(_allowed(rollout, seen), 0, f"{rollout.candidate} is healthy")


def _shifting(rollout: Rollout, seen: Seen) -> Rollout:
    """Leaves when the exposure is seen. Whether the guards can see is asked while watching."""
    if unlike := _unlike(rollout, seen.applied):
        return _wait_for_sight(rollout, "blind", unlike) if _out_of_patience(rollout) else rollout
    return _watch(replace(rollout, phase=Phase.WATCHING))


def _watch(rollout: Rollout) -> Rollout:
    """Growth inside of a step is one decision, not two."""
    return rollout if rollout.decision.kind == "grow" else decided(rollout, "watch", f"{rollout.wanted} is applied")


def _watching(rollout: Rollout, seen: Seen, unseen: str, watched: timedelta, now: datetime) -> Rollout:
    if unseen:
        is_moved = seen.applied.exposure is not None and _unlike(rollout, seen.applied)
        return _wait_for_sight(rollout, "put_back" if is_moved else "blind", unseen)
    if rollout.paused:
        return _paused(rollout)
    if seen.verdict.cause is Cause.HELD:
        return decided(rollout, "hold", seen.verdict.why)
    return _advance(replace(rollout, watched=rollout.watched + watched), seen, now)


def _paused(rollout: Rollout) -> Rollout:
    """Keeps who paused it, where that was the last word."""
    return rollout if rollout.decision.kind == "paused" else decided(rollout, "hold", "paused")


def _wait_for_sight(rollout: Rollout, kind: str, unseen: str) -> Rollout:
    choice = "promote or abort" if rollout.phase is Phase.WATCHING else "mend it or abort"
    waiting = f"{unseen}: look, then {choice}" if _out_of_patience(rollout) else ""
    return decided(replace(rollout, waiting=waiting), kind, unseen)


def _advance(rollout: Rollout, seen: Seen, now: datetime) -> Rollout:
    """Leaves the step when it was watched long enough, its verdict is good, its hook passed and nobody has to agree."""
    step = rollout.plan.steps[rollout.step]
    before, rollout = rollout.wanted, _allowed(rollout, seen)
    if rollout.wanted > before:
        why = f"to {rollout.wanted}: the evidence allows it, on the way to {step.exposure}"
        return decided(replace(rollout, phase=Phase.SHIFTING), "grow", why)
    proven = _is_proven(rollout, seen, step)
    # Also a step without a hold is looked at once, after the look that saw its exposure.
    if (rollout.watched < step.hold and not proven) or not rollout.watched:
        return _watch(rollout)
    if not rollout.judged:
        rollout = replace(rollout, judged=True) if proven else _judge(rollout, seen, step)
    if not rollout.judged:
        return rollout
    if step.hook and not rollout.hook_passed:
        return decided(rollout, "hook", f"the hook of step {rollout.step + 1} has not ended yet")
    if step.gate:
        return decided(replace(rollout, waiting=step.gate), "wait", step.gate)
    if seen.together.waits:
        return _ready(rollout, seen)
    why = _how_it_went(rollout, step, proven=proven)
    if rollout.step + 1 == len(rollout.plan.steps):
        return complete(rollout, now, why)
    return shift_to(rollout, rollout.step + 1, why)


def _ready(rollout: Rollout, seen: Seen) -> Rollout:
    """It could go on, and waits for the other parts of its release."""
    return decided(replace(rollout, ready=True), "hold", seen.together.waits)


def _allowed(rollout: Rollout, seen: Seen, at: int | None = None) -> Rollout:
    """What was allowed once stays allowed. Growth by less than a quarter waits: each is a change for users."""
    if rollout.plan.harm is None:
        return rollout
    step = rollout.plan.steps[rollout.step if at is None else at]
    worth_it = min(step.exposure, rollout.allowed + max(1, rollout.allowed // 4))
    return replace(rollout, allowed=seen.allowed) if seen.allowed >= worth_it and seen.allowed > rollout.allowed else rollout


def _is_proven(rollout: Rollout, seen: Seen, step: Step) -> bool:
    """Whether this step may end early: all of its users are there, and they are not worse off."""
    return step.least is not None and rollout.watched >= step.least and seen.not_worse and rollout.wanted == step.exposure


def _how_it_went(rollout: Rollout, step: Step, *, proven: bool) -> str:
    if proven:
        return f"{rollout.wanted} was watched for {say_roughly(rollout.watched)}: not worse than the baseline"
    how = "without enough data to verify it" if rollout.step in rollout.unverified else "good"
    return f"{rollout.wanted} was watched for {say_roughly(step.hold)}: {how}"


def _judge(rollout: Rollout, seen: Seen, step: Step) -> Rollout:
    """The end of the hold: judged, unless there was nothing to judge by and the plan wants more than that (rule 6).

    A step without users or without a hold is not there to be judged.
    """
    if seen.verdict.cause is not Cause.NO_DATA or step.exposure == NONE or not step.hold:
        return replace(rollout, judged=True)
    why = seen.verdict.why
    match rollout.plan.unsure_no_data:
        case Unsure.EXTEND if rollout.watched < 2 * step.hold:
            return decided(rollout, "extend", why)
        case Unsure.HOLD:
            return decided(replace(rollout, waiting=f"{why}: promote or abort"), "hold", why)
        case Unsure.ROLLBACK:
            return roll_back(rollout, f"there was not enough data to judge step {rollout.step + 1} ({why})")
        case _:
            return replace(rollout, judged=True, unverified=(*rollout.unverified, rollout.step))


def _rolling_back(rollout: Rollout, seen: Seen, now: datetime) -> Rollout:
    if seen.candidate.overtaken:
        return overtaken(rollout, seen.candidate.overtaken, now)
    if seen.applied.exposure != NONE:
        return rollout
    if seen.candidate.forth:
        return rollout
    back = replace(rollout, phase=Phase.ROLLED_BACK, tidy=Tidy.EMPTY, ended=now)
    return decided(back, "rolled_back", rollout.reason)
