"""A flag: its variants in the order in which their rules are asked, and what is known about it.

The first variant whose rule holds wins; the last one has no rule and is the default. Flags from flagd choose otherwise:
`targeting` works out the name of a variant, and `default` is taken when it works out to null or is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from tidegate.core.flags.attribute import Constraint
from tidegate.core.flags.rule import Json, Node


class Kind(StrEnum):
    BOOLEAN = "boolean"
    """On or off: a variant's value is true or false."""
    VALUE = "value"
    """A simple value: any JSON but an attribute list."""
    ATTRIBUTES = "attributes"
    """A mapping of typed attributes."""


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    value: Json
    """true or false, a simple value, or the mapping of attributes: by the flag's kind."""
    rule: Node | None = None
    """None holds always."""
    enabled: bool = True
    """What AppConfig answers as `enabled`. A boolean flag's value counts instead."""


@dataclass(frozen=True, slots=True)
class Need:
    """A prerequisite: that flag must be enabled and, where `variants` are given, answered with one of them."""

    flag: str
    variants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    name: str
    kind: Kind
    variants: tuple[Variant, ...]
    enabled: bool = True
    """False answers everybody with `off` and the reason DISABLED."""
    off: Json = None
    """None for the caller's own default."""
    attributes: Mapping[str, Constraint] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    targeting: Node | None = None
    default: str | None = None
    """With `targeting`: the variant for null, or None for the caller's own default. Without it: the variant for everybody."""
    description: str = ""
    owner: str = ""
    expires: date | None = None
    deprecated: bool = False
    """Planned to go; `deprecated_on` says when, if that is known."""
    deprecated_on: date | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    """What flagd's metadata said; handed on untouched."""

    def variant(self, name: str) -> Variant | None:
        return next((variant for variant in self.variants if variant.name == name), None)
