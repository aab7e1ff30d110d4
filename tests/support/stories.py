"""Random histories for the promises: a calm world that is roughened, told in the language of the scenarios.

A story that breaks a promise is printed as a scenario: put it into tests/scenarios to look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.support.pretended import BEGIN, Turn, World, begin
from tests.support.scenario import Stage
from tidegate.core.exposure import Exposure
from tidegate.core.plan import Hook, Plan, Step, Unsure
from tidegate.core.rollout import Rollout

SECOND = timedelta(seconds=1)
Pick = Callable[[Sequence[Any]], Any]

# Calm first: what breaks is shrunk towards it.
EVENTS = (
    "nothing",
    "verdict good",
    "hook passed",
    "candidate healthy",
    "router seen",
    "router works",
    "resume",
    "promote",
    "pause",
    "verdict no data errors: not enough data",
    "verdict held the baseline is sick, too",
    "verdict blind errors: its source does not answer",
    "router blind",
    "router stuck",
    "candidate starting",
    "candidate unseen",
    "controller down 20s",
    "clock back 20s",
    "clock ahead 20s",
    "drift to 0%",
    "drift to 40%",
    "drift slot to v9",
    "drift stable to v1",
    "promote full",
    "abort",
    "supersede by v3",
    "hook failed smoke-test exited with status 1",
    "candidate failed web-v2-1 exited with status 1",
    "verdict bad errors above 1%",
)
LAST = ("abort", "supersede", "hook failed", "candidate failed", "verdict bad")
"""What usually ends a story: at most one of them in each."""
BY_PERSONS = ("resume", "promote", "pause", "promote full", "abort", "supersede by v3")


@dataclass(frozen=True)
class Story:
    plan: Plan
    baseline: str
    events: tuple[tuple[int, str], ...]  # after so many seconds

    def __repr__(self) -> str:
        at, lines = 0, [f"plan {self.plan}", f"baseline {self.baseline or 'none'}"]
        for wait, event in self.events:
            at += wait
            lines.append(f"at {at}s {event}")
        return "\n".join(["", *lines, ""])

    def play(self) -> World:
        """The world after this story, with every turn."""
        world = World(self.first())
        stage = Stage(world)
        for wait, event in self.events:
            for _ in range(wait):
                stage.tick()
            stage.happen(event)
        for _ in range(8):
            stage.tick()
        return world

    def first(self) -> Rollout:
        return begin(self.plan, baseline=self.baseline, now=BEGIN)

    def turns(self) -> list[Turn]:
        return self.play().turns


def _plan(pick: Pick) -> Plan:
    shares = sorted(pick((1000, 2000, 4000, 9000, 0)) for _ in range(pick((1, 2, 3, 0))))
    steps = [
        Step(
            exposure=Exposure(share),
            hold=pick((2, 5, 0)) * SECOND,
            gate=pick(("", "", "", "", "ask ann")),
            hook=pick((None, None, None, Hook(("smoke-test",)))),
        )
        for share in [*shares, 10_000]
    ]
    return Plan(
        said="random",
        steps=tuple(steps),
        deadline=pick((3600, 3600, 60, 20)) * SECOND,
        patience=pick((5, 10)) * SECOND,
        gap=pick((30, 3)) * SECOND,
        unsure_blind=pick((Unsure.ROLLBACK, Unsure.HOLD)),
        unsure_no_data=pick(tuple(Unsure)),
        rollback_drain=pick((0, 2)) * SECOND,
        keep_baseline=pick((3, 0)) * SECOND,
    )


def _story(pick: Pick, *, without: tuple[str, ...], guarded: bool, first: bool) -> Story:
    """A calm plan, roughened by events of a few kinds: where everything happens, nothing gets far."""
    mild = [event for event in EVENTS if not event.startswith((*without, *LAST))]
    kinds = [pick(mild) for _ in range(pick((3, 5, 8)))]
    events = [(pick((1, 2, 0, 3, 6)), pick(kinds)) for _ in range(pick((6, 12, 18, 2)))]
    last = [event for event in EVENTS if event.startswith(LAST) and not event.startswith(without)]
    if last and pick((False, True)):
        events.insert(pick(range(len(events))), (pick((1, 0, 3)), pick(last)))
    plan = replace(_plan(pick), guarded=guarded or pick((True, False)))
    return Story(plan, pick(("v1", "v1", "v1", "v1", "")) if first else "v1", tuple(events))


def stories(*, without: tuple[str, ...] = (), guarded: bool = True, first: bool = True) -> st.SearchStrategy[Story]:
    """`without` names events by their beginning. Half of them are thrown with fair dice, which gets about; the other half
    by hypothesis, which shrinks what it finds."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Story:
        return _story(lambda among: draw(st.sampled_from(among)), without=without, guarded=guarded, first=first)

    def thrown(seed: int) -> Story:
        return _story(Random(seed).choice, without=without, guarded=guarded, first=first)

    return st.integers(0, 2**62).map(thrown) | drawn()


def told(*events: tuple[int, str], **plan: object) -> Story:
    """A story of one's own, for what chance finds too seldom: two steps of two seconds, then the hand-over at 8 s."""
    steps = (Step(Exposure(1000), 2 * SECOND), Step(Exposure(10_000), 2 * SECOND))
    known = Plan("told", steps, deadline=3600 * SECOND, patience=5 * SECOND, keep_baseline=3 * SECOND)
    return Story(replace(known, **plan), "v1", events)  # type: ignore[arg-type]  # whatever a plan has
