"""The patient clock: seconds during which somebody looked.

Back-off, drain and start_within are measured on it. A wall clock that jumps, a suspended laptop or an hour without a
controller adds at most one gap, so it kills no task; a clock that is set back adds nothing.
"""

from __future__ import annotations

from datetime import datetime

GAP = 5.0
"""The most that passes between two looks, in seconds."""


class PatientClock:
    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self._last: datetime | None = None

    def tick(self, now: datetime) -> float:
        """Moves on to `now` and tells the seconds."""
        if self._last is not None:
            self.seconds += min(max((now - self._last).total_seconds(), 0.0), GAP)
        self._last = now
        return self.seconds

    def advance(self, seconds: float) -> None:
        """For a wait of our own, that nobody ticks."""
        self.seconds += seconds
