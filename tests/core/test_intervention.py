"""What a person may do, and what is refused with which sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.pretended import BEGIN, World, begin
from tidegate.core.errors import Refused
from tidegate.core.exposure import Exposure
from tidegate.core.intervention import abort, pause, promote, resume, supersede
from tidegate.core.plan import Plan, Step
from tidegate.core.rollout import Phase, Rollout, Tidy

MINUTE = timedelta(minutes=1)
PLAN = Plan(
    "test", (Step(Exposure(1000), MINUTE), Step(Exposure(5000), MINUTE), Step(Exposure(10_000), MINUTE)), deadline=60 * MINUTE
)


def rollout_in(phase: Phase) -> Rollout:
    world = World(begin(PLAN))
    if phase is Phase.ROLLING_BACK:
        world.until(Phase.WATCHING)
        return abort(world.rollout, "ann")
    if phase is Phase.ROLLED_BACK:
        world.until(Phase.WATCHING)
        world.rollout = abort(world.rollout, "ann")
    return world.until(phase).rollout


FORWARD = (Phase.PREPARING, Phase.SHIFTING, Phase.WATCHING)


@pytest.mark.parametrize("phase", FORWARD)
def test_pause_and_resume_are_done_once_however_often_they_are_asked(phase: Phase) -> None:
    rollout = rollout_in(phase)
    paused = pause(rollout, "ann")
    assert paused.paused
    assert pause(paused, "bob") == paused
    assert resume(rollout, "ann") == rollout
    assert replace(resume(paused, "ann"), decision=rollout.decision) == rollout


@pytest.mark.parametrize("phase", [Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.COMPLETED])
def test_what_goes_back_or_has_ended_is_neither_paused_nor_resumed_nor_promoted(phase: Phase) -> None:
    rollout = rollout_in(phase)
    for act in (pause, resume, lambda r, by: promote(r, by, BEGIN)):
        with pytest.raises(Refused) as refused:
            act(rollout, "ann")
        assert refused.value.what.endswith(".")
        assert refused.value.mend.endswith(".")


def test_nothing_is_promoted_before_the_candidate_is_healthy() -> None:
    with pytest.raises(Refused, match="web v2 is still preparing: there is nothing to promote yet"):
        promote(rollout_in(Phase.PREPARING), "ann", BEGIN)


def test_promote_goes_one_step_further() -> None:
    after = promote(rollout_in(Phase.WATCHING), "ann", BEGIN)
    assert (after.phase, after.wanted, after.watched) == (Phase.SHIFTING, Exposure(5000), timedelta(0))
    assert "promoted by ann" in after.decision.why


def test_promote_ends_a_pause() -> None:
    assert not promote(pause(rollout_in(Phase.WATCHING), "bob"), "ann", BEGIN).paused


def test_promote_sent_twice_goes_one_step_not_two() -> None:
    once = promote(rollout_in(Phase.WATCHING), "ann", BEGIN)
    with pytest.raises(Refused, match="on its way to 50%"):
        promote(once, "ann", BEGIN)


def test_promote_full_goes_to_the_last_step_also_while_it_shifts() -> None:
    for phase in (Phase.SHIFTING, Phase.WATCHING):
        after = promote(rollout_in(phase), "ann", BEGIN, full=True)
        assert (after.phase, after.wanted) == (Phase.SHIFTING, Exposure(10_000))


def test_promote_full_sent_twice_does_not_complete() -> None:
    once = promote(rollout_in(Phase.WATCHING), "ann", BEGIN, full=True)
    with pytest.raises(Refused, match="on its way to 100%"):
        promote(once, "ann", BEGIN, full=True)


def test_promote_from_the_last_step_completes() -> None:
    world = World(begin(PLAN)).until(Phase.WATCHING)
    world.rollout = promote(world.rollout, "ann", world.now, full=True)
    world.until(Phase.WATCHING)
    after = promote(world.rollout, "ann", world.now)
    assert (after.phase, after.tidy, after.ended) == (Phase.COMPLETED, Tidy.HAND_OVER, world.now)


@pytest.mark.parametrize("phase", FORWARD)
def test_abort_goes_back_from_everywhere_and_says_who_and_why(phase: Phase) -> None:
    after = abort(pause(rollout_in(phase), "bob"), "ann", "users complain")
    assert (after.phase, after.reason, after.paused) == (Phase.ROLLING_BACK, "aborted by ann: users complain", False)
    assert after.setting.exposure == 0


def test_abort_twice_keeps_the_first_reason() -> None:
    once = abort(rollout_in(Phase.WATCHING), "ann", "users complain")
    assert abort(once, "bob", "me too") == once


def test_what_is_completed_cannot_be_aborted_but_says_how_to_go_back() -> None:
    with pytest.raises(Refused) as refused:
        abort(rollout_in(Phase.COMPLETED), "ann")
    assert refused.value.what == "web-2 completed and cannot be aborted."
    assert refused.value.mend == "To go back to v1: tidegate rollback web."


def test_what_was_rolled_back_cannot_be_aborted() -> None:
    with pytest.raises(Refused, match=r"web-2 was rolled back and cannot be aborted\.\nDeploy again to start a new rollout\."):
        abort(rollout_in(Phase.ROLLED_BACK), "ann")


def test_superseding_drops_the_candidate_in_flight() -> None:
    after = supersede(rollout_in(Phase.WATCHING), "ann", "v3")
    assert (after.phase, after.reason) == (Phase.ROLLING_BACK, "superseded by v3 (by ann)")
    assert supersede(after, "bob", "v4") == after


@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.ROLLED_BACK])
def test_superseding_what_has_ended_leaves_it_alone(phase: Phase) -> None:
    rollout = rollout_in(phase)
    assert supersede(rollout, "ann", "v3") == rollout
