"""The demo's users: a steady, bounded stream of requests, each with its user's id; what they got goes into the ledger.

python -m tidegate.demo.load --url http://127.0.0.1:8080/ --rate 150 --for 120s --ledger users.tsv
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import TextIO

import httpx2

from tidegate.core.duration import parse_duration
from tidegate.demo.ledger import SAW, USER, VERSION, Entry

LONGEST = 900.0
FASTEST = 1000
MOST_AT_ONCE = 64
LATE = 0.5
"""Seconds that are caught up with, at most."""
WRITE_EVERY = 0.2


class Crowd:
    """`people` users, `rate` requests a second in all, for `seconds`; `posts` of them (0..1) are orders."""

    def __init__(self, url: str, *, people: int, rate: float, seconds: float, posts: float, seed: int = 7) -> None:
        self._url = url
        self._names = [f"user-{number}" for number in range(1, people + 1)]
        self._rate = min(rate, FASTEST)
        self._seconds = min(seconds, LONGEST)
        self._posts = posts
        self._chance = random.Random(seed)
        self.entries: list[Entry] = []
        """What came since they were taken last."""
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        """On a machine that is too slow for this rate users come later; none waits in a queue of ours."""
        users, free = self._users(), asyncio.Semaphore(MOST_AT_ONCE)
        limits = httpx2.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE)
        async with (
            httpx2.AsyncClient(limits=limits, timeout=10.0, trust_env=False) as client,
            asyncio.TaskGroup() as under_way,
        ):
            due = time.monotonic()
            until = due + self._seconds
            while not self.stopped.is_set() and time.monotonic() < until:
                await free.acquire()
                under_way.create_task(self._ask(client, next(users))).add_done_callback(lambda _: free.release())
                due = max(due + 1 / self._rate, time.monotonic() - LATE)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _users(self) -> Iterator[str]:
        """Everybody in turn: whoever looks for as long as one round lasts sees all of them."""
        self._chance.shuffle(self._names)
        return cycle(self._names)

    async def _ask(self, client: httpx2.AsyncClient, user: str) -> None:
        method = "POST" if self._chance.random() < self._posts else "GET"
        at = time.monotonic()
        try:
            answer = await client.request(method, self._url, headers={USER: user})
        except httpx2.HTTPError as error:
            self.entries.append(Entry(at, user, "", frozenset(), 0, type(error).__name__))
            return
        version, saw = answer.headers.get(VERSION, ""), answer.headers.get(SAW, "")
        lost = "" if version else f"status {answer.status_code}"
        self.entries.append(Entry(at, user, version, frozenset(saw.split(",")) - {""}, answer.status_code, lost))


async def _run(crowd: Crowd, ledger: Path) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, crowd.stopped.set)
    # Ctrl-C reaches every process of the terminal; whoever began us ends us, when nothing is needed any more.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    crowding = asyncio.create_task(crowd.run())
    with ledger.open("a") as file:
        while not crowding.done():
            await asyncio.wait([crowding], timeout=WRITE_EVERY)
            _write(crowd, file)
    await crowding


def _write(crowd: Crowd, file: TextIO) -> None:
    taken, crowd.entries = crowd.entries, []
    file.writelines(entry.line() for entry in taken)
    file.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=150)
    parser.add_argument("--for", dest="seconds", default="60s")
    parser.add_argument("--posts", type=float, default=0.4)
    parser.add_argument("--ledger", type=Path, required=True)
    given = parser.parse_args()
    seconds = parse_duration(given.seconds).total_seconds()

    async def go() -> None:
        await _run(Crowd(given.url, people=given.people, rate=given.rate, seconds=seconds, posts=given.posts), given.ledger)

    asyncio.run(go())


if __name__ == "__main__":
    main()
