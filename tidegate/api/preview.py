"""What deploying a file would do, said before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tidegate.api.body import ValidateBody
from tidegate.core.errors import NotFound
from tidegate.core.plan import IfFiring
from tidegate.core.service import Service
from tidegate.engine.glance import Glance
from tidegate.engine.view import ServiceView, StepView, url_of


@dataclass(frozen=True, slots=True)
class GuardAhead:
    """A guard that will look. `armed`: yes, no (`if_firing: ignore`), later (`compare`: once it was well), or refused: it fires
    already, and no deploy begins. `state` is how it stands now, "" when that is not known yet."""

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
    duration: timedelta  # of a healthy rollout, without preparing and gates
    deadline: timedelta
    guards: tuple[GuardAhead, ...]
    in_flight: str  # the rollout that is going on now, "" for none


GATE = GuardAhead(
    "tasks", "the candidate's tasks stay healthy and need not be ejected while the baseline is sound", rollback=True
)


def preview(body: ValidateBody, glance: Glance) -> Preview:
    file, plan = body.file, (body.plan or body.file.plan).resolve()
    now = _as_it_is(file, glance)
    running = now.rollout if now and now.rollout and now.rollout.in_flight else None
    return Preview(
        service=file.service,
        url=url_of(file),
        baseline=now.stable if now else "",
        candidate=body.version or "",
        tasks=len(file.tasks.targets) if file.tasks.targets else file.tasks.count,
        plan=plan.said,
        steps=tuple(StepView(str(step.exposure), step.hold, step.gate, step.hook is not None) for step in plan.steps),
        duration=plan.duration,
        deadline=plan.deadline,
        guards=(GATE, *_alarms(file, now, plan.if_firing)),
        in_flight=running.id if running else "",
    )


def _as_it_is(file: Service, glance: Glance) -> ServiceView | None:
    try:
        return glance.service(file.service)
    except NotFound:
        return None


def _alarms(file: Service, now: ServiceView | None, if_firing: IfFiring) -> list[GuardAhead]:
    seen = {alarm.name: alarm for alarm in now.alarms} if now else {}
    ahead = []
    for alarm in file.alarms:
        guard = seen.get(alarm.name)
        armed = _ARMED[if_firing] if guard and guard.state == "firing" else "yes"
        told = (armed, guard.state, guard.figure, guard.why) if guard else (armed,)
        ahead.append(GuardAhead(alarm.name, alarm.said, alarm.rollback, *told))
    return ahead


_ARMED = {IfFiring.REFUSE: "refused", IfFiring.IGNORE: "no", IfFiring.COMPARE: "later"}
