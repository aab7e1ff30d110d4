"""Random histories for the promises: a calm world that is roughened, told in the language of the scenarios.

A story that breaks a promise is printed as a scenario: put it into tests/scenarios to look at it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import strategies as st

from tests.support.pretended import BEGIN, Turn, World, begin
from tests.support.scenario import Stage
from tidegate.core.exposure import Exposure
from tidegate.core.plan import Hook, Plan, Step, Unsure
from tidegate.core.rollout import Rollout

SECOND = timedelta(seconds=1)

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


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    shares = sorted(draw(st.lists(st.sampled_from((0, 1000, 2000, 4000, 9000)), max_size=3)))
    steps = [
        Step(
            exposure=Exposure(share),
            hold=draw(st.sampled_from((2, 5, 0))) * SECOND,
            gate=draw(st.sampled_from(("", "", "", "", "ask ann"))),
            hook=draw(st.sampled_from((None, None, Hook(("smoke-test",))))),
        )
        for share in [*shares, 10_000]
    ]
    return Plan(
        said="random",
        steps=tuple(steps),
        deadline=draw(st.sampled_from((3600, 60, 20))) * SECOND,
        patience=draw(st.sampled_from((5, 10))) * SECOND,
        gap=draw(st.sampled_from((30, 3))) * SECOND,
        unsure_blind=draw(st.sampled_from((Unsure.ROLLBACK, Unsure.HOLD))),
        unsure_no_data=draw(st.sampled_from(Unsure)),
        rollback_drain=draw(st.sampled_from((0, 2))) * SECOND,
        keep_baseline=draw(st.sampled_from((3, 0))) * SECOND,
    )


@st.composite
def stories(draw: st.DrawFn, *, without: tuple[str, ...] = (), guarded: bool = True, first: bool = True) -> Story:
    """`without` names events by their beginning. Each story knows a few kinds of events only: where everything happens,
    nothing gets far."""
    known = [event for event in EVENTS if not event.startswith(without)]
    kinds = draw(st.lists(st.sampled_from(known), min_size=1, max_size=6, unique=True))
    plan = replace(draw(plans()), guarded=guarded or draw(st.booleans()))
    baseline = draw(st.sampled_from(("v1", "v1", "v1", "") if first else ("v1",)))
    events = draw(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(kinds)), max_size=16))
    return Story(plan, baseline, tuple(events))


def told(*events: tuple[int, str], **plan: object) -> Story:
    """A story of one's own, for what chance finds too seldom: two steps of two seconds, then the hand-over at 8 s."""
    steps = (Step(Exposure(1000), 2 * SECOND), Step(Exposure(10_000), 2 * SECOND))
    known = Plan("told", steps, deadline=3600 * SECOND, patience=5 * SECOND, keep_baseline=3 * SECOND)
    return Story(replace(known, **plan), "v1", events)  # type: ignore[arg-type]  # whatever a plan has
