"""Which services and versions, environments and flag documents there are, as the loop last read them."""

from __future__ import annotations

from tidegate.core.alarm_set import watched_flags
from tidegate.core.environment import Environment, is_environment
from tidegate.core.flags.codec import decode
from tidegate.core.flags.document import FlagDocument
from tidegate.core.service import Service
from tidegate.ports import EnvironmentRecord, Record, ServiceRecord, Store

MOST_DOCUMENTS = 20
"""Flag documents that are kept decoded."""


class Catalog:
    """Read by the loop at every tick; other threads may ask it at any time: what it holds is replaced, never changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records: dict[str, Record] = {}
        self._documents: dict[tuple[str, int], FlagDocument] = {}
        self._known: dict[tuple[str, str], tuple[Service, Service]] = {}

    def refresh(self) -> dict[str, Record]:
        """Reads all services and environments again."""
        records: list[Record] = [*self._store.services(), *self._store.environments()]
        self._records = {record.file.subject: record for record in records}
        self._known = {key: known for key, known in self._known.items() if key[0] in self._records}
        return self._records

    def known(self, service: str, version: str) -> Service | None:
        """The service as this version of it runs: its file, with that version's tasks and today's count. None when either
        is unknown."""
        if is_environment(service):
            return None
        record = self._records.get(service) or self._store.service(service)
        if not isinstance(record, ServiceRecord) or not version:
            return None
        cached = self._known.get((service, version))
        if cached is not None and cached[0] is record.file:
            return cached[1]
        found = self._store.version(service, version)
        if found is None:
            return None
        tasks = found.tasks.model_copy(update={"count": record.file.tasks.count})
        built = record.file.model_copy(update={"tasks": tasks})
        self._known[service, version] = (record.file, built)
        return built

    def watched(self, subject: str) -> tuple[str, ...]:
        """The flags that alarms of this environment speak of."""
        record = self._records.get(subject)
        return watched_flags(record.file.alarms) if record is not None else ()

    def file_of(self, service: str) -> Service | None:
        """The file of a service as it was last read; None when there is none, or it is an environment."""
        record = self._records.get(service)
        if record is None and not is_environment(service):
            record = self._store.service(service)
        return record.file if isinstance(record, ServiceRecord) else None

    def environment_of(self, subject: str) -> Environment | None:
        """The file of an environment as it was last read; None when there is none, or it is a service."""
        record = self._records.get(subject)
        if record is None and is_environment(subject):
            record = self._store.environment(subject)
        return record.file if isinstance(record, EnvironmentRecord) else None

    def document(self, application: str, number: int) -> FlagDocument | None:
        """The flag document of an application under this number; None when there is none."""
        key = (application, number)
        found = self._documents.get(key)
        if found is None:
            record = self._store.document(application, number)
            if record is None:
                return None
            found = decode(record.text, record.digest)
            self._documents = {**dict(list(self._documents.items())[1 - MOST_DOCUMENTS :]), key: found}
        return found
