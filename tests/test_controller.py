"""The controller process around its loop: nothing that troubles one part of it keeps another from its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from structlog.testing import capture_logs

from tidegate.controller import Beating, Poked
from tidegate.core.errors import Unreachable
from tidegate.store.store import SqlStore

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Ticking:
    """A loop that does as it is told, and stops its beating after some ticks."""

    def __init__(self, ticks: int, do: Callable[[], object] = lambda: None, problem: str = "", *, moving: bool = True) -> None:
        self.ticks = ticks
        self.ticked = 0
        self.problem = problem
        self.beating: Beating | None = None
        self._do = do
        self._moving = moving

    def tick(self, now: datetime) -> bool:
        self.ticked += 1
        if self.ticked == self.ticks and self.beating is not None:
            self.beating.stop()
        self._do()
        return self._moving


def _beaten(loop: Any, also: Callable[[], object] = lambda: None) -> tuple[Beating, list[str]]:
    """A beating after its loop has ticked, and what was logged."""
    every = timedelta(milliseconds=1)
    beating = Beating(loop, every=every, clock=lambda: NOW, poked=Poked(), also=also)
    loop.beating = beating
    with capture_logs() as logs:
        beating.run()
    return beating, [log["event"] for log in logs]


def _raise(error: Exception) -> Callable[[], object]:
    def do() -> object:
        raise error

    return do


def test_a_supervisor_that_cannot_be_started_keeps_no_rollout_waiting() -> None:
    loop = Ticking(3)
    beating, told = _beaten(loop, _raise(Unreachable("The supervisor could not be started.")))
    assert loop.ticked == 3
    assert beating.pulse.ticked == NOW
    assert beating.pulse.problem == "The supervisor could not be started."
    assert told == ["controller_troubled"]


@pytest.mark.parametrize("error", [Unreachable("The database is away."), ValueError("a fault of ours")])
def test_each_trouble_is_told_once_and_ends_nothing(error: Exception) -> None:
    loop = Ticking(4, _raise(error))
    kept: list[int] = []
    beating, told = _beaten(loop, lambda: kept.append(1) or _raise(Unreachable("No supervisor."))())  # type: ignore[func-returns-value]
    assert (loop.ticked, len(kept)) == (4, 4)
    assert len(told) == 2
    assert beating.pulse.ticked is None, "a tick that failed is none"
    assert str(error).splitlines()[0] in beating.pulse.problem


def test_what_cannot_be_written_is_shown_and_ticks_go_on() -> None:
    beating, told = _beaten(Ticking(2, problem="Nothing could be written down since 12:00:00 UTC: ..."))
    assert beating.pulse.ticked == NOW
    assert beating.pulse.problem.startswith("Nothing could be written down")
    assert told == [], "whoever could not write has told it"


class Interrupting:
    """Does something in the running thread just before its line number `at`, as a signal handler may."""

    def __init__(self, at: int, do: Callable[[], object]) -> None:
        self.left = at
        self._do = do

    def __call__(self, frame: FrameType, event: str, _: object) -> Interrupting:
        if event == "line":
            self.left -= 1
            if self.left == 0:
                self._do()
        return self


@pytest.mark.timeout(60)
def test_a_signal_to_end_is_obeyed_at_any_line_of_the_waiting() -> None:
    """The signal may come while the waiting holds a lock: whoever waits for that one in the handler waits for ever."""
    for line in range(1, 150):  # a round is of some 30
        loop = Ticking(0, moving=False)
        beating = Beating(loop, every=timedelta(milliseconds=1), clock=lambda: NOW, poked=Poked(), also=lambda: None)
        interrupting = Interrupting(line, beating.stop)

        def run(beating: Beating = beating, interrupting: Interrupting = interrupting) -> None:
            sys.settrace(interrupting)
            beating.run()

        running = threading.Thread(target=run, daemon=True)
        running.start()
        running.join(5)
        assert not running.is_alive(), f"told to end before its line {line}, it waits for ever"
    assert loop.ticked > 2


def test_who_pokes_while_it_does_not_wait_is_not_forgotten() -> None:
    poked = Poked()
    poked.set()
    poked.set()
    assert poked.wait(60)
    poked.set()
    poked.clear()
    assert not poked.wait(0.001)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_on_a_full_disk_ends_nobody() -> None:
    said = "import structlog; from tidegate.controller import configure_logs; configure_logs()\n"
    said += "structlog.get_logger().error('something', problem='the disk is full')\nprint('and on')"
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run([sys.executable, "-c", said], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert ran.stdout == "and on\n"


def test_the_log_is_one_json_object_a_line() -> None:
    said = "import structlog; from tidegate.controller import configure_logs; configure_logs()\n"
    said += "structlog.get_logger().error('something', problem='two\\nlines')"
    ran = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert ran.stderr.startswith("{")
    assert ran.stderr.count("\n") == 1


_LATER = ("fastapi", "starlette", "uvicorn", "httpx2", "prometheus_client", "tidegate.api", "tidegate.engine.orders")
_NEVER = ("alembic", "typer", "sqlalchemy.dialects.postgresql")


@pytest.mark.real
def test_rollouts_are_looked_at_before_anything_is_imported_for_the_api(tmp_path: Path) -> None:
    """The interpreter tells each import, and the controller its first look, on the same standard error."""
    SqlStore(f"sqlite:///{tmp_path / 'tidegate.db'}").close()
    (tmp_path / "down").touch()  # no supervisor is brought back for it
    environ = {**os.environ, "TIDEGATE_HOME": str(tmp_path), "TIDEGATE_PORT": "0"}
    command = [sys.executable, "-X", "importtime", "-m", "tidegate.controller"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as controller:
        assert controller.stderr is not None
        before: list[str] = []
        after: list[str] = []
        for line in controller.stderr:
            (after if any('"event": "first_look"' in one for one in before) else before).append(line)
            if '"event": "controller_up"' in line:
                controller.send_signal(signal.SIGTERM)
        assert controller.wait(20) == 0
    assert _imported(after, _LATER) == set(_LATER), "what nobody imports any more need not be watched here"
    assert _imported(before, _LATER + _NEVER) == set()
    assert _imported(after, _NEVER) == set()


def _imported(lines: list[str], names: tuple[str, ...]) -> set[str]:
    modules = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
    return {name for name in names if any(module == name or module.startswith(f"{name}.") for module in modules)}


def test_what_is_not_asked_for_is_not_imported() -> None:
    """A controller that has to take something back does not wait for libraries of somebody else's wishes."""
    heavy = ("opentelemetry", "apprise", "boto3", "httpx2")
    code = f"import sys, tidegate.wiring; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
