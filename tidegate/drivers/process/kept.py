"""A process that the supervisor keeps alive: the controller, Envoy. Adopted when it runs, started when it does not.

Its identity is written into a file beside it. A supervisor that was killed before it could write that finds its process
again by the command line, which names the run directory and so belongs to nobody else.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from resource import RLIMIT_NOFILE, prlimit

from tidegate.drivers.process.identity import Identity, alive, boot_id, identify, standing
from tidegate.drivers.process.lock import Lock, hold
from tidegate.drivers.process.sweep import unmarked

_SLACK = 2.0
"""Seconds. Others write the time of day of a start, reckoned from the boot, which the kernel tells in whole seconds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Paths are absolute. The process is told to end by `signal`, and killed `grace` seconds later."""

    name: str
    command: tuple[str, ...]
    pidfile: str
    log: str
    directory: str | None = None
    lock: str | None = None  # held by the process itself, for its whole life
    needs: tuple[str, ...] = ()  # files without which it is not started
    open_files: bool = False  # as many as the system allows
    signal: int = 15
    grace: float = 30.0

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @staticmethod
    def from_json(written: dict[str, object]) -> Kept:
        return Kept(**{key: tuple(value) if isinstance(value, list) else value for key, value in written.items()})  # type: ignore[arg-type]


def find(kept: Kept, thoroughly: bool = False) -> Identity | None:
    """The one that runs now, whoever started it. `thoroughly`: also one that nobody wrote down."""
    with suppress(OSError, ValueError):
        noted = _read(json.loads(Path(kept.pidfile).read_text(encoding="ascii")))
        if noted is not None and alive(noted):
            return noted
    found = _by_command(kept.command) if thoroughly else None
    if found is not None:
        _note(kept, found)
    return found


def start(kept: Kept) -> Identity | None:
    """Starts it in a session of its own, its output appended to its log. None when another one holds its lock."""
    lock = hold(Path(kept.lock), patience=0.1) if kept.lock else None
    if kept.lock and lock is None:
        return None
    try:
        return _spawn(kept, lock)
    finally:
        if lock is not None:
            lock.release()


def _spawn(kept: Kept, lock: Lock | None) -> Identity | None:
    log = _open_log(kept.log)
    try:
        child = subprocess.Popen(
            kept.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=kept.directory,
            env=unmarked(dict(os.environ)),
            pass_fds=(lock.descriptor,) if lock else (),
            start_new_session=True,
        )
    finally:
        os.close(log)
    child.returncode = 0  # reaped by the supervisor's loop, which reaps everybody
    if kept.open_files:
        with suppress(OSError):
            hard = prlimit(child.pid, RLIMIT_NOFILE)[1]
            prlimit(child.pid, RLIMIT_NOFILE, (hard, hard))
    identity = identify(child.pid)
    if identity is not None:
        _note(kept, identity)
    return identity


def _open_log(path: str) -> int:
    """Nowhere, when the disk takes no log: to run without one is better than not to run."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _note(kept: Kept, identity: Identity) -> None:
    """`created` is for those who reckon in the time of day."""
    path = Path(kept.pidfile)
    aside = path.with_name(f"{path.name}.new")
    written = identity.to_json() | {"created": _boot_time() + identity.born / os.sysconf("SC_CLK_TCK")}
    with suppress(OSError):
        aside.write_text(json.dumps(written) + "\n", encoding="ascii")
        aside.replace(path)


def _read(written: dict[str, object]) -> Identity | None:
    """Also what was written by somebody who noted only id and time of day."""
    if (identity := Identity.from_json(written)) is not None:
        return identity
    match written:
        case {"pid": int(pid), "created": float(created)} if (seen := standing(pid)) is not None:
            born = _boot_time() + seen.born / os.sysconf("SC_CLK_TCK")
            return Identity(pid, seen.born, boot_id()) if abs(born - created) < _SLACK else None
    return None


def _boot_time() -> float:
    with suppress(OSError, ValueError, IndexError):
        return float(Path("/proc/stat").read_text(encoding="ascii").split("\nbtime ")[1].split()[0])
    return 0.0


def _by_command(command: tuple[str, ...]) -> Identity | None:
    """A session leader of ours with exactly this command line."""
    wanted = b"".join(os.fsencode(word) + b"\0" for word in command)
    for entry in os.listdir("/proc"):  # noqa: PTH208 - only names are needed
        if not entry.isdigit():
            continue
        with suppress(OSError):
            path = Path("/proc", entry)
            if (path / "cmdline").read_bytes() == wanted and path.stat().st_uid == os.geteuid():
                seen = standing(int(entry))
                if seen is not None and not seen.ended and seen.session == seen.pid:
                    return Identity(seen.pid, seen.born, boot_id())
    return None
