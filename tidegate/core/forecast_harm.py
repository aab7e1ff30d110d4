"""What a bad version costs until it is gone: the plan followed in thought, with what the comparison would know by then.

The logarithm of the evidence is taken as a normal walk (`power`), requests as a Poisson process, the harm budget as it is on
average. The history's help is left out, and so are alarms: a promise should not need them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tidegate.core import budget, power
from tidegate.core.budget import Around, Budget, Pace
from tidegate.core.comparison_settings import Settings
from tidegate.core.evalue import Margin
from tidegate.core.forecast_proof import Slow

WAIT = 2.0
"""Seconds until the fate of a request is known while a candidate warms up, where the slowest in a thousand takes 0.4 s."""
SURELY = 0.9999
FINE = 0.02
"""How much of the time that a step has lasted may pass unlooked at: days are not followed second by second."""
FEW = 20
"""So many steps are followed that finely; of a thousand the rest is passed over faster."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a second of both sides, the baseline's error share, the size of its clusters, and what is known of its
    latency."""

    rate: float
    errors: float = 0.001
    phi: float = 1.0
    slows: tuple[Slow, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """An exposure (0..1) and for how many seconds it lasts."""

    exposure: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Reins:
    """What holds a bad version: whether the comparison may roll back, how long a tick and an act take, the harm budget of an
    adaptive plan, and the smallest exposure that the router can apply."""

    acts: bool = True
    tick: float = 1.0
    act: float = 1.0
    harm: float | None = None
    grain: float = 1e-4


@dataclass(frozen=True, slots=True)
class HarmForecast:
    """A version that fails this share of its requests from the start. `mean` and `p95` are what fails until it is gone, or the
    plan ends; `found`: the probability that the comparison stops it before."""

    fault: float
    mean: float
    p95: float
    found: float
    seconds: float | None  # median time to detect; None when it is more likely not found
    harmless: bool  # within the margin: nobody would stop it


def is_harmless(fault: float, errors: float, settings: Settings) -> bool:
    """Whether a version that fails so much more often is within the margin."""
    return bool(errors + fault * (1 - errors) <= Margin(settings.ratio, settings.points).edge(np.asarray(errors)))


def harm_of(fault: float, held: Sequence[Held], traffic: Traffic, settings: Settings, reins: Reins) -> HarmForecast:
    """Follows the plan tick by tick: how likely it has been found by then, and what was harmed."""
    harmless = is_harmless(fault, traffic.errors, settings)
    sees = reins.acts and settings.weights.errors > 0 and not harmless
    walk, threshold = _walks(fault, traffic, settings) if sees else _blind, power.threshold(settings)
    mean = square = requests = elapsed = found = expected = 0.0
    median: float | None = None
    p95: float | None = None
    for exposure, span in _path(fault, held, traffic, settings, reins):
        arriving = traffic.rate * exposure * span
        gain, moment = walk(exposure)
        mean += arriving * gain / traffic.phi
        square += arriving * moment / traffic.phi**2
        requests, elapsed = requests + arriving, elapsed + span
        by_now = max(found, _probability(mean, square, threshold))
        cost = fault * (requests + traffic.rate * exposure * reins.act)
        expected += (by_now - found) * cost
        median = elapsed if median is None and by_now >= 0.5 else median
        p95 = cost if p95 is None and by_now >= 0.95 else p95
        found = by_now
        if found > SURELY:
            break
    whole = fault * requests
    return HarmForecast(fault, expected + (1 - found) * whole, whole if p95 is None else p95, found, median, harmless)


def _path(
    fault: float, held: Sequence[Held], traffic: Traffic, settings: Settings, reins: Reins
) -> Iterator[tuple[float, float]]:
    """The exposure, and for how long: short spans at first, for there it is decided; longer ones later."""
    exposure, requests, bad = 0.0, 0.0, traffic.errors + fault * (1 - traffic.errors)
    for number, step in enumerate(held):
        fine = FINE if number < FEW else FINE * len(held) / FEW
        left, passed = max(step.seconds, reins.tick if step.exposure else 0.0), 0.0
        while left > 0:
            opened = Budget(np.asarray(requests), np.asarray(requests * bad), np.asarray(0.0), np.asarray(WAIT))
            exposure = _exposure(step.exposure, exposure, opened, traffic, settings=settings, reins=reins)
            span = min(left, max(reins.tick, fine * passed))
            yield exposure, span
            requests += traffic.rate * exposure * span
            left, passed = left - span, passed + span


def _exposure(wanted: float, before: float, opened: Budget, traffic: Traffic, *, settings: Settings, reins: Reins) -> float:
    """What is applied: the step's, or as much of it as the harm budget allows."""
    if reins.harm is None or wanted >= 1 or before >= wanted:
        return wanted
    pace = Pace(reins.harm, reins.tick, reins.act)
    harmless = Margin(settings.ratio, settings.points).edge(np.asarray(traffic.errors))
    around = Around(harmless, np.asarray(traffic.phi), np.asarray(traffic.rate))
    free = float(budget.allowed(opened, around, pace, settings.budget))
    return max(before, min(wanted, max(free, reins.grain)))


def _probability(mean: float, square: float, threshold: float) -> float:
    """Of a normal walk to be above the threshold."""
    return 0.0 if square <= 0 else 0.5 * math.erfc((threshold - mean) / math.sqrt(2 * square))


def _blind(_: float) -> tuple[float, float]:
    return 0.0, 0.0


def _walks(fault: float, traffic: Traffic, settings: Settings) -> Callable[[float], tuple[float, float]]:
    """Gain and second moment of a request at an exposure, remembered to three digits of it."""

    @lru_cache(maxsize=4096)
    def at(exposure: float) -> tuple[float, float]:
        margin = Margin(settings.ratio, settings.points)
        step = power.walk(np.asarray(fault), traffic.errors, (1 - exposure) / exposure, margin)
        return float(step.gain), float(step.square)

    return lambda exposure: (0.0, 0.0) if exposure >= 1 or exposure <= 0 else at(float(f"{exposure:.3g}"))
