"""Rules as AppConfig's s-expressions. Invalid, with the reason, for what AppConfig has nothing like."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn

from tidegate.core.errors import Invalid, quote
from tidegate.core.flags.appconfig_rule import COMPARISONS, TEXT_TESTS
from tidegate.core.flags.rule import (
    All,
    AnyOf,
    Attribute,
    Compare,
    Constant,
    Exists,
    In,
    InSegment,
    Literal,
    Matches,
    Node,
    Not,
    Split,
    TextTest,
)
from tidegate.core.flags.segment import Segment
from tidegate.core.flags.timestamp import say_timestamp

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGNS = {sign: name for name, sign in COMPARISONS.items()}
_TESTS = {test: name for name, test in TEXT_TESTS.items()}


class RuleWriter:
    """At one place of a document. `seed` is that of splits in a segment's rule: there, the segment's name."""

    def __init__(self, segments: Mapping[str, Segment], where: str, seed: str | None = None) -> None:
        self.segments = segments
        self.where = where
        self.seed = seed

    def _refuse(self, what: str, mend: str) -> NoReturn:
        raise Invalid(f"{self.where}: {what}", mend, self.where)

    def say(self, node: Node) -> str:
        match node:
            case All(rules=()) | AnyOf(rules=()):
                return self._constant(isinstance(node, All))
            case All(rules=rules):
                return self._chain("and", rules)
            case AnyOf(rules=rules):
                return self._chain("or", rules)
            case Not(rule=rule):
                return f"(not {self.say(rule)})"
            case Split():
                return self._split(node)
            case InSegment(name=name):
                return self._segment(self.segments[name])
            case _:
                return self._test(node)

    def _constant(self, always: bool) -> str:
        """AppConfig has no rule that always or never holds."""
        exists = '(exists key::"targetingKey")'
        return f"({'or' if always else 'and'} {exists} (not {exists}))"

    def _chain(self, operator: str, rules: tuple[Node, ...]) -> str:
        """AppConfig's `and` and `or` take two."""
        said = self.say(rules[-1])
        for rule in reversed(rules[:-1]):
            said = f"({operator} {self.say(rule)} {said})"
        return said

    def _test(self, node: Node) -> str:
        match node:
            case Compare(operator=operator, left=left, right=right):
                return f"({_SIGNS[operator]} {self._operand(left)} {self._operand(right)})"
            case TextTest(operator=operator, text=text, part=part):
                return f"({_TESTS[operator]} {self._operand(text)} {self._operand(part)})"
            case In(item=item, values=values):
                return f"(in {self._operand(item)} [{', '.join(map(_literal, values))}])"
            case Matches(text=text, pattern=pattern):
                return f"(matches in::{self._operand(text)} pattern::{_literal(pattern)})"
            case Exists(name=name):
                return f"(exists key::{_literal(self._key(name))})"
        return self._refuse(f"AppConfig has nothing like {type(node).__name__.lower()}.", "Write the rule without it.")

    def _split(self, split: Split) -> str:
        if split.low == 0:
            return self._up_to(split, split.high)
        return f"(and {self._up_to(split, split.high)} (not {self._up_to(split, split.low)}))"

    def _up_to(self, split: Split, points: int) -> str:
        share, rest = divmod(points, 100)
        seed = split.seed if split.seed is not None else self.seed
        said = f"(split pct::{share if not rest else points / 100} by::${self._key(split.by)}"
        return said + (f" seed::{_literal(seed)})" if seed is not None else ")")

    def _segment(self, segment: Segment) -> str:
        if segment.rule is not None:
            return RuleWriter(self.segments, self.where, segment.name).say(segment.rule)
        if not segment.members:
            return self._constant(False)
        return f"(in ${self._key(segment.by)} [{', '.join(map(_literal, sorted(segment.members)))}])"

    def _operand(self, node: Node) -> str:
        match node:
            case Constant(value=value):
                return _literal(value)
            case Attribute(name=name):
                return f"${self._key(name)}"
            case _:
                return self.say(node)

    def _key(self, name: str) -> str:
        if not _KEY.fullmatch(name):
            self._refuse(f"AppConfig's context has no key {quote(name)}.", "Use a plain name: letters, digits and _.")
        return name


def _literal(value: Literal) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case datetime():
            return say_timestamp(value)
        case _:
            return repr(value)
