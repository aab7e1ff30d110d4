"""How fast a healthy candidate is proven to be not worse, so that a step may end early: for forecasts.

Every outcome must be proven (`early`), so the slowest decides: errors, or one of the latency limits, whose clusters may be
larger. Where latency is not known yet, errors have to stand for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tidegate.core.comparison_settings import Settings
from tidegate.core.evalue import TINY, Block, Margin, Point, log_evalue, project
from tidegate.core.history import History
from tidegate.core.latency_comparison import ENOUGH, shares_at

PROOF = 1.4
"""How much longer it takes until *every* outcome is proven than until one is. Measured by simulation."""


@dataclass(frozen=True, slots=True)
class Slow:
    """One latency limit: how often the baseline is slower, how often a healthy candidate is much slower, and the clusters."""

    share: float
    far: float
    phi: float


def slows_of(history: History, settings: Settings) -> tuple[Slow, ...]:
    """Those of the last day; none where it knows too little."""
    if float(history.bins.sum()) < ENOUGH:
        return ()
    shares = shares_at(history.bins, history.edges)
    fars = shares_at(history.bins, settings.shift.edges(history.edges)[1])
    return tuple(Slow(*(float(x) for x in each)) for each in zip(shares, fars, history.clusters.phi[1:], strict=True))


def wanted(settings: Settings) -> float:
    """The nats that prove an outcome, and what it takes until all are there."""
    return settings.early.log_limit * PROOF


def gain(exposure: float, *, errors: float, phi: float, slows: tuple[Slow, ...], settings: Settings) -> float:
    """What a request of a healthy candidate adds, in nats, to the outcome that is proven last; 0 where it cannot be."""
    ratio = (1 - exposure) / exposure
    return min(_gains(ratio, errors, phi, slows, settings))


def _gains(ratio: float, errors: float, phi: float, slows: tuple[Slow, ...], settings: Settings) -> Iterator[float]:
    yield _gain(ratio, Point(np.asarray(errors), np.asarray(errors)), settings.ratio, settings) / phi
    for slow in slows:
        yield _gain(ratio, Point(np.asarray(slow.far), np.asarray(slow.share)), 1.0, settings) / slow.phi


def _gain(ratio: float, healthy: Point, rho: float, settings: Settings) -> float:
    toward = Point(np.clip(healthy.c, TINY, 0.98), np.clip(healthy.b, TINY, 0.98))
    margin = Margin(rho, settings.early.points)
    if not toward.c < margin.edge(toward.b) < 1:
        return 0.0
    block = Block(*(np.asarray(x) for x in (1.0, toward.c, ratio, ratio * toward.b)))
    return max(0.0, float(log_evalue(block, toward, project(block, toward, margin))))
