"""The ledger of the demo's users: what each of them got, and when. Kept apart from everything that Tidegate counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

USER = "x-user-id"
VERSION = "x-version"
SAW = "x-saw"
"""Header of an answer: what the application showed, as `new-checkout,swift`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `at` is when it was sent, by the clock that all processes of a machine share (time.monotonic)."""

    at: float
    user: str
    version: str  # "" when no version answered
    saw: frozenset[str]
    status: int  # 0 when nobody answered
    lost: str = ""  # why no version answered

    @property
    def failed(self) -> bool:
        return bool(self.lost) or self.status >= 500

    def line(self) -> str:
        return f"{self.at:.4f}\t{self.user}\t{self.version}\t{','.join(sorted(self.saw))}\t{self.status}\t{self.lost}\n"


def parse(line: str) -> Entry:
    at, user, version, saw, status, lost = line.rstrip("\n").split("\t")
    return Entry(float(at), user, version, frozenset(saw.split(",")) - {""}, int(status), lost)


class Reading:
    """A ledger on disk that is still being written: each look reads what came since the last one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._entries: list[Entry] = []

    def look(self) -> Sequence[Entry]:
        """Everything so far, as it came. A last line that is not whole yet is left for the next look."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._read += len(whole) + len(newline)
            self._entries += [parse(line) for line in whole.decode().split("\n") if line]
        return self._entries


class Ledger:
    """Entries in the order in which they were sent."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = sorted(entries, key=lambda entry: entry.at)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def that(self, fits: Callable[[Entry], bool]) -> Ledger:
        return Ledger(entry for entry in self._entries if fits(entry))

    def between(self, since: float, until: float) -> Ledger:
        return self.that(lambda entry: since <= entry.at < until)

    def of(self, version: str) -> Ledger:
        return self.that(lambda entry: entry.version == version)

    def saw(self, what: str) -> Ledger:
        return self.that(lambda entry: what in entry.saw)

    @property
    def failed(self) -> Ledger:
        return self.that(lambda entry: entry.failed)

    @property
    def users(self) -> frozenset[str]:
        return frozenset(entry.user for entry in self._entries)

    @property
    def first(self) -> float | None:
        return self._entries[0].at if self._entries else None

    @property
    def last(self) -> float | None:
        return self._entries[-1].at if self._entries else None

    def moved_back(self, what: str) -> frozenset[str]:
        """Users who saw this, and afterwards did not any more."""
        had: set[str] = set()
        back: set[str] = set()
        for entry in self._entries:
            if what in entry.saw:
                had.add(entry.user)
            elif entry.user in had and not entry.failed:
                back.add(entry.user)
        return frozenset(back)
