"""What a page says of a rollout: whether it is fine, why, and what comes next. One tone for each state, and always a word too.

good  all is well          wait  a person is waited for, or nobody can be sure
bad   it goes or went back  done  it serves everybody, or it is over
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.api.preview import GuardAhead
from tidegate.core.evidence import say_evidence
from tidegate.core.exposure import NONE
from tidegate.core.figures import count, span
from tidegate.core.verdict import Cause, GuardSeen, Judgement
from tidegate.engine.view import EnvironmentView, ReleaseView, RolloutView, ServiceView, StepView
from tidegate.ports import TaskState

MOST_STEPS = 12


@dataclass(frozen=True, slots=True)
class Headline:
    tone: str
    word: str
    """One word for the state, for badges."""
    title: str
    why: str = ""
    ahead: str = ""
    """What happens next by itself."""


@dataclass(frozen=True, slots=True)
class Button:
    """`verb` is that of the API and of the command line."""

    verb: str
    label: str
    asks: str
    full: bool = False
    danger: bool = False

    @property
    def command(self) -> str:
        return f"tidegate {self.verb} SERVICE{' --full' if self.full else ''}"


PAUSE = Button("pause", "Pause", "The exposure stays where it is. Guards keep looking and may roll back.")
RESUME = Button("resume", "Resume", "It goes on where it was paused.")
PROMOTE = Button("promote", "Promote", "Goes to the next step now, without waiting for the rest of this one.")
FULL = Button("promote", "Promote to the end", "Goes to the last step now: everybody gets the candidate.", full=True)
ABORT = Button("abort", "Abort", "Rolls back now: everybody gets the baseline.", danger=True)
ROLLBACK = Button("rollback", "Roll back", "Brings back what was there before, at once and for everybody.", danger=True)


def named(view: RolloutView, version: str) -> str:
    """Versions have names, flag documents have numbers."""
    return f"document {version}" if "/" in view.service else version


def headline(view: RolloutView) -> Headline:
    who = named(view, view.candidate)
    match view.phase:
        case "completed":
            return Headline("done", "completed", f"{who} serves everybody", harm_in_short(view) if view.baseline else "")
        case "rolled_back":
            return Headline("bad", "rolled back", f"{who} was rolled back", _sentence(view.reason), _back(view))
        case "rolling_back":
            return Headline("bad", "rolling back", f"{who} goes back", _sentence(view.reason), _back(view))
    if view.waiting:
        return Headline("wait", "waiting", f"Waits for a person at {view.wanted}", _sentence(view.waiting), "Promote or abort.")
    if view.paused:
        return Headline("wait", "paused", f"Paused at {view.wanted}", "Guards look on and may roll back.", "Nothing grows.")
    if view.phase == "preparing":
        return Headline("good", "preparing", f"{who} is being prepared", _sentence(view.why), "Nobody gets it yet.")
    return _going(view, who)


def _going(view: RolloutView, who: str) -> Headline:
    has = f"{who} at {view.wanted}"
    ahead, verdict = _ahead(view), view.verdict
    if not view.baseline:
        return Headline("good", "starting", f"{has}: the first one", "There is nothing before it that could be harmed.", ahead)
    if verdict is None:
        return Headline("wait", "not seen yet", f"{has}: nobody has looked yet", "", ahead)
    if verdict.judgement is Judgement.BAD:
        return Headline("bad", "harmful", f"{has} does harm", _sentence(verdict.why), "It goes back.")
    if verdict.judgement is Judgement.GOOD:
        return Headline("good", "going well", f"Going well: {has}", _calm(view), ahead)
    match verdict.cause:
        case Cause.NO_DATA:
            return Headline("good", "gathering data", f"Nothing bad so far: {has}", _sentence(verdict.why), ahead)
        case Cause.HELD:
            return Headline("wait", "held", f"Held: {has}", _sentence(verdict.why), "It does not grow until that is over.")
        case _:
            return Headline("wait", "blind", f"Cannot see: {has}", _sentence(verdict.why), "Unseen time does not count.")


def serving(view: ServiceView) -> Headline:
    """Of a service: what hurts it, else what is going on, else that it is well."""
    rollout, living = view.rollout, [task for task in view.tasks if task.state is not TaskState.STOPPING]
    healthy = sum(task.state is TaskState.HEALTHY for task in living)
    firing = [alarm.name for alarm in view.alarms if alarm.state == "firing"]
    if rollout is not None and rollout.in_flight:
        going = headline(rollout)
        return Headline("bad" if firing else going.tone, going.word, going.title, going.why, going.ahead)
    if not view.stable:
        return Headline("wait", "empty", "Nothing serves yet", "No version of it has come through.")
    title = f"{view.stable} serves everybody"
    if firing:
        return Headline("bad", "alarm", title, f"{', '.join(firing)} fires.")
    if living and not healthy:
        return Headline("bad", "down", f"{view.stable} has no healthy task", _sentence(living[0].why))
    if healthy < len(living):
        return Headline("wait", "partly ill", title, f"{healthy} of {count(len(living), 'task')} healthy.")
    return Headline("good", "well", title, f"{count(healthy, 'task')}, all healthy." if living else "")


def in_force(view: EnvironmentView) -> Headline:
    """Of an environment of flags."""
    rollout, firing = view.rollout, [alarm.name for alarm in view.alarms if alarm.state == "firing"]
    if rollout is not None and rollout.in_flight:
        going = headline(rollout)
        return Headline("bad" if firing else going.tone, going.word, going.title, going.why, going.ahead)
    if view.document is None:
        return Headline("plain", "empty", "No flags yet", "The first document is in force for everybody at once.")
    title = f"Document {view.document} is in force"
    if firing:
        return Headline("bad", "alarm", title, f"{', '.join(firing)} fires.")
    if not view.agents and not view.sessions.count and not view.led:
        return Headline("wait", "nobody asks", title, "No agent follows these flags now.")
    return Headline("good", "in force", title)


_WORST = ("bad", "wait", "good", "plain", "done")


def together(release: ReleaseView) -> Headline:
    """Of a release: as its worst part is."""
    heads = [headline(one) for one in release.rollouts]
    worst = min(heads, key=lambda head: _WORST.index(head.tone))
    if len(release.rollouts) == 1:
        return worst
    if not release.in_flight:
        went = all(one.phase == "completed" for one in release.rollouts)
        title = "Everything serves everybody" if went else "It was rolled back, all of it"
        return Headline(worst.tone, worst.word, title, _sentence(release.rollouts[0].reason))
    return Headline(worst.tone, worst.word, worst.title, worst.why, worst.ahead)


TASKS = {
    TaskState.HEALTHY: "good",
    TaskState.STARTING: "plain",
    TaskState.STOPPING: "plain",
    TaskState.UNHEALTHY: "bad",
    TaskState.DEAD: "bad",
    TaskState.FAILED: "bad",
}
ROLES = {"serves": "good", "comes": "done", "goes back": "bad"}


def _calm(view: RolloutView) -> str:
    looking = [guard for guard in view.guards if guard.rollback and guard.state == "ok"]
    if not looking:
        return f"No guard looks: nothing would roll it back{'' if '/' in view.service else ' but failing tasks'}."
    seen = f", evidence against it {say_evidence(view.comparison.evidence)}" if view.comparison else ""
    return f"{count(len(looking), 'guard')} look{'s' if len(looking) == 1 else ''}, none complains{seen}."


def _ahead(view: RolloutView) -> str:
    later = view.steps[view.step] if view.step < len(view.steps) else None
    now = view.steps[view.step - 1] if view.step else None
    if now is None:
        return ""
    if now.gate:
        return f"A person confirms before it goes on: {now.gate}."
    then = later.exposure if later else "completed"
    if view.watched >= view.hold:
        return f"{then} as soon as the guards agree."
    then = f"{then} in {span(view.hold - view.watched)}"
    return f"{then}; all done in {span(view.left)} when all goes well." if later and view.left else f"{then}."


def _back(view: RolloutView) -> str:
    if not view.baseline:
        return harm_in_short(view)
    serves = f"{named(view, view.baseline)} serves everybody"
    return f"{serves}. {harm_in_short(view)}" if view.phase == "rolled_back" else f"Until {serves}."


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


def harm_in_short(view: RolloutView) -> str:
    counted = view.harm.counted
    if not counted.requests and view.led:
        return f"{view.led} led it: its requests were not counted."
    if not counted.requests:
        return "No request to it has been counted." if view.harm.most else "No request reached it."
    said = [f"{count(counted.requests, 'request')} watched"]
    said.append(f"{counted.failed:,} failed, users saw {counted.seen or 'none'}" if counted.failed else "none failed")
    if view.harm.slow:
        said.append(f"about {view.harm.slow:,} slower than before")
    return ", ".join(said) + "."


def buttons(view: RolloutView, *, latest: bool) -> tuple[Button, ...]:
    """What a person can do now. `latest`: there is no younger rollout of the same thing."""
    if view.phase == "rolling_back":
        return ()
    if view.in_flight:
        pausing = RESUME if view.paused else PAUSE
        return (pausing, ABORT) if view.phase == "preparing" else (pausing, PROMOTE, FULL, ABORT)
    return (ROLLBACK,) if latest and view.phase == "completed" and view.baseline else ()


def page_of(subject: str) -> str:
    return f"/flags/{subject}" if "/" in subject else f"/services/{subject}"


def path_of(subject: str) -> str:
    """Of the API, where verbs are sent."""
    application, _, environment = subject.partition("/")
    return f"/v1/applications/{application}/environments/{environment}" if environment else f"/v1/services/{subject}"


@dataclass(frozen=True, slots=True)
class StripStep:
    """`state`: done, now, next, back (from here it went back); or more, in the place of steps that are not shown."""

    state: str
    exposure: str = ""
    held: str = ""
    extra: str = ""


def strip_ahead(steps: Sequence[StepView]) -> list[StripStep]:
    """A plan that is not begun."""
    shown = [_ahead_step(step) for step in steps]
    return shown if len(shown) <= MOST_STEPS else [*shown[:8], StripStep("more"), *shown[-3:]]


def _ahead_step(step: StepView) -> StripStep:
    return StripStep("next", step.exposure, *_held(step))


def strip(view: RolloutView) -> list[StripStep]:
    """The plan; of a long one its beginning, its end and where it is."""
    shown: list[StripStep] = []
    last = 0
    for number in _kept(view):
        if number != last + 1:
            shown.append(StripStep("more"))
        shown.append(_strip_step(view, number, view.steps[number - 1]))
        last = number
    return shown


def _kept(view: RolloutView) -> list[int]:
    size = len(view.steps)
    if size <= MOST_STEPS:
        return list(range(1, size + 1))
    here = max(1, view.step)
    return sorted({1, 2, *range(max(1, here - 2), min(size, here + 4) + 1), size - 1, size})


def _strip_step(view: RolloutView, number: int, step: StepView) -> StripStep:
    reached = len(view.steps) + 1 if view.phase == "completed" else view.step
    went_back = view.phase in ("rolling_back", "rolled_back")
    if went_back and view.harm.most == NONE:
        reached = 0
    here = "back" if went_back else "now"
    state = "done" if number < reached else here if number == reached else "next"
    return StripStep(state, step.exposure, *_held(step))


def _held(step: StepView) -> tuple[str, str]:
    held = span(step.hold) if step.least is None else f"{span(step.least)} to {span(step.hold)}"
    return held, ", ".join(word for word in ("hook" if step.hook else "", "gate" if step.gate else "") if word)


_ARMED = {
    "refused": ("bad", "fires already: this will be refused"),
    "no": ("wait", "not armed: it fires already"),
    "later": ("wait", "fires already, armed once it was well"),
}


def say_armed(guard: GuardAhead) -> tuple[str, str]:
    """Of a guard before the start: whether it will look, and act."""
    if not guard.rollback:
        return "plain", "shown only"
    if guard.armed == "yes" and guard.state == "blind":
        return "wait", "armed, but its source does not answer"
    if guard.why and not guard.state:
        return ("wait", f"not armed: {guard.why}") if guard.armed == "no" else ("good", f"armed: {guard.why}")
    return _ARMED.get(guard.armed, ("good", "armed"))


_GUARDS = {
    "ok": ("good", "ok"),
    "firing": ("bad", "fires"),
    "blind": ("wait", "blind"),
    "held": ("wait", "held"),
    "no_data": ("plain", "no data"),
    "not_armed": ("plain", "not armed"),
    "not_applicable": ("plain", "not applicable"),
}


def guard_tone(guard: GuardSeen) -> tuple[str, str]:
    return _GUARDS.get(guard.state, ("wait", guard.state.replace("_", " ")))


def say_guard(guard: GuardSeen) -> str:
    if guard.state != "ok" and guard.why:
        return guard.why
    limit = guard.limit and (guard.limit if guard.state == "firing" else f"fires {guard.limit}")
    return ", ".join(part for part in (guard.figure, limit) if part) or guard.why


def alarms_in_short(alarms: Sequence[GuardSeen]) -> tuple[str, str]:
    """Of a service: what fires, else what cannot be seen, else that all is well."""
    firing = [alarm.name for alarm in alarms if alarm.state == "firing"]
    if firing:
        return "bad", f"{', '.join(firing)} fires"
    blind = [alarm.name for alarm in alarms if alarm.state == "blind"]
    if blind:
        return "wait", f"{', '.join(blind)} cannot be seen"
    if not alarms:
        return "plain", "none"
    return ("good", "ok") if any(alarm.state == "ok" for alarm in alarms) else ("plain", "no data")


def shell(word: str) -> str:
    """For a command line."""
    return shlex.quote(word)
