"""Keeps the wanted tasks alive and ends the others: the brain of the runtime, over any world.

The rules are in life.py (one task) and balance.py (one group); here they meet what is seen. Every start goes: write the
intent down, spawn, write the process down. One turn does a bounded amount of work, so that `reconcile` returns at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from signal import Signals
from threading import RLock

import structlog

from tidegate.core.errors import NotFound, Refused, Unreachable
from tidegate.core.service import Service
from tidegate.drivers.process import life
from tidegate.drivers.process.balance import CALM, balance
from tidegate.drivers.process.book import Book
from tidegate.drivers.process.clock import PatientClock
from tidegate.drivers.process.record import Ending, Group, Record, task_id
from tidegate.drivers.process.world import World
from tidegate.ports import Task, TaskGroup, TaskState

SPAWNING = 0.1
"""Seconds that one turn may spend on spawning; what is left starts in the next."""


class Keeper:
    """The port Runtime but for `check`, and the verbs `restart` and `shutdown`. May be called from several threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = RLock()
        records, seconds = world.load()
        self._book = Book(world, [life.taken_over(record, seconds) for record in records])
        self._clock = PatientClock(seconds)
        self._clock_saved = seconds
        self._wanted: dict[Group, Service] = {}
        self._now = datetime.now(UTC)
        self._spawn_until: float | None = None
        self._down = False
        self._bury_the_dead()

    def reconcile(self, wanted: Sequence[TaskGroup], now: datetime) -> None:
        with self._lock:
            self._now = now
            self._clock.tick(now)
            self._wanted = {} if self._down else {group.key: group.service for group in wanted}
            self._turn()
            self._book.tell_trouble()

    def tasks(self) -> Sequence[Task]:
        with self._lock:
            return self._book.tasks()

    def restart(self, service: str, version: str, task: str | None = None) -> None:
        """Replaces the tasks of a version, or one of them: a new one beside each, healthy before the old one ends."""
        with self._lock:
            running = [record for record in self._book.group((service, version)) if not record.stopping]
            chosen = [record for record in running if task in (None, record.id)]
            if not chosen:
                known = ", ".join(record.id for record in running) or "none"
                raise NotFound(f"{service} {version} runs no such task (it runs: {known}).", "Look: tidegate status.")
            if not chosen[0].managed:
                raise Refused(f"{chosen[0].id} is a target, which somebody else runs.", "Restart it where it runs.")
            for record in chosen:
                self._book.put(replace(record, retiring=True))

    def shutdown(self, drain: bool = True, within: timedelta | None = None) -> None:
        """Ends all tasks and waits until nothing of them is left; without `drain` SIGTERM comes at once.

        Waits at most `within`: by default the longest drain twice (before SIGTERM and before SIGKILL) and ten seconds.
        Raises Unreachable when something does not end.
        """
        with self._lock:
            self._down, self._wanted = True, {}
            for record in self._book.records():
                self._book.put(life.unwanted(record, self._clock.seconds, hurry=not drain))
            longest = 2 * max((record.drain for record in self._book.records()), default=0.0) + 10.0
        limit = self._world.seconds() + (longest if within is None else within.total_seconds())
        self._wait_for_the_end(limit)
        self._world.clear()

    def _wait_for_the_end(self, limit: float) -> None:
        before = self._world.seconds()
        while True:
            now = self._world.seconds()
            with self._lock:
                self._clock.advance(now - before)
                self._turn()
                if not self._book.groups():
                    return
                left = ", ".join(sorted(record.id for record in self._book.records()))
            if now > limit:
                raise Unreachable(f"{left} did not end in time.", "Its processes hang: see tidegate status, and kill them.")
            before = now
            self._world.rest(0.02)

    def _bury_the_dead(self) -> None:
        """What ended while nobody looked, by a reboot perhaps, is not told as healthy even once."""
        for record in self._book.records():
            how = self._world.ended(record) if record.process is not None else None
            if how is not None:
                self._see_ended(record, how)

    # --- one turn -----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._spawn_until = None
        self._book.retry()
        for group in list(self._book.groups()):
            service = self._wanted.get(group)
            for record in list(self._book.group(group)):
                if service is None and not record.stopping:
                    self._end(record)
                else:
                    self._look_at(record, service)
        for group, service in self._wanted.items():
            if service.tasks.targets is None:
                self._fill(group, service)
            else:
                self._point(group, service.tasks.targets)
        if self._clock.seconds - self._clock_saved >= 1.0:
            self._clock_saved = self._clock.seconds
            self._world.save_clock(self._clock_saved)

    def _look_at(self, record: Record, service: Service | None) -> None:
        """Sees what became of it, and takes it one step further when it is to end."""
        if record.managed:
            if record.process is None:
                if record.stopping and not self._world.left(record):
                    self._book.drop(record)
                return
            how = self._world.ended(record)
            if how is not None:
                self._see_ended(record, how)
                return
        if record.ending is not None:
            self._go_on_ending(record)
        elif service is not None:
            self._judge(record, service)

    def _judge(self, record: Record, service: Service) -> None:
        self._world.watch(record, service)
        verdict = self._world.verdict(record)
        after = life.judged(record, verdict, service.tasks.health.start_within, self._clock.seconds)
        if after is record:
            return
        self._book.put(after)
        self._tell(after)
        if after.ending is Ending.TERM:
            self._world.unwatch(after)
            self._world.signal(after, Signals.SIGTERM)

    def _see_ended(self, record: Record, how: str) -> None:
        self._world.unwatch(record)
        self._world.bury(record)
        after = life.ended(record, how, self._world.last_words(record), self._clock.seconds)
        self._book.put(after)
        if record.ending is None:
            self._tell(after)

    # --- ending -------------------------------------------------------------------------------------------------------

    def _end(self, record: Record) -> None:
        after = life.unwanted(record, self._clock.seconds)
        self._book.put(after)
        self._look_at(after, None)

    def _go_on_ending(self, record: Record) -> None:
        phase = life.next_ending(record, self._clock.seconds)
        if phase is None:
            return
        self._world.unwatch(record)
        if not record.managed:
            self._book.drop(record)
            return
        self._book.put(replace(record, ending=phase, since=self._clock.seconds))
        self._world.signal(record, Signals.SIGTERM if phase is Ending.TERM else Signals.SIGKILL)

    # --- starting -----------------------------------------------------------------------------------------------------

    def _fill(self, group: Group, service: Service) -> None:
        todo = balance(self._book.group(group), service.tasks.count)
        if todo is not CALM:
            for record in todo.end:
                self._end(record)
            for record in todo.revive:
                self._book.put(life.wanted_again(record, self._clock.seconds))
            for _ in range(todo.start):
                self._start(self._new(group, self._free_number(group), "127.0.0.1", 0), service)
        for record in list(self._book.group(group)):
            if record.process is None and life.due(record, self._clock.seconds):
                self._start(replace(record, restarts=record.restarts + 1), service)

    def _new(self, group: Group, number: int, host: str, port: int, managed: bool = True) -> Record:
        return Record(
            id=task_id(*group, number),
            service=group[0],
            version=group[1],
            number=number,
            host=host,
            port=port,
            state=TaskState.STARTING,
            since=self._clock.seconds,
            managed=managed,
        )

    def _free_number(self, group: Group) -> int:
        taken = {record.number for record in self._book.group(group)}
        return next(number for number in range(1, len(taken) + 2) if number not in taken)

    def _start(self, record: Record, service: Service) -> None:
        if not self._may_spawn():
            return
        intent = replace(
            record,
            port=self._world.free_port(self._taken_ports()),
            state=TaskState.STARTING,
            since=self._clock.seconds,
            instance=self._world.new_instance(),
            process=None,
            started=self._now,
            retiring=False,
            drain=service.tasks.drain.total_seconds(),
            why="",
        )
        try:
            self._book.intend(intent)
        except Unreachable as full:
            self._book.trouble = full
            return
        self._book.put(self._spawned(intent, service))

    def _spawned(self, intent: Record, service: Service) -> Record:
        try:
            return replace(intent, process=self._world.start(intent, service))
        except Refused as no:
            failed = life.impossible(intent, no.what, self._clock.seconds)
        except Unreachable as later:
            failed = life.unstarted(intent, later.what, self._clock.seconds)
        self._tell(failed)
        return failed

    def _may_spawn(self) -> bool:
        """The first of a turn always; then until the time is used up or the disk is full."""
        if self._book.trouble is not None:
            return False
        if self._spawn_until is None:
            self._spawn_until = self._world.seconds() + SPAWNING
            return True
        return self._world.seconds() < self._spawn_until

    def _taken_ports(self) -> set[int]:
        """Those of all tasks, and those that listeners are to have."""
        ports = {task.port for task in self._book.tasks()}
        return ports | {service.listener.port for service in self._wanted.values()}

    # --- targets, which somebody else runs ----------------------------------------------------------------------------

    def _point(self, group: Group, targets: Sequence[str]) -> None:
        places = dict.fromkeys(_place(target) for target in targets)
        known = {(record.host, record.port): record for record in self._book.group(group)}
        for place, record in known.items():
            if place not in places and not record.stopping:
                self._end(record)
        for place in places:
            present = known.get(place)
            if present is None:
                self._book.put(self._new(group, self._free_number(group), *place, managed=False))
            elif present.stopping:
                self._book.put(life.wanted_again(present, self._clock.seconds))

    def _tell(self, record: Record) -> None:
        structlog.get_logger().info("task", task=record.id, state=record.state.value, port=record.port, why=record.why)


def _place(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    return host.strip("[]"), int(port)
