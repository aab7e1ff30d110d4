"""What holds in every history of a release, however rough its parts are. Each promise is seen red on a fault below."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.core import intervention, release
from tidegate.core.decide import Apply
from tidegate.core.errors import Refused
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.plan import Plan, Step
from tidegate.core.release import as_part, decide_parts, promote_together
from tidegate.core.rollout import Phase, Readiness, Ready, Rollout, Seen
from tidegate.core.setting import UNSEEN, Applied
from tidegate.core.verdict import GOOD, Cause, Judgement, Verdict

SECOND = timedelta(seconds=1)
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHARES = (Exposure(1000), Exposure(5000), FULL)
STEPS = Plan("three steps", tuple(Step(share, 2 * SECOND) for share in SHARES), deadline=timedelta(hours=1))
BY_EVIDENCE = replace(STEPS, steps=(Step(FULL, 3 * SECOND), Step(FULL, SECOND)), harm=10.0)
BAD = Verdict(Judgement.BAD, "errors above 1%")
BLIND = Verdict(Judgement.UNKNOWN, "the source does not answer", Cause.BLIND)
HELD = Verdict(Judgement.UNKNOWN, "the baseline is sick, too", Cause.HELD)


@dataclass
class Part:
    """One rollout with its lever, which does what it is told when it feels like it."""

    rollout: Rollout
    applied: Applied = UNSEEN
    works: bool = True
    verdict: Verdict = GOOD
    ready: Ready = Ready.NOT_YET
    allowed: Exposure = NONE
    has_lever: bool = True

    @property
    def seen(self) -> Seen:
        return Seen(
            applied=self.applied, candidate=Readiness(self.ready, "it exits"), verdict=self.verdict, allowed=self.allowed
        )

    def obey(self, setting: object) -> None:
        if self.works:
            wanted = self.rollout.setting
            self.applied = Applied(wanted.exposure, wanted.stable, wanted.slot, wanted.salt)


@dataclass
class World:
    parts: list[Part]
    now: datetime = BEGIN
    turns: list[tuple[list[Rollout], list[Rollout], list[Exposure | None]]] = field(default_factory=list)

    @classmethod
    def begin(cls, names: list[str], plan: Plan) -> World:
        has_versions = any("/" not in name for name in names)
        parts = []
        for number, name in enumerate(names):
            rollout = Rollout(f"{name}-1", name, "v1", "v2", "", plan, "ann", BEGIN, BEGIN)
            follows = has_versions and "/" in name
            parts.append(Part(as_part(rollout, release="checkout-1", salt="salt", follows=follows, asks=number == 0)))
        return cls(parts)

    def tick(self) -> None:
        self.now += SECOND
        before = [part.rollout for part in self.parts]
        seen = [part.applied.exposure for part in self.parts]
        found = decide_parts(before, {part.rollout.id: part.seen for part in self.parts if part.has_lever}, self.now)
        for part in self.parts:
            if part.rollout.id in found:
                part.rollout, actions = found[part.rollout.id]
                for action in actions:
                    if isinstance(action, Apply) and part.has_lever:
                        part.obey(action.setting)
        self.turns.append((before, [part.rollout for part in self.parts], seen))

    def happens(self, event: str, part: Part) -> None:
        match event.split():
            case ["healthy"]:
                part.ready = Ready.YES
            case ["failed"]:
                part.ready = Ready.FAILED
            case ["good"]:
                part.verdict = GOOD
            case ["bad"]:
                part.verdict = BAD
            case ["blind"]:
                part.verdict = BLIND
            case ["held"]:
                part.verdict = HELD
            case ["works"]:
                part.works = True
            case ["stuck"]:
                part.works = False
            case ["lever", has]:
                part.has_lever = has == "yes"
            case ["allows", share]:
                part.allowed = Exposure(int(share))
            case [verb]:
                self.intervene(verb)

    def intervene(self, verb: str) -> None:
        going = [part for part in self.parts if part.rollout.in_flight]
        rollouts = [part.rollout for part in going]
        try:
            match verb:
                case "promote" | "full":
                    after = promote_together(rollouts, "ann", self.now, full=verb == "full") if rollouts else []
                case _:
                    do = getattr(intervention, verb)
                    after = [do(one, "ann") for one in rollouts]
        except Refused:
            return
        for part, rollout in zip(going, after, strict=True):
            part.rollout = rollout

    def mend(self) -> None:
        """Everything works from now on, and all is well, until nothing is in flight."""
        for part in self.parts:
            part.works, part.has_lever, part.ready, part.verdict, part.allowed = True, True, Ready.YES, GOOD, FULL
        self.intervene("resume")
        for _ in range(200):
            if not any(part.rollout.in_flight for part in self.parts):
                return
            self.tick()
        raise AssertionError([(part.rollout.subject, part.rollout.decision) for part in self.parts])


# Calm first: what breaks is shrunk towards it. `lever no`: an older rollout of that subject still has it.
EVENTS = (
    *("healthy", "good", "works", "lever yes", "resume", "allows 2000", "allows 10000", "promote", "pause", "full"),
    *("blind", "held", "stuck", "allows 500", "abort", "failed", "bad"),
)
NAMES = st.sampled_from([["web", "shop/prod"], ["web", "api", "shop/prod"], ["shop/prod", "app/prod"], ["web", "api"]])


@st.composite
def stories(draw: st.DrawFn) -> World:
    """A release that has been through a rough time."""
    world = World.begin(draw(NAMES), draw(st.sampled_from([STEPS, BY_EVIDENCE])))
    if draw(st.booleans()):
        draw(st.sampled_from(world.parts)).has_lever = False
    for _ in range(draw(st.integers(5, 40))):
        for event in draw(st.lists(st.sampled_from(EVENTS), max_size=2)):
            world.happens(event, draw(st.sampled_from(world.parts)))
        world.tick()
    return world


def forward(rollouts: list[Rollout]) -> list[Rollout]:
    return [one for one in rollouts if one.in_flight and not one.goes_back]


def all_end_the_same_way(world: World) -> None:
    world.mend()
    assert len({part.rollout.phase for part in world.parts}) == 1


def all_go_back_in_the_same_tick(world: World) -> None:
    for _, after, _ in world.turns:
        if any(one.goes_back for one in after):
            assert all(one.goes_back for one in after)


def all_complete_in_the_same_tick(world: World) -> None:
    for _, after, _ in world.turns:
        if any(one.phase is Phase.COMPLETED for one in after):
            assert all(one.phase is Phase.COMPLETED for one in after)


def flags_are_never_ahead_of_a_version_that_was_seen(world: World) -> None:
    for _, after, seen in world.turns:
        leaders = [share for one, share in zip(after, seen, strict=True) if not one.follows and forward([one])]
        for one in forward(after):
            if one.follows and leaders and one.wanted:
                assert all(share is None or one.wanted <= share or share == NONE for share in leaders)


def nobody_goes_on_before_all_were_ready(world: World) -> None:
    for before, after, _ in world.turns:
        moved = [b for b, a in zip(before, after, strict=True) if forward([a]) and a.place > b.place and not a.follows]
        for one in moved:
            assert all(other.place > one.place or other.ready for other in before if other.id != one.id)


def parts_are_at_most_a_place_apart(world: World) -> None:
    for before, after, _ in world.turns:
        places = [one.place for one in forward(after)]
        if len(places) == len(after) and all(a.place - b.place <= 1 for b, a in zip(before, after, strict=True)):
            assert max(places) - min(places) <= 1 or max(places) == len(after[0].plan.steps) - 1


PROMISES = [
    all_end_the_same_way,
    all_go_back_in_the_same_tick,
    all_complete_in_the_same_tick,
    flags_are_never_ahead_of_a_version_that_was_seen,
    nobody_goes_on_before_all_were_ready,
    parts_are_at_most_a_place_apart,
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@settings(max_examples=150, deadline=None)
@given(world=stories())
def test_what_is_promised_holds_in_every_history(promise: object, world: World) -> None:
    promise(world)  # type: ignore[operator]


def rough(seed: int) -> Iterator[World]:
    """Histories without shrinking, for faults: quick, and always the same."""
    chance = random.Random(seed)
    for _ in range(300):
        names = chance.choice([["web", "shop/prod"], ["web", "api", "shop/prod"], ["web", "api"]])
        world = World.begin(names, chance.choice([STEPS, BY_EVIDENCE]))
        for part in world.parts:
            part.ready, part.allowed = Ready.YES, Exposure(chance.choice([500, 2000, 10000]))
        for _ in range(40):
            if chance.random() < 0.25:
                world.happens(chance.choice(EVENTS), chance.choice(world.parts))
            world.tick()
        yield world


def broken_by_some(promises: list[object]) -> bool:
    for world in rough(7):
        for promise in promises:
            try:
                promise(world)  # type: ignore[operator]
            except AssertionError:
                return True
    return False


def test_without_a_fault_none_of_these_histories_breaks_a_promise() -> None:
    assert not broken_by_some(list(PROMISES))


FAULTS = {
    "back alone": ("_end_together", lambda *_: {}, [all_go_back_in_the_same_tick]),
    "complete alone": ("_end_together", lambda *_: {}, [all_complete_in_the_same_tick]),
    "wait for nobody": ("_waits", lambda *_: "", [nobody_goes_on_before_all_were_ready]),
    "follow nobody": ("_reached", lambda *_: None, [all_end_the_same_way]),
    "follow what was only asked for": (
        "_reached",
        lambda rollout, others: max((o.place for o in others), default=0) if rollout.follows and rollout.place < 0 else None,
        [flags_are_never_ahead_of_a_version_that_was_seen, all_end_the_same_way],
    ),
    "allow by one's own evidence": (
        "allowed_together",
        lambda part, parts, allowed: allowed.get(part.id, NONE),
        [flags_are_never_ahead_of_a_version_that_was_seen],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_the_rules_turns_a_promise_red(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, instead, promises = FAULTS[fault]
    monkeypatch.setattr(release, name, instead)
    assert broken_by_some(list(promises))
