"""Who brings the flags of an environment to those that ask: our own agents, or the platform that its file names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tidegate.core.environment import Environment
from tidegate.core.errors import Refused, Unreachable
from tidegate.core.monitor import Monitor
from tidegate.engine.agents import Agents
from tidegate.engine.flag_board import FlagBoard
from tidegate.engine.flags import FlagLever
from tidegate.engine.places import Places
from tidegate.ports import Lever, RouterReading

T = TypeVar("T")


class Away(Lever, Protocol):
    """A platform that brings flags to whoever asks, by itself."""

    def check(self, file: Environment) -> None:
        """Raises Refused when nothing could ever be released there."""

    def must_be_free(self, file: Environment, baseline: str, candidate: str) -> None:
        """Raises Conflict when this cannot be begun there now."""

    def monitors(self, file: Environment) -> Sequence[Monitor]:
        """The alarms by which it goes back by itself, as they are now."""


class FlagPlatforms(Places[FlagLever, Away]):
    """Implements ports.Lever for all environments. `file_of` gives the file of an environment; None when there is none."""

    def __init__(self, here: FlagLever, away: Away, file_of: Callable[[str], Environment | None]) -> None:
        super().__init__(here, away, lambda subject: (file := file_of(subject)) is not None and file.platform is not None)
        self._file_of = file_of

    @property
    def agents(self) -> Agents:
        return self.here.agents

    @property
    def board(self) -> FlagBoard:
        return self.here.board

    def reading_of(self, subject: str) -> RouterReading | None:
        """None where nobody counts."""
        return None if self.is_away(subject) else self.here.reading_of(subject)

    def is_like_before(self, subject: str, candidate: str, baseline: str) -> bool:
        return not self.is_away(subject) and self.here.is_like_before(subject, candidate, baseline)

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

    def monitors(self, file: Environment) -> Sequence[Monitor]:
        """The alarms by which its platform goes back by itself, as they are now."""
        return _or_nothing(lambda: self.away.monitors(file)) if file.platform is not None else ()


def _or_nothing(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Unreachable as error:
        raise Unreachable(error.what, "Nothing was begun. Try again when AWS answers.") from error
