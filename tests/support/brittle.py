"""A whole Tidegate in memory that may die at any write, and users whose sides are noted in every second.

fuse = Fuse(17, How.AFTER)      the 17th write takes effect, and then the controller dies
world = Brittle(tmp_path, fuse)
world.survive(lambda: ...)      does it; when the controller dies of it, the next one does it again
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from tests.support.house import SECOND, World
from tidegate.core.errors import TidegateError, Unreachable
from tidegate.core.exposure import NONE
from tidegate.core.rollout import Phase
from tidegate.drivers.memory_router import MemoryRouter
from tidegate.drivers.memory_runtime import MemoryWorld
from tidegate.drivers.process.record import Record
from tidegate.ports import Endpoint, Routing
from tidegate.store.store import SqlStore

T = TypeVar("T")

CROWD = [f"user-{number}" for number in range(30)]
DATABASE = "tidegate.db"


class Crash(BaseException):
    """The controller is killed here. Nobody catches it but whoever starts the next one."""


class How(StrEnum):
    BEFORE = "before"  # killed before the write took effect
    AFTER = "after"  # killed after it took effect
    FAILS = "fails"  # the write fails with Unreachable, and the controller lives on


class Fuse:
    """Counts writes, and burns at one of them."""

    def __init__(self, at: int = 0, how: How = How.BEFORE) -> None:
        self.count = 0
        self.burnt = ""
        self.away: frozenset[str] = frozenset()  # what cannot be written now, for longer than once
        self._at = at
        self.how = how

    def write(self, name: str, do: Callable[..., Any], arguments: Any, named: Any) -> Any:
        if name in self.away:
            raise Unreachable(f"{name} does not answer.")
        self.count += 1
        if self.count != self._at:
            return do(*arguments, **named)
        self.burnt = name
        if self.how is How.BEFORE:
            raise Crash
        if self.how is How.FAILS:
            raise Unreachable(f"{name} did not answer.")
        do(*arguments, **named)
        raise Crash


DATABASE_WRITES = frozenset({"begin", "commit", "apply", "claim", "configure", "remove", "remember", "reserve_serials"})


class Fused:
    """Anything with some of its verbs behind a fuse."""

    def __init__(self, real: Any, fuse: Fuse, *verbs: str) -> None:
        self.__dict__.update(real=real, fuse=fuse, verbs=verbs)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if name not in self.verbs:
            return found
        return lambda *arguments, **named: self.fuse.write(name, found, arguments, named)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.real, name, value)


class Brittle(World):
    """`like`: begins as that world is now, with the fuse fresh."""

    def __init__(self, tmp_path: Path, fuse: Fuse | None = None, *, like: Brittle | None = None) -> None:
        self.home = tmp_path
        self.fuse = fuse or Fuse()
        self.deaths = 0
        self.sides: dict[str, list[str]] = {user: [] for user in CROWD}
        self.broken: list[str] = []
        self.moves: dict[str, dict[str, list[str]]] = {}
        """By rollout and user: the sides where he was in turn, while it was the newest."""
        self._stores: list[SqlStore] = []
        self.memory, self.machine = MemoryRouter(), MemoryWorld()
        if like is not None:
            shutil.copy(like.home / DATABASE, tmp_path / DATABASE)
            self.memory, self.machine = deepcopy(like.memory), deepcopy(like.machine)
        super().__init__(tmp_path)
        if like is not None:
            self.now = like.now

    def start_controller(self, store: Any = None) -> None:
        self.router = Fused(_Careful(self), self.fuse, "route")  # type: ignore[assignment]
        # A start or a signal that fails is another story: the machine's, told in the tests of the keeper.
        verbs = ("save",) if self.fuse.how is How.FAILS else ("save", "forget", "start", "signal")
        self.tasks = Fused(_Watched(self), self.fuse, *verbs)  # type: ignore[assignment]
        self._stores.append(SqlStore(self.url))
        super().start_controller(Fused(self._stores[-1], self.fuse, *sorted(DATABASE_WRITES)))

    def close(self) -> None:
        for store in self._stores:
            store.close()

    # --- living through it --------------------------------------------------------------------------------------------

    def survive(self, act: Callable[[], T]) -> T:
        """Does it, and again when the controller died of it or could not do it now."""
        while True:
            try:
                return act()
            except Crash:
                self.deaths += 1
                self.start_controller()
            except Unreachable:
                continue

    def second(self, *, fails: tuple[str, ...] = ()) -> None:
        """Every user asks once, and the controller, whichever lives, ticks."""
        if "web" in self.memory._places:
            self._note(self.memory.serve("web", CROWD, fails=fails))
        self.now += SECOND
        try:
            self.loop.tick(self.now)
        except Crash:
            self.deaths += 1
            self.start_controller()
        except TidegateError:
            pass  # told, and tried again at the next tick, as in the controller

    def seconds_until(self, done: Callable[[], bool], *, within: int = 200, fails: tuple[str, ...] = ()) -> None:
        for _ in range(within):
            if done():
                return
            self.second(fails=fails)
        raise AssertionError(f"not within {within} s; {self.rollout()}")

    # --- what must hold at every moment -------------------------------------------------------------------------------

    def _note(self, went: dict[str, list[str]]) -> None:
        history = self._stores[-1].history("web", 1)
        rollout = history[0].rollout if history else None
        for version, users in went.items():
            if rollout is not None and rollout.phase is Phase.ROLLED_BACK and version == rollout.candidate:
                self.broken.append(f"{len(users)} users are on {version}, which was rolled back")
            moves = self.moves.setdefault(rollout.id if rollout else "", {})
            for user in users:
                if not moves.get(user) or moves[user][-1] != version:
                    moves.setdefault(user, []).append(version)
                if not self.sides[user] or self.sides[user][-1] != version:
                    self.sides[user].append(version)

    def must_be_sound(self) -> None:
        """Raises what was seen broken since the last time."""
        assert not self.broken, self.broken[:3]

    def reached(self) -> set[str]:
        """The tasks that users may be sent to now: by what the router has in force, and by what it was told. One that does not
        answer has taken what it was told all the same; nobody sees it."""
        found: set[str] = set()
        for place in self.memory._places.values():
            for routing in (place.force if self.memory.answers else None, place.told):
                found |= {endpoint.task for endpoint in _serving(routing)} if routing else set()
        return found


def _serving(routing: Routing) -> list[Endpoint]:
    found = list(routing.stable.endpoints) if routing.stable else []
    if routing.slot and routing.exposure != NONE:
        found += routing.slot.endpoints
    return found


class _Careful:
    """The memory router; what it is told must leave users somebody to serve them."""

    def __init__(self, world: Brittle) -> None:
        self.__dict__.update(world=world, real=world.memory)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.real, name, value)

    def route(self, routings: list[Routing]) -> None:
        router: MemoryRouter = self.real
        for routing in routings:
            before = router._places.get(routing.service.service)
            served = before is not None and before.force is not None and before.force.stable is not None
            if served and routing.stable and not routing.stable.endpoints and self._serves(routing.stable.version):
                self.world.broken.append(f"the stable side is emptied: {routing.stable.version}")
        router.route(routings)

    def _serves(self, version: str) -> bool:
        machine = self.world.machine
        living = set(machine.living())
        return any(one.version == version and one.serves and one.id in living for one in machine.notes.values())


class _Watched:
    """The memory world of tasks; a task that serves must have been let go of by the router before it is told to end."""

    def __init__(self, world: Brittle) -> None:
        self.__dict__.update(world=world, real=world.machine)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.real, name, value)

    def signal(self, record: Record, number: Any) -> None:
        machine: MemoryWorld = self.real
        if record.id in self.world.reached() and record.id in machine.living() and record.proven:
            self.world.broken.append(f"{record.id} is ended ({number.name}) while users are sent to it")
        machine.signal(record, number)
