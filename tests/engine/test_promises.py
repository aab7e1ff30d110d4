"""What the engine promises, held against random histories: people who order, tasks that die, a router that does not answer or
is restarted, a controller that dies. A history begins calm and is roughened, and ends calm again; then everything must end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.brittle import CROWD, DATABASE_WRITES, Brittle, Crash
from tests.support.house import service_file
from tidegate.core.errors import TidegateError
from tidegate.core.rollout import Phase

PLAN = {"linear": {"step": "50%", "every": "3s"}, "bake": "2s", "keep_baseline": "4s", "patience": "6s", "deadline": "60s"}
Act = tuple[str, int]

orders = st.sampled_from(["deploy", "supersede", "pause", "resume", "promote", "full", "abort", "rollback", "restart", "count"])
troubles = st.sampled_from(
    ["silent router", "other router", "dead task", "sick task", "killed", "blind", "full disk", "no database", "bad"]
)
waits = st.tuples(st.just("wait"), st.integers(1, 6))
acts = st.one_of(waits, waits, st.tuples(orders, st.integers(0, 3)), st.tuples(troubles, st.integers(0, 3)))
histories = st.lists(acts, min_size=3, max_size=14)


class History:
    """One world, what happened in it, and who was where in every second."""

    def __init__(self, home: Path) -> None:
        self.world = Brittle(home)
        self.number = 1
        self.fails: set[str] = set()
        self.restless: set[str] = set()  # rollouts in which the router lost what it had: nobody's place is ours then
        self.order(lambda: self.world.orders.deploy(service_file(plan=PLAN), "v1", "ann"))
        self.wait(6)

    def order(self, do: Callable[[], object]) -> None:
        """Refused is as good as done: nothing may have changed."""
        try:
            do()
        except TidegateError:
            pass
        except Crash:
            self.world.start_controller()

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.world.second(fails=tuple(self.fails))
            self.watch()

    def watch(self) -> None:
        """Whatever happens: whoever is served is served by a side that is meant to serve."""
        world = self.world
        world.must_be_sound()
        for held in world.store.history("web", 20):
            if held.rollout.phase is Phase.COMPLETED:
                continue
            moves = world.moves.get(held.rollout.id, {})
            twice = [user for user, sides in moves.items() if sides.count(held.rollout.candidate) > 1]
            assert not twice, f"{twice[0]} came to {held.rollout.candidate} twice in {held.rollout.id}: {moves[twice[0]]}"

    def act(self, what: str, how: int) -> None:
        world, file = self.world, service_file(plan=PLAN)
        match what:
            case "wait":
                self.wait(how)
            case "deploy" | "supersede":
                self.number += 1
                version = f"v{self.number}"
                conflict = "supersede" if what == "supersede" else "refuse"
                self.order(lambda: world.orders.deploy(service_file(plan=PLAN | {"on_conflict": conflict}), version, "ann"))
            case "pause" | "resume" | "abort" | "rollback" | "promote" | "restart":
                self.order(lambda: getattr(world.orders, what)("web", "ann"))
            case "full":
                self.order(lambda: world.orders.promote("web", "ann", full=True))
            case "count":
                tasks = file.tasks.model_copy(update={"count": 1 + how % 3})
                self.order(lambda: world.orders.apply(file.model_copy(update={"tasks": tasks}), "ann"))
            case _:
                self.trouble(what, how)

    def trouble(self, what: str, how: int) -> None:
        world = self.world
        living = world.machine.living()
        match what:
            case "silent router":
                world.memory.answers = False
                self.wait(how + 1)
                world.memory.answers = True
            case "other router":
                world.memory.restart()
            case "dead task" if living:
                world.machine.die(living[how % len(living)])
            case "sick task" if living:
                victim = living[how % len(living)]
                world.machine.sicken(victim)
                self.wait(how + 1)
                world.machine.heal(victim)
            case "killed":
                world.start_controller()
            case "blind":
                world.runtime.blind = True
                self.wait(how + 1)
                world.runtime.blind = False
            case "full disk":
                world.machine.disk_full = True
                self.wait(how + 1)
                world.machine.disk_full = False
            case "no database":
                world.fuse.away = DATABASE_WRITES
                self.wait(1 + how // 2)
                if how % 2:
                    world.start_controller()
                self.wait(how + 1)
                world.fuse.away = frozenset()
            case "bad":
                self.fails.add(f"v{self.number}")

    def calm(self) -> None:
        """Nobody disturbs any more: it all must come to its end."""
        world = self.world
        for kind in ("resume",):
            self.order(lambda kind=kind: getattr(world.orders, kind)("web", "ann"))
        for _ in range(200):
            self.wait(1)
            if all(held.rollout.tidied for held in world.store.history("web", 100)):
                break
        self.wait(8)


@pytest.mark.timeout(600)  # it takes a few seconds; to find the smallest history that breaks a promise takes minutes
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories)
def test_nobody_flips_nobody_is_left_on_what_went_back_and_nobody_is_ended_while_he_serves(history: list[Act]) -> None:
    tell(history)


def tell(history: list[Act]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        told = History(Path(home))
        world = told.world
        try:
            for what, how in history:
                told.act(what, how)
                world.must_be_sound()
            told.calm()
            world.must_be_sound()
            return _check_end(told)
        finally:
            world.close()


def _check_end(told: History) -> dict[str, Any]:
    world = told.world
    record = world.store.service("web")
    assert record is not None
    rollouts = [held.rollout for held in world.store.history("web", 100)]
    unfinished = [f"{one.id}: {one.phase} {one.tidy} {one.decision}" for one in rollouts if not one.tidied]
    assert not unfinished, unfinished
    won = next(one.candidate for one in rollouts if one.phase is Phase.COMPLETED)
    assert record.stable == won, "the last one that completed is what serves"
    assert world.memory.serve("web", CROWD) == {won: CROWD}, "and it serves everybody"
    assert {task.rpartition("-")[0] for task in world.machine.living()} == {f"web-{won}"}, "and nothing else runs"
    assert len(world.machine.living()) == record.file.tasks.count
    return {"stable": won, "rollouts": len(rollouts)}


def test_the_calmest_history_ends_as_it_should() -> None:
    assert tell([("deploy", 0), ("wait", 6), ("wait", 6), ("wait", 6)]) == {"stable": "v2", "rollouts": 2}
