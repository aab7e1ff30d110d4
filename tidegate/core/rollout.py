"""A rollout as it is written down, and the world as it sees it at a tick. What becomes of it, core/decide.py says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.core.exposure import NONE, Exposure
from tidegate.core.plan import Plan, Step
from tidegate.core.setting import UNSEEN, Applied, Setting
from tidegate.core.verdict import GOOD, Verdict


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
    """Whether the candidate could take traffic; and where somebody else moves the exposure, what he does."""

    ready: Ready
    why: str = ""
    back: str = ""  # why he has turned back; "" while he has not
    busy: str = ""  # what he still does, once everybody is let in
    forth: bool = False  # he may still let somebody in: nobody has seen him turn back
    overtaken: str = ""  # what somebody else has put in force there since: it is not undone


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


def shift_to(rollout: Rollout, step: int, why: str) -> Rollout:
    """Wants the exposure of this step, and forgets what was watched before; patience begins anew, too."""
    shifting = replace(rollout, phase=Phase.SHIFTING, step=step, watched=timedelta(0), blind=None, waiting="")
    shifting = replace(shifting, judged=False, hook_passed=False, ready=False)
    return decided(shifting, "shift", f"to {shifting.wanted}: {why}")


def complete(rollout: Rollout, now: datetime, why: str) -> Rollout:
    """The candidate has won; what is left is handing over. A first version is the stable side already."""
    owed = Tidy.EMPTY if rollout.first else Tidy.HAND_OVER
    won = replace(rollout, phase=Phase.COMPLETED, tidy=owed, ended=now, paused=False, waiting="", ready=False)
    return decided(won, "complete", why)


def roll_back(rollout: Rollout, why: str) -> Rollout:
    """Wants exposure zero from now on, whatever else is going on (rule 7)."""
    back = replace(rollout, phase=Phase.ROLLING_BACK, reason=why, paused=False, waiting="", ready=False)
    return decided(back, "roll_back", why)


def decided(rollout: Rollout, kind: str, why: str) -> Rollout:
    return replace(rollout, decision=Decision(kind, why))
