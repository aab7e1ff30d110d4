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
    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._pieces: list[str] = []
        self._kind = ""
        self._data: list[str] = []

    def feed(self, piece: str) -> Iterator[Message]:
        """The messages that this piece completes. Raises Invalid when one never seems to end."""
        *whole, rest = piece.split("\n")
        for line in whole:
            self._pieces.append(line)
            yield from self._line("".join(self._pieces).removesuffix("\r"))
            self._pieces.clear()
        if rest:
            self._pieces.append(rest)
        if sum(map(len, self._pieces)) + sum(map(len, self._data)) > self._longest:
            raise Invalid(f"An event has more than {self._longest:,} letters.", "Look what answers at that address.")

    def _line(self, line: str) -> Iterator[Message]:
        if not line:
            if self._data:
                yield Message(self._kind or "message", "\n".join(self._data))
            self._kind = ""
            self._data.clear()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                yield Message("")
            case "event":
                self._kind = value
            case "data":
                self._data.append(value)
