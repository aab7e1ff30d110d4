"""What a service's baseline was like during the last day. The engine tells it every tick outside of rollouts and of the
baseline inside of them; a comparison begins with it.

Everything fades by e-folding in a day. The outcomes are errors and the five latency limits of `latency_comparison`, so that the
size of clusters is known for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegate.core import clusters as bursts
from tidegate.core.bound import surprise
from tidegate.core.clusters import Clusters
from tidegate.core.evalue import Array
from tidegate.core.latency_comparison import BINS, ENOUGH, QUANTILES, Bins, at, dense, quantile_edges, slower_than
from tidegate.core.tally import Tally

DAY = 86_400.0
REFRESH = 60.0
"""Seconds after which the latency limits are read anew."""
FAR = 2
"""Bins by which a limit moves before what was learned of its bursts is worth nothing."""
CALM = 6.0
"""Standard deviations above its expected errors from which the baseline counts as being in an outage."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Faded sums. `edges` are the present latency limits, `since` how old they are."""

    seconds: Array
    requests: Array
    errors: Array
    bins: Array
    clusters: Clusters
    edges: Bins
    since: float

    @classmethod
    def blank(cls, shape: tuple[int, ...] = ()) -> History:
        return cls(
            seconds=np.zeros(shape),
            requests=np.zeros(shape),
            errors=np.zeros(shape),
            bins=np.zeros((*shape, BINS)),
            clusters=Clusters.blank((*shape, 1 + len(QUANTILES))),
            edges=np.zeros((*shape, len(QUANTILES)), dtype=np.int64),
            since=REFRESH,
        )

    @property
    def rate(self) -> Array:
        """Requests a second."""
        rate: Array = self.requests / np.maximum(self.seconds, 1.0)
        return rate


def remember(history: History, requests: Array, errors: Array, bins: Array, span: float) -> History:
    """The history after one more tick of the baseline. An outage does not teach what bursts are like."""
    kept = float(np.exp(-span / DAY))
    known = history.bins.sum(axis=-1) >= ENOUGH
    edges, since, sizes = history.edges, history.since + span, bursts.forget(history.clusters, kept)
    if since >= REFRESH and known.any():
        edges, since = quantile_edges(history.bins), 0.0
        sizes = _restarted(sizes, np.abs(edges - history.edges))
    p = history.errors / np.maximum(history.requests, 1.0)
    phi = history.clusters.phi
    calm = (surprise(errors / phi[..., 0], requests * p / phi[..., 0]) < CALM) | (history.requests < ENOUGH)
    slow = at(slower_than(bins), edges)
    finished = np.where(known, bins.sum(axis=-1), 0.0)
    n = np.concatenate([requests[..., None], np.broadcast_to(finished[..., None], slow.shape)], axis=-1)
    e = np.concatenate([errors[..., None], slow * known[..., None]], axis=-1)
    return History(
        seconds=history.seconds * kept + span,
        requests=history.requests * kept + requests,
        errors=history.errors * kept + errors,
        bins=history.bins * kept + bins,
        clusters=bursts.observe(sizes, n, e, span, calm=calm[..., None]),
        edges=edges,
        since=since,
    )


def _restarted(sizes: Clusters, bins: Bins) -> Clusters:
    """After the limits moved by so many bins. A service that starts up is slow, and its first limits are not its own."""
    errors = np.zeros((*bins.shape[:-1], 1), dtype=bool)
    moved, far = (np.concatenate([errors, bins >= least], axis=-1)[..., None, :] for least in (0, FAR))
    return bursts.restart(sizes, moved=moved, afresh=far)


def remember_tally(history: History, baseline: Tally, span: float) -> History:
    """The same for one service, from what its router counted since the last tick."""
    return remember(
        history, np.asarray(float(baseline.finished)), np.asarray(float(baseline.failed)), dense(baseline.latency), span
    )
