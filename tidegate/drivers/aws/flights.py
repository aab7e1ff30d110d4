"""The pilots of a lever, each in a thread of its own beside the loop: AWS may take its time, and who waits for it keeps up
nobody else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

import structlog

from tidegate.core.errors import Refused, TidegateError

EVERY = timedelta(seconds=5)
"""Between two looks while nothing moves: a few calls each, of an account that shares its limits."""
STALE = timedelta(seconds=20)
"""What was seen longer ago is not seen any more."""
FRESH = timedelta(seconds=15)
"""Whoever was not told for so long what is wanted does nothing: another controller may have the subject now."""
MOST_TURNS = 5
_BEGINS = 0.25
"""Seconds until who is new gets his threads."""

Job = Callable[[str], timedelta]
"""One turn for a subject; how long the next one may wait."""


class Pilot(Protocol):
    def turn(self) -> bool:
        """Looks, and asks for what is missing, until nothing is. Whether something is under way. Raises TidegateError."""


P = TypeVar("P", bound=Pilot)


class Flights(Generic[P]):
    """By subject. `soon`: between two looks while something moves; `beside`: what else is done for each, in other threads."""

    def __init__(self, *, soon: timedelta, beside: Job | None = None) -> None:
        self.pilots: dict[str, P] = {}
        self.problems: dict[str, str] = {}  # what AWS refuses
        self._soon = soon
        self._jobs: dict[str, Job] = {"flies": self._fly} | ({"counts": beside} if beside is not None else {})
        self._pokes: dict[tuple[str, str], threading.Event] = {}
        self._stopped = threading.Event()
        self._log = structlog.get_logger()

    def begin(self, subject: str, pilot: P) -> P:
        """In the place of the one before, if there was one."""
        self.problems.pop(subject, None)
        self.pilots[subject] = pilot
        for job in self._jobs:
            self._pokes.setdefault((job, subject), threading.Event())
        return pilot

    def keep(self, subjects: Collection[str]) -> None:
        """Ends all others. What they left on AWS stays."""
        for subject in self.pilots.keys() - set(subjects):
            del self.pilots[subject]
            self.problems.pop(subject, None)
            for job in self._jobs:
                self._pokes.pop((job, subject)).set()

    def poke(self, subject: str) -> None:
        """Something else is wanted: look now."""
        self._pokes["flies", subject].set()

    def turn(self, subject: str) -> bool:
        """One turn of its pilot; whether it should be looked at again soon."""
        pilot = self.pilots.get(subject)
        if pilot is None:
            return False
        try:
            moving = pilot.turn()
            self.problems.pop(subject, None)
        except Refused as refused:
            self.problems[subject] = f"{refused.what} {refused.mend}"
            self._log.warning("aws_refuses", subject=subject, problem=refused.what, mend=refused.mend)
            return False
        except TidegateError as error:
            self._log.warning("aws_unreachable", subject=subject, problem=error.what, mend=error.mend)
            return True
        return moving

    def _fly(self, subject: str) -> timedelta:
        return self._soon if self.turn(subject) else EVERY

    # --- threads ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Keeps a thread for each job of each subject, until stopped."""
        threads: dict[tuple[str, str], threading.Thread] = {}
        while not self._stopped.wait(_BEGINS):
            threads = {key: thread for key, thread in threads.items() if thread.is_alive()}
            for key, poke in self._pokes.copy().items():
                if key not in threads:
                    threads[key] = threading.Thread(target=self._go_on, args=(*key, poke), name="-".join(key), daemon=True)
                    threads[key].start()

    def _go_on(self, job: str, subject: str, poke: threading.Event) -> None:
        """As long as the poke is in its place. It is cleared before one looks whether to end, so that no poke is lost."""
        while True:
            poke.clear()
            if self._stopped.is_set() or self._pokes.get((job, subject)) is not poke:
                return
            try:
                pause = self._jobs[job](subject)
            except Exception:
                self._log.exception("turn_failed", job=job, subject=subject)
                pause = EVERY
            poke.wait(pause.total_seconds())

    def stop(self) -> None:
        self._stopped.set()
        for poke in tuple(self._pokes.values()):
            poke.set()
