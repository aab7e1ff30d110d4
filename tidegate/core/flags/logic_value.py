"""JavaScript's ideas of truth, number, text, equality and order, for JsonLogic.

Values are what JSON knows; None is null, UNDEFINED an argument that was not given. Whatever else a context may hold counts as
an object: true, not a number, "[object Object]", equal to itself alone. Texts are counted in characters, where JavaScript
counts units of UTF-16.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

UNDEFINED: Final = type("Undefined", (), {"__slots__": (), "__repr__": lambda _: "undefined"})()
NAN: Final = math.nan
_NUMBER = re.compile(r"[+-]?(?:Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII)
_RADIX = {"x": 16, "o": 8, "b": 2}
_SPACES = " \t\n\r\v\f\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
_LONGEST = 1000


def truthy(value: Any) -> bool:
    """JsonLogic's truth: as JavaScript's, but an empty list is false."""
    if value is None or value is UNDEFINED:
        return False
    if isinstance(value, str | list | tuple):
        return len(value) > 0
    if isinstance(value, int | float):
        return value == value and value != 0  # noqa: PLR0124 - false for what is not a number
    return True


def to_number(value: Any) -> int | float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if value is None:
        return 0
    if isinstance(value, list | tuple):
        return to_number(to_text(value))
    return _number_of_text(value) if isinstance(value, str) else NAN


def _number_of_text(text: str) -> int | float:
    text = text.strip(_SPACES)
    if not text:
        return 0
    if len(text) > _LONGEST:
        return NAN
    if text[0] == "0" and text[1:2].lower() in _RADIX:
        try:
            return float(int(text[2:], _RADIX[text[1].lower()])) if text[2:].isalnum() else NAN
        except (ValueError, OverflowError):
            return NAN
    return _number(text) if _NUMBER.fullmatch(text) else NAN


def _number(text: str) -> int | float:
    digits = text.lstrip("+-")
    return int(text) if digits.isdigit() and len(digits) < 16 and text != "-0" else float(text)


def parse_float(value: Any) -> int | float:
    """JavaScript's parseFloat: the number that the text begins with."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    found = _NUMBER.match(to_text(value).lstrip(_SPACES)[:_LONGEST])
    return _number(found[0]) if found else NAN


def to_text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number_text(value)
        case None:
            return "null"
        case list() | tuple():
            return join(value, ",")
        case _:
            return "undefined" if value is UNDEFINED else "[object Object]"


def join(values: Any, between: str) -> str:
    """As Array.join: null leaves a gap."""
    return between.join("" if value is None or value is UNDEFINED else to_text(value) for value in values)


def number_text(value: int | float) -> str:
    """As JavaScript writes a number: 1 for 1.0, 1e+21, 1e-7."""
    number = as_float(value)
    if number != number:  # noqa: PLR0124
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if abs(number) < 1e21 and number == int(number):
        return str(int(value))
    if isinstance(value, int):
        value = number
    digits, _, power = repr(value).partition("e")
    if not power:
        return digits
    exponent = int(power)
    if exponent >= -6 and exponent < 0:
        return f"{value:.{len(digits.replace('.', '').lstrip('-')) - exponent - 1}f}"
    return f"{digits.removesuffix('.0')}e{'+' if exponent > 0 else '-'}{abs(exponent)}"


def as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return not (value is None or value is UNDEFINED or isinstance(value, str | int | float))


def strict_equal(one: Any, other: Any) -> bool:
    """`===`: by type and value; lists and objects are equal to themselves alone."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or one is UNDEFINED:
        return one is other
    if isinstance(one, str):
        return isinstance(other, str) and one == other
    if _is_number(one):
        return _is_number(other) and one == other
    return one is other


def loose_equal(one: Any, other: Any) -> bool:
    """`==`."""
    if one is None or one is UNDEFINED or other is None or other is UNDEFINED:
        return (one is None or one is UNDEFINED) and (other is None or other is UNDEFINED)
    if _is_object(one) and _is_object(other):
        return one is other
    if isinstance(one, str | list | tuple | Mapping) and isinstance(other, str):
        return to_text(one) == other
    if isinstance(one, str) and _is_object(other):
        return one == to_text(other)
    return to_number(_primitive(one)) == to_number(_primitive(other))


def _primitive(value: Any) -> Any:
    return to_text(value) if _is_object(value) else value


def less(one: Any, other: Any, *, or_equal: bool = False) -> bool:
    """`<` or `<=`: two texts by their letters, everything else as numbers."""
    one, other = _primitive(one), _primitive(other)
    if not (isinstance(one, str) and isinstance(other, str)):
        one = NAN if one is UNDEFINED else to_number(one)
        other = NAN if other is UNDEFINED else to_number(other)
    return bool(one <= other if or_equal else one < other)
