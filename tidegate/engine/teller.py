"""What is told: events in the history, and letters to whoever wants to know. Letters leave by an outbox, at least once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog

from tidegate.core.duration import say_duration, say_roughly
from tidegate.core.errors import TidegateError
from tidegate.core.harm import Harm
from tidegate.core.rollout import Phase, Rollout
from tidegate.core.service import On
from tidegate.core.setting import Applied
from tidegate.engine.watcher import Look
from tidegate.ports import Letter, Letters, Notifier, Store, Told

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=10)
MOST_TRIES = 100


def told_of(before: Rollout, after: Rollout, applied: Applied, look: Look, harm: Harm) -> tuple[Told, ...]:
    """The decision record of this tick; nothing while the decision and its reason stay what they were."""
    if after.decision == before.decision:
        return ()
    compared = look.comparison
    facts: dict[str, object] = {
        "phase": after.phase.value,
        "step": after.step + 1,
        "steps": len(after.plan.steps),
        "wanted": str(after.setting.exposure),
        "applied": None if applied.exposure is None else str(applied.exposure),
        "watched": say_duration(after.watched),
        "verdict": look.verdict.judgement.value,
        "guards": [describe_guard(guard) for guard in look.guards],
        "comparison": None if compared is None else asdict(compared),
        "sides": {side: asdict(figures) for side, figures in look.figures.items()},
        "harm": describe_harm(harm),
    }
    return (Told(after.decision.kind, after.subject, after.decision.why, after.id, facts=facts),)


def describe_guard(guard: object) -> dict[str, object]:
    return {name: getattr(guard, name) for name in ("name", "state", "figure", "limit", "why", "query", "value", "rollback")}


def describe_harm(harm: Harm) -> dict[str, object]:
    """The account as events, the API and the screen show it. Times are ISO 8601, durations `1.2s`."""
    counted, detect, act = harm.counted, harm.time_to_detect, harm.time_to_act
    return {
        "requests": counted.requests,
        "finished": counted.finished,
        "failed": counted.failed,
        "rescued": harm.rescued,
        "seen": counted.seen,
        "slow": harm.slow,
        "rate": harm.rate,
        "baseline_finished": counted.baseline_finished,
        "baseline_failed": counted.baseline_failed,
        "baseline_rate": harm.baseline_rate,
        "most": str(harm.most),
        "first": harm.first.isoformat() if harm.first else None,
        "last": harm.last.isoformat() if harm.last else None,
        "time_to_detect": None if detect is None else say_roughly(detect),
        "time_to_act": None if act is None else say_roughly(act),
    }


def letters_of(before: Rollout, after: Rollout, harm: Harm, on: Sequence[On]) -> Letters:
    """Who is told of this tick. A rollout that waits is told once for each thing it waits for."""
    kind = _kind(before, after)
    return write_letters(kind, after, harm, on) if kind else ()


def _kind(before: Rollout, after: Rollout) -> str:
    return _ending(before, after) or _going_on(before, after)


def _ending(before: Rollout, after: Rollout) -> str:
    if after.phase is not before.phase and after.phase is Phase.ROLLED_BACK:
        return "rolled_back"
    if after.phase is not before.phase and after.phase is Phase.COMPLETED:
        return "completed"
    return "waiting" if after.waiting and after.waiting != before.waiting else ""


def _going_on(before: Rollout, after: Rollout) -> str:
    if before.phase is Phase.SHIFTING and after.phase is Phase.WATCHING:
        return "step"
    is_held = after.decision.kind == "hold" and not (after.paused or after.waiting or after.ready)
    return "held" if is_held and before.decision.kind != "hold" else ""


def write_letters(kind: str, rollout: Rollout, harm: Harm, on: Sequence[On]) -> Letters:
    message = {
        # The same for each attempt: whoever gets it twice knows it.
        "id": f"{rollout.id}-{kind}-{rollout.step + 1}-{int(rollout.ticked.timestamp() * 1000)}",
        "event": kind,
        "sentence": say(kind, rollout, harm),
        "service": rollout.subject,
        "rollout": rollout.id,
        "release": rollout.release,
        "baseline": rollout.baseline,
        "candidate": rollout.candidate,
        "by": rollout.by,
        "reason": rollout.reason or rollout.waiting or rollout.decision.why,
        "exposure": str(rollout.wanted),
        "harm": describe_harm(harm),
    }
    return tuple((target, message) for target in on if kind in target.events)


def say(kind: str, rollout: Rollout, harm: Harm) -> str:
    """One sentence that can be read aloud at three in the morning."""
    name = f"{rollout.subject} {rollout.candidate}"
    match kind:
        case "started":
            return f"{name} begins to replace {rollout.baseline or 'nothing'}: {rollout.plan.said} (by {rollout.by})."
        case "rolled_back":
            return f"{name} was rolled back: {rollout.reason}. {harmed(rollout, harm)}"
        case "completed":
            return f"{name} serves everybody. {harmed(rollout, harm)}"
        case "step":
            return (
                f"{name} is at {rollout.wanted} (step {rollout.step + 1} of {len(rollout.plan.steps)}). {harmed(rollout, harm)}"
            )
        case "held":
            return f"{name} is held at {rollout.wanted}: {rollout.decision.why}. {harmed(rollout, harm)}"
        case _:
            return f"{name} waits at {rollout.wanted} for a person: {rollout.waiting}."


def harmed(rollout: Rollout, harm: Harm) -> str:
    """Where somebody else leads, nobody counts: that nothing was seen is not that nothing was there."""
    if rollout.plan.led and not harm.counted.requests:
        return f"Its requests were not counted: {rollout.plan.led} led it."
    return say_harm(harm)


def say_harm(harm: Harm) -> str:
    """Who was harmed, in one or two sentences."""
    counted = harm.counted
    if not counted.requests:  # on some platforms counts come minutes late
        return "No request to it has been counted." if harm.most else "No request reached it."
    reached = f"{counted.requests:,} requests reached it, at most {harm.most} of the users"
    slow = f"about {harm.slow:,} were slower than they would have been on the baseline" if harm.slow else ""
    if not counted.failed and not slow:
        return f"{reached}; none failed."
    if not counted.failed:
        return f"{reached}; none failed, but {slow}.{_how_fast(harm)}"
    seen = f"users saw {counted.seen:,} of them" if counted.seen else "users saw none of them"
    failed = f"{reached}; {counted.failed:,} attempts failed, {seen}"
    return f"{failed}; {slow}.{_how_fast(harm)}" if slow else f"{failed}.{_how_fast(harm)}"


def _how_fast(harm: Harm) -> str:
    detect, act = harm.time_to_detect, harm.time_to_act
    if detect is None or act is None:
        return ""
    first = "failure" if harm.counted.failed else "slow request"
    return f" From the first {first} to the decision {say_roughly(detect)}, to exposure zero {say_roughly(act)} more."


class Postman:
    """Carries letters from the outbox to the notifier. Runs beside the loop, so that a slow target delays nobody."""

    def __init__(self, store: Store, notify: Mapping[str, Notifier]) -> None:
        self._store = store
        self._notify = notify
        self._log = structlog.get_logger()

    def deliver(self, now: datetime) -> int:
        """Tries every letter that is due; how many arrived."""
        arrived = 0
        for letter in self._store.letters(now):
            arrived += self._try(letter, now)
        return arrived

    def _try(self, letter: Letter, now: datetime) -> bool:
        notifier = self._notify[letter.target.kind]
        try:
            notifier.tell(letter.target, letter.message)
        except TidegateError as error:
            self._again(letter, error, now)
            return False
        self._store.delivered(letter.id, now)
        return True

    def _again(self, letter: Letter, error: TidegateError, now: datetime) -> None:
        wait = min(FIRST_RETRY * 2 ** min(letter.tries, 12), LONGEST_RETRY)
        self._log.warning("letter_undelivered", of=letter.message.get("event"), problem=error.what, tries=letter.tries + 1)
        if letter.tries + 1 >= MOST_TRIES:
            self._log.error("letter_given_up", of=letter.message.get("event"), problem=error.what)
            self._store.given_up(letter.id)
        else:
            self._store.undelivered(letter.id, error.what, now + wait)
