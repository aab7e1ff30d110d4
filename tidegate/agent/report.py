"""Reports: once a second, and soon after a change, the agent says what it applies and what it has counted.

Counts are cumulative: a report that is lost is no event, for the next one says it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from typing import Any

from tidegate import __version__
from tidegate.agent import logs
from tidegate.agent.cache import Cache
from tidegate.agent.control import Control
from tidegate.agent.outcomes import Outcomes
from tidegate.agent.pace import Pace
from tidegate.core.errors import Refused, TidegateError
from tidegate.core.exposure import say_share


class Reporter:
    def __init__(
        self,
        cache: Cache,
        outcomes: Outcomes,
        control: Control,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._cache = cache
        self._outcomes = outcomes
        self._control = control
        self._began = time.monotonic()
        self._epoch = secrets.token_hex(8)
        self._agent = f"{socket.gethostname()}:{os.getpid()}:{self._epoch[:6]}"
        self._poked = asyncio.Event()
        self._news = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._refused = ""

    def poke(self) -> None:
        """Something has changed: the next report goes very soon."""
        self._news = True
        self._poked.set()

    def hurry(self) -> None:
        """A request of the candidate has failed. From any thread; it must cost nothing, and break nothing."""
        if self._loop is not None and not self._poked.is_set():
            with contextlib.suppress(RuntimeError):  # that loop has ended
                self._loop.call_soon_threadsafe(self._poked.set)

    async def go_on(self) -> None:
        """Goes on for ever."""
        self._loop = loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self.report()
            # Not wait_for: until Python 3.12 it may swallow the cancellation that ends us.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.until_next()):
                    await self._poked.wait()
                    since = loop.time() - began
                    await asyncio.sleep(self._pace.after_news() if self._news else self._pace.after_failure(since))
            self._news = False
            self._poked.clear()

    async def report(self) -> None:
        content = self.content()
        if content is None:
            return
        try:
            self._pace.obey(await self._control.report(content, time.monotonic() - self._began))
            self._refused = ""
        except Refused as error:
            # To be out of reach is told by the follower; to be refused is told here, once.
            if error.what != self._refused:
                logs.warning("agent_report_refused", why=error.what, mend=error.mend)
            self._refused = error.what
        except TidegateError:
            pass

    def content(self) -> dict[str, Any] | None:
        """None while nothing is applied."""
        view = self._cache.view
        if view is None:
            return None
        snapshot = view.snapshot
        return {
            "agent": self._agent,
            "version": __version__,
            "epoch": self._epoch,
            "serial": snapshot.serial,
            "origin": snapshot.origin,
            "exposure": say_share(snapshot.exposure),
            "rollout": snapshot.rollout,
            **self._outcomes.said(),
        }
