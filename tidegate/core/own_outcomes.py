"""Users' own metrics as outcomes of the two sides: what came since the last tick of a comparison, by version.

What tasks expose are counters: their growth counts. One that is smaller than before was begun anew, and counts from zero; of
a task that nobody looked at before, nobody knows how long it had been counting: its first look adds nothing. What is pushed
counts as it comes: values of `bad` and `of` are added up, each value of a `histogram` is one observation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tidegate.core.compare_file import OwnMetric
from tidegate.core.comparison_input import Outcomes
from tidegate.core.latency import Latencies, bin_of
from tidegate.core.metric_name import MetricName, Source, parse_metric_name
from tidegate.core.metric_series import Measured, is_of

MOST_COUNTERS = 10_000
"""Label sets that are remembered; what is beyond is not counted."""

Place = tuple[str, str, str]
"""Version, metric as it is asked for, and the upper bound of the bucket ("" for what has none)."""


@dataclass(frozen=True, slots=True)
class OwnOutcomes:
    tasks: frozenset[str] = frozenset()  # that were looked at
    stood: Mapping[str, float] = field(default_factory=dict)  # where each counter stood then
    grown: Mapping[Place, float] = field(default_factory=dict)

    def scraped(
        self,
        metrics: Iterable[OwnMetric],
        measured: Iterable[Measured],
        tasks: Iterable[str],
        *,
        source: Source = Source.TASKS,
    ) -> OwnOutcomes:
        """One look at what tasks expose, or at what a server collected of them. `tasks` are those that answered."""
        stood, grown = dict(self.stood), dict(self.grown)
        for text, one in _mine(metrics, measured, source):
            key = f"{one.task}|{text}|{sorted(one.labels.items())}"
            before = stood.get(key, 0.0 if one.task in self.tasks else None)
            if key not in stood and len(stood) >= MOST_COUNTERS:
                continue
            stood[key] = one.value
            if before is not None:
                more = one.value - before if one.value >= before else one.value
                place = (one.version, text, one.labels.get("le", ""))
                grown[place] = grown.get(place, 0.0) + more
        return OwnOutcomes(self.tasks | frozenset(tasks), stood, grown)

    def pushed(self, metrics: Iterable[OwnMetric], measured: Iterable[Measured]) -> OwnOutcomes:
        """One look at what was pushed. What was pushed without a version is of neither side."""
        asked = tuple(metrics)
        observed = {own.histogram for own in asked}
        grown = dict(self.grown)
        for text, one in _mine(asked, measured, Source.PUSHED):
            if text in observed:
                place, more = (one.version, text, f"{one.value:.9g}"), 1.0
            else:
                place, more = (one.version, text, ""), max(0.0, one.value)
            if one.version and (place in grown or len(grown) < MOST_COUNTERS):
                grown[place] = grown.get(place, 0.0) + more
        return replace(self, grown=grown)

    def taken(self) -> OwnOutcomes:
        """What is left once a comparison has been told."""
        return replace(self, grown={})

    def of(self, metrics: Iterable[OwnMetric], version: str) -> Outcomes:
        """What came of this version."""
        shares: dict[str, tuple[int, int]] = {}
        histograms: dict[str, Latencies] = {}
        for own in metrics:
            if own.histogram is not None:
                histograms[own.name] = self._latencies(version, own.histogram)
            elif own.bad is not None and own.of is not None:
                bad, tried = (round(self.grown.get((version, asked, ""), 0.0)) for asked in own.asked)
                shares[own.name] = (max(tried, bad), bad)
        return Outcomes(shares, histograms)

    def _latencies(self, version: str, metric: str) -> Latencies:
        bounds = {float(le): count for (of, text, le), count in self.grown.items() if (of, text) == (version, metric) and le}
        if parse_metric_name(metric).source is Source.PUSHED:
            return Latencies.of(le * 1e6 for le, count in bounds.items() for _ in range(round(count)))
        return _buckets(bounds)


def _buckets(bounds: Mapping[float, float]) -> Latencies:
    """Each bucket counts all up to its bound. What is in it alone lies in the bin just below that bound."""
    bins: dict[int, int] = {}
    below, last = 0, 0.0
    for le, count in sorted(bounds.items()):
        last = le if le != float("inf") else last * 2
        here = round(count) - below
        if here > 0:
            bin_ = bin_of(last * 1e6 * (1 - 1e-9))
            bins[bin_] = bins.get(bin_, 0) + here
            below += here
    return Latencies(bins)


def _mine(metrics: Iterable[OwnMetric], measured: Iterable[Measured], source: Source) -> Iterable[tuple[str, Measured]]:
    """Each value that one of these metrics asks for, with the metric as it was asked for."""
    asked = [(text, name) for own in metrics for text in own.asked if (name := parse_metric_name(text)).source is source]
    for one in measured if asked else ():
        for text, name in asked:
            if _is_asked_for(one, text, name) and (one.kind != "histogram" or "le" in one.labels):
                yield text, one


def _is_asked_for(one: Measured, text: str, name: MetricName) -> bool:
    """A query's answers come under the name of the query."""
    return one.metric == text if name.source is Source.PROMETHEUS else is_of(one, name) and name.selects(one.labels)
