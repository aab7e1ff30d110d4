"""The whole story of a rollout: every event about it, however many they became."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.ports import Event, Store

AT_ONCE = 1000


def story_of(rollout: str, store: Store, at_once: int = AT_ONCE) -> Sequence[Event]:
    """In order. A rollout that was held for weeks has more of them than are read at once."""
    found: list[Event] = []
    while page := store.events(rollout=rollout, after=found[-1].id if found else 0, limit=at_once):
        found += page
    return found
