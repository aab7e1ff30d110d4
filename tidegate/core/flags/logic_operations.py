"""The operations of JsonLogic that look at their arguments alone, exact to json-logic-js."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tidegate.core.flags.logic_value import (
    NAN,
    UNDEFINED,
    as_float,
    join,
    less,
    loose_equal,
    parse_float,
    strict_equal,
    to_number,
    to_text,
    truthy,
)

MOST_TEXT = 1_000_000
"""Characters or items that a rule may put together: a few nested `reduce` could fill every memory."""


class LogicError(Exception):
    """The rule cannot be worked out at all."""


def as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def null(value: Any) -> Any:
    return None if value is UNDEFINED else value


def _less(one: Any = UNDEFINED, two: Any = UNDEFINED, three: Any = UNDEFINED, *_: Any) -> bool:
    return less(one, two) and (three is UNDEFINED or less(two, three))


def _at_most(one: Any = UNDEFINED, two: Any = UNDEFINED, three: Any = UNDEFINED, *_: Any) -> bool:
    return less(one, two, or_equal=True) and (three is UNDEFINED or less(two, three, or_equal=True))


def _number(value: Any) -> int | float:
    return NAN if value is UNDEFINED else to_number(value)


def _add(*values: Any) -> int | float:
    total: int | float = 0
    for value in values:
        total = _bounded(total + parse_float(value))
    return total


def _multiply(*values: Any) -> Any:
    if not values:
        raise LogicError("* has nothing to multiply.")
    product = values[0]
    for value in values[1:]:
        product = _bounded(parse_float(product) * parse_float(value))
    return product


def _bounded(number: int | float) -> int | float:
    """Whole numbers as such, as long as a float could be one."""
    return number if isinstance(number, float) or -(2**64) < number < 2**64 else as_float(number)


def _subtract(one: Any = UNDEFINED, two: Any = UNDEFINED, *_: Any) -> int | float:
    return -_number(one) if two is UNDEFINED else _bounded(_float_if_mixed(one, two, lambda left, right: left - right))


def _float_if_mixed(one: Any, two: Any, work: Callable[[Any, Any], int | float]) -> int | float:
    left, right = _number(one), _number(two)
    if isinstance(left, float) or isinstance(right, float):
        left, right = as_float(left), as_float(right)
    return work(left, right)


def _divide(one: Any = UNDEFINED, two: Any = UNDEFINED, *_: Any) -> int | float:
    left, right = as_float(_number(one)), as_float(_number(two))
    if right == 0:
        return NAN if left == 0 or left != left else math.copysign(math.inf, left) * math.copysign(1, right)  # noqa: PLR0124
    return _whole(left / right)


def _remainder(one: Any = UNDEFINED, two: Any = UNDEFINED, *_: Any) -> int | float:
    left, right = as_float(_number(one)), as_float(_number(two))
    if right == 0 or math.isinf(left):
        return NAN
    return _whole(math.fmod(left, right))


def _whole(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _greatest(*values: Any) -> int | float:
    return _extreme(values, max, -math.inf)


def _least(*values: Any) -> int | float:
    return _extreme(values, min, math.inf)


def _extreme(values: Sequence[Any], of: Callable[[list[int | float]], int | float], none: float) -> int | float:
    numbers = [_number(value) for value in values]
    if any(number != number for number in numbers):  # noqa: PLR0124
        return NAN
    return of(numbers) if numbers else none


def _cat(*values: Any) -> str:
    text = join(values, "")
    if len(text) > MOST_TEXT:
        raise LogicError(f"cat made a text of {len(text):,} characters.")
    return text


def _in(item: Any = UNDEFINED, where: Any = UNDEFINED, *_: Any) -> bool:
    if isinstance(where, str):
        return where != "" and to_text(item) in where
    return any(strict_equal(one, item) for one in as_list(where))


def _substr(value: Any = UNDEFINED, start: Any = UNDEFINED, length: Any = UNDEFINED, *_: Any) -> str:
    text = to_text(value)
    begin = _index(start)
    text = text[max(len(text) + begin, 0) if begin < 0 else begin :]
    if length is UNDEFINED:
        return text
    size = _index(length)
    return text[: max(len(text) + size, 0) if size < 0 else size]


def _index(value: Any) -> int:
    number = as_float(_number(value))
    if number != number:  # noqa: PLR0124
        return 0
    return int(max(-(2.0**40), min(2.0**40, number)))


def _merge(*values: Any) -> list[Any]:
    merged: list[Any] = []
    for value in values:
        if isinstance(value, list | tuple):
            merged.extend(value)
        else:
            merged.append(null(value))
        if len(merged) > MOST_TEXT:
            raise LogicError(f"merge made a list of {len(merged):,} items.")
    return merged


PLAIN: dict[str, Callable[..., Any]] = {
    "==": lambda one=UNDEFINED, two=UNDEFINED, *_: loose_equal(one, two),
    "!=": lambda one=UNDEFINED, two=UNDEFINED, *_: not loose_equal(one, two),
    "===": lambda one=UNDEFINED, two=UNDEFINED, *_: strict_equal(one, two),
    "!==": lambda one=UNDEFINED, two=UNDEFINED, *_: not strict_equal(one, two),
    "<": _less,
    "<=": _at_most,
    ">": lambda one=UNDEFINED, two=UNDEFINED, *_: less(two, one),
    ">=": lambda one=UNDEFINED, two=UNDEFINED, *_: less(two, one, or_equal=True),
    "!": lambda one=UNDEFINED, *_: not truthy(one),
    "!!": lambda one=UNDEFINED, *_: truthy(one),
    "+": _add,
    "*": _multiply,
    "-": _subtract,
    "/": _divide,
    "%": _remainder,
    "max": _greatest,
    "min": _least,
    "cat": _cat,
    "in": _in,
    "substr": _substr,
    "merge": _merge,
    "log": lambda one=UNDEFINED, *_: one,
}
