"""The course of a rollout: how exposure, both sides and the evidence went over time, for people who look at it.

It is bounded: when it is full, every other point goes and the rest are taken half as often, so that an hour and a day take
the same room. It is kept beside what was watched of the rollout, and outlives the controller and the rollout's end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

from tidegate.core.exposure import WHOLE, Exposure
from tidegate.engine.view import Figures

MOST = 240
EVERY = 1.0
"""Seconds between two points, in the beginning."""


@dataclass(frozen=True, slots=True)
class Point:
    """One moment, `at` seconds after the rollout was made. Shares are of 1, rates a second, latencies milliseconds; None
    where nothing was seen. `evidence` is the way to its limit: 0 while nothing speaks against the candidate, 1 there."""

    at: float
    wanted: float
    applied: float | None = None
    served: float | None = None
    baseline_rate: float | None = None
    candidate_rate: float | None = None
    baseline_errors: float | None = None
    candidate_errors: float | None = None
    baseline_p99: float | None = None
    candidate_p99: float | None = None
    evidence: float | None = None


NAMES = tuple(one.name for one in fields(Point))


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a point is made of."""

    created: datetime
    now: datetime
    wanted: Exposure
    applied: Exposure | None
    served: float | None = None
    figures: Mapping[str, Figures] = field(default_factory=dict)
    log_evidence: float | None = None
    limit: float = 1.0

    @property
    def at(self) -> float:
        return round((self.now - self.created) / timedelta(seconds=1), 1)

    @property
    def share(self) -> float | None:
        return None if self.applied is None else self.applied / WHOLE

    @property
    def climbed(self) -> float | None:
        """How far the evidence is on its way, by the logarithm: it multiplies."""
        if self.log_evidence is None or self.limit <= 1:
            return None
        return round(min(1.0, max(0.0, self.log_evidence / math.log(self.limit))), 3)


def point_of(drawn: Drawn) -> Point:
    baseline, candidate = drawn.figures.get("baseline", Figures()), drawn.figures.get("candidate", Figures())
    return Point(
        at=drawn.at,
        wanted=drawn.wanted / WHOLE,
        applied=drawn.share,
        served=_short(drawn.served),
        baseline_rate=_short(baseline.per_second),
        candidate_rate=_short(candidate.per_second),
        baseline_errors=_short(baseline.error_rate),
        candidate_errors=_short(candidate.error_rate),
        baseline_p99=_short(baseline.p99),
        candidate_p99=_short(candidate.p99),
        evidence=drawn.climbed,
    )


@dataclass(frozen=True, slots=True)
class Course:
    points: tuple[Point, ...] = ()
    every: float = EVERY

    def due(self, drawn: Drawn) -> bool:
        """When it is time, and at once when the exposure has changed or the evidence has reached its limit."""
        if not self.points:
            return True
        last, at = self.points[-1], drawn.at
        changed = drawn.share != last.applied or (drawn.climbed == 1 and last.evidence != 1)
        return at - last.at >= self.every - 0.05 or (changed and at > last.at)

    def add(self, point: Point) -> Course:
        points = (*self.points, point)
        if len(points) <= MOST:
            return Course(points, self.every)
        return Course((points[0], *points[2:-1:2], points[-1]), self.every * 2)

    def after(self, at: float) -> Sequence[Point]:
        return [point for point in self.points if point.at > at]

    def to_rows(self) -> list[list[float | None]]:
        return [row_of(point) for point in self.points]

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[float | None]]) -> Course:
        """Raises TypeError or ValueError for what `to_rows` did not write."""
        points = [Point(*_numbers(row)) for row in rows]
        every = EVERY
        while len(points) >= MOST // 2 and every < (points[-1].at - points[0].at) / MOST:
            every *= 2
        return cls(tuple(points), every)


def _numbers(row: Sequence[float | None]) -> tuple[float, ...]:
    at, *rest = row
    if not isinstance(at, int | float) or not all(one is None or isinstance(one, int | float) for one in rest):
        raise ValueError(f"{row!r} is no point of a course.")
    return (at, *rest)  # type: ignore[arg-type]  # None is where a Point allows it, but for `wanted`, which is always known


def row_of(point: Point) -> list[float | None]:
    return [getattr(point, name) for name in NAMES]


def _short(value: float | None) -> float | None:
    """Three digits: nobody sees more in a picture."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.3g}")
