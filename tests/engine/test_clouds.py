"""Alarms of several accounts: each is asked by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support.walk import until
from tidegate.core.access import HERE, Access
from tidegate.core.alarm import AlarmFile
from tidegate.core.alarm_state import AlarmState
from tidegate.core.document import read
from tidegate.core.environment import Environment
from tidegate.core.errors import Invalid
from tidegate.core.metric_name import Source
from tidegate.drivers.memory_cloud import MemoryCloud
from tidegate.engine.cloud import Cloud, Sides
from tidegate.engine.clouds import Clouds
from tidegate.engine.sources import Sources

THERE = Access("eu-west-1", "arn:aws:iam::210987654321:role/tidegate")
FIVE = (AlarmFile.model_validate({"name": "five", "cloudwatch": "shop-5xx"}),)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Accounts:
    """Two of them, with an alarm of the same name in each."""

    def __init__(self) -> None:
        self.here, self.there = MemoryCloud(), MemoryCloud()
        self.here.alarms["shop-5xx"] = AlarmState.OK
        self.there.alarms["shop-5xx"] = AlarmState.ALARM
        self.made: list[Access] = []
        self.clouds = Clouds(self.make)

    def make(self, access: Access) -> Cloud:
        self.made.append(access)
        return Cloud(self.there if access.role else self.here, lambda: NOW)

    def look(self) -> dict[str, AlarmState | None]:
        """What is known of the alarm of each service, which are wanted in one look of the loop."""
        self.clouds.begin()
        accesses = {
            "web": HERE,
            "shop": Access(THERE.region, THERE.role, "shop"),
            "api": Access(THERE.region, THERE.role, "api"),
        }
        told = {
            name: self.clouds.want(FIVE, Sides(subject=name, stable="v1", access=access), NOW)
            for name, access in accesses.items()
        }
        self.clouds.end(NOW)
        return {name: one.state("shop-5xx") if one is not None else None for name, one in told.items()}


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def running(accounts: Accounts) -> Iterator[Accounts]:
    thread = threading.Thread(target=accounts.clouds.run)
    thread.start()
    yield accounts
    accounts.clouds.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_each_account_says_its_own_and_is_asked_once_for_all_of_its_services(running: Accounts) -> None:
    until(lambda: running.look() == {"web": AlarmState.OK, "shop": AlarmState.ALARM, "api": AlarmState.ALARM}, 30, "answered")
    assert running.made == [HERE, THERE]


def test_an_account_that_does_not_answer_blinds_nobody_else(running: Accounts) -> None:
    running.there.answers = False
    until(lambda: running.look() == {"web": AlarmState.OK, "shop": None, "api": None}, 30, "the other one answers")


def test_who_wants_nothing_of_cloudwatch_has_nobody_asked(accounts: Accounts) -> None:
    accounts.clouds.begin()
    assert accounts.clouds.want((), Sides(subject="web", access=THERE), NOW) is None
    accounts.clouds.end(NOW)
    accounts.look()
    assert accounts.made.count(THERE) == 2  # what was made for nothing was not kept


def test_before_a_start_the_alarms_of_the_file_are_looked_for_where_the_file_says(accounts: Accounts) -> None:
    sources = Sources({Source.CLOUDWATCH: accounts.clouds})
    content = {"application": "shop", "environment": "prod", "compare": "off", "plan": "all_at_once"}
    place = {"appconfig": {"profile": "flags", "region": THERE.region, "role": THERE.role}}
    alarm = {"name": "five", "cloudwatch": "shop-5xx"}
    there = read(Environment, content | {"platform": place, "alarms": [alarm]}, "prod.yaml")
    here = read(Environment, content | {"alarms": [alarm]}, "prod.yaml")
    assert sources.firing(there) == {"five": AlarmState.ALARM}
    assert sources.firing(here) == {"five": AlarmState.OK}
    del accounts.there.alarms["shop-5xx"]
    assert [type(problem) for problem in sources.problems(there)] == [Invalid]
    assert sources.problems(here) == []
