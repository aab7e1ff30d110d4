"""What the agent knows: the newest snapshot, ready to evaluate, and when the control plane last confirmed it.

Its rules:

* Of one origin it never goes back to a smaller serial, whoever says so.
* What it shows is swapped as a whole: a reader sees one snapshot or the next one, never a mixture.
* Ages are counted by a clock that only goes forward; putting the machine's clock does nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tidegate.agent import logs
from tidegate.agent.answer import Ready
from tidegate.agent.disk import Disk
from tidegate.core.errors import Invalid
from tidegate.core.exposure import Exposure
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.evaluate import Clock
from tidegate.core.flags.snapshot import Snapshot
from tidegate.core.flags.staged import Staged

TOUCH_EVERY = 30.0
"""Seconds between two notes on disk that nothing has changed."""


WARM_WITHIN = 0.25
"""Seconds. A hundred flags take a few milliseconds, thousands are compiled in part."""


class Taken(StrEnum):
    NEW = "new"
    SAME = "same"
    OLDER = "older"


@dataclass(frozen=True, slots=True)
class View:
    """A snapshot, ready to evaluate."""

    snapshot: Snapshot
    staged: Staged
    changed: frozenset[str]
    """Flags whose answers may differ between the sides."""
    plain: Ready = field(default_factory=Ready, compare=False)
    """Answers for AppConfig's paths."""
    ofrep: Ready = field(default_factory=Ready, compare=False)


class Cache:
    def __init__(
        self,
        application: str,
        environment: str,
        disk: Disk | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Clock | None = None,
    ) -> None:
        self.view: View | None = None
        self._names = (application, environment)
        self._disk = disk
        self._monotonic = monotonic
        self._clock = clock
        self._confirmed: float | None = None
        self._touched = monotonic()
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def load(self) -> bool:
        """What is on disk, if it is to be believed. What is known already is kept when it is newer."""
        found = self._disk.read() if self._disk is not None else None
        if found is None:
            return False
        snapshot, age = found
        try:
            taken = self._take(snapshot)
        except Invalid as wrong:
            logs.warning("agent_cache_ignored", why=wrong.what)
            return False
        with self._lock:
            if taken is Taken.NEW:
                self._confirmed = self._monotonic() - age
        return taken is Taken.NEW

    def take(self, snapshot: Snapshot) -> Taken:
        """From the control plane. Raises Invalid when it is of something else."""
        taken = self._take(snapshot)
        if taken is not Taken.OLDER:
            self.confirm()
        return taken

    def move(self, *, exposure: Exposure, serial: int, rollout: str) -> Taken | None:
        """The exposure alone has moved. None when that rollout is not what is known: the whole snapshot is needed."""
        view = self.view
        if view is None or view.snapshot.candidate is None or view.snapshot.rollout != rollout:
            return None
        return self.take(view.snapshot.moved(exposure, serial))

    def confirm(self) -> None:
        """The control plane has said that what is known is the newest."""
        self._confirmed = now = self._monotonic()
        if self._disk is not None and now - self._touched >= TOUCH_EVERY:
            self._touched = now
            self._disk.touch()

    @property
    def age(self) -> float | None:
        """Seconds since the control plane last confirmed it; None when nothing is known."""
        confirmed = self._confirmed
        return None if self.view is None or confirmed is None else max(0.0, self._monotonic() - confirmed)

    def save(self) -> None:
        """Puts the newest on disk. Called aside, for a disk may be slow."""
        with self._writing:
            view = self.view
            if self._disk is not None and view is not None:
                self._disk.write(view.snapshot)

    def _take(self, snapshot: Snapshot) -> Taken:
        if (snapshot.application, snapshot.environment) != self._names:
            raise Invalid(
                f"The snapshot is of {snapshot.application}/{snapshot.environment}, not of {'/'.join(self._names)}.",
                "Ask the control plane for the right one.",
            )
        with self._lock:
            known = self.view.snapshot if self.view is not None else None
            if not snapshot.follows(known):
                return Taken.SAME if known is not None and snapshot.serial == known.serial else Taken.OLDER
            self.view = self._ready(snapshot)
            return Taken.NEW

    def _ready(self, snapshot: Snapshot) -> View:
        """What is compiled of the documents is kept where only the exposure moves."""
        view = self.view
        if view is not None and _same_documents(view.snapshot, snapshot):
            return View(snapshot, view.staged.at(snapshot.exposure), view.changed, view.plain, view.ofrep)
        known = view.staged.baseline if view is not None and _same(view.snapshot.baseline, snapshot.baseline) else None
        staged = Staged(known or snapshot.baseline, snapshot.candidate, snapshot.salt, snapshot.exposure, clock=self._clock)
        self._warm(staged)
        return View(snapshot, staged, staged.changed)

    def _warm(self, staged: Staged) -> None:
        """Compiles what is asked for later, so that nobody waits for it; but no change waits for that for long, either."""
        until = self._monotonic() + WARM_WITHIN
        for side in filter(None, (staged.candidate, staged.baseline)):
            for flag in side.document.flags:
                side.evaluate(flag)
                if self._monotonic() > until:
                    return


def _same_documents(one: Snapshot, other: Snapshot) -> bool:
    return one.salt == other.salt and _same(one.baseline, other.baseline) and _same(one.candidate, other.candidate)


def _same(one: FlagDocument | None, other: FlagDocument | None) -> bool:
    """To the letter: what was compiled of one will do for the other."""
    if one is None or other is None:
        return one is other
    return one is other or (one.text is not None and one.text == other.text)
