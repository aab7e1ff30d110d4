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

preparing -> shifting <-> watching --(last step watched)--> completed
    |            |            |
    +------------+------------+-----> rolling_back -------> rolled_back
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.core.duration import say_duration, say_roughly
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.plan import Hook, Plan, Step, Unsure
from tidegate.core.setting import UNSEEN, Applied, Setting
from tidegate.core.verdict import GOOD, Cause, Judgement, Verdict


class Phase(StrEnum):
    PREPARING = "preparing"
    SHIFTING = "shifting"
    WATCHING = "watching"
    ROLLING_BACK = "rolling_back"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"


class Tidy(StrEnum):
    """What an ended rollout still owes."""

    HAND_OVER = "hand_over"  # the winner becomes the stable side
    UNWEIGH = "unweigh"  # the weight of the slot returns to zero
    EMPTY = "empty"  # the slot is emptied
    KEEP = "keep"  # the loser's tasks wait, for a quick way back
    RETIRE = "retire"  # the loser's tasks end
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided last, and why. A new record is written when this changes, not at every tick."""

    kind: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Moves the exposure of `subject` from `baseline` to `candidate`. `baseline` is "" for a first version."""

    id: str
    subject: str
    baseline: str
    candidate: str
    salt: str
    plan: Plan
    by: str
    created: datetime
    ticked: datetime
    lever: str = "traffic"
    release: str = ""  # the release that it is a part of; "" for none
    follows: bool = False  # goes to a step after the other parts: flags, when the versions are there that know them
    phase: Phase = Phase.PREPARING
    step: int = 0
    allowed: Exposure = NONE  # the most that the evidence has allowed so far, for plans that go by it
    watched: timedelta = timedelta(0)  # of this step, with the exposure seen and a verdict to be had
    elapsed: timedelta = timedelta(0)  # against the deadline: pauses and gates do not count
    blind: timedelta | None = None  # since the first look that did not see everything; None while all is seen
    paused: bool = False
    hook_passed: bool = False  # of this step
    judged: bool = False  # this step was watched long enough: only its hook or a person may be missing
    ready: bool = False  # to leave its place in a release, at the last look
    unverified: tuple[int, ...] = ()  # steps that were left without enough data
    waiting: str = ""  # for what a person is needed; "" when for nothing
    reason: str = ""  # why it is rolled back; "" while it is not
    tidy: Tidy = Tidy.DONE  # meaningful once ended
    ended: datetime | None = None
    freed: datetime | None = None  # when the lever was seen free; the loser's stay counts from here
    decision: Decision = field(default_factory=lambda: Decision("started"))

    @property
    def in_flight(self) -> bool:
        return self.phase not in (Phase.COMPLETED, Phase.ROLLED_BACK)

    @property
    def settled(self) -> bool:
        """Whether the lever is free for the next rollout of this subject."""
        return not self.in_flight and self.tidy in (Tidy.KEEP, Tidy.RETIRE, Tidy.DONE)

    @property
    def tidied(self) -> bool:
        return not self.in_flight and self.tidy is Tidy.DONE

    @property
    def first(self) -> bool:
        """The first version of a subject skips the steps: there is nothing to protect."""
        return not self.baseline

    @property
    def place(self) -> int:
        """How far it is: a step's index, -1 before the first, and behind the last once completed. Back is nowhere."""
        match self.phase:
            case Phase.SHIFTING | Phase.WATCHING:
                return self.step
            case Phase.COMPLETED:
                return len(self.plan.steps)
            case _:
                return -1

    @property
    def goes_back(self) -> bool:
        return self.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)

    @property
    def now_at(self) -> Step | None:
        return self.plan.steps[self.step] if self.phase in (Phase.SHIFTING, Phase.WATCHING) else None

    @property
    def wanted(self) -> Exposure:
        step = self.now_at
        if step is None:
            return NONE
        is_last = self.step + 1 == len(self.plan.steps)
        return step.exposure if self.plan.harm is None or is_last else min(step.exposure, self.allowed)

    @property
    def loser(self) -> str:
        """The version that goes; "" while that is open, or when there is none."""
        match self.phase:
            case Phase.COMPLETED:
                return self.baseline
            case Phase.ROLLED_BACK:
                return self.candidate
            case _:
                return ""

    @property
    def needs(self) -> frozenset[str]:
        """The versions whose tasks must run for this rollout."""
        both = {self.baseline, self.candidate} - {""}
        if self.tidied or (not self.in_flight and self.tidy is Tidy.RETIRE):
            both -= {self.loser}
        return frozenset(both)

    @property
    def setting(self) -> Setting:
        """What the lever should apply now (rule 9 is the middle of this)."""
        winner = self.candidate if self.phase is Phase.COMPLETED else self.baseline
        if not self.in_flight and self.tidy is Tidy.HAND_OVER:
            return Setting(winner, self.candidate, self.plan.steps[-1].exposure, self.salt)
        if not self.in_flight and self.tidy is Tidy.UNWEIGH:
            return Setting(winner, self.candidate, NONE, self.salt)
        if not self.in_flight:
            return Setting(winner, "", NONE, self.salt)
        if self.first:  # nobody is protected by a slot: it becomes the stable side as soon as it can
            return Setting("" if self.phase is Phase.ROLLING_BACK else self.candidate, salt=self.salt)
        return Setting(self.baseline, self.candidate, self.wanted, self.salt)


class Ready(StrEnum):
    YES = "yes"
    NOT_YET = "not_yet"
    FAILED = "failed"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the candidate could take traffic."""

    ready: Ready
    why: str = ""


class HookState(StrEnum):
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class HookSeen:
    state: HookState
    why: str = ""


@dataclass(frozen=True, slots=True)
class Together:
    """What the other parts of its release mean for a rollout (rule 11). Without a release: nothing."""

    back: str = ""  # why it goes back with them
    waits: str = ""  # for what it waits before it leaves its place
    reached: int | None = None  # the step to which it follows them now


ALONE = Together()


@dataclass(frozen=True, slots=True)
class Seen:
    """The world at this tick. Defaults are what a healthy, quiet world looks like, except that nothing is applied."""

    applied: Applied = UNSEEN
    candidate: Readiness = Readiness(Ready.YES)
    verdict: Verdict = GOOD
    allowed: Exposure = NONE  # what the evidence allows to let in now
    not_worse: bool = False  # the candidate is proven to be not worse in this step
    hook: HookSeen | None = None
    loser_gone: bool = False
    loser_needed: bool = False  # by another rollout, or because it is the stable version again
    together: Together = ALONE


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
    after = _in_flight(rollout, seen, passed, now) if rollout.in_flight else _tidy(rollout, seen, now)
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
        return _decided(rollout, "prepare", unseen)
    if seen.candidate.ready is not Ready.YES:
        return _decided(rollout, "prepare", f"{rollout.candidate} is not healthy yet")
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
    return rollout if rollout.decision.kind == "grow" else _decided(rollout, "watch", f"{rollout.wanted} is applied")


def _watching(rollout: Rollout, seen: Seen, unseen: str, watched: timedelta, now: datetime) -> Rollout:
    if unseen:
        is_moved = seen.applied.exposure is not None and _unlike(rollout, seen.applied)
        return _wait_for_sight(rollout, "put_back" if is_moved else "blind", unseen)
    if rollout.paused:
        return _paused(rollout)
    if seen.verdict.cause is Cause.HELD:
        return _decided(rollout, "hold", seen.verdict.why)
    return _advance(replace(rollout, watched=rollout.watched + watched), seen, now)


def _paused(rollout: Rollout) -> Rollout:
    """Keeps who paused it, where that was the last word."""
    return rollout if rollout.decision.kind == "paused" else _decided(rollout, "hold", "paused")


def _wait_for_sight(rollout: Rollout, kind: str, unseen: str) -> Rollout:
    choice = "promote or abort" if rollout.phase is Phase.WATCHING else "mend it or abort"
    waiting = f"{unseen}: look, then {choice}" if _out_of_patience(rollout) else ""
    return _decided(replace(rollout, waiting=waiting), kind, unseen)


def _advance(rollout: Rollout, seen: Seen, now: datetime) -> Rollout:
    """Leaves the step when it was watched long enough, its verdict is good, its hook passed and nobody has to agree."""
    step = rollout.plan.steps[rollout.step]
    before, rollout = rollout.wanted, _allowed(rollout, seen)
    if rollout.wanted > before:
        why = f"to {rollout.wanted}: the evidence allows it, on the way to {step.exposure}"
        return _decided(replace(rollout, phase=Phase.SHIFTING), "grow", why)
    proven = _is_proven(rollout, seen, step)
    # Also a step without a hold is looked at once, after the look that saw its exposure.
    if (rollout.watched < step.hold and not proven) or not rollout.watched:
        return _watch(rollout)
    if not rollout.judged:
        rollout = replace(rollout, judged=True) if proven else _judge(rollout, seen, step)
    if not rollout.judged:
        return rollout
    if step.hook and not rollout.hook_passed:
        return _decided(rollout, "hook", f"the hook of step {rollout.step + 1} has not ended yet")
    if step.gate:
        return _decided(replace(rollout, waiting=step.gate), "wait", step.gate)
    if seen.together.waits:
        return _ready(rollout, seen)
    why = _how_it_went(rollout, step, proven=proven)
    if rollout.step + 1 == len(rollout.plan.steps):
        return complete(rollout, now, why)
    return shift_to(rollout, rollout.step + 1, why)


def _ready(rollout: Rollout, seen: Seen) -> Rollout:
    """It could go on, and waits for the other parts of its release."""
    return _decided(replace(rollout, ready=True), "hold", seen.together.waits)


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
            return _decided(rollout, "extend", why)
        case Unsure.HOLD:
            return _decided(replace(rollout, waiting=f"{why}: promote or abort"), "hold", why)
        case Unsure.ROLLBACK:
            return roll_back(rollout, f"there was not enough data to judge step {rollout.step + 1} ({why})")
        case _:
            return replace(rollout, judged=True, unverified=(*rollout.unverified, rollout.step))


def shift_to(rollout: Rollout, step: int, why: str) -> Rollout:
    """Wants the exposure of this step, and forgets what was watched before; patience begins anew, too."""
    shifting = replace(rollout, phase=Phase.SHIFTING, step=step, watched=timedelta(0), blind=None, waiting="")
    shifting = replace(shifting, judged=False, hook_passed=False, ready=False)
    return _decided(shifting, "shift", f"to {shifting.wanted}: {why}")


def complete(rollout: Rollout, now: datetime, why: str) -> Rollout:
    """The candidate has won; what is left is handing over. A first version is the stable side already."""
    owed = Tidy.EMPTY if rollout.first else Tidy.HAND_OVER
    won = replace(rollout, phase=Phase.COMPLETED, tidy=owed, ended=now, paused=False, waiting="", ready=False)
    return _decided(won, "complete", why)


def roll_back(rollout: Rollout, why: str) -> Rollout:
    """Wants exposure zero from now on, whatever else is going on (rule 7)."""
    back = replace(rollout, phase=Phase.ROLLING_BACK, reason=why, paused=False, waiting="", ready=False)
    return _decided(back, "roll_back", why)


def _rolling_back(rollout: Rollout, seen: Seen, now: datetime) -> Rollout:
    if seen.applied.exposure != NONE:
        return rollout
    back = replace(rollout, phase=Phase.ROLLED_BACK, tidy=Tidy.EMPTY, ended=now)
    return _decided(back, "rolled_back", rollout.reason)


def _tidy(rollout: Rollout, seen: Seen, now: datetime) -> Rollout:
    """One step of what an ended rollout owes; each is seen before the next (rules 9 and 10).

    The winner must still be the stable side at each: whatever else is applied was put there by somebody else, and the
    loser's tasks may be all that serves.
    """
    winner, stable = rollout.setting.stable, seen.applied.stable
    if rollout.tidy in (Tidy.UNWEIGH, Tidy.EMPTY) and stable != winner and (winner or stable):
        why = f"{stable or 'nobody'} is stable instead of {winner or 'nobody'}"
        return rollout if stable is None else _decided(rollout, "put_back", why)
    match rollout.tidy:
        case Tidy.HAND_OVER if stable == winner:
            return _tidied(rollout, Tidy.UNWEIGH)
        case Tidy.UNWEIGH if seen.applied.exposure == NONE:
            return _tidied(rollout, Tidy.EMPTY)
        case Tidy.EMPTY if seen.applied.slot == "":
            return replace(_tidied(rollout, Tidy.KEEP), freed=now)
        case Tidy.KEEP | Tidy.RETIRE if not rollout.loser or seen.loser_needed:
            return _tidied(rollout, Tidy.DONE)
        case Tidy.KEEP if now - (rollout.freed or rollout.ended or now) >= _keep(rollout):
            return _tidied(rollout, Tidy.RETIRE)
        case Tidy.RETIRE if seen.loser_gone:
            return _tidied(rollout, Tidy.DONE)
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


def _tidied(rollout: Rollout, tidy: Tidy) -> Rollout:
    return _decided(replace(rollout, tidy=tidy), "tidy", _OWED[tidy])


def _decided(rollout: Rollout, kind: str, why: str) -> Rollout:
    return replace(rollout, decision=Decision(kind, why))
