"""AppConfig's rules: s-expressions with 15 operators, to nodes. appconfig_export.py is the way back.

    (and (eq $country "DE") (or (gte $age 18) (split pct::10 by::$userId seed::"abc")))

eq gt gte lt lte; and or not; begins_with ends_with contains in matches exists split. Operands are texts in double quotes,
64-bit integers, floats, timestamps, true, false, `$key`, or another expression. `split` goes by Tidegate's own bucket, for
AWS has never said what its is: the share stays the same, the entities in it do not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NoReturn

from tidegate.core.errors import quote
from tidegate.core.flags.check import nearest
from tidegate.core.flags.pattern import pattern_fault
from tidegate.core.flags.rule import (
    All,
    AnyOf,
    Attribute,
    Compare,
    Constant,
    Exists,
    In,
    Literal,
    Matches,
    Node,
    Not,
    Split,
    TextTest,
)
from tidegate.core.flags.timestamp import parse_timestamp

COMPARISONS = {"eq": "==", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
TEXT_TESTS = {"begins_with": "begins with", "ends_with": "ends with", "contains": "contains"}
OPERATORS = (*COMPARISONS, "and", "or", "not", *TEXT_TESTS, "in", "matches", "exists", "split")
LONGEST = 100_000
DEEPEST = 40

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*")
  | (?P<key>\$(?:[A-Za-z_][A-Za-z0-9_.-]*|'[^'\\]+'|"[^"\\]+"))
  | (?P<moment>\d{4}-\d\d(?:-\d\d)?(?:T[0-9:.]{0,18}(?:Z|[+-]\d\d:\d\d)?)?)(?![\w.-])
  | (?P<number>[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?![\w.])
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<given>::)?
  | (?P<sign>[()\[\],])
    )""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass(slots=True)
class _Call:
    """An operator with its operands, and those that are given by name."""

    operator: str
    at: int
    operands: list[Node] = field(default_factory=list)
    named: dict[str, Node] = field(default_factory=dict)
    values: tuple[Literal, ...] | None = None


def read_appconfig_rule(text: str) -> Node:
    """Raises ValueError: a sentence with the place in the rule, a line break and the mend."""
    if len(text) > LONGEST:
        raise ValueError(f"the rule has {len(text):,} characters.\nKeep it below {LONGEST:,}.")
    reader = _Reader(text)
    rule = reader.expression()
    if reader.here.kind != "end":
        reader.wrong("is too much", "Join expressions with (and ...) or (or ...).")
    return rule


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.index = 0
        self.depth = 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.index]

    def expression(self) -> Node:
        """One call in parentheses."""
        if self.here.text != "(":
            self.wrong("is no expression", 'Write one as (eq $country "DE").')
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError(f"the rule is nested deeper than {DEEPEST} levels.\nWrite it flatter.")
        self.index += 1
        at = self.here.at
        call = _Call(self._operator(), at)
        while self.here.text != ")":
            self._operand_of(call)
        self.index += 1
        self.depth -= 1
        return _build(call)

    def _operator(self) -> str:
        token = self.here
        if token.kind != "name" or token.text not in OPERATORS:
            self.wrong("is no operator", nearest(token.text, OPERATORS, ""))
        self.index += 1
        return token.text

    def _operand_of(self, call: _Call) -> None:
        token = self.here
        if token.kind == "given":
            self.index += 1
            call.named[token.text] = self._operand()
        elif token.text == "[":
            self.index += 1
            call.values = tuple(self._list())
        else:
            call.operands.append(self._operand())

    def _list(self) -> list[Literal]:
        values: list[Literal] = []
        while self.here.text != "]":
            operand = self._operand()
            if not isinstance(operand, Constant):
                self.wrong("is not after a constant", "List texts, numbers or timestamps.")
            values.append(operand.value)
            self.index += self.here.text == ","
        self.index += 1
        return values

    def _operand(self) -> Node:
        token = self.here
        if token.text == "(" and token.kind == "sign":
            return self.expression()
        node = self._atom(token)
        self.index += 1
        return node

    def _atom(self, token: _Token) -> Node:
        match token.kind:
            case "text":
                return Constant(self._text(token))
            case "key":
                return Attribute(token.text[1:].strip("'\""))
            case "number":
                return Constant(self._number(token))
            case "moment":
                moment = parse_timestamp(token.text.removesuffix("T"))
                return Constant(moment) if moment is not None else self.wrong("is no moment", "Write 2026-01-31T12:00:00Z.")
            case "name" if token.text in ("true", "false"):
                return Constant(token.text == "true")
        return self.wrong("is no operand", "Put texts in double quotes, and $ before the keys of the context.")

    def _text(self, token: _Token) -> str:
        try:
            return str(json.loads(token.text, strict=False))
        except ValueError:
            return self.wrong("has a wrong escape", 'Write \\" and \\\\ for a quote and a backslash.')

    def _number(self, token: _Token) -> int | float:
        text = token.text.lstrip("+")
        if not text.lstrip("-").isdigit():
            number = float(text)
            return number if abs(number) < 1.8e308 else self.wrong("is too large", "Write a number of 64 bits.")
        whole = int(text) if len(text) < 25 else 2**64
        return whole if -(2**63) <= whole < 2**63 else self.wrong("is too large", "Write a number of 64 bits.")

    def wrong(self, why: str, mend: str) -> NoReturn:
        token = self.here
        if token.kind == "end":
            raise ValueError("the rule ends too early.\nClose every parenthesis and quote.")
        raise ValueError(f"{quote(token.text)} (character {token.at + 1} of the rule) {why}.\n{mend}")


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while (token := _TOKEN.match(text, at)) is not None:
        kind = next(kind for kind in ("text", "key", "moment", "number", "name", "sign") if token[kind] is not None)
        found.append(_Token("given" if token["given"] else kind, token[kind], token.start(kind)))
        at = token.end()
    rest = text[at:].strip()
    return [*found, _Token("unknown" if rest else "end", rest[:20], at)]


# --- Calls -------------------------------------------------------------------------------------------------------------------


def _build(call: _Call) -> Node:
    if call.operator in COMPARISONS:
        left, right = _two(call)
        return Compare(COMPARISONS[call.operator], left, right)
    if call.operator in TEXT_TESTS:
        text, part = _two(call)
        return TextTest(TEXT_TESTS[call.operator], text, part)
    return _BUILDERS[call.operator](call)


def _two(call: _Call) -> tuple[Node, Node]:
    if len(call.operands) != 2 or call.named or call.values is not None:
        _misused(call, f'({call.operator} $key "value")')
    return call.operands[0], call.operands[1]


def _misused(call: _Call, form: str) -> NoReturn:
    raise ValueError(
        f"{call.operator} (character {call.at + 1} of the rule) has not the operands that it wants.\nWrite {form}."
    )


def _rules(call: _Call) -> tuple[Node, ...]:
    if not call.operands or call.named or call.values is not None:
        _misused(call, f"({call.operator} (eq ...) (eq ...))")
    return tuple(call.operands)


def _and(call: _Call) -> Node:
    rules = _rules(call)
    return rules[0] if len(rules) == 1 else All(rules)


def _or(call: _Call) -> Node:
    rules = _rules(call)
    return rules[0] if len(rules) == 1 else AnyOf(rules)


def _not(call: _Call) -> Node:
    if len(call.operands) != 1:
        _misused(call, "(not (eq ...))")
    return Not(_rules(call)[0])


def _in(call: _Call) -> Node:
    if len(call.operands) != 1 or call.values is None or call.named:
        _misused(call, '(in $key ["one", "two"])')
    return In(call.operands[0], call.values)


def _matches(call: _Call) -> Node:
    text, pattern = call.named.get("in"), call.named.get("pattern")
    if text is None or not isinstance(pattern, Constant) or not isinstance(pattern.value, str) or len(call.named) != 2:
        _misused(call, '(matches in::$key pattern::"h.*y")')
    if fault := pattern_fault(pattern.value):
        raise ValueError(fault)
    return Matches(text, pattern.value)


def _exists(call: _Call) -> Node:
    key = call.named.get("key")
    if not isinstance(key, Constant) or not isinstance(key.value, str) or len(call.named) != 1 or call.operands:
        _misused(call, '(exists key::"name")')
    return Exists(key.value)


def _split(call: _Call) -> Node:
    share, by, seed = (call.named.get(name) for name in ("pct", "by", "seed"))
    if (
        not isinstance(share, Constant)
        or not isinstance(by, Attribute)
        or call.operands
        or call.named.keys() - {"pct", "by", "seed"}
    ):
        _misused(call, '(split pct::10 by::$key seed::"abc")')
    if seed is not None and (not isinstance(seed, Constant) or not isinstance(seed.value, str)):
        _misused(call, '(split pct::10 by::$key seed::"abc")')
    return Split(by.name, 0, _points(share.value), None if seed is None else str(seed.value))


def _points(share: Literal) -> int:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 100:
        raise ValueError(f"{quote(share)} is no percentage.\nWrite pct:: with a number from 0 to 100.")
    points = Decimal(repr(share)) * 100
    if points != points.to_integral_value():
        raise ValueError(f"{share} is finer than 0.01%.\nRound it.")
    return int(points)


_BUILDERS: dict[str, Callable[[_Call], Node]] = {
    "and": _and,
    "or": _or,
    "not": _not,
    "in": _in,
    "matches": _matches,
    "exists": _exists,
    "split": _split,
}
