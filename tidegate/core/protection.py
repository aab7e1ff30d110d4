"""Whether anything would take a change of flags back by itself; whoever releases one is asked when nothing would."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Guard(Protocol):
    @property
    def rollback(self) -> bool: ...

    @property
    def armed(self) -> str: ...


def unprotected(*, replaces: bool, agents: int, reported: float | None, guards: Iterable[Guard]) -> str:
    """Why nobody would take this change back by himself; "" when somebody would, or nobody gets it. `replaces`: something is in
    force and is changed; `reported`: requests a second whose ends the agents report, None for none."""
    if not replaces or not agents or any(guard.rollback and guard.armed != "no" for guard in guards):
        return ""
    if reported is None:
        return (
            "Nothing protects this change: there is no alarm, and no agent reports how requests end.\n"
            "Put the middleware around the application (docs/agent.md), or write an alarm into the environment file."
        )
    return "Nothing protects this change: no guard that may take it back is armed."
