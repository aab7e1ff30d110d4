"""What the API, the CLI and the screen show: plain frozen data, computed from what was written and what was last seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from tidegate.core.comparison_report import Report
from tidegate.core.harm import Harm
from tidegate.core.plan import Step
from tidegate.core.rollout import Phase, Rollout, Tidy
from tidegate.core.service import Service
from tidegate.core.setting import Applied
from tidegate.core.verdict import GuardSeen, Verdict
from tidegate.engine.sessions import SessionsSeen
from tidegate.ports import Held, ServiceRecord, Task


@dataclass(frozen=True, slots=True)
class Figures:
    """What one side did in the last seconds. Rates are shares of 1, latencies milliseconds; None where nothing was counted."""

    requests: int = 0
    failed: int = 0
    unfinished: int = 0
    per_second: float | None = None
    error_rate: float | None = None
    p50: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class SideView:
    version: str
    tasks: int
    healthy: int
    figures: Figures = Figures()


@dataclass(frozen=True, slots=True)
class StepView:
    exposure: str
    hold: timedelta
    gate: str = ""
    hook: bool = False
    least: timedelta | None = None  # it may end after this already, when the candidate is proven to be not worse


def view_step(step: Step) -> StepView:
    return StepView(str(step.exposure), step.hold, step.gate, step.hook is not None, step.least)


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """One thing that is compared, over the whole rollout: requests of both sides, and the bad ones among them. `evidence` is
    that of both sides at the same moments, `past` that against the baseline's last day; null where that says nothing."""

    name: str
    candidate_requests: int
    candidate_bad: int
    baseline_requests: int
    baseline_bad: int
    evidence: float
    past: float | None


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """The candidate beside the baseline. `evidence` that it is worse than the margins allow rolls back at `limit`. `finds`: the
    smallest fault that this step has found by now with probability 0.9; `missing`: about how many more requests of the
    candidate the step needs to have found one of 5%. `standing` is the state of its guard, `sentence` says it in words."""

    standing: str
    sentence: str
    evidence: float
    limit: float
    suspected: bool  # the exposure does not grow
    not_worse: bool  # proven: the step may end early, where the plan allows it
    outage: bool  # the baseline itself is not well
    mismatch: bool  # the candidate gets another share of the requests than it should
    finds: float | None
    missing: int
    outcomes: tuple[OutcomeView, ...]


@dataclass(frozen=True, slots=True)
class RolloutView:
    """`served` is the measured share of requests that the candidate got lately (0 to 1); `left` the planned time that is
    left when all goes well, None when a person is waited for."""

    id: str
    service: str
    baseline: str
    candidate: str
    plan: str
    steps: tuple[StepView, ...]
    phase: str
    in_flight: bool
    step: int  # from 1; 0 while preparing
    wanted: str
    applied: str | None
    served: float | None
    watched: timedelta
    hold: timedelta
    left: timedelta | None
    paused: bool
    waiting: str
    reason: str
    decision: str
    why: str
    tidy: str  # what it still owes; "" when nothing
    by: str
    created: datetime
    ended: datetime | None
    verdict: Verdict | None
    guards: tuple[GuardSeen, ...]
    sides: tuple[SideView, ...]  # baseline, candidate; empty when it is history
    harm: Harm
    release: str = ""  # that it is a part of
    comparison: ComparisonView | None = None  # while both sides have users, or had
    led: str = ""  # who moves the exposure, when that is not us


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """Rollouts that go together. `phase` is that of the part that is least far, or that goes back."""

    release: str
    phase: str
    in_flight: bool
    created: datetime
    by: str
    rollouts: tuple[RolloutView, ...]


@dataclass(frozen=True, slots=True)
class ServiceView:
    name: str
    url: str
    stable: str
    tasks: tuple[Task, ...]
    alarms: tuple[GuardSeen, ...]
    figures: Figures
    rollout: RolloutView | None  # the one in flight, else the last one
    versions: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent as it was heard last, `heard` ago. `age`: since it began; null when it does not say, as agents of before."""

    id: str
    version: str
    heard: timedelta
    serial: int
    exposure: str
    rollout: str
    age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """An environment of an application. `document` is the number of the flag document in force, null before the first;
    `evaluations` count, by flag and variant, what agents have answered since the controller began; `sessions` are clients that
    poll without an agent, and `lag` says how late they may be."""

    name: str
    application: str
    environment: str
    document: int | None
    flags: int
    agents: tuple[AgentView, ...]
    alarms: tuple[GuardSeen, ...]
    figures: Figures
    rollout: RolloutView | None
    plan: str
    evaluations: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sessions: SessionsSeen = field(default_factory=SessionsSeen)
    led: str = ""  # who deploys there, when that is not us


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A flag document without its content."""

    application: str
    number: int
    digest: str
    created: datetime
    by: str
    why: str


def url_of(service: Service) -> str:
    """Where users reach it, as well as we know: `http://127.0.0.1:8080/`."""
    if service.platform is not None:
        return service.platform.entry
    listener = service.listener
    host = listener.address if listener.host == "*" else listener.host
    host = "127.0.0.1" if host == "0.0.0.0" else host
    return f"{'https' if listener.tls else 'http'}://{host}:{listener.port}{listener.path}"


def time_left(rollout: Rollout) -> timedelta | None:
    """Planned holds that are still to come, when all is proven as early as it may be. None when a person is waited for, or it
    does not go forward."""
    if not rollout.in_flight or rollout.phase is Phase.ROLLING_BACK or rollout.paused or rollout.waiting:
        return None
    ahead = rollout.plan.steps[rollout.step :]
    if any(step.gate for step in ahead):
        return None
    now, *later = ahead
    rest = max(timedelta(0), now.expected - rollout.watched)
    return sum((step.expected for step in later), rest)


def view_comparison(seen: Report) -> ComparisonView:
    return ComparisonView(
        standing=seen.standing,
        sentence=seen.sentence,
        evidence=seen.evidence,
        limit=seen.limit,
        suspected=seen.suspected,
        not_worse=seen.not_worse,
        outage=seen.outage,
        mismatch=seen.mismatch,
        finds=seen.detectable,
        missing=seen.missing,
        outcomes=tuple(OutcomeView(**asdict(figure)) for figure in seen.figures),
    )


def view_rollout(
    held: Held,
    *,
    applied: Applied | None = None,
    verdict: Verdict | None = None,
    guards: Sequence[GuardSeen] = (),
    sides: Sequence[SideView] = (),
    served: float | None = None,
    comparison: ComparisonView | None = None,
) -> RolloutView:
    rollout, step = held.rollout, held.rollout.now_at
    owed = not rollout.in_flight and rollout.tidy is not Tidy.DONE
    return RolloutView(
        id=rollout.id,
        service=rollout.subject,
        baseline=rollout.baseline,
        candidate=rollout.candidate,
        plan=rollout.plan.said,
        steps=tuple(view_step(one) for one in rollout.plan.steps),
        phase=rollout.phase.value,
        in_flight=rollout.in_flight,
        step=rollout.step + 1 if rollout.phase is not Phase.PREPARING else 0,
        wanted=str(rollout.wanted),
        applied=str(applied.exposure) if applied is not None and applied.exposure is not None else None,
        served=served,
        watched=rollout.watched,
        hold=step.hold if step else timedelta(0),
        left=time_left(rollout),
        paused=rollout.paused,
        waiting=rollout.waiting,
        reason=rollout.reason,
        decision=rollout.decision.kind,
        why=rollout.decision.why,
        tidy=rollout.tidy.value if owed else "",
        by=rollout.by,
        created=rollout.created,
        ended=rollout.ended,
        verdict=verdict,
        guards=tuple(guards),
        sides=tuple(sides),
        harm=held.harm,
        release=rollout.release,
        comparison=comparison,
        led=rollout.plan.led,
    )


def view_service(
    record: ServiceRecord,
    *,
    tasks: Sequence[Task],
    alarms: Sequence[GuardSeen],
    figures: Figures,
    rollout: RolloutView | None,
    versions: Sequence[str] = (),
) -> ServiceView:
    return ServiceView(
        name=record.file.service,
        url=url_of(record.file),
        stable=record.stable,
        tasks=tuple(tasks),
        alarms=tuple(alarms),
        figures=figures,
        rollout=rollout,
        versions=tuple(versions),
    )
