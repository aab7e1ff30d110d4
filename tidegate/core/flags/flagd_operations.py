"""flagd's operations: starts_with, ends_with, sem_ver and fractional.

One that is wrongly used (a version that is none, a text that is a number, weights that add up to nothing) gives up the whole
targeting: `GivenUp`, and the flag's default variant is taken, never by chance the `else` of an `if`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate.core.flags.fractional import MOST_WEIGHT, place_of
from tidegate.core.flags.rule import TARGETING_KEY
from tidegate.core.flags.semver import version_holds


class GivenUp(Exception):
    """An operation of flagd was wrongly used."""


def _starts_with(*values: Any) -> bool:
    text, part = _two_texts(values)
    return text.startswith(part)


def _ends_with(*values: Any) -> bool:
    text, part = _two_texts(values)
    return text.endswith(part)


def _two_texts(values: Sequence[Any]) -> tuple[str, str]:
    match values:
        case (str() as text, str() as part):
            return text, part
    raise GivenUp("starts_with and ends_with compare two texts.")


def _sem_ver(*values: Any) -> bool:
    holds = version_holds(*values) if len(values) == 3 else None
    if holds is None:
        raise GivenUp("sem_ver compares a version by an operator with a version.")
    return holds


COMPARING: dict[str, Callable[..., Any]] = {"starts_with": _starts_with, "ends_with": _ends_with, "sem_ver": _sem_ver}


def fractional(flag: str, data: Any, given: Sequence[Any]) -> Any:
    """The part whose turn it is. The first argument is what is hashed; without it, the flag's name and the targeting key."""
    parts = list(given)
    if not parts or isinstance(parts[0], list | tuple):
        key = data.get(TARGETING_KEY) if isinstance(data, Mapping) else None
        by: Any = [flag, key] if isinstance(key, str) and key else None
    else:
        by = parts.pop(0)
    if by is None:
        raise GivenUp("fractional has nothing to go by.")
    weighted = [_part(part) for part in parts]
    total = sum(weight for _, weight in weighted)
    if not 0 < total <= MOST_WEIGHT:
        raise GivenUp(f"the weights of fractional add up to {total}.")
    try:
        place = place_of(by, total)
    except (TypeError, ValueError) as wrong:
        raise GivenUp("fractional cannot go by this value.") from wrong
    for result, weight in weighted:
        place -= weight
        if place < 0:
            return result
    return None


def _part(part: Any) -> tuple[Any, int]:
    match part:
        case [result]:
            return result, 1
        case [result, bool()]:
            raise GivenUp("a weight of fractional is no number.")
        case [result, int() as weight]:
            return result, max(0, weight)
        case [result, float() as weight] if weight.is_integer():
            return result, max(0, int(weight))
    raise GivenUp("a part of fractional is a result and a whole weight.")
