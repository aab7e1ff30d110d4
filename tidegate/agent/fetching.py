"""Reads flag documents from where somebody else deploys them, as AWS AppConfig: by polling, and never faster than it says.

There are no serials there, and a rollback brings an older document: each that differs from the one before gets a serial of
ours, so that whoever shares the disk goes on from it. Who reads here has no control plane, and reports to nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from tidegate.agent import logs
from tidegate.agent.cache import Cache, Taken
from tidegate.core.errors import Invalid, TidegateError
from tidegate.core.flags.codec import decode
from tidegate.core.flags.fetched import Fetched
from tidegate.core.flags.snapshot import Snapshot

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds between two attempts while it does not answer."""

Done = TypeVar("Done")


class Source(Protocol):
    @property
    def origin(self) -> str:
        """Whose documents these are, for good."""

    def fetch(self) -> Fetched:
        """Asks once; may take its time. Raises TidegateError."""


class Fetcher:
    """`changed` is called in the agent's thread with every other document, when it is already in force."""

    def __init__(self, cache: Cache, source: Source, names: tuple[str, str], changed: Callable[[], None]) -> None:
        self.connected = False
        """Whether it answered when it was asked last."""
        self.problem = ""
        """What keeps it from being followed; empty while nothing does."""
        self._cache = cache
        self._source = source
        self._names = names
        self._changed = changed
        self._failures = 0

    async def go_on(self) -> None:
        """Goes on for ever."""
        while True:
            await asyncio.sleep(await self._once())

    async def _once(self) -> float:
        """The seconds until the next time."""
        try:
            fetched = await _aside(self._source.fetch)
            await self._take(fetched.content)
        except TidegateError as error:
            self._failures += 1
            self._tell(error)
            return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10))
        if self.problem:
            logs.info("agent_follows_again")
        self.connected, self.problem, self._failures = True, "", 0
        return fetched.again

    async def _take(self, content: bytes) -> None:
        snapshot = self._snapshot(content) if content else None
        if snapshot is None:
            self._cache.confirm()
        elif self._cache.take(snapshot) is Taken.NEW:
            self._changed()
            await asyncio.to_thread(self._cache.save)

    def _snapshot(self, content: bytes) -> Snapshot | None:
        """None when it is the one that is known."""
        try:
            document = decode(content.decode(errors="surrogatepass"))
        except (Invalid, UnicodeDecodeError) as wrong:
            raise Invalid(
                f"What {self._source.origin} holds is no flag document of Tidegate.",
                "Let Tidegate deploy there: platform.appconfig in the file of the environment.",
            ) from wrong
        application, environment = self._names
        if document.application != application:
            raise Invalid(
                f"{self._source.origin} holds flags of {document.application}, and this agent serves {application}.",
                f"Start it with --application {document.application}.",
            )
        known = self._cache.view.snapshot if self._cache.view is not None else None
        if known is None or known.origin != self._source.origin:
            return Snapshot(application, environment, 1, self._source.origin, document)
        if known.baseline.text == document.text:
            return None
        return Snapshot(application, environment, known.serial + 1, self._source.origin, document)

    def _tell(self, error: TidegateError) -> None:
        """A line when it begins and when it changes, none for each attempt."""
        if error.what != self.problem:
            logs.warning("agent_cannot_follow", why=error.what, mend=error.mend)
        self.connected, self.problem = False, error.what


async def _aside(do: Callable[[], Done]) -> Done:
    """In a thread that keeps nobody from ending: an executor's would, for as long as it waits for an answer."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Done] = loop.create_future()

    def put(set_: Callable[[Done], None] | Callable[[BaseException], None], value: object) -> None:
        if not future.done():
            set_(value)  # type: ignore[arg-type]  # what it is for

    def work() -> None:
        try:
            done = do()
        except Exception as error:
            call, value = future.set_exception, error
        else:
            call, value = future.set_result, done  # type: ignore[assignment]  # either of both
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(put, call, value)

    threading.Thread(target=work, name="tidegate-agent-fetch", daemon=True).start()
    return await future
