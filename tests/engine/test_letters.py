"""What is told of a rollout, from its decision to whoever is told: in order, at least once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.house import World
from tidegate.core.errors import Unreachable
from tidegate.core.service import On
from tidegate.engine.teller import FIRST_RETRY, Postman

ALL = ["started", "step", "held", "rolled_back", "completed", "waiting"]
ON = [{"command": ["tell"], "events": ALL}]


class Listener:
    """Gets messages; refuses so many of them first."""

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.got: list[Mapping[str, object]] = []

    def tell(self, target: On, message: Mapping[str, object]) -> None:
        if self.refuses:
            self.refuses -= 1
            raise Unreachable("Not now.")
        self.got.append(message)

    @property
    def events(self) -> list[str]:
        return [str(message["event"]) for message in self.got]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.serving()
    return world


def _deliver(world: World, listener: Listener) -> None:
    postman = Postman(world.store, {"command": listener})
    for _ in range(50):
        postman.deliver(world.now)
        world.now += FIRST_RETRY


def test_a_rollout_is_told_step_by_step_in_order_though_some_do_not_arrive_at_first(world: World) -> None:
    listener = Listener(refuses=3)
    world.deploy("v2", on=ON)
    world.run_until("completed")
    _deliver(world, listener)
    assert listener.events == ["started", "step", "step", "completed"]
    assert str(listener.got[1]["sentence"]).startswith("web v2 is at 50% (step 1 of 2).")
    assert len({message["id"] for message in listener.got}) == 4


def test_one_that_is_rolled_back_is_told_with_reason_and_harm_also_by_the_next_controller(world: World) -> None:
    world.deploy("v2", on=ON)
    world.run_until("rolled_back", fails=["v2"])
    world.start_controller()
    listener = Listener()
    _deliver(world, listener)
    world.start_controller()
    _deliver(world, listener)
    assert listener.events == ["started", "step", "rolled_back"]
    last = listener.got[-1]
    assert str(last["reason"]).startswith("errors: ")
    assert isinstance(last["harm"], Mapping)
    assert last["harm"]["failed"]


def test_whoever_says_nothing_of_events_hears_neither_steps_nor_holds(world: World) -> None:
    listener = Listener()
    world.deploy("v2", on=[{"command": ["tell"]}])
    world.run_until("completed")
    _deliver(world, listener)
    assert listener.events == ["started", "completed"]
