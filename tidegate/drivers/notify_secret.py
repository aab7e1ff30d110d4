"""Secrets of notifications: read at each message, so that they may be renewed; never shown or logged."""

from __future__ import annotations

import os
from pathlib import Path

from tidegate.core.errors import Unreachable

MOST = 10_000
"""Characters."""


def read_secret(place: str) -> str:
    """`env:NAME` or `file:PATH`. Raises Unreachable: it may be put there later, and the message is sent then."""
    kind, _, name = place.partition(":")
    if kind == "env":
        found = os.environ.get(name, "").strip()
        if not found:
            raise Unreachable(f"The environment of the controller has no {name}.", f"Set {name} where tidegate up runs.")
        return found
    try:
        with Path(name).open() as file:
            found = file.read(MOST).strip()
    except (OSError, ValueError) as wrong:
        raise Unreachable(f"{name} cannot be read by the controller.", "Make it readable for its user.") from wrong
    if not found:
        raise Unreachable(f"{name} is empty.", "Put the secret there.")
    return found
