"""Patterns in rules and constraints that cannot hang, whatever pattern and text are.

The language is that of Python's `re` without what is not regular: backreferences, lookaround, atomic groups and possessive
repeats are refused, as is a pattern that would need more than 1,000 states. What is left is matched in linear time by
following all possibilities at once (automaton.py). Because `re` is much faster where it does not backtrack badly, it is
asked instead when the text is so short that its worst case is harmless: the more repeats, the shorter.

A pattern is found anywhere in a text, as AppConfig's `matches` and JSON Schema's `pattern` do. A text of more than 4,096
characters matches nothing.
"""

from __future__ import annotations

import functools
import re

from tidegate.core.errors import quote
from tidegate.core.flags.automaton import Automaton, Irregular, parse

LONGEST_PATTERN = 1024
LONGEST_TEXT = 4096
_HARMLESS = {0: LONGEST_TEXT, 1: 1000, 2: 200, 3: 60}
"""How long a text `re` may be given, by the number of repeats in a row: its work grows with that power, and one more."""


class Pattern:
    """A compiled pattern. Raises ValueError with what is wrong and the mend."""

    __slots__ = ("_automaton", "_backtracking", "_harmless")

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST_PATTERN:
            raise ValueError(f"the pattern has {len(text):,} characters.\nAt most {LONGEST_PATTERN:,} are taken.")
        self._automaton, repeats = _compiled(text)
        self._harmless = _HARMLESS.get(repeats, 0)
        self._backtracking = re.compile(text)

    def found_in(self, text: str) -> bool:
        if len(text) <= self._harmless:
            return self._backtracking.search(text) is not None
        return len(text) <= LONGEST_TEXT and self._automaton.found_in(text)


@functools.lru_cache(maxsize=1024)
def _compiled(text: str) -> tuple[Automaton, int]:
    try:
        tree = parse(text)
        return Automaton(tree), tree.repeats
    except Irregular as wrong:
        raise ValueError(f"the pattern {quote(text)} {wrong}") from wrong
    except (re.error, OverflowError) as wrong:
        raise ValueError(
            f"{quote(text)} is not a pattern: {wrong}.\nCorrect it; \\ makes a special character plain."
        ) from wrong
    except RecursionError as wrong:
        raise ValueError(f"the pattern {quote(text)} is nested too deep.\nWrite it flatter.") from wrong


def pattern_fault(text: str) -> str | None:
    """What is wrong with it: a sentence, a line break and the mend."""
    try:
        Pattern(text)
    except ValueError as wrong:
        return str(wrong)
    return None
