"""Crash anywhere: each write of the store, the router and the tasks may fail before or after it took effect, or fail while
the controller lives on. Another controller starts, and the end is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_flags import OFF, ON
from tests.support.brittle import CROWD, Brittle, Fuse, How
from tests.support.flag_agents import SUBJECT
from tests.support.house import service_file
from tidegate.core.flags.snapshot import decode_snapshot
from tidegate.core.plan import PlanFile
from tidegate.core.rollout import Phase
from tidegate.engine.flag_orders import Manner
from tidegate.engine.releases import FlagsPart, VersionPart

GOOD_PLAN = {"linear": {"step": "50%", "every": "1s"}, "bake": "1s", "keep_baseline": "2s"}
WATCHFUL = {"linear": {"step": "50%", "every": "8s"}, "bake": "1s", "keep_baseline": "2s"}


def _deploy(world: Brittle, version: str, plan: dict[str, Any]) -> None:
    world.survive(lambda: world.orders.deploy(service_file(plan=plan), version, "ann"))


def _phase(world: Brittle, phase: Phase) -> Callable[[], bool]:
    return lambda: world.rollout().phase is phase


def _all_done(world: Brittle) -> bool:
    return all(held.rollout.tidied for held in world.store.history("web"))


def first(world: Brittle) -> None:
    _deploy(world, "v1", GOOD_PLAN)
    world.seconds_until(_phase(world, Phase.COMPLETED))


def good(world: Brittle) -> None:
    _deploy(world, "v2", GOOD_PLAN)
    world.seconds_until(_phase(world, Phase.COMPLETED))


def bad(world: Brittle) -> None:
    _deploy(world, "v2", WATCHFUL)
    world.seconds_until(_phase(world, Phase.ROLLED_BACK), fails=("v2",))


def rollback(world: Brittle) -> None:
    world.survive(lambda: world.orders.rollback("web", "ann"))
    world.seconds_until(_phase(world, Phase.COMPLETED))


def supersede(world: Brittle) -> None:
    _deploy(world, "v2", WATCHFUL)
    world.seconds_until(_phase(world, Phase.WATCHING))
    _deploy(world, "v3", GOOD_PLAN | {"on_conflict": "supersede"})
    world.seconds_until(_phase(world, Phase.COMPLETED))


def flags(world: Brittle) -> None:
    """Flags beside the service. No agent asks for them, so they are applied as soon as they are posted."""
    world.survive(lambda: world.flag_orders.deploy("shop", "prod", OFF, Manner("ann")))
    world.seconds_until(lambda: _tidied(world, SUBJECT))


def release(world: Brittle) -> None:
    _release(world, GOOD_PLAN)
    world.seconds_until(_phase(world, Phase.COMPLETED))
    world.seconds_until(lambda: _tidied(world, SUBJECT))


def bad_release(world: Brittle) -> None:
    _release(world, WATCHFUL)
    world.seconds_until(_phase(world, Phase.ROLLED_BACK), fails=("v2",))
    world.seconds_until(lambda: _tidied(world, SUBJECT))


def _release(world: Brittle, plan: dict[str, Any]) -> None:
    def begin() -> None:
        if not world.store.parts("checkout-1"):  # what was written before a crash is not begun again
            parts = [VersionPart(service_file(), "v2")], [FlagsPart("prod", ON)]
            world.releases.begin("checkout", *parts, plan=PlanFile.model_validate(plan), by="ann")

    world.survive(begin)


def _tidied(world: Brittle, subject: str) -> bool:
    return all(held.rollout.tidied for held in world.store.history(subject))


STORIES: dict[str, tuple[Callable[[Brittle], None], ...]] = {
    "first": (first,),
    "good": (first, good),
    "bad": (first, bad),
    "rollback": (first, good, rollback),
    "supersede": (first, supersede),
    "release": (first, flags, release),
    "bad_release": (first, flags, bad_release),
}
"""The last part of each is the one that is disturbed."""


def _before(name: str, tmp_path: Path) -> Brittle:
    """The world in which the disturbed part begins."""
    world = Brittle(tmp_path)
    for part in STORIES[name][:-1]:
        part(world)
        if part is first:
            world.seconds_until(lambda: _all_done(world))
    world.close()
    return world


def tell(name: str, before: Brittle, home: Path, fuse: Fuse) -> dict[str, object]:
    """Tells the last part to its end, and says what is left then."""
    home.mkdir()
    world = Brittle(home, fuse, like=before)
    try:
        STORIES[name][-1](world)
        world.seconds_until(lambda: _all_done(world))
        for _ in range(3):
            world.second()
        world.must_be_sound()
        return _end(world)
    finally:
        world.close()


def _end(world: Brittle) -> dict[str, object]:
    record = world.store.service("web")
    applied = world.memory.applied("web")
    assert record is not None
    assert applied.salt == record.salt
    return {
        "stable": record.stable,
        "applied": (applied.exposure, applied.stable, applied.slot),
        "rollouts": [
            (held.rollout.id, held.rollout.candidate, held.rollout.phase.value, held.rollout.reason.partition(":")[0])
            for held in world.store.history("web")
        ],
        "served by": {version: len(users) for version, users in world.memory.serve("web", CROWD).items()},
        "flags": _flags_end(world),
        "living": sorted({task.rpartition("-")[0] for task in world.machine.living()}),
        "how many": len(world.machine.living()),
        "sides": {user: sides[-3:] for user, sides in world.sides.items()},
    }


def _flags_end(world: Brittle) -> object:
    record = world.store.environment(SUBJECT)
    if record is None:
        return None
    world.seconds_until(lambda: world.board.get(SUBJECT) is not None)  # the last second may have been one of death
    posted = world.board.get(SUBJECT)
    assert posted is not None
    snapshot = decode_snapshot(posted.text)
    assert snapshot.candidate is None
    assert str(snapshot.baseline.number) == record.stable
    ended = [(held.rollout.id, held.rollout.phase.value, held.rollout.release) for held in world.store.history(SUBJECT)]
    return record.stable, ended


def _disturb(name: str, how: How, tmp_path: Path, which: Callable[[int], bool]) -> None:
    (tmp_path / "before").mkdir()
    before = _before(name, tmp_path / "before")
    calm = Fuse(0, how)
    expected = tell(name, before, tmp_path / "calm", calm)
    for number in filter(which, range(1, calm.count + 1)):
        fuse = Fuse(number, how)
        assert tell(name, before, tmp_path / str(number), fuse) == expected, f"write {number}: {fuse.burnt}"


@pytest.mark.parametrize("how", list(How))
@pytest.mark.parametrize("name", list(STORIES))
def test_a_crash_at_a_write_leaves_the_same_end(name: str, how: How, tmp_path: Path) -> None:
    """Every second write is disturbed, or every fourth, in one of the three ways. The nightly form disturbs each in all."""
    turn, every = 2 * list(How).index(how), 12 if "release" in name else 6
    _disturb(name, how, tmp_path, lambda number: number % every == turn)


@pytest.mark.nightly
@pytest.mark.parametrize("how", list(How))
@pytest.mark.parametrize("name", list(STORIES))
def test_a_crash_at_any_write_in_any_way_leaves_the_same_end(name: str, how: How, tmp_path: Path) -> None:
    _disturb(name, how, tmp_path, lambda _: True)
