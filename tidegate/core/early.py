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

from tidegate.core.evalue import TINY, Array, Block, Flags, Margin, Point, log_evalue, project
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


def bet(log_r: Array, block: Block, expected: Point, stake: Stake, settings: EarlySettings, *, rho: Array | float) -> Array:
    """ln of the reversed e-process of each outcome after this tick. `expected`: the shares of a healthy candidate."""
    toward = Point(np.minimum(np.maximum(expected.c, TINY), 0.98), np.minimum(np.maximum(expected.b, TINY), 0.98))
    margin = Margin(rho, np.asarray(settings.points))
    edge = margin.edge(toward.b)
    safe = Block(np.maximum(block.n_c, 1.0), block.e_c, np.maximum(block.n_b, 1.0), block.e_b)
    log_s = log_evalue(safe, toward, project(safe, toward, margin)) / stake.phi
    log_s = np.where(stake.closed & (toward.c < edge) & (edge < 1), log_s, 0.0)
    after: Array = np.minimum(log_r + log_s, settings.log_limit + settings.above)
    return after


def prove(proven: Flags, log_r: Array, settings: EarlySettings) -> Flags:
    """Which outcomes are proven: from when the process reaches 1/beta until it has turned round and fallen below beta."""
    return (log_r >= settings.log_limit) | (proven & (log_r > -settings.log_limit))
