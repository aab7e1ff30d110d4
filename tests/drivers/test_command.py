from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from tidegate.drivers.command import Ended, run_command

LONG = timedelta(seconds=30)


def run(
    script: str, *, timeout: timedelta = LONG, given: bytes = b"", stop: threading.Event | None = None, **environment: str
) -> Ended:
    return run_command([sys.executable, "-c", script], environment=environment, timeout=timeout, given=given, stop=stop)


def shell(script: str, *, timeout: timedelta = LONG, given: bytes = b"") -> Ended:
    return run_command(["/bin/sh", "-c", script], environment={}, timeout=timeout, given=given)


def soon(holds: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_command_that_exits_with_0_has_passed_with_its_last_line() -> None:
    assert shell("echo one; echo two; echo") == Ended(True, "exit code 0", "two")


def test_a_command_that_fails_says_how_and_its_last_words() -> None:
    ended = shell("echo before; echo 'no such shop' >&2; exit 3")
    assert (ended.passed, ended.said) == (False, "exit code 3: no such shop")


def test_a_command_that_was_killed_says_by_what() -> None:
    assert shell("kill -9 $$").said == "ended by SIGKILL"


@pytest.mark.parametrize("command", ["/no/such/command", "/etc", "no-such-command-anywhere"])
def test_a_command_that_cannot_be_run_says_why(command: str) -> None:
    ended = run_command([command], environment={}, timeout=LONG)
    assert not ended.passed
    assert ended.why.startswith(f"{command} cannot be run: ")


def test_it_sees_a_small_environment_and_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CONTROLLER", "x")
    ended = run(
        "import os; print(sorted(name for name in os.environ if 'SECRET' in name or 'TIDE' in name))", TIDEGATE_STEP="1\0"
    )
    assert ended.last == "['TIDEGATE_STEP']"
    assert run("import sys; print(len(sys.stdin.read()))", given=b"x" * 300_000).last == "300000"


def test_a_command_that_leaves_its_input_unread_holds_nobody_up() -> None:
    assert shell("exit 0", given=b"x" * 1_000_000).passed


def test_it_runs_where_it_is_told_to(tmp_path: Path) -> None:
    assert run_command(["/bin/pwd"], environment={}, timeout=LONG, directory=tmp_path).last == str(tmp_path)
    assert "No such file" in run_command(["/bin/pwd"], environment={}, timeout=LONG, directory=tmp_path / "no").why


def test_it_has_a_session_of_its_own() -> None:
    assert run("import os; print(os.getsid(0) == os.getpid())").last == "True"


def test_much_output_is_read_and_only_its_end_kept() -> None:
    ended = run("print('x' * 5_000_000); print('y' * 1000)")
    assert ended.passed
    assert ended.last == "y" * 300


def test_a_command_that_does_not_end_in_time_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    begin = time.monotonic()
    ended = shell(f"sleep 100 & echo $! > {pids}; echo waiting; sleep 100", timeout=timedelta(milliseconds=300))
    assert time.monotonic() - begin < 5
    assert (ended.passed, ended.said) == (False, "it did not end within 300ms and was killed: waiting")
    assert soon(lambda: gone(int(pids.read_text())))


def test_a_command_that_does_not_heed_sigterm_is_killed_all_the_same() -> None:
    begin = time.monotonic()
    ended = run(
        "import signal,time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(100)",
        timeout=timedelta(seconds=1),
    )
    assert not ended.passed
    assert time.monotonic() - begin < 10


def test_what_it_leaves_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    begin = time.monotonic()
    ended = shell(f"sleep 60 & echo $! > {pids}; echo done")
    assert (ended.passed, ended.last) == (True, "done")
    assert time.monotonic() - begin < 10
    pid = int(pids.read_text())
    assert not gone(pid)
    os.kill(pid, 9)


def test_it_ends_at_once_when_it_is_told_to_stop() -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    begin = time.monotonic()
    ended = run("import time; time.sleep(100)", stop=stop)
    assert (ended.passed, ended.why) == (False, "stopped")
    assert time.monotonic() - begin < 10
