"""The one form of every rule, whatever it was written in: Tidegate's own words, AppConfig's s-expressions or JsonLogic.

A rule is a tree of these frozen nodes. It holds when its value is true. The nodes up to `Not` come from the first two
spellings and compare by type; `Logic` is JsonLogic with JavaScript's coercions.

How two values are compared is in meeting.py: a text is read as the type that it meets, everything else must be of one type.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

Json = Any
"""null, a boolean, a number, a text, or lists and mappings of them."""

Literal = str | int | float | bool | datetime

TARGETING_KEY = "targetingKey"
"""By what an entity is known when nothing else is said."""

COMPARISONS = ("==", "<", "<=", ">", ">=")
TEXT_TESTS = ("begins with", "ends with", "contains")
VERSION_TESTS = ("==", "!=", "<", "<=", ">", ">=", "^", "~")


@dataclass(frozen=True, slots=True)
class Constant:
    value: Literal


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value of the context. `user.name` is the name in the user, or the attribute that is called so as a whole."""

    name: str


@dataclass(frozen=True, slots=True)
class Compare:
    """Neither side holds against a side that is missing or of another type."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class TextTest:
    """`operator` is one of TEXT_TESTS."""

    operator: str
    text: Node
    part: Node


@dataclass(frozen=True, slots=True)
class In:
    item: Node
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Matches:
    """The pattern is found somewhere in the text (write ^ and $ for the whole); in linear time, see pattern.py."""

    text: Node
    pattern: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The context has a value of this name, and not null."""

    name: str


@dataclass(frozen=True, slots=True)
class Split:
    """`low <= bucket(value of the attribute, seed) < high`. Without a seed the flag's name is the seed.

    A value that is missing, empty, or neither text nor whole number is in no part.
    """

    by: str
    low: int
    high: int
    seed: str | None = None


@dataclass(frozen=True, slots=True)
class InSegment:
    name: str


@dataclass(frozen=True, slots=True)
class Version:
    """Semantic versions: `operator` is one of VERSION_TESTS; ^ means the same major, ~ the same major and minor."""

    text: Node
    operator: str
    than: str


@dataclass(frozen=True, slots=True)
class All:
    """Of no rules: always."""

    rules: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Of no rules: never."""

    rules: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    rule: Node


@dataclass(frozen=True, slots=True)
class Value:
    """A constant of JsonLogic, also null, a list or a mapping."""

    value: Json


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of JsonLogic whose items are worked out."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Logic:
    """An operation of JsonLogic or flagd. It holds by JsonLogic's truth: an empty list is false, "0" is true."""

    operator: str
    arguments: tuple[Node, ...]


Node = (
    Constant
    | Attribute
    | Compare
    | TextTest
    | In
    | Matches
    | Exists
    | Split
    | InSegment
    | Version
    | All
    | AnyOf
    | Not
    | Value
    | Listing
    | Logic
)

ALWAYS = All(())
NEVER = AnyOf(())


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Compare(left=left, right=right):
            return (left, right)
        case TextTest(text=text, part=part):
            return (text, part)
        case In(item=inner) | Matches(text=inner) | Version(text=inner) | Not(rule=inner):
            return (inner,)
        case All(rules=inner) | AnyOf(rules=inner) | Listing(items=inner) | Logic(arguments=inner):
            return inner
        case _:
            return ()


def walk(node: Node) -> list[Node]:
    """The node and everything below it."""
    found = [node]
    for seen in found:
        found.extend(children(seen))
    return found


def decided_by_split(node: Node) -> bool:
    """Whether the rule cannot hold without a split having its say."""
    match node:
        case Split():
            return True
        case Not(rule=rule):
            return decided_by_split(rule)
        case All(rules=rules):
            return any(decided_by_split(rule) for rule in rules)
        case AnyOf(rules=rules):
            return bool(rules) and all(decided_by_split(rule) for rule in rules)
        case _:
            return False
