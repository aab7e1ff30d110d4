"""Rules for people: from nodes to the text that rule_text.py reads back."""

from __future__ import annotations

import json
from datetime import datetime

from tidegate.core.exposure import say_share
from tidegate.core.flags.jsonlogic import write_logic
from tidegate.core.flags.rule import (
    TARGETING_KEY,
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
    Version,
)
from tidegate.core.flags.rule_text import KEYWORDS, NAME
from tidegate.core.flags.timestamp import say_timestamp


def say_rule(node: Node) -> str:
    match node:
        case All(rules=()):
            return "true"
        case AnyOf(rules=()):
            return "false"
        case All(rules=rules):
            return " and ".join(_grouped(rule) for rule in rules)
        case AnyOf(rules=rules):
            return " or ".join(_grouped(rule) for rule in rules)
        case Not(rule=Compare(operator="==", left=left, right=right)):
            return f"{say_operand(left)} != {say_operand(right)}"
        case Not(rule=In(item=item, values=values)):
            return f"{say_operand(item)} not in {_say_list(values)}"
        case Not(rule=rule):
            return f"not {_grouped(rule)}"
        case _:
            return _say_test(node)


def _grouped(rule: Node) -> str:
    """In parentheses where it might otherwise be read as something else."""
    said = say_rule(rule)
    return f"({said})" if isinstance(rule, All | AnyOf) and rule.rules else said


def _say_test(node: Node) -> str:
    match node:
        case Compare(operator=operator, left=left, right=right):
            return f"{say_operand(left)} {operator} {say_operand(right)}"
        case TextTest(operator=operator, text=text, part=part):
            return f"{say_operand(text)} {operator} {say_operand(part)}"
        case In(item=item, values=values):
            return f"{say_operand(item)} in {_say_list(values)}"
        case Matches(text=text, pattern=pattern):
            return f"{say_operand(text)} matches {_say_text(pattern)}"
        case Exists(name=name):
            return f"{say_name(name)} exists"
        case InSegment(name=name):
            return f"in segment {say_name(name)}"
        case Version(text=text, operator=operator, than=than):
            return f"version({say_operand(text)}) {operator} {_say_text(than)}"
        case Split():
            return _say_split(node)
        case Constant() | Attribute():
            return say_operand(node)
        case _:
            return f"logic {json.dumps(write_logic(node), ensure_ascii=False)}"


def _say_split(split: Split) -> str:
    said = say_share(split.high) if split.low == 0 else f"{say_share(split.low)} to {say_share(split.high)}"
    by = "" if split.by == TARGETING_KEY else f" by {say_name(split.by)}"
    return said + by + ("" if split.seed is None else f" seed {_say_text(split.seed)}")


def say_operand(node: Node) -> str:
    match node:
        case Constant(value=value):
            return say_literal(value)
        case Attribute(name=name):
            return say_name(name)
        case _:
            return f"({say_rule(node)})"


def say_literal(value: Literal) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _say_text(value)
        case datetime():
            return say_timestamp(value)
        case _:
            return repr(value)


def say_name(name: str) -> str:
    return name if NAME.fullmatch(name) and name not in KEYWORDS else f"${_say_text(name)}"


def _say_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _say_list(values: tuple[Literal, ...]) -> str:
    return f"[{', '.join(map(say_literal, values))}]"
