"""The stream of snapshots to agents. A change is made text once and handed to all of them; nobody polls.

Whoever waits is woken by the board, through the event loop that he waits in: a thousand agents cost one write each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from threading import Event as ThreadEvent

from tidegate.core.exposure import say_share
from tidegate.engine.flag_board import FlagBoard, Posted

HEARTBEAT = 10.0
LOOK_FOR_THE_END = 0.5
"""Seconds between two looks whether the doors close; one task looks for all streams."""


class FlagStreams:
    """Of one event loop. Made with the first stream in it."""

    def __init__(self, board: FlagBoard, closing: ThreadEvent) -> None:
        self._board = board
        self._closing = closing
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._messages: dict[tuple[str, str], tuple[Posted, bytes]] = {}

    async def messages(self, subject: str) -> AsyncIterator[bytes]:
        """The snapshot at once, and every change of it. It ends when nothing is in force there any more: an agent that was left
        with signs of life would go on to call its flags the newest."""
        woken = asyncio.Event()
        self._enter(subject, woken)
        before: Posted | None = None
        yield b"retry: 1000\n\n"
        try:
            while not self._closing.is_set():
                woken.clear()
                posted = self._board.get(subject)
                if posted is not None and posted is not before:
                    yield self._message(subject, posted, before)
                    before = posted
                elif posted is None and before is not None:
                    return
                elif not await _within(woken, HEARTBEAT):
                    yield b": still here\n\n"
        finally:
            self._leave(subject, woken)

    def _message(self, subject: str, posted: Posted, before: Posted | None) -> bytes:
        """The same bytes for everybody who was as far."""
        kind = "exposure" if before is not None and posted.moves(before) else "snapshot"
        known = self._messages.get((subject, kind))
        if known is None or known[0] is not posted:
            data = _moved(posted) if kind == "exposure" else posted.text
            known = (posted, f"event: {kind}\nid: {posted.snapshot.serial}\ndata: {data}\n\n".encode())
            self._messages[subject, kind] = known
        return known[1]

    # --- waiting ------------------------------------------------------------------------------------------------------

    def _enter(self, subject: str, woken: asyncio.Event) -> None:
        if self._watching is None:
            self._board.listen(self._wake_from_afar)
            self._watching = asyncio.create_task(self._watch_the_end())
        self._waiting.setdefault(subject, set()).add(woken)

    def _leave(self, subject: str, woken: asyncio.Event) -> None:
        self._waiting.get(subject, set()).discard(woken)
        if not any(self._waiting.values()) and self._watching is not None:
            self._board.leave(self._wake_from_afar)
            self._watching.cancel()
            self._watching = None

    def _wake_from_afar(self, subject: str) -> None:
        """Called in the controller's thread."""
        with contextlib.suppress(RuntimeError):  # this loop has ended
            self._loop.call_soon_threadsafe(self._wake, subject)

    def _wake(self, subject: str) -> None:
        for woken in self._waiting.get(subject, ()):
            woken.set()

    async def _watch_the_end(self) -> None:
        while not self._closing.is_set():
            await asyncio.sleep(LOOK_FOR_THE_END)
        for subject in list(self._waiting):
            self._wake(subject)


async def _within(woken: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return False
    return True


def _moved(posted: Posted) -> str:
    snapshot = posted.snapshot
    return json.dumps(
        {"serial": snapshot.serial, "exposure": say_share(snapshot.exposure), "rollout": snapshot.rollout},
        separators=(",", ":"),
    )
