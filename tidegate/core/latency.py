"""Latency as counts in log-spaced bins, so that sums, differences and quantiles need no single value.

The edges lie on the bins of Envoy's histograms (two significant digits), at least 5 % apart: about 10 % where two digits
allow no finer, and 13 % at each power of ten. Counts read from a router therefore fall into exactly one bin.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

RATIO = 1.05


def _edges() -> tuple[int, ...]:
    edges: list[int] = []
    for decade in range(1, 8):
        for digits in range(10, 100):
            edge = digits * 10**decade
            if not edges or edge >= edges[-1] * RATIO - 1e-9:
                edges.append(edge)
    return tuple(edges)


EDGES = _edges()
"""Lower edges of the bins in microseconds, 100 us to 970 s. Bin i holds EDGES[i] <= latency < EDGES[i+1]; bin 0 holds
what is faster, too."""


def bin_of(microseconds: float) -> int:
    """The bin that this latency falls into."""
    return max(0, bisect.bisect_right(EDGES, microseconds) - 1)


def upper_edge(bin_: int) -> int:
    """The upper edge of a bin in microseconds."""
    return EDGES[min(bin_ + 1, len(EDGES) - 1)]


@dataclass(frozen=True, slots=True)
class Latencies:
    """How many requests took how long: bin -> count, without empty bins."""

    bins: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, microseconds: Iterable[float]) -> Latencies:
        bins: dict[int, int] = {}
        for value in microseconds:
            bins[bin_of(value)] = bins.get(bin_of(value), 0) + 1
        return cls(bins)

    @property
    def count(self) -> int:
        return sum(self.bins.values())

    def plus(self, other: Latencies) -> Latencies:
        if not self.bins or not other.bins:
            return self if self.bins else other
        bins = dict(self.bins)
        for bin_, count in other.bins.items():
            bins[bin_] = bins.get(bin_, 0) + count
        return Latencies(bins)

    def minus(self, earlier: Latencies) -> Latencies:
        """What came since an earlier reading of the same growing histogram."""
        if not earlier.bins:
            return self
        before = earlier.bins.get
        return Latencies({bin_: count - before(bin_, 0) for bin_, count in self.bins.items() if count > before(bin_, 0)})

    def slower_than(self, microseconds: float) -> int:
        """How many surely took longer; a bin that the limit cuts is not counted, nor the first: it begins at nothing."""
        return sum(count for bin_, count in self.bins.items() if bin_ and EDGES[bin_] >= microseconds)

    def quantile(self, share: float) -> float | None:
        """Latency in microseconds below which `share` (0..1) of the requests lie; None without requests.

        Linear within the bin, as Prometheus' histogram_quantile does.
        """
        total = self.count
        if total == 0:
            return None
        rank = share * total
        below = 0
        for bin_ in sorted(self.bins):
            count = self.bins[bin_]
            if below + count >= rank:
                low = 0 if bin_ == 0 else EDGES[bin_]
                return low + (upper_edge(bin_) - low) * max(0.0, rank - below) / count
            below += count
        return float(upper_edge(max(self.bins)))
