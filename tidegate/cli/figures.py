"""Figures as people read them, and times where the reader sits."""

from __future__ import annotations

from datetime import datetime

from tidegate.core.figures import NONE as NONE
from tidegate.core.figures import milliseconds as milliseconds
from tidegate.core.figures import rate as rate
from tidegate.core.figures import share as share
from tidegate.core.figures import span as span


def clock(at: datetime) -> str:
    """Time of day here, where the reader sits."""
    return at.astimezone().strftime("%H:%M:%S")


def moment(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def day(at: datetime) -> str:
    """For lists: the year is known, and seconds do not matter."""
    return at.astimezone().strftime("%b %d %H:%M")
