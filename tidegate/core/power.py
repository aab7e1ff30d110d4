"""What a comparison can see: the smallest fault that so many requests find with probability 0.9, and how many a fault needs.

The logarithm of the evidence is a random walk. For a candidate with share p1 beside a baseline with share p0 each of its
requests adds on average

    g = min_b [KL(p1 || rho b + delta) + (n_b/n_c) KL(p0 || b)]

(the divergence that the projection leaves over), with a variance v. After n of them the fault is found with probability 0.9
when n g - 1.28 sqrt(n v) reaches ln(1/alpha) and what it costs to know neither size nor start nor outcome beforehand.
Clusters stretch both. The history's help is left out: a promise should not need it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegate.core.comparison_settings import Settings
from tidegate.core.evalue import TINY, Array, Block, Margin, Point, log_evalue, project

SURE = 1.2816
"""Of a normal, 90 % lie above -1.28."""
PRICE = 3.0
"""Nats for not knowing beforehand: weights (0.4), start (0.4), the seven sizes. Measured by simulation."""
FAULTS = np.geomspace(0.0005, 1.0, 133)


@dataclass(frozen=True, slots=True)
class Walk:
    """What one request of the candidate, with its share of the baseline's, adds: mean, variance, and second moment (the
    variance when the number of requests is itself a matter of chance)."""

    gain: Array
    spread: Array
    square: Array


def walk(fault: Array, p0: float, ratio: float, margin: Margin) -> Walk:
    """For these faults (added to a baseline of `p0`), with `ratio` requests of the baseline for each of the candidate."""
    b = np.full(np.shape(fault), min(max(p0, TINY), 0.97))
    c = np.minimum(b + fault * (1 - b), 0.999)
    one, many = np.ones_like(c), np.full(np.shape(c), max(ratio, TINY))
    toward = Point(c, b)
    nearest = project(Block(one, one, many, many), toward, margin)
    against = Point(np.where(c > margin.edge(b), nearest.c, c), np.where(c > margin.edge(b), nearest.b, b))
    gain = log_evalue(Block(one, c, many, many * b), toward, against)
    bad_c, good_c = np.log(toward.c / against.c), np.log1p(-toward.c) - np.log1p(-against.c)
    bad_b, good_b = np.log(toward.b / against.b), np.log1p(-toward.b) - np.log1p(-against.b)
    square = c * bad_c**2 + (1 - c) * good_c**2 + many * (b * bad_b**2 + (1 - b) * good_b**2)
    spread = c * (1 - c) * (bad_c - good_c) ** 2 + many * b * (1 - b) * (bad_b - good_b) ** 2
    return Walk(gain, spread, square)


def threshold(settings: Settings) -> float:
    """How far the walk must come."""
    return settings.log_limit + PRICE


def needed(fault: float, p0: float, ratio: float, phi: float, settings: Settings) -> float:
    """Requests of the candidate after which this fault is found with probability 0.9; infinity for what is harmless."""
    step = walk(np.asarray(fault), p0, ratio, Margin(settings.ratio, settings.points))
    gain, spread = float(step.gain), float(step.spread)
    if gain <= 0:
        return float("inf")
    # n g - z sqrt(n v) = limit, solved for sqrt(n).
    root = (SURE * spread**0.5 + (spread * SURE**2 + 4 * gain * threshold(settings)) ** 0.5) / (2 * gain)
    return float(phi * root * root)


def detectable(n_c: float, n_b: float, p0: float, phi: float, settings: Settings) -> float | None:
    """The smallest fault that these counts find with probability 0.9; None when not even a dead version would be."""
    if n_c < 1 or n_b < 1:
        return None
    step = walk(FAULTS, p0, n_b / n_c, Margin(settings.ratio, settings.points))
    n = n_c / phi
    seen = n * step.gain - SURE * np.sqrt(n * step.spread) >= threshold(settings)
    return float(FAULTS[int(seen.argmax())]) if seen.any() else None
