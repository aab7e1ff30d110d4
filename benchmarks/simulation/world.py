"""Traffic of many rollouts side by side, one second at a time.

Requests arrive as a Poisson process and are split by the exposure of the moment. Every number that a comparison or an alarm may
look at is drawn exactly: latency only between the limits that anybody asks for, which is all that a histogram tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.simulation.scenario import Scenario
from tidegate.core.evalue import Array
from tidegate.core.latency import EDGES
from tidegate.core.latency_comparison import BINS

MEDIAN, SHAPE = 50_000.0, 3.5
TIMEOUT = 30
MEMORY = 30.0
OUTAGE_SECONDS = 60
_EDGES = np.array(EDGES, dtype=float)


def slower_share(x: Array, scale: Array) -> Array:
    """P(latency >= x microseconds) when every latency is `scale` times its usual."""
    return 1 / (1 + (x / (MEDIAN * scale)) ** SHAPE)


@dataclass
class SideSecond:
    """What one side did in one second. `bins` hold what finished, of it `failed`."""

    begun: Array
    finished: Array
    failed: Array
    repeats: Array
    bins: Array


@dataclass
class Second:
    candidate: SideSecond
    baseline: SideSecond
    harmed: Array
    """Requests of the candidate that its fault spoiled: failed or hung."""


class World:
    """The same scenario for `rollouts` rollouts at `rate` requests a second. `cuts`: bins whose lower edges matter."""

    def __init__(self, scenario: Scenario, rate: float, rollouts: int, cuts: list[int], rng: np.random.Generator) -> None:
        self.scenario, self.rate, self.rng = scenario, rate, rng
        self.cuts = np.array(sorted({0, *cuts}), dtype=np.int64)
        self.second = 0
        self.shared = rng.normal(0, 1, rollouts)
        self.alone = rng.normal(0, 1, (2, rollouts))
        self.hung = np.zeros((TIMEOUT, rollouts))
        self.waiting = np.zeros((2, rollouts, max(1, scenario.burst_seconds)))
        self.phase = rng.uniform(0, 2 * np.pi, rollouts)
        self.bucket = rng.uniform(0, 1, rollouts)
        self.heavy_failed = np.zeros((2, rollouts))

    def keep(self, kept: np.ndarray) -> None:
        """Goes on with these rollouts only."""
        for name in ("shared", "phase", "bucket"):
            setattr(self, name, getattr(self, name)[kept])
        for name in ("alone", "heavy_failed", "hung"):
            setattr(self, name, getattr(self, name)[:, kept])
        self.waiting = self.waiting[:, kept]

    def next(self, exposure: Array, faulty: np.ndarray, in_outage: np.ndarray) -> Second:
        """One second at these exposures. `faulty`: whose fault has begun."""
        s, memory = self.scenario, float(np.exp(-1 / MEMORY))
        fresh = np.sqrt(1 - memory**2)
        self.shared = memory * self.shared + fresh * self.rng.normal(size=self.shared.shape)
        self.alone = memory * self.alone + fresh * self.rng.normal(size=self.alone.shape)
        wave = 1 + s.daily * np.sin(2 * np.pi * self.second / 600 + self.phase)
        self.second += 1
        rate = self.rate * wave
        sides = []
        harmed = np.zeros_like(exposure)
        for i, share in enumerate((exposure, 1 - exposure)):
            # Each side's own wandering is part of the noise, small enough to stay within the margin most of the time.
            swing = np.exp(s.noise * self.shared - s.noise**2 / 2 + 0.2 * s.noise * self.alone[i])
            p = np.minimum(s.errors * wave * swing, 0.5)
            bad = self._base_errors(i, rate * share * p)
            shared_bad = self.rng.poisson(rate * share * s.outage * in_outage)
            heavy = self._heavy(i, rate, exposure)
            spoiled = np.where(in_outage, 1 - s.outage, 1.0) * (1 - p)
            fault = self.rng.poisson(rate * share * s.fault * spoiled * faulty) if i == 0 else 0.0
            hangs = self.rng.poisson(rate * share * s.hangs * spoiled * faulty) if i == 0 else np.zeros_like(exposure)
            rest = 1 - (s.fault + s.hangs) * faulty * (i == 0)
            good = self.rng.poisson(rate * share * np.maximum(spoiled * rest, 0.0))
            timed_out = self._hang(hangs) if i == 0 else 0.0
            failed = bad + shared_bad + heavy + fault + timed_out
            finished = failed + good
            begun = finished - timed_out + hangs
            repeats = self._repeats(i, heavy)
            sides.append(SideSecond(begun, finished, failed, repeats, self._bins(i, finished, faulty)))
            harmed = harmed + (fault + hangs if i == 0 else 0.0)
        return Second(sides[0], sides[1], harmed)

    def _base_errors(self, side: int, mean: Array) -> Array:
        s = self.scenario
        bursts = self.rng.poisson(mean / s.burst)
        if s.burst <= 1:
            return bursts.astype(float)
        more = np.where(bursts > 0, self.rng.negative_binomial(np.maximum(bursts, 1), 1 / s.burst), 0)
        errors = bursts + more
        if s.burst_seconds == 1:
            return errors.astype(float)
        spread = self.rng.multinomial(errors, np.full(s.burst_seconds, 1 / s.burst_seconds))
        self.waiting[side] += spread
        now: Array = self.waiting[side][:, 0].copy()
        self.waiting[side] = np.concatenate([self.waiting[side][:, 1:], np.zeros((len(now), 1))], axis=1)
        return now

    def _heavy(self, side: int, rate: Array, exposure: Array) -> Array:
        if not self.scenario.heavy:
            return np.zeros_like(exposure)
        lives = (self.bucket < exposure) if side == 0 else (self.bucket >= exposure)
        return self.rng.poisson(rate * self.scenario.heavy * lives).astype(float)

    def _repeats(self, side: int, heavy: Array) -> Array:
        if not self.scenario.users_known:
            return np.zeros_like(heavy)
        first = (heavy > 0) & (self.heavy_failed[side] == 0)
        self.heavy_failed[side] += heavy
        again: Array = heavy - first
        return again

    def _hang(self, hangs: Array) -> Array:
        ended: Array = self.hung[0].copy()
        self.hung = np.concatenate([self.hung[1:], hangs[None]])
        return ended

    def _bins(self, side: int, finished: Array, faulty: np.ndarray) -> Array:
        s = self.scenario
        scale = np.exp(0.25 * s.noise * (self.shared + 0.2 * self.alone[side]))
        slower = np.where(faulty & (side == 0), s.slower, 1.0) * scale
        above = slower_share(_EDGES[self.cuts], slower[:, None])
        if s.tail and side == 0:
            tail = np.where(faulty, s.tail, 0.0)[:, None]
            above = (1 - tail) * above + tail * slower_share(_EDGES[self.cuts], slower[:, None] * s.tail_factor)
        above[:, 0] = 1.0
        between = above - np.concatenate([above[:, 1:], np.zeros((len(above), 1))], axis=1)
        counts = self.rng.multinomial(finished.astype(np.int64), np.maximum(between, 0.0))
        bins = np.zeros((len(finished), BINS))
        bins[:, self.cuts] = counts
        return bins
