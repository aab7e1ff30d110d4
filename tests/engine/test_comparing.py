"""Comparisons inside of rollouts: the real loop and store, pretended traffic of 200 requests a second, in pretended time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import USERS, World, service_file
from tidegate.core.errors import Invalid
from tidegate.core.exposure import FULL, NONE, Exposure, bucket
from tidegate.core.metric_name import Source
from tidegate.core.rollout import Phase, Rollout
from tidegate.core.verdict import GuardSeen
from tidegate.ports import Change, Measurement
from tidegate.store.store import SqlStore

COMPARED: dict[str, Any] = {"compare": {}, "alarms": []}
CANARY = {"canary": {"first": "10%", "hold": "2m"}, "bake": "10s"}
ADAPTIVE = {"adaptive": {"harm": 10, "no_faster_than": "30s"}, "bake": "10s"}


class Traffic(World):
    """A world whose users fail by chance, with a seed."""

    def __init__(self, tmp_path: Path) -> None:
        self.chance = random.Random(7)
        self.shares: dict[str, float] = {}
        self.milliseconds: dict[str, float] = {}
        super().__init__(tmp_path)

    def second(self, *, hangs: Sequence[str] = ()) -> None:
        """Every user asks once; each fails with the chance of his version's."""
        if self.lever.reading is not None and "web" in self.lever.reading.services:
            for user in USERS:
                bad = self.chance.random()
                fails = [version for version, share in self.shares.items() if bad < share]
                ms = self.chance.lognormvariate(0, 0.3) * 20
                slow = self.milliseconds.get("v2", 1.0) if self.side(user) == "v2" else 1.0
                self.router.serve("web", [user], fails=fails, hangs=hangs, ms=ms * slow)
        self.tick()

    def side(self, user: str) -> str:
        place = self.router.applied("web")
        return "v2" if place.slot == "v2" and place.exposure and self.covers(user, place.exposure, place.salt or "") else "v1"

    @staticmethod
    def covers(user: str, exposure: Exposure, salt: str) -> bool:
        return exposure.covers(bucket(user, salt))

    def seconds(self, count: int, **how: Any) -> None:
        for _ in range(count):
            self.second(**how)

    def until(self, phase: str, within: int = 600, **how: Any) -> Rollout:
        for _ in range(within):
            if self.rollout().phase == phase:
                return self.rollout()
            self.second(**how)
        raise AssertionError(f"{self.rollout().phase} and not {phase} after {within} s: {self.rollout().decision}")

    def guard(self) -> GuardSeen:
        look = self.watcher.seen(self.rollout().id)
        assert look is not None
        return next(guard for guard in look.guards if guard.name == "comparison")

    def begun(self, plan: object = CANARY, calm: int = 30, **changes: Any) -> Rollout:
        """v1 has served for a while, and v2 begins."""
        self.shares["v1"] = 0.002
        self.serving(**COMPARED)
        self.seconds(calm)
        return self.deploy("v2", **COMPARED | {"plan": plan} | changes)


@pytest.fixture
def world(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path)


def test_a_version_that_fails_one_in_five_is_gone_within_seconds_without_an_alarm(world: Traffic) -> None:
    world.shares["v2"] = 0.2
    world.begun()
    rolled_back = world.until("rolled_back", within=60)
    assert rolled_back.reason.startswith("comparison: errors:")
    harm = world.store.history("web", 1)[0].harm
    assert 0 < harm.counted.failed < 40


def test_a_version_that_is_as_good_completes(world: Traffic) -> None:
    world.shares["v2"] = 0.002
    world.begun()
    assert world.until("completed").unverified == ()


def test_a_version_that_is_twice_as_slow_is_taken_back_once_it_is_warm(world: Traffic) -> None:
    world.milliseconds["v2"] = 2
    world.begun(calm=10)
    rolled_back = world.until("rolled_back", within=90)
    assert rolled_back.reason.startswith("comparison: latency")
    assert world.store.history("web", 1)[0].harm.slow > 20


def test_a_version_that_hangs_from_its_first_request_is_gone_before_it_is_warm(world: Traffic) -> None:
    world.begun()
    began = world.now
    world.until("rolled_back", within=60, hangs=["v2"])
    assert (world.now - began).total_seconds() < 12
    assert world.store.history("web", 1)[0].harm.time_to_detect is not None


def test_an_outage_of_both_sides_holds_the_exposure_and_blames_nobody(world: Traffic) -> None:
    world.shares["v2"] = 0.002
    world.begun(calm=300)
    world.seconds(30)
    world.shares.update(v1=0.3, v2=0.3)
    world.seconds(20)
    assert world.rollout().phase is Phase.WATCHING
    assert world.rollout().decision.kind == "hold"
    assert "shared outage" in world.guard().why
    world.shares.update(v1=0.002, v2=0.002)
    assert world.until("completed").reason == ""


def test_too_little_traffic_is_said_and_the_step_is_extended(world: Traffic) -> None:
    world.begun({"linear": {"step": "50%", "every": "3s"}, "bake": "3s"})
    world.seconds(4)
    assert world.guard().state == "no_data"
    assert "more are needed" in world.guard().why
    assert world.until("completed").unverified == (0,)


def test_at_full_exposure_there_is_nobody_to_compare_with(world: Traffic) -> None:
    world.begun({"all_at_once": True, "bake": "5s"})
    world.seconds(5)
    assert world.guard().state == "not_applicable"
    assert world.until("completed").unverified == ()


def test_with_a_holdback_it_is_compared_to_the_end(world: Traffic) -> None:
    world.begun({"all_at_once": True, "bake": "60s", "holdback": "10%"})
    world.seconds(5)
    assert world.guard().state in ("ok", "no_data")
    world.shares["v2"] = 0.2
    assert world.until("rolled_back", within=30).reason.startswith("comparison: errors")


def test_a_silent_router_is_blind_and_not_good(world: Traffic) -> None:
    world.begun()
    world.seconds(10)
    world.router.answers = False
    world.seconds(2)
    assert world.guard().state == "blind"
    watched = world.rollout().watched
    world.seconds(10)
    assert world.rollout().watched == watched
    world.router.answers = True
    assert world.until("completed").reason == ""


def test_a_wrong_split_is_held_and_said(world: Traffic) -> None:
    world.begun()
    world.seconds(5)
    users = [user for user in USERS if world.side(user) == "v2"]
    for _ in range(60):
        world.router.serve("web", users * 6)
        world.second()
        if world.guard().state == "held":
            break
    assert world.guard().why.startswith("allocation mismatch")
    assert world.rollout().decision.kind == "hold"


def test_a_first_version_has_nothing_to_be_compared_with(world: Traffic) -> None:
    world.deploy("v1", **COMPARED)
    world.until("completed", within=20)


def test_what_does_not_roll_back_is_only_shown(world: Traffic) -> None:
    world.shares["v2"] = 0.3
    world.begun({"canary": {"first": "10%", "hold": "20s"}, "bake": "5s"}, compare={"rollback": False})
    world.seconds(18)
    assert world.guard().state == "firing"
    assert world.until("completed").reason == ""


# --- going on after a restart -----------------------------------------------------------------------------------------


def test_a_restarted_controller_goes_on_with_the_evidence_it_had(world: Traffic, tmp_path: Path) -> None:
    """The same seconds with and without a restart in the middle of them give the same evidence."""
    twin = Traffic(tmp_path / "twin") if (tmp_path / "twin").mkdir() is None else world
    for one in (world, twin):
        one.shares["v2"] = 0.02
        one.begun()
        one.seconds(9)
    world.start_controller()
    for one in (world, twin):
        one.tick()
        one.seconds(6)
    mine, other = (one.watcher._rollouts["web-2"].comparing for one in (world, twin))
    assert mine is not None
    assert other is not None
    assert mine.state.total.n_c.tolist() == other.state.total.n_c.tolist()
    assert mine.state.total.e_c.tolist() == other.state.total.e_c.tolist()


def test_what_another_release_wrote_of_a_rollout_is_begun_anew(world: Traffic) -> None:
    world.shares["v2"] = 0.2
    world.begun()
    held = world.store.history("web", 1)[0]
    world.store.commit([Change(held, held.rollout, held.harm, watch='{"book": "{}", "comparing": {"state": {}}}')], world.now)
    world.start_controller()
    assert world.until("rolled_back", within=60).reason.startswith("comparison")


def test_the_last_day_is_remembered_over_a_restart(world: Traffic) -> None:
    world.serving(**COMPARED)
    world.seconds(70)
    before = world.watcher._services["web"].remembering.history
    world.start_controller()
    world.second()
    after = world.watcher._services["web"].remembering.history
    assert float(after.requests) >= 0.8 * float(before.requests) > 10_000


def test_what_was_written_and_cannot_be_read_is_learned_anew(world: Traffic) -> None:
    world.serving(**COMPARED)
    world.store.remember({"web": '{"no": 1}'}, world.now)
    world.start_controller()
    world.seconds(5)
    assert float(world.watcher._services["web"].remembering.history.requests) < 2000


def test_of_a_service_that_is_gone_nothing_is_remembered(world: Traffic) -> None:
    world.serving(**COMPARED)
    world.store.remember({"web": "{}", "gone": "{}"}, world.now)
    assert dict(world.store.memories()) == {"web": "{}"}
    assert isinstance(world.store, SqlStore)


# --- adaptive ---------------------------------------------------------------------------------------------------------


def test_an_adaptive_plan_begins_small_and_grows_with_the_evidence(world: Traffic) -> None:
    world.shares["v2"] = 0.002
    world.begun(ADAPTIVE, calm=60)
    seen: list[Exposure] = []
    for _ in range(400):
        world.second()
        seen.append(world.rollout().wanted)
        if world.rollout().phase is Phase.COMPLETED:
            break
    assert world.rollout().phase is Phase.COMPLETED
    up_to_the_end = seen[: seen.index(FULL) + 1]
    assert up_to_the_end == sorted(up_to_the_end)
    assert NONE < next(one for one in seen if one) < Exposure(500)


def test_an_adaptive_plan_leaves_a_step_early_when_nothing_is_worse(world: Traffic) -> None:
    world.shares["v2"] = 0.002
    world.begun(ADAPTIVE, calm=60)
    world.until("completed", within=400)
    told = [event.told.why for event in world.store.events(rollout="web-2", limit=1000)]
    assert any("not worse than the baseline" in why for why in told)


def test_a_version_that_is_dead_harms_about_as_many_as_the_budget_says(world: Traffic) -> None:
    world.shares["v2"] = 1.0
    world.begun(ADAPTIVE, calm=60)
    world.until("rolled_back", within=60)
    assert world.store.history("web", 1)[0].harm.counted.failed <= 20


def test_both_sides_and_the_evidence_are_shown_while_it_goes_on_and_written_down_with_each_decision(world: Traffic) -> None:
    world.shares["v2"] = 0.2
    world.begun()
    assert world.glance.rollout("web-2").comparison is None, "nobody is let in yet"
    world.until("watching")
    world.second()
    seen = world.glance.rollout("web-2").comparison
    assert seen is not None
    assert [outcome.name for outcome in seen.outcomes][:2] == ["errors", "latency p50"]
    assert seen.outcomes[0].candidate_requests > 0
    assert seen.limit == pytest.approx(1000)
    world.until("rolled_back", within=60)
    (decided,) = [event for event in world.store.events(rollout="web-2", limit=1000) if event.told.kind == "roll_back"]
    written: Any = decided.told.facts["comparison"]
    errors = written["outcomes"][0]
    assert written["evidence"] >= 1000
    assert errors["candidate_bad"] / errors["candidate_requests"] > 0.1 > errors["baseline_bad"] / errors["baseline_requests"]
    assert world.glance.rollout("web-2").comparison is None, "it is history: its decisions hold it"


def test_while_it_is_paused_nothing_grows(world: Traffic) -> None:
    world.begun(ADAPTIVE, calm=60)
    world.seconds(4)
    world.orders.pause("web", "ann")
    wanted = world.rollout().wanted
    world.seconds(20)
    assert NONE < wanted == world.rollout().wanted


def test_an_adaptive_plan_without_a_comparison_is_refused(world: Traffic) -> None:
    with pytest.raises(ValueError, match="adaptive plan goes by the evidence"):
        service_file(plan=ADAPTIVE, compare="off")
    world.serving()
    plan = service_file(plan=ADAPTIVE, compare={}).plan
    with pytest.raises(Invalid, match="adaptive plan goes by the evidence"):
        world.orders.deploy(service_file(), "v2", "ann", plan=plan)


# --- metrics of their own ---------------------------------------------------------------------------------------------


def test_a_metric_of_ones_own_takes_part_by_name(world: Traffic) -> None:
    own = {"name": "checkout", "bad": "pushed:checkout_failed", "of": "pushed:checkouts"}
    world.begun(compare={"metrics": [own]})
    pushed: list[Measurement] = []
    world.gauges.pushed = lambda service: pushed  # type: ignore[method-assign,assignment]
    world.until("watching", within=20)
    for _ in range(30):
        pushed[:] = [
            Measurement("checkouts", 10, version="v2"),
            Measurement("checkout_failed", 5, version="v2"),
            Measurement("checkouts", 90, version="v1"),
            Measurement("checkout_failed", 1, version="v1"),
        ]
        world.second()
        if world.rollout().phase is not Phase.WATCHING:
            break
    assert world.rollout().reason.startswith("comparison: checkout: ")


def test_a_metric_of_ones_own_that_does_not_exist_is_refused_at_its_place(world: Traffic) -> None:
    world.serving(**COMPARED)
    world.gauges.names[Source.PUSHED] = frozenset({"checkouts", "checkouts_failed"})
    own = {"name": "checkout", "bad": "pushed:checkout_failed", "of": "pushed:checkouts"}
    with pytest.raises(Invalid, match="Nobody has pushed a metric 'checkout_failed'") as refused:
        world.orders.check(service_file(compare={"metrics": [own]}), "v2")
    assert refused.value.where == "compare.metrics[0]"
    assert "pushed:checkouts_failed" in refused.value.mend


def test_a_candidate_that_the_router_keeps_ejected_goes_back_when_patience_is_over(world: Traffic) -> None:
    """Nobody reaches it any more, so no guard would ever know more."""
    plan = CANARY | {"patience": "20s"}
    world.begun(plan)
    world.until("watching", within=20)
    for _ in range(25):
        world.router.eject("web", soft=2)
        world.second()
        if world.rollout().phase is not Phase.WATCHING:
            break
    assert "keeps candidate tasks ejected" in world.rollout().reason
    began = world.rollout()
    assert began.elapsed.total_seconds() > 18


def test_an_outage_that_ejects_the_candidate_too_is_waited_for(world: Traffic) -> None:
    world.begun(CANARY | {"patience": "20s"}, compare="off")
    world.until("watching", within=20)
    world.shares.update(v1=0.6, v2=0.6)
    for _ in range(40):
        world.router.eject("web", soft=2)
        world.second()
    assert world.rollout().decision.kind == "hold"
