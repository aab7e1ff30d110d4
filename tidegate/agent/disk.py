"""The snapshot on disk: written aside and put in place by rename, so that a reader finds the old one or the new one.

What cannot be read is told and ignored, never believed; what cannot be written is told and does no harm: the agent goes on
with what it holds in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from tidegate.agent import logs
from tidegate.core.errors import TidegateError
from tidegate.core.flags.snapshot import Snapshot, decode_snapshot, encode_snapshot

LONGEST_NAME = 80
"""Letters of a file's name for each of application and environment; filesystems allow 255 in all."""


class Disk:
    """One file for one application in one environment. Several processes may share it."""

    def __init__(self, directory: Path, application: str, environment: str, clock: Callable[[], float] = time.time) -> None:
        self.path = directory / f"{_plain(application)}@{_plain(environment)}.snapshot"
        self._clock = clock
        self._full = False

    def read(self) -> tuple[Snapshot, float] | None:
        """The snapshot, and for how many seconds nobody has confirmed it; None when there is none to be believed."""
        try:
            text = self.path.read_text("ascii")
            written = self.path.stat().st_mtime
            # A clock that was put back makes it look younger than it is, but never younger than nothing.
            return decode_snapshot(text), max(0.0, self._clock() - written)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, TidegateError) as error:
            logs.warning("agent_cache_ignored", file=str(self.path), why=_why(error))
            return None

    def write(self, snapshot: Snapshot) -> bool:
        """Whether it is on disk now."""
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}.{threading.get_native_id()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_through(aside, encode_snapshot(snapshot))
            aside.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            self._tell(error)
            return False
        self._full = False
        return True

    def touch(self) -> None:
        """The control plane has confirmed what is there."""
        with contextlib.suppress(OSError):
            os.utime(self.path)

    def _tell(self, error: OSError) -> None:
        """Once, until it works again: a full disk needs no line a second."""
        if not self._full:
            logs.warning("agent_cache_not_written", file=str(self.path), why=_why(error))
        self._full = True


def _write_through(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _plain(name: str) -> str:
    """The name as a part of a file's name: it leads nowhere else, and no other name becomes the same."""
    plain = quote(name, safe="", errors="surrogatepass").replace(".", "%2E")
    if len(plain) <= LONGEST_NAME:
        return plain
    return plain[: LONGEST_NAME - 17] + "~" + hashlib.sha256(plain.encode()).hexdigest()[:16]


def _why(error: Exception) -> str:
    return error.what if isinstance(error, TidegateError) else f"{type(error).__name__}: {getattr(error, 'strerror', error)}"
