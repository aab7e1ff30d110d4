"""Two texts beside each other, line by line, with what is new and what is gone."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

LONGEST = 400
"""Lines of a text. Longer ones are lists of people, of which sentences say more."""


@dataclass(frozen=True, slots=True)
class Row:
    """`changed` says that the sides differ; "" where a side has no line."""

    old: str
    new: str
    changed: bool


def beside(old: str, new: str) -> Sequence[Row]:
    """Nothing for texts that are too long."""
    before, after = old.splitlines(), new.splitlines()
    return list(_rows(before, after)) if max(len(before), len(after)) <= LONGEST else ()


def _rows(before: Sequence[str], after: Sequence[str]) -> Iterator[Row]:
    for kind, left, to_left, right, to_right in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        pairs = zip_longest(before[left:to_left], after[right:to_right], fillvalue="")
        yield from (Row(one, other, kind != "equal") for one, other in pairs)
