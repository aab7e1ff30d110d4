"""What a comparison is told every tick: the differences of both sides' counts, and how the plan stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tidegate.core.comparison_settings import Settings
from tidegate.core.evalue import Array, Flags
from tidegate.core.exposure import WHOLE, Exposure
from tidegate.core.latency import Latencies
from tidegate.core.latency_comparison import BINS, dense
from tidegate.core.tally import NOTHING, Tally


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Users' own metrics of one side in one tick, by name: how often it was tried and how often it was bad, or buckets."""

    shares: Mapping[str, tuple[int, int]]
    histograms: Mapping[str, Latencies]


NO_OUTCOMES = Outcomes({}, {})


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """One side in one tick. `repeats`: failures of users who had failed before on this side (see `repeat_failures`)."""

    begun: Array
    finished: Array
    failed: Array
    repeats: Array
    bins: Array  # (..., histograms, bins): latency first
    tried: Array  # (..., shares)
    bad: Array

    @classmethod
    def of(cls, settings: Settings, tally: Tally = NOTHING, own: Outcomes = NO_OUTCOMES, repeats: int = 0) -> Counts:
        bins = np.zeros((1 + len(settings.histograms), BINS))
        for i, latencies in enumerate(
            [tally.latency, *(own.histograms.get(name, Latencies()) for name in settings.histograms)]
        ):
            bins[i] = dense(latencies)
        pairs = np.array([own.shares.get(name, (0, 0)) for name in settings.shares], dtype=np.float64).reshape(-1, 2)
        begun, finished, failed, again = (np.asarray(float(n)) for n in (tally.begun, tally.finished, tally.failed, repeats))
        return cls(begun, finished, failed, again, bins, tried=pairs[:, 0], bad=pairs[:, 1])


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """One look at both sides. `step` is the index of the plan's step; `exposure` the share (0..1) that was in force.

    `warm`: whether all of the candidate's tasks are older than the warm-up. Before that its latency does not bet, unless it
    hangs.
    """

    candidate: Counts
    baseline: Counts
    span: float
    exposure: Array
    step: Array
    warm: Flags

    @classmethod
    def of(cls, candidate: Counts, baseline: Counts, *, span: float, exposure: Exposure, step: int, warm: bool = True) -> Tick:
        share = np.asarray(exposure / WHOLE)
        return cls(candidate, baseline, span, share, np.asarray(float(step)), np.asarray(warm))
