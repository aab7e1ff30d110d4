"""Latency as yes/no outcomes: is the candidate slower than 1.1 x as often as the baseline is slower than x?

For x in the baseline's p50, p75, p90, p99 and p99.9, each a 2x2 comparison with rho = 1 and delta = 0, for the margin is in
the shift. No distribution is assumed, and a candidate that is 5 % slower everywhere is harmless at every x. All limits lie on
the edges of the shared bins, rounded up for the candidate, so counts read from a router are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tidegate.core.evalue import Array
from tidegate.core.latency import EDGES, Latencies

BINS = len(EDGES)
QUANTILES = np.array([0.5, 0.75, 0.9, 0.99, 0.999])
ENOUGH = 200.0
"""Requests of the baseline from which its quantiles are read; before that latency does not bet."""

Bins = NDArray[np.int64]
_EDGES = np.array(EDGES, dtype=np.float64)
_MIDDLES = np.append((_EDGES[:-1] + _EDGES[1:]) / 2, _EDGES[-1])
UNKNOWN = 1e9
"""Seconds: longer than any request."""


@lru_cache(maxsize=64)
def _shifted(ratio: float) -> Bins:
    """For each edge the first edge that is at least `ratio` times as far."""
    return np.minimum(np.searchsorted(_EDGES, _EDGES * ratio - 1e-6), BINS - 1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Shift:
    """What "slower" means: 10 % for a fault, 25 % for what early promotion must rule out."""

    slower: float = 1.1
    far: float = 1.25

    def edges(self, x: Bins) -> tuple[Bins, Bins]:
        return _shifted(self.slower)[x], _shifted(self.far)[x]


def dense(latencies: Latencies) -> Array:
    """Counts by bin as an array."""
    counts = np.zeros(BINS)
    for bin_, count in latencies.bins.items():
        counts[bin_] = count
    return counts


def slower_than(bins: Array) -> Array:
    """How many took at least as long as each edge."""
    total: Array = bins[..., ::-1].cumsum(axis=-1)[..., ::-1]
    return total


def at(slower: Array, edges: Bins) -> Array:
    """The counts of `slower_than` at these edges."""
    rows = slower.reshape(-1, BINS)
    found: Array = rows[np.arange(len(rows))[:, None], edges.reshape(len(rows), -1)].reshape(edges.shape)
    return found


def quantile_edges(bins: Array, quantiles: Array = QUANTILES) -> Bins:
    """For each quantile the first edge that at most its share of requests reaches."""
    slower = slower_than(bins)
    share = slower / np.maximum(slower[..., :1], 1e-9)
    above = (share[..., None, :] > (1 - quantiles)[:, None] + 1e-12).sum(axis=-1)
    edges: Bins = np.minimum(above, BINS - 1).astype(np.int64)
    return edges


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """The limits of a rollout for each histogram (axis before last), read once from the baseline and then kept: what is
    compared must not follow what it is compared with. `bins` gathers the baseline until there is enough to read."""

    bins: Array  # (..., histograms, bins)
    edges: Bins  # (..., histograms, quantiles)
    known: NDArray[np.bool_]  # (..., histograms)
    mean: Array  # (..., histograms) in seconds; infinite while not known

    @classmethod
    def of(cls, bins: Array) -> Limits:
        known = bins.sum(axis=-1) >= ENOUGH
        total = np.maximum(bins.sum(axis=-1), 1.0)
        mean = np.where(known, (bins * _MIDDLES).sum(axis=-1) / total / 1e6, UNKNOWN)
        return cls(np.where(known[..., None], 0.0, bins), quantile_edges(bins), known, mean)


def gather(limits: Limits, baseline: Array) -> Limits:
    """The limits after one more tick of the baseline."""
    if limits.known.all():
        return limits
    after = Limits.of(limits.bins + np.where(limits.known[..., None], 0.0, baseline))
    edges = np.where(limits.known[..., None], limits.edges, after.edges)
    return Limits(after.bins, edges, after.known | limits.known, np.where(limits.known, limits.mean, after.mean))


def shares_at(bins: Array, edges: Bins) -> Array:
    """The share of requests that reach these edges."""
    slower = slower_than(bins)
    share: Array = at(slower, edges) / np.maximum(slower[..., :1], 1.0)
    return share


def seconds_at(edges: Bins) -> Array:
    """These edges in seconds."""
    found: Array = _EDGES[edges] / 1e6
    return found
