"""The little language of tests/scenarios: a plan, what happens to it in time, and below `----` what became of it.

    # A comment says what this is about.
    plan linear 10% every 1m bake 5m       a sentence, or {steps: [...], unsure: {...}} as in a service file
    baseline none                          default v1; none for the first version of a service
    at 50s verdict bad errors above 1%     see _EVENTS for what may happen
    run 7m

The answer has a line for each change: the time, the phase, the exposure that is wanted and the one that was seen, the stable
version and the one in the slot as seen, and why. Lines with `--` are no decisions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import yaml

from tests.support.pretended import TICK, World, begin
from tidegate.core import intervention
from tidegate.core.duration import parse_duration
from tidegate.core.errors import Refused
from tidegate.core.exposure import parse_share
from tidegate.core.plan import PlanFile
from tidegate.core.rollout import HookSeen, HookState, Readiness, Ready, Rollout
from tidegate.core.verdict import GOOD, Cause, bad, unknown

RULE = "----"


@dataclass
class Scenario:
    plan: object = "linear 10% every 1m"
    baseline: str = "v1"
    guarded: bool = True
    events: list[tuple[timedelta, str]] = field(default_factory=list)
    span: timedelta = timedelta(0)


def read_scenario(text: str) -> Scenario:
    scenario = Scenario()
    for line in text.splitlines():
        match line.strip().split(maxsplit=1):
            case [] | ["#", *_]:
                continue
            case ["plan", said]:
                scenario.plan = yaml.safe_load(said)
            case ["baseline", said]:
                scenario.baseline = "" if said == "none" else said
            case ["guards", "ignored"]:
                scenario.guarded = False
            case ["at", said]:
                when, _, event = said.partition(" ")
                scenario.events.append((parse_duration(when), event.strip()))
            case ["run", said]:
                scenario.span = parse_duration(said)
            case _:
                raise ValueError(f"what is {line!r}?")
    return scenario


def play(scenario: Scenario) -> str:
    """The timeline of a scenario, one line a change."""
    plan = replace(PlanFile.model_validate(scenario.plan).resolve(), guarded=scenario.guarded)
    stage = Stage(World(begin(plan, baseline=scenario.baseline)))
    events = sorted(scenario.events, key=lambda event: event[0])
    while stage.at < scenario.span:
        while events and events[0][0] <= stage.at:
            stage.happen(events.pop(0)[1])
        stage.tick()
    if events:
        raise ValueError(f"{events[0][1]!r} comes after the end")
    return "".join(f"{line}\n" for line in stage.lines)


class Stage:
    """A world, the true time, and the lines written so far."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.at = timedelta(0)
        self.away = timedelta(0)
        self.lines: list[str] = []
        self._last: tuple[str, ...] = ()

    def tick(self) -> None:
        self.at += TICK + self.away
        seen = self.world.seen()  # what this tick decides by
        before = len(self.world.hooks_run)
        self.world.tick(TICK + self.away)
        self.away = timedelta(0)
        rollout = self.world.rollout
        applied = "?" if seen.applied.exposure is None else str(seen.applied.exposure)
        router = "?" if seen.applied.stable is None else f"{seen.applied.stable or '-'} + {seen.applied.slot or '-'}"
        now = (_phase(rollout), str(rollout.setting.exposure), applied, router, _why(rollout))
        if now != self._last:
            self._last = now
            phase, wanted, applied, router, why = now
            self.lines.append(f"{_clock(self.at)}  {phase:<22} {wanted:>6} {applied:>6}  {router:<9}  {why}".rstrip())
        for step in self.world.hooks_run[before:]:
            self.aside(f"the hook of step {step + 1} starts")

    def aside(self, said: str) -> None:
        self.lines.append(f"{_clock(self.at)}  -- {said}")

    def happen(self, event: str) -> None:
        for pattern, act in _EVENTS.items():
            if found := re.fullmatch(pattern, event):
                act(self, *found.groups())
                return
        raise ValueError(f"what is {event!r}?")

    def intervene(self, act: Callable[[Rollout], Rollout]) -> None:
        try:
            self.world.intervene(act)
        except Refused as refused:
            self.aside(f"refused: {refused.what} {refused.mend}")

    def shift_clock(self, by: timedelta) -> None:
        self.world.now += by


def _set(**values: object) -> Callable[..., None]:
    def act(stage: Stage) -> None:
        for name, value in values.items():
            setattr(stage.world, name, value)

    return act


def _verdict(cause: Cause) -> Callable[[Stage, str], None]:
    return lambda stage, why: setattr(stage.world, "verdict", unknown(cause, why))


def _do(act: Callable[[Rollout], Rollout]) -> Callable[[Stage], None]:
    return lambda stage: stage.intervene(act)


_EVENTS: dict[str, Callable[..., None]] = {
    "nothing": _set(),
    # guards
    "verdict good": _set(verdict=GOOD),
    "verdict bad (.+)": lambda stage, why: setattr(stage.world, "verdict", bad(why)),
    "verdict blind (.+)": _verdict(Cause.BLIND),
    "verdict held (.+)": _verdict(Cause.HELD),
    "verdict no data (.+)": _verdict(Cause.NO_DATA),
    # the router
    "router blind": _set(lever_visible=False),
    "router seen": _set(lever_visible=True),
    "router stuck": _set(lever_works=False),
    "router works": _set(lever_works=True),
    "drift to (.+%)": lambda stage, share: stage.world.drift(exposure=parse_share(share)),
    "drift slot to (.+)": lambda stage, version: stage.world.drift(slot=version),
    "drift stable to (.+)": lambda stage, version: stage.world.drift(stable=version),
    # the candidate and its hooks
    "candidate starting": _set(candidate=Readiness(Ready.NOT_YET)),
    "candidate healthy": _set(candidate=Readiness(Ready.YES)),
    "candidate unseen": _set(candidate=Readiness(Ready.UNSEEN)),
    "candidate failed (.+)": lambda stage, why: setattr(stage.world, "candidate", Readiness(Ready.FAILED, why)),
    "hook passed": _set(hook=HookSeen(HookState.PASSED)),
    "hook failed (.+)": lambda stage, why: setattr(stage.world, "hook", HookSeen(HookState.FAILED, why)),
    "loser needed": _set(loser_needed=True),
    # the controller
    "controller down (.+)": lambda stage, span: setattr(stage, "away", parse_duration(span)),
    "clock back (.+)": lambda stage, span: stage.shift_clock(-parse_duration(span)),
    "clock ahead (.+)": lambda stage, span: stage.shift_clock(parse_duration(span)),
    # people
    "pause": _do(lambda rollout: intervention.pause(rollout, "ann")),
    "resume": _do(lambda rollout: intervention.resume(rollout, "ann")),
    "promote": lambda stage: stage.intervene(lambda r: intervention.promote(r, "ann", stage.world.now)),
    "promote full": lambda stage: stage.intervene(lambda r: intervention.promote(r, "ann", stage.world.now, full=True)),
    "abort": _do(lambda rollout: intervention.abort(rollout, "ann")),
    "abort because (.+)": lambda stage, why: stage.intervene(lambda r: intervention.abort(r, "ann", why)),
    "supersede by (.+)": lambda stage, version: stage.intervene(lambda r: intervention.supersede(r, "ann", version)),
}


def _phase(rollout: Rollout) -> str:
    phase = rollout.phase.replace("_", " ")
    return phase if rollout.in_flight else f"{phase}, {rollout.tidy.replace('_', ' ')}"


def _why(rollout: Rollout) -> str:
    kind, why = rollout.decision.kind.replace("_", " "), rollout.decision.why
    waits = rollout.waiting.removeprefix(f"{why}: ") if rollout.waiting != why else "yes"
    return f"{kind}: {why}{f' [waits for a person: {waits}]' if rollout.waiting else ''}"


def _clock(at: timedelta) -> str:
    minutes, seconds = divmod(int(at.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
