"""The records of all tasks in memory, and their way to the disk.

What was decided or seen counts from then on, also while the disk takes nothing: it is written as soon as it can be. Only
an intent to start must be on the disk first (`intend`), for nobody would find that process again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tidegate.core.errors import Unreachable
from tidegate.drivers.process.record import Group, Key, Record
from tidegate.drivers.process.world import World
from tidegate.ports import Task


class Book:
    def __init__(self, world: World, records: Iterable[Record]) -> None:
        self._world = world
        self._groups: dict[Group, dict[Key, Record]] = {}
        self._tasks: dict[Key, Task] = {}
        self._unwritten: dict[Key, Record] = {}
        self.trouble: Unreachable | None = None
        for record in records:
            self._hold(record)

    def intend(self, record: Record) -> None:
        """Written before it counts. Raises Unreachable with nothing changed."""
        self._world.save(record)
        self._unwritten.pop(record.key, None)
        self._hold(record)

    def put(self, record: Record) -> None:
        self._hold(record)
        self._write(record.key, record)

    def drop(self, record: Record) -> None:
        group = self._groups[record.group]
        del group[record.key], self._tasks[record.key]
        if not group:
            del self._groups[record.group]
        self._world.forget(record)
        self._unwritten.pop(record.key, None)

    def retry(self) -> None:
        """Writes what the disk did not take before."""
        self.trouble = None
        for key, record in list(self._unwritten.items()):
            self._write(key, record)

    def tell_trouble(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def group(self, group: Group) -> Collection[Record]:
        return self._groups.get(group, {}).values()

    def groups(self) -> Collection[Group]:
        return self._groups.keys()

    def records(self) -> list[Record]:
        return [record for group in self._groups.values() for record in group.values()]

    def tasks(self) -> list[Task]:
        return list(self._tasks.values())

    def _hold(self, record: Record) -> None:
        self._groups.setdefault(record.group, {})[record.key] = record
        self._tasks[record.key] = record.task()

    def _write(self, key: Key, record: Record) -> None:
        try:
            self._world.save(record)
        except Unreachable as full:
            self._unwritten[key] = record
            self.trouble = full
        else:
            self._unwritten.pop(key, None)
