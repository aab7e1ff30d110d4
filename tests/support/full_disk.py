"""Filling a small filesystem to its last byte."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def fill(place: Path) -> Path:
    """The file that takes all the room; remove it, and there is some again."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler
