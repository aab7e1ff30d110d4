"""What was fetched from where somebody else deploys flags. Drivers fetch it, the agent takes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fetched:
    content: bytes
    """Empty: it is what was fetched before."""
    again: float
    """Seconds until it may be asked again."""
