"""Makes controllers to be killed: python -m tests.drivers.process.controllers RUN_DIR. One for each line read:

    wander SEED         changes its mind all the time (counts, versions, replacements) until somebody kills it
    story N before      starts, replaces and ends tasks, and kills itself before (or after) its Nth act upon the world

Answers the process id, and `gone` with the exit code when it is.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from tests.drivers.process.bench import SERVER, a_service
from tidegate.core.errors import TidegateError
from tidegate.core.service import Service
from tidegate.drivers.process import ProcessRuntime
from tidegate.ports import Task, TaskGroup, TaskState

ACTS = ("save", "forget", "start", "signal", "bury")


def service(count: int) -> Service:
    return a_service(tasks={"count": count, "command": [sys.executable, "-I", "-S", str(SERVER), "{port}", "forks"]})


def wander(run_dir: Path, seed: int) -> None:
    chance = random.Random(seed)
    runtime = ProcessRuntime(run_dir)
    while True:
        version = chance.choice(["v1", "v2"])
        group = TaskGroup(service(chance.randint(1, 3)), version)
        for _ in range(chance.randint(1, 6)):
            runtime.reconcile([group] if chance.random() < 0.9 else [], datetime.now(UTC))
            time.sleep(chance.random() * 0.02)
        if chance.random() < 0.3:
            try:
                runtime.restart("web", version)
            except TidegateError:
                continue


class Fragile(ProcessRuntime):
    """Ends by SIGKILL at its Nth act, before or after it."""

    def __init__(self, run_dir: Path, nth: int, when: str) -> None:
        super().__init__(run_dir)
        self.left = nth
        for act in ACTS:
            setattr(self._machine, act, self.fragile(getattr(self._machine, act), when))

    def fragile(self, act: Callable[..., Any], when: str) -> Callable[..., Any]:
        def acted(*arguments: Any) -> Any:
            self.left -= 1
            if when == "before" and self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            result = act(*arguments)
            if when == "after" and self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return acted


def story(run_dir: Path, nth: int, when: str) -> None:
    runtime = Fragile(run_dir, nth, when)

    def until(wanted: list[TaskGroup], holds: Callable[[list[Task]], bool]) -> None:
        while not holds(list(runtime.tasks())):
            runtime.reconcile(wanted, datetime.now(UTC))
            time.sleep(0.01)

    first = [TaskGroup(service(1), "v1")]
    until(first, lambda tasks: [task.state for task in tasks] == [TaskState.HEALTHY])
    pid = runtime.tasks()[0].pid
    runtime.restart("web", "v1")
    until(first, lambda tasks: [task.state for task in tasks] == [TaskState.HEALTHY] and tasks[0].pid != pid)
    until([], lambda tasks: not tasks)
    os._exit(0)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    run_dir = Path(sys.argv[1])
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            match line.split():
                case ["wander", seed]:
                    wander(run_dir, int(seed))
                case ["story", nth, when]:
                    story(run_dir, int(nth), when)
        tell(str(pid))
        _, status = os.waitpid(pid, 0)
        tell(f"gone {os.waitstatus_to_exitcode(status)}")


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
