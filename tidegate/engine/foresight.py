"""Foresight: what is known of a service's traffic before a rollout, and what a plan will see and cost at it.

Reads only, from what the watcher saw last; safe to call from other threads than the loop's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from tidegate.core.compare_settings import settings_of
from tidegate.core.comparison_settings import Settings
from tidegate.core.environment import Released
from tidegate.core.exposure import WHOLE, Exposure
from tidegate.core.forecast import Course, Forecast, forecast, look_ahead
from tidegate.core.forecast_harm import Reins, Traffic
from tidegate.core.forecast_proof import slows_of
from tidegate.core.forecast_warnings import warn_of_blindness
from tidegate.core.history import History
from tidegate.core.past_comparison import PastSettings
from tidegate.core.plan import Plan
from tidegate.engine.comparing import ACT
from tidegate.engine.view import Figures

USUAL_ERRORS = 0.001
"""What is taken for the error share of a service that nobody knows."""
SOME = 200
"""Requests of the last seconds that say what share of them fails."""


class Grained(Protocol):
    @property
    def grain(self) -> Exposure: ...


class Watching(Protocol):
    """What it asks of the watcher."""

    def figures(self, service: str) -> Figures: ...

    def history(self, service: str) -> History: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a service before it gets a new version. Who says so: `now` the last seconds, `day` the last day, ""
    nobody.

    `a_day` says whether so much of the last day is remembered that a candidate is compared with it."""

    rate: float | None
    rate_from: str
    errors: float
    errors_from: str
    phi: float
    a_day: bool

    @property
    def traffic(self) -> Traffic | None:
        return None if self.rate is None else Traffic(self.rate, self.errors, self.phi)


class Foresight:
    def __init__(self, watcher: Watching, lever: Grained, tick: timedelta) -> None:
        self._watcher = watcher
        self._lever = lever
        self._tick = tick

    def known(self, service: str) -> Known:
        now, history = self._watcher.figures(service), self._watcher.history(service)
        a_day = float(history.requests) >= PastSettings().enough
        rate, rate_from = (now.per_second, "now") if now.per_second else (None, "")
        if rate is None and a_day:
            rate, rate_from = float(history.rate), "day"
        errors, errors_from = USUAL_ERRORS, ""
        if a_day:
            errors, errors_from = float(history.errors / history.requests), "day"
        elif now.error_rate is not None and now.requests >= SOME:
            errors, errors_from = now.error_rate, "now"
        return Known(rate, rate_from, errors, errors_from, float(history.clusters.phi[0]), a_day)

    def forecast(self, file: Released, plan: Plan, traffic: Traffic) -> Forecast:
        """Raises Invalid for a plan that is finer than the router."""
        plan.check_grain(self._lever.grain)
        settings = settings_of(file.compare)
        return forecast(self._course(file, plan), self._with_latency(traffic, file, settings), settings)

    def warnings(self, file: Released, plan: Plan) -> Sequence[str]:
        """What this plan will not see at the present traffic; nothing when that is not known."""
        traffic = self.known(file.subject).traffic
        if traffic is None or not file.compare.rollback:
            return ()
        course, settings = self._course(file, plan), settings_of(file.compare)
        traffic = self._with_latency(traffic, file, settings)
        return tuple(warn_of_blindness(course, look_ahead(course, traffic, settings), traffic, settings))

    def _course(self, file: Released, plan: Plan) -> Course:
        acts = file.compare.is_on and file.compare.rollback
        return Course.of(plan, Reins(acts, self._tick.total_seconds(), ACT, grain=self._lever.grain / WHOLE))

    def _with_latency(self, traffic: Traffic, file: Released, settings: Settings) -> Traffic:
        return replace(traffic, slows=slows_of(self._watcher.history(file.subject), settings))
