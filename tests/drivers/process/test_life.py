"""The life of one task, by its rules; nothing runs here."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidegate.drivers.process import life
from tidegate.drivers.process.clock import GAP, PatientClock
from tidegate.drivers.process.identity import Identity
from tidegate.drivers.process.life import Verdict
from tidegate.drivers.process.record import Ending, Record
from tidegate.ports import TaskState

START = timedelta(seconds=30)


def record(state: TaskState = TaskState.STARTING, **more: object) -> Record:
    process = Identity(1, 1, "boot")
    base = Record("web-v1-1", "web", "v1", 1, "127.0.0.1", 80, state, since=100.0, process=process, drain=10.0)
    return replace(base, **more)  # type: ignore[arg-type]


def test_a_starting_task_is_healthy_as_soon_as_the_check_says_so() -> None:
    after = life.judged(record(early=2), Verdict(healthy=True, checks=2), START, 101.0)
    assert (after.state, after.since, after.early, after.proven) == (TaskState.HEALTHY, 101.0, 0, True)


def test_bad_answers_do_not_hurt_a_starting_task_before_its_time_is_over() -> None:
    starting = record()
    assert life.judged(starting, Verdict(why="refused", checks=9), START, 130.0) is starting


def test_without_a_single_answer_no_task_is_late_whatever_the_clock_says() -> None:
    starting = record()
    assert life.judged(starting, Verdict(checks=0), START, 10_000.0) is starting


def test_a_task_that_is_late_is_given_up_and_ended_but_tried_again_when_it_was_healthy_before() -> None:
    bad = Verdict(why="GET / answered 503", checks=9)
    after = life.judged(record(), bad, START, 131.0)
    assert (after.state, after.ending) == (TaskState.FAILED, Ending.TERM)
    assert after.why == "not healthy within 30s of its start: GET / answered 503"
    assert life.judged(record(proven=True), bad, START, 131.0).state is TaskState.DEAD


def test_a_target_that_is_late_is_only_told_of_and_may_become_healthy_later() -> None:
    after = life.judged(record(managed=False), Verdict(why="refused", checks=9), START, 131.0)
    assert (after.state, after.ending) == (TaskState.FAILED, None)
    assert life.judged(after, Verdict(healthy=True, checks=10), START, 140.0).state is TaskState.HEALTHY


def test_the_third_end_before_health_is_the_last_and_the_sentence_has_its_last_words() -> None:
    task = record()
    states = []
    for _ in range(3):
        task = life.ended(replace(task, state=TaskState.STARTING), "with exit code 1", "no such table", 101.0)
        states.append(task.state)
    assert states == [TaskState.DEAD, TaskState.DEAD, TaskState.FAILED]
    assert task.why == "it ended with exit code 1, 3 times before it was ever healthy; its last words: no such table"


def test_a_task_that_once_was_healthy_is_never_given_up() -> None:
    task = record(proven=True)
    for _ in range(50):
        task = life.ended(replace(task, state=TaskState.STARTING), "with exit code 1", "", 101.0)
        assert task.state is TaskState.DEAD
    assert task.why == "it ended with exit code 1"


def test_the_pause_before_a_start_doubles_from_half_a_second_to_half_a_minute() -> None:
    assert [life.backoff(deaths) for deaths in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert life.backoff(10**6) == 30


def test_half_a_minute_of_health_makes_the_pause_short_again() -> None:
    healthy = record(TaskState.HEALTHY, deaths=6)
    assert life.ended(healthy, "by SIGKILL", "", 129.0).deaths == 7
    assert life.ended(healthy, "by SIGKILL", "", 131.0).deaths == 1


def test_a_dead_task_is_due_after_its_pause_and_a_failed_one_after_a_minute() -> None:
    dead = record(TaskState.DEAD, deaths=2)
    assert not life.due(dead, 100.9)
    assert life.due(dead, 101.0)
    failed = record(TaskState.FAILED)
    assert not life.due(failed, 159.9)
    assert life.due(failed, 160.0)
    assert not life.due(record(TaskState.HEALTHY), 10_000.0)


def test_the_end_is_drain_then_sigterm_then_sigkill_again_and_again() -> None:
    task = life.unwanted(record(TaskState.HEALTHY), 100.0)
    assert (task.state, task.ending) == (TaskState.STOPPING, Ending.DRAIN)
    assert life.next_ending(task, 109.9) is None
    assert life.next_ending(task, 110.0) is Ending.TERM
    task = replace(task, ending=Ending.TERM, since=110.0)
    assert life.next_ending(task, 119.9) is None
    assert life.next_ending(task, 120.0) is Ending.KILL
    task = replace(task, ending=Ending.KILL, since=120.0)
    assert life.next_ending(task, 121.0) is Ending.KILL


def test_who_never_served_does_not_drain_and_who_is_in_a_hurry_neither() -> None:
    assert life.next_ending(life.unwanted(record(TaskState.STARTING), 100.0), 100.0) is Ending.TERM
    draining = life.unwanted(record(TaskState.HEALTHY), 100.0)
    assert life.unwanted(draining, 105.0) is draining
    assert life.next_ending(life.unwanted(draining, 105.0, hurry=True), 105.0) is Ending.TERM


def test_sigkill_never_comes_at_once_after_sigterm() -> None:
    task = record(TaskState.STOPPING, ending=Ending.TERM, drain=0.0)
    assert life.next_ending(task, 100.5) is None
    assert life.next_ending(task, 101.0) is Ending.KILL


def test_a_task_whose_end_was_already_begun_only_stops_to_be_wanted() -> None:
    late = record(TaskState.FAILED, ending=Ending.KILL)
    assert life.unwanted(late, 200.0) == replace(late, state=TaskState.STOPPING)


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_the_patient_clock_never_goes_back_and_never_jumps(steps: list[float]) -> None:
    clock = PatientClock()
    now, before = NOON, clock.tick(NOON)
    for step in steps:
        now += timedelta(seconds=step)
        after = clock.tick(now)
        assert before <= after <= before + GAP
        before = after
