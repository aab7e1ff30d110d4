"""The brain over pretended processes, where the clock and the disk misbehave."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from signal import Signals

import pytest

from tests.drivers.process.bench import MemoryBench, a_service
from tidegate.core.errors import Unreachable
from tidegate.drivers.memory_runtime import MemoryRuntime
from tidegate.ports import TaskState


@pytest.fixture
def bench() -> MemoryBench:
    return MemoryBench()


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)])
def test_a_clock_that_jumps_kills_no_task_neither_starting_nor_draining(bench: MemoryBench, jump: timedelta) -> None:
    service = a_service(tasks={"drain": "30s", "health": {"start_within": "10s"}})
    bench.world.looks = 30
    bench.want((service, "v1"))
    bench.turn()
    bench.now += jump
    bench.healthy()
    bench.want()
    bench.turn()
    bench.now += jump
    bench.turn()
    assert bench.living() == 2
    assert not bench.world.signals


def test_a_hundred_tasks_are_started_one_by_one_with_ports_and_numbers_of_their_own(bench: MemoryBench) -> None:
    bench.want((a_service(tasks={"count": 100}), "v1"))
    tasks = bench.healthy(100)
    assert len({task.port for task in tasks}) == 100
    assert {task.id for task in tasks} == {f"web-v1-{number}" for number in range(1, 101)}


def test_two_services_whose_tasks_have_one_name_do_not_meet(bench: MemoryBench) -> None:
    bench.want((a_service("web", tasks={"count": 1}), "v2-1"), (a_service("web-v2", tasks={"count": 1}), "1"))
    tasks = bench.healthy(2)
    assert [task.id for task in tasks] == ["web-v2-1-1", "web-v2-1-1"]
    assert {task.service for task in tasks} == {"web", "web-v2"}


def test_a_failed_task_is_tried_again_after_a_minute_and_may_be_well(bench: MemoryBench) -> None:
    bench.want((bench.exits_at_once(count=1), "v1"))
    bench.until(lambda tasks: tasks[0].state is TaskState.FAILED)
    starts = len(bench.world.processes)
    for _ in range(500):
        bench.turn()
    assert len(bench.world.processes) == starts
    bench.world.broken.clear()
    bench.until(lambda tasks: tasks[0].state is TaskState.HEALTHY, 20)


def test_a_task_that_dies_again_and_again_is_started_ever_more_seldom(bench: MemoryBench) -> None:
    bench.want((a_service(tasks={"count": 1}), "v1"))
    bench.healthy(1)
    for _ in range(1200):
        for task in bench.turn():
            bench.die(task)
    # 0.5 + 1 + 2 + 4 + 8 + 16 + 30 + 30 seconds, and what every start takes
    assert 8 <= len(bench.world.processes) <= 10


def test_nothing_starts_while_the_disk_is_full_and_what_runs_goes_on(bench: MemoryBench) -> None:
    bench.want((a_service(tasks={"count": 1}), "v1"))
    bench.healthy(1)
    bench.world.disk_full = True
    bench.want((a_service(tasks={"count": 3}), "v1"))
    for _ in range(3):
        with pytest.raises(Unreachable, match="no space left"):
            bench.turn()
    assert bench.living() == 1
    bench.world.disk_full = False
    bench.healthy(3)


def test_a_task_is_ended_also_while_the_disk_is_full_and_its_states_are_noted_later(bench: MemoryBench) -> None:
    bench.want((a_service(tasks={"count": 1}), "v1"), (a_service("api", tasks={"count": 1}), "v1"))
    bench.healthy(2)
    bench.world.disk_full = True
    bench.want((a_service("api", tasks={"count": 1}), "v1"))
    for _ in range(30):
        try:
            bench.turn()
        except Unreachable:
            continue
    assert bench.world.living() == ["api-v1-1"]
    bench.world.sicken("api-v1-1")
    with pytest.raises(Unreachable):
        bench.turn()
    bench.world.disk_full = False
    bench.turn()
    assert bench.world.notes["api", "api-v1-1"].state is TaskState.UNHEALTHY


def test_a_start_that_was_never_noted_is_made_again_by_the_next_controller(bench: MemoryBench) -> None:
    bench.want((a_service(tasks={"count": 1}), "v1"))
    bench.turn()
    key = ("web", "web-v1-1")
    bench.world.notes[key] = replace(bench.world.notes[key], process=None)
    bench.next_controller()
    bench.healthy(1)


def test_an_end_in_order_sends_just_one_sigterm(bench: MemoryBench) -> None:
    bench.want((a_service(tasks={"count": 1}), "v1"))
    bench.healthy(1)
    bench.want()
    bench.gone()
    assert bench.world.signals == [("web-v1-1", Signals.SIGTERM)]
    assert bench.world.kills == ["web-v1-1"]


def test_a_drain_ends_also_when_every_controller_lives_shorter_than_it(bench: MemoryBench) -> None:
    bench.want((a_service(tasks={"count": 1, "drain": "5s"}), "v1"))
    bench.healthy(1)
    bench.want()
    controllers = 0
    while bench.turn() and controllers < 10:
        for _ in range(15):
            bench.turn()
        bench.next_controller()
        controllers += 1
    assert 3 <= controllers <= 6


def test_the_blind_twin_says_so() -> None:
    runtime = MemoryRuntime()
    runtime.blind = True
    with pytest.raises(Unreachable):
        runtime.tasks()
