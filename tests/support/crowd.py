"""Users in a thread: a steady, bounded stream of requests over kept connections; each answer is noted with its time.

with Crowd(port, rate=100) as crowd:
    ...
crowd.asked      everything, in the order of the ends
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType

CONNECTIONS = 16
LONGEST = 1800.0
FASTEST = 600.0
PATIENCE = 8.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `status` 0: there was no answer, and `why` says how that was. Times are of the monotonic clock."""

    at: float
    ended: float
    user: str
    method: str
    status: int
    version: str = ""
    why: str = ""

    @property
    def failed(self) -> bool:
        return self.status == 0 or self.status >= 500


class Crowd:
    def __init__(self, port: int, *, rate: float = 100, posts: float = 0.0, people: int = 500, seed: int = 7) -> None:
        self.asked: list[Asked] = []
        self.people = [f"user-{number}" for number in range(people)]
        self._port = port
        self._rate = min(rate, FASTEST)
        self._posts = posts
        self._chance = random.Random(seed)
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="crowd")

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> list[Asked]:
        """Everybody gets his answer, and then nobody asks any more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE * 3)
        return self.asked

    # --- what came of it ----------------------------------------------------------------------------------------------

    @property
    def failures(self) -> list[Asked]:
        return [one for one in self.asked if one.failed]

    def failures_told(self) -> dict[tuple[str, int, str], int]:
        return dict(Counter((one.method, one.status, one.why or one.version) for one in self.failures))

    def by_version(self, since: float = 0.0) -> dict[str, int]:
        return dict(Counter(one.version for one in self.asked if one.at >= since))

    def versions_of(self, since: float = 0.0, until: float = 1e18) -> dict[str, set[str]]:
        """Which versions each user met."""
        met: dict[str, set[str]] = {}
        for one in list(self.asked):
            if since <= one.at and one.ended <= until and one.version:
                met.setdefault(one.user, set()).add(one.version)
        return met

    # --- asking -------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        idle: asyncio.Queue[Connection] = asyncio.Queue()
        connections = [Connection(self._port) for _ in range(CONNECTIONS)]
        for connection in connections:
            idle.put_nowait(connection)
        under_way: set[asyncio.Task[None]] = set()
        begun = time.monotonic()
        number = 0
        while not self._end.is_set() and time.monotonic() - begun < LONGEST:
            wait = begun + number / self._rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            elif wait < -1:
                begun -= wait  # the machine was busy: nobody makes up for it
            number += 1
            # Users who find everybody waiting come over a new connection, as they do.
            connection = idle.get_nowait() if not idle.empty() else Connection(self._port)
            task = asyncio.create_task(self._ask(connection, idle))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        if under_way:
            await asyncio.wait(under_way, timeout=PATIENCE + 2)
        while not idle.empty():
            await idle.get_nowait().close()

    async def _ask(self, connection: Connection, idle: asyncio.Queue[Connection]) -> None:
        user = self._chance.choice(self.people)
        method = "POST" if self._chance.random() < self._posts else "GET"
        self.asked.append(await connection.ask(method, user))
        if idle.qsize() < CONNECTIONS:
            idle.put_nowait(connection)
        else:
            await connection.close()


class Connection:
    """One kept connection, opened again when it has ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, user: str) -> Asked:
        at = time.monotonic()
        try:
            status, version = await asyncio.wait_for(self._exchange(method, user), PATIENCE)
        except (OSError, EOFError, TimeoutError) as error:
            await self.close()
            return Asked(at, time.monotonic(), user, method, 0, why=type(error).__name__)
        return Asked(at, time.monotonic(), user, method, status, version)

    async def _exchange(self, method: str, user: str) -> tuple[int, str]:
        if self._reader is not None and self._reader.at_eof():
            await self.close()  # ended in good order while nobody asked
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        request = f"{method} / HTTP/1.1\r\nhost: shop\r\nx-user-id: {user}\r\ncontent-length: 0\r\n\r\n"
        self._writer.write(request.encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        await self._reader.readexactly(int(fields.get("content-length", "0")))
        if fields.get("connection", "").lower() == "close":
            await self.close()
        return int(head[0].split(" ")[1]), fields.get("x-version", "")

    async def close(self) -> None:
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1)
