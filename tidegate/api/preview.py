"""What deploying a file would do, said before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tidegate.api.body import ValidateBody
from tidegate.core.environment import Released
from tidegate.core.errors import NotFound
from tidegate.core.exposure import FULL
from tidegate.core.plan import IfFiring, Plan
from tidegate.core.service import Service
from tidegate.core.verdict import GuardSeen
from tidegate.engine.comparing import NAME
from tidegate.engine.foresight import Foresight, Known
from tidegate.engine.glance import Glance
from tidegate.engine.view import ServiceView, StepView, url_of, view_step


@dataclass(frozen=True, slots=True)
class GuardAhead:
    """A guard that will look. `armed`: yes, no (`if_firing: ignore`, or a comparison that has nothing to compare with), later
    (`compare`: once it was well), or refused: it fires already, and no deploy begins. `state` is how it stands now, "" when
    that is not known yet."""

    name: str
    said: str
    rollback: bool
    armed: str = "yes"
    state: str = ""
    figure: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    service: str
    url: str
    baseline: str  # "" for a first version
    candidate: str
    tasks: int
    plan: str
    steps: tuple[StepView, ...]
    duration: timedelta  # of a healthy rollout at most, without preparing and gates
    shortest: timedelta  # the same where all is proven as early as it may be
    deadline: timedelta
    guards: tuple[GuardAhead, ...]
    in_flight: str  # the rollout that is going on now, "" for none
    warnings: tuple[str, ...] = ()  # what this plan will not see at the present traffic, each with what would help


GATE = GuardAhead(
    "tasks", "the candidate's tasks stay healthy and need not be ejected while the baseline is sound", rollback=True
)


def preview(body: ValidateBody, glance: Glance, foresight: Foresight) -> Preview:
    file, plan = body.file, (body.plan or body.file.plan).resolve()
    now = as_it_is(file, glance)
    running = now.rollout if now and now.rollout and now.rollout.in_flight else None
    return Preview(
        service=file.service,
        url=url_of(file),
        baseline=now.stable if now else "",
        candidate=body.version or "",
        tasks=len(file.tasks.targets) if file.tasks.targets else file.tasks.count,
        plan=plan.said,
        steps=tuple(view_step(step) for step in plan.steps),
        duration=plan.duration,
        shortest=shortest(plan),
        deadline=plan.deadline,
        guards=guards_ahead(file, plan, now, foresight.known(file.service)),
        in_flight=running.id if running else "",
        warnings=tuple(foresight.warnings(file, plan)) if now and now.stable else (),
    )


def shortest(plan: Plan) -> timedelta:
    return sum((step.expected for step in plan.steps), timedelta(0))


def as_it_is(file: Service, glance: Glance) -> ServiceView | None:
    try:
        return glance.service(file.service)
    except NotFound:
        return None


def guards_ahead(file: Service, plan: Plan, now: ServiceView | None, known: Known) -> tuple[GuardAhead, ...]:
    """Everything that may roll back, or is shown. A first version has nothing to be compared with."""
    compared = [compared_ahead(file, plan, known)] if file.compare.is_on and now and now.stable else []
    return (GATE, *alarms_ahead(file, now.alarms if now else (), plan.if_firing), *compared)


def compared_ahead(file: Released, plan: Plan, known: Known) -> GuardAhead:
    armed, why = "yes", f"the last day of this {_kind(file)} is {'known' if known.a_day else 'not known yet'}"
    if plan.steps[0].exposure == FULL and known.a_day:
        why = "everybody is let in at once: only the last day is left to compare with"
    elif plan.steps[0].exposure == FULL:
        armed, why = "no", "everybody is let in at once, and the last day is not known yet: there is nothing to compare with"
    return GuardAhead(NAME, file.compare.said, file.compare.rollback, armed, why=why)


def _kind(file: Released) -> str:
    return "service" if isinstance(file, Service) else "environment"


def alarms_ahead(file: Released, now: Sequence[GuardSeen], if_firing: IfFiring) -> list[GuardAhead]:
    seen = {alarm.name: alarm for alarm in now}
    ahead = []
    for alarm in file.alarms:
        guard = seen.get(alarm.name)
        armed = _ARMED[if_firing] if guard and guard.state == "firing" else "yes"
        told = (armed, guard.state, guard.figure, guard.why) if guard else (armed,)
        ahead.append(GuardAhead(alarm.name, alarm.said, alarm.rollback, *told))
    return ahead


_ARMED = {IfFiring.REFUSE: "refused", IfFiring.IGNORE: "no", IfFiring.COMPARE: "later"}
