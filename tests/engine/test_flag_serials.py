"""Serials of snapshots: agents never go back to a smaller one, so none may be given twice, and none may stay ahead for ever."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.engine.test_flags import OFF, ON, Flags
from tests.support.flag_agents import SUBJECT
from tests.support.house import BEGIN
from tidegate.core.exposure import Exposure
from tidegate.core.flags.agent_report import AgentReport
from tidegate.core.flags.edit import set_flag
from tidegate.core.rollout import Phase
from tidegate.core.setting import Setting
from tidegate.engine.agents import Agents
from tidegate.engine.flag_board import FlagBoard
from tidegate.engine.flags import PATIENCE, FlagLever
from tidegate.ports import Serials


@pytest.fixture
def flags(tmp_path: Path) -> Iterator[Flags]:
    flags = Flags(tmp_path).begin()
    yield flags
    flags.world.store.close()  # type: ignore[union-attr]


def put_back(flags: Flags, backup: Path) -> None:
    """The database as it was, and a new controller on it."""
    flags.world.store.close()  # type: ignore[union-attr]
    place = Path(flags.world.url.removeprefix("sqlite:///"))
    for old in place.parent.glob(f"{place.name}*"):
        old.unlink()
    shutil.copy(backup, place)
    flags.world.start_controller()


@pytest.fixture
def backup(flags: Flags, tmp_path: Path) -> Path:
    """Of the time when the flag was off; since then it was turned on."""
    place = Path(flags.world.url.removeprefix("sqlite:///"))
    flags.world.store.close()  # type: ignore[union-attr]
    kept = Path(shutil.copy(place, tmp_path / "backup"))
    flags.world.start_controller()
    flags.run(6)
    flags.deploy(ON)
    flags.until(Phase.COMPLETED)
    flags.run(6)
    assert [set(got.values()) for got in flags.got] == [{True}] * 3
    return kept


def test_after_a_database_was_put_back_agents_take_what_is_in_force_now(flags: Flags, backup: Path) -> None:
    before = flags.agents[0].snapshot
    put_back(flags, backup)
    flags.run(2)
    after = flags.agents[0].snapshot
    assert before is not None
    assert after is not None
    assert (after.origin, after.serial > before.serial) == (before.origin, True)
    assert [set(got.values()) for got in flags.got] == [{False}] * 3


def test_also_with_a_clock_that_was_put_back_as_well(flags: Flags, backup: Path) -> None:
    flags.world.now -= timedelta(days=400)
    put_back(flags, backup)
    flags.run(4)
    assert [set(got.values()) for got in flags.got] == [{False}] * 3
    flags.run(6)
    flags.deploy(set_flag(OFF, "theme", "dark"))
    flags.until(Phase.COMPLETED)


# --- Several controllers on one database --------------------------------------------------------------------------------------


class Shared:
    """A database, with what it has given out."""

    def __init__(self) -> None:
        self.serial = 0
        self.going = False

    def reserve(self, subject: str, count: int) -> Serials:
        self.serial += count
        return Serials("db", self.serial - count + 1, self.serial)


def lever(shared: Shared) -> FlagLever:
    documents = {1: OFF.numbered(1), 2: ON.numbered(2)}
    return FlagLever(
        document=lambda _, number: documents.get(number),
        reserve=shared.reserve,
        agents=Agents(),
        board=FlagBoard(),
        watched=lambda _: (),
        elsewhere=lambda _: shared.going,
    )


def applied(one: FlagLever, setting: Setting, seconds: int = 0) -> tuple[int, int, str] | None:
    """Serial, exposure and rollout of what its agents are shown."""
    one.apply({SUBJECT: setting}, frozenset(), BEGIN + timedelta(seconds=seconds))
    posted = one.board.get(SUBJECT)
    return None if posted is None else (posted.snapshot.serial, posted.snapshot.exposure, posted.snapshot.rollout)


STABLE = Setting("1", salt="s")
MOVING = Setting("1", "2", Exposure(1000), "s", "shop-prod-2")


def test_a_controller_that_does_not_hold_the_rollout_shows_nothing_that_takes_it_back() -> None:
    shared = Shared()
    holder, other = lever(shared), lever(shared)
    assert applied(other, STABLE) is not None
    shared.going = True
    assert applied(holder, MOVING) is not None
    newcomer = lever(shared)
    assert applied(newcomer, STABLE) is None
    before = applied(other, STABLE)
    assert applied(other, Setting("2", salt="s")) == before
    shared.going = False
    after = applied(other, Setting("2", salt="s"))
    assert after is not None
    assert before is not None
    assert after[0] > before[0]


def test_who_takes_a_rollout_over_goes_on_beyond_what_agents_have() -> None:
    shared = Shared()
    other, holder = lever(shared), lever(shared)
    mine = applied(other, STABLE)
    shared.going = True
    theirs = applied(holder, MOVING)
    assert mine is not None
    assert theirs is not None
    assert theirs[0] > mine[0]
    shown = applied(other, MOVING)  # the holder has died
    assert shown is not None
    assert shown[0] < theirs[0]
    other.agents.report(SUBJECT, AgentReport("a", "1", "life", theirs[0], "db", Exposure(1000), "shop-prod-2"))
    again = applied(other, MOVING, 1)
    assert again is not None
    assert again[0] > theirs[0]
    other.agents.report(SUBJECT, AgentReport("a", "1", "life", again[0] + 5, "db", Exposure(1000), "shop-prod-2"))
    assert applied(other, MOVING, 2) == again, "two that share agents would drive each other on"
    later = applied(other, MOVING, 1 + int(PATIENCE.total_seconds()))
    assert later is not None
    assert later[0] > again[0] + 5
