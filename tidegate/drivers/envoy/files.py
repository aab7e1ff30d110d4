"""The files that Envoy watches. Each is written aside on the same filesystem and put in place by rename.

Envoy sees the old content or the new one, never half of it, and only what changed is written at all. Room for the weights is
kept in reserve: they can be written on a full disk, too.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from tidegate.core.errors import Unreachable

_ASIDE = ".aside"
_FLEETING = ("eds",)  # after a loss of power the tasks are others
_RESERVED = ("rtds",)  # nothing blocks a rollback
_RESERVE = "reserve"
_BLOCK = 4096
_FULL = (errno.ENOSPC, errno.EDQUOT)

_Mark = tuple[int, int, int]


class Files:
    """The files below a run directory, by their path within it."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._aside = run_dir / _ASIDE
        self._known: dict[str, tuple[_Mark, str]] = {}

    def read(self, path: str) -> str:
        """The file's content, "" when there is none. What somebody else wrote is noticed."""
        try:
            mark = _mark(self.run_dir / path)
            known = self._known.get(path)
            if known is None or known[0] != mark:
                known = self._known[path] = (mark, (self.run_dir / path).read_text(errors="replace"))
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise Unreachable(f"{self.run_dir / path} cannot be read: {error.strerror}.") from error
        return known[1]

    def age(self, path: str) -> float:
        """Seconds since the file was written."""
        try:
            return time.time() - (self.run_dir / path).stat().st_mtime
        except OSError:
            return 0.0

    def put(self, path: str, text: str, *, anew: bool = False) -> bool:
        """Makes this the file's content. False when it was already, unless it should be written anew."""
        if self.read(path) == text and not anew:
            return False
        try:
            self._replace(self.run_dir / path, text)
            self._known[path] = (_mark(self.run_dir / path), text)
        except OSError as error:
            self._known.pop(path, None)
            raise Unreachable(f"{self.run_dir / path} cannot be written: {error.strerror}.", _mend(error)) from error
        return True

    def remove(self, path: str) -> None:
        self._known.pop(path, None)
        try:
            (self.run_dir / path).unlink(missing_ok=True)
        except OSError as error:
            raise Unreachable(f"{self.run_dir / path} cannot be removed: {error.strerror}.") from error

    def listing(self, folder: str) -> list[str]:
        """The files of a folder, by their path within the run directory."""
        return sorted(f"{folder}/{path.name}" for path in (self.run_dir / folder).glob("*.json"))

    def _replace(self, target: Path, text: str) -> None:
        for folder in (self._aside, target.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._replace_with(self._aside / target.name, target, text)
        except OSError as error:
            reserve = self._aside / _RESERVE
            if error.errno not in _FULL or target.parent.name not in _RESERVED or not reserve.exists():
                raise
            self._replace_with(reserve, target, text)
        if target.parent.name in _RESERVED:
            self._keep_reserve(len(text.encode()))

    def _replace_with(self, aside: Path, target: Path, text: str) -> None:
        try:
            # Never emptied first: the reserve has its blocks already.
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.truncate()
                file.flush()
                if target.parent.name not in _FLEETING:
                    # A machine that loses power must not come back with an empty file in the place of a good one.
                    os.fsync(file.fileno())
            aside.replace(target)
        except OSError:
            aside.unlink(missing_ok=True)
            raise

    def _keep_reserve(self, size: int) -> None:
        """Blocks for twice as much, or as many as there are: a new service makes the file longer."""
        reserve, wanted = self._aside / _RESERVE, -(-2 * size // _BLOCK) * _BLOCK
        with suppress(OSError):
            if reserve.exists() and reserve.stat().st_size >= wanted:
                return
            handle = os.open(reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(os.urandom(wanted))  # what a filesystem could compress would hold no blocks
                file.flush()
                os.fsync(file.fileno())


def _mark(path: Path) -> _Mark:
    """Changes whenever the file is replaced or written to."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _mend(error: OSError) -> str:
    if error.errno in _FULL:
        return "The disk is full: free some space. The last good files stay in force, and it is tried again by itself."
    return "The last good files stay in force, and it is tried again by itself."
