"""One request to AWS as plain data: what is rendered and tested without boto3, and sent by `calls.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from tidegate.core.access import Access


class Manner(StrEnum):
    """How a call is sent."""

    USUAL = "usual"
    ONCE = "once"  # never sent again by itself: who repeats it blindly makes two of something
    PATIENT = "patient"  # on the way back: throttling is waited out for longer


@dataclass(frozen=True, slots=True)
class Call:
    """`service` and `operation` as boto3 names them: elbv2, modify_rule."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    manner: Manner = Manner.USUAL

    def __str__(self) -> str:
        return f"{self.service}:{''.join(word.capitalize() for word in self.operation.split('_'))}"


Answer = Mapping[str, Any]
"""What AWS answered, as its service model describes it."""


class Caller(Protocol):
    def do(self, call: Call) -> Answer:
        """Sends it. Raises Unreachable, NotFound or Refused."""


Callers = Callable[[Access], Caller]
"""Who asks there, and as whom."""
