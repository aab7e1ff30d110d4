"""What an alarm looks at, and what is seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AlarmState(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Datapoint:
    """The figure of one whole period, which ended at `at`. None: nothing was there, or, when `blind`, nobody could look."""

    at: datetime
    value: float | None
    blind: bool = False

    def __post_init__(self) -> None:
        if self.blind and self.value is not None:
            raise ValueError(f"who is blind cannot have seen {self.value}")


@dataclass(frozen=True, slots=True)
class AlarmSeen:
    """One alarm at one moment.

    `figure` and `limit` are written with their units, "" for a composite alarm and where there is none; `value` is the same
    figure as a number (a share as a fraction of 1, a duration in seconds). `blind`: what the state hangs on could not be
    looked at, so the state is what it was before, and nobody should call it good.
    """

    name: str
    state: AlarmState
    why: str
    figure: str = ""
    limit: str = ""
    value: float | None = None
    blind: bool = False
