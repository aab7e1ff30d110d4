"""Durations as people write them."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tidegate.core.duration import LONGEST, Duration, parse_duration, say_duration
from tidegate.core.errors import Invalid

MILLISECOND = timedelta(milliseconds=1)
ADAPTER: TypeAdapter[timedelta] = TypeAdapter(Duration)
PATTERN = re.compile(ADAPTER.json_schema()["pattern"])

READ = {
    "0": timedelta(0),
    "0s": timedelta(0),
    "500ms": timedelta(milliseconds=500),
    "1ms": MILLISECOND,
    "10s": timedelta(seconds=10),
    "0.5s": timedelta(milliseconds=500),
    "1.1h": timedelta(minutes=66),
    "5m": timedelta(minutes=5),
    "1h30m": timedelta(hours=1, minutes=30),
    " 1h 30m ": timedelta(hours=1, minutes=30),
    "10 s": timedelta(seconds=10),
    "2d": timedelta(days=2),
    "366d": LONGEST,
}


@pytest.mark.parametrize(("text", "span"), READ.items())
def test_a_duration_is_a_number_with_a_unit(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span
    assert PATTERN.search(text), "the schema that editors use says no"


WRONG = [
    *(
        "",
        " ",
        "s",
        "10",
        "1",
        "ten seconds",
        "10 seconds",
        "1:30",
        "-5s",
        "+5s",
        "5S",
        "1.s",
        ".5s",
        "1,5s",
        "1e3s",
        "1_000s",
        "0x10s",
    ),
    *(
        "1 0s",
        "1 m s",
        "5m 30",
        "10s!",
        "10s\x00",
        "inf s",
        "nan",
        "١٠s",
        "１０s",
        "10µs",
        "1w",
        "1y",
        "PT10S",
        "true",
        "5 m 3",
    ),
    *("9" * 41 + "s", "1s" * 21, "9" * 1_000_000, "1s" * 500_000, " " * 1_000_000, "9" * 1_000_000 + "s"),
]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", WRONG, ids=lambda text: repr(text[:20]))
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid) as wrong:
        parse_duration(text)
    assert "is not a duration" in wrong.value.what
    assert len(wrong.value.what) < 120
    assert wrong.value.mend == "Write a number with a unit, as 500ms, 10s, 5m, 1h30m or 2d."
    if len(text) < 40:
        assert not PATTERN.search(text), "the schema that editors use says yes"


DEEP: list[object] = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "value",
    [None, True, False, 10, 1.5, 90, float("nan"), float("inf"), 10**5000, b"10s", [], ["10s"], {"s": 10}, object(), DEEP, 1j],
    ids=lambda v: type(v).__name__,
)
def test_what_is_no_text_is_no_duration_seconds_or_minutes_nobody_knows(value: object) -> None:
    with pytest.raises(Invalid, match="is not a duration") as wrong:
        parse_duration(value)
    assert len(wrong.value.what) < 120


@pytest.mark.parametrize("text", ["0.4ms", "1.5ms", "0.0001s", "0.0000001h"])
def test_nothing_is_finer_than_a_millisecond(text: str) -> None:
    with pytest.raises(Invalid, match="finer than a millisecond"):
        parse_duration(text)


def test_nothing_is_longer_than_a_year() -> None:
    for text in ("367d", "366d1ms", "999999999999d", "9" * 30 + "d"):
        with pytest.raises(Invalid, match="longer than a year"):
            parse_duration(text)


@pytest.mark.parametrize("span", [-MILLISECOND, LONGEST + MILLISECOND, timedelta.max, timedelta.min, timedelta(microseconds=1)])
def test_a_timedelta_has_the_same_limits(span: timedelta) -> None:
    with pytest.raises(Invalid):
        parse_duration(span)


SPANS = st.integers(0, LONGEST // MILLISECOND).map(lambda count: count * MILLISECOND)


@given(SPANS)
def test_what_is_said_is_read_back_as_the_same(span: timedelta) -> None:
    said = say_duration(span)
    assert parse_duration(said) == span
    assert PATTERN.search(said)
    assert parse_duration(span) == span


@given(SPANS)
def test_a_document_that_was_written_is_read_back_as_the_same(span: timedelta) -> None:
    assert ADAPTER.validate_json(ADAPTER.dump_json(span)) == span


def test_it_is_said_as_people_would() -> None:
    said = [say_duration(READ[text]) for text in ("0", "500ms", "1h30m", "2d", "1.1h")]
    assert said == ["0s", "500ms", "1h30m", "2d", "1h6m"]


@given(st.text() | st.from_regex(r"([0-9]{1,3}(\.[0-9]{1,3})?(ms|s|m|h|d)){1,3}", fullmatch=True))
def test_every_text_is_a_duration_or_refused(text: str) -> None:
    try:
        span = parse_duration(text)
    except Invalid:
        return
    assert timedelta(0) <= span <= LONGEST
    assert not span % MILLISECOND
    assert parse_duration(say_duration(span)) == span


def test_a_document_says_where_it_is_wrong() -> None:
    with pytest.raises(ValidationError, match="is not a duration"):
        ADAPTER.validate_python(10)
    with pytest.raises(ValidationError, match="is not a duration"):
        ADAPTER.validate_json(json.dumps("10"))
