from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.errors import Invalid
from tidegate.core.limit import Unit, parse_limit, say_figure


@pytest.mark.parametrize(
    ("written", "value", "unit"),
    [
        ("1%", 0.01, Unit.SHARE),
        ("0.05 %", 0.0005, Unit.SHARE),
        ("100%", 1.0, Unit.SHARE),
        ("800ms", 0.8, Unit.DURATION),
        ("1m30s", 90.0, Unit.DURATION),
        (20, 20.0, Unit.NUMBER),
        (0.5, 0.5, Unit.NUMBER),
        (-3, -3.0, Unit.NUMBER),
        ("1e3", 1000.0, Unit.NUMBER),
    ],
)
def test_a_limit_is_read_with_its_unit(written: object, value: float, unit: Unit) -> None:
    limit = parse_limit(written)
    assert (limit.value, limit.unit) == (pytest.approx(value), unit)


@pytest.mark.parametrize(
    "written", [True, None, "", "fast", "101%", "-1%", "1%%", float("nan"), float("inf"), "nan", "5 apples", [1]]
)
def test_what_is_no_limit_is_refused_with_an_example(written: object) -> None:
    with pytest.raises(Invalid) as wrong:
        parse_limit(written)
    assert wrong.value.what
    assert wrong.value.mend


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.052, Unit.SHARE, "5.2%"),
        (0.0, Unit.SHARE, "0%"),
        (1.0, Unit.SHARE, "100%"),
        (0.000123, Unit.SHARE, "0.0123%"),
        (0.99961, Unit.SHARE, "99.96%"),
        (0.8, Unit.DURATION, "800ms"),
        (0.0004, Unit.DURATION, "0.4ms"),
        (1.2345, Unit.DURATION, "1.23s"),
        (1234567, Unit.NUMBER, "1234567"),
        (0.5, Unit.NUMBER, "0.5"),
        (-12.0, Unit.NUMBER, "-12"),
        (1e20, Unit.NUMBER, "1e+20"),
        (float("inf"), Unit.NUMBER, "inf"),
    ],
)
def test_a_figure_is_written_as_people_read_it(value: float, unit: Unit, said: str) -> None:
    assert say_figure(value, unit) == said


def test_a_figure_just_beyond_its_limit_does_not_look_like_the_limit() -> None:
    assert say_figure(0.010004, Unit.SHARE, beside=0.01) == "1.0004%"
    assert say_figure(0.01, Unit.SHARE, beside=0.01) == "1%"


@given(
    value=st.floats(min_value=-1e12, max_value=1e12, allow_nan=False),
    limit=st.floats(min_value=-1e12, max_value=1e12, allow_nan=False),
    unit=st.sampled_from(Unit),
)
def test_what_is_said_is_near_what_was_measured(value: float, limit: float, unit: Unit) -> None:
    said = say_figure(value, unit, beside=limit)
    read = float(said.removesuffix("%").removesuffix("ms").removesuffix("s"))
    scale = 100 if said.endswith("%") else 1000 if said.endswith("ms") else 1
    assert read / scale == pytest.approx(value, rel=0.006, abs=1e-25)
