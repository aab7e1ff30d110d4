"""What a forecast warns of, each with what would help."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from tidegate.core import power
from tidegate.core.comparison_report import say_share
from tidegate.core.comparison_settings import Settings
from tidegate.core.duration import say_duration
from tidegate.core.forecast_harm import HarmForecast, Traffic, is_harmless
from tidegate.core.plan import PATIENTLY, Unsure
from tidegate.core.rate import say_rate

if TYPE_CHECKING:
    from tidegate.core.forecast import Course, Planned, StepForecast

MANY = 50
"""Failed requests of a dead version from which on a harm budget is worth a word."""
BUDGET = 10
TOO_LONG = 30 * 86_400.0
SHARES = (0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5)
_GRIDS = ((120.0, 1), (900.0, 10), (7200.0, 60), (86_400.0, 600), (math.inf, 3600))


def warn(
    course: Course, steps: Sequence[StepForecast], harms: Sequence[HarmForecast], traffic: Traffic, settings: Settings
) -> Iterator[str]:
    yield from warn_of_blindness(course, steps, traffic, settings)
    yield from _late(course, steps, traffic)
    yield from _costly(course, harms, traffic, settings)


def warn_of_blindness(course: Course, steps: Sequence[StepForecast], traffic: Traffic, settings: Settings) -> Iterator[str]:
    """Where a fault of `must_see` would not be found. Nothing where errors are not compared at all: that is no surprise."""
    if not settings.weights.errors:
        return
    compared = [pair for pair in zip(course.steps, steps, strict=True) if pair[0].is_compared]
    must_see = say_share(settings.must_see)
    if not compared:
        yield "Everybody is let in at once: nothing is compared. Begin with a step, as canary 10% hold 5m."
    elif not traffic.rate:
        yield "Without traffic nothing can be compared. Send some for as long as it is released."
    elif is_harmless(settings.must_see, traffic.errors, settings):
        margin = f"{settings.ratio:g}x + {settings.points * 100:g}pp"
        yield (
            f"A version that fails {must_see} more often is within the margin of {margin}, as {say_share(traffic.errors)} "
            "of the requests fail anyway: nothing would find it. Narrow it, as compare: {errors: {margin: 1.05x + 0.1pp}}."
        )
    else:
        blind = [pair for pair in compared if not pair[1].sees]
        if blind:
            yield _say_blind(course, blind, traffic, settings)


def _say_blind(course: Course, blind: Sequence[tuple[Planned, StepForecast]], traffic: Traffic, settings: Settings) -> str:
    planned, worst = blind[0]
    finds = "not even a dead version" if worst.detectable is None else f"nothing below {say_share(worst.detectable)}"
    others = f", and {len(blind) - 1} more that are too short," if len(blind) > 1 else ""
    return (
        f"At {say_rate(traffic.rate)} requests a second the step of {say_share(worst.exposure)}{others} finds {finds}, where a "
        f"fault of {say_share(settings.must_see)} should be found; {_AFTERWARDS[course.no_data]}. "
        f"{_mend(course, worst, planned.seconds, traffic, settings)}"
    )


_AFTERWARDS = {
    Unsure.EXTEND: "it is held for up to twice its time, and then goes on unverified",
    Unsure.PROMOTE: "it goes on unverified",
    Unsure.HOLD: "then a person is waited for",
    Unsure.ROLLBACK: "then even a good version is rolled back",
}


def _mend(course: Course, step: StepForecast, held: float, traffic: Traffic, settings: Settings) -> str:
    ways = []
    if step.needed is not None and step.needed < TOO_LONG and course.reins.harm is None:
        ways.append(f"hold it for {_roundly(step.needed)}")
    elif step.needed is not None and step.needed < TOO_LONG:
        parts = sum(planned.least is not None for planned in course.steps)
        ways.append(f"take longer: no_faster_than: {_roundly(step.needed * parts / PATIENTLY)}")
    if course.reins.harm is None and (share := _large_enough(step, held, traffic, settings)):
        ways.append(f"begin with {say_share(share)}")
    if not ways:
        return "No hold below a month would do: rely on alarms, and look yourself."
    said = ", or ".join(ways)
    return f"{said[0].upper()}{said[1:]}."


def _large_enough(step: StepForecast, held: float, traffic: Traffic, settings: Settings) -> float | None:
    """The smallest usual exposure that would see enough in the same time."""
    for share in SHARES:
        needed = power.needed(settings.must_see, traffic.errors, (1 - share) / share, traffic.phi, settings)
        if share > step.exposure and needed <= traffic.rate * share * held:
            return share
    return None


def _roundly(seconds: float) -> str:
    """Rounded up to what people write."""
    grid = next(grid for below, grid in _GRIDS if seconds <= below)
    return say_duration(timedelta(seconds=math.ceil(seconds / grid) * grid))


def _late(course: Course, steps: Sequence[StepForecast], traffic: Traffic) -> Iterator[str]:
    total = sum(step.seconds for step in steps)
    if total >= course.deadline:
        yield (
            f"At {say_rate(traffic.rate)} requests a second a healthy version takes {_roundly(total)}, longer than the "
            f"deadline of {say_duration(timedelta(seconds=course.deadline))}: it would be rolled back. Give a longer deadline."
        )


def _costly(course: Course, harms: Sequence[HarmForecast], traffic: Traffic, settings: Settings) -> Iterator[str]:
    dead, reins = harms[0], course.reins
    if not (reins.acts and settings.weights.errors and any(step.is_compared for step in course.steps)):
        return
    least = traffic.rate * reins.grain * (reins.tick + reins.act)
    if reins.harm is None and dead.mean >= max(MANY, 2 * least):
        yield (
            f"A version that is dead from its first request fails about {dead.mean:,.0f} requests before it is gone. "
            f"With adaptive: {{harm: {BUDGET}}} it would be about {max(BUDGET, least):,.0f}."
        )
    if reins.harm is not None and dead.mean > 2 * reins.harm:
        yield (
            f"A harm budget of {reins.harm:,.0f} cannot be kept: {say_share(reins.grain)} of the users, the least that can "
            f"be let in, are {say_rate(traffic.rate * reins.grain)} requests a second. A shorter TIDEGATE_TICK finds it sooner."
        )
