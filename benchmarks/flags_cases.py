"""What the flag engines are asked: three flags and 10,000 users. Plain Python, for it runs in the peers' environment, too.

on      a boolean flag, on for everybody
five    five rules; the fourth is a list of 100 ids
split   25 % of the users
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from typing import Any

USERS = 10_000
SHARE = 25
HEAP, ROUNDS, SECONDS = 100, 50, 2.0
IDS = [f"user-{number}" for number in range(0, USERS, USERS // 100)]

User = dict[str, Any]
Ask = Callable[[int], Any]
"""The answer for the user with this number."""


def users() -> list[User]:
    chance = random.Random(7)
    return [
        {
            "userId": f"user-{number}",
            "country": chance.choice(["DE", "AT", "FR", "US", "IT", "PL"]),
            "plan": chance.choice(["free", "pro"]),
            "age": chance.randrange(12, 90),
            "email": f"user{number}@{chance.choice(['example.org', 'example.com', 'example.net'])}",
        }
        for number in range(USERS)
    ]


def five(user: User) -> str:
    """What every engine must answer."""
    if user["country"] == "FR" and user["plan"] == "pro":
        return "v1"
    if user["age"] >= 65:
        return "v2"
    if user["email"].endswith("@example.org"):
        return "v3"
    if user["userId"] in IDS:
        return "v4"
    return "v5" if user["country"] in ("DE", "AT") else "v0"


def measure(asks: dict[str, Ask], everybody: list[User]) -> dict[str, Any]:
    """Nanoseconds an answer of each case, the best of all rounds, after the answers were found to be right."""
    wrong = _wrong(asks, everybody)
    if wrong:
        return {"error": wrong}
    return {name: _nanoseconds(ask, len(everybody)) for name, ask in asks.items()}


def _wrong(asks: dict[str, Ask], everybody: list[User]) -> str:
    numbers = range(len(everybody))
    if not all(asks["on"](number) is True for number in numbers):
        return "on is not on for everybody"
    for number in numbers:
        if (said := asks["five"](number)) != five(everybody[number]):
            return f"five answers {said!r} for {everybody[number]}, not {five(everybody[number])!r}"
    split = [asks["split"](number) for number in numbers]
    if split != [asks["split"](number) for number in numbers]:
        return "split does not answer twice alike"
    share = 100 * sum(split) / len(split)
    return "" if abs(share - SHARE) < 2 else f"split takes {share:.1f} %"


def _nanoseconds(ask: Ask, count: int) -> float:
    """Users are asked for in small heaps, and of each heap the best time counts: others use the machine, too."""
    heaps = [range(begin, begin + HEAP) for begin in range(0, count, HEAP)]
    best = [float("inf")] * len(heaps)
    until = time.perf_counter() + SECONDS
    rounds = 0
    gc.collect()
    gc.disable()
    while rounds < 2 or (rounds < ROUNDS and time.perf_counter() < until):
        for index, heap in enumerate(heaps):
            begun = time.perf_counter()
            for number in heap:
                ask(number)
            best[index] = min(best[index], time.perf_counter() - begun)
        rounds += 1
    gc.enable()
    return sum(best) / count * 1e9
