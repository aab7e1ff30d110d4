"""A glance at everything that is going on, for people: joins what is written with what the loop saw last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidegate.core.errors import NotFound
from tidegate.core.service import Service
from tidegate.core.setting import Applied
from tidegate.core.verdict import TaskHealth
from tidegate.engine.course import Course
from tidegate.engine.story import story_of
from tidegate.engine.unwritten import Unwritten
from tidegate.engine.view import ReleaseView, RolloutView, ServiceView, SideView, view_rollout, view_service
from tidegate.engine.watcher import Watcher
from tidegate.ports import Event, Held, ServiceRecord, Store, Task


class Showing(Protocol):
    """What it asks of the levers."""

    def applied(self, subject: str) -> Applied: ...

    def health(self, subject: str, version: str) -> TaskHealth | None: ...

    def tasks(self, subject: str | None = None) -> Sequence[Task]: ...


class Glance:
    """Reads only. Safe to call from other threads than the loop's: what it takes from the loop is replaced, never changed."""

    def __init__(self, store: Store, lever: Showing, watcher: Watcher, unwritten: Unwritten) -> None:
        self._store = store
        self._lever = lever
        self._watcher = watcher
        self._unwritten = unwritten

    def services(self) -> Sequence[ServiceView]:
        return [self._service(record) for record in self._store.services()]

    def names(self) -> Sequence[str]:
        return [record.file.service for record in self._store.services()]

    def service(self, name: str) -> ServiceView:
        """Raises NotFound, with the names that are known."""
        return self._service(self._record(name))

    def file(self, name: str) -> Service:
        """The service file as it was taken over last. Raises NotFound."""
        return self._record(name).file

    def _record(self, name: str) -> ServiceRecord:
        record = self._store.service(name)
        if record is None:
            names = ", ".join(one.file.service for one in self._store.services()) or "none yet"
            raise NotFound(f"There is no service {name!r}.", f"Known services: {names}.")
        return record

    def _service(self, record: ServiceRecord) -> ServiceView:
        name = record.file.service
        last = self._store.history(name, 1)
        return view_service(
            record,
            tasks=self._lever.tasks(name),
            alarms=self._watcher.alarms(record),
            figures=self._watcher.figures(name),
            rollout=self._rollout(last[0]) if last else None,
            versions=[version.version for version in self._store.versions(name)],
        )

    def rollout(self, id_: str) -> RolloutView:
        """Raises NotFound."""
        held = self._store.held(id_)
        if held is None:
            raise NotFound(f"There is no rollout {id_!r}.", "List them: tidegate history.")
        return self._rollout(held)

    def course(self, id_: str) -> Course:
        """How a rollout went over time. Raises NotFound."""
        held = self._store.held(id_)
        if held is None:
            raise NotFound(f"There is no rollout {id_!r}.", "List them: tidegate history.")
        return self._watcher.course(held)

    def in_flight(self, limit: int = 500) -> Sequence[RolloutView]:
        """Newest first."""
        return [self._rollout(held) for held in self._store.history(limit=limit, open_only=True) if held.rollout.in_flight]

    def history(self, service: str | None = None, limit: int = 50) -> Sequence[RolloutView]:
        """Newest first."""
        return [self._rollout(held) for held in self._store.history(service, limit)]

    def releases(self, limit: int = 50) -> Sequence[ReleaseView]:
        """Newest first."""
        return [self.release(name) for name in self._store.releases(limit)]

    def release(self, name: str) -> ReleaseView:
        """Raises NotFound."""
        parts = sorted(self._store.parts(name), key=lambda part: part.rollout.follows)
        if not parts:
            raise NotFound(f"There is no release {name!r}.", "List them: tidegate releases.")
        rollouts = tuple(self._rollout(part) for part in parts)
        latest = min((part.rollout for part in parts), key=lambda rollout: (not rollout.goes_back, rollout.place))
        return ReleaseView(
            release=name,
            phase=latest.phase.value,
            in_flight=any(rollout.in_flight for rollout in rollouts),
            created=latest.created,
            by=latest.by,
            rollouts=rollouts,
        )

    def _rollout(self, held: Held) -> RolloutView:
        held = self._unwritten.shown(held)
        rollout = held.rollout
        if not rollout.in_flight:
            return view_rollout(held)
        look = self._watcher.seen(rollout.id)
        if look is None:
            return view_rollout(held, applied=self._lever.applied(rollout.subject))
        sides = [
            SideView(version, health.wanted if health else 0, health.healthy if health else 0, look.figures[side])
            for side, version in (("baseline", rollout.baseline), ("candidate", rollout.candidate))
            for health in [self._lever.health(rollout.subject, version)]
        ]
        return view_rollout(
            held,
            applied=self._lever.applied(rollout.subject),
            verdict=look.verdict,
            guards=look.guards,
            sides=sides,
            served=look.served,
            comparison=look.comparison,
        )

    def explain(self, rollout: str) -> tuple[RolloutView, Sequence[Event]]:
        """A rollout and every decision about it, in order."""
        return self.rollout(rollout), story_of(rollout, self._store)

    def events(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        service: str | None = None,
        rollout: str | None = None,
        by: str | None = None,
        people: bool = False,
        limit: int = 200,
        last: bool = False,
    ) -> Sequence[Event]:
        return self._store.events(
            after=after, before=before, subject=service, rollout=rollout, by=by, people=people, limit=limit, last=last
        )
