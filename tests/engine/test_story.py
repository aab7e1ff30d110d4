"""The whole story of a rollout."""

from __future__ import annotations

from pathlib import Path

from tests.support.house import World
from tidegate.engine.story import story_of


def test_a_story_is_whole_and_in_order_however_little_is_read_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.serving()
    world.deploy("v2")
    world.run_until("completed")
    rollout = world.rollout().id
    whole = world.store.events(rollout=rollout)
    assert len(whole) > 6
    for at_once in (1, 2, len(whole) - 1, len(whole), len(whole) + 1):
        assert story_of(rollout, world.store, at_once) == whole
    assert story_of("web-99", world.store) == []
