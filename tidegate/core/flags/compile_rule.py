"""Rules as plain Python functions of the context: everything that does not depend on it is worked out before.

A test gets a mapping with `get` and answers true or false. It raises nothing on values of JSON and Python's own types; for
what other types may do when they are compared, the evaluator has a net.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tidegate.core.flags.compile_set import Context, Test, attribute, split_test
from tidegate.core.flags.logic import compile_logic
from tidegate.core.flags.logic_value import truthy
from tidegate.core.flags.meeting import as_number, as_text, compare, equal, holds_text, kind_of
from tidegate.core.flags.pattern import Pattern
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
    Logic,
    Matches,
    Node,
    Not,
    Split,
    TextTest,
    Version,
)
from tidegate.core.flags.semver import version_holds

_READABLE = re.compile(r"[+-]?\d|[tT]rue|[fF]alse", re.ASCII)
Worked = Callable[[Context], Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule of one flag may ask for beyond the context."""

    flag: str
    segment: Callable[[str], Test]


def compile_rule(node: Node, scope: Scope) -> Test:
    match node:
        case All(rules=rules):
            return _all([compile_rule(rule, scope) for rule in rules])
        case AnyOf(rules=rules):
            return _any([compile_rule(rule, scope) for rule in rules])
        case Not(rule=rule):
            test = compile_rule(rule, scope)
            return lambda context: not test(context)
        case Compare():
            return _compare(node, scope)
        case In(item=item, values=values):
            return _in(item, values, scope)
        case Split():
            return split_test(node, scope.flag)
        case InSegment(name=name):
            return scope.segment(name)
        case Exists(name=name):
            find_it = attribute(name)
            return lambda context: find_it(context) is not None
        case Constant(value=value):
            return lambda _: value is True
        case _:
            return _text(node, scope)


def _text(node: Node, scope: Scope) -> Test:
    match node:
        case TextTest():
            return _text_test(node, scope)
        case Matches(text=text, pattern=pattern):
            return _matches(_value(text, scope), Pattern(pattern))
        case Version(text=text, operator=sign, than=than):
            value = _value(text, scope)
            return lambda context: version_holds(value(context), sign, than) is True
        case Attribute(name=name):
            value = attribute(name)
            return lambda context: value(context) is True
        case _:
            worked = compile_logic(node, scope.flag)
            return lambda context: truthy(worked(context))


def _all(tests: list[Test]) -> Test:
    match tests:
        case []:
            return lambda _: True
        case [one]:
            return one
        case [one, two]:
            return lambda context: one(context) and two(context)
        case [one, two, three]:
            return lambda context: one(context) and two(context) and three(context)

    def test(context: Context) -> bool:
        for one in tests:  # noqa: SIM110 - a generator would cost more than the tests
            if not one(context):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    match tests:
        case []:
            return lambda _: False
        case [one]:
            return one
        case [one, two]:
            return lambda context: one(context) or two(context)
        case [one, two, three]:
            return lambda context: one(context) or two(context) or three(context)

    def test(context: Context) -> bool:
        for one in tests:  # noqa: SIM110 - a generator would cost more than the tests
            if one(context):
                return True
        return False

    return test


# --- Values -----------------------------------------------------------------------------------------------------------------


def _value(node: Node, scope: Scope) -> Worked:
    match node:
        case Constant(value=value):
            return lambda _: value
        case Attribute(name=name):
            return attribute(name)
        case Logic():
            return compile_logic(node, scope.flag)
        case _:
            return compile_rule(node, scope)


# --- Comparisons ------------------------------------------------------------------------------------------------------------

_TURNED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(node: Compare, scope: Scope) -> Test:
    sign, left, right = node.operator, node.left, node.right
    if isinstance(left, Constant) and not isinstance(right, Constant):
        sign, left, right = _TURNED[sign], right, left
    if isinstance(left, Attribute) and isinstance(right, Constant) and "." not in left.name:
        return _compare_attribute(left.name, sign, right.value)
    one, other = _value(left, scope), _value(right, scope)
    return lambda context: compare(one(context), sign, other(context))


def _compare_attribute(name: str, sign: str, literal: Literal) -> Test:
    """The usual case: one attribute, one literal, and a value of the literal's own type needs no reading."""
    if isinstance(literal, bool) or not isinstance(literal, str | int | float):
        return lambda context: compare(context.get(name), sign, literal)
    if sign == "==" and isinstance(literal, str) and _meets_only_texts(literal):
        return lambda context: context.get(name) == literal
    return _compare_texts(name, sign, literal) if isinstance(literal, str) else _compare_numbers(name, sign, literal)


def _compare_texts(name: str, sign: str, literal: str) -> Test:
    holds = _SIGNS[sign]

    def test(context: Context) -> bool:
        value = context.get(name)
        return holds(value, literal) if value.__class__ is str else compare(value, sign, literal)

    return test


def _compare_numbers(name: str, sign: str, literal: int | float) -> Test:
    holds = _SIGNS[sign]

    def test(context: Context) -> bool:
        value = context.get(name)
        if value.__class__ is int or value.__class__ is float:
            return holds(value, literal)
        return compare(value, sign, literal)

    return test


def _meets_only_texts(text: str) -> bool:
    """No number, boolean or moment equals such a word, for none can be read from it."""
    return _READABLE.match(text) is None


def _in(item: Node, literals: tuple[Literal, ...], scope: Scope) -> Test:
    texts = frozenset(literal for literal in literals if isinstance(literal, str))
    value = _value(item, scope)
    if len(texts) == len(set(literals)) and all(map(_meets_only_texts, texts)):
        if isinstance(item, Attribute) and "." not in item.name:
            name = item.name
            return lambda context: (found := context.get(name)).__class__ is str and found in texts
        return lambda context: (found := value(context)).__class__ is str and found in texts
    numbers = frozenset(
        number for literal in literals if kind_of(literal) in ("text", "number") and (number := as_number(literal)) is not None
    )
    others = tuple(literal for literal in literals if not isinstance(literal, str))

    def test(context: Context) -> bool:
        found = value(context)
        if found.__class__ is str:
            return found in texts or (bool(others) and any(equal(found, literal) for literal in others))
        if found.__class__ is int or found.__class__ is float:
            return found in numbers
        return any(equal(found, literal) for literal in literals)

    return test


def _text_test(node: TextTest, scope: Scope) -> Test:
    value, sign = _value(node.text, scope), node.operator
    if not isinstance(node.part, Constant) or (part := as_text(node.part.value)) is None:
        other = _value(node.part, scope)
        return lambda context: holds_text(sign, value(context), other(context))
    if isinstance(node.text, Attribute) and "." not in node.text.name:
        return _test_attribute(node.text.name, sign, part)
    return lambda context: holds_text(sign, value(context), part)


def _test_attribute(name: str, sign: str, part: str) -> Test:
    def begins(context: Context) -> bool:
        found = context.get(name)
        return found.startswith(part) if found.__class__ is str else holds_text(sign, found, part)

    def ends(context: Context) -> bool:
        found = context.get(name)
        return found.endswith(part) if found.__class__ is str else holds_text(sign, found, part)

    def contains(context: Context) -> bool:
        found = context.get(name)
        return part in found if found.__class__ is str else holds_text(sign, found, part)

    return {"begins with": begins, "ends with": ends}.get(sign, contains)


def _matches(value: Worked, pattern: Pattern) -> Test:
    def test(context: Context) -> bool:
        text = as_text(value(context))
        return text is not None and pattern.found_in(text)

    return test
