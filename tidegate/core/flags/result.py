"""What an evaluation answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tidegate.core.flags.rule import Json, Node
from tidegate.core.flags.rule_words import say_rule


class Side(StrEnum):
    BASELINE = "baseline"
    CANDIDATE = "candidate"


class Reason(StrEnum):
    """OpenFeature's."""

    STATIC = "STATIC"
    """The same for everybody: may be kept."""
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    """The rule that held cannot hold without a split."""
    DEFAULT = "DEFAULT"
    """No rule held."""
    DISABLED = "DISABLED"
    ERROR = "ERROR"


class Fault(StrEnum):
    """OpenFeature's error codes."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    PARSE_ERROR = "PARSE_ERROR"
    GENERAL = "GENERAL"


_MUTABLE = (dict, list)


@dataclass(frozen=True, slots=True)
class Result:
    """Made once for each rule and handed out many times."""

    flag: str
    variant: str | None
    held: Json
    """Shared: read `value`."""
    enabled: bool
    reason: Reason
    number: int
    """Of the document."""
    side: Side
    rule: int | None = None
    """Index of the variant whose rule held; None for the default."""
    node: Node | None = field(default=None, repr=False)
    """The rule that held."""
    error: str = ""
    """One of Fault, or nothing."""
    message: str = ""

    @property
    def value(self) -> Json:
        """None is the caller's own default. A list or mapping is the caller's to change."""
        held = self.held
        return copied(held) if held.__class__ in _MUTABLE else held

    @property
    def rule_text(self) -> str | None:
        return None if self.node is None else say_rule(self.node)


def copied(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value
