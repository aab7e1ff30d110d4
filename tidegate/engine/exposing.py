"""Our own figures for whoever collects them: exposure, phase, verdict, harm, guards, requests of each side, tasks and agents.

Read at each asking, from what the loop saw last. What cannot be seen is left out: it is not zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidegate.core.exposure import WHOLE
from tidegate.core.rollout import Phase, Rollout
from tidegate.core.setting import Applied
from tidegate.core.verdict import GuardSeen, Judgement
from tidegate.engine.agents import Agents
from tidegate.engine.watcher import Watcher
from tidegate.ports import Held, Record, RouterReading, Store, Task

GUARD_STATES = ("ok", "firing", "no_data", "blind", "held", "not_armed", "not_applicable")
MOST = 10_000


class Shown(Protocol):
    """What it asks of the levers."""

    def applied(self, subject: str) -> Applied: ...

    def reading_of(self, subject: str) -> RouterReading | None: ...

    def tasks(self, subject: str | None = None) -> Sequence[Task]: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one family. A family's name says its unit, and ends with _total when it only grows."""

    family: str
    value: float
    labels: Mapping[str, str]


FAMILIES = {
    "tidegate_rollouts_total": "Rollouts begun so far.",
    "tidegate_rollout_in_flight": "1 while there is a rollout in flight.",
    "tidegate_rollout_phase": "1 for the phase of the rollout in flight.",
    "tidegate_rollout_info": "The rollout in flight: who is released, over whom.",
    "tidegate_rollout_paused": "1 while the rollout in flight is paused, or waits for a person.",
    "tidegate_exposure_wanted_ratio": "The share of the users that the candidate should have.",
    "tidegate_exposure_applied_ratio": "The share of the users that the candidate has, as it was seen last.",
    "tidegate_exposure_served_ratio": "The share of the requests of the last ten seconds that the candidate got.",
    "tidegate_verdict": "1 for what the guards say of the rollout in flight.",
    "tidegate_guard_state": "1 for the state of each guard.",
    "tidegate_guard_value": "The figure that each guard looked at last.",
    "tidegate_harm_requests": "Requests that reached the candidate of the rollout in flight.",
    "tidegate_harm_failed_requests": "Of these, attempts that failed.",
    "tidegate_harm_seen_requests": "Of these, failures that users saw.",
    "tidegate_harm_slow_requests": "About how many were slower than they would have been on the baseline.",
    "tidegate_requests_total": "Requests begun, by side and version.",
    "tidegate_requests_finished_total": "Requests that ended, by side and version.",
    "tidegate_requests_failed_total": "Requests that failed, by side and version.",
    "tidegate_tasks": "Tasks by version and state.",
    "tidegate_agents": "Agents of an environment; silent ones were not heard for five seconds.",
}


class Exposing:
    def __init__(self, store: Store, watcher: Watcher, levers: Shown, agents: Agents) -> None:
        self._store = store
        self._watcher = watcher
        self._levers = levers
        self._agents = agents

    def samples(self) -> Iterator[Sample]:
        """All of it. Raises Unreachable when the database does not answer."""
        going = {
            held.rollout.subject: held for held in self._store.history(limit=MOST, open_only=True) if held.rollout.in_flight
        }
        services, environments = self._store.services(), self._store.environments()
        tasks = Counter((task.service, task.version, task.state.value) for task in self._levers.tasks())
        records: list[Record] = [*services, *environments]
        for record in records:
            yield from self._of(record, going.get(record.file.subject))
        for (service, version, state), count in sorted(tasks.items()):
            yield Sample("tidegate_tasks", count, {"subject": service, "version": version, "state": state})
        for environment in environments:
            yield from self._of_agents(environment.file.subject)

    def _of(self, record: Record, held: Held | None) -> Iterator[Sample]:
        subject = {"subject": record.file.subject}
        yield Sample("tidegate_rollouts_total", record.number, subject)
        yield Sample("tidegate_rollout_in_flight", held is not None, subject)
        if held is not None:
            yield from self._of_rollout(held, subject)
        else:
            yield Sample("tidegate_exposure_wanted_ratio", 0, subject)
            yield Sample("tidegate_exposure_applied_ratio", 0, subject)
            yield from _of_guards(self._watcher.alarms(record), subject)
        yield from self._of_requests(subject)

    def _of_rollout(self, held: Held, subject: Mapping[str, str]) -> Iterator[Sample]:
        rollout, look = held.rollout, self._watcher.seen(held.rollout.id)
        yield Sample("tidegate_rollout_info", 1, {**subject, **_info(rollout)})
        yield from _states("tidegate_rollout_phase", "phase", rollout.phase.value, [one.value for one in Phase], subject)
        yield Sample("tidegate_rollout_paused", rollout.paused or bool(rollout.waiting), subject)
        yield Sample("tidegate_exposure_wanted_ratio", rollout.wanted / WHOLE, subject)
        applied = self._levers.applied(rollout.subject).exposure
        if applied is not None:
            yield Sample("tidegate_exposure_applied_ratio", applied / WHOLE, subject)
        counted = held.harm.counted
        yield Sample("tidegate_harm_requests", counted.requests, subject)
        yield Sample("tidegate_harm_failed_requests", counted.failed, subject)
        yield Sample("tidegate_harm_seen_requests", counted.seen, subject)
        yield Sample("tidegate_harm_slow_requests", held.harm.slow, subject)
        if look is None:
            return
        if look.served is not None:
            yield Sample("tidegate_exposure_served_ratio", look.served, subject)
        judged = look.verdict.judgement.value
        yield from _states("tidegate_verdict", "verdict", judged, [one.value for one in Judgement], subject)
        yield from _of_guards(look.guards, subject)

    def _of_requests(self, subject: Mapping[str, str]) -> Iterator[Sample]:
        reading = self._levers.reading_of(subject["subject"])
        service = reading.services.get(subject["subject"]) if reading is not None else None
        for (slot, version), tally in sorted(service.tallies.items()) if service is not None else ():
            labels = {**subject, "side": slot.value, "version": version}
            yield Sample("tidegate_requests_total", tally.begun, labels)
            yield Sample("tidegate_requests_finished_total", tally.finished, labels)
            yield Sample("tidegate_requests_failed_total", tally.failed, labels)

    def _of_agents(self, subject: str) -> Iterator[Sample]:
        agents = self._agents.of(subject)
        silent = sum(agent.is_silent for agent in agents)
        yield Sample("tidegate_agents", len(agents) - silent, {"subject": subject, "state": "heard"})
        yield Sample("tidegate_agents", silent, {"subject": subject, "state": "silent"})


def _info(rollout: Rollout) -> dict[str, str]:
    names = {"rollout": rollout.id, "release": rollout.release}
    return {**names, "baseline": rollout.baseline, "candidate": rollout.candidate}


def _of_guards(guards: Iterable[GuardSeen], subject: Mapping[str, str]) -> Iterator[Sample]:
    for guard in guards:
        labels = {**subject, "guard": guard.name}
        yield from _states("tidegate_guard_state", "state", guard.state, GUARD_STATES, labels)
        if guard.value is not None:
            yield Sample("tidegate_guard_value", guard.value, labels)


def _states(family: str, label: str, present: str, known: Iterable[str], labels: Mapping[str, str]) -> Iterator[Sample]:
    for one in known:
        yield Sample(family, one == present, {**labels, label: one})
