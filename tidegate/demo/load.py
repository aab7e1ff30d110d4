"""The demo's users: a steady, bounded stream of requests, each with its user's id; what they saw is counted here, apart
from anything that Tidegate counts.

    python -m tidegate.demo.load --url http://127.0.0.1:8080/ --rate 150 --for 120s --out seen.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tidegate.core.duration import parse_duration

LONGEST = 900.0
FASTEST = 1000


@dataclass
class Seen:
    """What the users got, by version: answers, failures, and who was on which side. `lost`: what no version answered, and
    why."""

    answers: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    users: dict[str, set[str]] = field(default_factory=dict)
    harmed: dict[str, set[str]] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)

    def note_lost(self, why: str) -> None:
        self.lost[why] = self.lost.get(why, 0) + 1

    def note(self, user: str, version: str, ok: bool) -> None:
        self.answers[version] = self.answers.get(version, 0) + 1
        self.users.setdefault(version, set()).add(user)
        if not ok:
            self.failures[version] = self.failures.get(version, 0) + 1
            self.harmed.setdefault(version, set()).add(user)

    def as_json(self) -> str:
        return json.dumps(
            {
                "answers": self.answers,
                "failures": self.failures,
                "users": {version: len(users) for version, users in self.users.items()},
                "harmed": {version: len(users) for version, users in self.harmed.items()},
                "lost": self.lost,
            }
        )


class Crowd:
    """`people` users, `rate` requests a second in all, for `seconds`; `posts` of them (0..1) are orders."""

    def __init__(self, url: str, *, people: int, rate: float, seconds: float, posts: float, seed: int = 7) -> None:
        self._url = url
        self._names = [f"user-{number}" for number in range(people)]
        self._rate = min(rate, FASTEST)
        self._seconds = min(seconds, LONGEST)
        self._posts = posts
        self._chance = random.Random(seed)
        self.seen = Seen()
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=64)
        # Waiting for one of our own connections is not the shop's fault, and has no end.
        timeout = httpx2.Timeout(10.0, pool=None)
        async with httpx2.AsyncClient(limits=limits, timeout=timeout, trust_env=False) as client:
            under_way: set[asyncio.Task[None]] = set()
            begun = time.monotonic()
            for number in range(int(self._rate * self._seconds)):
                wait = begun + number / self._rate - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                if self.stopped.is_set():
                    break
                task = asyncio.create_task(self._ask(client))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.gather(*under_way)

    async def _ask(self, client: httpx2.AsyncClient) -> None:
        user = self._chance.choice(self._names)
        method = "POST" if self._chance.random() < self._posts else "GET"
        try:
            answer = await client.request(method, self._url, headers={"x-user-id": user})
        except httpx2.HTTPError as error:
            self.seen.note_lost(type(error).__name__)
            return
        if version := answer.headers.get("x-version"):
            self.seen.note(user, version, answer.status_code < 500)
        else:
            self.seen.note_lost(f"status {answer.status_code}")


async def _run(crowd: Crowd, out: Path) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, crowd.stopped.set)
    crowding = asyncio.create_task(crowd.run())
    while not crowding.done():
        await asyncio.wait([crowding], timeout=0.5)
        _write(out, crowd.seen.as_json())
    await crowding


def _write(out: Path, text: str) -> None:
    aside = out.with_name(out.name + ".new")
    aside.write_text(text)
    aside.replace(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=150)
    parser.add_argument("--for", dest="seconds", default="60s")
    parser.add_argument("--posts", type=float, default=0.4)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    seconds = parse_duration(given.seconds).total_seconds()

    async def go() -> None:
        await _run(Crowd(given.url, people=given.people, rate=given.rate, seconds=seconds, posts=given.posts), given.out)

    asyncio.run(go())


if __name__ == "__main__":
    main()
