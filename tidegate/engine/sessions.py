"""The sessions of clients that poll as AWS AppConfig's do: that each token is used once, and who has polled lately.

The API tells it of every poll. A session knows no users: it is one entity itself, and is on the new document when its own id
is. It polls once a minute or less often, so no rollout waits for it: the applied exposure is that of the agents.

What is kept is bounded. Of a session that was forgotten, no token is taken any more: each token has a number, and those up to
the number of the last one that was forgotten are spent. Its client begins a new session.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

MOST = 20_000
"""Sessions that are known at once, of all environments."""
LATELY = timedelta(minutes=15)
"""A session that has polled within this time, or within two of its own intervals, is there."""
FORGOTTEN = timedelta(hours=24)
"""As long as a token lives."""
_LATELY = LATELY.total_seconds()


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll of a session, as its token tells."""

    session: str
    subject: str
    turn: int
    """How many polls came before."""
    number: int
    """Of the token, among all that were given in the life of a controller."""
    life: str
    """Which life that was."""
    interval: timedelta
    """What was announced: the session is to poll so often."""
    call: str = ""
    """The client's name of this call; the same when it is tried again because its answer was lost."""


@dataclass(frozen=True, slots=True)
class _Seen:
    subject: str
    turn: int
    number: int
    """Of the token that was given then."""
    interval: float
    """Seconds, as all that is compared here: there are many."""
    call: str
    heard: float


@dataclass(frozen=True, slots=True)
class SessionsSeen:
    """The sessions of an environment that are there. `lag` is the longest of their intervals: so late may they be."""

    count: int = 0
    lag: timedelta = timedelta(0)


class Sessions:
    def __init__(self, *, life: str, most: int = MOST, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.life = life
        self._most = most
        self._monotonic = monotonic
        self._seen: OrderedDict[str, _Seen] = OrderedDict()  # who has polled last stands last
        self._number = 0
        self._spent = 0
        self._others_spent = False
        self._lock = Lock()

    def take_number(self) -> int:
        """For the next token."""
        with self._lock:
            self._number += 1
            return self._number

    def take(self, poll: Poll) -> int | None:
        """The number for the next token; None when this one is spent. The same call again is the same use."""
        with self._lock:
            known = self._seen.get(poll.session)
            if self._is_spent(poll, known):
                return None
            self._number += 1
            self._seen[poll.session] = _Seen(
                poll.subject, poll.turn, self._number, poll.interval.total_seconds(), poll.call, self._monotonic()
            )
            self._seen.move_to_end(poll.session)
            self._forget()
            return self._number

    def _is_spent(self, poll: Poll, known: _Seen | None) -> bool:
        if known is not None:
            again = poll.turn == known.turn and poll.call == known.call != ""
            return poll.turn <= known.turn and not again
        return poll.number <= self._spent if poll.life == self.life else self._others_spent

    def _forget(self) -> None:
        before = self._monotonic() - FORGOTTEN.total_seconds()
        while len(self._seen) > self._most or next(iter(self._seen.values())).heard < before:
            _, gone = self._seen.popitem(last=False)
            self._spent = max(self._spent, gone.number)
            # What it was given by the controller before us was perhaps used here: nobody could say any more.
            self._others_spent = True

    def of(self, subject: str) -> SessionsSeen:
        """Those that are there. A release whose service and flags share a salt asks: these clients do not go by it."""
        with self._lock:
            now, seen = self._monotonic(), list(self._seen.values())
        there = [one.interval for one in seen if one.subject == subject and _is_there(one, now)]
        return SessionsSeen(len(there), timedelta(seconds=max(there, default=0)))


def _is_there(one: _Seen, now: float) -> bool:
    return now - one.heard <= max(_LATELY, 2 * one.interval)
