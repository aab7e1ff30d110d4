"""Limits and figures with their units: `1%` of an error rate, `800ms` of a latency, `20` of anything else.

An alarm's limit is read here, and every figure that is shown beside a limit is written here, so that both look alike.
Inside, a share is a fraction of 1, a duration is in seconds.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from tidegate.core.duration import parse_duration
from tidegate.core.errors import Invalid


class Unit(StrEnum):
    SHARE = "share"
    DURATION = "duration"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Limit:
    """`said` is what was written; `value` the same as a fraction of 1, in seconds, or as it is."""

    value: float
    unit: Unit
    said: str | int | float

    def __str__(self) -> str:
        return str(self.said)


_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)\s*%")
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,3})?")
_MEND = "Write a share as 1%, a duration as 800ms, or a number as 20."


def parse_limit(content: object) -> Limit:
    """Reads `1%`, `800ms`, `20` or `0.5`. Raises Invalid for anything else."""
    if isinstance(content, Limit):
        return content
    if isinstance(content, bool) or not isinstance(content, str | int | float):
        raise Invalid(f"{content!r} is not a limit.", _MEND)
    if not isinstance(content, str):
        return _number(content)
    text = content.strip()
    if share := _SHARE.fullmatch(text):
        return _share(float(share[1]) / 100, text)
    if _NUMBER.fullmatch(text):
        return _number(float(text))
    try:
        return Limit(parse_duration(text).total_seconds(), Unit.DURATION, text)
    except Invalid as wrong:
        raise Invalid(f"{content[:60]!r} is not a limit.", _MEND) from wrong


def _share(value: float, said: str) -> Limit:
    if value > 1:
        raise Invalid(f"{said} is more than all.", "Give a share of at most 100%.")
    return Limit(value, Unit.SHARE, said)


def _number(number: int | float) -> Limit:
    if not math.isfinite(number):
        raise Invalid(f"{number!r} is no limit: nothing can be compared with it.", "Give a finite number.")
    return Limit(float(number), Unit.NUMBER, int(number) if float(number).is_integer() else number)


def _validate(content: Any) -> Limit:
    try:
        return parse_limit(content)
    except Invalid as wrong:
        raise ValueError(str(wrong)) from wrong


WrittenLimit = Annotated[
    Limit,
    PlainValidator(_validate),
    PlainSerializer(lambda limit: limit.said, return_type=str | int | float),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*%$"},
                {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"},
            ],
            "examples": ["1%", "800ms", 20],
        }
    ),
]
"""A limit as documents write it."""


def say_figure(value: float, unit: Unit, *, beside: float | None = None) -> str:
    """Writes a measured value as its limit is written.

    `beside` is the limit's value: a figure that differs from it is never rounded to look the same, for "1% above 1%"
    explains nothing.
    """
    said = _say(value, unit, 3)
    if beside is None or value == beside or abs(value - beside) > 0.01 * abs(beside):
        return said
    limit = _say(beside, unit, 3)
    return next((longer for digits in (3, 4, 6, 9, 17) if (longer := _say(value, unit, digits)) != limit), said)


def _say(value: float, unit: Unit, digits: int) -> str:
    match unit:
        case Unit.SHARE:
            return f"{_plain(value * 100, digits)}%"
        case Unit.DURATION if abs(value) < 1:
            return f"{_plain(value * 1000, digits)}ms"
        case Unit.DURATION:
            return f"{_plain(value, digits)}s"
        case _:
            return _plain(value, digits)


def _plain(number: float, digits: int) -> str:
    """At least `digits` significant digits, whole numbers in full, and no exponent for what people can still read."""
    if not math.isfinite(number):
        return str(number)
    if number and not 1e-6 <= abs(number) < 1e15:
        return f"{number:.{digits}g}"
    whole = len(str(int(abs(number)))) if abs(number) >= 1 else 1 + math.floor(math.log10(abs(number))) if number else 1
    decimals = max(0, digits - whole, 2 if whole == 2 and digits == 3 else 0)
    text = f"{number:.{min(decimals, 20)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
