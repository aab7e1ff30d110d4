"""Flags that should be gone: past their expiry or planned deprecation. Each costs everybody who reads the code a question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from tidegate.core.flags.codec import LazyFlags
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag


@dataclass(frozen=True, slots=True)
class Stale:
    flag: str
    owner: str
    since: date
    why: str


def stale(document: FlagDocument, today: date) -> tuple[Stale, ...]:
    """The longest overdue first. A flag is not stale on the day itself."""
    flags = document.flags
    dated = flags.having("expires", "deprecated") if isinstance(flags, LazyFlags) else flags.values()
    found = (each for flag in dated for each in _of(flag, today))
    return tuple(sorted(found, key=lambda each: (each.since, each.flag)))


def _of(flag: Flag, today: date) -> Iterator[Stale]:
    if flag.expires is not None and flag.expires < today:
        yield Stale(flag.name, flag.owner, flag.expires, f"It expired on {flag.expires}, {_ago(flag.expires, today)} ago.")
    elif flag.deprecated_on is not None and flag.deprecated_on < today:
        on = flag.deprecated_on
        yield Stale(flag.name, flag.owner, on, f"It was to go by {on}, {_ago(on, today)} ago.")


def _ago(since: date, today: date) -> str:
    days = (today - since).days
    return f"{days} day{'' if days == 1 else 's'}"
