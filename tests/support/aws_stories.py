"""A good release and a bad one on ECS behind an ALB, told while something goes wrong: the end has to be the same.

A person gives an order again that was refused. Nothing is made twice: the template, v1 and v2 are three revisions.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.support.aws_world import AwsWorld, Crash, Place
from tidegate.core.errors import Conflict, Unreachable
from tidegate.core.rollout import Phase


def completed(world: AwsWorld) -> bool:
    return world.rollout().phase is Phase.COMPLETED


def first(world: AwsWorld) -> None:
    """A first version serves."""
    world.release("v1")
    world.seconds_until(lambda: completed(world))
    world.tidy()


def good(world: AwsWorld) -> None:
    _survive(world, "v2")
    world.seconds_until(lambda: completed(world), within=240)
    world.tidy()


def bad(world: AwsWorld) -> None:
    _survive(world, "v2", plan={"linear": {"step": "50%", "every": "60s"}})
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING, within=240)
    world.orders.abort("web", "ann", "it is bad")
    world.seconds_until(lambda: world.rollout().phase is Phase.ROLLED_BACK)
    world.tidy()


def _survive(world: AwsWorld, version: str, **changes: object) -> None:
    for _ in range(3):
        with suppress(Crash, Conflict, Unreachable):
            world.release(version, **changes)
            return
        world.start_controller()


STORIES = {"good": good, "bad": bad}
_ENDS = {
    "good": ({"shop/web:v2": 100}, [("shop/web:v1", 0), ("shop/web:v2", 2)], [("v2", "completed"), ("v1", "completed")]),
    "bad": ({"shop/web:v1": 100}, [("shop/web:v1", 2), ("shop/web:v2", 0)], [("v2", "rolled_back"), ("v1", "completed")]),
}


def tell(
    home: Path, place: Place, story: str, begin: Callable[[AwsWorld], object], world: type[AwsWorld] = AwsWorld
) -> AwsWorld:
    """Tells the story; `begin` makes things go wrong, once a first version serves. Then it is looked at its end."""
    home.mkdir(exist_ok=True)
    told = world(home, place)
    first(told)
    what = begin(told)
    STORIES[story](told)
    for _ in range(2):
        told.tick()
    assert told.broken == [], what
    rollouts = [(one.rollout.candidate, one.rollout.phase.value) for one in told.store.history("web")]
    assert (told.serving(), sorted(told.images().values()), rollouts) == _ENDS[story], what
    assert told.revisions() == 3, what
    return told
