"""What a flag's attributes may be: their types and constraints, checked when a document is made and never later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tidegate.core.errors import quote
from tidegate.core.flags.pattern import Pattern
from tidegate.core.flags.rule import Json


class AttributeType(StrEnum):
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRINGS = "string[]"
    NUMBERS = "number[]"


_OF_TEXT = (AttributeType.STRING, AttributeType.STRINGS)
_OF_NUMBERS = (AttributeType.NUMBER, AttributeType.NUMBERS)
_KINDS = {AttributeType.STRINGS: AttributeType.STRING, AttributeType.NUMBERS: AttributeType.NUMBER}


@dataclass(frozen=True, slots=True)
class Constraint:
    """Of one attribute; of a list it binds each item."""

    type: AttributeType
    required: bool = False
    """Every variant that is enabled must give it."""
    enum: tuple[str, ...] | None = None
    pattern: str | None = None
    """Found somewhere in the text."""
    minimum: int | float | None = None
    maximum: int | float | None = None
    description: str = ""

    def faults(self) -> Iterator[str]:
        """What is wrong with the constraint itself: each a sentence, a line break and the mend."""
        if self.type not in _OF_TEXT and (self.enum is not None or self.pattern is not None):
            yield f"enum and pattern are for texts, and this is a {self.type}.\nRemove them, or make it a string."
        if self.type not in _OF_NUMBERS and (self.minimum is not None or self.maximum is not None):
            yield f"minimum and maximum are for numbers, and this is a {self.type}.\nRemove them, or make it a number."
        if self.enum is not None and not self.enum:
            yield "an enum without values allows nothing.\nGive it at least one."
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            yield f"minimum {self.minimum} is greater than maximum {self.maximum}.\nExchange them."

    def fault(self, value: Json) -> str | None:
        """What is wrong with a value: a sentence, a line break and the mend."""
        kind = _KINDS.get(self.type)
        if kind is None:
            return self._fault_of(self.type, value)
        if not isinstance(value, list):
            return f"{quote(value)} is not a list.\nWrite [first, second]."
        return next((fault for item in value if (fault := self._fault_of(kind, item))), None)

    def _fault_of(self, kind: AttributeType, value: Json) -> str | None:
        match kind:
            case AttributeType.BOOLEAN:
                return None if isinstance(value, bool) else f"{quote(value)} is not a boolean.\nWrite true or false."
            case AttributeType.NUMBER:
                return self._fault_of_number(value)
            case _:
                return self._fault_of_text(value)

    def _fault_of_number(self, value: Json) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{quote(value)} is not a number.\nWrite a number, as 20 or 0.5, without quotes."
        if self.minimum is not None and value < self.minimum:
            return f"{quote(value)} is less than the minimum {self.minimum}.\nGive a larger number, or change the minimum."
        if self.maximum is not None and value > self.maximum:
            return f"{quote(value)} is more than the maximum {self.maximum}.\nGive a smaller number, or change the maximum."
        return None

    def _fault_of_text(self, value: Json) -> str | None:
        if not isinstance(value, str):
            return f"{quote(value)} is not a text.\nPut it in quotes."
        if self.enum is not None and value not in self.enum:
            return f"{quote(value)} is not one of the allowed values.\nAllowed: {_some(self.enum)}."
        if self.pattern is not None and not Pattern(self.pattern).found_in(value):
            return f"{quote(value)} does not match {quote(self.pattern)}.\nCorrect the value, or the pattern."
        return None


def _some(values: tuple[str, ...]) -> str:
    said = ", ".join(value[:40] for value in values[:10])
    return said if len(values) <= 10 else f"{said} and {len(values) - 10} more"


def constraint_for(value: Json) -> Constraint | None:
    """The type of an attribute whose type nobody gave; None for a value that no attribute may have."""
    match value:
        case bool():
            return Constraint(AttributeType.BOOLEAN)
        case int() | float():
            return Constraint(AttributeType.NUMBER)
        case str():
            return Constraint(AttributeType.STRING)
        case [*items] if all(isinstance(item, str) for item in items):
            return Constraint(AttributeType.STRINGS)
        case [*items] if all(isinstance(item, int | float) and not isinstance(item, bool) for item in items):
            return Constraint(AttributeType.NUMBERS)
        case _:
            return None
