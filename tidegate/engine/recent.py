"""What each side did in the last seconds: for people who look, and for the share that is really served."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from tidegate.core.tally import NOTHING, Tally
from tidegate.engine.view import Figures

WINDOW = timedelta(seconds=10)


class Recent:
    """The last readings of one growing tally, just enough of them for one window. `every`: how often it grows, when that is
    by whole periods."""

    def __init__(self, every: timedelta = timedelta(0)) -> None:
        self._window = max(WINDOW, 3 * every)
        self._epoch = ""
        self._looks: deque[tuple[datetime, Tally]] = deque()

    def add(self, at: datetime, epoch: str, tally: Tally) -> None:
        if epoch != self._epoch:
            self._epoch = epoch
            self._looks.clear()
        self._looks.append((at, tally))
        while len(self._looks) > 2 and self._looks[1][0] <= at - self._window:
            self._looks.popleft()

    @property
    def span(self) -> timedelta:
        return self._looks[-1][0] - self._looks[0][0] if self._looks else timedelta(0)

    @property
    def counted(self) -> Tally:
        return self._looks[-1][1].minus(self._looks[0][1]) if self._looks else NOTHING

    @property
    def unfinished(self) -> int:
        return max(0, self._looks[-1][1].begun - self._looks[-1][1].finished) if self._looks else 0


def figures_of(recents: Sequence[Recent]) -> Figures:
    """Several tallies seen as one."""
    counted = NOTHING
    for recent in recents:
        counted = counted.plus(recent.counted)
    seconds = max((recent.span.total_seconds() for recent in recents), default=0.0)
    return Figures(
        requests=counted.finished,
        failed=counted.failed,
        unfinished=sum(recent.unfinished for recent in recents),
        per_second=counted.finished / seconds if seconds else None,
        error_rate=counted.failed / counted.finished if counted.finished else None,
        p50=_milliseconds(counted.latency.quantile(0.5)),
        p99=_milliseconds(counted.latency.quantile(0.99)),
    )


def _milliseconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1000
