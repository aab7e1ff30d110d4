"""The plan of a rollout: which exposures, held for how long, and what decides when nothing can be decided.

`PlanFile` is what people write; `PlanFile.resolve()` gives the `Plan` that a rollout carries, which has plain steps only.
AWS's predefined names are in `plan_names.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from tidegate.core.document import Document, read
from tidegate.core.duration import Duration, parse_duration, say_duration
from tidegate.core.errors import Invalid, quote
from tidegate.core.exposure import FULL, NONE, Exposure, parse_share, say_share
from tidegate.core.plan_names import NAMED

MOST_STEPS = 1000
LEAST_PATIENCE = timedelta(seconds=5)


class Unsure(StrEnum):
    """What to do when no verdict can be had."""

    EXTEND = "extend"  # hold on, up to twice the step's hold; then promote, and say that it was not verified
    HOLD = "hold"  # hold until there is a verdict, or a person
    PROMOTE = "promote"
    ROLLBACK = "rollback"


class IfFiring(StrEnum):
    """What to do when an alarm already fires before the start."""

    REFUSE = "refuse"
    IGNORE = "ignore"  # this alarm is not armed for this rollout
    COMPARE = "compare"  # this alarm is armed once it has been OK


class OnConflict(StrEnum):
    """What to do when the same service already has a rollout in flight."""

    REFUSE = "refuse"
    SUPERSEDE = "supersede"


@dataclass(frozen=True, slots=True)
class Hook:
    """A command that must succeed (exit 0) once the step's exposure is applied, before the step is left."""

    command: tuple[str, ...]
    timeout: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Step:
    """This exposure, watched this long. `gate` names what a person must confirm before the step is left.

    `least`: it may be left after this long already, when the candidate is proven to be not worse; None: it may not.
    """

    exposure: Exposure
    hold: timedelta = timedelta(0)
    gate: str = ""
    hook: Hook | None = None
    least: timedelta | None = None

    @property
    def expected(self) -> timedelta:
        """How long a healthy version stays here at least."""
        return self.hold if self.least is None else self.least


@dataclass(frozen=True, slots=True)
class Plan:
    """A resolved plan. Exposures of the steps never fall; the last step is the largest, and its hold includes the bake."""

    said: str
    steps: tuple[Step, ...]
    deadline: timedelta
    patience: timedelta = timedelta(minutes=1)
    gap: timedelta = timedelta(seconds=30)
    unsure_blind: Unsure = Unsure.ROLLBACK
    unsure_no_data: Unsure = Unsure.EXTEND
    rollback_drain: timedelta = timedelta(0)
    keep_baseline: timedelta = timedelta(minutes=5)
    if_firing: IfFiring = IfFiring.REFUSE
    guarded: bool = True  # False for a way back by a person: guards must not send it forth again
    harm: int | None = None  # how many requests may go wrong: the exposure grows inside of each step as evidence allows
    led: str = ""  # who moves the exposure when that is not us, as CodeDeploy: it is followed (core/following.py)

    @property
    def duration(self) -> timedelta:
        """How long a healthy rollout takes at most, without preparing and gates."""
        return sum((step.hold for step in self.steps), timedelta(0))

    def check_grain(self, grain: Exposure) -> None:
        """Raises Invalid for a step that a router of this grain cannot apply exactly."""
        for step in self.steps:
            if step.exposure % grain:
                raise Invalid(
                    f"{say_share(step.exposure)} is finer than this router's grain of {say_share(grain)}.",
                    f"Use multiples of {say_share(grain)}.",
                    "plan",
                )


class Linear(Document):
    step: Exposure
    every: Duration


class Canary(Document):
    first: Exposure = Exposure(1000)
    hold: Duration


class Exponential(Document):
    """`factor`, then twice as much every time: 10%, 20%, 40%, 80%, 100%."""

    factor: Exposure = Exposure(1000)
    every: Duration


class Adaptive(Document):
    """The exposure grows as fast as the evidence allows, and never so far that more than `harm` requests should go wrong
    before anybody can act. Steps of 10%, each left as soon as the candidate is proven to be not worse."""

    harm: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 10
    """How many requests a bad version may harm."""
    until: Exposure = FULL
    """Evidence is gathered up to this exposure; then everybody is let in."""
    no_faster_than: Duration = timedelta(minutes=2)
    """The least time until everybody is let in. At most it takes five times as long."""


class HookFile(Document):
    command: Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1)]
    timeout: Duration = timedelta(minutes=1)

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, timeout: timedelta) -> timedelta:
        if not timeout:
            raise _wrong("a hook of 0s always fails.", "Give it time, as 1m.")
        return timeout


class StepFile(Document):
    exposure: Exposure
    hold: Duration = timedelta(0)
    gate: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] | None = None
    """What a person has to confirm (tidegate promote) before the rollout goes on."""
    hook: HookFile | None = None
    """A command that must exit with 0 at this exposure before the rollout goes on; else it rolls back."""


class UnsureFile(Document):
    blind: Unsure = Unsure.ROLLBACK
    no_data: Unsure = Unsure.EXTEND

    @field_validator("blind")
    @classmethod
    def _cannot_see(cls, blind: Unsure) -> Unsure:
        if blind not in (Unsure.ROLLBACK, Unsure.HOLD):
            raise ValueError(f"blind cannot be {blind.value!r}: who cannot see must not go on.\nWrite rollback or hold.")
        return blind


_SHAPES = ("all_at_once", "linear", "canary", "exponential", "adaptive", "steps", "name")


def _or_a_sentence(schema: dict[str, Any]) -> None:
    """Editors learn that a plan may be a sentence, too."""
    mapping = {key: schema.pop(key) for key in list(schema) if key not in ("title", "description", "$defs")}
    schema["anyOf"] = [{"type": "string", "examples": ["linear 10% every 1m bake 5m"]}, mapping]


class PlanFile(Document):
    """One of all_at_once, linear, canary, exponential, adaptive, steps and name; the rest has defaults."""

    model_config = ConfigDict(json_schema_extra=_or_a_sentence)
    takes_sentences = True
    begin_with = "Write linear 10% every 1m, or its keys."

    all_at_once: bool | None = None
    linear: Linear | None = None
    canary: Canary | None = None
    exponential: Exponential | None = None
    adaptive: Adaptive | None = None
    steps: Annotated[tuple[StepFile, ...], Field(min_length=1, max_length=MOST_STEPS)] | None = None
    name: str | None = None
    """One of AWS's predefined names, as CodeDeployDefault.ECSLinear10PercentEvery1Minutes."""
    bake: Duration | None = None
    """Watching time at the largest exposure before the old version is let go. Default 5m, or what the predefined name says."""
    holdback: Exposure = NONE
    """A share that stays on the baseline until the bake ends, so that both sides can be compared to the end."""
    deadline: Duration | None = None
    """Not finished by then: rolled back. Pauses and gates do not count, a controller that is down does.
    Default: three times the plan, at least 1h."""
    patience: Duration = timedelta(minutes=1)
    """How long it may be blind before `unsure.blind` decides."""
    unsure: UnsureFile = UnsureFile()
    if_firing: IfFiring = IfFiring.REFUSE
    on_conflict: OnConflict = OnConflict.REFUSE
    rollback_drain: Duration = timedelta(0)
    """How long requests and streams in flight on a rolled back candidate may go on before its tasks are stopped."""
    keep_baseline: Duration = timedelta(minutes=5)
    """How long the old version's tasks wait after completion, so that `tidegate rollback` is immediate."""

    @classmethod
    def default(cls) -> PlanFile:
        return cls(linear=Linear(step=Exposure(1000), every=timedelta(minutes=1)))

    @model_validator(mode="before")
    @classmethod
    def _from_sentence(cls, content: Any) -> Any:
        try:
            return parse_plan_sentence(content) if isinstance(content, str) else content
        except Invalid as wrong:
            raise ValueError(str(wrong)) from wrong

    @model_validator(mode="after")
    def _one_shape(self) -> PlanFile:
        given = [shape for shape in _SHAPES if getattr(self, shape) not in (None, False)]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise _wrong(f"a plan has one of {', '.join(_SHAPES)}; found {found}.", "Keep one of them.")
        if self.name is not None and self.name.lower() not in NAMED:
            raise _wrong(f"{quote(self.name)} is no predefined plan.", f"Known: {', '.join(n.said for n in NAMED.values())}.")
        if self.patience < LEAST_PATIENCE:
            raise _wrong(
                f"a patience of {say_duration(self.patience)} is less than a router may need to obey.",
                f"Give at least {say_duration(LEAST_PATIENCE)}.",
            )
        plan = self.resolve()
        if plan.deadline <= plan.duration:
            raise _wrong(
                f"the deadline of {say_duration(plan.deadline)} is not longer than the plan, which takes "
                f"{say_duration(plan.duration)}.",
                "Give a longer deadline, or none.",
            )
        return self

    def resolve(self) -> Plan:
        """The plain steps of this plan. A plan that goes nowhere or has too many steps was refused when it was read."""
        steps = self._steps()
        total = sum((step.hold for step in steps), timedelta(0))
        return Plan(
            said=self._said(),
            steps=tuple(steps),
            deadline=self.deadline if self.deadline is not None else max(timedelta(hours=1), 3 * total),
            patience=self.patience,
            unsure_blind=self.unsure.blind,
            unsure_no_data=self.unsure.no_data,
            rollback_drain=self.rollback_drain,
            keep_baseline=self.keep_baseline,
            if_firing=self.if_firing,
            harm=self.adaptive.harm if self.adaptive is not None else None,
        )

    def _steps(self) -> list[Step]:
        """The shape, cut off by the holdback, completed to the largest exposure, with the bake at its end."""
        most = Exposure(FULL - self.holdback)
        if most == NONE:
            raise _wrong("a holdback of 100% releases nothing.", "Hold back less.")
        shape = self._shape()
        _check_growth(shape)
        steps = [step for step in shape if step.exposure < most]
        if self.steps is not None:
            # Written step by step: their holds, gates and hooks are meant, also beyond the holdback.
            steps += [Step(most, step.hold, step.gate, step.hook) for step in shape if step.exposure >= most]
        if not steps or steps[-1].exposure < most:
            steps.append(Step(most))
        last = steps[-1]
        return [*steps[:-1], replace(last, hold=last.hold + self._bake(), least=None)]

    def _bake(self) -> timedelta:
        if self.bake is not None:
            return self.bake
        return NAMED[self.name.lower()].bake if self.name is not None else timedelta(minutes=5)

    def _shape(self) -> list[Step]:
        if self.linear is not None:
            return _linear(self.linear.step, self.linear.every)
        if self.canary is not None:
            _positive(self.canary.first, "canary.first")
            _some_time(self.canary.hold, "canary.hold")
            return [Step(self.canary.first, self.canary.hold), Step(FULL)]
        if self.exponential is not None:
            return _exponential(self.exponential.factor, self.exponential.every)
        if self.adaptive is not None:
            return _adaptive(self.adaptive)
        if self.steps is not None:
            return [
                Step(s.exposure, s.hold, s.gate or "", Hook(s.hook.command, s.hook.timeout) if s.hook else None)
                for s in self.steps
            ]
        if self.name is not None:
            return [Step(Exposure(points), hold) for points, hold in NAMED[self.name.lower()].steps]
        return [Step(FULL)]

    def _said(self) -> str:
        if self.linear is not None:
            return f"linear {self.linear.step} every {say_duration(self.linear.every)}"
        if self.canary is not None:
            return f"canary {self.canary.first} hold {say_duration(self.canary.hold)}"
        if self.exponential is not None:
            return f"exponential {self.exponential.factor} every {say_duration(self.exponential.every)}"
        if self.adaptive is not None:
            return f"adaptive harm {self.adaptive.harm} over {say_duration(self.adaptive.no_faster_than)}"
        if self.steps is not None:
            return f"steps {', '.join(str(step.exposure) for step in self.steps[:8])}{', ...' if len(self.steps) > 8 else ''}"
        return NAMED[self.name.lower()].said if self.name else "all_at_once"


def _linear(step: Exposure, every: timedelta) -> list[Step]:
    _positive(step, "linear.step")
    _some_time(every, "linear.every")
    if -(-FULL // step) > MOST_STEPS:
        raise _wrong(f"steps of {step} make {-(-FULL // step)} steps.", f"Use at most {MOST_STEPS}.")
    return [*(Step(Exposure(points), every) for points in range(step, FULL, step)), Step(FULL)]


def _exponential(factor: Exposure, every: timedelta) -> list[Step]:
    _positive(factor, "exponential.factor")
    _some_time(every, "exponential.every")
    steps, points = [], int(factor)
    while points < FULL:
        steps.append(Step(Exposure(points), every))
        points *= 2
    return [*steps, Step(FULL)]


ADAPTIVE_STEP = 1000
PATIENTLY = 5
"""How much longer than at least a step is held that proves nothing."""


def _adaptive(adaptive: Adaptive) -> list[Step]:
    _positive(adaptive.until, "adaptive.until")
    _some_time(adaptive.no_faster_than, "adaptive.no_faster_than")
    exposures = [*range(ADAPTIVE_STEP, min(adaptive.until, FULL - 1) + 1, ADAPTIVE_STEP)]
    if adaptive.until < FULL and adaptive.until not in exposures:
        exposures.append(adaptive.until)
    grain = timedelta(seconds=1) if adaptive.no_faster_than >= timedelta(minutes=1) else timedelta(milliseconds=100)
    least = -(-adaptive.no_faster_than // (len(exposures) * grain)) * grain
    return [*(Step(Exposure(points), PATIENTLY * least, least=least) for points in exposures), Step(FULL)]


def _check_growth(shape: list[Step]) -> None:
    for before, after in pairwise(shape):
        if after.exposure < before.exposure:
            raise _wrong(
                f"the plan falls from {before.exposure} to {after.exposure}.",
                "Exposure only grows inside a rollout: users must not move back and forth.",
            )


def _some_time(span: timedelta, where: str) -> None:
    if not span:
        raise _wrong(f"{where} is 0s: nobody would look.", "Give a longer one, or write all_at_once.")


def _positive(share: Exposure, where: str) -> None:
    if share == NONE:
        raise _wrong(f"{where} is 0%: the plan would never begin.", "Give at least 0.01%.")


def _wrong(what: str, mend: str) -> ValueError:
    return ValueError(f"{what}\n{mend}")


_LONGEST_SENTENCE = 200
_ADAPTIVELY = re.compile(r"adaptive(?: harm (?P<harm>\d{1,7}))?(?: over (?P<span>\S+))?")
_SENTENCES = (
    (r"linear (?P<share>\S+%) every (?P<span>\S+)", "linear", "step", "every"),
    (r"canary (?P<share>\S+%) (?:hold|for) (?P<span>\S+)", "canary", "first", "hold"),
    (r"exponential (?P<share>\S+%) every (?P<span>\S+)", "exponential", "factor", "every"),
)


def parse_plan_sentence(text: str) -> dict[str, Any]:
    """Reads `linear 10% every 1m`, `canary 10% hold 5m`, `exponential 10% every 1m`, `adaptive harm 10 over 2m`, `all_at_once`
    or a predefined name; each may end with `bake 5m`."""
    shape, _, bake = " ".join(text[:_LONGEST_SENTENCE].split()).partition(" bake ")
    rest: dict[str, Any] = {"bake": parse_duration(bake)} if bake else {}
    if shape == "all_at_once":
        return {"all_at_once": True, **rest}
    if shape.lower() in NAMED:
        return {"name": shape, **rest}
    if found := _ADAPTIVELY.fullmatch(shape):
        harm = {"harm": int(found["harm"])} if found["harm"] else {}
        least = {"no_faster_than": parse_duration(found["span"])} if found["span"] else {}
        return {"adaptive": {**harm, **least}, **rest}
    for pattern, kind, share, span in _SENTENCES:
        if found := re.fullmatch(pattern, shape):
            return {kind: {share: parse_share(found["share"]), span: parse_duration(found["span"])}, **rest}
    raise Invalid(
        f"{quote(text)} is no plan.",
        "Write linear 10% every 1m, canary 10% hold 5m, exponential 10% every 1m, adaptive harm 10 over 2m, all_at_once or a "
        "predefined name.",
    )


def read_plan(content: object, what: str = "the plan") -> PlanFile:
    """Reads a sentence or a mapping as a plan. Raises Invalid."""
    return read(PlanFile, content, what)
