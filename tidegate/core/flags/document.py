"""The flag document: all flags and segments of an application, numbered and immutable. What agents load and rollouts move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tidegate.core.flags.flag import Flag
from tidegate.core.flags.segment import Segment


@dataclass(frozen=True, slots=True)
class FlagDocument:
    application: str
    number: int = 0
    """Counts up with every document of the application; 0 while it has none."""
    flags: Mapping[str, Flag] = field(default_factory=dict)
    segments: Mapping[str, Segment] = field(default_factory=dict)
    text: str | None = field(default=None, compare=False, repr=False)
    """The canonical text, where it was read from one."""

    def numbered(self, number: int) -> FlagDocument:
        return replace(self, number=number, text=None)
