"""What a lever should apply, and what it was seen to apply."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.core.exposure import NONE, Exposure


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything a lever needs to know about one subject: who is stable, who is in the candidate's slot, for how many.

    `stable` and `slot` are versions (of a service or a flag document); "" is empty.
    """

    stable: str
    slot: str = ""
    exposure: Exposure = NONE
    salt: str = ""
    rollout: str = ""  # that asks for it; what is applied does not depend on it


@dataclass(frozen=True, slots=True)
class Applied:
    """What a lever has acknowledged. None: cannot be seen, or not acknowledged yet. "" is empty."""

    exposure: Exposure | None = None
    stable: str | None = None
    slot: str | None = None
    salt: str | None = None

    def shows(self, setting: Setting) -> bool:
        """Whether everything that was asked for is seen in force."""
        return self == Applied(setting.exposure, setting.stable, setting.slot, setting.salt)


UNSEEN = Applied()
