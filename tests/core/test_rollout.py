"""Single rules of the rollout that a scenario would not show, most of them once broken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.pretended import BEGIN, World, begin
from tidegate.core.decide import Apply, decide
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.plan import Hook, Plan, Step, Unsure
from tidegate.core.rollout import Phase, Readiness, Ready, Tidy, complete
from tidegate.core.setting import Applied
from tidegate.core.verdict import Cause, Judgement, Verdict, bad, unknown

MINUTE, SECOND, HOUR = timedelta(minutes=1), timedelta(seconds=1), timedelta(hours=1)
TEN, FIFTY, ALL = Exposure(1000), Exposure(5000), Exposure(10_000)
PLAN = Plan("test", (Step(TEN, MINUTE), Step(FIFTY, MINUTE), Step(ALL, MINUTE)), deadline=24 * HOUR)
BLIND = unknown(Cause.BLIND, "errors: its source does not answer")
NO_DATA = unknown(Cause.NO_DATA, "errors: not enough data")


def watching(plan: Plan = PLAN) -> World:
    return World(begin(plan)).until(Phase.WATCHING)


def test_no_data_at_the_end_of_a_hold_rolls_back_when_the_plan_says_so() -> None:
    world = watching(replace(PLAN, unsure_no_data=Unsure.ROLLBACK))
    world.verdict = NO_DATA
    world.run(2 * MINUTE)
    assert world.rollout.phase is Phase.ROLLED_BACK
    assert "not enough data" in world.rollout.reason


def test_a_step_without_users_needs_no_data() -> None:
    plan = replace(PLAN, steps=(Step(NONE, MINUTE), Step(ALL)), unsure_no_data=Unsure.ROLLBACK)
    world = watching(plan)
    world.verdict = NO_DATA
    world.run(MINUTE + 5 * SECOND)
    assert world.rollout.step == 1


def test_a_step_that_lacked_data_is_named_once_however_long_its_gate_takes() -> None:
    plan = replace(PLAN, steps=(Step(TEN, MINUTE, "ask ann"), Step(ALL)), unsure_no_data=Unsure.PROMOTE)
    world = watching(plan)
    world.verdict = NO_DATA
    world.run(5 * MINUTE)
    assert world.rollout.waiting == "ask ann"
    assert world.rollout.unverified == (0,)


def test_a_quiet_night_at_a_gate_changes_nothing() -> None:
    plan = replace(PLAN, steps=(Step(TEN, MINUTE, "ask ann"), Step(ALL)), unsure_no_data=Unsure.ROLLBACK)
    world = watching(plan).run(2 * MINUTE)
    world.verdict = NO_DATA
    world.run(HOUR)
    assert world.rollout.waiting == "ask ann"


def test_a_clock_that_jumps_back_does_not_stop_the_patience() -> None:
    world = watching()
    world.now -= HOUR
    world.verdict = BLIND
    world.run(2 * MINUTE)
    assert world.rollout.phase is Phase.ROLLED_BACK


def test_a_clock_that_jumps_back_into_blindness_does_not_advance() -> None:
    world = watching()
    ready = replace(world.rollout, watched=MINUTE)
    for back in (timedelta(0), SECOND, HOUR):
        after, _ = decide(ready, replace(world.seen(), verdict=BLIND), world.now - back)
        assert (after.phase, after.step) == (Phase.WATCHING, 0)


def test_the_first_blind_look_after_an_hour_away_rolls_nothing_back() -> None:
    world = watching(replace(PLAN, patience=10 * SECOND))
    world.verdict = BLIND
    world.tick(HOUR)
    assert world.rollout.phase is Phase.WATCHING
    world.run(11 * SECOND)
    assert world.rollout.reason.startswith("errors: its source does not answer")


def test_time_that_began_blind_is_not_watched() -> None:
    world = watching()
    world.verdict = BLIND
    world.tick()
    watched = world.rollout.watched
    world.verdict = Verdict(Judgement.GOOD)
    world.tick(20 * SECOND)
    assert world.rollout.watched == watched


def test_unknown_without_a_cause_is_blind() -> None:
    world = watching()
    world.verdict = Verdict(Judgement.UNKNOWN, "nobody knows")
    world.run(30 * SECOND)
    assert world.rollout.watched <= SECOND
    world.run(MINUTE)
    assert world.rollout.phase is Phase.ROLLED_BACK


@pytest.mark.parametrize("drift", [{"slot": ""}, {"slot": "v9"}, {"stable": "v9"}, {"salt": "another"}])
def test_another_version_or_salt_in_the_lever_stops_the_clock(drift: dict[str, str]) -> None:
    world = watching()
    world.lever_works = False
    world.drift(**drift)
    watched = world.run(2 * SECOND).rollout.watched
    assert watched <= SECOND
    assert world.rollout.decision.kind == "put_back"
    world.lever_works = True
    world.run(5 * SECOND)
    assert world.rollout.decision.kind == "watch"


def test_a_way_back_by_a_person_is_not_sent_forth_again_by_guards_or_a_lever_that_hides() -> None:
    world = watching(replace(PLAN, guarded=False))
    world.verdict = bad("errors above 1%")
    world.lever_visible = False
    world.run(5 * MINUTE)
    assert world.rollout.phase is Phase.WATCHING
    world.lever_visible = True
    world.until(Phase.COMPLETED)


def test_a_slot_that_the_lever_never_shows_ends_in_a_rollback_before_the_deadline() -> None:
    world = World(begin(PLAN))
    world.lever_works = False
    world.run(2 * MINUTE)
    assert world.rollout.phase is Phase.ROLLED_BACK
    assert "v2 is not in its slot" in world.rollout.reason


def test_a_candidate_that_takes_an_hour_to_get_healthy_is_waited_for() -> None:
    world = World(begin(PLAN))
    world.candidate = Readiness(Ready.NOT_YET)
    world.run(HOUR)
    assert world.rollout.phase is Phase.PREPARING


def test_a_hook_that_passes_while_nothing_can_be_seen_has_passed() -> None:
    from tidegate.core.rollout import HookSeen, HookState

    world = watching(replace(PLAN, steps=(Step(TEN, SECOND, "", Hook(("true",))), Step(ALL)), unsure_blind=Unsure.HOLD))
    world.tick()
    world.verdict, world.hook = BLIND, HookSeen(HookState.PASSED)
    world.tick()
    assert world.rollout.hook_passed


def test_a_loser_that_the_router_still_calls_stable_is_not_let_go() -> None:
    world = watching().until(Phase.COMPLETED)
    while world.rollout.tidy is not Tidy.EMPTY:
        world.tick()
    world.lever_works = False
    world.applied = Applied(NONE, "v1", "", "web-2")  # somebody put an older file back
    world.run(HOUR)
    assert world.rollout.tidy is Tidy.EMPTY
    assert "v1" in world.rollout.needs
    world.lever_works = True
    world.run(10 * MINUTE)
    assert world.rollout.tidied


def test_the_weight_is_not_taken_for_zero_while_the_old_version_is_stable() -> None:
    won = complete(begin(PLAN), BEGIN, "won")
    won = replace(won, tidy=Tidy.UNWEIGH)
    seen = replace(World(won).seen(), applied=Applied(NONE, "v1", "v2", "web-2"))
    after, actions = decide(won, seen, BEGIN + SECOND)
    assert after.tidy is Tidy.UNWEIGH
    assert isinstance(actions[0], Apply)
    assert actions[0].setting.stable == "v2"


def test_the_same_instant_is_never_enough_to_go_on() -> None:
    world = watching(replace(PLAN, steps=(Step(TEN), Step(FIFTY), Step(ALL))))
    again, actions = decide(world.rollout, world.seen(), world.now)
    assert (again.phase, again.step) == (Phase.WATCHING, 0)
    assert [action.setting.exposure for action in actions if isinstance(action, Apply)] == [TEN]


def test_a_drift_that_never_ends_waits_for_a_person_when_blind_means_hold() -> None:
    world = watching(replace(PLAN, unsure_blind=Unsure.HOLD))
    world.lever_works = False
    world.drift(exposure=Exposure(2000))
    world.run(2 * MINUTE)
    assert "20% is applied instead of 10%" in world.rollout.waiting


def test_a_first_version_that_failed_is_not_let_go_while_the_router_still_sends_users_to_it() -> None:
    world = World(begin(PLAN, baseline=""))
    world.candidate = Readiness(Ready.NOT_YET)
    world.run(5 * SECOND)
    world.lever_works, world.candidate = False, Readiness(Ready.FAILED, "it exited with status 1")
    world.run(HOUR)
    assert world.rollout.tidy is Tidy.EMPTY
    world.lever_works = True
    world.run(5 * SECOND)
    assert world.rollout.tidied
