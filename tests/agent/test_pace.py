"""How often an agent reports, and who may change that."""

from __future__ import annotations

import math

import pytest

from tidegate.agent.pace import Pace


def paces(pace: Pace) -> tuple[float, float, float]:
    return pace.until_next(), pace.after_news(), pace.after_failure(0.2)


def test_an_agent_reports_each_second_and_sooner_when_there_is_something_to_say() -> None:
    assert paces(Pace(draw=lambda: 1.0)) == pytest.approx((1.0, 0.2, 0.3))
    assert paces(Pace(draw=lambda: 0.0)) == pytest.approx((0.9, 0.0, 0.3))
    assert Pace().after_failure(7.0) == 0.0


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (2.0, 2.0),
        (1.0, 1.0),
        (3600.0, 10.0),
        (math.inf, 10.0),
        (0.5, 1.0),
        (0.0, 1.0),
        (-3.0, 1.0),
        (math.nan, 1.0),
        (None, 1.0),
    ],
)
def test_the_control_plane_may_ask_for_fewer_reports_but_neither_for_silence_nor_for_more(
    wanted: float | None, kept: float
) -> None:
    pace = Pace(draw=lambda: 1.0)
    pace.obey(wanted)
    assert paces(pace) == pytest.approx((kept, 0.2 if kept == 1 else 0.5 * kept, 0.5 * kept - 0.2))


def test_fewer_reports_are_wanted_until_something_else_is() -> None:
    pace = Pace(draw=lambda: 1.0)
    pace.obey(2.0)
    pace.obey(None)
    assert pace.until_next() == pytest.approx(2.0)
    pace.obey(1.0)
    assert pace.until_next() == pytest.approx(1.0)
