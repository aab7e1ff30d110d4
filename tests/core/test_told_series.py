from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidegate.core.alarm_state import Datapoint
from tidegate.core.period import period_at
from tidegate.core.told_series import PATIENCE, ToldSeries

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = period_at(NOON, MINUTE)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def values(series: ToldSeries) -> list[float | None]:
    return [point.value for point in series.closed]


def test_only_whole_periods_that_ended_before_an_answer_are_judged() -> None:
    series = ToldSeries(MINUTE, 3).look(at(1), {FIRST: 4.0}, at(1))
    assert series.closed == ()
    assert values(series.look(at(61), {FIRST: 4.0, FIRST + 1: 1.0}, at(61))) == [4.0]


def test_a_late_figure_takes_its_place() -> None:
    series = ToldSeries(MINUTE, 3).look(at(1), {}, at(1)).look(at(65), {}, at(65))
    assert values(series) == [None]
    assert values(series.look(at(70), {FIRST: 9.0}, at(70))) == [9.0]


def test_figures_of_before_the_beginning_do_not_count() -> None:
    series = ToldSeries(MINUTE, 3).look(at(1), {FIRST - 1: 99.0}, at(1)).look(at(61), {FIRST - 1: 99.0, FIRST: 1.0}, at(61))
    assert values(series) == [1.0]


def test_a_period_is_blind_only_when_its_answer_is_long_overdue() -> None:
    series = ToldSeries(MINUTE, 3).look(at(1), {}, at(59))
    waiting = series.look(at(75), {}, at(59))
    assert waiting.closed == ()
    overdue = series.look(at(60) + PATIENCE, {}, at(59))
    assert overdue.closed == (Datapoint(at(60), None, blind=True),)


def test_who_was_never_answered_is_blind_in_the_end() -> None:
    series = ToldSeries(MINUTE, 3).look(at(1), None, None).look(at(61) + PATIENCE, None, None)
    assert [point.blind for point in series.closed] == [True]
