"""The harm budget: let in only as many requests as may go wrong before anybody can act.

Inside every step the exposure is at most

    (H - done) * part / (U * rate * (tick + wait + act))

* U is an upper confidence bound of the candidate's bad share so far, less what the margin calls harmless: 1 before its first
  request, about z^2/n after n good ones. Where errors come in clusters of phi, n requests say no more than n/phi. A request
  that is in flight for longer than it should be may fail yet, and counts as bad here until it ends.
* `done` is what surely went wrong: what the candidate lost beyond the margin, and beyond what chance does.
* `wait` is how long it takes until the fate of a request is known: a candidate that hangs shows nothing before.
* `part` of what is left is risked, so that there is some left when it takes more than one look to be sure.

A version that is dead from its first request then costs about H requests whatever the traffic, and a healthy one grows as fast
as it proves itself. Evidence has its price all the same: where a service's own errors come in bursts of three, a fault is told
apart from a burst by two dozen failures at the earliest, whatever H is.
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
    part: float = 0.5
    """The share of what is left that is risked at once."""
    chance: float = 2.0
    """Standard deviations of what is harmless that are put down to chance."""
    longest: float = 5.0
    """Seconds that are waited at most until a request's fate is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """The candidate's requests so far, and those that were lost: failed, or begun and never finished. `pending`: those in
    flight now beyond what is right. `wait`: seconds until the fate of a request is known."""

    requests: Array
    lost: Array
    pending: Array
    wait: Array

    @classmethod
    def blank(cls, wait: Array) -> Budget:
        return cls(np.zeros(wait.shape), np.zeros(wait.shape), np.zeros(wait.shape), wait)


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """What the candidate is let into: the bad share up to which it is harmless, the size of the baseline's clusters, requests a
    second of both sides."""

    harmless: Array
    phi: Array
    rate: Array


def excess(budget: Budget, around: Around, settings: BudgetSettings) -> Array:
    """U: how much worse than what is harmless the candidate may be at most."""
    lost, requests = budget.lost + budget.pending, budget.requests + budget.pending
    most = upper_bound(lost / around.phi, requests / around.phi, settings.z2)
    bound: Array = np.maximum(most - around.harmless, settings.least)
    return bound


@dataclass(frozen=True, slots=True)
class Pace:
    """How many may go wrong (`harm`), and for how long nobody can act: one tick to see it, `act` to send users back."""

    harm: float
    tick: float
    act: float = 1.0


def allowed(budget: Budget, around: Around, pace: Pace, settings: BudgetSettings) -> Array:
    """The exposure (0..1) that the budget allows at this rate."""
    usual = around.harmless * budget.requests
    done = np.maximum(budget.lost - usual - settings.chance * np.sqrt(around.phi * usual), 0.0)
    left = np.maximum(pace.harm - done, 0.0) * settings.part
    until = pace.tick + budget.wait + pace.act
    share: Array = np.minimum(left / np.maximum(excess(budget, around, settings) * around.rate * until, 1e-9), 1.0)
    return share
