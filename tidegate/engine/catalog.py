"""Which services and versions there are, as the loop last read them."""

from __future__ import annotations

from tidegate.core.service import Service
from tidegate.ports import ServiceRecord, Store


class Catalog:
    """Read by the loop at every tick; other threads may ask it at any time: what it holds is replaced, never changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records: dict[str, ServiceRecord] = {}
        self._known: dict[tuple[str, str], tuple[Service, Service]] = {}

    def refresh(self) -> dict[str, ServiceRecord]:
        """Reads all services again."""
        self._records = {record.file.service: record for record in self._store.services()}
        self._known = {key: known for key, known in self._known.items() if key[0] in self._records}
        return self._records

    def known(self, service: str, version: str) -> Service | None:
        """The service as this version of it runs: its file, with that version's tasks and today's count. None when either
        is unknown."""
        record = self._records.get(service) or self._store.service(service)
        if record is None or not version:
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
