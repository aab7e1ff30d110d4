"""How two values meet in a rule. Texts meet every type, for what comes in headers and cookies is always text: beside a number
a text is read as a number, beside true or false as one of them, beside a moment as a moment. Nothing else meets: a test of
what does not meet, or is missing, does not hold, and nothing is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from tidegate.core.flags.timestamp import parse_timestamp

_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_BOOLEANS = {"true": True, "True": True, "false": False, "False": False}


def find(context: Mapping[str, Any], name: str) -> Any:
    """The attribute of this name, or along its path; None when there is none."""
    value = context.get(name)
    if value is not None or "." not in name:
        return value
    inner: Any = context
    for part in name.split("."):
        if not isinstance(inner, Mapping):
            return None
        inner = inner.get(part)
    return inner


def as_id(value: Any) -> str | None:
    """A text or whole number that tells entities apart; None for what does not, also for the empty text."""
    if isinstance(value, str):
        return value or None
    return _digits(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _digits(value: int) -> str | None:
    return str(value) if -(10**100) < value < 10**100 else None


def as_number(value: Any) -> int | float | None:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return None
        return int(value) if value.lstrip("+-").isdigit() else float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return _BOOLEANS.get(value)
    return value if isinstance(value, bool) else None


def as_moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        return parse_timestamp(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else None


def as_text(value: Any) -> str | None:
    """What text tests look at, and what equals a text."""
    if isinstance(value, str):
        return value
    return _digits(value) if isinstance(value, int) and not isinstance(value, bool) else None


_READERS: dict[str, Callable[[Any], Any]] = {"number": as_number, "boolean": as_boolean, "moment": as_moment}


def kind_of(value: Any) -> str | None:
    """text, boolean, number or moment; None for what compares to nothing."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "moment" if isinstance(value, date) else None


def meet(left: Any, right: Any) -> tuple[Any, Any] | None:
    """Both sides as one type, or None: texts as they are, a text beside another type as that type."""
    one, other = kind_of(left), kind_of(right)
    if one is None or other is None or (one != other and "text" not in (one, other)):
        return None
    if one == other == "text":
        return left, right
    read = _READERS[other if one == "text" else one]
    met = read(left), read(right)
    return None if met[0] is None or met[1] is None else met


def equal(left: Any, right: Any) -> bool:
    met = meet(left, right)
    return met is not None and bool(met[0] == met[1])


def ordered(left: Any, operator: str, right: Any) -> bool:
    """`<` and its kin. Booleans have no order."""
    met = meet(left, right)
    if met is None or isinstance(met[0], bool):
        return False
    match operator:
        case "<":
            return bool(met[0] < met[1])
        case "<=":
            return bool(met[0] <= met[1])
        case ">":
            return bool(met[0] > met[1])
        case _:
            return bool(met[0] >= met[1])


def compare(left: Any, operator: str, right: Any) -> bool:
    return equal(left, right) if operator == "==" else ordered(left, operator, right)


def holds_text(operator: str, value: Any, part: Any) -> bool:
    """`begins with`, `ends with` or `contains`. A list contains the text that is one of its items."""
    wanted = as_text(part)
    if wanted is None:
        return False
    if operator == "contains" and isinstance(value, list | tuple):
        return any(isinstance(item, str) and item == wanted for item in value)
    text = as_text(value)
    if text is None:
        return False
    match operator:
        case "begins with":
            return text.startswith(wanted)
        case "ends with":
            return text.endswith(wanted)
        case _:
            return wanted in text
