"""From what a service file says about comparing to what the comparison is set to.

Apart from the file itself, for whoever only reads files has no need of numpy.
"""

from __future__ import annotations

from tidegate.core.compare_file import CompareFile, ErrorsMargin, LatencyMargin, parse_margin, parse_percent
from tidegate.core.comparison_settings import Settings, Weights
from tidegate.core.latency_comparison import Shift

FAR = 1.25 / 1.1
"""How much further than the margin early promotion looks."""


def settings_of(compare: CompareFile) -> Settings:
    """What is not compared has no weight, and its margins are the defaults."""
    usual = Weights()
    times, points = parse_margin((compare.errors or ErrorsMargin()).margin)
    slower = 1 + parse_percent((compare.latency or LatencyMargin()).margin)
    errors, latency = float(compare.errors is not None), float(compare.latency is not None)
    return Settings(
        alpha=parse_percent(compare.alpha),
        ratio=times,
        points=points,
        shares=tuple(own.name for own in compare.metrics if own.histogram is None),
        histograms=tuple(own.name for own in compare.metrics if own.histogram is not None),
        shift=Shift(slower, slower * FAR),
        weights=Weights(
            errors=usual.errors * errors,
            past=usual.past * errors,
            latency=usual.latency * latency,
            past_latency=usual.past_latency * latency,
            metric=usual.metric,
        ),
    )
