"""Two benches on which one suite runs: pretended processes in pretended time, and real ones."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.core.service import Service
from tidegate.drivers.memory_runtime import MemoryRuntime
from tidegate.drivers.process.keeper import Keeper
from tidegate.drivers.process.runtime import ProcessRuntime
from tidegate.drivers.process.sweep import INSTANCE, marked, run_id
from tidegate.ports import Task, TaskGroup, TaskState

SERVER = Path(__file__).with_name("server.py")


def a_service(name: str = "web", *, tasks: dict[str, Any] | None = None, **more: Any) -> Service:
    health = {"path": "/healthz", "interval": "50ms", "healthy_after": 1, "unhealthy_after": 2, "start_within": "20s"}
    settings: dict[str, Any] = {"count": 2, "drain": "0s", "health": health | (tasks or {}).pop("health", {})}
    if "targets" not in (tasks or {}):
        settings["command"] = [sys.executable, "-I", "-S", str(SERVER), "{port}"]
    return Service.model_validate({"service": name, "listener": {"port": 8080}, "tasks": settings | (tasks or {})} | more)


class Bench:
    """A runtime, and the means to harm its tasks."""

    runtime: Keeper
    wanted: tuple[TaskGroup, ...] = ()

    def want(self, *groups: tuple[Service, str]) -> None:
        self.wanted = tuple(TaskGroup(service, version) for service, version in groups)

    def turn(self) -> Sequence[Task]:
        raise NotImplementedError

    def until(self, holds: Callable[[Sequence[Task]], bool], seconds: float = 20) -> Sequence[Task]:
        raise NotImplementedError

    def healthy(self, count: int = 2) -> Sequence[Task]:
        """Waits until just so many tasks exist and all of them are healthy."""
        return self.until(lambda tasks: len(tasks) == count and all(task.state is TaskState.HEALTHY for task in tasks))

    def gone(self) -> None:
        self.until(lambda tasks: not tasks)

    def next_controller(self) -> None:
        """The controller dies and another one starts."""
        raise NotImplementedError

    def die(self, task: Task) -> None:
        raise NotImplementedError

    def sicken(self, task: Task) -> None:
        raise NotImplementedError

    def heal(self, task: Task) -> None:
        raise NotImplementedError

    def living(self) -> int:
        """How many processes of tasks there are, whatever the runtime says."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    # What a service must look like to misbehave.
    def exits_at_once(self, **tasks: Any) -> Service:
        raise NotImplementedError

    def never_healthy(self, **tasks: Any) -> Service:
        raise NotImplementedError

    def cannot_run(self) -> Service:
        raise NotImplementedError

    def ignores_sigterm(self) -> Service:
        raise NotImplementedError


class MemoryBench(Bench):
    runtime: MemoryRuntime

    def __init__(self) -> None:
        self.runtime = MemoryRuntime()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    @property
    def world(self) -> Any:
        return self.runtime.world

    def turn(self) -> Sequence[Task]:
        self.now += timedelta(seconds=0.1)
        self.runtime.reconcile(self.wanted, self.now)
        return self.runtime.tasks()

    def until(self, holds: Callable[[Sequence[Task]], bool], seconds: float = 20) -> Sequence[Task]:
        for _ in range(int(seconds * 10)):
            if holds(tasks := self.turn()):
                return tasks
        pytest.fail(f"after {seconds} s: {self.runtime.tasks()}")

    def next_controller(self) -> None:
        self.runtime = MemoryRuntime(self.world)

    def die(self, task: Task) -> None:
        self.world.die(task.id)

    def sicken(self, task: Task) -> None:
        self.world.sicken(task.id)

    def heal(self, task: Task) -> None:
        self.world.heal(task.id)

    def living(self) -> int:
        return len(self.world.living())

    def close(self) -> None:
        self.runtime.shutdown(drain=False)

    def exits_at_once(self, **tasks: Any) -> Service:
        self.world.broken["bad", "v1"] = "no such table"
        return a_service("bad", tasks=tasks)

    def never_healthy(self, **tasks: Any) -> Service:
        self.world.never_healthy["bad", "v1"] = "GET /healthz on port 1 answered 503"
        return a_service("bad", tasks=tasks)

    def cannot_run(self) -> Service:
        self.world.cannot_run["bad", "v1"] = "nowhere/nothing cannot be run: No such file or directory."
        return a_service("bad")

    def ignores_sigterm(self) -> Service:
        self.world.stubborn.update({"web-v1-1", "web-v1-2"})
        return a_service()


class RealBench(Bench):
    runtime: ProcessRuntime

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.runtime = ProcessRuntime(run_dir)

    def turn(self) -> Sequence[Task]:
        self.runtime.reconcile(self.wanted, datetime.now(UTC))
        return self.runtime.tasks()

    def until(self, holds: Callable[[Sequence[Task]], bool], seconds: float = 20) -> Sequence[Task]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if holds(tasks := self.turn()):
                return tasks
            time.sleep(0.01)
        pytest.fail(f"after {seconds} s: {self.runtime.tasks()}")

    def next_controller(self) -> None:
        # What a kill leaves behind is tried in test_killed_controller; here the threads have to go.
        self.runtime.close()
        self.runtime = ProcessRuntime(self.run_dir)

    def die(self, task: Task) -> None:
        assert task.pid
        os.kill(task.pid, signal.SIGKILL)

    def sicken(self, task: Task) -> None:
        (self.run_dir / f"sick-{task.port}").touch()

    def heal(self, task: Task) -> None:
        (self.run_dir / f"sick-{task.port}").unlink()

    def living(self) -> int:
        return len(self.marked())

    def marked(self) -> list[int]:
        return [one.identity.pid for one in marked(run_id(self.run_dir)) if INSTANCE in one.marks]

    def close(self) -> None:
        try:
            self.runtime.shutdown(drain=False)
        finally:
            self.runtime.close()
            for pid in self.marked():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def service(self, *arguments: str, name: str = "web", **tasks: Any) -> Service:
        """The test server, with words that make it misbehave."""
        command = [sys.executable, "-I", "-S", str(SERVER), "{port}", *arguments]
        return a_service(name, tasks={"command": command} | tasks)

    def exits_at_once(self, **tasks: Any) -> Service:
        return self.service("exit", name="bad", **tasks)

    def never_healthy(self, **tasks: Any) -> Service:
        return self.service("sick", name="bad", **tasks)

    def cannot_run(self) -> Service:
        return a_service("bad", tasks={"command": ["nowhere/nothing"]})

    def ignores_sigterm(self) -> Service:
        return self.service("stubborn")
