"""What Prometheus answers as guards of a local rollout, over the twins: every way in which it may not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import World
from tidegate.core.alarm_state import AlarmState
from tidegate.core.errors import Invalid, Unreachable
from tidegate.core.metric_name import Source
from tidegate.core.rollout import Phase
from tidegate.engine.cloud import EVERY, Cloud
from tidegate.engine.counters import EVERY as COUNTED_EVERY
from tidegate.engine.counters import Counters
from tidegate.engine.sources import Sources
from tidegate.ports import Measurement, Query

PLAN = {"linear": {"step": "50%", "every": "3m"}, "bake": "10s", "patience": "1m"}
ERRORS = {"name": "errors", "metric": 'prometheus:sum(rate(errors{v="{version}"}[1m]))', "above": 5, "period": "10s"}


class MemoryPrometheus:
    """Each query has the value that it is given, at all times; None: it is not answered."""

    def __init__(self) -> None:
        self.answers = True
        self.values: dict[str, float | None] = {}
        self.stood: dict[str, Sequence[Measurement]] = {}
        self.wrong: dict[str, str] = {}

    def states(self, names: Sequence[str]) -> Mapping[str, AlarmState]:
        return {}

    def figures(self, queries: Sequence[Query], begin: datetime, end: datetime) -> Mapping[Query, Mapping[datetime, float]]:
        self._must_answer()
        found: dict[Query, Mapping[datetime, float]] = {}
        for query in queries:
            value = self.values.get(query.metric.name, float("nan"))
            if value is not None:
                count = int((end - begin) / query.period)
                found[query] = {} if isnan(value) else {begin + number * query.period: value for number in range(count)}
        return found

    def counters(self, queries: Sequence[str], at: datetime) -> Mapping[str, Sequence[Measurement]]:
        self._must_answer()
        return {query: self.stood[query] for query in queries if query in self.stood}

    def refused(self, query: str, *, single: bool) -> str:
        self._must_answer()
        return self.wrong.get(query, "")

    def _must_answer(self) -> None:
        if not self.answers:
            raise Unreachable("Prometheus does not answer.")


class Measured(World):
    def __init__(self, tmp_path: Path) -> None:
        self.there = MemoryPrometheus()
        self.sold = 0
        super().__init__(tmp_path)
        self.asked = Cloud(self.there, lambda: self.now, of=Source.PROMETHEUS, checker=self.there)
        self.counters = Counters(self.there, lambda: self.now, self.there)
        self.sources = Sources({Source.PROMETHEUS: self.asked}, self.counters)
        self.start_controller()

    def tick(self) -> None:
        super().tick()
        if not self.now.second % EVERY.seconds:
            self.asked.ask()
        if not self.now.second % COUNTED_EVERY.seconds:
            self.counters.ask()

    def watching(self, *alarms: dict[str, Any], **changes: Any) -> None:
        self.serving(alarms=[])
        self.deploy("v2", alarms=list(alarms), plan=PLAN, **changes)
        self.run_until("watching")
        self.run(25)

    def guard(self, name: str) -> str:
        look = self.watcher.seen(self.rollout().id)
        assert look is not None
        return next(guard.state for guard in look.guards if guard.name == name)


@pytest.fixture
def world(tmp_path: Path) -> Measured:
    return Measured(tmp_path)


V2 = 'sum(rate(errors{v="v2"}[1m]))'
V1 = 'sum(rate(errors{v="v1"}[1m]))'


def test_a_query_is_asked_for_the_side_of_the_alarm_and_rolls_back(world: Measured) -> None:
    world.there.values |= {V2: 1, V1: 9}
    world.watching(ERRORS, ERRORS | {"name": "other", "of": "baseline", "rollback": False})
    assert (world.guard("errors"), world.guard("other")) == ("ok", "firing")
    world.there.values[V2] = 6
    world.run(30)
    assert world.rollout().phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
    assert world.rollout().reason.startswith("errors: prometheus:sum(rate(errors")


@pytest.mark.parametrize(
    ("missing", "state"), [("missing", "no_data"), ("ignore", "ok"), ("breaching", "firing"), ("not_breaching", "ok")]
)
def test_no_series_and_nan_are_what_missing_says(world: Measured, missing: str, state: str) -> None:
    world.there.values[V2] = 1
    world.watching(ERRORS | {"missing": missing, "rollback": False})
    assert world.guard("errors") == "ok"
    del world.there.values[V2]
    world.run(70)
    assert world.guard("errors") == state


@pytest.mark.parametrize("missing", ["missing", "ignore", "breaching", "not_breaching"])
@pytest.mark.parametrize("away", [True, False], ids=["server away", "query unanswered"])
def test_what_cannot_be_seen_is_blind_whatever_missing_says(world: Measured, missing: str, away: bool) -> None:
    world.there.values[V2] = 1
    world.watching(ERRORS | {"missing": missing})
    world.there.answers = not away
    world.there.values[V2] = None
    world.run(60)
    assert world.guard("errors") == "blind"
    world.run(70)
    assert world.rollout().phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
    assert "errors: its source does not answer" in world.rollout().reason


def test_a_query_that_is_not_answered_makes_the_others_not_blind(world: Measured) -> None:
    world.there.values |= {V2: 1, "up": None}
    world.watching(ERRORS, {"name": "up", "metric": "prometheus:up", "below": 1, "rollback": False})
    world.run(60)
    assert (world.guard("errors"), world.guard("up")) == ("ok", "blind")


def test_an_outage_that_ends_before_patience_costs_only_time(world: Measured) -> None:
    world.there.values[V2] = 1
    world.watching(ERRORS)
    world.there.answers = False
    world.run(50)
    world.there.answers = True
    world.run(30)
    assert world.guard("errors") == "ok"
    assert world.rollout().phase is Phase.WATCHING


def test_a_query_that_would_never_be_answered_refuses_the_start(world: Measured) -> None:
    world.serving()
    world.there.wrong['sum(rate(errors{v=""}[1m]))'] = "It answers 2 series.\nAdd them up."
    with pytest.raises(Invalid, match="2 series") as refused:
        world.deploy("v2", alarms=[ERRORS])
    assert (refused.value.where, refused.value.mend) == ("alarms[0].metric", "Add them up.")


def test_nothing_begins_while_prometheus_does_not_answer(world: Measured) -> None:
    world.serving()
    world.there.answers = False
    with pytest.raises(Unreachable):
        world.deploy("v2", alarms=[ERRORS])


def test_it_is_not_asked_for_who_names_nothing_of_it(world: Measured) -> None:
    world.there.answers = False
    world.serving()
    world.deploy("v2")
    world.run_until("completed")


# --- comparisons ------------------------------------------------------------------------------------------------------

SALES = {
    "name": "sales",
    "bad": 'prometheus:lost_total{v="{version}"}',
    "of": 'prometheus:sales_total{v="{version}"}',
}


def _count(world: Measured, version: str, *, lost: float, sales: float, pod: str = "a") -> None:
    for name, value in (("lost_total", lost), ("sales_total", sales)):
        series = Measurement(name, value, {"v": version, "instance": pod}, "counter", task=f"shop/{pod}")
        world.there.stood[f'{name}{{v="{version}"}}'] = [series]


def _sell(world: Measured, seconds: int, *, loses: float) -> None:
    """Twenty sales a second on each side; the old version loses none in a hundred."""
    for _ in range(seconds):
        world.sold += 20
        _count(world, "v1", lost=0.01 * world.sold, sales=world.sold)
        _count(world, "v2", lost=loses * world.sold, sales=world.sold)
        world.run(1)
        if not world.rollout().in_flight:
            return


def test_a_version_that_loses_sales_is_taken_back_by_counters_of_prometheus(world: Measured) -> None:
    world.watching(compare={"metrics": [SALES]})
    _sell(world, 120, loses=0.2)
    assert world.rollout().reason.startswith("comparison: sales: ")


def test_a_version_that_loses_no_more_than_the_old_one_is_not_blamed(world: Measured) -> None:
    world.watching(compare={"metrics": [SALES]})
    _sell(world, 120, loses=0.01)
    assert world.rollout().reason == ""
    assert world.guard("comparison") in ("ok", "no_data")


def test_a_counter_without_a_version_is_of_no_side_and_refused(world: Measured) -> None:
    with pytest.raises(ValueError, match="same for both sides"):
        world.deploy("v2", compare={"metrics": [SALES | {"bad": "prometheus:lost_total"}]})


def test_a_counter_that_was_computed_is_refused_before_the_start(world: Measured) -> None:
    world.serving()
    world.there.wrong['lost_total{v=~".+"}'] = "It is no counter.\nAsk for the counters themselves."
    with pytest.raises(Invalid, match="no counter") as refused:
        world.deploy("v2", compare={"metrics": [SALES]})
    assert refused.value.where == "compare.metrics[0]"
