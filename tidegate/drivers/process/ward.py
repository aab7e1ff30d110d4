"""One kept process as the supervisor looks after it: brought back when it is gone, with patience when it fails.

Who was killed is back at once. Who ends by himself soon after his start is given ever more time, and it is told.
"""

from __future__ import annotations

import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tidegate.drivers.process.identity import Identity, alive
from tidegate.drivers.process.kept import Kept, find, start

POLL = 0.1
"""Seconds between two looks at those that are not our children."""
_AT_ONCE = 5.0
"""Seconds. Who ends sooner than this after its start, and by itself, is brought back with a growing pause."""
_LONGEST_PAUSE = 30.0
_KILLED = (-signal.SIGKILL, None)
"""Ended by somebody else's hand, as far as we know."""


class Ward:
    """One kept process, and how patient we are with it."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.process: Identity | None = None
        self._begun = 0.0
        self._failures = 0
        self._not_before = 0.0

    def look(self, codes: dict[int, int]) -> None:
        """Brings it back when it is gone. `codes`: how our children ended since."""
        if self.process is not None:
            code = codes.get(self.process.pid)
            if code is None and alive(self.process):
                return
            self._see_ended(code)
        now = time.monotonic()
        if now >= self._not_before and all(Path(needed).exists() for needed in self.kept.needs):
            self._bring_back(now)

    def _bring_back(self, now: float) -> None:
        # The first look, and one after a quick end, is thorough: perhaps it ended because another one runs.
        thorough = self._begun == 0.0 or self._failures > 0
        self.process = find(self.kept, thorough)
        if self.process is not None:
            tell(f"{self.kept.name} runs as process {self.process.pid}")
        else:
            try:
                self.process = start(self.kept)
            except OSError as error:
                tell(f"{self.kept.name} could not be started: {error}")
            else:
                tell(f"{self.kept.name} started as process {self.process.pid if self.process else '?'}")
        self._begun = now
        if self.process is None:
            self._wait_longer()

    def _see_ended(self, code: int | None) -> None:
        pid = self.process.pid if self.process else 0
        self.process = None
        lived = time.monotonic() - self._begun
        tell(f"{self.kept.name}, process {pid}, ended {_said(code)} after {lived:.1f} s")
        if code in _KILLED or lived > _AT_ONCE:
            self._failures = 0
        else:
            self._wait_longer()

    def _wait_longer(self) -> None:
        self._failures += 1
        pause = min(POLL * 2.0**self._failures, _LONGEST_PAUSE)
        self._not_before = time.monotonic() + pause
        if self._failures > 1:
            tell(f"{self.kept.name} failed {self._failures} times in a row; the next start is in {pause:.1f} s")


def _said(code: int | None) -> str:
    if code is None:
        return "(nobody knows how)"
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def tell(sentence: str) -> None:
    """Into the log, which is our standard error. Nothing that happens to the log ends the supervisor."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} supervisor: {sentence}\n")
        sys.stderr.flush()
