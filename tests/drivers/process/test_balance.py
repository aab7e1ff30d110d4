"""How many tasks start and which end, on random histories of a group."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.drivers.process import life
from tidegate.drivers.process.balance import CALM, balance
from tidegate.drivers.process.record import Record
from tidegate.ports import TaskState

S = TaskState


def task(number: int, state: TaskState = S.HEALTHY, *, retiring: bool = False) -> Record:
    return Record(f"web-v1-{number}", "web", "v1", number, "127.0.0.1", 80, state, 0.0, retiring=retiring, drain=5.0)


def numbers(records: tuple[Record, ...]) -> list[int]:
    return [record.number for record in records]


def test_missing_ones_start_and_enough_is_enough() -> None:
    assert balance([], 3).start == 3
    assert balance([task(1), task(2)], 2) is CALM


def test_of_too_many_those_go_first_that_do_not_serve_then_the_youngest() -> None:
    group = [task(1), task(2, S.UNHEALTHY), task(3), task(4)]
    assert numbers(balance(group, 3).end) == [2]
    assert numbers(balance(group, 1).end) == [2, 4, 3]


def test_a_failed_task_keeps_its_place() -> None:
    assert balance([task(1, S.FAILED)], 1) is CALM


def test_a_draining_one_is_taken_back_before_a_new_one_starts() -> None:
    draining = life.unwanted(task(1), 0.0)
    todo = balance([draining], 2)
    assert (numbers(todo.revive), todo.start) == ([1], 1)


def test_a_replaced_task_that_drains_is_not_taken_back() -> None:
    todo = balance([life.unwanted(task(1, retiring=True), 0.0)], 1)
    assert (todo.revive, todo.start) == ((), 1)


def test_a_new_one_starts_beside_an_old_one_which_goes_when_the_new_one_serves() -> None:
    group = [task(1, retiring=True), task(2, retiring=True)]
    assert balance(group, 2).start == 1
    group.append(task(3, S.STARTING))
    assert balance(group, 2) == CALM
    group[2] = task(3)
    todo = balance(group, 2)
    assert (todo.start, numbers(todo.end)) == (0, [1])


def test_an_old_one_that_does_not_serve_goes_first_and_only_when_its_place_is_taken() -> None:
    group = [task(1, retiring=True), task(2, S.DEAD, retiring=True), task(3, S.STARTING)]
    assert balance(group, 2) == CALM
    group[2] = task(3)
    assert numbers(balance(group, 2).end) == [2]


def test_a_new_one_that_fails_stops_the_replacement_and_the_old_ones_stay() -> None:
    group = [task(1, retiring=True), task(2, retiring=True), task(3, S.FAILED)]
    assert balance(group, 2) == CALM


@settings(max_examples=120)
@given(st.integers(1, 5), st.lists(st.tuples(st.sampled_from(list(S)), st.booleans()), max_size=8), st.data())
def test_from_any_group_a_calm_world_comes_to_as_many_fresh_ones_as_wanted(
    count: int, begin: list[tuple[TaskState, bool]], data: st.DataObject
) -> None:
    group = [task(number, state, retiring=retiring) for number, (state, retiring) in enumerate(begin, 1)]
    for _ in range(40):
        serving = sum(record.serves for record in group)
        todo = balance(group, count)
        ended = {record.number for record in todo.end}
        for record in todo.end:
            assert not record.stopping
        # Never fewer serve than before, but for those that are more than wanted.
        assert sum(record.serves for record in group if record.number not in ended) >= min(serving, count)
        group = [record for record in group if record.number not in ended and not record.stopping]
        first = max((record.number for record in group), default=0) + 1
        group += [task(first + extra, S.STARTING) for extra in range(todo.start)]
        assert sum(not record.retiring for record in group) <= max(count, len(begin))
        group = [replace(record, state=S.HEALTHY) for record in group]
    assert len(group) == count
    assert not any(record.retiring for record in group)
