"""Unknown size, unknown start: one bet for each size of fault and each moment at which it may begin.

Sizes: the candidate's share on the edge of the null, moved by fixed steps on the logit scale. Start times: a
Shiryaev-Roberts mixture with a *proper* prior omega (its sum is at most 1), so that for every size k

    M[k] <- S[k] * (M[k] + omega_t)        E = mean_k M[k] + the prior mass not yet spent

and E is an e-process: P(sup E >= 1/alpha) <= alpha (Ville). Nothing is ever reset at a step. (Shiryaev 1963, Roberts 1966;
with a proper prior as in Shin, Ramdas and Rinaldo, "E-detectors", 2022.) All in logarithms.

The prior: 40 % at the first tick, for most faults are there from the start; 20 % spread over the planned changes of
exposure, for load is what breaks the rest; 30 % over the planned ticks; 10 % in reserve for ticks beyond the plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegate.core.clusters import ceiling
from tidegate.core.evalue import Array, Flags, Margin, Wager, expit, logit

NEVER = -1e9
"""The logarithm of nothing. A plain number, so that stored state is plain JSON."""
SIZES = np.array([0.3, 0.6, 1.1, 2.0, 3.2, 4.8, 8.0])
WORST = 0.98
"""No alternative says "always bad": one good request would refute it for ever."""
_RESERVE_SUM = 2.10974
"""Sum of 1/(t ln^2 t) over t = 2, 3, ..."""


@dataclass(frozen=True, slots=True)
class Prior:
    """How the mass of omega is laid over the plan."""

    planned_ticks: float
    planned_changes: float
    start: float = 0.4
    changes: float = 0.2
    ticks: float = 0.3
    reserve: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """Ticks and changes of exposure so far, and the prior mass that they spent."""

    ticks: Array
    changes: Array
    spent: Array

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Calendar:
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape))

    @property
    def log_left(self) -> Array:
        left: Array = np.log(np.maximum(1 - self.spent, 1e-300))
        return left


def spend(prior: Prior, calendar: Calendar, changed: Flags) -> tuple[Calendar, Array]:
    """The calendar after this tick, and ln omega of it. `changed`: whether the exposure changed since the last one."""
    first = calendar.ticks == 0
    beyond = np.maximum(calendar.ticks - prior.planned_ticks, 0.0) + 2
    within = calendar.ticks < prior.planned_ticks
    omega = (
        np.where(first, prior.start, 0.0)
        + np.where(changed & ~first & (calendar.changes < prior.planned_changes), prior.changes, 0.0)
        / max(prior.planned_changes, 1.0)
        + np.where(
            within, prior.ticks / max(prior.planned_ticks, 1.0), prior.reserve / (_RESERVE_SUM * beyond * np.log(beyond) ** 2)
        )
    )
    after = Calendar(calendar.ticks + 1, calendar.changes + (changed & ~first), calendar.spent + omega)
    return after, np.log(omega)


def alternatives(edge: Array) -> Array:
    """The candidate's shares to bet on, on a new last axis, given the share at which the null ends."""
    edge = np.minimum(np.maximum(edge, 1e-9), 0.999)[..., None]
    shares: Array = np.minimum(expit(logit(edge) + SIZES), WORST)
    return shares


@dataclass(frozen=True, slots=True, eq=False)
class Stake:
    """Which outcomes' blocks have closed, how large their clusters are, and ln omega of this tick."""

    closed: Flags
    phi: Array
    log_omega: Array


def wager(e_c: Array, b1: Array, margin: Margin) -> Wager:
    """One bet for each size. `b1` is the baseline's plug-in share, from before the block in which `e_c` were bad."""
    edge = margin.edge(b1)
    return Wager(alternatives(edge), e_c[..., None], edge[..., None], np.asarray(margin.delta)[..., None])


def settle(log_m: Array, made: Wager, log_s: Array, stake: Stake) -> Array:
    """ln M after this tick, for every size on the last axis. Where the block has not closed, nothing is won or lost.

    No bad outcome is worth more than the clusters' ceiling: a smaller e-value is one still. `phi` is the size of clusters:
    S^(1/phi) (see `clusters`; E[S^(1/phi)] <= E[S]^(1/phi) <= 1 by Jensen). An alternative that lies inside of the null, as
    when the baseline itself is nearly always bad, does not bet.
    """
    log_s = np.minimum(log_s / stake.phi[..., None], ceiling(stake.phi)[..., None] * made.e_c)
    log_s = np.where(stake.closed[..., None] & (made.c > made.edge), log_s, 0.0)
    return log_s + np.logaddexp(log_m, stake.log_omega[..., None, None])


def log_evidence(log_m: Array, log_left: Array) -> Array:
    """ln E: the mean over sizes, and what was not yet bet."""
    mean = np.logaddexp.reduce(log_m, axis=-1) - np.log(log_m.shape[-1])
    total: Array = np.logaddexp(mean, log_left)
    return total
