"""Which lever moves a subject: that of this machine, or that of the platform that its file names. The rest of the engine does
not know the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Generic, TypeVar

from tidegate.core.exposure import Exposure
from tidegate.core.rollout import Readiness
from tidegate.core.setting import Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.ports import Lever

Here = TypeVar("Here", bound=Lever)
Away = TypeVar("Away", bound=Lever)


class Places(Generic[Here, Away]):
    """Implements ports.Lever for all subjects of a kind. `is_away` says whether the file of one names a platform."""

    def __init__(self, here: Here, away: Away, is_away: Callable[[str], bool]) -> None:
        self.here = here
        self.away = away
        self.is_away = is_away

    @property
    def grain(self) -> Exposure:
        return self.here.grain

    def _of(self, subject: str) -> Lever:
        return self.away if self.is_away(subject) else self.here

    def look(self, now: datetime) -> None:
        self.here.look(now)
        self.away.look(now)

    def applied(self, subject: str) -> Applied:
        return self._of(subject).applied(subject)

    def readiness(self, subject: str, version: str) -> Readiness:
        return self._of(subject).readiness(subject, version)

    def health(self, subject: str, version: str) -> TaskHealth | None:
        return self._of(subject).health(subject, version)

    def gone(self, subject: str, version: str) -> bool:
        return self._of(subject).gone(subject, version)

    def apply(self, settings: Mapping[str, Setting], needs: frozenset[tuple[str, str]], now: datetime) -> None:
        """Each its own; what one of them cannot do keeps nothing from the other."""
        away = {subject for subject in settings if self.is_away(subject)}
        try:
            mine = {subject: setting for subject, setting in settings.items() if subject in away}
            self.away.apply(mine, frozenset(need for need in needs if need[0] in away), now)
        finally:
            mine = {subject: setting for subject, setting in settings.items() if subject not in away}
            self.here.apply(mine, frozenset(need for need in needs if need[0] not in away), now)
