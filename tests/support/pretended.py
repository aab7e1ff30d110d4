"""A pretended world for one rollout: a lever that acknowledges one tick later, guards, tasks and hooks that say what they
are told to say. Scenarios and promises live in it; time is a number that it hands to the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tidegate.core.decide import Action, Apply, RunHook, decide
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.plan import Plan
from tidegate.core.rollout import HookSeen, HookState, Phase, Readiness, Ready, Rollout, Seen, Tidy
from tidegate.core.setting import UNSEEN, Applied
from tidegate.core.verdict import GOOD, Verdict

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(seconds=1)


def begin(plan: Plan, *, baseline: str = "v1", candidate: str = "v2", now: datetime = BEGIN) -> Rollout:
    """A rollout as it is when it is written down for the first time."""
    return Rollout(
        id="web-2",
        subject="web",
        baseline=baseline,
        candidate=candidate,
        salt="web-2",
        plan=plan,
        by="ann",
        created=now,
        ticked=now,
    )


@dataclass(frozen=True)
class Turn:
    """One change of a rollout: by a look at `seen`, or by a person (then nothing was seen)."""

    before: Rollout
    after: Rollout
    now: datetime
    seen: Seen | None = None
    actions: tuple[Action, ...] = ()


class World:
    """What a controller finds outside. `applied` is the truth; `seen()` is what can be seen of it now."""

    def __init__(self, rollout: Rollout, now: datetime = BEGIN) -> None:
        self.rollout = rollout
        self.now = now
        self.applied = Applied(NONE, rollout.baseline, "", "an older salt")
        self.candidate = Readiness(Ready.YES)
        self.verdict: Verdict = GOOD
        self.hook: HookSeen | None = None
        self.hooks_run: list[int] = []
        self.lever_visible = True
        self.lever_works = True
        self.loser_gone = False
        self.loser_needed = False
        self.turns: list[Turn] = []

    def seen(self) -> Seen:
        return Seen(
            applied=self.applied if self.lever_visible else UNSEEN,
            candidate=self.candidate,
            verdict=self.verdict,
            hook=self.hook,
            loser_gone=self.loser_gone,
            loser_needed=self.loser_needed,
        )

    def tick(self, after: timedelta = TICK) -> tuple[Action, ...]:
        """Time passes, the controller looks and decides, and the lever obeys: the next look sees it."""
        self.now += after
        before, seen = self.rollout, self.seen()
        self.rollout, actions = decide(before, seen, self.now)
        self.turns.append(Turn(before, self.rollout, self.now, seen, actions))
        if (self.rollout.step, self.rollout.phase) != (before.step, before.phase):
            self.hook = None
        for action in actions:
            self._obey(action)
        self.loser_gone = self.loser_gone or self.rollout.tidy is Tidy.RETIRE
        return actions

    def _obey(self, action: Action) -> None:
        match action:
            case Apply(setting) if self.lever_works:
                self.applied = Applied(setting.exposure, setting.stable, setting.slot, setting.salt)
            case RunHook(step):
                self.hook = self.hook or HookSeen(HookState.RUNNING)
                if step not in self.hooks_run:
                    self.hooks_run.append(step)

    def intervene(self, act: Callable[[Rollout], Rollout]) -> None:
        """A person does something to it; refused like anywhere."""
        before = self.rollout
        self.rollout = act(before)
        self.turns.append(Turn(before, self.rollout, self.now))

    def drift(self, **changed: Exposure | str) -> None:
        """Somebody else moves what the lever applies."""
        self.applied = replace(self.applied, **changed)

    def until(self, *phases: Phase, most: int = 100_000) -> World:
        """Ticks on until one of these phases is reached."""
        for _ in range(most):
            if self.rollout.phase in phases:
                return self
            self.tick()
        raise AssertionError(f"still {self.rollout.phase} ({self.rollout.decision}) after {most} ticks")

    def run(self, span: timedelta) -> World:
        end = self.now + span
        while self.now < end:
            self.tick()
        return self
