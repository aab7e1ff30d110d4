"""Rollouts end to end, in memory and in pretended time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.house import USERS, World
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.rollout import Phase, Tidy


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_first_version_serves_everybody_without_steps(world: World) -> None:
    world.deploy("v1")
    world.run_until("completed", within=10)
    world.run(5)
    assert world.router.serve("web", USERS) == {"v1": USERS}
    assert world.rollout().tidy is Tidy.DONE
    assert world.store.service("web").stable == "v1"  # type: ignore[union-attr]


def test_a_good_version_gets_a_growing_share_of_users_and_then_everybody(world: World) -> None:
    world.serving()
    world.deploy("v2")
    shares = []
    for _ in range(60):
        world.run(1)
        went = world.router.serve("web", USERS)
        shares.append(len(went.get("v2", [])))
    assert world.rollout().phase is Phase.COMPLETED
    assert shares == sorted(shares)
    assert {shares[0], shares[-1]} == {0, len(USERS)}
    assert any(70 < share < 130 for share in shares)
    assert world.router.applied("web").stable == "v2"


def test_the_loser_is_kept_for_a_while_and_then_ends(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("completed")
    world.run(20)
    assert world.tasks.living() == ["web-v1-1", "web-v1-2", "web-v2-1", "web-v2-2"]
    world.run(20)
    assert world.tasks.living() == ["web-v2-1", "web-v2-2"]
    assert world.rollout().tidy is Tidy.DONE


def test_a_bad_version_is_taken_back_and_its_harm_is_what_its_users_saw(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("rolled_back", within=30, fails=["v2"])
    world.run(5)
    held = world.store.history("web", 1)[0]
    assert held.rollout.reason.startswith("errors: error_rate")
    assert held.harm.counted.requests == held.harm.counted.failed == held.harm.counted.seen > 0
    assert held.harm.most == Exposure(5000)
    assert held.harm.time_to_detect is not None
    assert held.harm.time_to_detect.total_seconds() <= 3
    assert world.router.serve("web", USERS) == {"v1": USERS}
    assert world.tasks.living() == ["web-v1-1", "web-v1-2"]


def test_a_candidate_that_hangs_is_seen_by_an_alarm_on_latency(world: World) -> None:
    slow = {"name": "slow", "metric": "p99", "above": "800ms", "period": "2s", "missing": "not_breaching"}
    world.serving()
    world.deploy("v2", alarms=[slow])
    assert world.run_until("rolled_back", within=30, hangs=["v2"]).reason.startswith("slow: p99")


def test_both_sides_failing_alike_do_not_trip_the_hard_gate(world: World) -> None:
    world.serving(alarms=[])
    world.deploy("v2", alarms=[])
    world.run(5)
    world.router.eject("web", soft=2)
    world.run(30, fails=["v1", "v2"])
    rollout = world.rollout()
    assert rollout.phase is Phase.WATCHING
    assert rollout.decision.kind == "hold"
    world.router.eject("web")
    world.run_until("completed")


@pytest.mark.parametrize("how", ["sicken", "die"])
def test_candidate_tasks_that_fail_while_the_baseline_is_sound_mean_back_at_once(world: World, how: str) -> None:
    world.serving(alarms=[])
    world.deploy("v2", alarms=[])
    world.run_until("watching")
    getattr(world.tasks, how)("web-v2-1")
    assert "candidate tasks are unhealthy" in world.run_until("rolled_back", within=5).reason


def test_ejection_for_broken_connections_means_back_at_once(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("watching")
    world.router.eject("web", hard=1)
    assert "broken connections" in world.run_until("rolled_back", within=3).reason


def test_a_candidate_that_never_becomes_healthy_exposes_nobody(world: World) -> None:
    world.serving()
    world.tasks.broken["web", "v2"] = "no such table"
    world.deploy("v2")
    rollout = world.run_until("rolled_back", within=60)
    assert "no such table" in rollout.reason
    assert world.store.history("web", 1)[0].harm.most == NONE


def test_a_router_that_does_not_answer_is_no_reason_to_go_on(world: World) -> None:
    world.serving(plan={"linear": {"step": "50%", "every": "10s"}, "patience": "20s"})
    world.deploy("v2", plan={"linear": {"step": "50%", "every": "10s"}, "patience": "20s"})
    world.run_until("watching")
    world.router.answers = False
    world.run(25)
    assert world.rollout().phase is Phase.ROLLING_BACK
    world.router.answers = True
    world.run(3)
    assert world.rollout().phase is Phase.ROLLED_BACK


def test_what_somebody_else_moved_is_put_back_and_told(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("watching")
    world.router.drift("web", FULL)
    world.run(3)
    assert world.router.applied("web").exposure == Exposure(5000)
    assert "put_back" in [event.told.kind for event in world.store.events(rollout=world.rollout().id)]


def test_a_rollback_of_a_completed_rollout_is_immediate_while_the_old_tasks_wait(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("completed")
    world.run(5)
    world.orders.rollback("web", "ann", reason="I do not like it")
    world.run(4)
    assert world.router.serve("web", USERS) == {"v1": USERS}
    world.run_until("completed")
    world.run(60)
    assert world.tasks.living() == ["web-v1-1", "web-v1-2"]


def test_a_superseding_version_starts_at_its_first_step_while_the_baseline_serves(world: World) -> None:
    plan = {"linear": {"step": "50%", "every": "10s"}, "on_conflict": "supersede", "bake": "10s"}
    world.serving(plan=plan)
    world.deploy("v2", plan=plan)
    world.run_until("watching")
    world.deploy("v3", plan=plan)
    world.run(3)
    assert world.store.held("web-2").rollout.phase is Phase.ROLLED_BACK  # type: ignore[union-attr]
    world.run_until("completed")
    world.run(10)
    assert world.router.serve("web", USERS) == {"v3": USERS}
    assert world.tasks.living() == ["web-v1-1", "web-v1-2", "web-v3-1", "web-v3-2"]


def test_a_controller_that_is_started_again_goes_on_with_its_alarms_and_its_account(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("watching")
    world.run(7)
    before = world.store.history("web", 1)[0]
    world.router.serve("web", USERS)
    world.start_controller()
    world.tick()
    after = world.store.history("web", 1)[0]
    assert after.rollout.watched > before.rollout.watched
    assert after.harm.counted.requests > before.harm.counted.requests
    world.run_until("completed")
    total = world.store.history("web", 1)[0].harm.counted
    assert total.failed == 0


def test_a_router_that_is_restarted_loses_none_of_the_account_that_was_seen(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("watching")
    world.run(5)
    before = world.store.history("web", 1)[0].harm.counted.requests
    world.router.restart()
    world.run(2)
    assert world.store.history("web", 1)[0].harm.counted.requests > before


def test_an_hour_without_a_controller_counts_as_one_gap_at_most(world: World) -> None:
    world.serving(plan={"linear": {"step": "50%", "every": "5m"}})
    world.deploy("v2", plan={"linear": {"step": "50%", "every": "5m"}})
    world.run_until("watching")
    world.run(10)
    world.now += timedelta(hours=1)
    world.start_controller()
    world.run(2)
    rollout = world.rollout()
    assert rollout.step == 0
    assert rollout.watched <= timedelta(seconds=45)


def test_every_decision_is_recorded_once_with_its_figures(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("completed")
    world.run(60)
    kinds = [event.told.kind for event in world.store.events(rollout="web-2")]
    assert kinds == [
        "started",
        "prepare",
        *["prepare"] * (kinds.count("prepare") - 1),
        "shift",
        "watch",
        "shift",
        "watch",
        "complete",
        "tidy",
        "tidy",
        "tidy",
        "tidy",
        "tidy",
    ]
    shift = next(event.told for event in world.store.events(rollout="web-2") if event.told.kind == "shift")
    assert {"wanted", "applied", "guards", "harm", "sides"} <= set(shift.facts)


def test_a_rollback_that_is_asked_for_twice_is_one(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("completed")
    first = world.orders.rollback("web", "ann")
    world.run(1)
    again = world.orders.rollback("web", "bob")
    assert first.rollout is not None
    assert again.rollout is not None
    assert (again.rollout.id, again.new) == (first.rollout.id, False)
    assert world.run_until("completed").id == first.rollout.id
    world.run(5)
    assert world.router.applied("web").stable == "v1"


def test_a_full_disk_at_the_tasks_does_not_keep_a_bad_version_exposed(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("watching")
    world.runtime.world.disk_full = True
    world.tasks.die("web-v1-2")
    for _ in range(12):
        world.router.serve("web", USERS, fails=["v2"])
        world.now += timedelta(seconds=1)
        world.loop.tick(world.now)
    assert world.router.serve("web", USERS).keys() == {"v1"}


def test_a_rejected_configuration_fails_the_rollout_that_brings_it_and_no_other(world: World) -> None:
    world.serving()
    world.router.rejects = "no such thing"
    world.deploy("v2")
    assert "no such thing" in world.run_until("rolled_back", within=10).reason


def test_a_rollback_goes_on_while_the_tasks_cannot_be_seen_and_none_of_them_ends(world: World) -> None:
    world.serving()
    world.deploy("v2")
    world.run_until("watching")
    world.runtime.blind = True
    world.orders.abort("web", "ann")
    world.run(4)
    assert world.router.serve("web", USERS) == {"v1": USERS}
    assert world.tasks.living() == ["web-v1-1", "web-v1-2", "web-v2-1", "web-v2-2"]
    world.runtime.blind = False
    world.run(6)
    assert world.tasks.living() == ["web-v1-1", "web-v1-2"]
