"""Which lever moves the flags of an environment: our own agents, or the platform that its file names. The rest of the engine
does not know the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from tidegate.core.environment import Environment
from tidegate.core.errors import Refused, Unreachable
from tidegate.core.exposure import Exposure
from tidegate.core.rollout import Readiness
from tidegate.core.setting import Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.engine.agents import Agents
from tidegate.engine.flag_board import FlagBoard
from tidegate.engine.flags import FlagLever
from tidegate.ports import Lever, RouterReading


class Away(Lever, Protocol):
    """A platform that brings flags to whoever asks, by itself."""

    def check(self, file: Environment) -> None:
        """Raises Refused when nothing could ever be released there."""

    def must_be_free(self, file: Environment, baseline: str, candidate: str) -> None:
        """Raises Conflict when this cannot be begun there now."""


class FlagPlatforms:
    """Implements ports.Lever for all environments. `file_of` gives the file of an environment; None when there is none."""

    def __init__(self, here: FlagLever, away: Away, file_of: Callable[[str], Environment | None]) -> None:
        self.here = here
        self.away = away
        self._file_of = file_of

    @property
    def grain(self) -> Exposure:
        return self.here.grain

    @property
    def agents(self) -> Agents:
        return self.here.agents

    @property
    def board(self) -> FlagBoard:
        return self.here.board

    def _is_away(self, subject: str) -> bool:
        file = self._file_of(subject)
        return file is not None and file.platform is not None

    def _of(self, subject: str) -> Lever:
        return self.away if self._is_away(subject) else self.here

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
        away = {subject for subject in settings if self._is_away(subject)}
        try:
            self.away.apply({subject: settings[subject] for subject in away}, frozenset(), now)
        finally:
            here = {subject: setting for subject, setting in settings.items() if subject not in away}
            self.here.apply(here, frozenset(need for need in needs if need[0] not in away), now)

    def reading_of(self, subject: str) -> RouterReading | None:
        """None where nobody counts."""
        return None if self._is_away(subject) else self.here.reading_of(subject)

    def is_like_before(self, subject: str, candidate: str, baseline: str) -> bool:
        return not self._is_away(subject) and self.here.is_like_before(subject, candidate, baseline)

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self, file: Environment) -> None:
        """Raises Refused when nothing could ever be released there, or when the environment would change its platform."""
        before = self._file_of(file.subject)
        if before is not None and (before.platform is None) != (file.platform is None):
            raise Refused(
                f"{file.subject} is served {'by its platform' if before.platform else 'by our agents'} and would move.",
                f"Give it another name there, or remove it first: tidegate remove {file.subject}.",
            )
        if file.platform is not None:
            _or_nothing(lambda: self.away.check(file))

    def must_be_free(self, file: Environment, baseline: str, candidate: str) -> None:
        if file.platform is not None:
            _or_nothing(lambda: self.away.must_be_free(file, baseline, candidate))


def _or_nothing(ask: Callable[[], None]) -> None:
    try:
        ask()
    except Unreachable as error:
        raise Unreachable(error.what, "Nothing was begun. Try again when AWS answers.") from error
