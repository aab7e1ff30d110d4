"""Nothing blocks a rollback, not even a database that cannot be written or read. And nothing else happens unwritten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.house import SECOND, USERS, World
from tidegate.core.errors import Unreachable
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.intervention import pause, promote
from tidegate.core.rollout import Phase, roll_back
from tidegate.engine.loop import LEASE
from tidegate.ports import Change
from tidegate.store.store import SqlStore

HALF = {"linear": {"step": "50%", "every": "10s"}, "bake": "10s", "keep_baseline": "30s"}
TOLD = {"command": ["tell"], "events": ["rolled_back"]}


class Deaf:
    """The store, some of whose verbs do not answer now."""

    def __init__(self, real: SqlStore, *, shared: bool = False) -> None:
        self._real = real
        self.away: set[str] = set()
        self.alone = not shared

    def __getattr__(self, name: str) -> Any:
        if name in self.away:
            raise Unreachable(f"The database does not answer to {name}.")
        return getattr(self._real, name)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """v1 serves, and v2 is watched at half of the users."""
    return _watched(World(tmp_path))


def _watched(world: World) -> World:
    world.serving(on=[TOLD])
    world.deploy("v2", on=[TOLD])
    world.run_until("watching")
    return world


def _deaf(world: World, *verbs: str, shared: bool = False, at_once: bool = False) -> Deaf:
    """Another controller, whose store hears these no more after its first look (or from the beginning)."""
    store = Deaf(SqlStore(world.url), shared=shared)
    world.start_controller(store)
    if not at_once:
        world.run(1)
    store.away = set(verbs)
    return store


@contextmanager
def _locked(world: World) -> Iterator[sqlite3.Connection]:
    """Another process has the database. Nobody waits for it here."""
    world.url += "?timeout=0.01"
    world.start_controller()
    world.run(1)
    other = sqlite3.connect(world.url.removeprefix("sqlite:///").partition("?")[0], isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield other
    finally:
        other.close()


def _exposed(world: World) -> int:
    return len(world.router.serve("web", USERS).get("v2", []))


def _events(world: World) -> list[tuple[str, str]]:
    return [(event.told.kind, event.told.why) for event in world.store.events(rollout="web-2")]


def _letters(world: World) -> list[object]:
    return [letter.message["event"] for letter in world.store.letters(world.now)]


# --- it goes back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verbs", [["commit"], ["commit", "claim"], ["commit", "claim", "services"]])
def test_a_bad_version_is_taken_back_while_nothing_can_be_written(world: World, verbs: list[str]) -> None:
    store = _deaf(world, *verbs)
    assert _exposed(world) > 70
    world.run(6, fails=["v2"])
    assert _exposed(world) == 0
    assert world.rollout().phase is Phase.WATCHING, "as it is written"
    store.away = set()
    assert world.run_until("rolled_back", within=3).reason.startswith("errors: error_rate")
    assert world.router.serve("web", USERS) == {"v1": USERS}


def test_a_bad_version_is_taken_back_while_another_process_holds_the_database(world: World) -> None:
    with _locked(world):
        world.run(45, fails=["v2"])
        assert _exposed(world) == 0
        assert world.rollout().phase is Phase.WATCHING, "the lease ran out long ago, and nobody could take it over"
    assert world.run_until("rolled_back", within=3).reason.startswith("errors: error_rate")


def test_it_is_looked_after_for_as_long_as_the_database_cannot_even_be_read(world: World) -> None:
    store = _deaf(world, "services", "claim", "commit")
    world.run(90)
    assert _exposed(world) > 70
    world.run(6, fails=["v2"])
    assert _exposed(world) == 0
    store.away = set()
    assert world.run_until("rolled_back", within=3).reason.startswith("errors: error_rate")


def test_its_tasks_stay_until_it_is_written_that_it_went_back(world: World) -> None:
    store = _deaf(world, "commit")
    world.run(20, fails=["v2"])
    assert world.router.applied("web").slot == "v2"
    assert world.tasks.living() == ["web-v1-1", "web-v1-2", "web-v2-1", "web-v2-2"]
    store.away = set()
    world.run(5)
    assert world.tasks.living() == ["web-v1-1", "web-v1-2"]


def test_it_is_told_once_and_with_the_time_when_it_was_decided(world: World) -> None:
    store = _deaf(world, "commit")
    world.run(6, fails=["v2"])
    decided = world.glance.rollout("web-2").harm.detected
    world.run(20)
    store.away = set()
    world.run(3)
    back = [event for event in world.store.events(rollout="web-2") if event.told.kind == "roll_back"]
    assert [event.at for event in back] == [decided]
    assert back[0].told.why.startswith("errors: error_rate")
    assert back[0].told.why.endswith("s later)")
    kinds = [kind for kind, _ in _events(world)]
    assert (kinds.count("roll_back"), kinds.count("rolled_back")) == (1, 1)
    assert _letters(world) == ["rolled_back"]
    harm = world.store.history("web", 1)[0].harm
    assert harm.stopped is not None
    assert decided is not None
    assert harm.stopped - decided <= 2 * SECOND, "the account knows when it ended"


def test_a_person_may_abort_while_nothing_can_be_written(world: World) -> None:
    store = _deaf(world, "commit")
    assert world.orders.abort("web", "ann", "I saw it").phase is Phase.ROLLING_BACK
    world.run(2)
    assert _exposed(world) == 0
    store.away = set()
    world.run(3)
    assert world.rollout().reason == "aborted by ann: I saw it"
    assert [kind for kind, _ in _events(world)].count("aborted") == 1


def test_an_abort_of_what_another_controller_holds_is_not_promised(world: World) -> None:
    store = _deaf(world, "commit")
    with sqlite3.connect(world.url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE rollouts SET owner = 'another', lease_until = '9999' WHERE id = 'web-2'")
    database.close()
    world.run(1)
    with pytest.raises(Unreachable):
        world.orders.abort("web", "ann")
    store.away = set()
    world.run(3)
    assert world.rollout().phase is Phase.WATCHING


def test_a_candidate_that_dies_while_nothing_can_be_written_never_comes_back(world: World) -> None:
    store = _deaf(world, "commit")
    world.tasks.die("web-v2-1")
    world.run(3)
    assert _exposed(world) == 0
    world.run(20)
    assert _exposed(world) == 0, "its task runs again, and its decision stands"
    store.away = set()
    assert "candidate tasks" in world.run_until("rolled_back", within=3).reason


# --- and nothing else does --------------------------------------------------------------------------------------------


def test_a_good_version_stays_where_it_is_until_it_can_be_written(world: World) -> None:
    store = _deaf(world, "commit")
    before = _exposed(world)
    world.run(60)
    assert _exposed(world) == before
    for ask in (world.orders.pause, world.orders.promote):
        with pytest.raises(Unreachable):
            ask("web", "ann")
    store.away = set()
    assert world.run_until("completed").reason == ""


def test_the_tasks_of_what_is_written_are_looked_after(world: World) -> None:
    _deaf(world, "commit")
    world.tasks.die("web-v1-1")
    world.run(10)
    assert "web-v1-1" in world.tasks.living()


def test_a_controller_that_shares_its_database_stops_acting_when_its_lease_may_have_ended(world: World) -> None:
    _deaf(world, "services", "claim", "commit", shared=True)
    world.run(int(LEASE.total_seconds() * 2 / 3) - 1)
    with pytest.raises(Unreachable):
        world.run(2)


# --- and whoever comes next -------------------------------------------------------------------------------------------


def test_the_next_controller_goes_on_taking_it_back(world: World) -> None:
    _deaf(world, "commit")
    world.orders.abort("web", "ann", "I saw it")
    world.run(2)
    store = _deaf(world, "commit", at_once=True)
    world.run(20)
    assert _exposed(world) == 0
    assert world.glance.rollout("web-2").phase == "rolling_back"
    store.away = set()
    world.run_until("rolled_back", within=3)
    assert world.rollout().reason == "aborted by ann: I saw it"
    told = [event for event in world.store.events(rollout="web-2") if event.told.kind == "aborted"]
    assert [(event.told.actor, event.at) for event in told] == [("ann", told[0].at)]
    assert list(world.jots.iterdir()) == [], "what is written is not jotted any more"


def test_the_next_controller_writes_it_down_when_it_can(world: World) -> None:
    _deaf(world, "commit")
    world.run(6, fails=["v2"])
    world.start_controller()
    world.run(2)
    assert _exposed(world) == 0
    assert world.run_until("rolled_back", within=3).reason.startswith("errors: error_rate")


@pytest.mark.parametrize("text", ["", "{", '{"reason": "x"}'])
def test_a_jot_without_its_text_still_leads_back(world: World, text: str) -> None:
    (world.jots / "web-2").write_text(text)
    world.start_controller()
    assert "could not be written down" in world.run_until("rolled_back", within=4).reason


def test_jots_of_what_ended_or_is_gone_are_struck(world: World) -> None:
    for name in ("web-1", "shop-7"):
        (world.jots / name).write_text("")
    world.start_controller()
    world.run(1)
    assert list(world.jots.iterdir()) == []
    assert world.run_until("completed").reason == ""


# --- who wrote it meanwhile -------------------------------------------------------------------------------------------


def _write(world: World, change: Any) -> None:
    """Somebody else changes what is written."""
    store = SqlStore(world.url)
    held = store.history("web", 1)[0]
    store.commit([Change(held, change(held.rollout), held.harm)], world.now)
    store.close()


def test_what_was_paused_meanwhile_goes_back_all_the_same(world: World) -> None:
    store = _deaf(world, "commit")
    world.run(6, fails=["v2"])
    _write(world, lambda rollout: pause(rollout, "bob"))
    world.run(3)
    assert _exposed(world) == 0
    store.away = set()
    assert world.run_until("rolled_back", within=3).reason.startswith("errors: error_rate")


def test_what_was_taken_back_by_somebody_else_is_told_as_he_wrote_it(world: World) -> None:
    store = _deaf(world, "commit")
    world.run(6, fails=["v2"])
    _write(world, lambda rollout: roll_back(rollout, "aborted by bob"))
    world.run(3)
    store.away = set()
    assert world.run_until("rolled_back", within=3).reason == "aborted by bob"
    assert "roll_back" not in [kind for kind, _ in _events(world)]


def test_what_somebody_completed_meanwhile_is_completed(world: World) -> None:
    store = _deaf(world, "commit")
    world.run(6, fails=["v2"])

    def complete(rollout: Any) -> Any:
        rollout = replace(promote(rollout, "bob", world.now, full=True), phase=Phase.WATCHING)
        return promote(rollout, "bob", world.now)

    _write(world, complete)
    store.away = set()
    world.run(3)
    assert world.rollout().phase is Phase.COMPLETED


def test_what_another_controller_took_over_is_left_to_it(world: World) -> None:
    store = _deaf(world, "commit")
    world.run(6, fails=["v2"])
    with sqlite3.connect(world.url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE rollouts SET owner = 'another', lease_until = '9999' WHERE id = 'web-2'")
    database.close()
    world.run(1)
    store.away = set()
    world.run(3)
    assert world.rollout().phase is Phase.WATCHING, "whoever holds it decides"


# --- what people see --------------------------------------------------------------------------------------------------


def test_it_is_logged_once_when_it_begins_and_once_when_it_ends(world: World) -> None:
    store = _deaf(world, "commit")
    with capture_logs() as logs:
        world.run(10, fails=["v2"])
        store.away = set()
        world.run(3)
    said = [log["event"] for log in logs if log["event"] != "task"]
    assert said == ["nothing_can_be_written", "goes_back_unwritten", "written_again"]


def test_people_see_that_it_goes_back_and_why_it_is_not_written(world: World) -> None:
    store = _deaf(world, "commit")
    world.run(6, fails=["v2"])
    view = world.glance.service("web").rollout
    assert view is not None
    assert (view.phase, view.wanted, view.applied) == ("rolling_back", str(NONE), str(NONE))
    assert view.why.startswith("errors: error_rate")
    assert "(not written down yet: The database does not answer to commit.)" in view.why
    assert view.reason == view.why
    assert view.harm.most == Exposure(5000)
    assert world.loop.problem.startswith("Nothing could be written down since 12:0")
    assert world.loop.problem.endswith("The database does not answer to commit. web-2 goes back all the same.")
    assert world.orders.abort("web", "ann").reason.startswith("errors"), "it is on its way already"
    store.away = set()
    world.run(1)
    assert world.loop.problem == ""
    assert "not written" not in world.glance.rollout("web-2").why


def test_a_database_that_was_never_read_is_an_error(tmp_path: Path) -> None:
    world = World(tmp_path)
    store = Deaf(SqlStore(world.url))
    world.start_controller(store)
    store.away = {"services"}
    with pytest.raises(Unreachable):
        world.tick()
