"""Whether anything would take a change of flags back by itself; whoever releases one is asked when nothing would."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Guard(Protocol):
    @property
    def rollback(self) -> bool: ...

    @property
    def armed(self) -> str: ...


def unprotected(*, replaces: bool, agents: int, reported: float | None, guards: Iterable[Guard], led: str = "") -> str:
    """Why nobody would take this change back by himself; "" when somebody would, or nobody gets it. `replaces`: something is in
    force and is changed; `reported`: requests a second whose ends the agents report, None for none; `led`: who deploys it, when
    that is not us: nobody knows then who reads it, and its monitors are among the guards."""
    if not replaces or not (agents or led) or any(guard.rollback and guard.armed != "no" for guard in guards):
        return ""
    if led:
        return (
            f"Nothing protects this change: {led} monitors no alarm in this environment, and there is none in its file.\n"
            f"Give the environment in {led} a monitor, or write an alarm into the environment file."
        )
    if reported is None:
        return (
            "Nothing protects this change: there is no alarm, and no agent reports how requests end.\n"
            "Put the middleware around the application (docs/agent.md), or write an alarm into the environment file."
        )
    return "Nothing protects this change: no guard that may take it back is armed."
