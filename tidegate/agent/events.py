"""Server-sent events, as the control plane streams them. Pure: it gets pieces of text, and gives what is complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.core.errors import Invalid

LONGEST = 64 * 1024 * 1024
"""Letters of one event. A document of 10,000 flags takes about 3 million."""


@dataclass(frozen=True, slots=True)
class Message:
    """`kind` is empty for a comment: a sign of life and nothing more."""

    kind: str
    data: str = ""


class Parser:
    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._kind = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: str) -> Iterator[Message]:
        """The messages that this piece completes. Raises Invalid when one never seems to end."""
        self._size += len(piece)
        if self._size > LONGEST:
            raise Invalid(f"An event has more than {LONGEST:,} letters.", "Look what answers at the control plane's address.")
        *whole, rest = piece.split("\n")
        for line in whole:
            self._pieces.append(line)
            yield from self._line("".join(self._pieces).removesuffix("\r"))
            self._pieces.clear()
        if rest:
            self._pieces.append(rest)

    def _line(self, line: str) -> Iterator[Message]:
        if not line:
            if self._data:
                yield Message(self._kind or "message", "\n".join(self._data))
            self._kind, self._size = "", 0
            self._data.clear()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self._size = sum(map(len, self._data))
                yield Message("")
            case "event":
                self._kind = value
            case "data":
                self._data.append(value)
