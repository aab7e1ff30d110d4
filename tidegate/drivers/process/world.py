"""What the keeper of tasks asks of the machine: real processes (machine.py), or pretended ones (memory_runtime.py)."""

from __future__ import annotations

from collections.abc import Collection
from signal import Signals
from typing import Protocol

from tidegate.core.service import Service
from tidegate.drivers.process.identity import Identity
from tidegate.drivers.process.life import Verdict
from tidegate.drivers.process.record import Record


class World(Protocol):
    def load(self) -> tuple[list[Record], float]:
        """What the controller before us wrote down, with the process of each start that it did not come to note, and
        where its clock stood. Processes of ours that nobody knows of are ended."""

    def save(self, record: Record) -> None:
        """Writes one record down. Raises Unreachable, with nothing changed, when the disk does not take it."""

    def forget(self, record: Record) -> None:
        """The task is gone."""

    def save_clock(self, seconds: float) -> None:
        """Where the clock stands now. May be lost."""

    def free_port(self, taken: Collection[int]) -> int:
        """A port on 127.0.0.1 that nobody listens on and that is not among these."""

    def new_instance(self) -> str:
        """A mark for one start, never used before."""

    def start(self, record: Record, service: Service) -> Identity:
        """Starts the process. Raises Refused when the command cannot be run, Unreachable when the machine cannot now."""

    def ended(self, record: Record) -> str | None:
        """None while the process runs; afterwards how it ended, as `with exit code 1`."""

    def signal(self, record: Record, number: Signals) -> None:
        """To the process and its group."""

    def bury(self, record: Record) -> None:
        """Ends the children that an ended process left behind."""

    def left(self, record: Record) -> bool:
        """Whether some of those still run."""

    def last_words(self, record: Record) -> str:
        """The last lines of this start's output, or nothing."""

    def watch(self, record: Record, service: Service) -> None:
        """Checks this start's health from now on, beginning from the record's state."""

    def unwatch(self, record: Record) -> None: ...

    def verdict(self, record: Record) -> Verdict: ...

    def seconds(self) -> float:
        """For measuring how long something took; not the time of day."""

    def rest(self, seconds: float) -> None:
        """Waits, while everything ends."""

    def clear(self) -> None:
        """Kills whatever still carries our mark, known or not. Raises Unreachable when something does not end."""
