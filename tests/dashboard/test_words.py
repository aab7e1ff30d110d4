"""What pages say of a rollout in one sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.house import World
from tidegate.api.dashboard.words import harm_in_short, headline
from tidegate.core.exposure import FULL
from tidegate.core.harm import Harm
from tidegate.core.setting import UNSEEN
from tidegate.engine.view import view_rollout


def test_that_nobody_came_is_said_only_where_somebody_counted(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.serving()
    world.deploy("v2")
    world.run_until("completed")
    view = replace(view_rollout(world.store.history("web", 1)[0], applied=UNSEEN), harm=Harm())
    assert harm_in_short(view) == headline(view).why == "No request reached it."
    assert harm_in_short(replace(view, harm=Harm(most=FULL))) == "No request to it has been counted."
    assert harm_in_short(replace(view, led="AppConfig")) == "AppConfig led it: its requests were not counted."
