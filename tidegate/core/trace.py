"""A rollout as a trace: one span for all of it, spans for its steps, within these for shifting and watching, and every decision
as an event of the innermost one. Made of what was written down, once it has ended; the same rollout is the same trace always.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tidegate.core.harm import Harm
from tidegate.core.rollout import Phase, Rollout

Value = str | int | bool
_STEPPING = (Phase.SHIFTING.value, Phase.WATCHING.value)
ENDED = (Phase.COMPLETED.value, Phase.ROLLED_BACK.value)


class Written(Protocol):
    """One event of the history."""

    @property
    def at(self) -> datetime: ...
    @property
    def kind(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True)
class Note:
    """What happened at one moment of a span."""

    at: datetime
    name: str
    facts: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """`id` and `parent` are of 8 bytes; the parent of the first one is b""."""

    id: bytes
    parent: bytes
    name: str
    begin: datetime
    end: datetime
    facts: Mapping[str, Value] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    failed: str = ""  # why it is a failure; "" when it is none


@dataclass(frozen=True, slots=True)
class Trace:
    """`id` is of 16 bytes. The first span is the whole rollout."""

    id: bytes
    spans: tuple[Span, ...]


@dataclass(slots=True)
class _Part:
    """A stretch of time in one phase of one step."""

    phase: str
    step: int
    exposure: str
    begin: datetime
    end: datetime
    notes: list[Note]


def is_end(event: Written) -> bool:
    """Whether with this event the rollout had ended: it is the first that says so."""
    return event.facts.get("phase") in ENDED and event.kind != "tidy"


def trace_of(rollout: Rollout, harm: Harm, events: Sequence[Written]) -> Trace:
    """Of a rollout that has ended."""
    parts = _parts(rollout, events)
    key = f"{rollout.id}|{rollout.created.isoformat()}|{rollout.salt}"
    root, end = _id(key, "rollout"), parts[-1].end if parts else rollout.ended or rollout.created
    spans = [
        Span(
            root,
            b"",
            f"rollout of {rollout.subject} {rollout.candidate}",
            rollout.created,
            end,
            _facts(rollout, harm),
            failed=rollout.reason if rollout.phase is Phase.ROLLED_BACK else "",
        )
    ]
    for number, part in enumerate(parts):
        parent = root
        if part.phase in _STEPPING:
            parent = _id(key, f"step {part.step}")
            if parent not in [span.id for span in spans]:
                spans.append(_step(parent, root, part, parts))
        name = f"{key} {number}"
        facts: dict[str, Value] = {"tidegate.phase": part.phase, "tidegate.exposure": part.exposure}
        spans.append(Span(_id(name, "part"), parent, part.phase, part.begin, part.end, facts, tuple(part.notes)))
    return Trace(hashlib.sha256(key.encode()).digest()[:16], tuple(spans))


def _step(id_: bytes, root: bytes, part: _Part, parts: Iterable[_Part]) -> Span:
    mine = [one for one in parts if one.step == part.step and one.phase in _STEPPING]
    facts: dict[str, Value] = {"tidegate.step": part.step, "tidegate.exposure": part.exposure}
    return Span(id_, root, f"step {part.step} at {part.exposure}", mine[0].begin, mine[-1].end, facts)


def _parts(rollout: Rollout, events: Sequence[Written]) -> list[_Part]:
    parts: list[_Part] = []
    last = rollout.created
    for event in events:
        at = max(event.at, last)  # what was written late carries its own time, and clocks go back
        last = at
        phase = str(event.facts.get("phase", ""))
        step = _whole(event.facts.get("step")) if phase in _STEPPING else 0
        if parts:
            parts[-1].end = at
        if is_end(event):
            if parts:
                parts[-1].notes.append(_note(event, at))
            break
        if not parts or (phase and (phase, step) != (parts[-1].phase, parts[-1].step)):
            begin = at if parts else rollout.created
            parts.append(_Part(phase or Phase.PREPARING.value, step, str(event.facts.get("wanted", "0%")), begin, at, []))
        parts[-1].notes.append(_note(event, at))
    return parts


def _note(event: Written, at: datetime) -> Note:
    facts: dict[str, Value] = {"tidegate.actor": event.actor, "tidegate.why": event.why}
    for name in ("wanted", "applied", "verdict"):
        if (value := event.facts.get(name)) is not None:
            facts[f"tidegate.{name}"] = str(value)
    harm = event.facts.get("harm")
    if isinstance(harm, Mapping) and isinstance(harm.get("failed"), int):
        facts["tidegate.harm.failed"] = int(harm["failed"])
    return Note(at, event.kind, facts)


def _facts(rollout: Rollout, harm: Harm) -> dict[str, Value]:
    counted = harm.counted
    return {
        "tidegate.rollout": rollout.id,
        "tidegate.subject": rollout.subject,
        "tidegate.lever": rollout.lever,
        "tidegate.release": rollout.release,
        "tidegate.baseline": rollout.baseline,
        "tidegate.candidate": rollout.candidate,
        "tidegate.plan": rollout.plan.said,
        "tidegate.by": rollout.by,
        "tidegate.outcome": rollout.phase.value,
        "tidegate.reason": rollout.reason,
        "tidegate.harm.most": str(harm.most),
        "tidegate.harm.requests": counted.requests,
        "tidegate.harm.failed": counted.failed,
        "tidegate.harm.seen": counted.seen,
        "tidegate.harm.slow": harm.slow,
    }


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _id(key: str, what: str) -> bytes:
    return hashlib.sha256(f"{what}|{key}".encode()).digest()[:8]
