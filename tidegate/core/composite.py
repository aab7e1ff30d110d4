"""The rule of a composite alarm, in the grammar of CloudWatch's AlarmRule.

    ALARM(errors) AND (ALARM(slow) OR NOT OK(queue))
    AT_LEAST(2, ALARM, (errors, slow, queue))      the number may also be a share, 50%; the state may be NOT OK

NOT binds closer than AND, AND closer than OR. TRUE and FALSE stand for themselves. Names may be put in double quotes.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.core.alarm_state import AlarmState
from tidegate.core.errors import Invalid

Possible = Mapping[str, frozenset[AlarmState]]
"""The states that each alarm may be in: one for what was seen, all of them for what was not."""

ANY = frozenset(AlarmState)
_KINDS = tuple(state.value for state in AlarmState)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a rule can be true and can be false. Both when that depends on what nobody saw."""

    true: bool
    false: bool


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def answer(self, possible: Possible) -> Answer:  # noqa: ARG002 - as every part of a rule
        return Answer(self.value, not self.value)


@dataclass(frozen=True, slots=True)
class Is:
    """ALARM(name), OK(name) or INSUFFICIENT_DATA(name)."""

    state: AlarmState
    name: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def answer(self, possible: Possible) -> Answer:
        states = possible[self.name]
        return Answer(self.state in states, bool(states - {self.state}))


@dataclass(frozen=True, slots=True)
class Not:
    inner: Rule

    @property
    def names(self) -> tuple[str, ...]:
        return self.inner.names

    def answer(self, possible: Possible) -> Answer:
        inner = self.inner.answer(possible)
        return Answer(inner.false, inner.true)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """So many of these are true: AND is all of them, OR is one."""

    count: int
    parts: tuple[Rule, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for part in self.parts for name in part.names)

    def answer(self, possible: Possible) -> Answer:
        answers = [part.answer(possible) for part in self.parts]
        return Answer(
            true=sum(answer.true for answer in answers) >= self.count,
            false=sum(not answer.false for answer in answers) < self.count,
        )


Rule = Constant | Is | Not | AtLeast

MOST_LENGTH = 10_240
MOST_DEPTH = 50
_TOKEN = re.compile(r'\s*(?:([(),])|"([^"]*)"|([^\s(),"]+))')
_EXAMPLE = "Write it as ALARM(errors) AND (ALARM(slow) OR NOT OK(queue))."


@functools.lru_cache(maxsize=1024)
def parse_rule(text: str) -> Rule:
    """Reads a rule. Raises Invalid with the place where it cannot go on."""
    if len(text) > MOST_LENGTH:
        raise Invalid(
            f"A rule of {len(text)} characters is too long.", f"Use at most {MOST_LENGTH}, or several composite alarms."
        )
    reader = _Reader(text)
    rule = reader.either(0)
    if reader.word is not None:
        raise reader.wrong("AND, OR or the end")
    return rule


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    place: int
    quoted: bool = False


class _Reader:
    """Recursive descent over the tokens, one method for each level of binding."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._split(text)
        self.next = 0

    @staticmethod
    def _split(text: str) -> list[_Token]:
        tokens, place = [], 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise Invalid(
                    f"A quote in {text[place:].strip()[:40]!r} does not end.", 'Put names as "errors", or without quotes.'
                )
            tokens.append(_Token(found[found.lastindex or 0], found.start(found.lastindex or 0), found.lastindex == 2))
            place = found.end()
        return tokens

    @property
    def word(self) -> str | None:
        """The next token that is no name in quotes, in capitals; None at the end."""
        if self.next >= len(self.tokens):
            return None
        token = self.tokens[self.next]
        return f'"{token.text}"' if token.quoted else token.text.upper()

    def wrong(self, expected: str) -> Invalid:
        if self.next >= len(self.tokens):
            return Invalid(f"The rule {self.text[:80]!r} ends where {expected} should stand.", _EXAMPLE)
        token = self.tokens[self.next]
        return Invalid(f"{token.text[:40]!r} at character {token.place + 1} of the rule: expected {expected}.", _EXAMPLE)

    def take(self, expected: str) -> None:
        if self.word != expected:
            raise self.wrong(repr(expected))
        self.next += 1

    def either(self, depth: int) -> Rule:
        parts = [self.both(depth)]
        while self.word == "OR":
            self.next += 1
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else AtLeast(1, tuple(parts))

    def both(self, depth: int) -> Rule:
        parts = [self.single(depth)]
        while self.word == "AND":
            self.next += 1
            parts.append(self.single(depth))
        return parts[0] if len(parts) == 1 else AtLeast(len(parts), tuple(parts))

    def single(self, depth: int) -> Rule:
        if depth > MOST_DEPTH:
            raise Invalid("The rule is nested too deeply.", f"Use at most {MOST_DEPTH} levels, or several composite alarms.")
        word = self.word
        if word == "NOT":
            self.next += 1
            return Not(self.single(depth + 1))
        if word == "(":
            self.next += 1
            rule = self.either(depth + 1)
            self.take(")")
            return rule
        if word in ("TRUE", "FALSE"):
            self.next += 1
            return Constant(word == "TRUE")
        if word == "AT_LEAST":
            self.next += 1
            return self.at_least()
        return self.state()

    def state(self) -> Rule:
        kind = self.kind()
        self.take("(")
        rule = Is(kind, self.name())
        self.take(")")
        return rule

    def kind(self) -> AlarmState:
        if self.word not in _KINDS:
            raise self.wrong("ALARM, OK, INSUFFICIENT_DATA, NOT, TRUE, FALSE, AT_LEAST or (")
        self.next += 1
        return AlarmState(self.tokens[self.next - 1].text.upper())

    def name(self) -> str:
        if self.next >= len(self.tokens) or self.word in ("(", ")", ","):
            raise self.wrong("the name of an alarm")
        self.next += 1
        return self.tokens[self.next - 1].text

    def at_least(self) -> Rule:
        self.take("(")
        wanted, at = self.name(), self.next - 1
        self.take(",")
        negated = self.word == "NOT"
        self.next += negated
        kind = self.kind()
        self.take(",")
        self.take("(")
        names = [self.name()]
        while self.word == ",":
            self.next += 1
            names.append(self.name())
        self.take(")")
        self.take(")")
        parts = tuple(Not(Is(kind, name)) if negated else Is(kind, name) for name in names)
        return AtLeast(self._count(wanted, at, len(names)), parts)

    def _count(self, wanted: str, at: int, of: int) -> int:
        found = re.fullmatch(r"(\d{1,3})(%?)", wanted)
        count = 0 if found is None else math.ceil(int(found[1]) * of / 100) if found[2] else int(found[1])
        if not 1 <= count <= of:
            place = self.tokens[at].place + 1
            raise Invalid(
                f"{wanted!r} at character {place} of the rule is not between 1 and {of}.",
                "Write AT_LEAST(2, ALARM, (a, b, c)).",
            )
        return count
