"""What is forecast is what then happens."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.engine.test_comparing import ADAPTIVE, COMPARED, Traffic
from tidegate.core.plan import read_plan
from tidegate.engine.foresight import Foresight


def test_a_healthy_version_takes_about_as_long_as_was_forecast(tmp_path: Path) -> None:
    world = Traffic(tmp_path)
    world.shares.update(v1=0.002, v2=0.002)
    world.serving(**COMPARED)
    world.seconds(60)
    foresight = Foresight(world.watcher, world.lever, timedelta(seconds=1))
    known = foresight.known("web")
    assert (known.rate_from, known.errors_from, known.a_day) == ("now", "day", True)
    assert known.traffic is not None
    assert known.traffic.rate == pytest.approx(200, rel=0.05)
    record = world.store.service("web")
    assert record is not None
    ahead = foresight.forecast(record.file, read_plan(ADAPTIVE).resolve(), known.traffic)
    began = world.now
    world.deploy("v2", **COMPARED | {"plan": ADAPTIVE})
    world.until("completed", within=1000)
    assert (world.now - began).total_seconds() == pytest.approx(ahead.seconds, rel=0.25, abs=10)


def test_of_a_service_that_nobody_has_watched_nothing_is_known(tmp_path: Path) -> None:
    world = Traffic(tmp_path)
    known = Foresight(world.watcher, world.lever, timedelta(seconds=1)).known("shop")
    assert (known.rate, known.traffic, known.errors_from, known.a_day) == (None, None, "", False)
