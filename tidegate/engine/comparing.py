"""The comparison of one rollout, as the watcher keeps it: what it knows, and where the counts stood when it was told last.

What it is told is the difference of two looks at the router, which only counts up. So a look that fails, or a controller
that was away, loses nothing: the next difference holds it all. It is kept as JSON with the rollout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import numpy as np
from pydantic import TypeAdapter

from tidegate.core import comparison, comparison_codec
from tidegate.core.budget import Pace
from tidegate.core.compare_file import CompareFile
from tidegate.core.compare_settings import settings_of
from tidegate.core.comparison import State
from tidegate.core.comparison_input import Counts, Tick
from tidegate.core.comparison_report import Report, report, standing
from tidegate.core.comparison_settings import BASE
from tidegate.core.evidence import say_evidence
from tidegate.core.exposure import NONE, WHOLE, Exposure
from tidegate.core.history import History
from tidegate.core.metric_name import Source
from tidegate.core.mixture import Prior
from tidegate.core.own_outcomes import OwnOutcomes
from tidegate.core.plan import Plan
from tidegate.core.sample_ratio import RatioSettings
from tidegate.core.tally import NOTHING, Tally
from tidegate.core.verdict import GuardSeen
from tidegate.engine.alarm_book import Scraped
from tidegate.ports import Measurement

NAME = "comparison"
ANY_RATIO = RatioSettings(width=1e6)
"""No share of the requests is too far from the exposure."""
ACT = 1.0
"""Seconds until a decision has reached the users, as the harm budget reckons. It takes less."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What the router had counted of both sides, and since when it counts."""

    epoch: str
    candidate: Tally = NOTHING
    baseline: Tally = NOTHING

    def since(self, before: Sides) -> tuple[Tally, Tally]:
        """What was counted since. A router that was restarted has counted from zero."""
        if self.epoch != before.epoch:
            return self.candidate, self.baseline
        return self.candidate.minus(before.candidate), self.baseline.minus(before.baseline)


@dataclass(frozen=True, slots=True)
class Moment:
    """One look, with what was in force."""

    at: datetime
    sides: Sides
    exposure: Exposure
    step: int
    warm: bool


class OwnSource(Protocol):
    """Where users' own metrics come from."""

    def scraped(self, service: str) -> Scraped | None: ...

    def pushed(self, service: str) -> Sequence[Measurement]: ...


@dataclass(frozen=True, slots=True)
class Comparing:
    """`mark` is where the counts stood at `at`, `grown` are users' own metrics that came since, `begun` is when the first users
    were let in."""

    state: State
    mark: Sides
    at: datetime
    begun: datetime
    exposure: Exposure = NONE
    grown: OwnOutcomes = field(default_factory=OwnOutcomes)

    @classmethod
    def begin(
        cls,
        compare: CompareFile,
        history: History,
        plan: Plan,
        *,
        tick: timedelta,
        at: datetime,
        mark: Sides,
        by_chance: bool = False,
    ) -> Comparing:
        """For a rollout that is about to let in its first users. Where they are split `by_chance`, any ratio may be."""
        prior = Prior(planned_ticks=max(1.0, plan.duration / tick), planned_changes=float(len(plan.steps)))
        settings = replace(settings_of(compare), proves=plan.harm is not None)
        if by_chance:
            settings = replace(settings, sample=ANY_RATIO)
        return cls(comparison.begin(settings, history, prior), mark, at, begun=at)

    def waiting(self, mark: Sides, at: datetime, per_second: float) -> Comparing:
        """The same while nobody is let in yet: only how much traffic there is, is learned."""
        rate = np.asarray(max(per_second, float(self.state.rate)))
        return replace(self, mark=mark, at=at, begun=at, state=replace(self.state, rate=rate))

    def with_own(self, compare: CompareFile, gauges: OwnSource, service: str, counted: Scraped | None = None) -> Comparing:
        """Users' own metrics that came since the last look; `counted` is what a metrics server counted."""
        if not compare.metrics:
            return self
        grown, scraped = self.grown, gauges.scraped(service)
        if scraped is not None:
            grown = grown.scraped(compare.metrics, scraped.measurements, scraped.tasks)
        if counted is not None:
            grown = grown.scraped(compare.metrics, counted.measurements, counted.tasks, source=Source.PROMETHEUS)
        return replace(self, grown=grown.pushed(compare.metrics, gauges.pushed(service)))

    def look(self, moment: Moment, compare: CompareFile, versions: tuple[str, str], *, least: timedelta) -> Comparing:
        """One tick. Looks that follow each other in less than `least` are one, unless the exposure has changed."""
        passed = moment.at - self.at
        if passed <= timedelta(0) or (passed < least and moment.exposure == self.exposure):
            return self
        candidate, baseline = moment.sides.since(self.mark)
        settings, own = self.state.settings, compare.metrics
        tick = Tick.of(
            Counts.of(settings, candidate, self.grown.of(own, versions[0])),
            Counts.of(settings, baseline, self.grown.of(own, versions[1])),
            span=passed.total_seconds(),
            exposure=moment.exposure,
            step=moment.step,
            warm=moment.warm,
        )
        state = comparison.advance(self.state, tick)
        return Comparing(state, moment.sides, moment.at, self.begun, moment.exposure, self.grown.taken())

    # --- what it says -------------------------------------------------------------------------------------------------

    def allowed(self, harm: int, tick: timedelta, grain: Exposure) -> Exposure:
        """What the harm budget allows to let in now, in whole grains of the lever, and at least one of them."""
        share = comparison.allowed_exposure(self.state, Pace(harm, tick.total_seconds(), ACT))
        points = int(min(float(share), 1.0) * WHOLE + 1e-9)
        return Exposure(max(points - points % grain, grain))

    @property
    def not_worse(self) -> bool:
        return bool(comparison.is_not_worse(self.state))

    @property
    def slow(self) -> int:
        """About how many of the candidate's requests were slower than they would have been on the baseline: the largest
        excess over any of the latency limits, where it is more than chance does (three standard deviations), or what hangs."""
        total = self.state.total
        n_c, e_c, n_b, e_b = (part[1:BASE] for part in (total.n_c, total.e_c, total.n_b, total.e_b))
        p = np.maximum(e_b / np.maximum(n_b, 1.0), self.state.usual[1:BASE])
        excess = e_c - n_c * p
        chance = 3 * np.sqrt(n_c * p * (1 - p) * (1 + n_c / np.maximum(n_b, 1.0))) + 1
        return int(max(0.0, np.max(np.where(excess > chance, excess, 0.0)), self.state.overdue.stock[0]))

    # --- kept ---------------------------------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        kept = _Kept(self.mark, self.at, self.exposure, self.begun)
        return {"state": comparison_codec.dump(self.state), **_adapter.dump_python(kept, mode="json")}

    @classmethod
    def load(cls, content: dict[str, Any]) -> Comparing:
        """Users' own metrics begin anew: where their counters stood is not kept."""
        kept = _adapter.validate_python({key: value for key, value in content.items() if key != "state"})
        state = comparison_codec.load(State, content["state"])
        return cls(state, kept.mark, kept.at, kept.begun, kept.exposure)


@dataclass(frozen=True, slots=True)
class _Kept:
    mark: Sides
    at: datetime
    exposure: Exposure
    begun: datetime


_adapter: TypeAdapter[_Kept] = TypeAdapter(_Kept)


@dataclass(frozen=True, slots=True)
class Compared:
    """What the comparison says at one look. Its words are worked out when somebody asks: at most ticks nobody does.

    `state` and `why` are given where nothing can be compared just now (blind, not_applicable), else "".
    """

    file: CompareFile
    comparing: Comparing | None
    state: str = ""
    why: str = ""

    @property
    def brief(self) -> GuardSeen:
        """What a decision needs of it."""
        if self.comparing is None or self.state:
            return self._guard(self.state, self.why)
        state = standing(self.comparing.state)
        return self.guard if state == "firing" else self._guard(state)

    @property
    def guard(self) -> GuardSeen:
        """The same with its figures and its sentence."""
        seen = self.report
        return self._guard(self.state, self.why) if seen is None else self._guard(seen.standing, seen.sentence, seen)

    @property
    def report(self) -> Report | None:
        """Everything that it knows; None where nothing can be compared just now."""
        return None if self.comparing is None or self.state else report(self.comparing.state)

    def _guard(self, state: str, why: str = "", seen: Report | None = None) -> GuardSeen:
        return GuardSeen(
            name=NAME,
            state=state,
            figure=f"evidence {say_evidence(seen.evidence)}" if seen else "",
            limit=f"at {seen.limit:,.0f}" if seen else "",
            why=why,
            query=self.file.said,
            value=min(seen.evidence, 1e9) if seen else None,
            rollback=self.file.rollback,
        )
