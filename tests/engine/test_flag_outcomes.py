"""Outcomes that agents report outside of rollouts: figures, alarms and a last day, as services have them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.engine.test_flags import ALARM, OFF, ON, Flags
from tests.support.flag_agents import SUBJECT
from tests.support.house import USERS
from tidegate.core.errors import Refused
from tidegate.core.flags.agent_report import AgentReport, SideCount, read_report
from tidegate.core.flags.edit import set_flag
from tidegate.core.latency import Latencies
from tidegate.core.plan import PlanFile
from tidegate.core.rollout import Phase
from tidegate.core.tally import Tally
from tidegate.engine.agents import Agents
from tidegate.ports import Slot

SLOWLY = PlanFile.model_validate({"linear": {"step": "10%", "every": "1m"}})


def always(_: object) -> bool:
    return True


@pytest.fixture
def flags(tmp_path: Path) -> Flags:
    return Flags(tmp_path, compare={}, plan=SLOWLY).begin()


def test_without_a_rollout_an_environment_has_figures(flags: Flags) -> None:
    flags.run(12)
    figures = flags.world.watcher.figures(SUBJECT)
    assert figures.per_second == pytest.approx(3 * len(USERS))
    assert (figures.error_rate, figures.unfinished) == (0, 0)


def test_an_alarm_that_already_fires_refuses_the_start(tmp_path: Path) -> None:
    flags = Flags(tmp_path, alarms=[ALARM]).begin()
    flags.run(6, fails=always)
    record = flags.world.store.environment(SUBJECT)
    assert record is not None
    assert [guard.state for guard in flags.world.watcher.alarms(record)] == ["firing"]
    with pytest.raises(Refused, match="errors"):
        flags.deploy(ON)


def test_the_last_day_is_remembered_outside_of_rollouts_and_outlives_a_restart(flags: Flags) -> None:
    flags.run(70)
    history = flags.world.watcher.history(SUBJECT)
    assert float(history.rate) == pytest.approx(3 * len(USERS), rel=0.05)
    flags.world.start_controller()
    flags.run(1)
    assert float(flags.world.watcher.history(SUBJECT).requests) == pytest.approx(60 * 3 * len(USERS), rel=0.1)


def test_a_change_of_what_nearly_all_requests_ask_for_is_compared_with_the_last_day(flags: Flags) -> None:
    flags.run(30)
    flags.deploy(ON)
    flags.until(Phase.WATCHING)
    look = flags.world.watcher.seen(flags.rollout.id)
    assert look is not None
    assert look.compared is not None
    assert look.compared.comparing is not None
    assert look.compared.comparing.state.past.known.any()


def test_a_change_of_what_few_ask_for_is_not_compared_with_a_day_of_others(flags: Flags) -> None:
    flags.run(30)
    flags.deploy(set_flag(OFF, "rare", "dark"))
    flags.until(Phase.WATCHING)
    look = flags.world.watcher.seen(flags.rollout.id)
    assert look is not None
    assert look.compared is not None
    assert look.compared.comparing is not None
    assert not look.compared.comparing.state.past.known.any()


def test_what_happens_inside_a_rollout_teaches_nothing_about_the_day(flags: Flags) -> None:
    flags.run(30)
    before = float(flags.world.watcher.history(SUBJECT).requests)
    flags.deploy(ON, plan=PlanFile.model_validate({"linear": {"step": "50%", "every": "1h"}}))
    flags.until(Phase.WATCHING)
    flags.run(20)
    assert float(flags.world.watcher.history(SUBJECT).requests) == pytest.approx(before, rel=0.1)


# --- Reports ------------------------------------------------------------------------------------------------------------------


def report(rollout: str = "", **sides: Tally) -> AgentReport:
    return AgentReport("a", "1", "life", 1, "db", 0, rollout, {name: SideCount(3, tally) for name, tally in sides.items()})  # type: ignore[arg-type]


def tallies(agents: Agents) -> dict[tuple[Slot, str], Tally]:
    return dict(agents.reading(SUBJECT).tallies)


def counting() -> Agents:
    """One that has heard this agent before."""
    agents = Agents()
    agents.report(SUBJECT, report())
    return agents


def test_the_same_report_twice_counts_once_and_a_lost_one_is_in_the_next() -> None:
    agents = counting()
    ten, thirty = Tally(10, 10, 1, Latencies({5: 10})), Tally(30, 30, 2, Latencies({5: 30}))
    for tally in (ten, ten, thirty, thirty):
        agents.report(SUBJECT, report(other=tally))
    assert tallies(agents) == {(Slot.OTHER, "3"): thirty}


def test_what_was_in_flight_when_a_rollout_began_or_ended_does_not_wait_for_ever() -> None:
    agents = counting()
    agents.report(SUBJECT, report("r1", baseline=Tally(10, 7, 0, Latencies({5: 7}))))
    agents.report(SUBJECT, report("", other=Tally(4, 4)))
    agents.report(SUBJECT, report("r2", baseline=Tally(5, 5, 0, Latencies({5: 5}))))
    counted = tallies(agents)[Slot.STABLE, "3"]
    assert (counted.begun, counted.finished, counted.failed) == (15, 15, 0)


def test_the_share_of_the_requests_that_ask_for_a_flag_is_known_when_there_are_enough() -> None:
    agents = counting()
    content = {"agent": "a", "epoch": "life", "serial": 1, "origin": "db"}
    for requests, share in ((100, 0.0), (400, 0.25)):
        sides = {"other": {"document": 3, "begun": requests, "finished": requests}}
        agents.report(SUBJECT, read_report({**content, "sides": sides, "asked": {"checkout": requests // 4, "rare": 1}}))
        assert agents.asking(SUBJECT, ["rare", "checkout"]) == share
    assert agents.asking(SUBJECT, ["none"]) == 0


def test_a_failure_of_a_candidate_makes_the_loop_look_soon_and_none_of_a_baseline_does() -> None:
    looks = threading.Event()
    agents = Agents(looks.set)
    agents.report(SUBJECT, report("r1"))
    agents.report(SUBJECT, report("r1", baseline=Tally(9, 9, 9), other=Tally(9, 9, 9), candidate=Tally(9, 9, 0)))
    assert not looks.is_set()
    agents.report(SUBJECT, report("r1", candidate=Tally(10, 10, 1)))
    assert looks.wait(10)
