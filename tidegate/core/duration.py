"""Durations as people write them: `500ms`, `10s`, `1m`, `1h30m`, `2d`. Every place of every document parses them here."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from tidegate.core.errors import Invalid, quote

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)"
_WHOLE = re.compile(rf"\s*(?:{_PART}\s*)+")
_LONGEST_TEXT = 40
_MEND = "Write a number with a unit, as 500ms, 10s, 5m, 1h30m or 2d."
LONGEST = timedelta(days=366)


def parse_duration(text: object) -> timedelta:
    """Reads `1h30m` as a timedelta. Raises Invalid for anything else, also for a bare number: seconds or minutes?"""
    if isinstance(text, timedelta):
        return _bounded(text, str(text))
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise Invalid(f"{quote(text)} is not a duration.", _MEND)
    if text.strip() == "0":
        return timedelta(0)
    if not _WHOLE.fullmatch(text):
        raise Invalid(f"{quote(text)} is not a duration.", _MEND)
    milliseconds = sum(Decimal(count) * _UNITS[unit] for count, unit in re.findall(_PART, text))
    if milliseconds > LONGEST // timedelta(milliseconds=1):
        raise Invalid(f"{text} is longer than a year.", "Write a shorter duration.")
    if milliseconds != int(milliseconds):
        raise Invalid(f"{text} is finer than a millisecond.", "Round it to milliseconds.")
    return timedelta(milliseconds=int(milliseconds))


def _bounded(span: timedelta, text: str) -> timedelta:
    if not timedelta(0) <= span <= LONGEST:
        raise Invalid(f"{text} is not between 0 and a year.", _MEND)
    if span % timedelta(milliseconds=1):
        raise Invalid(f"{text} is finer than a millisecond.", "Round it to milliseconds.")
    return span


def say_duration(span: timedelta) -> str:
    """Writes a timedelta so that `parse_duration` reads the same back: `1h30m`, `10s`, `500ms`, `0s`."""
    left = span // timedelta(milliseconds=1)
    if left <= 0:
        return "0s"
    said = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            said += f"{count}{unit}"
    return said


def say_roughly(span: timedelta) -> str:
    """Writes a timedelta for people: `71ms`, `4.1s`, `2m5s`, `1h30m`."""
    seconds = span.total_seconds()
    if not seconds:
        return "0s"
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    keep = timedelta(seconds=1) if seconds < 3600 else timedelta(minutes=1)
    return say_duration(span // keep * keep)


def _validate(value: Any) -> timedelta:
    try:
        return parse_duration(value)
    except Invalid as wrong:
        raise ValueError(str(wrong)) from wrong


Duration = Annotated[
    timedelta,
    BeforeValidator(_validate),
    PlainSerializer(say_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*(0|([0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)\s*)+)\s*$",
            "examples": ["10s", "5m", "1h30m"],
        }
    ),
]
"""A timedelta that documents write as `10s`."""
