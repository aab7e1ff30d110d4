"""Follows the control plane: by its stream of events, and by polling behind it.

A stream that breaks, falls silent or brings something damaged is left, the whole snapshot is asked for, and it is tried again
after a pause that grows and is drawn by lot, so that a thousand agents do not come back at the same moment.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable

from tidegate.agent import logs
from tidegate.agent.cache import Cache, Taken
from tidegate.agent.control import Control
from tidegate.agent.events import Message, Parser
from tidegate.core.errors import Invalid, TidegateError, Unreachable
from tidegate.core.exposure import parse_share
from tidegate.core.flags.snapshot import decode_snapshot

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 3.0


class Follower:
    """`changed` is called in the agent's thread with every newer snapshot, when it is already in force."""

    def __init__(
        self,
        cache: Cache,
        control: Control,
        changed: Callable[[], None],
        *,
        poll: float,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.connected = False
        """Whether the stream is open and has brought something."""
        self.problem = ""
        """What keeps it from being followed; empty while nothing does."""
        self._cache = cache
        self._control = control
        self._changed = changed
        self._poll_every = poll
        self._draw = draw

    async def follow(self) -> None:
        """Goes on for ever."""
        failures = 0
        while True:
            try:
                await self._read_stream()
                self._tell(Unreachable("The stream of the control plane ended."))
            except TidegateError as error:
                self._tell(error)
            failures = 1 if self.connected else failures + 1
            self.connected = False
            await self._poll()
            await asyncio.sleep(pause(failures, self._draw()))

    async def poll(self) -> None:
        """Goes on for ever, also while the stream is open: what it may have lost is found here."""
        while True:
            await asyncio.sleep(self._poll_every * (0.9 + 0.2 * self._draw()))
            await self._poll()

    async def _poll(self) -> None:
        try:
            text = await self._control.snapshot()
            if text is None:
                self._cache.confirm()
            else:
                await self._take(text)
        except TidegateError as error:
            self._control.forget()
            self._tell(error)

    async def _read_stream(self) -> None:
        parser = Parser()
        async with self._control.stream() as pieces:
            async for piece in pieces:
                for message in parser.feed(piece):
                    await self._obey(message)

    async def _obey(self, message: Message) -> None:
        match message.kind:
            case "snapshot":
                await self._take(message.data)
                self._well()
            case "exposure":
                await self._move(message.data)
            case "" if self.connected:
                # What it sent before is still the newest.
                self._cache.confirm()
            case _:
                pass  # for agents that are younger than this one

    async def _take(self, text: str) -> None:
        known = self._cache.view
        taken = self._cache.take(decode_snapshot(text))
        if taken is Taken.OLDER and known is not None:
            raise Invalid(
                f"The control plane offers a snapshot older than number {known.snapshot.serial}, which is kept.",
                "Look whether its database was put back; a new deployment of the flags goes on from there.",
            )
        await self._put(taken)

    async def _move(self, data: str) -> None:
        try:
            said = json.loads(data)
            exposure, serial, rollout = parse_share(said["exposure"]), int(said["serial"]), str(said["rollout"])
        except (ValueError, KeyError, TypeError) as wrong:
            raise Invalid("An event of the control plane cannot be read.", "Update Tidegate on this side.") from wrong
        taken = self._cache.move(exposure=exposure, serial=serial, rollout=rollout)
        if taken is None:
            # It belongs to documents that are not here: the stream begins anew with all of them.
            raise Unreachable("The stream has lost a snapshot.")
        await self._put(taken)

    async def _put(self, taken: Taken) -> None:
        if taken is Taken.NEW:
            self._changed()
            await asyncio.to_thread(self._cache.save)

    def _well(self) -> None:
        if self.problem:
            logs.info("agent_follows_again")
        self.connected, self.problem = True, ""

    def _tell(self, error: TidegateError) -> None:
        """A line when it begins and when it changes, none for each attempt."""
        if error.what != self.problem and (self.connected or not isinstance(error, Unreachable) or not self.problem):
            logs.warning("agent_cannot_follow", why=error.what, mend=error.mend)
        self.problem = error.what


def pause(failures: int, drawn: float) -> float:
    """Seconds until the next attempt: twice as long each time, and anything from a half to the whole of it by lot."""
    whole = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
    return whole * (0.5 + 0.5 * drawn)
