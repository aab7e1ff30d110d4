"""Haste: when requests of a candidate fail, the next look does not wait for the next tick.

What fails behind a flag is told by agents, at any moment. Two looks stay so far apart that each has something new to judge.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock, Timer

APART = 0.5
"""Seconds between two looks; a comparison takes what is closer for one."""


class Haste:
    def __init__(self, look_soon: Callable[[], None] | None = None, *, apart: float = APART) -> None:
        """`look_soon` makes the loop look at once, and returns at once; without it there is no haste."""
        self._look_soon = look_soon
        self._apart = apart
        self._looked = time.monotonic()
        self._timer: Timer | None = None
        self._lock = Lock()

    def looked(self) -> None:
        """The loop is looking now."""
        with self._lock:
            self._looked = time.monotonic()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None

    def want(self) -> None:
        """There is something to be looked at. Any number of times is once."""
        with self._lock:
            if self._timer is not None or self._look_soon is None:
                return
            timer = Timer(max(0.0, self._looked + self._apart - time.monotonic()), self._look_soon)
            timer.daemon = True
            self._timer = timer
            timer.start()
