from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.drivers.test_command import gone, soon
from tidegate.core.plan import Hook
from tidegate.core.rollout import HookSeen, HookState
from tidegate.drivers.hooks import Hooks
from tidegate.ports import HookRunner

FACTS = {"service": "web", "exposure": "10%", "version": "v2"}


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    yield hooks
    hooks.close()


def hook(script: str, timeout: timedelta = timedelta(seconds=30)) -> Hook:
    return Hook(("/bin/sh", "-c", script), timeout)


def ended(hooks: HookRunner, step: int = 0) -> HookSeen:
    def has_ended() -> bool:
        seen = hooks.seen("web-1", step)
        return seen is not None and seen.state is not HookState.RUNNING

    assert soon(has_ended)
    seen = hooks.seen("web-1", step)
    assert seen is not None
    return seen


def test_a_hook_that_was_not_started_is_not_seen(hooks: Hooks) -> None:
    assert hooks.seen("web-1", 0) is None


def test_a_hook_that_exits_with_0_has_passed(hooks: Hooks) -> None:
    hooks.run("web-1", 0, hook("echo all well"), FACTS)
    assert ended(hooks) == HookSeen(HookState.PASSED, "exit code 0: all well")


def test_a_hook_that_fails_says_its_exit_code_and_last_words(hooks: Hooks) -> None:
    hooks.run("web-1", 0, hook("echo 'basket is empty'; exit 7"), FACTS)
    assert ended(hooks) == HookSeen(HookState.FAILED, "exit code 7: basket is empty")


def test_a_hook_that_cannot_be_run_has_failed(hooks: Hooks) -> None:
    hooks.run("web-1", 0, Hook(("/no/such/hook",)), FACTS)
    assert ended(hooks) == HookSeen(HookState.FAILED, "/no/such/hook cannot be run: No such file or directory")


def test_a_hook_knows_its_rollout_step_and_exposure(hooks: Hooks, tmp_path: Path) -> None:
    facts = {**FACTS, "directory": str(tmp_path)}
    script = "echo $TIDEGATE_ROLLOUT $TIDEGATE_STEP $TIDEGATE_SERVICE $TIDEGATE_EXPOSURE $TIDEGATE_VERSION $PWD"
    hooks.run("web-1", 2, hook(script), facts)
    assert ended(hooks, 2).why == f"exit code 0: web-1 3 web 10% v2 {tmp_path}"


def test_a_hook_runs_once_for_each_step_however_often_it_is_asked_for(hooks: Hooks, tmp_path: Path) -> None:
    count = tmp_path / "count"
    for _ in range(5):
        hooks.run("web-1", 0, hook(f"echo x >> {count}; sleep 0.2"), FACTS)
    assert ended(hooks).state is HookState.PASSED
    hooks.run("web-1", 0, hook(f"echo x >> {count}"), FACTS)
    hooks.run("web-1", 1, hook(f"echo y >> {count}"), FACTS)
    assert ended(hooks, 1).state is HookState.PASSED
    assert count.read_text() == "x\ny\n"


def test_starting_and_looking_never_wait_for_the_hook(hooks: Hooks) -> None:
    begin = time.monotonic()
    hooks.run("web-1", 0, hook("sleep 30"), FACTS)
    assert hooks.seen("web-1", 0) == HookSeen(HookState.RUNNING)
    hooks.forget("web-1")
    assert time.monotonic() - begin < 1


def test_a_rollout_that_goes_back_ends_its_hooks_and_those_of_nobody_else(hooks: Hooks, tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    hooks.run("web-1", 0, hook(f"echo $$ > {mine}.new; mv {mine}.new {mine}; sleep 100"), FACTS)
    hooks.run("web-2", 0, hook(f"echo $$ > {other}.new; mv {other}.new {other}; sleep 100"), FACTS)
    assert soon(lambda: mine.exists() and other.exists())
    hooks.forget("web-1")
    assert hooks.seen("web-1", 0) is None
    assert soon(lambda: gone(int(mine.read_text())))
    assert hooks.seen("web-2", 0) == HookSeen(HookState.RUNNING)
    assert not gone(int(other.read_text()))
    hooks.close()
    assert soon(lambda: gone(int(other.read_text())))


def test_a_hook_that_takes_too_long_has_failed(hooks: Hooks) -> None:
    hooks.run("web-1", 0, hook("echo still at it; sleep 100", timedelta(milliseconds=200)), FACTS)
    assert ended(hooks) == HookSeen(HookState.FAILED, "it did not end within 200ms and was killed: still at it")


def test_forgetting_what_never_ran_is_nothing(hooks: Hooks) -> None:
    hooks.forget("web-9")
