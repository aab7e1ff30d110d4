"""The flag lever: exposure moves by snapshots that agents stream or poll. A document is ready at once, and never ends.

Serials of snapshots are taken from blocks that were written down as used before: none is ever given to two snapshots, also
after a crash, and a way back needs no database to be told to the agents. They are larger than the milliseconds since 1970, and
than any that an agent has: a database that was put back would count them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from tidegate.core.errors import NotFound, TidegateError
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.flags.codec import changed_flags
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.snapshot import Snapshot
from tidegate.core.rollout import Readiness, Ready
from tidegate.core.setting import UNSEEN, Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.engine.agents import Agent, Agents
from tidegate.engine.flag_board import FlagBoard
from tidegate.ports import RouterReading, Serials

BLOCK = 1000
"""Serials that are taken at once."""
FEW = 200
"""With so few left, more are taken, as long as there are some to go on without a database."""
MOST_KNOWN = 64
PATIENCE = timedelta(seconds=30)
"""Between two attempts to catch up with agents that are ahead."""
LARGEST = 2**52
NEARLY_ALL = 0.9

Known = Callable[[str, int], FlagDocument | None]
"""The document of an application under its number."""
Watched = Callable[[str], tuple[str, ...]]
Reserve = Callable[[str, int], Serials]
Elsewhere = Callable[[str], bool]
"""Whether another controller holds a rollout of this subject."""


@dataclass
class _Posted:
    """Of one subject: what is in force, and what was under each of the last serials."""

    setting: Setting
    settings: dict[int, Setting] = field(default_factory=dict)
    serial: int = 0
    origin: str = ""
    """Of the serials; empty while nothing was ever in force."""
    caught_up: datetime | None = None
    watched: tuple[str, ...] = ()


@dataclass
class _Block:
    serials: Serials
    next: int

    @property
    def left(self) -> int:
        return self.serials.last - self.next + 1


class FlagLever:
    """Implements ports.Lever for environments of applications."""

    grain = Exposure(1)

    def __init__(
        self,
        *,
        document: Known,
        reserve: Reserve,
        agents: Agents,
        board: FlagBoard,
        watched: Watched,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """`watched` tells the flags whose requests agents are to count apart. `elsewhere` is asked where several controllers
        share a database."""
        self._watched = watched
        self._document = document
        self._reserve = reserve
        self._elsewhere = elsewhere
        self.agents = agents
        self.board = board
        self._posted: dict[str, _Posted] = {}
        self._blocks: dict[str, _Block] = {}
        self._log = structlog.get_logger()

    # --- what is seen -------------------------------------------------------------------------------------------------

    def look(self, now: datetime) -> None:
        self.agents.look(now)

    def reading_of(self, subject: str) -> RouterReading:
        return RouterReading(self.agents.epoch, {subject: self.agents.reading(subject)})

    def is_like_before(self, subject: str, candidate: str, baseline: str) -> bool:
        """Whether nearly all requests ask for what this change concerns, so that what was counted before it are the same."""
        documents = self._find(subject, baseline), self._find(subject, candidate)
        if documents[0] is None or documents[1] is None:
            return False
        return self.agents.asking(subject, changed_flags(documents[0], documents[1])) >= NEARLY_ALL

    def applied(self, subject: str) -> Applied:
        """Over all agents: the lowest exposure while it grows, the highest while it falls. One that was heard lately and is
        silent may apply anything. Without any agent nobody evaluates: then what is wanted is applied."""
        posted = self._posted.get(subject)
        agents = self.agents.of(subject)
        if posted is None or not self.agents.has_settled or any(agent.is_silent for agent in agents):
            return UNSEEN
        if not agents:
            return _shown(posted.setting)
        return _together(posted.setting, [self._of_agent(posted, agent) for agent in agents])

    def _of_agent(self, posted: _Posted, agent: Agent) -> Setting | None:
        report = agent.report
        if not posted.origin:
            return posted.setting
        if report.origin != posted.origin:
            return None
        setting = posted.settings.get(report.serial)
        return replace(setting, exposure=report.exposure) if setting is not None else None

    def readiness(self, subject: str, version: str) -> Readiness:
        if self._find(subject, version) is None:
            return Readiness(Ready.UNSEEN)
        return Readiness(Ready.YES)

    def health(self, subject: str, version: str) -> TaskHealth:  # noqa: ARG002 - documents have no tasks that could be ill
        return TaskHealth(wanted=0, healthy=0)

    def gone(self, subject: str, version: str) -> bool:  # noqa: ARG002 - nothing of a document runs anywhere
        return True

    # --- what is asked for --------------------------------------------------------------------------------------------

    def apply(self, settings: Mapping[str, Setting], needs: frozenset[tuple[str, str]], now: datetime) -> None:  # noqa: ARG002 - documents are always ready
        for subject, setting in settings.items():
            wanted = setting if setting.slot else replace(setting, rollout="", exposure=NONE)
            posted = self._posted.get(subject)
            if posted is None or posted.setting != wanted or (posted.serial and posted.watched != self._watched(subject)):
                if self._is_ours(subject, setting):
                    self._post(subject, wanted, posted, now)
            else:
                self._catch_up(subject, posted, now)
            self._take_more(subject, now)
        for subject in self._posted.keys() - settings.keys():
            del self._posted[subject]
            self._blocks.pop(subject, None)  # whoever has this name next counts from an origin of its own
            self.board.post(subject, None)

    def _is_ours(self, subject: str, setting: Setting) -> bool:
        """Who knows of no rollout has to ask whether another controller does: its agents would go back and forth."""
        if self._elsewhere is None or setting.rollout:
            return True
        try:
            if not self._elsewhere(subject):
                return True
        except TidegateError as error:
            self._log.warning("environment_unread", subject=subject, problem=error.what, mend=error.mend)
        self._blocks.pop(subject, None)  # the other one takes serials meanwhile: ours would be smaller
        return False

    def _catch_up(self, subject: str, posted: _Posted, now: datetime) -> None:
        """Agents that have a larger serial of the same count take nothing of ours: the database was put back, or they come
        from another controller. What is in force gets a serial that is larger still."""
        if posted.caught_up is not None and abs(now - posted.caught_up) < PATIENCE:
            return
        furthest = self.agents.furthest(subject, posted.origin)
        if not posted.serial < furthest < LARGEST:
            return
        self._log.warning("agents_ahead", subject=subject, serial=posted.serial, agents=furthest)
        posted.caught_up = now
        self._take(subject, now, beyond=furthest)
        self._post(subject, posted.setting, posted, now)

    def _post(self, subject: str, setting: Setting, posted: _Posted | None, now: datetime) -> None:
        if not setting.stable:
            self._posted[subject] = replace(posted, setting=setting) if posted else _Posted(setting)
            self.board.post(subject, None)
            return
        baseline, candidate = self._find(subject, setting.stable), self._find(subject, setting.slot)
        serial = self._next(subject, now)
        if baseline is None or serial is None or (setting.slot and candidate is None):
            return  # it is tried again at the next tick
        origin = self._blocks[subject].serials.origin
        application, _, environment = subject.partition("/")
        watched = self._watched(subject)
        snapshot = Snapshot(application, environment, serial, origin, baseline, watched=watched)
        if candidate is not None:
            snapshot = replace(
                snapshot, candidate=candidate, salt=setting.salt, exposure=setting.exposure, rollout=setting.rollout
            )
        known = {**(posted.settings if posted else {}), serial: setting}
        caught_up, known = posted.caught_up if posted else None, dict(list(known.items())[-MOST_KNOWN:])
        self._posted[subject] = _Posted(setting, known, serial, origin, caught_up, watched)
        self.board.post(subject, snapshot)

    def _next(self, subject: str, now: datetime) -> int | None:
        block = self._blocks.get(subject)
        if block is None or not block.left:
            self._take(subject, now)
            block = self._blocks.get(subject)
        if block is None or not block.left:
            return None
        block.next += 1
        return block.next - 1

    def _take_more(self, subject: str, now: datetime) -> None:
        block = self._blocks.get(subject)
        if block is not None and block.left < FEW:
            self._take(subject, now)

    def _take(self, subject: str, now: datetime, beyond: int = 0) -> None:
        least = max(beyond, int(now.timestamp() * 1000))
        try:
            serials = self._reserve(subject, BLOCK)
            if serials.first <= least:
                serials = self._reserve(subject, max(1, least - serials.last) + BLOCK)
        except NotFound:
            return  # it was removed meanwhile
        except TidegateError as error:
            self._log.warning("no_serials", subject=subject, problem=error.what, mend=error.mend)
            return
        self._blocks[subject] = _Block(serials, max(serials.first, serials.last - BLOCK + 1))

    def _find(self, subject: str, version: str) -> FlagDocument | None:
        if not version:
            return None
        try:
            return self._document(subject.partition("/")[0], int(version))
        except TidegateError as error:
            self._log.warning("document_unread", subject=subject, number=version, problem=error.what, mend=error.mend)
            return None


def _shown(setting: Setting) -> Applied:
    return Applied(setting.exposure, setting.stable, setting.slot, setting.salt)


def _together(wanted: Setting, settings: list[Setting | None]) -> Applied:
    seen = [setting for setting in settings if setting is not None]
    if len(seen) < len(settings):
        return UNSEEN
    exposures = [setting.exposure for setting in seen]
    exposure = max(exposures) if max(exposures) > wanted.exposure else min(exposures)
    sides = {(setting.stable, setting.slot, setting.salt) for setting in seen}
    return Applied(exposure, *sides.pop()) if len(sides) == 1 else Applied(exposure)
