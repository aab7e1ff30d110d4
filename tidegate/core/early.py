"""Early promotion: the same e-value turned around, so that a healthy candidate need not wait.

The null is now "worse by a margin", `p_c >= rho p_b + Delta`, for errors and for each latency limit, where the candidate is
slower than 1.25 x as often as the baseline is slower than x, and a point more. The bet is on a candidate that is as the
baseline. When every one of them has reached 1/beta the candidate is not worse, and as *all* must, beta holds without any
correction (an intersection-union test; Berger 1982).

One process runs through all steps, so that beta holds over the whole rollout (Ville), and it is cut off a little above
1/beta: what was won early must not vouch for a fault that comes late. Cutting an e-process down leaves it one. Each step has
to prove it anew, and what is proven is so until the process has turned round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegate.core.evalue import Array, Flags, Margin, Wager
from tidegate.core.mixture import Stake


@dataclass(frozen=True, slots=True)
class EarlySettings:
    points: float = 0.01
    """Delta: one point."""
    beta: float = 0.05
    above: float = 3.0
    """How far above ln(1/beta) the process may rise."""

    @property
    def log_limit(self) -> float:
        return float(np.log(1 / self.beta))


def wager(e_c: Array, expected: Array, b1: Array, settings: EarlySettings, *, rho: Array | float) -> Wager:
    """`e_c`: those that were far too slow; `expected`: how often a healthy candidate is that, and `b1` the baseline itself."""
    edge = Margin(rho, settings.points).edge(b1)
    return Wager(expected[..., None], e_c[..., None], edge[..., None], np.asarray([settings.points]))


def settle(log_r: Array, made: Wager, log_s: Array, stake: Stake, settings: EarlySettings) -> Array:
    """ln of the reversed e-process of each outcome after this tick. Where the candidate could not be worse, nobody bets."""
    edge = made.edge[..., 0]
    log_s = np.where(stake.closed & (made.c[..., 0] < edge) & (edge < 1), log_s[..., 0] / stake.phi, 0.0)
    after: Array = np.minimum(log_r + log_s, settings.log_limit + settings.above)
    return after


def prove(proven: Flags, log_r: Array, settings: EarlySettings) -> Flags:
    """Which outcomes are proven: from when the process reaches 1/beta until it has turned round and fallen below beta."""
    return (log_r >= settings.log_limit) | (proven & (log_r > -settings.log_limit))
