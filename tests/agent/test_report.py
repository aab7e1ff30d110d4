"""Reports: once a second, and sooner when there is something to say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.control_plane import moving
from tidegate.agent.cache import Cache
from tidegate.agent.control import Control
from tidegate.agent.outcomes import Outcomes
from tidegate.agent.pace import Pace
from tidegate.agent.report import Reporter
from tidegate.core.flags.agent_report import read_report
from tidegate.core.flags.result import Side

NEVER = 3600.0


class Deaf(Control):
    """Takes reports, and says nothing."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.news = asyncio.Event()

    async def report(self, content: Mapping[str, Any], age: float) -> None:
        assert 0 <= age < NEVER
        self.heard.append(dict(content))
        self.news.set()

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            await self.news.wait()
        self.news.clear()
        return self.heard[-1]


def reporting() -> tuple[Deaf, Outcomes, Reporter, Cache]:
    cache, outcomes, control = Cache("shop", "prod"), Outcomes(), Deaf()
    cache.take(moving(2, 1000))
    assert cache.view is not None
    outcomes.turn_to(cache.view)
    reporter = Reporter(cache, outcomes, control, Pace(every=NEVER))
    outcomes.hurry = reporter.hurry
    return control, outcomes, reporter, cache


def end(outcomes: Outcomes, cache: Cache, side: Side, *, failed: bool) -> None:
    assert cache.view is not None
    outcomes.finish(outcomes.begin(cache.view, side), side, failed=failed, seconds=0.1)


def test_a_request_of_the_candidate_that_fails_is_told_long_before_the_next_report_is_due() -> None:
    async def run() -> None:
        control, outcomes, reporter, cache = reporting()
        going = asyncio.create_task(reporter.go_on())
        await control.next()
        await asyncio.to_thread(end, outcomes, cache, Side.CANDIDATE, failed=True)
        assert (await control.next())["sides"]["candidate"]["failed"] == 1
        going.cancel()

    asyncio.run(run())


@pytest.mark.parametrize(("side", "failed"), [(Side.BASELINE, True), (Side.CANDIDATE, False)])
def test_what_is_no_news_waits_for_the_next_report(side: Side, failed: bool) -> None:
    async def run() -> None:
        control, outcomes, reporter, cache = reporting()
        going = asyncio.create_task(reporter.go_on())
        await control.next()
        await asyncio.to_thread(end, outcomes, cache, side, failed=failed)
        reporter.poke()  # a change comes meanwhile
        said = await control.next()
        assert (len(control.heard), said["sides"][str(side)]["finished"]) == (2, 1)
        going.cancel()

    asyncio.run(run())


def test_an_agent_that_has_ended_may_be_hurried_and_nothing_happens() -> None:
    control, outcomes, reporter, cache = reporting()

    async def run() -> None:
        going = asyncio.create_task(reporter.go_on())
        await control.next()
        going.cancel()

    asyncio.run(run())
    end(outcomes, cache, Side.CANDIDATE, failed=True)
    assert len(control.heard) == 1


def test_requests_of_watched_flags_are_counted_apart_by_side_and_variant() -> None:
    outcomes, cache = Outcomes(), Cache("shop", "prod")
    cache.take(replace(moving(2, 1000), watched=("checkout",)))
    assert cache.view is not None
    outcomes.turn_to(cache.view)
    for failed in (True, False):
        rollout = outcomes.begin(cache.view, Side.CANDIDATE)
        outcomes.finish(rollout, Side.CANDIDATE, failed=failed, seconds=0.1, used={"checkout": "on", "theme": "dark"})
    outcomes.other(failed=True, seconds=0.1, used={"theme": "dark"})
    sides = outcomes.said()["sides"]
    assert {
        flag: {name: (n["finished"], n["failed"]) for name, n in of.items()} for flag, of in sides["candidate"]["flags"].items()
    } == {"checkout": {"on": (2, 1)}}
    assert sides["other"]["flags"] == {}
    report = {"agent": "a", "epoch": "e", "serial": 2, "origin": "o", "sides": sides}
    assert read_report(report).sides["candidate"].flags["checkout", "on"].failed == 1
