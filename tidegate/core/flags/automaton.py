"""A regular expression as an automaton that follows all possibilities at once: its work is linear in the text.

Python's own parser reads the expression; here its tree becomes states, and sets of states are followed character by
character. Steps that were taken once are remembered, so that usual texts cost a look-up a character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from re import _constants as names  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MOST_STATES = 1000
_REMEMBERED = 5000
_UNKNOWN = frozenset((-1,))

Takes = Callable[[str], bool]


class Irregular(ValueError):
    """The expression is more than regular, or too large."""


@dataclass(frozen=True, slots=True)
class Tree:
    items: Any
    flags: int
    repeats: int
    """How many repeats may meet the same characters in a row; 99 when they are nested."""


def parse(text: str) -> Tree:
    tree = parser.parse(text)
    flags = int(tree.state.flags)
    if flags & re.MULTILINE:
        raise Irregular("has the flag m.\nRemove it; ^ and $ are the ends of the whole text.")
    return Tree(tree, flags, _repeats(tree))


def _repeats(items: Any) -> int:
    total = 0
    for kind, value in items:
        if kind in _REPEATS:
            low, high, inner = value
            if high > 1 and (len(inner) != 1 or inner[0][0] not in _ONE_CHARACTER):
                return 99
            total += low != high
        elif kind is names.SUBPATTERN:
            total += _repeats(value[-1])
        elif kind is names.BRANCH:
            total += 1 + sum(_repeats(branch) for branch in value[1])
    return min(total, 99)


_REPEATS = (names.MAX_REPEAT, names.MIN_REPEAT)
_ONE_CHARACTER = (names.LITERAL, names.NOT_LITERAL, names.ANY, names.IN)


@dataclass(slots=True)
class _State:
    """Takes a character and goes on, or goes on without: freely, or where `at` holds."""

    takes: Takes | None = None
    at: Any = None
    onward: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """What an anchor can see: what is before, what follows, and whether only the end or one line feed is left."""

    first: bool
    word_before: bool
    word_after: bool
    last: bool
    nearly_last: bool

    def holds(self, at: Any) -> bool:
        if at in (names.AT_BEGINNING, names.AT_BEGINNING_STRING):
            return self.first
        if at is names.AT_END:
            return self.nearly_last
        if at is names.AT_END_STRING:
            return self.last
        return self.word_before != self.word_after


class Automaton:
    def __init__(self, tree: Tree) -> None:
        self._states: list[_State] = []
        self._accept = self._state()
        self._start = self._sequence(tree.items, self._accept, tree.flags)
        self._steps: dict[tuple[frozenset[int], _Place, str], frozenset[int] | None] = {}

    def found_in(self, text: str) -> bool:
        """Whether it is found anywhere in the text."""
        kernel: frozenset[int] = frozenset()
        size = len(text)
        for index in range(size + 1):
            character = text[index] if index < size else ""
            left = text[index : index + 2]
            place = _Place(
                index == 0, index > 0 and _is_word(text[index - 1]), _is_word(character), not left, left in ("", "\n")
            )
            after = self._step(kernel, place, character)
            if after is None:
                return True
            kernel = after
        return False

    def _step(self, kernel: frozenset[int], place: _Place, character: str) -> frozenset[int] | None:
        """The states after this character, or None when the end is reached before it."""
        key = (kernel, place, character)
        known = self._steps.get(key, _UNKNOWN)
        if known is not _UNKNOWN:
            return known
        # Other threads may clear it meanwhile: what was taken is in hand.
        taken = self._taken(kernel, place, character)
        if len(self._steps) >= _REMEMBERED:
            self._steps.clear()
        self._steps[key] = taken
        return taken

    def _taken(self, kernel: frozenset[int], place: _Place, character: str) -> frozenset[int] | None:
        reached = self._reached((*kernel, self._start), place)
        if self._accept in reached:
            return None
        takers = (self._states[number] for number in reached) if character else ()
        return frozenset(
            after for state in takers if state.takes is not None and state.takes(character) for after in state.onward
        )

    def _reached(self, kernel: Iterable[int], place: _Place) -> set[int]:
        """All states that are reached without taking a character."""
        reached: set[int] = set()
        waiting = list(kernel)
        while waiting:
            number = waiting.pop()
            if number in reached:
                continue
            reached.add(number)
            state = self._states[number]
            if state.takes is None and (state.at is None or place.holds(state.at)):
                waiting.extend(state.onward)
        return reached

    # --- Building, from the end to the beginning -----------------------------------------------------------------------

    def _state(self, takes: Takes | None = None, at: Any = None, onward: tuple[int, ...] = ()) -> int:
        if len(self._states) >= MOST_STATES:
            raise Irregular(f"needs more than {MOST_STATES:,} states.\nUse smaller repeats.")
        self._states.append(_State(takes, at, onward))
        return len(self._states) - 1

    def _sequence(self, items: Any, after: int, flags: int) -> int:
        for kind, value in reversed(list(items)):
            after = self._item(kind, value, after, flags)
        return after

    def _item(self, kind: Any, value: Any, after: int, flags: int) -> int:
        if kind in _ONE_CHARACTER:
            return self._state(_taker(kind, value, flags), None, (after,))
        if kind is names.AT and value is not names.AT_NON_BOUNDARY:
            return self._state(None, value, (after,))
        if kind is names.SUBPATTERN:
            _, added, removed, inner = value
            return self._sequence(inner, after, flags & ~removed | added)
        if kind is names.BRANCH:
            return self._state(None, None, tuple(self._sequence(branch, after, flags) for branch in value[1]))
        if kind in _REPEATS:
            low, high, inner = value
            return self._repeat(low, high, inner, after, flags)
        raise Irregular(_WHY.get(str(kind), "has what only a backtracking search could find.\nWrite it without."))

    def _repeat(self, low: int, high: int, inner: Any, after: int, flags: int) -> int:
        if high is names.MAXREPEAT:
            again = self._state(None, None, ())
            self._states[again].onward = (self._sequence(inner, again, flags), after)
            after = again
        else:
            end = after
            for _ in range(high - low):
                after = self._state(None, None, (self._sequence(inner, after, flags), end))
        for _ in range(low):
            after = self._sequence(inner, after, flags)
        return after


_WHY = {
    "AT": "has \\B, on which versions of Python do not agree.\nWrite it without.",
    "GROUPREF": "refers back to a group, which cannot be found in linear time.\nWrite it without \\1 and (?P=name).",
    "GROUPREF_EXISTS": "has a condition on a group.\nWrite two alternatives with | instead.",
    "ASSERT": "looks ahead or behind.\nUse two rules joined with `and` instead.",
    "ASSERT_NOT": "looks ahead or behind.\nUse a second rule with `not` instead.",
    "ATOMIC_GROUP": "has an atomic group.\nWrite (?:...) instead: nothing backtracks here.",
    "POSSESSIVE_REPEAT": "has a possessive repeat.\nWrite * or + alone: nothing backtracks here.",
}


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()


def _taker(kind: Any, value: Any, flags: int) -> Takes:
    if kind is names.ANY:
        return (lambda _: True) if flags & re.DOTALL else (lambda character: character != "\n")
    plain = _plain(kind, value, bool(flags & re.ASCII))
    if not flags & re.IGNORECASE:
        return plain
    if kind is names.NOT_LITERAL or (kind is names.IN and value[0][0] is names.NEGATE):
        return lambda character: all(plain(one) for one in _cases(character))
    return lambda character: any(plain(one) for one in _cases(character))


def _cases(character: str) -> tuple[str, ...]:
    return tuple({character, *(one for one in (character.lower(), character.upper()) if len(one) == 1)})


def _plain(kind: Any, value: Any, ascii_only: bool) -> Takes:
    if kind is names.LITERAL:
        wanted = chr(value)
        return lambda character: character == wanted
    if kind is names.NOT_LITERAL:
        unwanted = chr(value)
        return lambda character: character != unwanted
    negated = value[0][0] is names.NEGATE
    parts = [_member(name, inner, ascii_only) for name, inner in value[negated:]]
    return lambda character: any(part(character) for part in parts) != negated


def _member(kind: Any, value: Any, ascii_only: bool) -> Takes:
    if kind is names.LITERAL:
        wanted = chr(value)
        return lambda character: character == wanted
    if kind is names.RANGE:
        low, high = map(chr, value)
        return lambda character: low <= character <= high
    name = str(value).removeprefix("CATEGORY_")
    test = _CATEGORIES[name.removeprefix("NOT_")]
    negated = name.startswith("NOT_")
    if ascii_only:
        return lambda character: (character.isascii() and test(character)) != negated
    return lambda character: test(character) != negated


_CATEGORIES: dict[str, Takes] = {"DIGIT": str.isdecimal, "SPACE": str.isspace, "WORD": _is_word}
