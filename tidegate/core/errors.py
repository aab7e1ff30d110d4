"""The one tree of errors.

`Refused`: asked for something impossible; asking again will not help.
`Unreachable`: the world did not answer; we try again.

Each says what happened, with its values, and how to mend it. The API answers both sentences as an RFC 9457 problem
document, the CLI prints them.
"""

from __future__ import annotations


def quote(value: object) -> str:
    """A wrong value as a sentence shows it: on one line, short, whatever it is."""
    match value:
        case str():
            return repr(value) if len(value) <= 60 else f"{value[:60]!r}..."
        case None | bool() | float():
            return repr(value)
        case int():
            return str(value) if abs(value) < 10**20 else "a very large number"
        case _:
            return f"a {type(value).__name__}"


class TidegateError(Exception):
    """What went wrong (`what`, one sentence with its values) and what to do about it (`mend`)."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what, mend)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what}\n{self.mend}"


class Refused(TidegateError):
    """Asked for something impossible; asking again will not help."""


class NotFound(Refused):
    """Nothing is known under this name."""


class Conflict(Refused):
    """It collides with something that is under way or already there."""


class Invalid(Refused):
    """A document or an argument is not what it should be. `where` is its place, as `alarms[0].above`."""

    def __init__(self, what: str, mend: str, where: str = "") -> None:
        super().__init__(what, mend)
        self.where = where


class NotRouted(Refused):
    """The router rejects the configuration of these `services`; what was asked for all others is in force."""

    def __init__(self, what: str, mend: str, services: tuple[str, ...]) -> None:
        super().__init__(what, mend)
        self.services = services


class Stale(TidegateError):
    """Somebody else wrote this rollout since it was read. Read it again; nothing was changed."""

    def __init__(self, rollout: str) -> None:
        super().__init__(f"{rollout} was changed by somebody else meanwhile.", "Read it again and repeat.")


class Unreachable(TidegateError):
    """The world did not answer; we try again."""

    def __init__(self, what: str, mend: str = "Nothing was changed; it is tried again by itself.") -> None:
        super().__init__(what, mend)
