"""Versions that ECS gave up before they were whole, by its circuit breaker.

It may put the service back to the definition before, and soon forgets that there was another. So who asked for it remembers
that it was there. After a crash it is asked for once more, and given up again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tidegate.core.setting import Setting
from tidegate.drivers.aws.alb_seen import Seen, Side

LastWords = Callable[[str, str], str]
"""Of the tasks of this ECS service that ran this task definition."""


class GivenUp:
    """Those of one service, within one operation. Only candidates: whoever serves is put back whenever he is missing."""

    def __init__(self, last_words: LastWords) -> None:
        self._last_words = last_words
        self._operation = ""
        self._starting: dict[str, Side] = {}  # by version, as it was seen last
        self._why: dict[str, str] = {}

    def after(self, setting: Setting, seen: Seen) -> Mapping[str, str]:
        """By version, why it is not asked for again."""
        version = setting.slot
        if setting.rollout != self._operation:
            self._operation, self._starting, self._why = setting.rollout, {}, {}
        side = seen.of(version) if version != setting.stable else None
        if side is None:
            if before := self._starting.pop(version, None):
                now = next(one for one in seen.sides if one.service == before.service)
                self._give_up(before, f"put {before.service} back to what it ran before", now.setback)
        elif side.state == "FAILED":
            self._starting.pop(version, None)
            if version not in self._why:
                self._give_up(side, f"gave up {side.service}", side.why)
        elif side.state == "COMPLETED":
            self._starting.pop(version, None)
        else:
            self._starting[version] = side
        return dict(self._why)

    def _give_up(self, side: Side, what: str, told: str) -> None:
        words = self._last_words(side.service, side.definition.arn)
        why = [one for one in (told, f"its last task: {words}" if words else "") if one]
        self._why[side.version] = f"ECS {what}: {'; '.join(why) or 'it does not say why'}"
