"""The harm budget: let in only as many requests as may go wrong before anybody can act.

Inside every step the exposure is at most

    H / (U * rate * (tick + act))

where U is an upper confidence bound of the candidate's excess bad share so far: 1 before its first request, about z^2/n after n
good ones. A version that is dead from its first request then costs about H requests whatever the traffic, and a healthy one
grows as fast as it proves itself. What already went wrong is taken off the budget.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegate.core.bound import upper_bound
from tidegate.core.evalue import Array


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    z2: float = 3.84
    """The bound's z^2: 97.5 % on this side."""
    least: float = 1e-4
    """No excess is held to be smaller."""


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """The candidate's requests so far, and those that were lost: failed, or begun and never finished."""

    requests: Array
    lost: Array

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Budget:
        return cls(np.zeros(shape), np.zeros(shape))


def excess(budget: Budget, baseline: Array, settings: BudgetSettings) -> Array:
    """U: how much worse than the baseline's share the candidate may be at most."""
    bound: Array = np.maximum(upper_bound(budget.lost, budget.requests, settings.z2) - baseline, settings.least)
    return bound


@dataclass(frozen=True, slots=True)
class Pace:
    """How many may go wrong (`harm`), and for how long nobody can act: one tick to see it, `act` to send users back."""

    harm: float
    tick: float
    act: float = 1.0


def allowed(budget: Budget, baseline: Array, rate: Array, pace: Pace, settings: BudgetSettings) -> Array:
    """The exposure (0..1) that the budget allows at this rate (requests a second of both sides)."""
    done = np.maximum(budget.lost - baseline * budget.requests, 0.0)
    left = np.maximum(pace.harm - done, 0.0)
    share: Array = np.minimum(left / np.maximum(excess(budget, baseline, settings) * rate * (pace.tick + pace.act), 1e-9), 1.0)
    return share
