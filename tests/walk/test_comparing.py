"""The comparison through the real Envoy, with no alarm beside it: users, the faulty tasks and Tidegate count the same, and that
is about what the simulation says."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from benchmarks.simulation.ours import simulate
from benchmarks.simulation.plan import SimPlan
from benchmarks.simulation.scenario import Scenario, Use
from tests.support.crowd import Crowd
from tests.support.walk import Tidegate, until

pytestmark = pytest.mark.real

Told = Callable[[str], None]
EXPOSURE = 0.1
HOLD = 60
PLAN = {"canary": {"first": "10%", "hold": f"{HOLD}s"}, "bake": "1s", "keep_baseline": "1s"}
CELLS = [(fault, rate) for rate in (100, 500) for fault in (100, 20, 5)]
ALLOWED = 1.5
"""How much more harm than in simulation."""
ACTS = 0.3
"""Seconds from a decision until the last request that it could not save has begun. Measured: 0.1."""
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def every_second() -> Iterator[Tidegate]:
    """A controller that looks once a second, as it does and as the simulation does."""
    with Tidegate(tick="1s") as tidegate:
        yield tidegate


@dataclass(frozen=True)
class Counted:
    """Failed requests as Tidegate, the faulty tasks and the users counted them."""

    tidegate: int
    tasks: int
    users: int
    told: dict[tuple[str, int, str], int]  # of the users' failures: method, status and version (or why there was no answer)
    rollout: dict[str, Any]


def _released(tidegate: Tidegate, rate: float, faults: list[str], plan: object = PLAN, calm: float = 3.0) -> Counted:
    """A candidate with these faults beside a sound version that has served for a while; until it is settled."""
    service = f"shop{rate:.0f}"
    changes: dict[str, Any] = {"compare": {}, "alarms": []}
    if service not in tidegate.ports:
        tidegate.serve(service, f"{service}-0", **changes)
        calm = 10.0
    version = f"{service}-{next(numbers)}"
    with Crowd(tidegate.ports[service], rate=rate, posts=1.0) as crowd:
        began = time.monotonic()
        until(lambda: time.monotonic() - began > calm, 60, "users asked for a while")
        rollout = tidegate.tidied(tidegate.deploy(service, version, faults, plan=plan, **changes), within=3 * HOLD)
    bad = sum(count for (_, status), count in tidegate.told_by_the_till(version).items() if status != "200")
    return Counted(rollout["harm"]["failed"], bad, len(crowd.failures), crowd.failures_told(), rollout)


def _simulated(fault: int, rate: int) -> np.ndarray:
    """Harmed requests of many simulated rollouts of the same plan, until they were found and acted upon."""
    scenario = Scenario(f"fault {fault}%", Use.JUDGE, errors=0.0, fault=fault / 100)
    result = simulate(
        scenario, SimPlan.of("canary 10% / 1m", f"canary 10% hold {HOLD}s bake 1s"), float(rate), rollouts=100, seed=77
    )
    found = np.where(np.isnan(result.found), HOLD, result.found)
    return np.asarray((found + ACTS) * rate * EXPOSURE * fault / 100)


def _must_agree(counted: Counted) -> None:
    assert counted.rollout["phase"] == "rolled_back", counted.rollout["reason"]
    assert counted.rollout["reason"].startswith("comparison: "), counted.rollout["reason"]
    assert counted.tidegate == counted.tasks == counted.users, counted.told


@pytest.mark.parametrize(("fault", "rate"), CELLS)
def test_a_bad_version_harms_about_as_many_as_the_simulation_says(
    every_second: Tidegate, told: Told, fault: int, rate: int
) -> None:
    counted = _released(every_second, rate, ["--fail", f"POST={fault}%:500"])
    _must_agree(counted)
    simulated = _simulated(fault, rate)
    high = float(np.quantile(simulated, 0.95))
    told(f"{fault}% at {rate} rps: {counted.tidegate} failed (simulated {simulated.mean():.0f}, p95 {high:.0f})")
    assert 0 < counted.tidegate <= ALLOWED * high + 2


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("fault", "rate"), CELLS)
def test_over_twenty_runs_a_bad_version_harms_as_many_as_the_simulation_says(
    every_second: Tidegate, told: Told, fault: int, rate: int
) -> None:
    simulated = _simulated(fault, rate).mean()
    harmed = []
    for _ in range(20):
        counted = _released(every_second, rate, ["--fail", f"POST={fault}%:500"])
        _must_agree(counted)
        harmed.append(counted.tidegate)
    told(f"{fault}% at {rate} rps: {np.mean(harmed):.1f} failed of 20 runs (simulated {simulated:.1f}); {sorted(harmed)}")
    assert np.mean(harmed) <= ALLOWED * simulated


COMPRESSED = {"canary": {"first": "20%", "hold": "8s"}, "bake": "1s", "keep_baseline": "0s"}
BURSTS = ["--burst", "3:0.3%"]


def test_a_version_that_loses_sales_with_good_answers_is_taken_back_by_what_its_tasks_count(every_second: Tidegate) -> None:
    """Nothing that the router counts shows it; two counters at /metrics do."""
    sales = {"name": "sales", "bad": "tasks:sales_lost_total", "of": "tasks:sales_total"}
    tasks = {"metrics": "/metrics"}
    changes: dict[str, Any] = {"compare": {"metrics": [sales]}, "alarms": [], "tasks": tasks}
    every_second.serve("sales", "sales-0", **changes)
    with Crowd(every_second.ports["sales"], rate=100):
        lossy = every_second.file("sales", ["--lose", "20%"])["tasks"]["command"]
        worse = changes | {"tasks": {**tasks, "command": lossy}, "plan": PLAN}
        rollout = every_second.tidied(every_second.deploy("sales", "sales-1", **worse), within=HOLD)
    assert rollout["phase"] == "rolled_back"
    assert rollout["reason"].startswith("comparison: sales: ")
    assert rollout["harm"]["failed"] == 0


def _bursting(tidegate: Tidegate) -> None:
    """The old version has bursts, too."""
    at_once = {"all_at_once": True, "bake": "0s", "keep_baseline": "0s"}
    tidegate.serve("bursts", "bursts-0", BURSTS, compare="off", alarms=[], plan=at_once)


def _healthy(tidegate: Tidegate, number: int) -> None:
    changes: dict[str, Any] = {"compare": {}, "alarms": [], "plan": COMPRESSED}
    with Crowd(tidegate.ports["bursts"], rate=100, posts=1.0, seed=number):
        rollout = tidegate.tidied(tidegate.deploy("bursts", f"bursts-{number}", BURSTS, **changes))
    assert rollout["phase"] == "completed", rollout["reason"]


def test_a_version_with_bursts_as_the_old_one_has_them_completes(every_second: Tidegate) -> None:
    """Three requests in a row fail now and then, on both sides."""
    _bursting(every_second)
    _healthy(every_second, 1)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_fifty_versions_with_bursts_as_the_old_one_has_them_complete(tidegate: Tidegate, told: Told) -> None:
    _bursting(tidegate)
    for number in range(1, 51):
        _healthy(tidegate, number)
    told("50 healthy versions with bursts: all completed")
