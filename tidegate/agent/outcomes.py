"""Outcomes of requests, by the side that their flags came from; and how often which variant was answered.

A request counts for the side of the first entity that it asked a changed flag for. That entity's place was drawn by the
salt, whatever the request did, so that the two sides stay alike. A request that asked for other flags only, or for nobody, was
drawn by nobody: it counts as one of the others, and outside of rollouts all of them do. Everything only adds up: what a lost
report said is in the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from tidegate.agent.cache import View
from tidegate.core.flags.meeting import as_id
from tidegate.core.flags.result import Fault, Result, Side
from tidegate.core.flags.rule import TARGETING_KEY
from tidegate.core.latency import bin_of

Answered = Iterable[tuple[str, Result]]
"""Flags that were asked for together, with their results."""
Used = Mapping[str, str]
"""The flags that a request has asked for, and the variant that it got last of each."""
NO_FLAGS: Used = {}
OTHER = "other"
"""What is counted for neither side."""


@dataclass(slots=True)
class Ended:
    """How requests ended."""

    begun: int = 0
    finished: int = 0
    failed: int = 0
    latency: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Count(Ended):
    """One side of one rollout, or what is on neither. `flags`: the same of watched flags, by flag and variant."""

    document: int = 0
    flags: dict[tuple[str, str], Ended] = field(default_factory=dict)


class Outcomes:
    """Safe to use from any thread. Counts are of the rollout that runs, or of the document in force outside of rollouts; with
    the next one they begin at nothing."""

    def __init__(self) -> None:
        self.hurry: Callable[[], None] | None = None
        """Called when a request of the candidate has failed."""
        self._lock = threading.Lock()
        self._rollout = ""
        self._sides: dict[str, Count] = {}
        self._watched: frozenset[str] = frozenset()
        self._flags: dict[tuple[str, str], int] = {}
        self._asked: dict[str, int] = {}
        self._tracked: dict[tuple[str, str], list[float]] = {}

    def evaluated(self, result: Result) -> None:
        if result.error == Fault.FLAG_NOT_FOUND:
            return  # anybody may ask for any name
        key = (result.flag, variant_of(result))
        with self._lock:
            self._flags[key] = self._flags.get(key, 0) + 1

    def all_evaluated(self, results: Iterable[Result]) -> None:
        with self._lock:
            flags = self._flags
            for result in results:
                key = (result.flag, variant_of(result))
                flags[key] = flags.get(key, 0) + 1

    def begin(self, view: View, side: Side) -> str:
        """A request has used this side. Returns the rollout that it counts for."""
        with self._lock:
            count = self._sides.get(side)
            if view.snapshot.rollout != self._rollout or count is None:
                return ""  # that rollout has ended meanwhile
            count.begun += 1
            return self._rollout

    def finish(self, rollout: str, side: Side, *, failed: bool, seconds: float, used: Used = NO_FLAGS) -> None:
        with self._lock:
            count = self._sides.get(side)
            if rollout == self._rollout and count is not None:
                _finish(count, failed=failed, seconds=seconds)
                self._finish_flags(count, used, failed=failed, seconds=seconds)
        if failed and side is Side.CANDIDATE and (hurry := self.hurry) is not None:
            hurry()

    def asked(self, flags: Iterable[str]) -> None:
        """A request has ended that asked for these."""
        with self._lock:
            for flag in flags:
                self._asked[flag] = self._asked.get(flag, 0) + 1

    def other(self, *, failed: bool, seconds: float, used: Used = NO_FLAGS) -> None:
        """A request has ended that used flags, and was on neither side."""
        with self._lock:
            count = self._sides.get(OTHER)
            if count is not None:
                count.begun += 1
                _finish(count, failed=failed, seconds=seconds)
                self._finish_flags(count, used, failed=failed, seconds=seconds)

    def _finish_flags(self, count: Count, used: Used, *, failed: bool, seconds: float) -> None:
        for flag in self._watched & used.keys():
            ended = count.flags.setdefault((flag, used[flag]), Ended())
            ended.begun += 1
            _finish(ended, failed=failed, seconds=seconds)

    def track(self, name: str, side: Side | None, value: float) -> None:
        with self._lock:
            counted = self._tracked.setdefault((name, str(side or "")), [0, 0.0])
            counted[0] += 1
            counted[1] += value

    def turn_to(self, view: View) -> None:
        """What is counted from now on belongs to this snapshot's rollout."""
        snapshot = view.snapshot
        documents = {OTHER: snapshot.baseline.number}
        if snapshot.rollout and snapshot.candidate is not None:
            documents |= {Side.BASELINE: snapshot.baseline.number, Side.CANDIDATE: snapshot.candidate.number}
        with self._lock:
            self._watched = frozenset(snapshot.watched)
            if (snapshot.rollout, documents) != (self._rollout, {side: count.document for side, count in self._sides.items()}):
                self._rollout, self._sides = (
                    snapshot.rollout,
                    {side: Count(document=number) for side, number in documents.items()},
                )

    def said(self) -> dict[str, Any]:
        """The counted part of a report."""
        with self._lock:
            flags: dict[str, dict[str, int]] = {}
            for (flag, variant), count in self._flags.items():
                flags.setdefault(flag, {})[variant] = count
            sides = {str(side): _say_side(count) for side, count in self._sides.items()}
            return {"sides": sides, "flags": flags, "asked": dict(self._asked)}

    def tracked(self) -> Mapping[tuple[str, str], tuple[int, float]]:
        """How often each event was tracked and the sum of its values, by name and side."""
        with self._lock:
            return {key: (int(count), total) for key, (count, total) in self._tracked.items()}


def variant_of(result: Result) -> str:
    """Without a variant, why there is none: `disabled`, `static`."""
    return result.variant if result.variant is not None else str(result.reason).lower()


def _finish(count: Ended, *, failed: bool, seconds: float) -> None:
    count.finished += 1
    count.failed += failed
    bin_ = bin_of(seconds * 1e6)
    count.latency[bin_] = count.latency.get(bin_, 0) + 1


def _say_side(count: Count) -> dict[str, Any]:
    flags: dict[str, dict[str, Any]] = {}
    for (flag, variant), ended in count.flags.items():
        flags.setdefault(flag, {})[variant] = _say(ended)
    return {"document": count.document, **_say(count), "flags": flags}


def _say(count: Ended) -> dict[str, Any]:
    return {
        "begun": count.begun,
        "finished": count.finished,
        "failed": count.failed,
        "latency": {str(bin_): number for bin_, number in sorted(count.latency.items())},
    }


class Use:
    """What one request has used of one agent, from its begin to its end."""

    __slots__ = ("_clock", "_ended", "_flags", "_outcomes", "_outer", "_rollout", "_side", "_started")

    def __init__(self, outcomes: Outcomes, clock: Callable[[], float], outer: Use | None) -> None:
        self._outcomes = outcomes
        self._clock = clock
        self._outer = outer
        self._started = clock()
        self._side: Side | None = None
        self._rollout = ""
        self._flags: dict[str, str] = {}
        self._ended = False

    def note(self, outcomes: Outcomes, view: View, answered: Answered, context: Mapping[str, Any] | None) -> None:
        """It has asked for these flags, for one entity: all of them are of one side."""
        if outcomes is not self._outcomes:
            if self._outer is not None:
                self._outer.note(outcomes, view, answered, context)
            return
        changed: Result | None = None
        for flag, result in answered:
            # Anything may be asked for, and what is no name is no flag.
            if flag.__class__ is str and result.error != Fault.FLAG_NOT_FOUND:
                self._flags[flag] = variant_of(result)
                changed = result if flag in view.changed else changed
        if changed is None or self._side is not None or self._ended or not _has_entity(context):
            return
        self._side = changed.side
        self._rollout = self._outcomes.begin(view, self._side)

    def end(self, *, failed: bool) -> None:
        """Twice is once."""
        if self._ended:
            return
        self._ended = True
        if not self._flags:
            return
        self._outcomes.asked(self._flags)
        seconds = max(0.0, self._clock() - self._started)
        if self._side is None:
            self._outcomes.other(failed=failed, seconds=seconds, used=self._flags)
        elif self._rollout:
            self._outcomes.finish(self._rollout, self._side, failed=failed, seconds=seconds, used=self._flags)


CURRENT: ContextVar[Use | None] = ContextVar("tidegate_use", default=None)
"""The request that this code runs for, where the middleware knows it."""


def _has_entity(context: Mapping[str, Any] | None) -> bool:
    try:
        return context is not None and as_id(context.get(TARGETING_KEY)) is not None
    except Exception:  # a mapping of the application's own may do anything
        return False
