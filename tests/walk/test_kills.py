"""Kills at any moment, under load. What was killed is back by itself, what was written down goes on, and no request fails
that the control plane could have broken."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.crowd import Crowd
from tests.support.walk import CANARY, ERRORS, QUICK, Tidegate, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

Told = Callable[[str], None]

ON_THE_WAY = ["preparing", "shifting", "watching"]
GOOD = [*ON_THE_WAY, "completed hand_over", "completed unweigh", "completed empty", "completed keep", "completed retire"]
BAD = ["rolling_back", "rolled_back empty", "rolled_back retire"]
SLOW_ENOUGH = {"linear": {"step": "50%", "every": "1s"}, "bake": "1s", "keep_baseline": "2s"}


def _stages(tidegate: Tidegate, id_: str, within: float = 60) -> Iterator[str]:
    """Every stage of this rollout as soon as it is written down, until nothing is left to do."""
    deadline, before = time.monotonic() + within, ""
    while time.monotonic() < deadline:
        phase, tidy = tidegate.state(id_)
        stage = phase if phase not in ("completed", "rolled_back") else f"{phase} {tidy}"
        if stage != before:
            before = stage
            yield stage
        if tidy == "done" and phase in ("completed", "rolled_back"):
            return
        time.sleep(0.001)
    raise AssertionError(f"{id_} did not end within {within} s: {tidegate.state(id_)}\n{tidegate.words()}")


def _kill_at(tidegate: Tidegate, id_: str, wanted: set[str]) -> dict[str, float]:
    """Kills the controller in each of these stages; seconds until the next one went on with the rollout, by stage."""
    healed: dict[str, float] = {}
    for stage in _stages(tidegate, id_, within=150):
        if stage in wanted:
            healed[stage] = _kill(tidegate, id_)
    return healed


def _kill(tidegate: Tidegate, id_: str) -> float:
    """Seconds until the next controller goes on with this rollout."""
    killed = tidegate.kill("controller")
    written = tidegate.revision(id_)
    took = tidegate.healed(id_, written)
    tidegate.back("controller", killed)
    return took


def test_a_controller_killed_in_every_phase_of_a_good_rollout_completes_it(tidegate: Tidegate, told: Told) -> None:
    port = tidegate.serve("good")
    with Crowd(port, rate=60, posts=0.3) as crowd:
        id_ = tidegate.deploy("good", "v2", plan=SLOW_ENOUGH)
        healed = _kill_at(tidegate, id_, set(GOOD))
        rollout = tidegate.tidied(id_)
        done_at = time.monotonic()
        time.sleep(0.5)
    assert (rollout["phase"], rollout["reason"]) == ("completed", "")
    assert crowd.failures_told() == {}
    assert set(crowd.by_version(since=done_at)) == {"v2"}
    assert len(healed) >= len(GOOD) - 3, f"some stages are too short to be met: {sorted(healed)}"
    told(f"controller killed in {', '.join(healed)}: {len(crowd.asked):,} requests, 0 failed; {_figures(healed.values())}")


def test_a_controller_killed_while_it_rolls_back_finishes_that(tidegate: Tidegate, told: Told) -> None:
    port = tidegate.serve("bad", "bad-v1")
    with Crowd(port, rate=60) as crowd:
        id_ = tidegate.deploy("bad", "bad-v2", ["--fail", "GET=20%:500"], plan=CANARY)
        healed = _kill_at(tidegate, id_, {"watching", *BAD})
        rollout = tidegate.tidied(id_)
        done_at = time.monotonic()
        time.sleep(0.5)
    harm, tills = rollout["harm"], tidegate.told_by_the_till("bad-v2")
    assert rollout["phase"] == "rolled_back"
    assert crowd.failures_told() == {}
    assert set(crowd.by_version(since=done_at)) == {"bad-v1"}
    assert harm["requests"] == sum(tills.values()), "the account survives its controller"
    told(f"controller killed in {', '.join(healed)}: 0 requests failed, {harm['failed']} rescued; {_figures(healed.values())}")


def _figures(seconds: Iterator[float] | list[float] | object) -> str:
    found = sorted(seconds)  # type: ignore[call-overload]
    if not found:
        return "never killed"
    return f"healed after {found[len(found) // 2]:.2f} s (median), {found[-1]:.2f} s (worst)"


def _random_kills(tidegate: Tidegate, told: Told, service: str, kills: int) -> None:
    """Good and bad versions by turns, while the controller dies again and again."""
    chance = random.Random(7)
    port = tidegate.serve(service)
    healed: list[float] = []
    wrong: list[str] = []
    number = 1
    with Crowd(port, rate=60) as crowd:
        while len(healed) < kills:
            number += 1
            bad = number % 3 == 0
            faults = ["--fail", "GET=20%:500"] if bad else []
            plan = CANARY if bad else QUICK
            id_ = _insist(tidegate, service, f"v{number}", faults, plan)
            phase = ""
            while phase not in ("completed", "rolled_back"):
                time.sleep(chance.uniform(0.05, 2.5))
                phase, _ = tidegate.state(id_)
                if len(healed) < kills and phase not in ("completed", "rolled_back"):
                    healed.append(_kill(tidegate, id_))
            rollout = tidegate.settled(id_)
            if rollout["phase"] != ("rolled_back" if bad else "completed"):
                wrong.append(f"{id_}: {rollout['phase']} ({rollout['reason']})")
    assert wrong == []
    assert crowd.failures_told() == {}
    told(
        f"controller killed at {kills} random instants in {number - 1} rollouts: {len(crowd.asked):,} requests, 0 failed; "
        f"{_figures(healed)}"
    )


def _insist(tidegate: Tidegate, service: str, version: str, faults: list[str], plan: object) -> str:
    def order() -> str:
        with suppress(AssertionError):
            return tidegate.deploy(service, version, faults, plan=plan)
        return ""

    return str(until(order, 30, f"{version} is begun", tidegate.words, step=0.2))


def test_a_controller_killed_at_random_instants_harms_nobody(tidegate: Tidegate, told: Told) -> None:
    _random_kills(tidegate, told, "random", 4)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_controller_killed_at_twenty_random_instants_harms_nobody(tidegate: Tidegate, told: Told) -> None:
    _random_kills(tidegate, told, "randomlong", 20)


# --- the others -------------------------------------------------------------------------------------------------------


def test_a_killed_supervisor_is_back_and_nobody_feels_it(tidegate: Tidegate, told: Told) -> None:
    port = tidegate.serve("supervised")
    before = (tidegate.pid("controller"), tidegate.pid("envoy"), tidegate.tasks("supervised", "v1"))
    with Crowd(port, rate=60) as crowd:
        killed = tidegate.kill("supervisor")
        took = tidegate.back("supervisor", killed)
        time.sleep(1)
        assert (tidegate.pid("controller"), tidegate.pid("envoy"), tidegate.tasks("supervised", "v1")) == before
        controller = tidegate.kill("controller")
        tidegate.back("controller", controller)
        tidegate.answers()
    assert crowd.failures_told() == {}
    told(f"supervisor killed: back after {took:.2f} s, 0 of {len(crowd.asked)} requests failed")


def test_supervisor_and_controller_killed_together_are_brought_back_by_up(tidegate: Tidegate) -> None:
    port = tidegate.serve("together")
    with Crowd(port, rate=60) as crowd:
        for who in ("supervisor", "controller"):
            tidegate.kill(who)
        time.sleep(0.5)
        assert tidegate.tidegate("up", "--detach").returncode == 0
        tidegate.answers()
        tidegate.tidied(tidegate.deploy("together", "v2"))
    assert crowd.failures_told() == {}


def test_a_killed_envoy_serves_again_within_a_second_and_everybody_is_where_he_was(tidegate: Tidegate, told: Told) -> None:
    port = tidegate.serve("envoy")
    id_ = tidegate.deploy("envoy", "v2", plan=CANARY)
    tidegate.phase(id_, "watching")
    with Crowd(port, rate=120, people=200) as crowd:
        time.sleep(2)
        killed_at = time.monotonic()
        killed = tidegate.kill("envoy")
        tidegate.back("envoy", killed)
        time.sleep(4)
    before, after = crowd.versions_of(until=killed_at), crowd.versions_of(since=killed_at)
    both = before.keys() & after.keys()
    assert len(both) > 100
    assert all(before[user] == after[user] for user in both), "the same users on the same side"
    failures = crowd.failures
    assert {one.status for one in failures} <= {0}, "connections break; nobody gets a wrong answer"
    gap = max((one.ended for one in failures), default=killed_at) - killed_at
    assert gap < 3, "generous: the machine may be busy"
    assert tidegate.rollout(id_)["phase"] == "watching"
    told(f"Envoy killed: serving again after {gap:.2f} s, {len(failures)} of {len(crowd.asked)} requests fell into the gap")
    tidegate.ask("POST", "/services/envoy/abort", reason="seen enough")
    tidegate.tidied(id_)


def test_a_killed_task_is_replaced_and_idempotent_requests_are_unharmed(tidegate: Tidegate, told: Told) -> None:
    port = tidegate.serve("task")
    with Crowd(port, rate=100) as crowd:
        time.sleep(0.5)
        victim = tidegate.tasks("task", "v1")[0]
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()

        def replaced() -> bool:
            now = tidegate.tasks("task", "v1")
            return len(now) == 2 and victim not in now

        until(replaced, 20, "two tasks are healthy again", tidegate.words)
        took = time.monotonic() - began
        time.sleep(0.5)
    assert crowd.failures_told() == {}
    told(f"task killed: replaced after {took:.2f} s, 0 of {len(crowd.asked)} requests failed")


def test_a_killed_task_of_the_candidate_takes_the_rollout_back(tidegate: Tidegate, told: Told) -> None:
    port = tidegate.serve("victim", alarms=[ERRORS])
    with Crowd(port, rate=80) as crowd:
        id_ = tidegate.deploy("victim", "v2", plan=CANARY)
        tidegate.phase(id_, "watching")
        began = time.monotonic()
        os.kill(tidegate.tasks("victim", "v2")[0], signal.SIGKILL)
        rollout = tidegate.settled(id_)
        took = time.monotonic() - began
    assert "candidate tasks" in rollout["reason"]
    assert crowd.failures_told() == {}
    told(f"candidate's task killed: nobody exposed after {took:.2f} s ({rollout['reason']})")


# --- down and up ------------------------------------------------------------------------------------------------------


def test_a_controller_tells_where_it_is_and_goes_on(tidegate: Tidegate) -> None:
    controller = tidegate.pid("controller")
    told = tidegate.whereabouts()
    assert "most recent call first" in told
    assert "controller.py" in told
    tidegate.answers()
    assert tidegate.pid("controller") == controller


def test_down_leaves_nothing_and_up_goes_on_where_it_was(told: Told) -> None:
    with Tidegate() as tidegate:
        port = tidegate.serve("shop")
        id_ = tidegate.deploy("shop", "v2", plan=CANARY)
        tidegate.phase(id_, "watching")
        down = tidegate.down()
        assert tidegate.processes() == []
        up = tidegate.up()
        assert tidegate.phase(id_, "watching")["applied"] == "50%"
        with Crowd(port, rate=50, people=100) as crowd:
            until(lambda: {"v1", "v2"} <= set(crowd.by_version()), 20, "both sides serve")
            tidegate.ask("POST", "/services/shop/promote", reason="", full=True)
            tidegate.ask("POST", "/services/shop/pause", reason="")
            tidegate.ask("POST", "/services/shop/resume", reason="")
            assert tidegate.tidied(id_)["phase"] == "completed"
        assert crowd.failures_told() == {}
        told(f"down after {down:.1f} s without a process left, up again after {up:.1f} s, and the rollout went on")


def test_down_leaves_nothing_when_everything_was_killed_before() -> None:
    with Tidegate() as tidegate:
        tidegate.serve("shop")
        for who in ("supervisor", "controller", "envoy"):
            tidegate.kill(who)
        tidegate.down()
        assert tidegate.processes() == []
        assert not Path(tidegate.home / "api.sock").exists() or tidegate.tidegate("status").returncode == 2
