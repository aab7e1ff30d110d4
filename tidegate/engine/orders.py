"""Orders: what a person may ask of Tidegate. The API calls these; each either is refused with its mend and changes nothing,
or is written down whole. The loop does the rest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from tidegate.core.environment import Environment, Released, is_environment
from tidegate.core.errors import Conflict, NotFound, Refused, Stale, TidegateError
from tidegate.core.exposure import Exposure
from tidegate.core.harm import Harm
from tidegate.core.intervention import abort, pause, resume, supersede
from tidegate.core.plan import IfFiring, OnConflict, Plan, PlanFile
from tidegate.core.release import promote_together
from tidegate.core.rollout import Phase, Rollout
from tidegate.core.service import Service, Tasks, check_plan, same_listener
from tidegate.engine.teller import letters_of, write_letters
from tidegate.engine.unwritten import Unwritten
from tidegate.engine.watcher import Watcher
from tidegate.ports import (
    Change,
    DocumentRecord,
    Held,
    Record,
    ServiceRecord,
    Start,
    Store,
    Told,
    VersionRecord,
)


class Startable(Protocol):
    """What is asked of whoever runs tasks: see ports.Runtime."""

    def check(self, service: Service, version: str) -> None: ...

    def restart(self, service: str, version: str) -> None: ...


class Routable(Protocol):
    """What is asked of whoever lets users in: see ports.Router."""

    def check(self, service: Service, others: Sequence[Service]) -> None: ...


class Grained(Protocol):
    @property
    def grain(self) -> Exposure: ...


Intervention = Callable[[Sequence[Rollout]], Sequence[Rollout]]
"""What a person wants of a rollout and of the other parts of its release; the same number of them, in the same order."""
Done = TypeVar("Done")
ATTEMPTS = 20
"""Against the loop, which may write the same rollout at the same moment."""
MOST_OPEN = 10


@dataclass(frozen=True, slots=True)
class Deployed:
    """What became of a deploy: the rollout, or none when that version already runs. `new` is False for one found in flight."""

    rollout: Rollout | None
    new: bool
    sentence: str


class Orders:
    def __init__(
        self,
        *,
        store: Store,
        lever: Grained,
        runtime: Startable,
        router: Routable,
        watcher: Watcher,
        unwritten: Unwritten,
        clock: Callable[[], datetime],
        salt: Callable[[], str],
        poke: Callable[[], None],
    ) -> None:
        self._store = store
        self._lever = lever
        self._runtime = runtime
        self._router = router
        self._watcher = watcher
        self._unwritten = unwritten
        self._clock = clock
        self._salt = salt
        self._poke = poke

    # --- Services -----------------------------------------------------------------------------------------------------

    def check(self, file: Service, version: str = "") -> None:
        """Raises Refused for a file that could not be applied or be released as this version, and for tasks that could not
        start. Changes nothing."""
        self._must_not_differ(file, version)
        others = [record.file for record in self._store.services() if record.file.service != file.service]
        for other in others:
            same_listener(file, other)
        file.plan.resolve().check_grain(self._lever.grain)
        self._runtime.check(file, version or "check")
        self._router.check(file, others)
        for problem in self._watcher.unknown_alarms(file):
            raise problem
        record = self._store.service(file.service)
        if record is not None and record.stable:  # before the first version nobody can know which metrics there are
            for problem in self._watcher.unknown_metrics(file):
                raise problem

    def _must_not_differ(self, file: Service, version: str) -> None:
        known = self._store.version(file.service, version) if version else None
        if known is not None and not same_tasks(known.tasks, file.tasks):
            raise Refused(
                f"{file.service} {version} already exists with other tasks: "
                f"{_say_differences(known.tasks, file.tasks)} changed.",
                "A version never changes: give this one another name.",
            )

    def apply(self, file: Service, by: str) -> str:
        """Takes over listener, stickiness, plan, alarms, count and who is told. Tasks change by `deploy` only."""
        record = self._store.service(file.service)
        if record is None or not record.stable:
            raise NotFound(f"{file.service} was never deployed.", "Deploy it first: tidegate deploy -f FILE --version VERSION.")
        running = self._store.version(file.service, record.stable)
        if running is not None and not same_tasks(running.tasks, file.tasks):
            raise Refused(
                f"The tasks of {file.service} in this file differ from those of {record.stable}, which runs.",
                "Release them step by step: tidegate deploy -f FILE --version VERSION.",
            )
        if record.file == file:
            return f"{file.service} is already as in this file."
        self.check(file, record.stable)
        changed = _say_differences(record.file, file)
        self._store.apply(file, self._clock(), [Told("applied", file.service, f"changed: {changed}", actor=by)])
        self._poke()
        return f"{file.service}: changed {changed}."

    def remove(self, service: str, by: str, reason: str = "") -> str:
        """Takes the service out of the router and ends its tasks. Its history stays."""
        self._record(service)
        if running := self.going(service):
            raise Conflict(
                f"{service} has a rollout in flight ({running.rollout.id} at {running.rollout.wanted}).",
                f"Stop it first: tidegate abort {service}.",
            )
        self._store.remove(service, self._clock(), [Told("removed", service, reason, actor=by)])
        self._poke()
        return f"{service} is removed: its tasks end when they are drained."

    def restart(self, service: str, by: str, reason: str = "") -> str:
        """Replaces the tasks of the version that serves, one by one, each by a healthy new one."""
        record = self._record(service)
        if running := self.going(service):
            raise Conflict(
                f"{service} has a rollout in flight ({running.rollout.id}): its guards would blame the candidate.",
                f"Wait for it, or stop it first: tidegate abort {service}.",
            )
        self._runtime.restart(service, record.stable)
        why = f"the tasks of {record.stable} are replaced one by one" + (f": {reason}" if reason else "")
        self._store.apply(record.file, self._clock(), [Told("restarted", service, why, actor=by)])
        self._poke()
        return f"{service}: {why}."

    # --- Rollouts -----------------------------------------------------------------------------------------------------

    def deploy(self, file: Service, version: str, by: str, *, plan: PlanFile | None = None, reason: str = "") -> Deployed:
        """Starts to replace the stable version by this one, along the file's plan or the one given here."""
        return self.begin_one(lambda: self.drafted(file, version, by, plan=plan, reason=reason))

    def drafted(self, file: Service, version: str, by: str, *, plan: PlanFile | None, reason: str) -> Start | Deployed:
        """The start of that, when nothing speaks against it; or what there is to be said instead. Changes nothing."""
        now = self._clock()
        record = self._store.service(file.service)
        known = self._store.version(file.service, version)
        self._must_not_differ(file, version)
        if found := self.already(file.service, version, record):
            return found
        chosen = plan or file.plan
        check_plan(chosen, file.compare)
        resolved = chosen.resolve()
        superseded = self.make_way(file.service, version, chosen, by)
        self.check(file if plan is None else file.model_copy(update={"plan": plan}), version)
        resolved.check_grain(self._lever.grain)
        if record is not None and record.stable:
            self.check_alarms(file, record, resolved)
        new = None if known else VersionRecord(file.service, version, file.tasks, now, by)
        rollout = self.draft(file, version, record, plan=resolved, by=by)
        return self.start_of(rollout, file, new, superseded, reason)

    def draft(self, file: Released, version: str, record: Record | None, *, plan: Plan, by: str) -> Rollout:
        """The rollout that would begin now."""
        now = self._clock()
        baseline = record.stable if record else ""
        return Rollout(
            id=self._next_id(file.subject, record),
            subject=file.subject,
            baseline=baseline,
            candidate=version,
            salt=self._salt(),
            plan=replace(plan, led=file.led),
            by=by,
            created=now,
            ticked=now,
            lever="flags" if is_environment(file.subject) else "traffic",
        )

    def _next_id(self, subject: str, record: Record | None) -> str:
        """One more than any before, also when the subject was removed in between: ids of rollouts are never used again."""
        last, stem = self._store.history(subject, 1), subject.replace("/", "-")
        before = int(last[0].rollout.id.rpartition("-")[2]) if last else 0
        number = max(before, record.number if record else 0) + 1
        while self._store.held(f"{stem}-{number}") is not None:  # of a service shop-prod beside the environment shop/prod
            number += 1
        return f"{stem}-{number}"

    def start_of(
        self,
        rollout: Rollout,
        file: Service | Environment,
        new: VersionRecord | DocumentRecord | None,
        superseded: Sequence[Change],
        reason: str,
    ) -> Start:
        """The start of this rollout, with what is told of it."""
        why = rollout.plan.said + (f": {reason}" if reason else "")
        facts = {"baseline": rollout.baseline, "candidate": rollout.candidate, "plan": rollout.plan.said}
        told = [Told("started", rollout.subject, why, rollout.id, rollout.by, facts)]
        letters = write_letters("started", rollout, Harm(), file.on)
        return Start(rollout, file, new, superseded, told, letters)

    def begin_one(self, draft: Callable[[], Start | Deployed]) -> Deployed:
        def begun() -> Deployed:
            start = draft()
            return start if isinstance(start, Deployed) else self.begin([start])[0]

        return despite_the_loop(begun)

    def begin(self, starts: Sequence[Start]) -> Sequence[Deployed]:
        """Writes them down, all or none; the loop does the rest."""
        self._store.begin(starts, self._clock())
        self._poke()
        return [Deployed(start.rollout, True, _say_begun(start.rollout)) for start in starts]

    def already(self, service: str, version: str, record: Record | None) -> Deployed | None:
        running = self.going(service)
        if running is not None and running.rollout.candidate == version and running.rollout.phase is not Phase.ROLLING_BACK:
            rollout = running.rollout
            return Deployed(rollout, False, f"{rollout.id} is already bringing {version}, at {rollout.wanted}.")
        if running is None and record is not None and record.stable == version:
            return Deployed(None, False, f"{service} already runs {version}: there is nothing to do.")
        return None

    def make_way(self, service: str, version: str, plan: PlanFile, by: str) -> Sequence[Change]:
        """What becomes of the rollout that is in flight. Raises Conflict when it is in the way."""
        running = self.going(service)
        if running is None:
            return []
        rollout = running.rollout
        if rollout.phase is Phase.ROLLING_BACK and plan.on_conflict is OnConflict.REFUSE:
            raise Conflict(
                f"{service} is rolling back {rollout.candidate} ({rollout.reason}).",
                f"Wait until it is done: tidegate watch {service}.",
            )
        if plan.on_conflict is OnConflict.REFUSE:
            raise Conflict(
                f"{service} already has a rollout at {rollout.wanted} ({rollout.id}, {rollout.candidate}).",
                f"Wait for it, or stop it: tidegate abort {service}.",
            )
        dropped = supersede(rollout, by, version)
        told = [Told("roll_back", service, dropped.reason, rollout.id, by)] if dropped is not rollout else []
        return [Change(running, dropped, running.harm, told=told)]

    def check_alarms(self, file: Released, record: Record, plan: Plan) -> None:
        if plan.if_firing is not IfFiring.REFUSE:
            return
        for guard in self._watcher.firing(file, record):
            raise Conflict(
                f"The alarm {guard.name} of {file.subject} already fires: {guard.why}.",
                "Mend the service first, or deploy with if_firing: ignore or compare in the plan.",
            )

    def rollback(self, service: str, by: str, *, to: str | None = None, reason: str = "") -> Deployed:
        """Brings back the version before, or `to`: at once, and without guards, for a person decided it."""
        return self.begin_one(lambda: self.drafted_back(service, by, to=to, reason=reason))

    def drafted_back(self, service: str, by: str, *, to: str | None, reason: str) -> Start | Deployed:
        """The start of the way back. What is in flight is aborted here."""
        record = self._record(service)
        running = self.going(service)
        if running is not None:
            return self.go_back(running, by, to, reason)
        version = to or self._version_before(service, record)
        if version == record.stable:
            return Deployed(None, False, f"{service} already runs {version}: there is nothing to do.")
        known = self._store.version(service, version)
        if known is None:
            names = ", ".join(one.version for one in self._store.versions(service)[:10])
            raise NotFound(f"{service} has no version {version}.", f"Known versions: {names}.")
        plan = replace(
            PlanFile(all_at_once=True, bake=timedelta(0)).resolve(),
            said="back at once",
            guarded=False,
            keep_baseline=record.file.plan.keep_baseline,
        )
        rollout = self.draft(record.file, version, record, plan=plan, by=by)
        return self.start_of(rollout, record.file, None, (), reason)

    def go_back(self, running: Held, by: str, to: str | None, reason: str) -> Deployed:
        rollout = running.rollout
        if not rollout.plan.guarded and to in (None, rollout.candidate):
            # It is a way back itself: asked for twice, it must not lead forth again.
            return Deployed(rollout, False, f"{rollout.id} is already bringing {rollout.candidate} back.")
        if to not in (None, rollout.baseline):
            raise Conflict(
                f"{rollout.subject} has a rollout in flight ({rollout.id}); it can only go back to {rollout.baseline}.",
                f"Stop it first: tidegate abort {rollout.subject}.",
            )
        after = self.abort(rollout.subject, by, reason)
        return Deployed(after, False, f"{rollout.id} goes back to {rollout.baseline or 'nothing'}.")

    def _version_before(self, service: str, record: ServiceRecord) -> str:
        for held in self._store.history(service, 100):
            rollout = held.rollout
            if rollout.phase is Phase.COMPLETED and rollout.candidate == record.stable and rollout.baseline:
                return rollout.baseline
        raise NotFound(
            f"{service} had no version before {record.stable}.", f"Name one: tidegate rollback {service} --to VERSION."
        )

    # --- Interventions ------------------------------------------------------------------------------------------------

    def pause(self, service: str, by: str, reason: str = "") -> Rollout:
        return self._intervene(service, by, "paused", reason, _each(lambda rollout: pause(rollout, by)))

    def resume(self, service: str, by: str, reason: str = "") -> Rollout:
        return self._intervene(service, by, "resumed", reason, _each(lambda rollout: resume(rollout, by)))

    def promote(self, service: str, by: str, reason: str = "", *, full: bool = False) -> Rollout:
        now = self._clock()
        return self._intervene(service, by, "promoted", reason, lambda parts: promote_together(parts, by, now, full=full))

    def abort(self, service: str, by: str, reason: str = "") -> Rollout:
        return self._intervene(service, by, "aborted", reason, _each(lambda rollout: abort(rollout, by, reason)))

    def abort_all(self, by: str, reason: str = "") -> Sequence[Rollout]:
        """Stops everything that is in flight; the rollouts that it stopped."""
        going = [held.rollout for held in self._store.history(limit=10_000, open_only=True) if held.rollout.in_flight]
        return [self.abort(rollout.subject, by, reason) for rollout in going if rollout.phase is not Phase.ROLLING_BACK]

    def _intervene(self, service: str, by: str, kind: str, reason: str, do: Intervention) -> Rollout:
        """Writes what a person wants of the latest rollout, and of all parts of its release. The loop may write at the same
        moment: read again, a few times."""
        self.record(service)
        for _ in range(ATTEMPTS):
            held = self._latest(service)
            parts = [held, *self._other_parts(held)]
            after = do([part.rollout for part in parts])
            changes = [
                self._intervened(part, rollout, by, kind, reason)
                for part, rollout in zip(parts, after, strict=True)
                if rollout != part.rollout
            ]
            if not any(isinstance(one, Stale) for one in self._write(changes)):
                self._poke()
                return after[0]
        raise Stale(service)

    def _other_parts(self, held: Held) -> Sequence[Held]:
        """Those of its release that are in flight."""
        if not held.rollout.in_flight:
            return []
        parts = [self._unwritten.over(part) for part in self._store.parts(held.rollout.release)]
        return [part for part in parts if part.rollout.in_flight and part.rollout.id != held.rollout.id]

    def _intervened(self, held: Held, after: Rollout, by: str, kind: str, reason: str) -> Change:
        told = [Told(kind, after.subject, reason or after.decision.why, after.id, by, {"exposure": str(after.wanted)})]
        stable = after.candidate if after.phase is Phase.COMPLETED else None
        letters = letters_of(held.rollout, after, held.harm, self.record(after.subject).file.on)
        return Change(held, after, held.harm, told=told, letters=letters, stable=stable)

    def _write(self, changes: Sequence[Change]) -> Sequence[Held | Stale]:
        """Also when nothing can be written it goes back, if that is what a person wants."""
        if not changes:
            return []
        now = self._clock()
        try:
            return self._store.commit(changes, now, hurry=all(one.rollout.phase is Phase.ROLLING_BACK for one in changes))
        except TidegateError as error:
            kept = [self._unwritten.keep(change, error, now) for change in changes]
            if None in kept:
                raise
            return [one for one in kept if one is not None]

    # --- Looking up ---------------------------------------------------------------------------------------------------

    def record(self, subject: str) -> Record:
        """Raises NotFound, with the names that are known."""
        if not is_environment(subject):
            return self._record(subject)
        record = self._store.environment(subject)
        if record is None:
            names = ", ".join(one.file.subject for one in self._store.environments()) or "none yet"
            raise NotFound(f"There is no environment {subject!r}.", f"Known environments: {names}.")
        return record

    def _record(self, service: str) -> ServiceRecord:
        record = self._store.service(service)
        if record is None:
            names = ", ".join(one.file.service for one in self._store.services()) or "none yet"
            raise NotFound(f"There is no service {service!r}.", f"Known services: {names}.")
        return record

    def _latest(self, service: str) -> Held:
        found = self._store.history(service, 1)
        if not found:
            raise NotFound(f"{service} has no rollout.", _begin_one(service))
        return self._unwritten.over(found[0])

    def going(self, service: str) -> Held | None:
        """The newest rollout in flight."""
        return next((held for held in self.unsettled(service) if held.rollout.in_flight), None)

    def unsettled(self, subject: str) -> Sequence[Held]:
        """Those that have the lever of this subject, or wait for it; the newest first."""
        found = [self._unwritten.over(held) for held in self._store.history(subject, MOST_OPEN, open_only=True)]
        return [held for held in found if not held.rollout.settled]


def despite_the_loop(do: Callable[[], Done]) -> Done:
    """Done again, with what is written by then, when the loop wrote first."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(Stale):
            return do()
    return do()


def _say_begun(rollout: Rollout) -> str:
    return f"{rollout.id}: {rollout.baseline or 'nothing'} -> {rollout.candidate}, {rollout.plan.said}."


def _each(do: Callable[[Rollout], Rollout]) -> Intervention:
    return lambda rollouts: [do(rollout) for rollout in rollouts]


def _begin_one(subject: str) -> str:
    if is_environment(subject):
        return f"Start one: tidegate flags deploy -f FILE --environment {subject}."
    return f"Start one: tidegate deploy -f {subject}.yaml --version VERSION."


def same_tasks(one: Tasks, other: Tasks) -> bool:
    """Whether two specifications are the same version. How many of them run is no part of it."""
    return one.model_copy(update={"count": 0}) == other.model_copy(update={"count": 0})


def _say_differences(one: Service | Tasks, other: Service | Tasks) -> str:
    names = [name for name in type(one).model_fields if getattr(one, name) != getattr(other, name)]
    return ", ".join(name for name in names if not (isinstance(one, Tasks) and name == "count"))
