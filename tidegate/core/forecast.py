"""What a plan will see and cost at a given traffic, told before it starts: `tidegate forecast`.

Per step the requests that it gathers and the smallest fault that it finds with probability 0.9; for versions that fail all, a
fifth, a twentieth or a fiftieth of their requests from the start the harm that they do until they are gone (mean and 95th
percentile); how long a healthy version takes; and, where the plan cannot see what it should, what would.

No chance is drawn here. The logarithm of the evidence is taken as a normal walk (see `power`), requests as a Poisson process,
the harm budget as it is on average. Simulation shows how far that holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import numpy as np

from tidegate.core import budget, power
from tidegate.core.budget import Budget, Pace
from tidegate.core.comparison_report import say_share
from tidegate.core.comparison_settings import Settings
from tidegate.core.duration import say_duration
from tidegate.core.evalue import TINY, Block, Margin, Point, log_evalue, project

FAULTS = (1.0, 0.2, 0.05, 0.02)
MOST_TICKS = 3000
PROOF = 1.4
"""How much longer it takes until *every* outcome is proven than until one is. Measured by simulation."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One step: the exposure (0..1) and for how many seconds it is held."""

    exposure: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a second of both sides, the baseline's error share, and the size of its clusters."""

    rate: float
    errors: float = 0.001
    phi: float = 1.0


@dataclass(frozen=True, slots=True)
class Adaptive:
    """An adaptive plan: how many may go wrong, and for how long a step is held at least."""

    harm: float
    least: float


@dataclass(frozen=True, slots=True)
class StepForecast:
    """`detectable`: the smallest fault found with probability 0.9, None when not even a dead version is; `needed`: seconds
    that it would take to find one of `must_see`, None when none would do."""

    exposure: float
    seconds: float
    requests: float
    detectable: float | None
    needed: float | None


@dataclass(frozen=True, slots=True)
class HarmForecast:
    """A version that fails this share from the start. `found`: probability that the comparison stops it before the end."""

    fault: float
    mean: float
    p95: float
    found: float
    seconds: float | None  # median time to detect; None when it is more likely not found


@dataclass(frozen=True, slots=True)
class Forecast:
    steps: tuple[StepForecast, ...]
    harms: tuple[HarmForecast, ...]
    seconds: float  # how long a healthy version takes
    warnings: tuple[str, ...]  # each with what would help


def forecast(
    steps: Sequence[Planned], traffic: Traffic, settings: Settings, *, pace: Pace, adaptive: Adaptive | None = None
) -> Forecast:
    """`pace` says how long a tick and an act take; its harm is that of the adaptive plan."""
    held = _healthy_seconds(steps, traffic, settings, adaptive)
    seen = tuple(_step(step, seconds, traffic, settings) for step, seconds in zip(steps, held, strict=True))
    harms = tuple(_harm(fault, steps, traffic, settings, pace=pace, adaptive=adaptive) for fault in FAULTS)
    warnings = (*_blind_steps(seen, traffic, settings), *_costly(harms, adaptive))
    return Forecast(seen, harms, sum(held), warnings)


# --- What a step sees -----------------------------------------------------------------------------------------------


def _step(step: Planned, seconds: float, traffic: Traffic, settings: Settings) -> StepForecast:
    n_c, n_b = (traffic.rate * seconds * share for share in (step.exposure, 1 - step.exposure))
    if step.exposure >= 1:
        return StepForecast(step.exposure, seconds, n_c, None, None)
    seen = power.detectable(n_c, n_b, traffic.errors, traffic.phi, settings)
    needed = power.needed(settings.must_see, traffic.errors, (1 - step.exposure) / step.exposure, traffic.phi, settings)
    arriving = traffic.rate * step.exposure
    return StepForecast(step.exposure, seconds, n_c, seen, needed / arriving if arriving and math.isfinite(needed) else None)


def _healthy_seconds(steps: Sequence[Planned], traffic: Traffic, settings: Settings, adaptive: Adaptive | None) -> list[float]:
    """An adaptive step ends when the candidate is proven to be not worse; the proof is gathered from step to step."""
    if adaptive is None:
        return [step.seconds for step in steps]
    wanted, gathered, held = settings.early.log_limit * PROOF * traffic.phi, 0.0, []
    for step in steps:
        if step.exposure >= 1 or step.exposure <= 0:
            held.append(step.seconds)
            continue
        gains = traffic.rate * step.exposure * _healthy_gain(step.exposure, traffic, settings)
        left = max(0.0, wanted - gathered) / max(gains, 1e-9)
        held.append(min(max(adaptive.least, left), step.seconds))
        gathered += held[-1] * gains
    return held


def _healthy_gain(exposure: float, traffic: Traffic, settings: Settings) -> float:
    """What a request of a healthy candidate adds to "not worse", in nats."""
    p, ratio = max(traffic.errors, TINY), (1 - exposure) / exposure
    block = Block(*(np.asarray(x) for x in (1.0, p, ratio, ratio * p)))
    toward = Point(np.asarray(p), np.asarray(p))
    return max(1e-9, float(log_evalue(block, toward, project(block, toward, Margin(settings.ratio, settings.early.points)))))


# --- What a bad version costs -----------------------------------------------------------------------------------------


def _harm(
    fault: float, steps: Sequence[Planned], traffic: Traffic, settings: Settings, *, pace: Pace, adaptive: Adaptive | None
) -> HarmForecast:
    """Follows the plan tick by tick: how likely it has been found by then, and what was harmed."""
    total = sum(step.seconds for step in steps)
    tick = max(pace.tick, total / MOST_TICKS)
    walk = _walks(fault, traffic, settings)
    mean = square = requests = elapsed = found = expected = 0.0
    median: float | None = None
    p95: float | None = None
    exposure, opened = 0.0, Budget(np.asarray(0.0), np.asarray(0.0))
    for step in steps:
        for _ in range(max(1, round(step.seconds / tick))):
            exposure = _next_exposure(step, exposure, opened, traffic, settings=settings, pace=pace if adaptive else None)
            arriving = traffic.rate * exposure * tick
            gain, moment = walk(exposure)
            mean, square, requests, elapsed = (
                mean + arriving * gain / traffic.phi,
                square + arriving * moment / traffic.phi**2,
                requests + arriving,
                elapsed + tick,
            )
            opened = Budget(np.asarray(requests), np.asarray(requests * (traffic.errors + fault)))
            by_now = max(found, _probability(mean, square, power.threshold(settings)))
            cost = fault * (requests + traffic.rate * exposure * pace.act)
            expected += (by_now - found) * cost
            median = elapsed if median is None and by_now >= 0.5 else median
            p95 = cost if p95 is None and by_now >= 0.95 else p95
            found = by_now
            if found > 0.9999:
                break
    whole = fault * requests
    return HarmForecast(fault, expected + (1 - found) * whole, whole if p95 is None else p95, found, median)


def _next_exposure(
    step: Planned, before: float, opened: Budget, traffic: Traffic, *, settings: Settings, pace: Pace | None
) -> float:
    if pace is None or step.exposure >= 1:
        return step.exposure
    free = budget.allowed(opened, np.asarray(traffic.errors), np.asarray(traffic.rate), pace, settings.budget)
    return max(before, min(step.exposure, float(free)))


def _probability(mean: float, square: float, threshold: float) -> float:
    """Of a normal walk to be above the threshold."""
    return 0.0 if square <= 0 else 0.5 * math.erfc((threshold - mean) / math.sqrt(2 * square))


def _walks(fault: float, traffic: Traffic, settings: Settings) -> Callable[[float], tuple[float, float]]:
    """Gain and second moment of a request at an exposure, remembered to three digits of it."""

    @lru_cache(maxsize=4096)
    def at(exposure: float) -> tuple[float, float]:
        step = power.walk(np.asarray(fault), traffic.errors, (1 - exposure) / exposure, Margin(settings.ratio, settings.points))
        return float(step.gain), float(step.square)

    return lambda exposure: (0.0, 0.0) if exposure >= 1 or exposure <= 0 else at(float(f"{exposure:.3g}"))


# --- What to say ------------------------------------------------------------------------------------------------------


def _blind_steps(steps: Sequence[StepForecast], traffic: Traffic, settings: Settings) -> list[str]:
    """Steps that would not find a fault of `must_see`, and how long they would have to be."""
    compared = [step for step in steps if step.exposure < 1]
    if not compared:
        return ["Everybody is let in at once: nothing is compared. Begin with a step, as canary 10% hold 5m."]
    blind = [step for step in compared if step.needed is None or step.needed > step.seconds]
    if not blind:
        return []
    worst = blind[0]
    finds = "not even a dead version" if worst.detectable is None else f"nothing below {say_share(worst.detectable)}"
    mend = (
        f"Hold it for {say_duration(timedelta(seconds=math.ceil(worst.needed)))}"
        if worst.needed is not None and worst.needed < 30 * 86_400
        else "Let in more users"
    )
    more = f" ({len(blind)} of {len(compared)} steps are too short)" if len(blind) > 1 else ""
    return [
        f"At {traffic.rate:g} requests a second the step of {say_share(worst.exposure)} finds {finds}, where a fault of "
        f"{say_share(settings.must_see)} should be found{more}. {mend}, or set unsure: {{no_data: hold}}."
    ]


def _costly(harms: Sequence[HarmForecast], adaptive: Adaptive | None) -> list[str]:
    dead = harms[0]
    if adaptive is not None or dead.mean < 50:
        return []
    return [
        f"A version that is dead from its first request fails about {dead.mean:,.0f} requests before it is gone. "
        "With adaptive: {harm: 10} it would be about 10."
    ]
