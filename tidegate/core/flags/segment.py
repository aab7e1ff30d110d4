"""A segment (FlagGroup): a named set of entities, as a list of ids or as a rule."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.core.flags.rule import TARGETING_KEY, Node


@dataclass(frozen=True, slots=True)
class Segment:
    """`members` are ids, compared with the attribute `by`; or else `rule` says who belongs to it."""

    name: str
    members: frozenset[str] = frozenset()
    by: str = TARGETING_KEY
    rule: Node | None = None
    description: str = ""
