"""What a lever should apply, and what it was seen to apply."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.core.exposure import NONE, Exposure
from tidegate.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Errand:
    """What whoever moves the exposure by himself has to be told of the rollout that asks: by which plan, since when, and
    whether it is on its way back."""

    plan: Plan
    since: datetime
    back: bool = False


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
    errand: Errand | None = None  # where somebody else moves the exposure


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
