"""The agents of flags, as they have reported: who is there, what each applies, and what they have counted together.

The API tells it of every report, from its own thread; the lever looks once a tick. Silence is measured in time that was
looked at, so that a clock that jumps, or a controller that slept, makes no agent silent.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock

from tidegate.core.flags.agent_report import AgentReport, SideCount
from tidegate.core.tally import NOTHING, Tally
from tidegate.engine.haste import Haste
from tidegate.engine.sessions import Sessions
from tidegate.ports import ServiceReading, Slot

SILENT = timedelta(seconds=5)
"""An agent that was not heard for longer may apply anything."""
FORGOTTEN = timedelta(seconds=30)
"""One that was not heard for longer is gone."""
REPORTS = 500
"""A second, that all agents together may send: about a quarter of a core."""
SOONEST, LATEST = timedelta(seconds=1), timedelta(seconds=2.5)
"""Between two reports of one agent. It may lose one before it counts as silent."""
ENOUGH = 200
"""Requests from which shares of them are told."""
_LONGEST_LOOK = timedelta(seconds=2)
_SLOTS = {"baseline": Slot.STABLE, "candidate": Slot.CANDIDATE, "other": Slot.OTHER}


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, as it was heard last. `silent` is for how long."""

    report: AgentReport
    heard: timedelta
    silent: timedelta = timedelta(0)

    @property
    def is_silent(self) -> bool:
        return self.silent > SILENT


@dataclass
class _Subject:
    agents: dict[str, Agent] = field(default_factory=dict)
    totals: dict[tuple[Slot, str], Tally] = field(default_factory=dict)
    of_flags: dict[tuple[str, str, Slot, str], Tally] = field(default_factory=dict)
    flags: dict[str, dict[str, int]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)


class Agents:
    def __init__(self, look_soon: Callable[[], None] | None = None) -> None:
        """`look_soon` makes the loop look at once: what fails does not wait for the next tick."""
        self._haste = Haste(look_soon)
        self._subjects: dict[str, _Subject] = {}
        self._time = timedelta(0)
        self._looked: datetime | None = None
        self._lock = Lock()
        self.every = SOONEST
        """In which each agent shall report."""
        self.epoch = secrets.token_hex(8)
        """Of what is counted here: the next controller counts from zero."""
        self.sessions = Sessions(life=self.epoch)
        """Of clients without an agent. No rollout waits for them."""

    def report(self, subject: str, report: AgentReport) -> None:
        """Takes one report."""
        if self._take(subject, report):
            self._haste.want()

    def _take(self, subject: str, report: AgentReport) -> bool:
        """Whether requests of a candidate have failed since the last one."""
        with self._lock:
            known = self._subjects.setdefault(subject, _Subject())
            before = known.agents.get(report.agent)
            known.agents[report.agent] = Agent(report, self._time)
            if before is None and not self.has_settled:
                return False  # what it has counted so far was told to the controller before us
            last = before.report if before is not None else None
            failed = _failed(known)
            _add_sides(known, report, last)
            earlier = last if last is not None and last.epoch == report.epoch else None
            for flag, variants in report.flags.items():
                _add(known.flags.setdefault(flag, {}), variants, earlier.flags.get(flag, {}) if earlier else {})
            _add(known.asked, report.asked, earlier.asked if earlier else {})
            return _failed(known) > failed

    @property
    def has_settled(self) -> bool:
        """Whether every agent that is there had the time to be heard."""
        return self._time > SILENT

    def look(self, now: datetime) -> None:
        """Time goes on, and whoever was silent for too long is forgotten. What he has counted stays."""
        self._haste.looked()
        with self._lock:
            passed = now - self._looked if self._looked is not None else timedelta(0)
            self._looked = now
            self._time += min(max(timedelta(0), passed), _LONGEST_LOOK)
            for known in self._subjects.values():
                known.agents = {id_: agent for id_, agent in known.agents.items() if self._time - agent.heard <= FORGOTTEN}
            there = sum(len(known.agents) for known in self._subjects.values())
            self.every = min(LATEST, max(SOONEST, timedelta(seconds=there / REPORTS)))

    def of(self, subject: str) -> Sequence[Agent]:
        with self._lock:
            known = self._subjects.get(subject)
            agents = list(known.agents.values()) if known else []
            return [replace(agent, silent=self._time - agent.heard) for agent in agents]

    def furthest(self, subject: str, origin: str) -> int:
        """The largest serial of this count that an agent has."""
        with self._lock:
            known = self._subjects.get(subject)
            reports = [agent.report for agent in known.agents.values()] if known else []
        return max((report.serial for report in reports if report.origin == origin), default=0)

    def reading(self, subject: str) -> ServiceReading:
        """What all agents have counted together, since we count."""
        with self._lock:
            known = self._subjects.get(subject)
            tallies = dict(known.totals) if known else {}
            # Nobody rescues what fails behind a flag: users see all of it.
            of_flags = dict(known.of_flags) if known else {}
            return ServiceReading(tallies, seen_failures=_failed(known) if known else 0, flags=of_flags)

    def asking(self, subject: str, flags: Iterable[str]) -> float:
        """The share of the requests that asked for one of these flags, at least; 0 while too little is known."""
        with self._lock:
            known = self._subjects.get(subject)
            requests = sum(tally.finished for tally in known.totals.values()) if known else 0
            if known is None or requests < ENOUGH:
                return 0.0
            return max((known.asked.get(flag, 0) for flag in flags), default=0) / requests

    def evaluations(self, subject: str) -> Mapping[str, Mapping[str, int]]:
        """By flag and variant."""
        with self._lock:
            known = self._subjects.get(subject)
            return {flag: dict(variants) for flag, variants in known.flags.items()} if known else {}


def _failed(subject: _Subject) -> int:
    return sum(tally.failed for (slot, _), tally in subject.totals.items() if slot is Slot.CANDIDATE)


def _add_sides(known: _Subject, report: AgentReport, last: AgentReport | None) -> None:
    totals = known.totals
    same = last is not None and (last.epoch, last.rollout) == (report.epoch, report.rollout)
    if last is not None and last.epoch == report.epoch and not same:
        _let_go(totals, last)
    for name, side in report.sides.items():
        before = last.sides.get(name) if last is not None and same else None
        key = (_SLOTS[name], str(side.document))
        totals[key] = totals.get(key, NOTHING).plus(_since(side, before))
        for flag, tally in side.flags.items():
            earlier = SideCount(before.document, before.flags.get(flag, NOTHING)) if before is not None else None
            of_flag = (*flag, *key)
            fresh = _since(SideCount(side.document, tally), earlier)
            known.of_flags[of_flag] = known.of_flags.get(of_flag, NOTHING).plus(fresh)


def _let_go(totals: dict[tuple[Slot, str], Tally], last: AgentReport) -> None:
    """What was in flight when its rollout ended is counted by nobody any more. It must not wait for ever."""
    for name, side in last.sides.items():
        key, waiting = (_SLOTS[name], str(side.document)), side.tally.begun - side.tally.finished
        if waiting > 0 and key in totals:
            totals[key] = totals[key].plus(Tally(finished=waiting))


def _since(side: SideCount, before: SideCount | None) -> Tally:
    """What came since the last report. Another document, or counts that have fallen, have begun anew."""
    if before is None or before.document != side.document or before.tally.finished > side.tally.finished:
        return side.tally
    return side.tally.minus(before.tally)


def _add(totals: dict[str, int], counts: Mapping[str, int], before: Mapping[str, int]) -> None:
    """What came since before. Counts that have fallen have begun anew."""
    for name, count in counts.items():
        earlier = before.get(name, 0)
        totals[name] = totals.get(name, 0) + (count - earlier if count >= earlier else count)
