"""How AppConfig grows a deployment: a plan in its words. It leads, and the rollout follows.

AppConfig knows a growth (linear, or doubling), a duration and a bake, in whole minutes. Nobody is let in during the first
interval: a plan that begins at once has a step of 0% before it here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn

from tidegate.core.duration import say_duration
from tidegate.core.errors import Invalid
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.plan import Plan, PlanFile, Step, Unsure
from tidegate.core.plan_names import NAMED

LEADER = "AppConfig"
MINUTE = timedelta(minutes=1)
LONGEST = 1440
"""Minutes of a duration or a bake."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """`name` is one of AppConfig's own, or that of one made for this shape, which is found again by it."""

    name: str
    growth: str  # LINEAR, EXPONENTIAL
    factor: float  # percent
    duration: int  # minutes
    bake: int  # minutes

    @property
    def is_predefined(self) -> bool:
        return self.name.startswith("AppConfig.")

    @property
    def shape(self) -> tuple[str, float, int, int]:
        """All but its name."""
        return self.growth, self.factor, self.duration, self.bake


def shares_of(growth: str, factor: float) -> list[Exposure]:
    """All exposures on the way, of a growth in percent. Linear adds the factor each time, exponential doubles."""
    shares, count, factor = list[Exposure](), 1, max(1.0, factor)
    while True:
        percent = factor * (2 ** (count - 1)) if growth == "EXPONENTIAL" else factor * count
        if round(percent * 100) >= FULL:
            return [*shares, FULL]
        shares.append(Exposure(round(percent * 100)))
        count += 1


AT_ONCE = Strategy("tidegate-at-once", "LINEAR", 100.0, 0, 0)
"""For everybody, and over with that: first documents, and ways back by a person."""


def delegated(file: PlanFile) -> Plan:
    """The plan as it goes when AppConfig leads. Raises Invalid for one that it cannot go."""
    if file.canary or file.adaptive or file.steps or (file.name and not file.name.lower().startswith("appconfig.")):
        _cannot(f"{file.resolve().said} is no shape that AppConfig knows.")
    if file.holdback:
        _cannot(f"it lets everybody in at its end, and {file.holdback} should be held back.")
    if Unsure.HOLD in (file.unsure.blind, file.unsure.no_data):
        _cannot("it waits for nobody, and plan.unsure says hold.")
    plan = file.resolve()
    first = plan.steps[0]
    if first.exposure not in (NONE, FULL):
        plan = replace(plan, steps=(Step(NONE, first.hold), *plan.steps))
    if file.deadline is None:
        plan = replace(plan, deadline=max(timedelta(hours=1), 3 * plan.duration))
    strategy_of(plan)
    return plan


def strategy_of(plan: Plan) -> Strategy:
    """Raises Invalid when its times are not whole minutes."""
    shares = [step.exposure for step in plan.steps if step.exposure]
    every = plan.steps[0].hold if len(plan.steps) > 1 else timedelta(0)
    duration, bake = _minutes(every * len(shares), "its way"), _minutes(plan.steps[-1].hold, "its bake")
    named = NAMED.get(plan.said.lower())
    growth = "LINEAR" if shares == shares_of("LINEAR", shares[0] / 100) else "EXPONENTIAL"
    factor = shares[0] / 100
    if named is not None and plan.steps[-1].hold == named.bake:
        return Strategy(named.said, growth, factor, duration, bake)
    if duration == bake == 0:
        return AT_ONCE
    return Strategy(f"tidegate-{growth.lower()}-{factor:g}-{duration}m-bake-{bake}m", growth, factor, duration, bake)


def _minutes(span: timedelta, what: str) -> int:
    if span % MINUTE or span > LONGEST * MINUTE:
        _cannot(f"{what} takes {say_duration(span)}, and it goes by whole minutes, up to a day.")
    return span // MINUTE


def _cannot(why: str) -> NoReturn:
    raise Invalid(
        f"{LEADER} leads this rollout: {why}",
        "Use linear, exponential, all_at_once or one of its own names, as AppConfig.Canary10Percent20Minutes.",
        "plan",
    )
