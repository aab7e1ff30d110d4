"""An alarm of CloudWatch that whoever leads a rollout watches by himself: he takes back what he deploys while it fires."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.core.alarm_state import AlarmState


@dataclass(frozen=True, slots=True)
class Monitor:
    """`state` is None where it can fire at nobody: there is no such alarm, or its actions are switched off."""

    name: str
    state: AlarmState | None = None

    @property
    def trouble(self) -> str:
        """Why everything is taken back at once now; "" while it is not."""
        match self.state:
            case AlarmState.ALARM:
                return "is in ALARM"
            case AlarmState.INSUFFICIENT_DATA:
                return "has no data (INSUFFICIENT_DATA)"
            case _:
                return ""

    @property
    def mend(self) -> str:
        if self.state is AlarmState.ALARM:
            return "Wait until it is over, or take it out of the environment's monitors."
        return "Let it treat missing data as notBreaching, or take it out of the environment's monitors."

    def warns(self, led: str) -> str:
        """What whoever does something at once has to know."""
        return (
            f"The alarm {self.name}, which {led} monitors, {self.trouble}: {led} takes back at once whatever is deployed "
            f"meanwhile; only a revert of its last deployment stays. {self.mend}"
        )


def troubled(monitors: Iterable[Monitor]) -> Monitor | None:
    """The first that would take everything back."""
    return next((monitor for monitor in monitors if monitor.trouble), None)
