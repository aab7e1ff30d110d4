"""Metrics that somebody pushes over HTTP: kept until the next look, from many threads, and bounded in everything.

The API calls `push`, the engine `measure`. Each value is handed out once.
"""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tidegate.core.duration import say_duration
from tidegate.core.errors import Invalid, Refused
from tidegate.ports import Asked, Measured, Measurement

MOST_NAMES = 1000
MOST_LABELS = 16
MOST_LABEL = 200
MOST_WAITING = 100_000
"""Values that nobody has looked at yet. Then the oldest ones go."""
AHEAD = timedelta(minutes=1)
"""How far a time may lie ahead: clocks differ."""
SOON = timedelta(minutes=1)
LATE = timedelta(hours=1)
REMEMBERED = timedelta(days=1)
"""How long a name is known after its last value."""
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")


def _now() -> datetime:
    return datetime.now(UTC)


class PushedMetrics:
    """A `MetricSource`."""

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[Measurement] = deque(maxlen=MOST_WAITING)
        self._names: dict[tuple[str, str], datetime] = {}  # service and metric: when it was pushed last

    def push(
        self,
        name: str,
        value: float,
        labels: Mapping[str, str] | None = None,
        *,
        at: datetime | None = None,
        service: str | None = None,
        version: str | None = None,
    ) -> str:
        """Takes one value. Answers "", or a sentence when its time changes what becomes of it. Raises Invalid or Refused."""
        labels = dict(labels or {})
        _check(name, value, labels)
        now = self._clock()
        when, told = _time(at, now)
        measurement = Measurement(name, float(value), labels, version=version or "", service=service or "", at=when)
        with self._lock:
            self._remember((service or "", name), now)
            self._waiting.append(measurement)
        return told

    def measure(self, asked: Sequence[Asked] = ()) -> Measured:  # noqa: ARG002 - it is pushed, not asked for
        """Everything that came since the last look."""
        with self._lock:
            taken = tuple(self._waiting)
            self._waiting.clear()
        return Measured(taken)

    def known(self, service: str) -> frozenset[str]:
        """The names that were pushed for this service, or for nobody in particular, during the last day."""
        oldest = self._clock() - REMEMBERED
        with self._lock:
            return frozenset(name for (of, name), last in self._names.items() if of in ("", service) and last >= oldest)

    def _remember(self, key: tuple[str, str], now: datetime) -> None:
        if key not in self._names and len(self._names) >= MOST_NAMES:
            self._names = {known: last for known, last in self._names.items() if last >= now - REMEMBERED}
            if len(self._names) >= MOST_NAMES:
                raise Refused(
                    f"{MOST_NAMES} metrics are pushed already, and {key[1]!r} would be one more.",
                    "Use labels instead of names that differ, or push fewer metrics.",
                )
        self._names[key] = now


def _check(name: str, value: float, labels: Mapping[str, str]) -> None:
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name[:80]!r} is no name of a metric.", "Use letters, digits, _ and :, as queue_depth.", "name")
    if isinstance(value, bool) or not math.isfinite(value):
        raise Invalid(f"{name} is {value!r}: nothing can be compared with that.", "Push a finite number, or nothing.", "value")
    if len(labels) > MOST_LABELS:
        raise Invalid(f"{name} has {len(labels)} labels.", f"Use at most {MOST_LABELS}.", "labels")
    for label, text in labels.items():
        if not _LABEL.fullmatch(label):
            raise Invalid(f"{label[:80]!r} is no name of a label.", "Use letters, digits and _.", "labels")
        if len(text) > MOST_LABEL:
            raise Invalid(f"Label {label} has {len(text)} characters.", f"Use at most {MOST_LABEL}.", f"labels.{label}")


def _time(at: datetime | None, now: datetime) -> tuple[datetime, str]:
    """When it was true, and what is to be said about it."""
    if at is None:
        return now, ""
    if at.tzinfo is None:
        raise Invalid(f"{at.isoformat()} has no time zone.", "Add it, as in 2026-01-31T12:00:00Z.", "at")
    if at > now + AHEAD:
        raise Invalid(f"{at.isoformat()} is {_about(at - now)} ahead.", "Check the clock of the sender.", "at")
    if at > now:
        return now, f"Its time is {_about(at - now)} ahead; it counts as of now."
    if at < now - LATE:
        mend = f"Push values within {say_duration(LATE)}; alarms judge the present."
        raise Invalid(f"{at.isoformat()} is {_about(now - at)} old.", mend, "at")
    if at > now - SOON:
        return at, ""
    return at, f"It is {_about(now - at)} old: figures of periods that are over change, what was decided then does not."


def _about(span: timedelta) -> str:
    return say_duration(timedelta(seconds=max(1, round(span.total_seconds()))))
