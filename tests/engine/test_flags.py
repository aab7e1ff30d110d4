"""Rollouts of flags end to end, in memory and in pretended time: the same engine with the second lever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.flag_agents import SUBJECT, PretendedAgent
from tests.support.house import USERS, World
from tidegate.core.environment import Environment
from tidegate.core.errors import Conflict, NotFound, Refused
from tidegate.core.exposure import bucket
from tidegate.core.flags.edit import set_flag, turn_off, turn_on
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.plan import PlanFile
from tidegate.core.rollout import Phase, Rollout
from tidegate.core.tally import NOTHING
from tidegate.engine.flag_orders import Manner
from tidegate.ports import Slot

OFF = read_flags({"application": "shop", "flags": {"checkout": "off"}})
ON = read_flags({"application": "shop", "flags": {"checkout": "on"}})
HALVES = PlanFile.model_validate({"linear": {"step": "50%", "every": "5s"}, "bake": "5s"})
ALARM = {"name": "errors", "metric": "error_rate", "above": "5%", "period": "2s", "missing": "not_breaching"}


def is_never(_: object) -> bool:
    return False


class Flags:
    """A world with an environment, and agents that the same users ask once a second."""

    def __init__(self, tmp_path: Path, agents: int = 3, **changes: Any) -> None:
        self.world = World(tmp_path)
        self.agents = [PretendedAgent(f"agent-{number}") for number in range(agents)]
        content = {"application": "shop", "environment": "prod", "plan": HALVES, "compare": "off", **changes}
        self.world.flag_orders.configure(Environment.model_validate(content), "ann")
        self.got: list[dict[str, object]] = []

    def run(self, seconds: int, *, fails: Callable[[object], bool] = is_never, users: Sequence[str] = USERS) -> None:
        for _ in range(seconds):
            for agent in self.agents:
                agent.fetch(self.world)
            served = [agent.serve(users, fails) for agent in self.agents]
            self.got = [got for got in served if got]
            for agent in self.agents:
                agent.report(self.world)
            self.world.tick()

    def until(self, phase: Phase, *, within: int = 120, fails: Callable[[object], bool] = is_never) -> Rollout:
        for _ in range(within):
            if self.rollout.phase is phase:
                return self.rollout
            self.run(1, fails=fails)
        raise AssertionError(f"{self.rollout.phase} and not {phase}: {self.rollout.decision}")

    @property
    def rollout(self) -> Rollout:
        return self.world.store.history(SUBJECT, 1)[0].rollout

    def deploy(self, document: Any, **manner: Any) -> Rollout:
        done = self.world.flag_orders.deploy("shop", "prod", document, Manner("ann", **manner))
        assert done.rollout is not None
        return done.rollout

    def begin(self) -> Flags:
        """The first document is in force: off for everybody."""
        self.deploy(OFF)
        self.until(Phase.COMPLETED)
        self.run(3)
        return self


@pytest.fixture
def flags(tmp_path: Path) -> Flags:
    return Flags(tmp_path)


def test_the_first_document_skips_the_steps(flags: Flags) -> None:
    flags.deploy(OFF)
    flags.until(Phase.COMPLETED, within=12)
    flags.run(3)
    assert flags.world.store.environment(SUBJECT).stable == "1"  # type: ignore[union-attr]
    assert [set(got.values()) for got in flags.got] == [{False}] * 3


def test_each_user_moves_once_and_never_back_and_all_agents_agree(flags: Flags) -> None:
    flags.begin().deploy(ON)
    sides: dict[str, list[object]] = {user: [] for user in USERS}
    shares = set()
    while flags.rollout.in_flight:
        flags.run(1)
        assert all(got == flags.got[0] for got in flags.got)
        shares.add(sum(bool(value) for value in flags.got[0].values()))
        for user, value in flags.got[0].items():
            if sides[user][-1:] != [value]:
                sides[user].append(value)
    assert all(moves == [False, True] for moves in sides.values())
    salt = flags.rollout.salt
    assert sum(bucket(user, salt) < 5000 for user in USERS) in shares


def test_the_exposure_is_applied_when_the_slowest_agent_has_it(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.PREPARING)
    flags.run(1)
    flags.agents[2].connected = False
    flags.run(10)
    assert flags.rollout.phase in (Phase.PREPARING, Phase.SHIFTING)
    flags.agents[2].connected = True
    flags.until(Phase.WATCHING, within=10)


def test_a_way_back_is_done_when_the_slowest_agent_is_back(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.WATCHING)
    flags.run(1)
    flags.agents[0].connected = False
    flags.world.orders.abort(SUBJECT, "ann", "I do not like it")
    flags.run(8)
    assert flags.rollout.phase is Phase.ROLLING_BACK
    flags.agents[0].connected = True
    flags.until(Phase.ROLLED_BACK, within=5)
    flags.run(2)
    assert [set(got.values()) for got in flags.got] == [{False}] * 3


def test_a_growing_exposure_is_that_of_the_slowest_agent(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.WATCHING)
    flags.run(1)
    flags.agents[1].connected = False
    flags.until(Phase.SHIFTING)
    flags.run(8)
    assert flags.rollout.phase is Phase.SHIFTING
    assert str(flags.world.flags.applied(SUBJECT).exposure) == "50%"
    flags.agents[1].connected = True
    flags.until(Phase.COMPLETED)


def test_an_agent_that_falls_silent_stops_the_clock_until_it_is_forgotten(flags: Flags) -> None:
    flags.begin().deploy(ON, plan=PlanFile.model_validate({"linear": {"step": "50%", "every": "1h"}}))
    flags.until(Phase.WATCHING)
    flags.agents[1].speaks = False
    flags.run(10)
    before = flags.rollout.watched
    flags.run(10)
    assert (flags.rollout.watched, flags.rollout.decision.why) == (before, "the lever does not show what it applies")
    flags.run(20)
    assert flags.rollout.watched > before


def test_an_alarm_on_what_agents_report_rolls_back(tmp_path: Path) -> None:
    flags = Flags(tmp_path, alarms=[ALARM]).begin()
    flags.deploy(ON)
    rollout = flags.until(Phase.ROLLED_BACK, fails=lambda value: value is True)
    assert rollout.reason.startswith("errors: error_rate")
    harm = flags.world.store.history(SUBJECT, 1)[0].harm
    assert harm.counted.requests == harm.counted.failed == harm.counted.seen > 0


def test_a_comparison_of_both_documents_rolls_back_without_any_metrics_server(tmp_path: Path) -> None:
    flags = Flags(tmp_path, compare={}, plan={"linear": {"step": "10%", "every": "1m"}}).begin()
    flags.deploy(ON)
    asked: list[object] = []

    def fails(value: object) -> bool:
        asked.append(value)
        return value is True and len(asked) % 3 == 0

    assert flags.until(Phase.ROLLED_BACK, fails=fails, within=40).reason.startswith("comparison")


def test_a_controller_that_is_started_again_goes_on_with_larger_serials_and_nothing_counted_twice(flags: Flags) -> None:
    flags.begin().deploy(ON, plan=PlanFile.model_validate({"linear": {"step": "50%", "every": "20s"}, "bake": "5s"}))
    flags.until(Phase.WATCHING)
    flags.run(4)
    before = flags.agents[0].snapshot
    counted = flags.world.store.history(SUBJECT, 1)[0].harm.counted.requests
    flags.world.start_controller()
    flags.run(1)
    assert flags.world.agents.reading(SUBJECT).tallies.get((Slot.CANDIDATE, "2"), NOTHING).finished == 0
    flags.run(1)
    after = flags.agents[0].snapshot
    assert before is not None
    assert after is not None
    assert (after.origin, after.exposure, after.rollout) == (before.origin, before.exposure, before.rollout)
    assert after.serial > before.serial
    flags.run(3)
    share = flags.world.agents.reading(SUBJECT).tallies.get((Slot.CANDIDATE, "2"), NOTHING).finished
    assert flags.world.store.history(SUBJECT, 1)[0].harm.counted.requests == counted + share
    flags.until(Phase.COMPLETED)
    assert [set(got.values()) for got in flags.got] == [{True}] * 3


def test_the_kill_switch_is_in_every_snapshot_at_the_next_tick_also_in_the_middle_of_a_rollout(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.COMPLETED)
    flags.run(5)
    both = set_flag(flags.world.flag_orders.present(SUBJECT), "theme", "dark")
    flags.deploy(both)
    flags.until(Phase.WATCHING)
    flags.world.flag_orders.change(SUBJECT, lambda now: turn_off(now, "checkout"), Manner("ann", now=True))
    flags.world.tick()
    flags.run(1)
    assert [set(got.values()) for got in flags.got] == [{False}] * 3
    flags.until(Phase.COMPLETED, within=10)
    flags.run(5)
    assert [set(got.values()) for got in flags.got] == [{False}] * 3
    dropped = flags.world.store.history(SUBJECT, 2)[1].rollout
    assert (dropped.phase, dropped.reason) == (Phase.ROLLED_BACK, "dropped for 1 (by ann)")


def test_the_kill_switch_waits_for_no_agent_that_does_not_answer(flags: Flags) -> None:
    """What went before it may not let go of the lever before that agent is heard or forgotten."""
    flags.begin().deploy(ON)
    flags.until(Phase.COMPLETED)
    flags.agents[2].speaks = False
    flags.run(6)
    assert not flags.rollout.settled
    flags.deploy(OFF, now=True)
    flags.world.tick()
    flags.run(1)
    assert [set(got.values()) for got in flags.got] == [{False}] * 3
    flags.agents[2].speaks = True
    flags.until(Phase.COMPLETED, within=10)
    flags.run(5)
    assert [held.rollout.settled for held in flags.world.store.history(SUBJECT, 2)] == [True, True]


def test_the_kill_switch_passes_all_that_go_back_before_it(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.WATCHING)
    flags.agents[2].speaks = False
    flags.run(6)
    both = set_flag(ON, "theme", "dark")
    flags.deploy(both, plan=PlanFile.model_validate({"linear": {"step": "50%", "every": "5s"}, "on_conflict": "supersede"}))
    flags.run(2)
    assert [held.rollout.phase for held in flags.world.store.history(SUBJECT, 2)] == [Phase.PREPARING, Phase.ROLLING_BACK]
    third = set_flag(OFF, "theme", "light")
    flags.deploy(third, now=True)
    flags.world.tick()
    flags.run(1)
    views = [agent.snapshot.staged() for agent in flags.agents if agent.snapshot]
    assert [view.evaluate("theme", {"targetingKey": "ann"}).value for view in views] == ["light"] * 3
    dropped = [held.rollout for held in flags.world.store.history(SUBJECT, 3)[1:]]
    assert [(one.phase, one.settled) for one in dropped] == [(Phase.ROLLED_BACK, True)] * 2


def test_the_kill_switch_is_given_once_though_the_loop_writes_at_the_same_moment(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.SHIFTING)
    store: Any = flags.world.store
    begin, met = store.begin, 0

    def meanwhile(*given: Any) -> Any:
        nonlocal met
        if not met:
            flags.run(3)
        met += 1
        return begin(*given)

    store.begin = meanwhile
    flags.deploy(set_flag(ON, "theme", "dark"), now=True)
    assert met == 2
    assert [held.rollout.phase for held in store.history(SUBJECT, 2)] == [Phase.SHIFTING, Phase.ROLLED_BACK]


def test_a_change_that_is_on_its_way_may_be_made_at_once(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.WATCHING)
    assert flags.deploy(ON, now=True).id == "shop-prod-3"
    flags.world.tick()
    flags.run(1)
    assert [set(got.values()) for got in flags.got] == [{True}] * 3
    again = flags.world.flag_orders.deploy("shop", "prod", ON, Manner("ann", now=True))
    assert (again.new, again.sentence) == (False, "shop-prod-3 is already bringing 2, at 100%.")
    flags.until(Phase.COMPLETED, within=10)


def test_a_change_made_from_a_document_that_is_not_in_force_any_more_is_refused(flags: Flags) -> None:
    flags.begin()
    with pytest.raises(Conflict, match="has flag document 1 by now; this was made from 7"):
        flags.deploy(ON, base=7)
    with pytest.raises(Conflict, match="this was made from none"):
        flags.deploy(ON, base=0)


def test_the_same_content_keeps_its_number_and_is_nothing_to_do(flags: Flags) -> None:
    flags.begin()
    done = flags.world.flag_orders.deploy("shop", "prod", OFF, Manner("ann"))
    assert (done.rollout, done.sentence) == (None, "shop/prod already runs 1: there is nothing to do.")


def test_a_completed_change_is_taken_back_at_once(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.COMPLETED)
    flags.run(5)
    flags.world.flag_orders.rollback(SUBJECT, "ann")
    flags.world.tick()
    flags.run(1)
    assert [set(got.values()) for got in flags.got] == [{False}] * 3
    flags.until(Phase.COMPLETED)
    assert flags.world.store.environment(SUBJECT).stable == "1"  # type: ignore[union-attr]


def test_without_any_agent_what_is_wanted_is_applied(tmp_path: Path) -> None:
    flags = Flags(tmp_path, agents=0).begin()
    flags.deploy(ON)
    flags.until(Phase.COMPLETED)


def test_a_way_back_reaches_the_agents_though_nothing_can_be_written(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.WATCHING)
    flags.run(1)

    def refuse(*_: object, **__: object) -> Any:
        from tidegate.core.errors import Unreachable

        raise Unreachable("The disk is full.")

    store: Any = flags.world.store
    good = store.commit
    store.commit = refuse
    flags.world.orders.abort(SUBJECT, "ann")
    flags.run(3)
    assert [set(got.values()) for got in flags.got] == [{False}] * 3
    store.commit = good
    flags.until(Phase.ROLLED_BACK, within=10)


def test_pause_promote_and_resume_are_those_of_services(flags: Flags) -> None:
    flags.begin().deploy(ON)
    flags.until(Phase.WATCHING)
    assert flags.world.orders.pause(SUBJECT, "ann").paused
    assert not flags.world.orders.resume(SUBJECT, "ann").paused
    assert flags.world.orders.promote(SUBJECT, "ann", full=True).step == 1
    with pytest.raises(NotFound, match="no environment 'shop/stage'"):
        flags.world.orders.pause("shop/stage", "ann")


def test_at_once_and_by_a_plan_is_refused(flags: Flags) -> None:
    flags.begin()
    with pytest.raises(Refused, match="at once and by a plan"):
        flags.deploy(turn_on(OFF, "checkout"), now=True, plan=HALVES)


def watching(flags: Flags, **alarm: Any) -> Flags:
    content = {"name": "checkout", "metric": "flag:checkout", "above": "20%", "period": "2s", "missing": "not_breaching"}
    file = {"application": "shop", "environment": "prod", "plan": HALVES, "compare": "off", "alarms": [content | alarm]}
    flags.world.flag_orders.configure(Environment.model_validate(file), "ann")
    return flags


def test_an_alarm_on_a_flag_takes_back_the_change_that_makes_its_requests_fail(flags: Flags) -> None:
    flags.begin()
    watching(flags).deploy(ON)
    flags.until(Phase.ROLLED_BACK, fails=bool)
    assert "flag:checkout of the candidate" in str(flags.world.store.events(last=True, limit=50))
    assert "checkout" in flags.rollout.reason


def test_an_alarm_on_a_variant_looks_at_nobody_else(flags: Flags) -> None:
    flags.begin()
    watching(flags, metric='flag:checkout{variant="off"}').deploy(ON)
    flags.until(Phase.COMPLETED, fails=bool)


def test_an_alarm_on_a_flag_may_be_about_the_number_and_the_latency_of_its_requests(flags: Flags) -> None:
    flags.begin()
    watching(flags, statistic="p99", above="1ms").deploy(ON)
    flags.until(Phase.COMPLETED)  # bin 30 is far below a millisecond
    watching(flags, statistic="count", above="1").deploy(OFF)
    flags.until(Phase.ROLLED_BACK)


def test_agents_are_told_of_watched_flags_and_of_their_end(flags: Flags) -> None:
    flags.begin()
    watching(flags)
    flags.run(2)
    assert [agent.snapshot.watched for agent in flags.agents if agent.snapshot] == [("checkout",)] * 3
    flags.world.flag_orders.configure(Environment.model_validate({"application": "shop", "environment": "prod"}), "ann")
    flags.run(2)
    assert [agent.snapshot.watched for agent in flags.agents if agent.snapshot] == [()] * 3


def test_an_alarm_on_a_flag_that_neither_document_has_refuses_the_start_with_the_nearest_name(flags: Flags) -> None:
    flags.begin()
    watching(flags, metric="flag:chekout")
    with pytest.raises(Refused, match="'chekout', which neither document has") as caught:
        flags.deploy(ON)
    assert caught.value.mend == "Did you mean flag:checkout?"
