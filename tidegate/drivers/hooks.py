"""Hooks of steps: commands that must succeed at an exposure before the rollout goes on. Each runs in a thread of its own, so
that nothing waits for it: the engine starts it, looks at it at every tick, and forgets it when the rollout goes back.

A controller that died leaves its hooks to themselves; the next one starts them again, so they must bear being run twice.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.core.plan import Hook
from tidegate.core.rollout import HookSeen, HookState
from tidegate.drivers.command import Ended, run_command

DIRECTORY = "directory"
"""The fact that says where it runs; the others become its environment."""


@dataclass
class _Run:
    """One hook of one step. `ended` is written once, by its own thread."""

    stop: threading.Event = field(default_factory=threading.Event)
    ended: Ended | None = None
    thread: threading.Thread | None = None


class Hooks:
    """A `HookRunner`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, int], _Run] = {}

    def run(self, rollout: str, step: int, hook: Hook, facts: Mapping[str, str]) -> None:
        """Starts it; a second call while it runs or after it ended does nothing.

        It gets TIDEGATE_ROLLOUT, TIDEGATE_STEP (the first is 1), and each fact under its name: TIDEGATE_SERVICE,
        TIDEGATE_EXPOSURE and so on.
        """
        with self._lock:
            if (rollout, step) in self._runs:
                return
            run = self._runs[rollout, step] = _Run()
        environment = {f"TIDEGATE_{name.upper()}": value for name, value in facts.items() if name != DIRECTORY}
        environment |= {"TIDEGATE_ROLLOUT": rollout, "TIDEGATE_STEP": str(step + 1)}
        directory = Path(facts[DIRECTORY]) if DIRECTORY in facts else None

        def go() -> None:
            ended = Ended(False, "it could not be watched")  # should run_command break, nobody may wait for ever
            try:
                ended = run_command(
                    hook.command, environment=environment, timeout=hook.timeout, directory=directory, stop=run.stop
                )
            finally:
                run.ended = ended

        run.thread = threading.Thread(target=go, name=f"hook {rollout} {step + 1}", daemon=True)
        run.thread.start()

    def seen(self, rollout: str, step: int) -> HookSeen | None:
        """How it stands; None when it was not started."""
        with self._lock:
            run = self._runs.get((rollout, step))
        if run is None:
            return None
        if run.ended is None:
            return HookSeen(HookState.RUNNING)
        return HookSeen(HookState.PASSED if run.ended.passed else HookState.FAILED, run.ended.said)

    def forget(self, rollout: str) -> None:
        """Ends what runs for this rollout, without waiting for it."""
        for run in self._take(rollout):
            run.stop.set()

    def close(self) -> None:
        """Ends everything, and waits for it."""
        for run in self._take(None):
            run.stop.set()
            if run.thread is not None:
                run.thread.join()

    def _take(self, rollout: str | None) -> list[_Run]:
        with self._lock:
            keys = [key for key in self._runs if rollout in (None, key[0])]
            return [self._runs.pop(key) for key in keys]
