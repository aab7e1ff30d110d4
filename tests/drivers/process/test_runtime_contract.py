"""What every runtime of tasks promises; run against the twin and against real processes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.drivers.process.bench import Bench, a_service
from tidegate.core.errors import NotFound, Refused
from tidegate.ports import Task, TaskState


def ids(tasks: list[Task] | tuple[Task, ...]) -> list[str]:
    return sorted(task.id for task in tasks)


def test_as_many_tasks_as_wanted_become_healthy_each_on_a_port_of_its_own(bench: Bench) -> None:
    bench.want((a_service(tasks={"count": 3}), "v1"))
    tasks = bench.healthy(3)
    assert ids(list(tasks)) == ["web-v1-1", "web-v1-2", "web-v1-3"]
    assert len({task.port for task in tasks}) == 3
    assert all(task.pid and task.started and task.restarts == 0 and not task.why for task in tasks)
    assert bench.living() == 3


def test_a_task_is_starting_until_its_check_says_that_it_is_healthy(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    assert {task.state for task in bench.turn()} == {TaskState.STARTING}


def test_reconciling_again_changes_nothing_and_another_service_object_neither(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    before = bench.healthy()
    bench.want((a_service(listener={"port": 9999}), "v1"))
    for _ in range(5):
        assert bench.turn() == before


def test_what_is_not_wanted_any_more_is_stopping_at_once_and_then_gone(bench: Bench) -> None:
    bench.want((a_service(), "v1"), (a_service(), "v2"))
    bench.healthy(4)
    bench.want((a_service(), "v2"))
    assert {task.state for task in bench.turn() if task.version == "v1"} == {TaskState.STOPPING}
    left = bench.healthy(2)
    assert {task.version for task in left} == {"v2"}
    assert bench.living() == 2


def test_a_task_drains_before_it_is_told_to_end(bench: Bench) -> None:
    bench.want((a_service(tasks={"drain": "600ms"}), "v1"))
    bench.healthy()
    bench.want()
    bench.until(lambda tasks: all(task.state is TaskState.STOPPING for task in tasks))
    for _ in range(3):
        bench.turn()
        assert bench.living() == 2
    bench.gone()
    assert bench.living() == 0


def test_a_draining_task_that_is_wanted_again_serves_on(bench: Bench) -> None:
    service = a_service(tasks={"drain": "60s"})
    bench.want((service, "v1"))
    before = {task.pid for task in bench.healthy()}
    bench.want()
    bench.until(lambda tasks: all(task.state is TaskState.STOPPING for task in tasks))
    bench.want((service, "v1"))
    assert {task.pid for task in bench.healthy()} == before


def test_a_task_that_dies_is_dead_then_started_again_on_another_port(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    victim, other = bench.healthy()
    bench.die(victim)
    tasks = bench.until(lambda tasks: any(task.state is TaskState.DEAD for task in tasks))
    dead = next(task for task in tasks if task.state is TaskState.DEAD)
    assert dead.id == victim.id
    assert dead.why.startswith("it ended")
    tasks = bench.healthy()
    again = next(task for task in tasks if task.id == victim.id)
    assert again.restarts == 1
    assert again.pid != victim.pid
    assert again.port != victim.port
    assert other in tasks


def test_a_task_whose_check_fails_is_unhealthy_and_healthy_again_when_it_recovers(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    victim, other = bench.healthy()
    bench.sicken(victim)
    tasks = bench.until(lambda tasks: tasks[0].state is TaskState.UNHEALTHY)
    assert "503" in tasks[0].why
    assert tasks[0].pid == victim.pid
    assert tasks[1] == other
    bench.heal(victim)
    assert list(bench.healthy()) == [victim, other]


def test_a_task_that_exits_at_once_is_given_up_with_its_last_words(bench: Bench) -> None:
    bench.want((bench.exits_at_once(count=1), "v1"))
    (task,) = bench.until(lambda tasks: tasks[0].state is TaskState.FAILED)
    assert "with exit code" in task.why
    assert "3 times" in task.why
    assert "no such table" in task.why
    assert task.restarts == 2
    assert bench.living() == 0


def test_a_command_that_cannot_be_run_fails_at_once(bench: Bench) -> None:
    bench.want((bench.cannot_run(), "v1"))
    assert {task.state for task in bench.turn()} == {TaskState.FAILED}
    assert "cannot be run" in bench.runtime.tasks()[0].why


def test_a_task_that_is_not_healthy_in_time_is_given_up_and_ended(bench: Bench) -> None:
    service = bench.never_healthy(count=1, health={"path": "/healthz", "interval": "50ms", "start_within": "500ms"})
    bench.want((service, "v1"))
    (task,) = bench.until(lambda tasks: tasks[0].state is TaskState.FAILED)
    assert "not healthy within 500ms" in task.why
    assert "503" in task.why
    bench.until(lambda tasks: bench.living() == 0)
    assert bench.turn()[0].state is TaskState.FAILED


def test_a_group_is_scaled_and_its_other_tasks_stay(bench: Bench) -> None:
    bench.want((a_service(tasks={"count": 1}), "v1"))
    (first,) = bench.healthy(1)
    bench.want((a_service(tasks={"count": 3}), "v1"))
    assert first in bench.healthy(3)
    bench.want((a_service(tasks={"count": 1}), "v1"))
    assert list(bench.healthy(1)) == [first]
    assert bench.living() == 1


def test_a_restart_replaces_every_task_and_as_many_as_wanted_serve_all_the_while(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    before = {task.pid for task in bench.healthy()}
    bench.runtime.restart("web", "v1")
    seen = []

    def replaced(tasks: list[Task]) -> bool:
        seen.append(sum(task.state is TaskState.HEALTHY for task in tasks))
        return len(tasks) == 2 and not before & {task.pid for task in tasks} and seen[-1] == 2

    bench.until(replaced)  # type: ignore[arg-type]
    assert min(seen) == 2
    assert max(seen) <= 3


def test_a_restart_of_one_task_leaves_the_others(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    first, second = bench.healthy()
    bench.runtime.restart("web", "v1", first.id)
    bench.until(lambda tasks: len(tasks) == 2 and first.pid not in {task.pid for task in tasks})
    assert second in bench.runtime.tasks()


def test_a_restart_of_what_does_not_run_is_refused(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    bench.healthy()
    with pytest.raises(NotFound, match="web v2 runs no such task"):
        bench.runtime.restart("web", "v2")
    with pytest.raises(NotFound, match="it runs: web-v1-1, web-v1-2"):
        bench.runtime.restart("web", "v1", "web-v1-9")


def test_the_next_controller_adopts_every_task_as_it_is(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    before = bench.healthy()
    bench.next_controller()
    assert list(bench.runtime.tasks()) == list(before)
    for _ in range(5):
        assert list(bench.turn()) == list(before)
    assert bench.living() == 2


def test_an_adopted_task_that_dies_is_started_again(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    victim, _ = bench.healthy()
    bench.next_controller()
    bench.die(victim)
    bench.until(lambda tasks: any(task.restarts == 1 and task.state is TaskState.HEALTHY for task in tasks))
    assert bench.living() == 2


def test_the_next_controller_goes_on_ending_what_drains(bench: Bench) -> None:
    bench.want((a_service(tasks={"drain": "500ms"}), "v1"))
    bench.healthy()
    bench.want()
    bench.turn()
    bench.next_controller()
    assert {task.state for task in bench.turn()} == {TaskState.STOPPING}
    bench.gone()
    assert bench.living() == 0


def test_a_task_that_ignores_sigterm_is_killed(bench: Bench) -> None:
    bench.want((bench.ignores_sigterm(), "v1"))
    bench.healthy()
    bench.want()
    bench.gone()
    assert bench.living() == 0


def test_after_a_shutdown_nothing_is_left_and_nothing_is_started(bench: Bench) -> None:
    bench.want((a_service(), "v1"))
    bench.healthy()
    bench.runtime.shutdown()
    assert not bench.runtime.tasks()
    assert bench.living() == 0
    assert not bench.turn()


def test_a_shutdown_that_is_too_short_says_which_task_did_not_end(bench: Bench) -> None:
    bench.want((a_service(tasks={"drain": "60s"}), "v1"))
    bench.healthy()
    with pytest.raises(Exception, match="web-v1-1, web-v1-2 did not end in time"):
        bench.runtime.shutdown(within=timedelta(milliseconds=100))


def test_targets_are_never_restarted(bench: Bench) -> None:
    bench.want((a_service(tasks={"targets": ["127.0.0.1:9"]}), "v1"))
    (task,) = bench.turn()
    assert (task.id, task.host, task.port, task.pid) == ("web-v1-1", "127.0.0.1", 9, None)
    with pytest.raises(Refused, match="somebody else runs"):
        bench.runtime.restart("web", "v1")
    bench.want()
    bench.gone()
