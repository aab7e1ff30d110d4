"""Versions that ECS took away again before they were whole: its circuit breaker, when it rolls back.

ECS then runs the definition before, and soon forgets that there was another. So who asked for it remembers that it was
there. After a crash it is asked for once more, and given up again.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.core.setting import Setting
from tidegate.drivers.aws.alb_seen import Seen


class GivenUp:
    """Those of one service, within one operation. Only candidates: whoever serves is put back whenever he is missing."""

    def __init__(self) -> None:
        self._operation = ""
        self._starting: dict[str, str] = {}  # by version: the ECS service that was to run it
        self._why: dict[str, str] = {}

    def after(self, setting: Setting, seen: Seen) -> Mapping[str, str]:
        """By version, why it is not asked for again."""
        if setting.rollout != self._operation:
            self._operation, self._starting, self._why = setting.rollout, {}, {}
        side = seen.of(setting.slot) if setting.slot != setting.stable else None
        if side is not None and side.state != "COMPLETED":
            self._starting[side.version] = side.service
        elif side is not None:
            self._starting.pop(side.version, None)
        elif service := self._starting.pop(setting.slot, ""):
            told = next(one.setback for one in seen.sides if one.service == service)
            self._why[setting.slot] = f"{service} was put back to what it ran before: {told or 'ECS does not say why'}"
        return dict(self._why)
