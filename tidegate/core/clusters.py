"""Bad outcomes come in bursts: a pool runs dry, a user retries, a garbage collection stops a task for a second.

Counted as independent, a burst of three is three times too strong an evidence. The size of clusters is taken from the
baseline's own past: the variance of its counts about their local mean, over what independent requests would have,

    phi = sum (e - n p)^2 / sum e (1 - p)        p = the bad share of the time before

between 1 and 20, and each block's evidence is raised to 1/phi. Counts are taken over one second and over five, and the larger
phi holds, for a burst may last longer than a second.

That does justice to the variance of bursts, not to their tail: among bursts of five there is one of thirty now and then. If
the sizes are geometric with mean m (phi = 2m - 1), each further bad outcome of a burst is worth -ln(1 - 1/m) nats at most; no
block gets more than that for each of its bad outcomes.

Both are heuristics that simulation has to bear out (a quasi-likelihood, as in McCullagh and Nelder, section 9); the guaranteed
alpha is that of independent requests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tidegate.core.evalue import Array, Flags

SPANS = np.array([[0.999], [4.999]])
"""Seconds over which is counted, a hair less so that ticks add up to them."""
LOCAL = np.array([[10.0], [5.0]])
"""Over how many seconds the local mean forgets: short, or the wandering of a whole day would pass for bursts."""
_KEPT = np.exp(-SPANS / LOCAL)
_OWN = 1 + (1 - _KEPT) / (1 + _KEPT)
"""The reference is a mean of few: its own variance is in the difference, too."""
MOST = 20.0
NO_CEILING = 1e9
PRIOR_PHI, PRIOR_WEIGHT = 1.3, 5.0
"""What is believed before any burst was seen, and how many bad outcomes that belief is worth."""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The spans that are being counted, the local means, and the two sums. The last axes hold the spans and the outcomes."""

    span: Array
    n: Array
    e: Array
    local_n: Array
    local_e: Array
    squares: Array
    expected: Array

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Clusters:
        """`shape` ends with the number of outcomes."""
        both = (*shape[:-1], len(SPANS), shape[-1])
        return cls(np.zeros((*both[:-1], 1)), *(np.zeros(both) for _ in range(6)))

    @property
    def phi(self) -> Array:
        raw = (self.squares + PRIOR_PHI * PRIOR_WEIGHT) / (self.expected + PRIOR_WEIGHT)
        clipped: Array = np.minimum(np.maximum(raw.max(axis=-2), 1.0), MOST)
        return clipped


def ceiling(phi: Array) -> Array:
    """The most that one bad outcome may be worth, in nats. Without bursts to speak of (phi up to 1.5) there is none."""
    m = np.maximum((phi + 0.5) / 2, 1.0)
    worth: Array = -np.log1p(-1 / np.maximum(m, 1 + 1e-12))
    return np.where(m > 1, worth, NO_CEILING)


def observe(clusters: Clusters, n: Array, e: Array, span: float, *, calm: Flags) -> Clusters:
    """Counts one tick of the baseline. While the baseline is not `calm`, as in an outage, it says nothing about bursts."""
    n, e, whole = clusters.n + n[..., None, :], clusters.e + e[..., None, :], clusters.span + span
    full = whole >= SPANS
    learns = full & calm[..., None, :]
    kept = np.exp(-whole / LOCAL)
    p = clusters.local_e / np.maximum(clusters.local_n, 1.0)
    counts = learns & (clusters.local_n > 0)
    return Clusters(
        span=np.where(full, 0.0, whole),
        n=np.where(full, 0.0, n),
        e=np.where(full, 0.0, e),
        local_n=np.where(learns, clusters.local_n * kept + n, clusters.local_n),
        local_e=np.where(learns, clusters.local_e * kept + e, clusters.local_e),
        squares=clusters.squares + np.where(counts, (e - n * p) ** 2 / _OWN, 0.0),
        expected=clusters.expected + np.where(counts, e * (1 - p), 0.0),
    )


def forget(clusters: Clusters, kept: float) -> Clusters:
    """Lets the sums fade, so that a long memory stays a memory of the last day."""
    return replace(clusters, squares=clusters.squares * kept, expected=clusters.expected * kept)


def restart(clusters: Clusters, *, moved: Flags, afresh: Flags) -> Clusters:
    """Forgets the local mean of the outcomes whose limits have moved; and where they have moved far (`afresh`), what was
    learned of their bursts, too: it was that of another outcome."""
    kept, learned = np.where(moved, 0.0, 1.0), np.where(afresh, 0.0, 1.0)
    return replace(
        clusters,
        n=clusters.n * kept,
        e=clusters.e * kept,
        local_n=clusters.local_n * kept,
        local_e=clusters.local_e * kept,
        squares=clusters.squares * learned,
        expected=clusters.expected * learned,
    )
