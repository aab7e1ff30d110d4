"""When somebody is asked whether he means it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tidegate.core.alarm_state import AlarmState
from tidegate.core.monitor import Monitor, troubled
from tidegate.core.protection import unprotected


@dataclass(frozen=True)
class Looks:
    armed: str = "yes"
    rollback: bool = True


@pytest.mark.parametrize("guards", [(), (Looks(armed="no"),), (Looks(rollback=False),)])
def test_where_somebody_else_deploys_and_nothing_takes_it_back_one_is_asked_also_without_agents(
    guards: tuple[Looks, ...],
) -> None:
    why = unprotected(replaces=True, agents=0, reported=None, guards=guards, led="AppConfig")
    assert why.startswith("Nothing protects this change: AppConfig monitors no alarm")
    assert not unprotected(replaces=False, agents=0, reported=None, guards=guards, led="AppConfig")


def test_an_alarm_of_either_is_enough() -> None:
    assert not unprotected(replaces=True, agents=0, reported=None, guards=[Looks()], led="AppConfig")


def test_without_agents_of_ours_nobody_gets_it_and_nobody_is_asked() -> None:
    assert not unprotected(replaces=True, agents=0, reported=None, guards=())
    assert unprotected(replaces=True, agents=1, reported=None, guards=())


def test_a_monitor_is_no_trouble_while_it_is_ok_or_can_fire_at_nobody() -> None:
    calm = [Monitor("fine", AlarmState.OK), Monitor("gone")]
    assert troubled(calm) is None
    silent = Monitor("silent", AlarmState.INSUFFICIENT_DATA)
    assert troubled([*calm, silent]) is silent
    assert "notBreaching" in silent.mend
