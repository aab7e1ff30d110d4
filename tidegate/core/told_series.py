"""The figures of one metric that a server adds up (CloudWatch, Prometheus), and the states of alarms, as they were told last.

1.  The server adds up by itself: an answer holds the whole last periods, and takes the place of the answer before.
2.  A period without a figure in an answer that came after its end had no data. (ALB's figures come one to three minutes late:
    a period may get its figure in a later answer.)
3.  No answer for longer than `PATIENCE` after the end of a period: the period is blind. Before that it is not over yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidegate.core.alarm_state import AlarmState, Datapoint
from tidegate.core.period import end_of, period_at, period_until

PATIENCE = timedelta(seconds=30)
"""How long such a server may owe an answer before that is blindness. It is asked every few seconds."""


@dataclass(frozen=True, slots=True)
class ToldSeries:
    """One statistic of one metric of one side, by the number of the period."""

    period: timedelta
    keep: int
    figures: Mapping[int, float] = field(default_factory=dict)
    first: int | None = None
    began: datetime | None = None
    answered: datetime | None = None
    open: int | None = None

    @property
    def closed(self) -> tuple[Datapoint, ...]:
        """The figures of the whole periods, the newest last."""
        if self.first is None or self.open is None:
            return ()
        return tuple(self._datapoint(number) for number in range(max(self.first, self.open - self.keep), self.open))

    def _datapoint(self, number: int) -> Datapoint:
        at, figure = end_of(number, self.period), self.figures.get(number)
        if figure is not None:
            return Datapoint(at, figure)
        return Datapoint(at, None, blind=self.answered is None or self.answered < at)

    def kept(self, keep: int) -> ToldSeries:
        """The same, with so many periods kept."""
        return self if keep == self.keep else replace(self, keep=keep)

    def look(self, at: datetime, answer: Mapping[int, float] | None, answered: datetime | None) -> ToldSeries:
        """One look at this moment; the last answer came at `answered`, and None says that there was none yet."""
        began = self.began or at
        first = self.first if self.first is not None else period_until(at, self.period)
        taken = replace(self, began=began, first=first)
        if answer is not None and answered is not None and answered > (self.answered or began - PATIENCE):
            oldest = period_at(at, self.period) - self.keep
            taken = replace(
                taken, figures={number: value for number, value in answer.items() if number >= oldest}, answered=answered
            )
        seen = max(taken.answered or began, at - PATIENCE)
        return replace(taken, open=max(period_at(seen, self.period), self.open or 0))


def state_as_datapoint(at: datetime, state: AlarmState | None) -> Datapoint:
    """An alarm of CloudWatch as a figure: 1 while it fires, 0 while not, nothing for INSUFFICIENT_DATA. None is blind."""
    match state:
        case None:
            return Datapoint(at, None, blind=True)
        case AlarmState.INSUFFICIENT_DATA:
            return Datapoint(at, None)
        case _:
            return Datapoint(at, float(state is AlarmState.ALARM))
