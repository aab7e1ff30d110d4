"""The watcher turns what was counted into guards, figures and harm: once a tick, for everything.

It keeps a book of figures for each service (for alarms before a start, and for people) and one for each rollout in flight
(so that a rollout is judged by its own time only); with the latter the comparison of its two sides. It remembers what each
service was like during the last day. What it holds is replaced, never changed: other threads may read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.core.alarm import AlarmFile, Of
from tidegate.core.alarm_state import AlarmSeen, AlarmState, Datapoint
from tidegate.core.counts import Counts, counts
from tidegate.core.environment import Released, is_environment
from tidegate.core.errors import Refused
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.harm import Counted, Harm, look_at, note_exposure, note_slow
from tidegate.core.history import History
from tidegate.core.metric_name import MetricName, Source, parse_metric_name, refuse_unknown
from tidegate.core.plan import IfFiring
from tidegate.core.rollout import Phase, Rollout
from tidegate.core.series import Series, Told
from tidegate.core.setting import Applied
from tidegate.core.tally import NOTHING
from tidegate.core.verdict import GOOD, GuardSeen, TaskHealth, Verdict, combine, hard_gate
from tidegate.engine.alarm_book import AlarmBook, Glimpse, Scraped
from tidegate.engine.cloud import Sides as CloudSides
from tidegate.engine.comparing import Compared, Comparing, Moment, Sides
from tidegate.engine.course import Course, Drawn, point_of
from tidegate.engine.recent import Recent, figures_of
from tidegate.engine.remembering import Remembering, Stood
from tidegate.engine.sources import Sources
from tidegate.engine.view import ComparisonView, Figures, view_comparison
from tidegate.ports import Held, Measurement, Record, RouterReading, ServiceReading, Slot

SAVE_EVERY = timedelta(seconds=5)
"""How often the book of a rollout is written down: what a restart may lose of the alarms' figures."""


class Seeing(Protocol):
    """What the watcher asks of the lever."""

    def reading_of(self, subject: str) -> RouterReading | None: ...

    @property
    def grain(self) -> Exposure: ...

    def applied(self, subject: str) -> Applied: ...

    def health(self, subject: str, version: str) -> TaskHealth | None: ...

    def is_like_before(self, subject: str, candidate: str, baseline: str) -> bool:
        """Whether a rollout between these counts the same requests as were counted before it. Flags count those it concerns."""


class Gauges(Protocol):
    """Metrics that the router does not count."""

    def look(self, files: Sequence[Released], now: datetime) -> None:
        """Takes what came since the last look, for the alarms of these files. Returns at once."""

    def scraped(self, service: str) -> Scraped | None:
        """What its tasks exposed; None when nobody has looked since the last look."""

    def pushed(self, service: str) -> Sequence[Measurement]:
        """What was pushed for it since the last look."""

    def known(self, service: str, source: Source) -> frozenset[str] | None:
        """Names that this source has for this service; None when nobody can know yet."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one rollout in this tick."""

    gate: Verdict
    alarms: tuple[GuardSeen, ...]
    compared: Compared | None = None  # None: nothing is compared
    baseline: Recent = field(default_factory=Recent)
    candidate: Recent = field(default_factory=Recent)
    allowed: Exposure = NONE
    """What the harm budget of an adaptive plan allows to let in now."""
    not_worse: bool = False

    @property
    def guards(self) -> tuple[GuardSeen, ...]:
        return self.alarms if self.compared is None else (*self.alarms, self.compared.guard)

    @property
    def slow(self) -> int | None:
        """Requests of the candidate that were slower than they would have been on the baseline; None when nobody compared."""
        return self.compared.comparing.slow if self.compared and self.compared.comparing else None

    @property
    def comparison(self) -> ComparisonView | None:
        """Both sides and the evidence, as people see them; None where nothing can be compared just now."""
        seen = self.compared.report if self.compared else None
        return view_comparison(seen) if seen else None

    @property
    def figures(self) -> Mapping[str, Figures]:
        """By side, of the last ten seconds. Worked out when somebody asks: at most ticks nobody does."""
        return {"baseline": figures_of([self.baseline]), "candidate": figures_of([self.candidate])}

    @property
    def served(self) -> float | None:
        """The share of the requests that the candidate got in that time."""
        candidate, baseline = self.candidate.counted.begun, self.baseline.counted.begun
        return candidate / (candidate + baseline) if candidate + baseline else None

    @property
    def verdict(self) -> Verdict:
        return combine(self.gate, self.alarms if self.compared is None else (*self.alarms, self.compared.brief))


LET_GO = timedelta(seconds=5)
"""The router lets an ejected task try again now and then; who fails at once is ejected again."""


@dataclass(frozen=True, slots=True)
class Brake:
    """Since when the router keeps candidate tasks ejected for status 5xx, while the baseline answers well."""

    since: datetime | None = None
    last: datetime | None = None

    def look(self, *, ejected: bool, well: bool, now: datetime) -> Brake:
        if ejected and well:
            return Brake(self.since or now, now)
        return self if self.last is not None and well and now - self.last < LET_GO else Brake()

    def lasted(self, now: datetime) -> timedelta:
        return now - self.since if self.since is not None else timedelta(0)


@dataclass
class _Watched:
    """One service, or one rollout."""

    book: AlarmBook = field(default_factory=AlarmBook)
    seen: Mapping[str, AlarmSeen] = field(default_factory=dict)
    judged: tuple[Sequence[AlarmFile], Mapping[str, tuple[Datapoint, ...]]] | None = None  # by what `seen` was judged
    saved: datetime | None = None
    recent: dict[tuple[Slot, str], Recent] = field(default_factory=dict)
    brake: Brake = field(default_factory=Brake)
    comparing: Comparing | None = None  # of a rollout
    course: Course = field(default_factory=Course)  # of a rollout
    remembering: Remembering = field(default_factory=Remembering)  # of a service

    def judge(self, alarms: Sequence[AlarmFile]) -> None:
        """Anew only when there is something new: most ticks end no period."""
        basis = (alarms, self.book.points(alarms))
        if basis != self.judged:
            self.book, self.seen = self.book.judge(alarms, basis[1])
            self.judged = basis

    def to_json(self) -> str:
        """Of a rollout, so that a restarted controller goes on with it."""
        comparing = self.comparing.dump() if self.comparing else None
        content = {"book": self.book.to_json(), "comparing": comparing, "course": self.course.to_rows()}
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> _Watched:
        """Raises ValueError, KeyError or TypeError for what `to_json` did not write."""
        content = json.loads(text)
        comparing = content["comparing"]
        book, kept = AlarmBook.from_json(content["book"]), Course.from_rows(content.get("course", ()))
        return cls(book, comparing=Comparing.load(comparing) if comparing else None, course=kept)


class Watcher:
    def __init__(
        self, *, lever: Seeing, gauges: Gauges, tick: timedelta = timedelta(seconds=1), cloud: Sources | None = None
    ) -> None:
        self._lever = lever
        self._gauges = gauges
        self._cloud = cloud
        self._tick = tick
        self._services: dict[str, _Watched] = {}
        self._rollouts: dict[str, _Watched] = {}
        self._looks: dict[str, Look] = {}
        self._youngest: Mapping[str, str] = {}  # the last rollout of each subject
        self._remembers = False

    # --- once a tick --------------------------------------------------------------------------------------------------

    def look(self, records: Sequence[Record], claimed: Sequence[Held], now: datetime) -> None:
        """Looks at everything. `of`, `harm` and the rest then speak of this look."""
        self._gauges.look([record.file for record in records], now)
        self._services = {record.file.subject: self._services.get(record.file.subject, _Watched()) for record in records}
        going = [held for held in claimed if held.rollout.in_flight]
        self._youngest = {held.rollout.subject: held.rollout.id for held in claimed}
        self._rollouts = {held.rollout.id: self._rollouts.get(held.rollout.id) or _restored(held) for held in going}
        self._looks = {id_: look for id_, look in self._looks.items() if id_ in self._rollouts}
        files = {record.file.subject: record.file for record in records}
        judged = {held.rollout.subject for held in going}
        if self._cloud is not None:
            self._cloud.begin()
        for record in records:
            self._look_at_service(record, now, judge=record.file.subject not in judged)
        for held in going:
            file = files.get(held.rollout.subject)
            if file is not None:
                look = self._looks[held.rollout.id] = self._look_at_rollout(held.rollout, file, now)
                self._draw(self._rollouts[held.rollout.id], held.rollout, look, now)
        if self._cloud is not None:
            self._cloud.end(now)

    def _draw(self, watched: _Watched, rollout: Rollout, look: Look, now: datetime) -> None:
        """Another point of its course, where it is time for one."""
        applied, comparing = self._lever.applied(rollout.subject).exposure, watched.comparing
        log_e, limit = (float(comparing.state.log_e), 1 / comparing.state.settings.alpha) if comparing else (None, 1.0)
        drawn = Drawn(rollout.created, now, rollout.wanted, applied, log_evidence=log_e, limit=limit)
        if watched.course.due(drawn):
            drawn = replace(drawn, served=look.served, figures=look.figures)  # worked out only now: it costs most
            watched.course = watched.course.add(point_of(drawn))

    def _look_at_service(self, record: Record, now: datetime, *, judge: bool) -> None:
        """While a rollout is in flight the same alarms are judged there; here only the figures go on."""
        name, watched = record.file.subject, self._services[record.file.subject]
        health = self._lever.health(name, record.stable) if record.stable else None
        healthy = None if health is None else {Of.SERVICE: health.healthy}
        sides = CloudSides(stable=record.stable, subject=name, access=record.file.access)
        told = self._told(record.file.alarms, sides, now) if judge else None
        watched.book = watched.book.look(record.file.alarms, replace(self._glimpse(name, healthy, now), told=told))
        if judge:
            watched.judge(record.file.alarms)
        self._add_recent(watched, name, now)
        watched.remembering = self._remember(watched.remembering, record, now, in_rollout=not judge)

    def _remember(self, remembering: Remembering, record: Record, now: datetime, *, in_rollout: bool) -> Remembering:
        """What the baseline was like. Inside of a rollout of flags only some requests are counted for it."""
        is_flags = is_environment(record.file.subject)
        if is_flags and in_rollout:
            return remembering.interrupted()
        reading, epoch = self._reading(record.file.subject)
        if reading is None or not record.stable:
            return remembering
        tally = reading.tallies.get((Slot.OTHER if is_flags else Slot.STABLE, record.stable), NOTHING)
        return remembering.look(Stood(epoch, record.stable, tally, now))

    def _look_at_rollout(self, rollout: Rollout, file: Released, now: datetime) -> Look:
        watched, subject = self._rollouts[rollout.id], rollout.subject
        candidate = self._lever.health(subject, rollout.candidate)
        baseline = self._lever.health(subject, rollout.baseline) if rollout.baseline else None
        glimpse = self._glimpse(subject, _healthy(candidate, baseline), now)
        sides = CloudSides(rollout.candidate, rollout.baseline, subject=subject, access=file.access)
        told = self._told(file.alarms, sides, now)
        watched.book = watched.book.look(file.alarms, replace(glimpse, told=told))
        watched.judge(file.alarms)
        self._add_recent(watched, subject, now)
        reading = self._reading(subject)[0] or ServiceReading()
        recent = watched.recent.get((Slot.STABLE, rollout.baseline), Recent())
        watched.brake = watched.brake.look(ejected=reading.ejected_soft > 0, well=_answers_well(recent), now=now)
        gate = hard_gate(
            candidate=candidate,
            baseline=baseline,
            ejected_hard=reading.ejected_hard,
            ejected_soft=reading.ejected_soft,
            out_of_patience=watched.brake.lasted(now) >= rollout.plan.patience,
        )
        alarms = tuple(_guard(alarm, watched, rollout) for alarm in file.alarms)
        compared = self._compare(watched, rollout, file, candidate, now)
        comparing, harm = watched.comparing, rollout.plan.harm
        return Look(
            gate,
            alarms,
            compared,
            baseline=recent,
            candidate=watched.recent.get((Slot.CANDIDATE, rollout.candidate), Recent()),
            allowed=comparing.allowed(harm, self._tick, self._lever.grain) if comparing and harm else NONE,
            not_worse=comparing is not None and harm is not None and comparing.not_worse,
        )

    # --- comparing ----------------------------------------------------------------------------------------------------

    def _compare(
        self, watched: _Watched, rollout: Rollout, file: Released, health: TaskHealth | None, now: datetime
    ) -> Compared | None:
        """One tick of the comparison; None when nothing is compared."""
        compare = file.compare
        if not compare.is_on or rollout.first or not rollout.plan.guarded:
            watched.comparing = None
            return None
        sides = self._sides(rollout.subject, rollout.candidate, rollout.baseline)
        exposure = self._lever.applied(rollout.subject).exposure
        if sides is None or exposure is None:
            return Compared(compare, watched.comparing, "blind", "the router does not answer")
        if watched.comparing is None:
            by_chance = self._is_split_by_chance(rollout.subject)
            history = History.blank() if by_chance else self._past(rollout)  # it would be one of other periods
            watched.comparing = Comparing.begin(
                compare, history, rollout.plan, tick=self._tick, at=now, mark=sides, by_chance=by_chance
            )
        if exposure == NONE:
            rate = figures_of(list(self._services[rollout.subject].recent.values())).per_second or 0.0
            watched.comparing = watched.comparing.waiting(sides, now, rate)
            return Compared(compare, watched.comparing, "not_applicable", "nobody is let in")
        age = now - ((health.youngest if health else None) or watched.comparing.begun)
        moment = Moment(now, sides, exposure, rollout.step, warm=age >= compare.warmup)
        versions = (rollout.candidate, rollout.baseline)
        counted = self._cloud.want_counters(compare, rollout.subject, versions) if self._cloud is not None else None
        watched.comparing = watched.comparing.with_own(compare, self._gauges, rollout.subject, counted)
        watched.comparing = watched.comparing.look(moment, compare, versions, least=self._tick / 2)
        return Compared(compare, watched.comparing)

    def _past(self, rollout: Rollout) -> History:
        """The last day; nothing where it was one of other requests."""
        like = self._lever.is_like_before(rollout.subject, rollout.candidate, rollout.baseline)
        return self._services[rollout.subject].remembering.history if like else History.blank()

    def _is_split_by_chance(self, service: str) -> bool:
        reading = self._reading(service)[0]
        return reading is not None and reading.by_chance

    def _sides(self, service: str, candidate: str, baseline: str) -> Sides | None:
        """None when the router did not answer."""
        reading, epoch = self._reading(service)
        if reading is None:
            return None
        tallies = reading.tallies
        return Sides(epoch, tallies.get((Slot.CANDIDATE, candidate), NOTHING), tallies.get((Slot.STABLE, baseline), NOTHING))

    @property
    def remembers(self) -> bool:
        """Whether it was told what was written down of the last day."""
        return self._remembers

    def recall(self, memories: Mapping[str, str], now: datetime) -> None:
        """Takes what was written down. What cannot be read is learned anew."""
        self._remembers = True
        for service, text in memories.items():
            try:
                remembering = Remembering.from_json(text, now)
            except (ValueError, KeyError, TypeError):
                continue
            self._services.setdefault(service, _Watched()).remembering = remembering

    def memories(self, now: datetime) -> dict[str, str]:
        """What is to be written down now."""
        due = {}
        for service, watched in self._services.items():
            if watched.remembering.due(now):
                watched.remembering = replace(watched.remembering, saved=now)
                due[service] = watched.remembering.to_json()
        return due

    def _told(self, alarms: Sequence[AlarmFile], sides: CloudSides, now: datetime) -> Told | None:
        return self._cloud.want(alarms, sides, now) if self._cloud is not None else None

    def _glimpse(self, service: str, healthy: Mapping[Of, int] | None, now: datetime) -> Glimpse:
        gauges = self._gauges
        return Glimpse(now, self._counts(service, now), healthy, gauges.scraped(service), gauges.pushed(service))

    def _add_recent(self, watched: _Watched, service: str, now: datetime) -> None:
        reading, epoch = self._reading(service)
        for key, tally in (reading.tallies if reading else {}).items():
            watched.recent.setdefault(key, Recent(reading.every if reading else timedelta(0))).add(now, epoch, tally)

    def _reading(self, service: str) -> tuple[ServiceReading | None, str]:
        """None when the router did not answer; an empty one when it answered and does not know this service yet."""
        reading = self._lever.reading_of(service)
        return (None, "") if reading is None else (reading.services.get(service, ServiceReading()), reading.epoch)

    def _counts(self, service: str, now: datetime) -> Counts | None:
        reading, epoch = self._reading(service)
        if reading is None:
            return None
        flags = {(flag, variant, slot.value, version): v for (flag, variant, slot, version), v in reading.flags.items()}
        return counts(epoch, now, {(k[0].value, k[1]): v for k, v in reading.tallies.items()}, flags)

    # --- what was seen ------------------------------------------------------------------------------------------------

    def of(self, held: Held) -> Look:
        """The look at this rollout; of one that has ended there is nothing to be judged."""
        return self._looks.get(held.rollout.id) or _NO_LOOK

    def seen(self, rollout: str) -> Look | None:
        """The last look at a rollout in flight; None when there was none yet."""
        return self._looks.get(rollout)

    def course(self, held: Held) -> Course:
        """How it went so far; of one that has ended, as it was written down."""
        watched = self._rollouts.get(held.rollout.id)
        return watched.course if watched else _kept_course(held)

    def harm(self, held: Held, after: Rollout, applied: Applied, now: datetime) -> Harm:
        """The account after this look. It goes on until nothing is left to do, for requests in flight end later; or until a
        younger rollout has the slot, and what fails there is its own."""
        harm, rollout = held.harm, held.rollout
        if rollout.settled and self._youngest.get(rollout.subject) != rollout.id:
            return harm
        reading, epoch = self._reading(rollout.subject)
        if reading is not None:
            candidate = reading.tallies.get((Slot.CANDIDATE, rollout.candidate), NOTHING)
            baseline = reading.tallies.get((Slot.STABLE, rollout.baseline), NOTHING)
            harm = look_at(harm, epoch=epoch, counts=Counted.of(candidate, baseline, reading.seen_failures), at=now)
        if (look := self._looks.get(rollout.id)) is not None and look.slow is not None:
            harm = note_slow(harm, slow=look.slow, at=now)
        if rollout.settled:
            return _without_comparison(held.harm, harm)
        back = after.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
        return note_exposure(harm, applied=applied.exposure, going_back=back, at=now)

    def saved(self, held: Held, after: Rollout, now: datetime) -> str | None:
        """What was watched of this rollout when it is time to write it down, or when it was decided by; else None."""
        watched = self._rollouts.get(held.rollout.id)
        if watched is None:
            return None
        is_recent = watched.saved is not None and now - watched.saved < SAVE_EVERY
        if is_recent and after.decision == held.rollout.decision:
            return None
        watched.saved = now
        return watched.to_json()

    def figures(self, service: str) -> Figures:
        """Everything that this service did in the last seconds, whoever served it."""
        watched = self._services.get(service)
        return figures_of(list(watched.recent.values()) if watched else [])

    def history(self, service: str) -> History:
        """What is remembered of its last day; blank for a service that nobody has watched."""
        watched = self._services.get(service)
        return watched.remembering.history if watched else History.blank()

    # --- alarms -------------------------------------------------------------------------------------------------------

    def alarms(self, record: Record) -> tuple[GuardSeen, ...]:
        """The alarms of a service outside of rollouts."""
        watched = self._services.get(record.file.subject) or _Watched()
        return tuple(_as_guard(alarm, watched.seen.get(alarm.name)) for alarm in record.file.alarms)

    def firing(self, file: Released, record: Record) -> Sequence[GuardSeen]:
        """Alarms of this file that would roll back, and fire already before the start."""
        acting = {alarm.name for alarm in file.alarms if alarm.rollback}
        told = self._cloud.firing(file) if self._cloud is not None else {}
        fires = [alarm for alarm in file.alarms if told.get(alarm.name) is AlarmState.ALARM and alarm.rollback]
        now = [GuardSeen(alarm.name, "firing", why=f"{alarm.said} is ALARM", query=alarm.said) for alarm in fires]
        seen = [guard for guard in self.alarms(record) if guard.state == "firing" and guard.name in acting - told.keys()]
        return [*now, *seen]

    def unknown_alarms(self, file: Released) -> Sequence[Refused]:
        """Why guards on CloudWatch or Prometheus could never see anything. Raises Unreachable when they do not say it."""
        return self._cloud.problems(file) if self._cloud is not None else ()

    def unknown_metrics(self, file: Released) -> Iterator[Refused]:
        """Why guards of this file could never see anything: their metric does not exist."""
        for metric, place in _asked(file):
            known = self._gauges.known(file.subject, metric.source)
            try:
                if known is not None:
                    refuse_unknown(metric, known, place)
            except Refused as refused:
                yield refused


def _asked(file: Released) -> Iterator[tuple[MetricName, str]]:
    """Metrics that the router does not count, and where the file names them."""
    for place, alarm in enumerate(file.alarms):
        if alarm.metric is not None and alarm.metric_name.source in (Source.TASKS, Source.PUSHED):
            yield alarm.metric_name, f"alarms[{place}].metric"
    for place, own in enumerate(file.compare.metrics):
        for metric in own.asked:
            if not (name := parse_metric_name(metric)).source.is_told:
                yield name, f"compare.metrics[{place}]"


def _answers_well(recent: Recent) -> bool:
    """Fewer than one in ten of its latest requests failed, and there were some."""
    return 10 * recent.counted.failed < recent.counted.finished


_NO_LOOK = Look(GOOD, ())


def _without_comparison(before: Harm, after: Harm) -> Harm:
    """What the baseline does once the candidate has nobody left says nothing about the two."""
    kept = before.counted
    counted = replace(after.counted, baseline_finished=kept.baseline_finished, baseline_failed=kept.baseline_failed)
    return replace(after, counted=counted)


def _restored(held: Held) -> _Watched:
    """Goes on with what was written down, else begins anew: also where another release of ours wrote it."""
    if held.watch:
        with suppress(ValueError, KeyError, TypeError):
            return _Watched.from_json(held.watch)
    rollout = held.rollout
    return _Watched(AlarmBook(Series(rollout.candidate, rollout.baseline) if rollout.baseline else Series()))


def _kept_course(held: Held) -> Course:
    with suppress(ValueError, KeyError, TypeError):
        return Course.from_rows(json.loads(held.watch).get("course", ())) if held.watch else Course()
    return Course()


def _guard(alarm: AlarmFile, watched: _Watched, rollout: Rollout) -> GuardSeen:
    guard = _as_guard(alarm, watched.seen.get(alarm.name))
    waits = rollout.plan.if_firing is not IfFiring.REFUSE and alarm.name not in watched.book.were_ok
    if guard.state == "firing" and waits:
        return replace(guard, state="not_armed", why=f"it fires since before the start ({guard.why})")
    return guard


def _as_guard(alarm: AlarmFile, seen: AlarmSeen | None) -> GuardSeen:
    if seen is None:
        return GuardSeen(alarm.name, "no_data", why="nobody has looked yet", query=alarm.said, rollback=alarm.rollback)
    blind = seen.blind and seen.state is not AlarmState.ALARM
    return GuardSeen(
        name=alarm.name,
        state="blind" if blind else _STATES[seen.state],
        figure=seen.figure,
        limit=seen.limit,
        why=seen.why,
        query=alarm.said,
        value=seen.value,
        rollback=alarm.rollback,
    )


_STATES = {AlarmState.OK: "ok", AlarmState.ALARM: "firing", AlarmState.INSUFFICIENT_DATA: "no_data"}


def _healthy(candidate: TaskHealth | None, baseline: TaskHealth | None) -> Mapping[Of, int] | None:
    if candidate is None:
        return None
    sides = {Of.CANDIDATE: candidate.healthy, Of.SERVICE: candidate.healthy}
    if baseline is not None:
        sides |= {Of.BASELINE: baseline.healthy, Of.SERVICE: candidate.healthy + baseline.healthy}
    return sides
