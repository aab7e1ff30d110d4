"""The memory twin of the process runtime: the same brain over pretended processes, in pretended time.

runtime = MemoryRuntime()
runtime.world.looks = 3                        a task is healthy at the third look
runtime.world.die("web-v1-1")                  its process ends
runtime.world.sicken("web-v1-1", "503")        its check fails, until heal
runtime.world.broken["web", "v2"] = "..."      every start of this version ends at once with these last words
runtime.world.kills                            ids of the tasks that were ended, in order
MemoryRuntime(runtime.world)                   the next controller: adopts what the world remembers
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from signal import SIGKILL, SIGTERM, Signals

from tidegate.core.errors import Refused, Unreachable
from tidegate.core.service import Service
from tidegate.drivers.process.identity import Identity
from tidegate.drivers.process.keeper import Keeper
from tidegate.drivers.process.life import Verdict
from tidegate.drivers.process.record import Group, Key, Record
from tidegate.ports import Task, TaskState


@dataclass(slots=True)
class Pretended:
    """A process that is not there."""

    task: str
    group: Group
    ended: str | None = None
    words: str = ""
    instance: str = ""


@dataclass(slots=True)
class _Check:
    """`unhealthy_after` is 1 here: what is told to be sick is seen so at the next look."""

    healthy: bool | None
    looks: int = 0


@dataclass
class MemoryWorld:
    """What is set here happens at the next look."""

    looks: int = 1
    broken: dict[Group, str] = field(default_factory=dict)
    never_healthy: dict[Group, str] = field(default_factory=dict)
    cannot_run: dict[Group, str] = field(default_factory=dict)
    stubborn: set[str] = field(default_factory=set)
    """Tasks that ignore SIGTERM."""
    disk_full: bool = False
    processes: dict[int, Pretended] = field(default_factory=dict)
    notes: dict[Key, Record] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)
    signals: list[tuple[str, Signals]] = field(default_factory=list)
    _sick: dict[str, str] = field(default_factory=dict)
    _checks: dict[tuple[Key, str], _Check] = field(default_factory=dict)
    _clock: float = 0.0
    _seconds: float = 0.0
    _count: int = 0

    # --- for the one who tests ----------------------------------------------------------------------------------------

    def die(self, task: str, how: str = "with exit code 1", words: str = "") -> None:
        for process in self._living(task):
            process.ended, process.words = how, words

    def sicken(self, task: str, why: str = "GET / answered 503") -> None:
        self._sick[task] = why

    def heal(self, task: str) -> None:
        self._sick.pop(task, None)

    def living(self) -> list[str]:
        return sorted(process.task for process in self.processes.values() if process.ended is None)

    def _living(self, task: str) -> list[Pretended]:
        return [process for process in self.processes.values() if process.task == task and process.ended is None]

    # --- the world of the keeper --------------------------------------------------------------------------------------

    def load(self) -> tuple[list[Record], float]:
        self._checks.clear()
        living = {one.instance: pid for pid, one in self.processes.items() if one.ended is None}
        records = [_found_again(record, living) for record in self.notes.values()]
        known = {record.process.pid for record in records if record.process is not None}
        for pid in set(living.values()) - known:
            self.processes[pid].ended = f"by signal {SIGKILL.name}"
        return records, self._clock

    def save(self, record: Record) -> None:
        if self.disk_full:
            raise Unreachable(f"The note of {record.id} could not be written: no space left on device.", "Make room.")
        self.notes[record.key] = record

    def forget(self, record: Record) -> None:
        self.notes.pop(record.key, None)

    def save_clock(self, seconds: float) -> None:
        self._clock = seconds

    def free_port(self, taken: Collection[int]) -> int:
        self._count += 1
        return next(port for port in range(20_000 + self._count, 32_000) if port not in taken)

    def new_instance(self) -> str:
        self._count += 1
        return f"start-{self._count}"

    def start(self, record: Record, service: Service) -> Identity:  # noqa: ARG002 - nothing is run
        if record.group in self.cannot_run:
            raise Refused(self.cannot_run[record.group], "Correct tasks.command.")
        pid = len(self.processes) + 1
        self.processes[pid] = process = Pretended(record.id, record.group, instance=record.instance)
        if record.group in self.broken:
            process.ended, process.words = "with exit code 1", self.broken[record.group]
        return Identity(pid, pid, "memory")

    def ended(self, record: Record) -> str | None:
        return self.processes[record.process.pid].ended if record.process else "before it was noted"

    def signal(self, record: Record, number: Signals) -> None:
        self.signals.append((record.id, number))
        process = self.processes[record.process.pid] if record.process else None
        if process is not None and process.ended is None and (number is SIGKILL or record.id not in self.stubborn):
            process.ended = f"by signal {number.name}"
            self.kills.append(record.id)

    def bury(self, record: Record) -> None:
        """Pretended processes have no children."""

    def left(self, record: Record) -> bool:  # noqa: ARG002 - nobody has any
        return False

    def last_words(self, record: Record) -> str:
        return self.processes[record.process.pid].words if record.process else ""

    def watch(self, record: Record, service: Service) -> None:  # noqa: ARG002 - looks are counted, not timed
        healthy = {TaskState.HEALTHY: True, TaskState.UNHEALTHY: False}.get(record.state)
        self._checks.setdefault((record.key, record.instance), _Check(healthy))

    def unwatch(self, record: Record) -> None:
        self._checks.pop((record.key, record.instance), None)

    def verdict(self, record: Record) -> Verdict:
        check = self._checks[record.key, record.instance]
        check.looks += 1
        wrong = self._sick.get(record.id) or self.never_healthy.get(record.group, "")
        if wrong:
            check.healthy = None if check.healthy is None else False
        elif check.looks >= self.looks or check.healthy is False:
            check.healthy = True
        return Verdict(check.healthy, wrong, check.looks)

    def seconds(self) -> float:
        return self._seconds

    def rest(self, seconds: float) -> None:
        self._seconds += seconds

    def clear(self) -> None:
        for process in self.processes.values():
            process.ended = process.ended or f"by signal {SIGTERM.name}"


def _found_again(record: Record, living: Mapping[str, int]) -> Record:
    """With the process that its intent led to, when the controller did not come to note it."""
    if record.process is not None or record.state is not TaskState.STARTING or not record.managed:
        return record
    pid = living.get(record.instance)
    if pid is None:
        return replace(record, state=TaskState.DEAD, why="its start was interrupted")
    return replace(record, process=Identity(pid, pid, "memory"))


class MemoryRuntime(Keeper):
    """`blind`: tasks cannot be seen. `refusals`: what `check` says of a version."""

    def __init__(self, world: MemoryWorld | None = None) -> None:
        self.world = world if world is not None else MemoryWorld()
        self.blind = False
        self.refusals: dict[Group, Refused] = {}
        super().__init__(self.world)

    def tasks(self) -> Sequence[Task]:
        if self.blind:
            raise Unreachable("The tasks cannot be seen.")
        return super().tasks()

    def check(self, service: Service, version: str) -> None:
        refusal = self.refusals.get((service.service, version))
        if refusal is not None:
            raise refusal
