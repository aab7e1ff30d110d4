"""What a plan will see, cost and take at a given traffic, said before it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tidegate.api.body import ForecastBody
from tidegate.api.flag_body import FlagsForecastBody
from tidegate.api.flag_preview import flag_guards
from tidegate.api.preview import GuardAhead, as_it_is, guards_ahead
from tidegate.core.environment import Environment, Released
from tidegate.core.errors import Refused
from tidegate.core.exposure import say_share
from tidegate.core.forecast import StepForecast
from tidegate.core.forecast_harm import HarmForecast, Traffic
from tidegate.core.plan import Plan, PlanFile, Step
from tidegate.core.service import check_plan
from tidegate.engine.foresight import Foresight, Known
from tidegate.engine.glance import Glance
from tidegate.engine.view import EnvironmentView


@dataclass(frozen=True, slots=True)
class TrafficAhead:
    """`per_second` of both sides; `error_rate` of the baseline, a share of 1; `clusters`: how many failures come together.
    Where they are from: given, now (the last seconds), day (the last day), usual (nobody knows)."""

    per_second: float
    per_second_from: str
    error_rate: float
    error_rate_from: str
    clusters: float


@dataclass(frozen=True, slots=True)
class StepAhead:
    """`held` is how long a healthy version stays: `hold`, or longer while there is too little data, or shorter when it is
    proven. `requests` of the candidate. `finds` is the smallest fault found with probability 0.9, `needs` the time to find one
    of 5%; null where none would be, or nothing is compared."""

    exposure: str
    hold: timedelta
    held: timedelta
    requests: int
    finds: float | None
    needs: timedelta | None
    proven: bool  # it ends early, for by then the candidate is proven to be not worse
    gate: str = ""


@dataclass(frozen=True, slots=True)
class HarmAhead:
    """A version that fails this share of its requests from the start. `mean` and `p95` of what fails until it is gone, or the
    plan ends; `found` is the probability that the comparison stops it, `after` the median time until then. `harmless`: within
    the margin."""

    fault: float
    mean: float
    p95: float
    found: float
    after: timedelta | None
    harmless: bool


@dataclass(frozen=True, slots=True)
class ForecastAhead:
    service: str
    first: bool  # nothing runs yet: the first version skips the plan
    plan: str
    compares: str  # "" when nothing is compared
    traffic: TrafficAhead
    steps: tuple[StepAhead, ...]
    harms: tuple[HarmAhead, ...]
    duration: timedelta  # of a healthy rollout, without preparing and gates
    warnings: tuple[str, ...]
    guards: tuple[GuardAhead, ...]


def forecast(body: ForecastBody, glance: Glance, foresight: Foresight) -> ForecastAhead:
    """Raises Refused where the traffic is neither known nor given."""
    file = body.file
    plan, known, now = _plan(file, body.plan), foresight.known(file.service), as_it_is(file, glance)
    runs = now is not None and bool(now.stable)
    why = "nobody asked for anything in the last seconds" if runs else "no version of it runs here"
    traffic = _traffic(file, body, known, why)
    return _forecast(file, plan, foresight, known, traffic, first=not runs, guards=guards_ahead(file, plan, now, known))


def forecast_flags(
    file: Environment, body: FlagsForecastBody, now: EnvironmentView | None, foresight: Foresight
) -> ForecastAhead:
    """The same of an environment, from the requests that its agents report."""
    plan, known = _plan(file, body.plan), foresight.known(file.subject)
    traffic = _traffic(file, body, known, "no agent reports how requests end (docs/agent.md says how one does)")
    first, guards = now is None or now.document is None, flag_guards(file, plan, now, known)
    return _forecast(file, plan, foresight, known, traffic, first=first, guards=guards)


def _plan(file: Released, chosen: PlanFile | None) -> Plan:
    check_plan(chosen or file.plan, file.compare)
    return (chosen or file.plan).resolve()


def _forecast(
    file: Released,
    plan: Plan,
    foresight: Foresight,
    known: Known,
    traffic: TrafficAhead,
    *,
    first: bool,
    guards: tuple[GuardAhead, ...],
) -> ForecastAhead:
    seen = foresight.forecast(file, plan, Traffic(traffic.per_second, traffic.error_rate, known.phi))
    return ForecastAhead(
        service=file.subject,
        first=first,
        plan=plan.said,
        compares=file.compare.said,
        traffic=traffic,
        steps=tuple(_step(step, ahead) for step, ahead in zip(plan.steps, seen.steps, strict=True)),
        harms=tuple(_harm(harm) for harm in seen.harms),
        duration=_span(seen.seconds),
        warnings=(*_unguarded(file), *seen.warnings),
        guards=guards,
    )


def _traffic(file: Released, body: ForecastBody | FlagsForecastBody, known: Known, unknown: str) -> TrafficAhead:
    rate, rate_from = (known.rate, known.rate_from) if body.traffic is None else (body.traffic, "given")
    if rate is None:
        raise Refused(f"The traffic of {file.subject} is not known: {unknown}.", "Say it: --traffic 30/s.")
    errors, errors_from = (known.errors, known.errors_from or "usual") if body.errors is None else (body.errors, "given")
    return TrafficAhead(rate, rate_from, errors, errors_from, known.phi)


def _step(step: Step, ahead: StepForecast) -> StepAhead:
    needs = None if ahead.needed is None or ahead.needed > _LONGEST else _span(ahead.needed)
    return StepAhead(
        exposure=say_share(step.exposure),
        hold=step.hold,
        held=_span(ahead.seconds),
        requests=round(ahead.requests),
        finds=ahead.detectable,
        needs=needs,
        proven=ahead.proven,
        gate=step.gate,
    )


_LONGEST = 366 * 86_400.0


def _harm(harm: HarmForecast) -> HarmAhead:
    after = None if harm.seconds is None else _span(harm.seconds)
    return HarmAhead(harm.fault, harm.mean, harm.p95, harm.found, after, harm.harmless)


def _span(seconds: float) -> timedelta:
    return timedelta(seconds=round(seconds, 1 if seconds < 10 else 0))


def _unguarded(file: Released) -> tuple[str, ...]:
    """Why no comparison takes back what fails."""
    thing, left = ("change", "alarms") if isinstance(file, Environment) else ("version", "alarms and failing tasks")
    if not file.compare.is_on:
        return (f"Nothing is compared (compare: off): only {left} take a bad {thing} back.",)
    if not file.compare.rollback:
        return (f"The comparison only shows (rollback: false): only {left} take a bad {thing} back.",)
    if file.compare.errors is None:
        return (f"Errors are not compared: a {thing} that fails is found by {left} only.",)
    return ()
