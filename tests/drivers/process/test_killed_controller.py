"""kill -9 of the controller at any instant: the next one ends with just the wanted tasks, and nothing else runs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.process.bench import RealBench, a_service
from tidegate.drivers.process.identity import standing

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[3]


class Maker:
    """The process that makes controllers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def make(self, order: str) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        return int(self._line())

    def gone(self) -> int:
        """Waits for its end, and tells the exit code."""
        return int(self._line().removeprefix("gone "))

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[Maker]:
    command = [sys.executable, "-m", "tests.drivers.process.controllers", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Maker(process)


def check_peace(run_dir: Path) -> None:
    """The next controller gets what it wants, and no other process with our mark is left."""
    bench = RealBench(run_dir)
    try:
        bench.want((a_service(), "v1"))
        tasks = bench.healthy(2)
        known = {task.pid for task in tasks}
        # The tasks of the killed ones fork; a child belongs to the session of a task that is known.
        bench.until(lambda _: {_session(pid) for pid in bench.marked()} == known)
    finally:
        bench.close()
    assert bench.living() == 0


def _session(pid: int) -> int | None:
    seen = standing(pid)
    return seen.session if seen else None


def wander(maker: Maker, times: int, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(times):
        pid = maker.make(f"wander {seed * 1000 + number}")
        time.sleep(chance.random() * chance.choice([0.01, 0.05, 0.3]))
        os.kill(pid, signal.SIGKILL)
        assert maker.gone() == -signal.SIGKILL


def test_a_controller_killed_at_random_instants_leaves_no_unknown_process(maker: Maker, tmp_path: Path) -> None:
    wander(maker, times=20, seed=1)
    check_peace(tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 12))
def test_a_controller_killed_at_very_many_instants_leaves_no_unknown_process(maker: Maker, tmp_path: Path, seed: int) -> None:
    wander(maker, times=50, seed=seed)
    check_peace(tmp_path)


@pytest.mark.parametrize(("nth", "when"), [(1, "after"), (2, "before"), (2, "after"), (3, "before"), (6, "after")])
def test_a_controller_killed_around_its_first_spawn_leaves_no_unknown_process(
    maker: Maker, tmp_path: Path, nth: int, when: str
) -> None:
    maker.make(f"story {nth} {when}")
    assert maker.gone() == -signal.SIGKILL
    check_peace(tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_controller_killed_around_each_of_its_acts_leaves_no_unknown_process(maker: Maker, tmp_path: Path, when: str) -> None:
    nth = 0
    code = -signal.SIGKILL
    while code == -signal.SIGKILL:
        nth += 1
        maker.make(f"story {nth} {when}")
        code = maker.gone()
        check_peace(tmp_path)
    assert code == 0
    assert nth > 15
