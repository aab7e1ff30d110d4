"""What a service's baseline was like during the last day, as the watcher keeps it.

It is told every second, and written down every minute.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidegate.core import comparison_codec
from tidegate.core.history import History, remember_tally
from tidegate.core.tally import Tally

EVERY = timedelta(seconds=1)
"""How often it is told: bursts are counted by the second."""
QUIETLY = timedelta(seconds=10)
"""How often while nobody asks for anything."""
SAVE_EVERY = timedelta(minutes=1)
"""What a controller that is killed may lose of a day."""


@dataclass(frozen=True, slots=True)
class Stood:
    """Where the counts of the stable side stood at the last telling. Of another version or another router nothing follows."""

    epoch: str
    version: str
    tally: Tally
    at: datetime


@dataclass(frozen=True, slots=True)
class Remembering:
    history: History = field(default_factory=History.blank)
    stood: Stood | None = None
    saved: datetime | None = None

    def look(self, now: Stood) -> Remembering:
        before = self.stood
        if before is None or (before.epoch, before.version) != (now.epoch, now.version) or now.at <= before.at:
            return replace(self, stood=now, saved=self.saved or now.at)
        span = now.at - before.at
        fresh = now.tally.minus(before.tally)
        if span < (EVERY if fresh.finished else QUIETLY):
            return self
        return replace(self, history=remember_tally(self.history, fresh, span.total_seconds()), stood=now)

    def interrupted(self) -> Remembering:
        """What comes now is not to be remembered."""
        return self if self.stood is None else replace(self, stood=None)

    def due(self, now: datetime) -> bool:
        """Whether it is time to write it down."""
        return self.saved is not None and abs(now - self.saved) >= SAVE_EVERY

    def to_json(self) -> str:
        return json.dumps(comparison_codec.dump(self.history), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, at: datetime) -> Remembering:
        """Raises ValueError for what `to_json` did not write."""
        return cls(comparison_codec.load(History, json.loads(text)), saved=at)
