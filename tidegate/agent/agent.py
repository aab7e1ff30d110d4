"""The agent: holds the newest flags of one application in one environment, and answers from memory.

    agent = Agent("shop", "prod", control="https://tidegate.example.org", token=..., cache=Path("/var/cache/shop"))
    agent.start()
    agent.evaluate("new-checkout", {"targetingKey": "ann"}).value
    agent.stop()

It follows the control plane in a thread of its own. Evaluating never waits, never asks anybody and never raises; without any
snapshot it answers PROVIDER_NOT_READY, and then the caller's default counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tidegate.agent import logs
from tidegate.agent.cache import Cache, View
from tidegate.agent.control import Control, check_address
from tidegate.agent.disk import Disk
from tidegate.agent.fetching import Fetcher, Source
from tidegate.agent.outcomes import CURRENT, Outcomes, Use
from tidegate.agent.report import Reporter
from tidegate.agent.stream import Follower
from tidegate.core.errors import Invalid
from tidegate.core.flags.codec import changed_flags
from tidegate.core.flags.result import Reason, Result, Side

NOT_READY = "PROVIDER_NOT_READY"
"""OpenFeature's error code of an answer before the first snapshot."""
STOP_WITHIN = 5.0
LOOK_EVERY = 0.5
"""Seconds between two looks at the age."""

Context = Mapping[str, Any] | None


class News(StrEnum):
    READY = "ready"
    """It has its first snapshot."""
    CHANGED = "changed"
    STALE = "stale"
    """Nobody has confirmed its snapshot for longer than `stale_after`."""
    FRESH = "fresh"
    """It was stale, and is no more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the agent stands."""

    ready: bool
    connected: bool
    serial: int
    origin: str
    age: float | None
    """Seconds since the control plane last confirmed the snapshot."""
    problem: str


Listener = Callable[[News, frozenset[str]], None]
"""Gets what is new, and the names of the flags that it may concern."""


class Agent:
    def __init__(
        self,
        application: str,
        environment: str,
        *,
        control: str = "",
        source: Source | None = None,
        token: str = "",
        cache: Path | None = None,
        poll: float = 45.0,
        stale_after: float = 60.0,
    ) -> None:
        """`control` is an http(s) URL or a unix socket's path; `source` is read instead where somebody else
        deploys the flags, as AppConfig; `cache` the directory where the snapshot is kept, if any; `poll` the seconds between
        two polls behind the stream."""
        if not application or not environment:
            raise Invalid("An agent needs an application and an environment.", "Name both.")
        if source is None:
            check_address(control)
        elif control:
            raise Invalid("An agent follows a control plane or a source.", "Give one of control and source.")
        self.application = application
        self.environment = environment
        # Where it is asked less often it cannot be confirmed more often.
        self.stale_after = stale_after if source is None else max(stale_after, 2 * poll)
        self._source = source
        self._control = (control, application, environment, token)
        self._poll = poll
        disk = None if cache is None else Disk(cache, application, environment)
        self._cache = Cache(application, environment, disk, clock=lambda: int(time.time()))
        self._outcomes = Outcomes()
        self._follower: Follower | Fetcher | None = None
        self._listeners: list[Listener] = []
        self._first = threading.Event()
        self._stale = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._starting = threading.Lock()

    # --- Answers ---------------------------------------------------------------------------------------------------------

    def evaluate(self, flag: str, context: Context = None) -> Result:
        view = self._cache.view
        if view is None:
            return _not_ready(flag)
        result = view.staged.evaluate(flag, context)
        self._outcomes.evaluated(result)
        if (use := CURRENT.get()) is not None:
            use.note(self._outcomes, view, ((flag, result),), context)
        return result

    def evaluate_all(self, context: Context = None) -> dict[str, Result]:
        view = self._cache.view
        if view is None:
            return {}
        results, use = view.staged.evaluate_all(context), CURRENT.get()
        self._outcomes.all_evaluated(results.values())
        if use is not None:
            use.note(self._outcomes, view, results.items(), context)
        return results

    def use(self, clock: Callable[[], float] = time.monotonic) -> Use:
        """Begins a request: what it evaluates while it is CURRENT is attributed to it. For the middleware."""
        return Use(self._outcomes, clock, CURRENT.get())

    def track(self, name: str, context: Context = None, value: float = 0.0) -> None:
        """Adds up an event of the application by the side of its entity."""
        view = self._cache.view
        self._outcomes.track(name, None if view is None else view.staged.side(context), value)

    @property
    def tracked(self) -> Mapping[tuple[str, str], tuple[int, float]]:
        return self._outcomes.tracked()

    # --- How it stands -----------------------------------------------------------------------------------------------------

    @property
    def view(self) -> View | None:
        """What it answers from."""
        return self._cache.view

    @property
    def standing(self) -> Standing:
        view, follower = self._cache.view, self._follower
        return Standing(
            ready=view is not None,
            connected=follower is not None and follower.connected,
            serial=view.snapshot.serial if view is not None else 0,
            origin=view.snapshot.origin if view is not None else "",
            age=self._cache.age,
            problem=self._problem(),
        )

    def _problem(self) -> str:
        if self._follower is None:
            return "The agent was not started."
        if self._cache.view is None and not self._follower.problem:
            return f"{'The control plane' if self._source is None else 'AppConfig'} has sent no flags yet."
        return self._follower.problem

    @property
    def counted(self) -> dict[str, Any]:
        """What it has counted: `sides` and `flags` of a report."""
        return self._outcomes.said()

    def listen(self, listener: Listener) -> AbstractContextManager[None]:
        """Calls it with everything new, from the agent's thread, until the returned context is closed."""
        self._listeners.append(listener)
        stack = contextlib.ExitStack()
        stack.callback(self._forget, listener)
        return stack  # type: ignore[return-value]  # its own type would be promised to users

    def _forget(self, listener: Listener) -> None:
        with contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    # --- Its life ----------------------------------------------------------------------------------------------------------

    def start(self) -> Agent:
        """Loads what is on disk and begins to follow. Twice is once; in a forked child it begins anew."""
        with self._starting:
            if self.running:
                return self
            if self._cache.view is None and self._cache.load():
                self._turn(frozenset())
            begun = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(begun,), name="tidegate-agent", daemon=True)
            self._pid = os.getpid()
            self._thread.start()
            begun.wait(STOP_WITHIN)
        return self

    def stop(self) -> None:
        """Ends following, with a last report. What is known goes on to be answered. Twice is once."""
        thread, loop, task = self._thread, self._loop, self._task
        if thread is None or self._pid != os.getpid():
            return
        if loop is not None and task is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        if thread is not threading.current_thread():
            thread.join(STOP_WITHIN)

    @property
    def running(self) -> bool:
        thread = self._thread
        return thread is not None and thread.is_alive() and self._pid == os.getpid()

    def wait(self, timeout: float) -> bool:
        """Whether it has a snapshot within so many seconds."""
        return self._first.wait(timeout)

    def __enter__(self) -> Agent:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, begun: threading.Event) -> None:
        try:
            asyncio.run(self.run(begun))
        except Exception:
            logs.exception("agent_ended")
        finally:
            begun.set()

    async def run(self, begun: threading.Event | None = None) -> None:
        """Follows until it is cancelled. For who has a loop of his own."""
        if self._source is not None:
            await self._read(self._source, begun)
            return
        control = Control(*self._control)
        reporter = Reporter(self._cache, self._outcomes, control)
        self._outcomes.hurry = reporter.hurry
        before = self._cache.view

        def changed() -> None:
            nonlocal before
            was, before = before, self._cache.view
            self._turn(_differing(was, before))
            reporter.poke()

        self._follower = follower = Follower(self._cache, control, changed, poll=self._poll)
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if begun is not None:
            begun.set()
        try:
            async with asyncio.TaskGroup() as group:
                for work in (follower.follow, follower.poll, reporter.go_on, self._watch_age):
                    group.create_task(_for_ever(work))
        except asyncio.CancelledError:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await reporter.report()
        finally:
            follower.connected = False
            await control.close()

    async def _read(self, source: Source, begun: threading.Event | None) -> None:
        before = self._cache.view

        def changed() -> None:
            nonlocal before
            was, before = before, self._cache.view
            self._turn(_differing(was, before))

        self._follower = fetcher = Fetcher(self._cache, source, (self.application, self.environment), changed)
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if begun is not None:
            begun.set()
        try:
            async with asyncio.TaskGroup() as group:
                for work in (fetcher.go_on, self._watch_age):
                    group.create_task(_for_ever(work))
        except asyncio.CancelledError:
            pass
        finally:
            fetcher.connected = False

    async def _watch_age(self) -> None:
        while True:
            age = self._cache.age
            stale = age is not None and age > self.stale_after
            if stale != self._stale:
                self._stale = stale
                self._call(News.STALE if stale else News.FRESH, frozenset())
            await asyncio.sleep(LOOK_EVERY)

    def _turn(self, flags: frozenset[str]) -> None:
        view = self._cache.view
        assert view is not None
        self._outcomes.turn_to(view)
        first = not self._first.is_set()
        self._first.set()
        self._call(News.READY if first else News.CHANGED, flags)

    def _call(self, news: News, flags: frozenset[str]) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(news, flags)
            except Exception as error:
                logs.warning("agent_listener_failed", why=f"{type(error).__name__}: {error}"[:300])


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """What nobody foresaw is told, and ends nothing: the application goes on, and so does the agent."""
    while True:
        try:
            await work()
        except Exception:
            logs.exception("agent_stumbled")
        await asyncio.sleep(1.0)


def _not_ready(flag: str) -> Result:
    message = "The agent has no flags yet."
    return Result(flag, None, None, False, Reason.ERROR, 0, Side.BASELINE, error=NOT_READY, message=message)


def _differing(was: View | None, now: View | None) -> frozenset[str]:
    """Flags whose answers may have changed for somebody."""
    if was is None or now is None:
        return frozenset(now.snapshot.baseline.flags) if now is not None else frozenset()
    try:
        changed = changed_flags(was.snapshot.baseline, now.snapshot.baseline)
    except Invalid:  # one of them cannot be read: it may be any
        changed = frozenset({*was.snapshot.baseline.flags, *now.snapshot.baseline.flags})
    return changed | was.changed | now.changed
