"""The candidate against the baseline's last day: evidence where the baseline of this moment is too small to be any.

A one-sample bet on each outcome, against "the bad share is at most twice what the last day knows":

    q0 = 2 * max(p_hist + 3 standard errors, recent baseline) + delta

It trusts that today is like yesterday, which no mathematics promises. So it is *vetoed* while the baseline itself looks
abnormal, taking back what it won since the last quiet half minute, and it is *confirmed* only when the baseline was seen
to be well since suspicion began, or could not be seen for long. Simulation has to bear this part out; the alpha that is
guaranteed is that of the concurrent comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tidegate.core.bound import surprise, upper_bound
from tidegate.core.clusters import ceiling
from tidegate.core.evalue import TINY, Array, Flags
from tidegate.core.history import History
from tidegate.core.latency_comparison import Bins, at, slower_than
from tidegate.core.mixture import NEVER, SIZES, alternatives, log_evidence

WINDOW = 30.0


@dataclass(frozen=True, slots=True)
class PastSettings:
    factor: float = 2.0
    alone: float = 8.0
    """The factor while there is no baseline at all (100 %)."""
    errors: float = 3.0
    """Standard errors that the history's share is raised by."""
    veto: float = 2.05
    """Standard deviations: P(a Poisson count is as large) < 2 %."""
    outage: float = 4.0
    """Standard deviations above twice the usual errors, from where the exposure is held as well."""
    cap: float = 15.0
    """Seconds after which suspicion counts though too little of the baseline was seen."""
    suspicion: float = 0.5
    """The share of ln(1/alpha) at which suspicion begins."""
    caution: float = 1.5
    """The clusters' excess over 1 is taken this much larger: alone, against a baseline of yesterday, bursts do not cancel."""
    enough: float = 200.0
    """Requests that a history must have."""


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """One row an outcome (last axis). `share` and `high`: what the history says, and with its errors added."""

    share: Array
    high: Array
    known: Flags
    log_m: Array
    banked: Array  # what a veto falls back to: half a minute to a minute old
    pending: Array
    quiet: Array  # seconds since the last veto or banking
    base_n: Array  # the baseline's last half minute
    base_e: Array
    cand_n: Array
    cand_e: Array
    age: Array  # seconds since suspicion began
    since_n: Array  # what the baseline showed since then
    since_e: Array
    vetoed: Flags


def begin(history: History, edges: Bins, phi: Array, settings: PastSettings) -> Past:
    """`edges`: the latency limits of this rollout."""
    shape = phi.shape
    slower = at(slower_than(history.bins), edges)
    e = np.concatenate([history.errors[..., None], slower], axis=-1)
    total = np.broadcast_to(history.bins.sum(axis=-1)[..., None], slower.shape)
    n = np.concatenate([history.requests[..., None], total], axis=-1)
    zero = np.zeros(shape)
    return Past(
        share=e / np.maximum(n, 1.0),
        high=upper_bound(e, n, settings.errors**2 * phi),
        known=n >= settings.enough,
        log_m=np.full((*shape, len(SIZES)), NEVER),
        banked=np.full((*shape, len(SIZES)), NEVER),
        pending=np.full((*shape, len(SIZES)), NEVER),
        quiet=zero,
        base_n=zero,
        base_e=zero,
        cand_n=zero,
        cand_e=zero,
        age=zero,
        since_n=zero,
        since_e=zero,
        vetoed=np.zeros(shape, dtype=bool),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """What one tick counted for each outcome, and what is known of the baseline from before it."""

    n_c: Array
    e_c: Array
    n_b: Array
    e_b: Array
    recent: Array
    phi: Array
    alone: Flags  # whether the exposure is 100 %
    span: float


def bet(past: Past, fresh: Fresh, log_omega: Array, delta: Array, settings: PastSettings) -> Past:
    """The past after one tick. `delta`: the margin in points of each outcome."""
    kept = float(np.exp(-fresh.span / WINDOW))
    base_n, base_e = past.base_n * kept + fresh.n_b, past.base_e * kept + fresh.e_b
    vetoed = surprise(base_e / fresh.phi, base_n * past.share / fresh.phi) > settings.veto
    log_s = np.where((past.known & ~vetoed)[..., None], _log_evidence_of(fresh, past.high, delta, settings), 0.0)
    quiet = np.where(vetoed, 0.0, past.quiet + fresh.span)
    banks = quiet >= WINDOW
    held = np.where(vetoed[..., None], np.minimum(past.log_m, past.banked), past.log_m)
    log_m = log_s + np.logaddexp(held, log_omega[..., None, None])
    return replace(
        past,
        log_m=log_m,
        banked=np.where(banks[..., None], past.pending, past.banked),
        pending=np.where(banks[..., None], log_m, np.minimum(past.pending, log_m)),
        quiet=np.where(banks, 0.0, quiet),
        base_n=base_n,
        base_e=base_e,
        cand_n=past.cand_n * kept + fresh.n_c,
        cand_e=past.cand_e * kept + fresh.e_c,
        vetoed=vetoed,
    )


def _log_evidence_of(fresh: Fresh, high: Array, delta: Array, settings: PastSettings) -> Array:
    """ln S^(1/phi) of this tick for every size: a likelihood ratio against the largest share that is still harmless."""
    factor = np.where(fresh.alone, settings.alone, settings.factor)[..., None]
    q0 = np.minimum(np.maximum(factor * np.maximum(high, fresh.recent) + delta, TINY), 0.999)
    c1, wide = alternatives(q0), q0[..., None]
    e = np.minimum(np.maximum(fresh.e_c, 0.0), fresh.n_c)
    log_s = e[..., None] * np.log(c1 / wide) + (fresh.n_c - e)[..., None] * (np.log1p(-c1) - np.log1p(-wide))
    ready = (fresh.n_c > 0)[..., None] & (c1 > wide)
    most = (ceiling(fresh.phi) * e)[..., None]
    return np.where(ready, np.minimum(log_s / fresh.phi[..., None], most), 0.0)


def judge(past: Past, fresh: Fresh, log_left: Array, log_limit: float, settings: PastSettings) -> tuple[Past, Array]:
    """ln E of each outcome, as far as it is confirmed, and the past with its suspicion noted."""
    log_e = log_evidence(past.log_m, log_left)
    suspects = log_e >= settings.suspicion * log_limit
    age = np.where(suspects, past.age + fresh.span, 0.0)
    since_n = np.where(suspects, past.since_n + fresh.n_b, 0.0)
    since_e = np.where(suspects, past.since_e + fresh.e_b, 0.0)
    candidate = past.cand_e / np.maximum(past.cand_n, 1e-9)
    alike = since_n * candidate  # bad outcomes of the baseline, were it as bad as the candidate
    # P(Poisson(alike) <= since_e) is about 1 % there: the baseline is well, not just lucky so far.
    well = (alike >= 4.6 + 2 * since_e) | ((age > settings.cap) & (since_e < 0.5))
    confirmed = well & ~past.vetoed
    shown = np.where(confirmed, log_e, np.minimum(log_e, settings.suspicion * log_limit))
    return replace(past, age=age, since_n=since_n, since_e=since_e), shown


def outage(past: Past, phi: Array, settings: PastSettings) -> Flags:
    """Whether the baseline itself has far more than twice the errors that its history knows: do not grow into that."""
    usual = past.base_n[..., 0] * past.high[..., 0] * settings.factor
    errors = surprise(past.base_e[..., 0] / phi[..., 0], usual / phi[..., 0])
    return past.known[..., 0] & (errors > settings.outage)
