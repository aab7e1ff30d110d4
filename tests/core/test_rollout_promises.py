"""What holds in every history, however rough. Each promise was seen red on a fault: see test_rollout_faults.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.support.pretended import TICK, Turn, World
from tests.support.stories import BY_PERSONS, Story, stories, told
from tidegate.core import intervention
from tidegate.core.decide import Apply, RunHook, decide
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.plan import Hook, Step, Unsure
from tidegate.core.rollout import HookSeen, HookState, Phase, Readiness, Ready, Rollout, Tidy
from tidegate.core.setting import Setting
from tidegate.core.verdict import GOOD, Cause, Judgement

FORWARD = (Phase.PREPARING, Phase.SHIFTING, Phase.WATCHING)
BACK = (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
BLIND, NO_DATA = "verdict blind errors: its source does not answer", "verdict no data errors: not enough data"
TENTH, HALF, HOOK = Exposure(1000), Exposure(5000), Hook(("smoke-test",))
ZERO = timedelta(0)

ENOUGH = settings(max_examples=int(os.environ.get("PROMISES", "40")), deadline=None)


def by_look(turns: list[Turn]) -> Iterator[Turn]:
    return (turn for turn in turns if turn.seen is not None)


def asked(turn: Turn) -> list[Setting]:
    return [action.setting for action in turn.actions if isinstance(action, Apply)]


def went_on(turn: Turn) -> bool:
    """Whether more users were let in, or the candidate has won."""
    if turn.after.phase is Phase.COMPLETED:
        return turn.before.phase is not Phase.COMPLETED
    return turn.after.phase in FORWARD and turn.after.step > turn.before.step


def mend(world: World) -> World:
    """Everything works from now on, and a person says yes to every gate, until nothing is owed any more."""
    world.lever_visible = world.lever_works = True
    world.verdict, world.candidate = GOOD, Readiness(Ready.YES)
    for _ in range(400):
        if world.rollout.tidied:
            return world
        if world.rollout.phase in FORWARD and world.rollout.paused:
            world.intervene(lambda rollout: intervention.resume(rollout, "ann"))
        if world.rollout.waiting and world.rollout.phase is Phase.WATCHING:
            world.intervene(lambda rollout: intervention.promote(rollout, "ann", world.now))
        if world.hook and world.hook.state is HookState.RUNNING:
            world.hook = HookSeen(HookState.PASSED)
        world.tick()
    raise AssertionError(f"it never ends: {world.rollout}")


@ENOUGH
@given(stories(guarded=False))
def test_exposure_grows_or_holds_and_falls_only_to_zero(story: Story) -> None:
    for turn in story.turns():
        before, after = turn.before, turn.after
        if before.in_flight and after.in_flight:
            assert after.wanted >= before.wanted or (after.wanted == NONE and after.phase is Phase.ROLLING_BACK)


@ENOUGH
@given(stories(without=("promote full",)))
def test_a_step_is_wanted_only_after_the_step_before_was_seen_and_looked_at(story: Story) -> None:
    for turn in story.turns():
        if turn.after.phase is Phase.WATCHING and turn.before.phase is Phase.SHIFTING:
            assert turn.seen
            assert turn.seen.applied.shows(turn.before.setting)
        if not turn.before.in_flight or not went_on(turn):
            continue
        assert turn.after.step - turn.before.step in (0, 1)
        assert turn.before.phase is Phase.WATCHING or turn.before.first
        if turn.seen and not turn.before.first:
            assert turn.seen.applied.shows(turn.before.setting)
            assert turn.seen.verdict.judgement is Judgement.GOOD or turn.seen.verdict.cause is Cause.NO_DATA


@ENOUGH
@given(stories())
@example(told((3, "router stuck"), (0, "promote"), (0, "promote"), steps=(Step(TENTH, TICK), Step(HALF, TICK), Step(FULL))))
def test_nobody_gets_more_than_the_next_step_beyond_what_was_seen(story: Story) -> None:
    shares, most_seen = [step.exposure for step in story.plan.steps], 0
    for turn in story.turns():
        if turn.seen is None:
            if turn.after.step > turn.before.step + 1:
                return  # a person said: everybody
            continue
        if turn.seen.applied.exposure is not None:
            most_seen = max(most_seen, turn.seen.applied.exposure)
        step = next((number for number, share in enumerate(shares) if share > most_seen), len(shares) - 1)
        for setting in asked(turn):
            assert setting.exposure <= shares[step]


@ENOUGH
@given(stories())
def test_after_a_bad_verdict_nobody_is_let_in_again_and_it_ends_rolled_back(story: Story) -> None:
    is_bad = False
    for turn in mend(story.play()).turns:
        if turn.seen and turn.before.in_flight and turn.seen.verdict.judgement is Judgement.BAD:
            is_bad = True
        if is_bad:
            assert turn.after.phase in BACK
            assert turn.after.setting.exposure == NONE


@ENOUGH
@given(stories())
def test_nothing_blocks_a_rollback(story: Story) -> None:
    for turn in story.turns():
        if turn.before.phase is not Phase.ROLLING_BACK:
            continue
        assert turn.seen is None or turn.after.phase is Phase.ROLLING_BACK or turn.seen.applied.exposure == NONE
        assert turn.seen is None or turn.after.phase is Phase.ROLLED_BACK or turn.seen.applied.exposure != NONE
        assert turn.after.reason == turn.before.reason
        if turn.seen:
            assert [setting.exposure for setting in asked(turn)] == [NONE]


@ENOUGH
@given(stories())
def test_an_abort_goes_back_from_wherever_it_is(story: Story) -> None:
    for turn in story.turns():
        if turn.before.in_flight:
            assert intervention.abort(turn.before, "ann").phase is Phase.ROLLING_BACK


@ENOUGH
@given(stories(without=("promote",), first=False))
def test_a_step_is_left_only_after_it_was_watched_for_its_hold(story: Story) -> None:
    """Counts again, from what was seen: a span counts when both of its ends saw everything, up to one gap."""
    watched, saw = ZERO, False
    for turn in by_look(story.turns()):
        sees = _sees(turn)
        if turn.before.phase is Phase.WATCHING and saw and sees and not turn.before.paused:
            watched += _span(turn)
        if went_on(turn) and turn.before.phase is Phase.WATCHING:
            assert watched >= story.plan.steps[turn.before.step].hold
        if turn.after.phase is Phase.WATCHING and turn.before.phase is Phase.WATCHING:
            assert turn.after.watched <= watched
        else:
            watched = ZERO
        saw = sees


def _span(turn: Turn) -> timedelta:
    return min(max(ZERO, turn.now - turn.before.ticked), turn.before.plan.gap)


def _sees(turn: Turn) -> bool:
    assert turn.seen is not None
    return turn.seen.applied.shows(turn.before.setting) and turn.seen.verdict.cause is not Cause.BLIND


@ENOUGH
@given(stories())
def test_a_pause_holds(story: Story) -> None:
    for turn in by_look(story.turns()):
        if turn.before.paused:
            assert not went_on(turn)
            assert turn.after.phase is not Phase.WATCHING or turn.after.watched <= turn.before.watched


@ENOUGH
@given(stories(without=("promote", "verdict", "router", "clock"), first=False), st.sampled_from(("guards", "router")))
def test_a_blind_world_never_completes(story: Story, what: str) -> None:
    blinding = "verdict blind nobody answers" if what == "guards" else "router blind"
    world = Story(story.plan, story.baseline, ((2, blinding), *story.events)).play()
    assert all(turn.after.phase is not Phase.COMPLETED for turn in world.turns)
    assert not any(went_on(turn) for turn in world.turns if turn.before.phase is not Phase.PREPARING)


@ENOUGH
@given(stories(without=BY_PERSONS))
def test_who_cannot_see_for_as_long_as_the_patience_goes_back_or_waits_for_a_person(story: Story) -> None:
    for turn in by_look(story.turns()):
        after = turn.after
        if after.phase in (Phase.SHIFTING, Phase.WATCHING) and after.blind is not None and after.blind >= after.plan.patience:
            assert after.plan.unsure_blind is Unsure.HOLD
            assert after.waiting


@ENOUGH
@given(stories())
@example(told((6, BLIND), (2, "controller down 20s"), deadline=20 * TICK, patience=60 * TICK, steps=(Step(FULL, 60 * TICK),)))
def test_what_is_not_finished_by_its_deadline_is_not_going_on(story: Story) -> None:
    elapsed = ZERO
    for turn in by_look(story.turns()):
        held = turn.before.paused or turn.before.waiting
        elapsed += ZERO if held else max(ZERO, turn.now - turn.before.ticked)
        if turn.before.in_flight and elapsed >= story.plan.deadline:
            assert turn.after.phase in BACK


@ENOUGH
@given(stories())
@example(told((8, "router stuck"), (3, "router works")))
def test_the_winner_is_handed_over_in_three_steps_each_seen_before_the_next(story: Story) -> None:
    world = mend(story.play())
    if world.rollout.phase is not Phase.COMPLETED:
        return
    order = [Tidy.HAND_OVER, Tidy.UNWEIGH, Tidy.EMPTY, Tidy.KEEP]
    owed = Tidy.HAND_OVER if story.baseline else Tidy.EMPTY  # a first version is the stable side from the beginning
    for turn in by_look(world.turns):
        if turn.before.phase is not Phase.COMPLETED or turn.before.settled:
            continue
        assert turn.seen is not None
        applied = turn.seen.applied
        if turn.after.tidy is not owed:
            assert turn.after.tidy is order[order.index(owed) + 1]
            assert applied.stable == story.first().candidate
            assert owed is not Tidy.UNWEIGH or applied.exposure == NONE
            assert owed is not Tidy.EMPTY or applied.slot == ""
            owed = turn.after.tidy
    assert owed is Tidy.KEEP


@ENOUGH
@given(stories(without=("drift",)))
def test_whatever_the_router_does_its_users_find_a_running_version(story: Story) -> None:
    """Also after a restart on a broken weights file, which sends everybody to the stable side."""
    world = mend(story.play())
    for turn in by_look(world.turns):
        assert turn.seen is not None
        applied = turn.seen.applied
        if applied.exposure is None:
            continue
        served = {applied.stable} | ({applied.slot} if applied.exposure else set())
        assert served - {""} <= turn.after.needs


@ENOUGH
@given(stories())
@example(told((10, "router stuck"), (0, "drift stable to v1"), (3, "router works")))
def test_settled_means_that_the_lever_is_free(story: Story) -> None:
    for turn in by_look(mend(story.play()).turns):
        assert turn.seen is not None
        if turn.after.settled:
            assert not turn.actions
        if turn.after.settled and not turn.before.settled:
            assert turn.seen.applied.slot == ""
            assert turn.seen.applied.stable == turn.after.setting.stable


@ENOUGH
@given(stories(guarded=False))
def test_deciding_twice_at_one_instant_asks_for_the_same(story: Story) -> None:
    for turn in by_look(story.turns()):
        assert turn.seen is not None
        if not turn.after.in_flight:
            continue
        again, actions = decide(turn.after, turn.seen, turn.now)
        assert asked(turn) == [action.setting for action in actions if isinstance(action, Apply)]
        assert again.wanted == turn.after.wanted
        assert again.phase in (turn.after.phase, Phase.WATCHING)


@ENOUGH
@given(stories(without=("promote",)))
@example(told((3, "hook passed"), (8, "nothing"), steps=(Step(TENTH, TICK, hook=HOOK), Step(FULL, TICK, hook=HOOK))))
def test_a_hook_is_asked_for_until_it_has_passed_in_its_own_step(story: Story) -> None:
    passed: set[int] = set()
    for turn in by_look(story.turns()):
        assert turn.seen is not None
        before, after = turn.before, turn.after
        if before.phase is Phase.WATCHING and turn.seen.hook == HookSeen(HookState.PASSED):
            passed.add(before.step)
        is_due = after.phase is Phase.WATCHING and after.plan.steps[after.step].hook and after.step not in passed
        assert [action.step for action in turn.actions if isinstance(action, RunHook)] == ([after.step] if is_due else [])
        if went_on(turn) and before.phase is Phase.WATCHING and before.plan.steps[before.step].hook:
            assert before.step in passed


_json: TypeAdapter[Rollout] = TypeAdapter(Rollout)


@ENOUGH
@given(stories(guarded=False))
def test_a_rollout_survives_being_written_down_at_every_point(story: Story) -> None:
    for turn in mend(story.play()).turns:
        assert _json.validate_json(_json.dump_json(turn.after)) == turn.after


@ENOUGH
@given(stories(guarded=False))
def test_every_story_comes_to_an_end_when_the_world_is_mended(story: Story) -> None:
    ended = mend(story.play()).rollout
    assert ended.ended is not None
    assert ended.setting == Setting(ended.candidate if ended.phase is Phase.COMPLETED else ended.baseline, "", NONE, ended.salt)
    assert ended.loser not in ended.needs or not ended.loser


@ENOUGH
@given(stories())
@example(told((1, NO_DATA), (8, "nothing"), steps=(Step(FULL, TICK, "ask ann"),)))
def test_an_unverified_step_is_named_once(story: Story) -> None:
    unverified = mend(story.play()).rollout.unverified
    assert list(unverified) == sorted(set(unverified))


@ENOUGH
@given(stories())
def test_the_end_is_the_end(story: Story) -> None:
    for turn in story.turns():
        if not turn.before.in_flight:
            assert turn.after.phase is turn.before.phase
            assert turn.after.ended == turn.before.ended


@ENOUGH
@given(stories(without=("clock", "controller", "drift", "router", "verdict", "candidate", "hook", *BY_PERSONS), first=False))
def test_a_calm_world_completes(story: Story) -> None:
    if story.plan.deadline > 10 * 60 * TICK:
        assert mend(story.play()).rollout.phase is Phase.COMPLETED
