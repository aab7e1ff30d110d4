"""A glance at flags, for people: environments with their agents, and the documents there are. Reads only, from any thread."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.core.errors import NotFound
from tidegate.engine.agents import Agents
from tidegate.engine.catalog import Catalog
from tidegate.engine.glance import Glance
from tidegate.engine.view import AgentView, DocumentView, EnvironmentView
from tidegate.engine.watcher import Watcher
from tidegate.ports import EnvironmentRecord, Store


class FlagGlance:
    def __init__(self, store: Store, glance: Glance, watcher: Watcher, agents: Agents, catalog: Catalog) -> None:
        self._store = store
        self._glance = glance
        self._watcher = watcher
        self._agents = agents
        self._catalog = catalog

    def environments(self) -> Sequence[EnvironmentView]:
        return [self._view(record) for record in self._store.environments()]

    def names(self) -> Sequence[str]:
        return [record.file.subject for record in self._store.environments()]

    def environment(self, subject: str) -> EnvironmentView:
        """Raises NotFound, with the names that are known."""
        record = self._store.environment(subject)
        if record is None:
            names = ", ".join(one.file.subject for one in self._store.environments()) or "none yet"
            raise NotFound(f"There is no environment {subject!r}.", f"Known environments: {names}.")
        return self._view(record)

    def documents(self, application: str, limit: int = 50) -> Sequence[DocumentView]:
        """Newest first."""
        return [
            DocumentView(one.application, one.number, one.digest, one.created, one.by, one.why)
            for one in self._store.documents(application, limit)
        ]

    def _view(self, record: EnvironmentRecord) -> EnvironmentView:
        file, subject = record.file, record.file.subject
        document = self._catalog.document(file.application, int(record.stable)) if record.stable else None
        rollouts = self._glance.history(subject, 1)
        agents = [
            AgentView(
                id=agent.report.agent,
                version=agent.report.version,
                heard=agent.silent,
                serial=agent.report.serial,
                exposure=str(agent.report.exposure),
                rollout=agent.report.rollout,
                age=agent.report.age + agent.silent if agent.report.age is not None else None,
            )
            for agent in self._agents.of(subject)
        ]
        return EnvironmentView(
            name=subject,
            application=file.application,
            environment=file.environment,
            document=document.number if document else None,
            flags=len(document.flags) if document else 0,
            agents=tuple(agents),
            alarms=self._watcher.alarms(record),
            figures=self._watcher.figures(subject),
            rollout=rollouts[0] if rollouts else None,
            plan=file.course(file.plan).said,
            evaluations=self._agents.evaluations(subject),
            sessions=self._agents.sessions.of(subject),
            led=file.led,
        )
