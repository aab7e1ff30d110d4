"""A lock file says that there is one controller, one supervisor. The kernel lets it go when its holder dies, however it dies.

with hold(path) as held:      None when somebody else holds it
    if held is None: ...
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tidegate.drivers.process.identity import Identity, alive, identify


class Lock:
    """A held lock. Its holder's identity stands in the file, for those who want to know whom to ask."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def note(self) -> None:
        """Writes us into the file."""
        us = identify(os.getpid())
        os.ftruncate(self.descriptor, 0)
        with suppress(OSError):
            os.pwrite(self.descriptor, json.dumps(us.to_json() if us else {}).encode(), 0)

    def release(self) -> None:
        os.close(self.descriptor)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def hold(path: Path, patience: float = 1.0) -> Lock | None:
    """The lock, or None when somebody else has held it for `patience` seconds: a glance of `is_held` is shorter."""
    limit = time.monotonic() + patience
    while True:
        lock = _try(path)
        if lock is not None or time.monotonic() > limit:
            return lock
        time.sleep(0.02)


def _try(path: Path) -> Lock | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Somebody may have removed the file meanwhile: then this lock keeps nobody out.
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            lock = Lock(path, descriptor)
            lock.note()
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def is_held(path: Path) -> bool:
    """A glance that leaves the lock alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> Identity | None:
    """Who holds it now; None when nobody does, or when he has not written himself in yet."""
    if not is_held(path):
        return None
    try:
        noted = Identity.from_json(json.loads(path.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return None
    return noted if noted is not None and alive(noted) else None
