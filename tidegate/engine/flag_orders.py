"""Orders for feature flags: what a person may ask of an environment. Rollouts of flags go the way of all rollouts; here is
what is different about them: documents with numbers, and the kill switch.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.core.alarm_set import watched_flags
from tidegate.core.environment import Environment
from tidegate.core.errors import Conflict, Invalid, NotFound, Refused, TidegateError
from tidegate.core.exposure import FULL
from tidegate.core.flags.codec import decode, digest_of, numbering
from tidegate.core.flags.document import FlagDocument
from tidegate.core.intervention import drop
from tidegate.core.monitor import Monitor, troubled
from tidegate.core.plan import IfFiring, PlanFile
from tidegate.core.rollout import Decision, Phase, Rollout
from tidegate.core.service import check_plan
from tidegate.engine.catalog import Catalog
from tidegate.engine.orders import Deployed, Orders
from tidegate.engine.teller import letters_of
from tidegate.engine.watcher import Watcher
from tidegate.ports import Change, DocumentRecord, EnvironmentRecord, Held, Start, Store, Told

MOST_LOOKED = 5
"""Documents among which one with the same content is looked for."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a change is released. `base` is the number of the document that it was made from, None for whichever is in force.
    `now`: at once and for everybody, with no guard, also in the place of a rollout in flight."""

    by: str
    base: int | None = None
    plan: PlanFile | None = None
    reason: str = ""
    now: bool = False


class Platforms(Protocol):
    """What is asked of where the flags of an environment are served."""

    def check(self, file: Environment) -> None:
        """Raises Refused when nothing could ever be released there, or when the environment would change its platform."""

    def must_be_free(self, file: Environment, baseline: str, candidate: str) -> None:
        """Raises Conflict when this cannot be begun there now."""

    def monitors(self, file: Environment) -> Sequence[Monitor]:
        """The alarms by which it goes back by itself, as they are now."""


class FlagOrders:
    def __init__(
        self,
        *,
        store: Store,
        orders: Orders,
        catalog: Catalog,
        watcher: Watcher,
        clock: Callable[[], datetime],
        platforms: Platforms | None = None,
    ) -> None:
        """Without `platforms` all environments are served by our own agents."""
        self._platforms = platforms
        self._store = store
        self._orders = orders
        self._catalog = catalog
        self._watcher = watcher
        self._clock = clock

    # --- Environments -------------------------------------------------------------------------------------------------

    def configure(self, file: Environment, by: str) -> str:
        """Takes over plan, alarms, comparison and who is told."""
        self._check(file)
        if self._platforms is not None:
            self._platforms.check(file)
        record = self._store.environment(file.subject)
        if record is not None and record.file == file:
            return f"{file.subject} is already as in this file."
        old = record.file if record else Environment(application=file.application, environment=file.environment)
        changed = ", ".join(name for name in Environment.model_fields if getattr(old, name) != getattr(file, name)) or "nothing"
        self._store.configure(file, self._clock(), [Told("applied", file.subject, f"changed: {changed}", actor=by)])
        return f"{file.subject}: changed {changed}."

    def remove(self, subject: str, by: str, reason: str = "") -> str:
        """Nobody changes flags there any more. Agents keep what they have; documents and history stay."""
        self._record(subject)
        if running := self._orders.going(subject):
            raise Conflict(
                f"{subject} has a rollout in flight ({running.rollout.id} at {running.rollout.wanted}).",
                f"Stop it first: tidegate abort {subject}.",
            )
        self._store.remove(subject, self._clock(), [Told("removed", subject, reason, actor=by)])
        return f"{subject} is removed. Agents that are there keep its last flags, and say that nobody confirms them."

    def _check(self, file: Environment) -> None:
        file.plan.resolve()
        for problem in (*self._watcher.unknown_alarms(file), *self._watcher.unknown_metrics(file)):
            raise problem

    # --- Documents ----------------------------------------------------------------------------------------------------

    def present(self, subject: str) -> FlagDocument:
        """The document in force. Raises NotFound when there is none yet."""
        record = self._record(subject)
        if not record.stable:
            raise NotFound(f"{subject} has no flags in force yet.", f"Deploy some: tidegate flags deploy -f FILE -e {subject}.")
        return self.document(record.file.application, int(record.stable))

    def document(self, application: str, number: int) -> FlagDocument:
        found = self._catalog.document(application, number)
        if found is None:
            raise NotFound(f"{application} has no flag document {number}.", f"List them: tidegate flags history {application}.")
        return found

    def numbered(self, document: FlagDocument) -> FlagDocument:
        """With the number that it would get. Nothing is written."""
        return document.numbered(self._numbered(document, Manner(""))[0])

    def deploy(self, application: str, environment: str, document: FlagDocument, manner: Manner) -> Deployed:
        """Starts to release this content. The same content keeps its number."""
        done = self._orders.begin_one(lambda: self.drafted(application, environment, document, manner))
        return self._warned(done) if manner.now else done

    def drafted(self, application: str, environment: str, document: FlagDocument, manner: Manner) -> Start | Deployed:
        """The start of that, when nothing speaks against it; or what there is to be said instead. Changes nothing."""
        if document.application != application:
            raise Invalid(
                f"The document is of {document.application}, the path names {application}.", "Name one.", "application"
            )
        file = self.file(application, environment)
        held = self._orders.unsettled(file.subject)  # before the record: what ends meanwhile has changed the record
        record = self._store.environment(file.subject)
        self._check_base(file.subject, record, manner)
        number, new = self._numbered(document, manner)
        return self._release(file, record, held, number, new, manner)

    def deploy_number(self, application: str, environment: str, number: int, manner: Manner) -> Deployed:
        """Starts to release a document that there is already: of another environment, or an older one."""
        done = self._orders.begin_one(lambda: self.drafted_number(application, environment, number, manner))
        return self._warned(done) if manner.now else done

    def drafted_number(self, application: str, environment: str, number: int, manner: Manner) -> Start | Deployed:
        """As `drafted`."""
        file = self.file(application, environment)
        held = self._orders.unsettled(file.subject)
        record = self._store.environment(file.subject)
        self._check_base(file.subject, record, manner)
        return self._release(file, record, held, self.document(application, number).number, None, manner)

    def change(self, subject: str, edit: Callable[[FlagDocument], FlagDocument], manner: Manner) -> Deployed:
        """Starts to release the document in force with this change made."""
        record = self._record(subject)
        before = self.present(subject)
        after = edit(before)
        manner = manner if manner.base is not None else replace(manner, base=before.number)
        return self.deploy(record.file.application, record.file.environment, after, manner)

    def rollback(self, subject: str, by: str, *, to: int | None = None, reason: str = "") -> Deployed:
        """Brings back the document before, or `to`: at once, and without guards, for a person decided it."""
        self._record(subject)
        running = self._orders.going(subject)
        if running is not None:
            return self._orders.go_back(running, by, None if to is None else str(to), reason)
        return self._warned(self._orders.begin_one(lambda: self.drafted_back(subject, by, to=to, reason=reason)))

    def drafted_back(self, subject: str, by: str, *, to: int | None, reason: str) -> Start | Deployed:
        """The start of the way back to the document before, or to `to`."""
        record = self._record(subject)
        number = to if to is not None else self._number_before(record)
        manner = Manner(by, reason=reason or "rollback", now=True)
        return self.drafted_number(record.file.application, record.file.environment, number, manner)

    def _number_before(self, record: EnvironmentRecord) -> int:
        for held in self._store.history(record.file.subject, 100):
            rollout = held.rollout
            if rollout.phase is Phase.COMPLETED and rollout.candidate == record.stable and rollout.baseline:
                return int(rollout.baseline)
        raise NotFound(
            f"{record.file.subject} had no flags before number {record.stable or 0}.",
            f"Name one: tidegate rollback {record.file.subject} --to NUMBER.",
        )

    # --- Releasing ----------------------------------------------------------------------------------------------------

    def _release(  # noqa: PLR0917 - what was found, as it was found
        self,
        file: Environment,
        record: EnvironmentRecord | None,
        held: Sequence[Held],
        number: int,
        new: DocumentRecord | None,
        manner: Manner,
    ) -> Start | Deployed:
        version = str(number)
        going = [one.rollout for one in held if one.rollout.in_flight]
        is_back = manner.now and bool(going) and record is not None and record.stable == version
        is_sooner = manner.now and any(one.wanted != FULL for one in going)
        if not (is_back or is_sooner) and (found := self._orders.already(file.subject, version, record)):
            return found
        if manner.now:
            if manner.plan is not None:
                raise Refused("A change cannot be made at once and by a plan.", "Leave out one of both.")
            if is_back:
                after = self._orders.abort(file.subject, manner.by, manner.reason)
                return Deployed(after, False, f"{after.id} goes back to {version}.")
            return self._at_once(file, record, held, version, new, manner)
        chosen = manner.plan or file.plan
        check_plan(chosen, file.compare)
        plan = file.course(chosen)
        superseded = self._orders.make_way(file.subject, version, chosen, manner.by)
        self._check(file)
        self._must_have_watched(file, record, number, new)
        if self._platforms is not None and not superseded:
            self._platforms.must_be_free(file, record.stable if record is not None else "", version)
        if plan.if_firing is IfFiring.REFUSE:
            self._must_be_calm(file)
        if record is not None and record.stable:
            self._orders.check_alarms(file, record, plan)
        rollout = self._orders.draft(file, version, record, plan=plan, by=manner.by)
        return self._orders.start_of(rollout, file, new, superseded, manner.reason)

    def monitors(self, file: Environment) -> Sequence[Monitor]:
        """The alarms by which whoever deploys there goes back by himself, as they are now."""
        return self._platforms.monitors(file) if self._platforms is not None else ()

    def _must_be_calm(self, file: Environment) -> None:
        if (monitor := troubled(self.monitors(file))) is not None:
            what = f"The alarm {monitor.name}, which {file.led} monitors, {monitor.trouble}: it would take this back at once."
            raise Conflict(what, monitor.mend)

    def _warned(self, done: Deployed) -> Deployed:
        """What is done at once is never refused for a monitor; that it may not stay is said."""
        rollout = done.rollout
        record = self._store.environment(rollout.subject) if rollout is not None and done.new else None
        if record is None or not record.file.led:
            return done
        led = record.file.led
        try:
            monitor = troubled(self.monitors(record.file))
        except TidegateError as error:
            return replace(done, sentence=f"{done.sentence} Whether {led} will take it back cannot be seen: {error.what}")
        return replace(done, sentence=f"{done.sentence} {monitor.warns(led)}") if monitor is not None else done

    def _must_have_watched(
        self, file: Environment, record: EnvironmentRecord | None, number: int, new: DocumentRecord | None
    ) -> None:
        """Alarms speak of flags that there are, before or afterwards."""
        watched = watched_flags(file.alarms)
        if not watched:
            return
        after = decode(new.text) if new is not None else self.document(file.application, number)
        known = set(after.flags) | (set(self.present(file.subject).flags) if record is not None and record.stable else set())
        for name in watched:
            if name not in known:
                close = difflib.get_close_matches(name, sorted(known), n=1)
                mend = f"Did you mean flag:{close[0]}?" if close else "Correct the alarm: tidegate flags configure -f FILE."
                raise Refused(f"An alarm of {file.subject} speaks of the flag {name!r}, which neither document has.", mend)

    def _at_once(  # noqa: PLR0917 - what was found, as it was found
        self,
        file: Environment,
        record: EnvironmentRecord | None,
        held: Sequence[Held],
        version: str,
        new: DocumentRecord | None,
        manner: Manner,
    ) -> Start | Deployed:
        """The kill switch. Snapshots are put in each other's place in one piece, so that nothing has to be undone before, and
        no agent that does not answer is waited for."""
        plan = replace(PlanFile(all_at_once=True, bake=timedelta(0)).resolve(), said="at once", guarded=False)
        rollout = self._orders.draft(file, version, record, plan=plan, by=manner.by)
        if rollout.baseline:
            rollout = replace(rollout, phase=Phase.SHIFTING, decision=Decision("shift", f"at once (by {manner.by})"))
        dropped = [self._dropped(file, one, rollout, manner) for one in held]
        return self._orders.start_of(rollout, file, new, dropped, manner.reason)

    def _dropped(self, file: Environment, held: Held, by: Rollout, manner: Manner) -> Change:
        after = drop(held.rollout, manner.by, by.candidate, self._clock())
        told = [Told("dropped", file.subject, after.decision.why, after.id, manner.by)]
        return Change(held, after, held.harm, told=told, letters=letters_of(held.rollout, after, held.harm, file.on))

    def file(self, application: str, environment: str) -> Environment:
        """As it is configured, or as it is by default."""
        file = Environment(application=application, environment=environment)
        record = self._store.environment(file.subject)
        return record.file if record is not None else file

    def _record(self, subject: str) -> EnvironmentRecord:
        record = self._orders.record(subject)
        if not isinstance(record, EnvironmentRecord):
            raise NotFound(f"{subject} is a service.", "Name an environment, as shop/prod.")
        return record

    def _check_base(self, subject: str, record: EnvironmentRecord | None, manner: Manner) -> None:
        now = int(record.stable) if record is not None and record.stable else 0
        if manner.base is not None and manner.base != now:
            raise Conflict(
                f"{subject} has flag document {now or 'none'} by now; this was made from {manner.base or 'none'}.",
                f"Look what changed, and make it anew: tidegate flags diff {manner.base or ''} {now}.",
            )

    def _numbered(self, document: FlagDocument, manner: Manner) -> tuple[int, DocumentRecord | None]:
        """The number under which this content goes, and its record when it is new."""
        known, text_of = self._store.documents(document.application, MOST_LOOKED), numbering(document)
        for record in known:
            if digest_of(text_of(record.number)) == record.digest:
                return record.number, None
        number = known[0].number + 1 if known else 1
        text = text_of(number)
        record = DocumentRecord(
            document.application, number, text, digest_of(text), self._clock(), manner.by, why=manner.reason
        )
        return number, record
