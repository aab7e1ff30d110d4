"""The traffic lever: tasks and router together. A target group is the healthy tasks of one version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from tidegate.core.errors import NotRouted, Unreachable
from tidegate.core.exposure import Exposure
from tidegate.core.rollout import Readiness, Ready
from tidegate.core.service import Service
from tidegate.core.setting import UNSEEN, Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.ports import Endpoint, Router, RouterReading, Routing, Runtime, Side, Task, TaskGroup, TaskState

Known = Callable[[str, str], Service | None]
"""The service as this version of it runs: its file with that version's tasks. None when either is unknown."""

# Tasks that get traffic. An unhealthy one stays: the router's own checks take it out, and may take it back.
_SERVING = (TaskState.HEALTHY, TaskState.UNHEALTHY)


class TrafficLever:
    """Implements ports.Lever for services."""

    def __init__(self, runtime: Runtime, router: Router, known: Known) -> None:
        self._runtime = runtime
        self._router = router
        self._known = known
        self._tasks: dict[tuple[str, str], list[Task]] | None = None
        self._last: dict[tuple[str, str], list[Task]] | None = None  # as they were seen last
        self._problems: dict[str, str] = {}  # services that the router rejects, with its reason
        self._applied: dict[str, Applied] = {}
        self.reading: RouterReading | None = None

    @property
    def grain(self) -> Exposure:
        return self._router.grain

    def look(self, now: datetime) -> None:  # noqa: ARG002 - other levers look at the time
        self._tasks = self._look_at_tasks()
        try:
            reading = self._router.look()
        except Unreachable:
            reading = None
        # Put in place whole: other threads ask while the next look is under way.
        self._applied = {name: self._router.applied(name) for name in reading.services} if reading else {}
        self.reading = reading

    def _look_at_tasks(self) -> dict[tuple[str, str], list[Task]] | None:
        try:
            tasks = self._runtime.tasks()
        except Unreachable:
            return None
        groups: dict[tuple[str, str], list[Task]] = {}
        for task in tasks:
            groups.setdefault((task.service, task.version), []).append(task)
        self._last = groups
        return groups

    def tasks(self, subject: str | None = None) -> Sequence[Task]:
        """The tasks of the last look; none when they could not be seen."""
        groups = self._tasks or {}
        return [task for key, group in groups.items() if subject in (None, key[0]) for task in group]

    def reading_of(self, subject: str) -> RouterReading | None:  # noqa: ARG002 - one router counts for all
        return self.reading

    def applied(self, subject: str) -> Applied:
        return self._applied.get(subject, UNSEEN)

    def readiness(self, subject: str, version: str) -> Readiness:
        if problem := self._problems.get(subject):
            return Readiness(Ready.FAILED, problem)
        health = self.health(subject, version)
        if health is None:
            return Readiness(Ready.UNSEEN)
        for task in self._group(subject, version):
            if task.state is TaskState.FAILED:
                return Readiness(Ready.FAILED, task.why)
        return Readiness(Ready.YES if health.healthy >= health.wanted else Ready.NOT_YET, health.why)

    def health(self, subject: str, version: str) -> TaskHealth | None:
        service = self._known(subject, version)
        if self._tasks is None or service is None:
            return None
        tasks = [task for task in self._group(subject, version) if task.state is not TaskState.STOPPING]
        hurt = [task for task in tasks if _is_hurt(task)]
        return TaskHealth(
            wanted=_wanted(service),
            healthy=sum(task.state is TaskState.HEALTHY for task in tasks),
            hurt=len(hurt),
            why=f"{hurt[0].id}: {hurt[0].why or hurt[0].state.value}" if hurt else "",
            youngest=max((task.started for task in tasks if task.started is not None), default=None),
        )

    def gone(self, subject: str, version: str) -> bool:
        return self._tasks is not None and not self._group(subject, version)

    def _group(self, subject: str, version: str) -> list[Task]:
        return (self._tasks or {}).get((subject, version), [])

    def apply(self, settings: Mapping[str, Setting], needs: frozenset[tuple[str, str]], now: datetime) -> None:
        wanted = [(self._known(subject, version), version) for subject, version in sorted(needs)]
        groups = [TaskGroup(service, version) for service, version in wanted if service is not None]
        try:
            if self._tasks is not None:  # whoever cannot see the tasks starts and ends none
                self._runtime.reconcile(groups, now)
        finally:  # trouble with tasks (a full disk, nobody sees them) must not keep exposure from returning to zero
            self._tasks = self._look_at_tasks()
            if self._last is not None:  # and leaves those in the router that were seen last
                self._route([routing for subject, setting in settings.items() if (routing := self._routing(subject, setting))])

    def _route(self, routings: Sequence[Routing]) -> None:
        try:
            self._router.route(routings)
        except NotRouted as refused:
            self._problems = dict.fromkeys(refused.services, refused.what)
        else:
            self._problems = {}

    def _routing(self, subject: str, setting: Setting) -> Routing | None:
        service = self._known(subject, setting.stable) or self._known(subject, setting.slot)
        if service is None:
            return None
        stable, slot = self._side(subject, setting.stable), self._side(subject, setting.slot)
        return Routing(service, setting.salt, stable, slot, setting.exposure)

    def _side(self, subject: str, version: str) -> Side | None:
        service = self._known(subject, version) if version else None
        if service is None:
            return None
        serving = sorted(
            (task for task in (self._last or {}).get((subject, version), []) if task.state in _SERVING),
            key=lambda task: task.id,
        )
        return Side(version, tuple(Endpoint(task.host, task.port, task.id) for task in serving), service.tasks)


def _is_hurt(task: Task) -> bool:
    """Was healthy and is not, or gave up. One that is started again has died before."""
    if task.state in (TaskState.UNHEALTHY, TaskState.DEAD, TaskState.FAILED):
        return True
    return task.state is TaskState.STARTING and task.restarts > 0


def _wanted(service: Service) -> int:
    return len(service.tasks.targets) if service.tasks.targets else service.tasks.count
