"""The shop of the pictures in the documentation: a version that was rolled back on evidence, and a release that goes well.
In the other environment of flags nothing is in flight.

It is the house that all tests of pages use, with a pretended time, so that the same pictures are taken everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.dashboard.shop import ENVIRONMENT, FLAGS, PROD, flags, open_environment, release_flags, report
from tests.support.served import BEGIN, WEB, Figures, House, Line, SettableWatcher, service_file
from tidegate.core.document import read
from tidegate.core.environment import Environment
from tidegate.core.harm import Counted, Harm, note_exposure
from tidegate.core.rollout import Phase, Rollout
from tidegate.core.setting import Applied
from tidegate.core.text import read_yaml
from tidegate.core.verdict import GuardSeen
from tidegate.engine.course import Course, Point
from tidegate.engine.flag_orders import Manner
from tidegate.engine.releases import FlagsPart, VersionPart
from tidegate.engine.view import ComparisonView, OutcomeView
from tidegate.ports import Held
from tidegate.store.store import SqlStore

SEARCH = WEB.replace("web", "search").replace("8080", "8081")
STAGING = "shop/staging"
BACK = (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
BAD, GOING = "web-2", "web-3"
WORSE = "errors: 12 of 213 requests (5.6%) on the candidate, 6 of 4,812 (0.12%) on the baseline; evidence 1,830, limit 1,000"
NO_WORSE = "no worse than the baseline; a fault of 1.2% would have been found"
QUERY = "the candidate beside the baseline: errors and latency"


def _alarms(errors: str, p99: str) -> tuple[GuardSeen, ...]:
    return (
        GuardSeen("errors", "ok", figure=errors, limit="above 1%", query="error_rate of the candidate above 1%"),
        GuardSeen("slow", "ok", figure=p99, limit="above 800ms", query="p99 of the candidate above 800ms"),
    )


SERVICES = {
    "web": Figures(2403, 3, 0, 240.3, 0.0012, 9.0, 84.0),
    "search": Figures(388, 0, 0, 38.8, 0.0, 21.0, 120.0),
    PROD: Figures(2403, 3, 0, 240.3, 0.0012, 9.0, 84.0),
    STAGING: Figures(42, 0, 0, 4.2, 0.0, 9.0, 80.0),
}


@dataclass
class Watching(SettableWatcher):
    """What each service, and each rollout, shows."""

    courses: dict[str, Course] = field(default_factory=dict)
    accounts: dict[str, Harm] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def figures(self, service: str) -> Figures:
        return SERVICES[service]

    def course(self, held: Held) -> Course:
        return self.courses.get(held.rollout.id, Course())

    def harm(self, held: Held, after: Rollout, applied: Applied, now: datetime) -> Harm:
        account = self.accounts.get(held.rollout.id, held.harm)
        harm = replace(held.harm, counted=account.counted, first=account.first)
        return note_exposure(harm, applied=applied.exposure, going_back=after.phase in BACK, at=now)


def course(seconds: int, candidate: Callable[[float], Mapping[str, float]], steps: Callable[[float], float]) -> Course:
    """Points a second apart, which waver as those of real traffic do."""

    def point(at: float) -> Point:
        wave = math.sin(at / 3.1) + 0.6 * math.sin(at / 1.3 + 1) + 0.4 * math.sin(at / 0.7)
        wanted = steps(at)
        first = Point(
            at,
            wanted=wanted,
            applied=wanted,
            served=wanted * (1 + wave / 40) if wanted else 0.0,
            baseline_rate=240 * (1 - wanted) + 6 * wave,
            candidate_rate=240 * wanted + 3 * wave if wanted else None,
            baseline_errors=max(0.0, 0.0012 + 0.0005 * wave),
            baseline_p99=84 + 5 * wave,
        )
        return replace(first, **candidate(at)) if wanted else first

    return Course(tuple(point(float(at)) for at in range(seconds)))


def open_gallery(home: Path) -> House:
    watcher = Watching()
    house = House(home, SqlStore(f"sqlite:///{home / 'tidegate.db'}"), watcher=watcher)
    watcher.guards = watcher.alarming = _alarms("0.12%", "84 ms")
    house.run("v7", "search", SEARCH)
    house.run("v1")
    _comes_and_goes_back(house, watcher)
    watcher.comparison, watcher.guards = None, ()
    open_environment(house)
    release_flags(house, FLAGS.replace("or 20%", "or 50%"), "more people")
    _open_staging(house)
    house.until(lambda: house.rollout().settled)
    _goes_well(house, watcher)
    house.said += [Line(f"web-v1-{task}", f"GET /cart/{900 + number} 200 4ms") for number in range(9) for task in (1, 2)]
    return house


def _open_staging(house: House) -> None:
    text = ENVIRONMENT.replace("prod", "staging")
    house.flag_orders.configure(read(Environment, read_yaml(text, "staging.yaml"), "staging.yaml"), "ann")
    house.flag_orders.deploy("shop", "staging", flags(FLAGS.replace("or 20%", "or 50%")), Manner("ann", reason="begin"))
    house.until(lambda: not house.rollout(STAGING).in_flight)


def _comes_and_goes_back(house: House, watcher: Watching) -> None:
    house.orders.deploy(service_file(WEB), "v2", "ann", reason="faster carts")
    house.until(lambda: house.rollout().phase is Phase.WATCHING)
    house.tick(9)
    watcher.sides = {
        "baseline": Figures(1803, 2, 0, 180.3, 0.0011, 9.0, 84.0),
        "candidate": Figures(213, 12, 0, 59.2, 0.056, 9.0, 91.0),
    }
    watcher.comparison = ComparisonView(
        "firing", WORSE, 1830.0, 1000.0, False, False, False, False, 0.05, 0,
        (OutcomeView("errors", 213, 12, 4812, 6, 1830.0, 22.0), OutcomeView("slow", 213, 3, 4812, 48, 0.4, None)),
    )  # fmt: skip
    compared = GuardSeen("comparison", "firing", "evidence 1,830", "at 1,000", WORSE, QUERY)
    watcher.guards = (compared, *_alarms("5.6%", "91 ms"))
    begun = house.now - timedelta(seconds=4)
    watcher.accounts[BAD] = Harm(Counted(213, 213, 12, 2, 4812, 6), first=begun)
    house.until(lambda: not house.rollout().in_flight)
    watcher.courses[BAD] = course(
        14,
        lambda at: {
            "candidate_errors": min(0.056, max(0.0, (at - 4) / 90)),
            "candidate_p99": 89 + 3 * math.sin(at),
            "evidence": min(1.0, max(0.0, (at - 4) / 8)),
        },
        lambda at: 0.0 if at < 3 or at > 12 else 0.25,
    )


def _goes_well(house: House, watcher: Watching) -> None:
    content = flags(FLAGS.replace("or 20%", "or 50%").replace("Sale!", "Winter sale"))
    parts = [VersionPart(service_file(WEB), "v3")], [FlagsPart("prod", content, 2)]
    house.releases.begin("checkout", *parts, plan=service_file(WEB).plan, by="carol", reason="the new checkout")

    def at_half() -> bool:
        return all(house.rollout(name).phase is Phase.WATCHING and house.rollout(name).step == 1 for name in ("web", PROD))

    watcher.comparison = ComparisonView(
        "ok", NO_WORSE, 0.8, 1000.0, False, False, False, False, 0.012, 0,
        (OutcomeView("errors", 6184, 7, 12_406, 15, 0.8, 0.6), OutcomeView("slow", 6184, 61, 12_406, 124, 0.3, None)),
    )  # fmt: skip
    compared = GuardSeen("comparison", "ok", "evidence 0.8", "at 1,000", NO_WORSE, QUERY)
    watcher.guards = (compared, *_alarms("0.11%", "83 ms"))
    watcher.sides = {
        "baseline": Figures(1204, 1, 0, 120.4, 0.0008, 9.0, 84.0),
        "candidate": Figures(1199, 2, 0, 119.9, 0.0017, 9.0, 83.0),
    }
    watcher.served = 0.499
    for name in (GOING, house.rollout(PROD).id):
        watcher.accounts[name] = Harm(Counted(6184, 6184, 7, 2, 12_406, 15))
    _reporting(house, at_half)
    _reporting(house, _in(house, 24))
    watcher.courses[GOING] = watcher.courses[house.rollout(PROD).id] = course(
        int((house.now - house.rollout().created).total_seconds()),
        _well,
        lambda at: 0.0 if at < 3 else 0.25 if at < 64 else 0.5,
    )


def _well(at: float) -> dict[str, Any]:
    return {
        "candidate_errors": max(0.0, 0.0012 + 0.0006 * math.sin(at / 2.3)),
        "candidate_p99": 83 + 4 * math.sin(at / 2.7),
        "evidence": max(0.0, 0.05 * math.sin(at / 9)),
    }


def _in(house: House, seconds: int) -> Callable[[], bool]:
    then = house.now + timedelta(seconds=seconds)
    return lambda: house.now >= then


def _reporting(house: House, done: Callable[[], bool]) -> None:
    """Agents follow; the time goes on until it is done."""
    for _ in range(500):
        if done():
            return
        for number in range(3):
            report(house, f"checkout-{number}", age=house.now - BEGIN + timedelta(hours=5, minutes=7 * number))
        report(house, "checkout-staging", of=STAGING, age=house.now - BEGIN + timedelta(days=2))
        house.tick()
    raise AssertionError("not within 500 ticks")
