"""What the measurements of one metric in one period add up to, and the figure that a statistic makes of it.

gauge      every measurement is a sample
counter    every two looks at a task make one sample: by how much it grew in a second. `average` is weighted by time, so it is
           the growth a second and task; `sum` is the growth of all tasks in the period
histogram  the observations between looks are the samples, known by their sum, their count and their buckets

Measurements may come in any order. Percentiles of gauges and counters keep three digits of each value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tidegate.core.metric_name import percentile


class Kind(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Bucket:
    """`bounds` are a histogram's: how many observations were at most so large, by the `le` as it was written."""

    count: float = 0
    total: float = 0.0
    seconds: float = 0.0
    low: float | None = None
    high: float | None = None
    values: Mapping[float, int] = field(default_factory=dict)
    bounds: Mapping[str, float] = field(default_factory=dict)

    def sampled(self, value: float, *, exact: bool = True) -> Bucket:
        """A gauge's sample. `exact` keeps what percentiles need."""
        rounded = float(f"{value:.3g}")
        return replace(
            self,
            count=self.count + 1,
            total=self.total + value,
            low=value if self.low is None else min(self.low, value),
            high=value if self.high is None else max(self.high, value),
            values={**self.values, rounded: self.values.get(rounded, 0) + 1} if exact else self.values,
        )

    def grown(self, growth: float, seconds: float, *, part: float = 1.0, exact: bool = True) -> Bucket:
        """A counter's growth in so many seconds, of which a part belongs here."""
        rate = self.sampled(growth / seconds, exact=exact)
        return replace(rate, total=self.total + growth * part, seconds=self.seconds + seconds * part)

    def observed(self, *, count: float, total: float, bounds: Mapping[str, float], part: float = 1.0) -> Bucket:
        """A histogram's growth, of which a part belongs here."""
        return replace(
            self,
            count=self.count + count * part,
            total=self.total + total * part,
            bounds={**self.bounds, **{le: self.bounds.get(le, 0.0) + more * part for le, more in bounds.items()}},
        )

    def figure(self, statistic: str, kind: Kind) -> float | None:
        """None where there is nothing to make it of."""
        match statistic:
            case "count":
                return float(self.count)
            case "sum":
                return self.total if self.count or kind is Kind.HISTOGRAM else None
            case "average" if kind is Kind.COUNTER:
                return self.total / self.seconds if self.seconds else None
            case "average":
                return self.total / self.count if self.count else None
            case "minimum":
                return self._within(0.0) if kind is Kind.HISTOGRAM else self.low
            case "maximum":
                return self._within(1.0) if kind is Kind.HISTOGRAM else self.high
        share = percentile(statistic)
        if share is None:
            return None
        return self._within(share) if kind is Kind.HISTOGRAM else self._ranked(share)

    def _ranked(self, share: float) -> float | None:
        """The smallest value that this share of the samples does not exceed."""
        rank, below = share * sum(self.values.values()), 0
        for value in sorted(self.values):
            below += self.values[value]
            if below >= rank:
                return value
        return None

    def _within(self, share: float) -> float | None:
        """As Prometheus' histogram_quantile: linear within its step, and the last finite bound for what is beyond it."""
        steps = [step for step in self._steps() if step[2] > 0]
        rank, below = share * sum(count for _, _, count in steps), 0.0
        for low, high, count in steps:
            if below + count >= rank:
                return low if math.isinf(high) else min(high, low + (high - low) * max(0.0, rank - below) / count)
            below += count
        return None

    def _steps(self) -> Iterator[tuple[float, float, float]]:
        """Lower bound, upper bound and observations between. Tasks may have unlike bounds, but counts never fall."""
        low, below = 0.0, 0.0
        for bound, count in sorted((float(le), count) for le, count in self.bounds.items()):
            yield min(low, bound), bound, max(0.0, count - below)
            low, below = bound, max(below, count)
