"""Ends what nobody knows: children that outlived their task, and starts that were never noted.

A thread, mostly asleep. It looks through all processes for our mark: at once and often while something is to be buried,
and every ten seconds for the unexpected. Between two looks it keeps the logs small.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

import structlog

from tidegate.drivers.process.identity import Identity, alive
from tidegate.drivers.process.rotation import prune, rotate_all
from tidegate.drivers.process.sweep import INSTANCE, TASK, Marked, marked

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL for a process that nobody knows."""
_OFTEN, _SELDOM, _ROTATE = 0.1, 10.0, 1.0


class Undertaker:
    """`known` are the starts that may live; every other process with the mark of a start is ended."""

    def __init__(self, run_dir: Path, run: str, log_size: int, log_files: int) -> None:
        self._run_id = run
        self._run_dir = run_dir
        self._log_size = log_size
        self._log_files = log_files
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._graves: dict[str, float] = {}  # start to be buried, and its grace
        self._told: dict[Identity, float] = {}  # told to end, and when it is killed
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """From now on; all that run rightly were expected before."""
        self._wake.set()
        with self._lock:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._work, name="tidegate-undertaker", daemon=True)
                self._thread.start()

    def expect(self, instance: str) -> None:
        """This start is about to happen."""
        with self._lock:
            self._known.add(instance)

    def bury(self, instance: str, grace: float) -> None:
        """Its process ended. Whatever is left of it ends now, killed after `grace` seconds."""
        with self._lock:
            self._known.discard(instance)
            self._graves[instance] = grace
        self._wake.set()

    def buried(self, instance: str) -> bool:
        """Whether nothing of it is left."""
        with self._lock:
            return instance not in self._graves

    def sweep(self) -> bool:
        """One look through all processes. True when nothing is left to be ended."""
        with self._lock:
            graves = dict(self._graves)
        found = [one for one in marked(self._run_id) if INSTANCE in one.marks]
        with self._lock:
            # Asked after the look: who was started meanwhile was expected before.
            strangers = [one for one in found if one.marks[INSTANCE] not in self._known]
            for instance in graves.keys() - {one.marks[INSTANCE] for one in found}:
                del self._graves[instance]
        for one in strangers:
            self._end(one, graves.get(one.marks[INSTANCE], GRACE))
        self._told = {identity: when for identity, when in self._told.items() if alive(identity)}
        return not strangers

    def kill_all(self, within: float) -> list[int]:
        """Kills all that carry the mark of a start, known or not. Tells the ids of those that do not end."""
        limit = time.monotonic() + within
        while True:
            left = [one for one in marked(self._run_id) if INSTANCE in one.marks]
            if not left or time.monotonic() > limit:
                return [one.identity.pid for one in left]
            for one in left:
                _signal(one.identity, SIGKILL)
            time.sleep(0.01)

    def close(self) -> None:
        with self._lock:
            self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        swept = rotated = time.monotonic()
        pause = _ROTATE
        while not self._closing:
            woken = self._wake.wait(pause)
            self._wake.clear()
            now = time.monotonic()
            if now - rotated > _ROTATE:
                rotated = now
                rotate_all(self._run_dir, self._log_size, self._log_files)
            if woken or pause < _ROTATE or now - swept > _SELDOM:
                if now - swept > _SELDOM:
                    prune(self._run_dir)
                swept = now
                calm = self.sweep() and not self._graves
                # With thousands of processes a look takes its time; most of ours is left to others.
                pause = _ROTATE if calm else min(max(_OFTEN, 3 * (time.monotonic() - now)), _ROTATE / 2)

    def _end(self, one: Marked, grace: float) -> None:
        when = self._told.get(one.identity)
        if when is None:
            self._told[one.identity] = time.monotonic() + grace
            structlog.get_logger().info("ending what is left of a task", task=one.marks.get(TASK), pid=one.identity.pid)
            _signal(one.identity, SIGTERM)
        elif time.monotonic() >= when:
            _signal(one.identity, SIGKILL)


def _signal(identity: Identity, number: Signals) -> None:
    if alive(identity):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(identity.pid, number)
