"""Decisions as a page shows them: newest first, each with the figures that it was made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.core.evidence import say_evidence
from tidegate.core.figures import milliseconds, rate, share
from tidegate.ports import Event

_TONES = {
    "roll_back": "bad",
    "rolled_back": "bad",
    "aborted": "bad",
    "dropped": "bad",
    "complete": "done",
    "paused": "wait",
    "hold": "wait",
    "wait": "wait",
    "put_back": "wait",
    "shift": "good",
    "grow": "good",
    "promoted": "good",
    "resumed": "good",
}


@dataclass(frozen=True, slots=True)
class Row:
    """Both sides of one figure."""

    name: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True)
class GuardThen:
    name: str
    state: str
    said: str


@dataclass(frozen=True, slots=True)
class Decision:
    id: int
    at: datetime
    tone: str
    kind: str
    why: str
    by: str
    exposure: str
    rows: tuple[Row, ...]
    guards: tuple[GuardThen, ...]
    evidence: str

    @property
    def has_figures(self) -> bool:
        return bool(self.exposure or self.rows or self.guards)


def decisions(events: Sequence[Event]) -> list[Decision]:
    """Newest first."""
    return [_decision(event) for event in reversed(events)]


def _decision(event: Event) -> Decision:
    told, facts = event.told, event.told.facts
    return Decision(
        id=event.id,
        at=event.at,
        tone=_TONES.get(told.kind, "plain"),
        kind=told.kind.replace("_", " "),
        why=told.why,
        by="" if told.actor == "tidegate" else told.actor,
        exposure=_exposure(facts),
        rows=_rows(facts.get("sides")),
        guards=_guards(facts.get("guards")),
        evidence=_evidence(facts.get("comparison")),
    )


def _exposure(facts: Mapping[str, object]) -> str:
    if "wanted" not in facts:
        return ""
    return f"wanted {facts['wanted']}, applied {facts.get('applied') or 'not seen'}, watched {facts.get('watched', '0s')}"


def _rows(sides: object) -> tuple[Row, ...]:
    if not isinstance(sides, Mapping) or not any(_number(sides.get(side), "requests") for side in ("baseline", "candidate")):
        return ()
    kinds = (("requests/s", "per_second", rate), ("errors", "error_rate", share), ("p99", "p99", milliseconds))
    return tuple(
        Row(name, say(_number(sides.get("baseline"), key)), say(_number(sides.get("candidate"), key)))
        for name, key, say in kinds
    )


def _number(figures: object, key: str) -> float | None:
    found = figures.get(key) if isinstance(figures, Mapping) else None
    return found if isinstance(found, int | float) else None


def _guards(guards: object) -> tuple[GuardThen, ...]:
    if not isinstance(guards, Sequence):
        return ()
    return tuple(_guard(guard) for guard in guards if isinstance(guard, Mapping))


def _guard(guard: Mapping[str, object]) -> GuardThen:
    state, why = str(guard.get("state", "")), str(guard.get("why") or "")
    figures = ", ".join(str(guard[key]) for key in ("figure", "limit") if guard.get(key))
    return GuardThen(str(guard.get("name", "")), state.replace("_", " "), why if state != "ok" and why else figures or why)


def _evidence(comparison: object) -> str:
    evidence, limit = _number(comparison, "evidence"), _number(comparison, "limit")
    return f"{say_evidence(evidence)}, rolls back at {limit:,.0f}" if evidence is not None and limit is not None else ""
