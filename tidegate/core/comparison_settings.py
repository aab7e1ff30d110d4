"""What can be set about a comparison, and in which order its outcomes lie.

Outcomes are yes/no: errors; slower than each latency limit; users' own yes/no metrics; beyond each limit of users' own
bucketed metrics. The first six have a history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from tidegate.core.budget import BudgetSettings
from tidegate.core.early import EarlySettings
from tidegate.core.evalue import Array, Flags
from tidegate.core.latency_comparison import QUANTILES, Shift
from tidegate.core.past_comparison import PastSettings
from tidegate.core.sample_ratio import RatioSettings

LIMITS = len(QUANTILES)
BASE = 1 + LIMITS
"""Errors and the latency limits."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts; they are scaled to a sum of 1. Averaged, never multiplied: valid under any dependence."""

    errors: float = 0.4
    past: float = 0.25
    latency: float = 0.25
    past_latency: float = 0.1
    metric: float = 0.2


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults were frozen by simulation on one set of seeds and families and judged on another."""

    alpha: float = 0.001
    ratio: float = 1.25
    points: float = 0.001
    """Harmless: p_c <= ratio * p_b + points."""
    shares: tuple[str, ...] = ()
    """Users' own yes/no metrics, with the errors' margin."""
    histograms: tuple[str, ...] = ()
    """Users' own bucketed metrics, with the latency's margin."""
    shift: Shift = field(default_factory=Shift)
    weights: Weights = field(default_factory=Weights)
    half_life: float = 300.0
    """Of the plug-in estimate of the baseline, in seconds."""
    early: EarlySettings = field(default_factory=EarlySettings)
    proves: bool = True
    """Whether anybody wants to know that the candidate is not worse. A fixed plan does not."""
    past: PastSettings = field(default_factory=PastSettings)
    sample: RatioSettings = field(default_factory=RatioSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    must_see: float = 0.05
    """A step that would not have found a fault of this size is not called verified."""

    @property
    def log_limit(self) -> float:
        return float(np.log(1 / self.alpha))

    @property
    def names(self) -> tuple[str, ...]:
        limits = tuple(f"p{quantile * 100:g}" for quantile in QUANTILES)
        own = tuple(f"{name} {limit}" for name in self.histograms for limit in limits)
        return ("errors", *(f"latency {limit}" for limit in limits), *self.shares, *own)

    @property
    def outcomes(self) -> int:
        return BASE + len(self.shares) + LIMITS * len(self.histograms)


def is_share(settings: Settings) -> Array:
    """1 for yes/no outcomes, 0 for limits of a histogram."""
    kinds = [1.0] + [0.0] * LIMITS + [1.0] * len(settings.shares) + [0.0] * (LIMITS * len(settings.histograms))
    return np.array(kinds)


@lru_cache(maxsize=64)
def margin(settings: Settings) -> tuple[Array, Array]:
    """rho and delta of each outcome: a limit of a histogram has its margin in the shift."""
    share = is_share(settings)
    return 1 + (settings.ratio - 1) * share, settings.points * share


def log_weights(settings: Settings, past_known: Flags) -> Array:
    """ln of the weights of each outcome and of each outcome's past, scaled to a sum of 1. An unknown past has none."""
    weights = settings.weights
    concurrent = np.concatenate(
        [
            [weights.errors],
            np.full(LIMITS, weights.latency / LIMITS),
            np.full(len(settings.shares), weights.metric),
            np.full(LIMITS * len(settings.histograms), weights.metric / LIMITS),
        ]
    )
    # Nothing can be beyond its median twice as often, and low traffic says nothing about p99.9.
    past = np.array([weights.past, 0.0, *[weights.past_latency / 3] * 3, 0.0]) * past_known
    both = np.concatenate([np.broadcast_to(concurrent, (*past.shape[:-1], settings.outcomes)), past], axis=-1)
    scaled: Array = np.log(np.maximum(both / both.sum(axis=-1, keepdims=True), 1e-300))
    return scaled
