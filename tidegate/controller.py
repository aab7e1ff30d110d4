"""The controller process: the loop, the API and the postman, around one house. `python -m tidegate.controller`.

It may be killed at any instant: tasks and Envoy go on, the supervisor starts it again, and it goes on where it was written
down. It ends by SIGTERM and leaves everything running; what runs is ended by `tidegate down`. SIGUSR1 writes into its log where
each of its threads is.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import structlog

from tidegate.core.errors import TidegateError
from tidegate.settings import read_settings

if TYPE_CHECKING:
    from tidegate.engine.loop import Loop
    from tidegate.engine.teller import Postman

SOON = timedelta(milliseconds=50)
"""The pause between ticks while something was asked for and not seen yet."""

LETTERS_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Pulse:
    """When the loop last went round, and what troubled it. Shown by `tidegate doctor` and /v1/health."""

    ticked: datetime | None = None
    took: timedelta = timedelta(0)
    problem: str = ""


class Poked:
    """What wakes the loop: from any thread, and from a signal handler, which must wait for no lock.

    `threading.Event` holds one while it begins and ends to wait, and a handler that sets it runs in the same thread. That
    `put` may interrupt `get` is promised by the standard library's `queue.SimpleQueue`.
    """

    def __init__(self) -> None:
        self._pokes: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        if self._pokes.empty():
            self._pokes.put(None)

    def wait(self, seconds: float) -> bool:
        """True as soon as somebody has poked since the last time it was cleared; False after so many seconds."""
        try:
            self._pokes.get(timeout=seconds)
        except Empty:
            return False
        return True

    def clear(self) -> None:
        while not self._pokes.empty():
            with suppress(Empty):
                self._pokes.get_nowait()


class Beating:
    """Runs the loop until it is stopped. Trouble is told once, and never ends it."""

    def __init__(
        self,
        loop: Loop,
        *,
        every: timedelta,
        clock: Callable[[], datetime],
        poked: Poked,
        also: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._also = also  # done after every tick, whatever became of the tick
        self._every = every
        self._clock = clock
        self._poked = poked
        self._stopped = False
        self._log = structlog.get_logger()
        self._told: set[str] = set()  # what troubled the last tick
        self.pulse = Pulse()

    def run(self, pause: float = 0.0) -> None:
        """Again and again, until it is stopped; the first time after so many seconds."""
        while True:
            self._poked.wait(pause)
            self._poked.clear()
            if self._stopped:  # looked at after the clearing: what is told from here on wakes the next waiting
                return
            pause = self.beat()

    def beat(self) -> float:
        """One look; the seconds until the next one."""
        begun = time.monotonic()
        moving = self._tick(begun)
        took = time.monotonic() - begun
        return SOON.total_seconds() if moving else max(0.0, self._every.total_seconds() - took)

    def stop(self) -> None:
        """Also from a signal handler."""
        self._stopped = True
        self._poked.set()

    def _tick(self, begun: float) -> bool:
        """The loop first: nothing keeps it from its rollouts."""
        now = self._clock()
        moving, trouble = self._untroubled(lambda: self._loop.tick(now))
        _, other = self._untroubled(self._also)
        self._told = {trouble, other}
        ticked, took = (self.pulse.ticked, self.pulse.took) if trouble else (now, timedelta(seconds=time.monotonic() - begun))
        self.pulse = Pulse(ticked, took, trouble or other or self._loop.problem)
        return bool(moving)

    def _untroubled(self, do: Callable[[], object]) -> tuple[object, str]:
        """Does it, and says what troubled it; "" when nothing did."""
        try:
            return do(), ""
        except TidegateError as error:
            if error.what not in self._told:
                self._log.error("controller_troubled", problem=error.what, mend=error.mend)
            return None, error.what
        except Exception as error:
            # A fault of ours in one tick must not leave rollouts without a loop: it is told once, and tried again.
            what = f"{type(error).__name__}: {error}"
            if what not in self._told:
                self._log.exception("tick_failed", mend="Please report this.")
            return None, what


class Posting:
    """Runs the postman beside the loop."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._stopped = threading.Event()
        self._log = structlog.get_logger()

    def run(self, postman: Postman) -> None:
        while not self._stopped.wait(LETTERS_EVERY):
            try:
                postman.deliver(self._clock())
            except TidegateError as error:
                self._log.warning("postman_troubled", problem=error.what)
            except Exception:
                self._log.exception("postman_failed")

    def stop(self) -> None:
        self._stopped.set()


def main() -> int:
    """Until SIGTERM. Exits with 0 also when another controller of this home runs: there is nothing to do then."""
    gc.disable()  # until the first look: what is imported stays
    faulthandler.register(signal.SIGUSR1)
    from tidegate.wiring import control  # noqa: PLC0415 - the house is heavy; errors of it are to be logged

    configure_logs()
    return control(read_settings())


def configure_logs() -> None:
    """One JSON object a line on standard error, which is the controller's log file."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Spoken,
    )


class _Spoken:
    """Writes line by line to standard error, which is a file. A full disk ends nobody who says something."""

    def __init__(self, *_: object) -> None:
        pass

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = msg


if __name__ == "__main__":
    sys.exit(main())
