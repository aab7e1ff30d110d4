"""What a plan will see and cost at a given traffic, told before it starts: `tidegate forecast`.

Per step the requests that it gathers and the smallest fault that it finds with probability 0.9; for versions that fail all, a
fifth, a twentieth or a fiftieth of their requests from the start the harm that they do until they are gone; how long a healthy
version takes, also where a step is held for longer because it gathers too little; and, where the plan cannot see what it
should, what would.

No chance is drawn here (`power`, `forecast_harm`). Simulation shows how far that holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tidegate.core import forecast_proof, power
from tidegate.core.comparison_settings import Settings
from tidegate.core.exposure import WHOLE
from tidegate.core.forecast_harm import HarmForecast, Held, Reins, Traffic, harm_of
from tidegate.core.forecast_warnings import warn
from tidegate.core.plan import Plan, Unsure

FAULTS = (1.0, 0.2, 0.05, 0.02)
EXTENDED = 2
"""`extend`: a step without enough data is held for up to this many times its hold."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One step: the exposure (0..1), for how many seconds it is held, and after how many it may end early; None: it may not."""

    exposure: float
    seconds: float
    least: float | None = None

    @property
    def is_compared(self) -> bool:
        """Whether both sides have users, and time is taken to look."""
        return 0 < self.exposure < 1 and self.seconds > 0


@dataclass(frozen=True, slots=True)
class Course:
    """A plan as a forecast goes along it. `deadline` in seconds."""

    steps: tuple[Planned, ...]
    reins: Reins = field(default_factory=Reins)
    no_data: Unsure = Unsure.EXTEND
    deadline: float = math.inf

    @classmethod
    def of(cls, plan: Plan, reins: Reins) -> Course:
        steps = tuple(
            Planned(step.exposure / WHOLE, step.hold.total_seconds(), _seconds(step.least) if reins.acts else None)
            for step in plan.steps
        )
        return cls(steps, replace(reins, harm=plan.harm), plan.unsure_no_data, plan.deadline.total_seconds())


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


@dataclass(frozen=True, slots=True)
class StepForecast:
    """`seconds`: how long a healthy version is held there. `detectable`: the smallest fault found with probability 0.9 by then,
    None when not even a dead version is; `needed`: seconds that it takes to find one of `must_see`, None when none would do;
    `proven`: it ends early, for by then the candidate is proven to be not worse."""

    exposure: float
    seconds: float
    requests: float
    detectable: float | None
    needed: float | None
    proven: bool

    @property
    def sees(self) -> bool:
        return self.proven or (self.needed is not None and self.needed <= self.seconds)


@dataclass(frozen=True, slots=True)
class Forecast:
    steps: tuple[StepForecast, ...]
    harms: tuple[HarmForecast, ...]
    seconds: float  # how long a healthy version takes
    warnings: tuple[str, ...]  # each with what would help


def forecast(course: Course, traffic: Traffic, settings: Settings) -> Forecast:
    steps = look_ahead(course, traffic, settings)
    patient = [_extended(step, _needed(step, traffic, settings), course) for step in course.steps]
    harms = tuple(harm_of(fault, patient, traffic, settings, course.reins) for fault in FAULTS)
    total = sum(step.seconds for step in steps)
    return Forecast(steps, harms, total, tuple(warn(course, steps, harms, traffic, settings)))


def look_ahead(course: Course, traffic: Traffic, settings: Settings) -> tuple[StepForecast, ...]:
    """What each step will see of a healthy version."""
    stays = _healthily(course, traffic, settings)
    return tuple(_step(step, stay, traffic, settings) for step, stay in zip(course.steps, stays, strict=True))


def _step(step: Planned, stay: Stay, traffic: Traffic, settings: Settings) -> StepForecast:
    n_c, n_b = (traffic.rate * stay.seconds * share for share in (step.exposure, 1 - step.exposure))
    if not step.is_compared or not settings.weights.errors:
        return StepForecast(step.exposure, stay.seconds, n_c, None, None, stay.proven)
    seen = power.detectable(n_c, n_b, traffic.errors, traffic.phi, settings)
    return StepForecast(step.exposure, stay.seconds, n_c, seen, _needed(step, traffic, settings), stay.proven)


def _needed(step: Planned, traffic: Traffic, settings: Settings) -> float | None:
    """Seconds until a fault of `must_see` is found at this exposure with probability 0.9."""
    if not step.is_compared or not settings.weights.errors or not traffic.rate:
        return None
    needed = power.needed(settings.must_see, traffic.errors, (1 - step.exposure) / step.exposure, traffic.phi, settings)
    return needed / (traffic.rate * step.exposure) if math.isfinite(needed) else None


# --- How long a step is held ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stay:
    seconds: float
    proven: bool = False


def _extended(step: Planned, needed: float | None, course: Course) -> Held:
    """As long as it takes to see enough, where the plan extends: of a version that is not proven to be well."""
    if not (step.is_compared and course.reins.acts and course.no_data is Unsure.EXTEND):
        return Held(step.exposure, step.seconds)
    wanted = math.inf if needed is None else needed
    return Held(step.exposure, min(max(step.seconds, wanted), EXTENDED * step.seconds))


def _healthily(course: Course, traffic: Traffic, settings: Settings) -> Iterator[Stay]:
    """A step that may end early does when the candidate is proven to be not worse; the proof is gathered from step to step."""
    wanted, gathered = forecast_proof.wanted(settings), 0.0
    for step in course.steps:
        longest = _extended(step, _needed(step, traffic, settings), course).seconds
        if step.least is None or not step.is_compared:
            yield Stay(longest)
            continue
        gains = _proving(step.exposure, traffic, settings)
        early = max(step.least, max(0.0, wanted - gathered) / gains if gains else math.inf)
        early = _whole_looks(early, course.reins.tick)
        stay = Stay(early, proven=True) if early <= step.seconds else Stay(longest)
        gathered += stay.seconds * gains
        yield stay


def _whole_looks(seconds: float, tick: float) -> float:
    """A step is left at a look, never between two."""
    return tick * math.ceil(seconds / tick - 1e-9) if math.isfinite(seconds) else seconds


def _proving(exposure: float, traffic: Traffic, settings: Settings) -> float:
    """Nats a second."""
    per_request = forecast_proof.gain(exposure, errors=traffic.errors, phi=traffic.phi, slows=traffic.slows, settings=settings)
    return traffic.rate * exposure * per_request
