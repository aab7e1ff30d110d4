"""What the controller answers, as the CLI shows it. Every text is cleaned once, here; unknown keys are left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, TypeAdapter

from tidegate.cli.screen import clean_line
from tidegate.core.duration import Duration

Words = Annotated[str, AfterValidator(clean_line)]


@dataclass(frozen=True, slots=True)
class Figures:
    requests: int = 0
    failed: int = 0
    unfinished: int = 0
    per_second: float | None = None
    error_rate: float | None = None
    p50: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class Side:
    version: Words
    tasks: int
    healthy: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Step:
    exposure: Words
    hold: Duration
    gate: Words = ""
    hook: bool = False
    least: Duration | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    name: Words
    state: Words
    figure: Words = ""
    limit: Words = ""
    why: Words = ""
    rollback: bool = True


@dataclass(frozen=True, slots=True)
class Harm:
    requests: int
    finished: int
    failed: int
    rescued: int
    seen: int
    rate: float | None
    baseline_rate: float | None
    most: Words
    time_to_detect: Words | None
    time_to_act: Words | None
    slow: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    name: Words
    candidate_requests: int
    candidate_bad: int
    baseline_requests: int
    baseline_bad: int
    evidence: float
    past: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    standing: Words
    sentence: Words
    evidence: float
    limit: float
    missing: int = 0
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    id: Words
    service: Words
    baseline: Words
    candidate: Words
    plan: Words
    steps: tuple[Step, ...]
    phase: Words
    in_flight: bool
    step: int
    wanted: Words
    applied: Words | None
    served: float | None
    watched: Duration
    hold: Duration
    left: Duration | None
    paused: bool
    waiting: Words
    reason: Words
    decision: Words
    why: Words
    tidy: Words
    by: Words
    created: datetime
    ended: datetime | None
    guards: tuple[Guard, ...]
    sides: tuple[Side, ...]
    harm: Harm
    release: Words = ""
    comparison: Comparison | None = None
    led: Words = ""


@dataclass(frozen=True, slots=True)
class Task:
    id: Words
    version: Words
    state: Words
    host: Words
    port: int
    restarts: int
    why: Words


@dataclass(frozen=True, slots=True)
class Service:
    name: Words
    url: Words
    stable: Words
    tasks: tuple[Task, ...]
    alarms: tuple[Guard, ...]
    figures: Figures
    rollout: Rollout | None
    versions: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Event:
    id: int
    at: datetime
    kind: Words
    service: Words
    rollout: Words
    actor: Words
    why: Words
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class GuardAhead:
    name: Words
    said: Words
    rollback: bool
    armed: Words = "yes"
    state: Words = ""
    figure: Words = ""
    why: Words = ""


@dataclass(frozen=True, slots=True)
class Preview:
    service: Words
    url: Words
    baseline: Words
    candidate: Words
    tasks: int
    plan: Words
    steps: tuple[Step, ...]
    duration: Duration
    deadline: Duration
    guards: tuple[GuardAhead, ...]
    in_flight: Words
    warnings: tuple[Words, ...] = ()
    shortest: Duration | None = None


@dataclass(frozen=True, slots=True)
class TrafficAhead:
    per_second: float
    per_second_from: Words
    error_rate: float
    error_rate_from: Words
    clusters: float


@dataclass(frozen=True, slots=True)
class StepAhead:
    exposure: Words
    hold: Duration
    held: Duration
    requests: int
    finds: float | None
    needs: Duration | None
    gate: Words = ""
    proven: bool = False


@dataclass(frozen=True, slots=True)
class HarmAhead:
    fault: float
    mean: float
    p95: float
    found: float
    after: Duration | None
    harmless: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    service: Words
    first: bool
    plan: Words
    compares: Words
    traffic: TrafficAhead
    steps: tuple[StepAhead, ...]
    harms: tuple[HarmAhead, ...]
    duration: Duration
    warnings: tuple[Words, ...]
    guards: tuple[GuardAhead, ...]


A = TypeVar("A")


def read_as(kind: type[A], content: Any) -> A:
    return TypeAdapter(kind).validate_python(content)
