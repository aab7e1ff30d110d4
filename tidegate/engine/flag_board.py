"""The board: the snapshot of each environment that is in force now. The lever puts it up, the API hands it to the agents.

Putting up wakes everybody who waits. A snapshot becomes text only once, when somebody first asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from threading import Lock

from tidegate.core.flags.snapshot import Snapshot, encode_snapshot

Woken = Callable[[str], None]


class Posted:
    """One snapshot on the board."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    @cached_property
    def text(self) -> str:
        return encode_snapshot(self.snapshot)

    @property
    def etag(self) -> str:
        return f'"{self.snapshot.origin}-{self.snapshot.serial}"'

    def moves(self, before: Posted) -> bool:
        """Whether only the exposure is another than in the one before."""
        mine, theirs = self.snapshot, before.snapshot
        return mine.candidate is not None and theirs.candidate is not None and _but_exposure(mine) == _but_exposure(theirs)


def _but_exposure(snapshot: Snapshot) -> tuple[object, ...]:
    candidate = snapshot.candidate.number if snapshot.candidate else 0
    numbers = snapshot.baseline.number, candidate
    return snapshot.origin, snapshot.salt, snapshot.rollout, snapshot.watched, numbers


class FlagBoard:
    def __init__(self) -> None:
        self._posted: dict[str, Posted] = {}
        self._listeners: tuple[Woken, ...] = ()
        self._lock = Lock()

    def post(self, subject: str, snapshot: Snapshot | None) -> None:
        """None takes it down: nothing is in force there any more."""
        with self._lock:
            posted = {**self._posted, subject: Posted(snapshot)} if snapshot is not None else dict(self._posted)
            if snapshot is None:
                posted.pop(subject, None)
            self._posted = posted
        for woken in self._listeners:
            woken(subject)

    def get(self, subject: str) -> Posted | None:
        return self._posted.get(subject)

    def listen(self, woken: Woken) -> None:
        """Calls it with the subject at every change, from the loop's thread; it must return at once."""
        with self._lock:
            self._listeners = (*self._listeners, woken)

    def leave(self, woken: Woken) -> None:
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one != woken)
