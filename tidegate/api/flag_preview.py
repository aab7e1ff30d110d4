"""What releasing a flag document would do, for whom, and what would look after it; said before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tidegate.api.preview import GuardAhead, alarms_ahead, compared_ahead, shortest
from tidegate.core.environment import Environment
from tidegate.core.flags.difference import Change, compare
from tidegate.core.flags.document import FlagDocument
from tidegate.core.monitor import Monitor
from tidegate.core.plan import IfFiring, Plan, PlanFile
from tidegate.core.service import check_plan
from tidegate.engine.foresight import Foresight, Known
from tidegate.engine.view import EnvironmentView, StepView, view_step

WITHOUT_MIDDLEWARE = "no agent reports how requests end: put the middleware around the application (docs/agent.md)"
WITHOUT_AGENTS = "no agent is there"


@dataclass(frozen=True, slots=True)
class FlagsPreview:
    """`base` is the document in force, 0 for none; `candidate` the number that this one goes under. `agents` are there now,
    and report `reported` requests a second; null while they report none."""

    environment: str
    application: str
    flags: int
    segments: int
    changes: tuple[Change, ...]
    base: int
    candidate: int
    agents: int
    reported: float | None
    plan: str
    steps: tuple[StepView, ...]
    duration: timedelta  # of a healthy rollout at most, without gates
    shortest: timedelta  # the same where all is proven as early as it may be
    deadline: timedelta
    guards: tuple[GuardAhead, ...]
    in_flight: str  # the rollout that is going on now, "" for none
    warnings: tuple[str, ...] = ()
    led: str = ""  # who deploys it, when that is not us


def preview_flags(
    *,
    file: Environment,
    old: FlagDocument,
    new: FlagDocument,
    chosen: PlanFile | None,
    now: EnvironmentView | None,
    foresight: Foresight,
    monitors: Sequence[Monitor] = (),
) -> FlagsPreview:
    """Raises Invalid for a plan that cannot be."""
    check_plan(chosen or file.plan, file.compare)
    plan, known = file.course(chosen or file.plan), foresight.known(file.subject)
    agents = len(now.agents) if now else 0
    running = now.rollout if now and now.rollout and now.rollout.in_flight else None
    return FlagsPreview(
        environment=file.subject,
        application=new.application,
        flags=len(new.flags),
        segments=len(new.segments),
        changes=compare(old, new),
        base=old.number,
        candidate=new.number,
        agents=agents,
        reported=known.rate,
        plan=plan.said,
        steps=tuple(view_step(step) for step in plan.steps),
        duration=plan.duration,
        shortest=shortest(plan),
        deadline=plan.deadline,
        guards=(*flag_guards(file, plan, now, known), *(_monitored(one, file.led, plan) for one in monitors)),
        in_flight=running.id if running else "",
        warnings=_warnings(file, plan, foresight, known, agents) if old.number else (),
        led=file.led,
    )


def _monitored(monitor: Monitor, led: str, plan: Plan) -> GuardAhead:
    """An alarm by which whoever deploys goes back by himself."""
    state = monitor.state.value if monitor.state is not None else "there is none that acts"
    is_refused = bool(monitor.trouble) and plan.if_firing is IfFiring.REFUSE
    armed = "no" if monitor.state is None else "refused" if is_refused else "yes"
    return GuardAhead(monitor.name, f"{led} monitors it", rollback=True, armed=armed, state=state, why=monitor.trouble)


def flag_guards(file: Environment, plan: Plan, now: EnvironmentView | None, known: Known) -> tuple[GuardAhead, ...]:
    """Everything that may roll back, or is shown. A first document has nothing to be compared with."""
    alarms = alarms_ahead(file, now.alarms if now else (), plan.if_firing)
    if not (file.compare.is_on and now and now.document):
        return tuple(alarms)
    compared = compared_ahead(file, plan, known)
    if known.rate is None:  # neither now nor during the last day
        compared = replace(compared, armed="no", why=WITHOUT_MIDDLEWARE if now.agents else WITHOUT_AGENTS)
    return (*alarms, compared)


def _warnings(file: Environment, plan: Plan, foresight: Foresight, known: Known, agents: int) -> tuple[str, ...]:
    seen: Sequence[str] = foresight.warnings(file, plan)
    if file.led:
        alone = () if file.alarms else (f"No alarm is in the file: only what {file.led} itself monitors takes it back.",)
        return (f"{file.led} goes on by itself once it has begun: it can be stopped, and not held.", *alone, *seen)
    if not agents:
        return ("No agent follows these flags now: nobody gets them yet, and nothing is seen of them.", *seen)
    if known.rate is None and file.compare.is_on:
        return ("Nothing is compared, for no agent reports how requests end. The middleware does: docs/agent.md.", *seen)
    return tuple(seen)
