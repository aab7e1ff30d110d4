"""What tasks say: one file a task, RUN/logs/SERVICE/TASK.log.

A task writes straight into its file (opened for appending), so its output depends on no reader that could die. Here they
are opened and read; rotation.py keeps them small. `.1` is the file before, and so on.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TAIL_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    task: str
    text: str


def log_path(run_dir: Path, service: str, task: str) -> Path:
    return run_dir / "logs" / service / f"{task}.log"


def open_log(path: Path) -> int:
    """A file descriptor for the output of a new process. The caller closes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def read_logs(run_dir: Path, service: str, version: str | None = None, task: str | None = None, lines: int = 200) -> list[Line]:
    """The last lines of each task that fits, task by task."""
    found = []
    for name, path in log_files(run_dir, service, version, task):
        found += [Line(name, text) for text in tail(path, lines)]
    return found


def log_files(run_dir: Path, service: str, version: str | None = None, task: str | None = None) -> list[tuple[str, Path]]:
    """Task ids and their logs, in the order of versions and numbers."""
    named = re.compile(rf"{re.escape(service)}-(.+)-(\d+)\.log")
    found = []
    for path in (run_dir / "logs" / service).glob("*.log"):
        match = named.fullmatch(path.name)
        if match and version in (None, match[1]) and task in (None, path.name[:-4]):
            found.append((match[1], int(match[2]), path))
    return [(path.name[:-4], path) for _, _, path in sorted(found)]


def tail(path: Path, lines: int, since: int = 0) -> list[str]:
    """The last lines of a log and, where they do not suffice, of the file before it. `since`: not what stands before."""
    texts = _last_lines(path, lines, since)
    number = 1
    while len(texts) < lines and since == 0 and (before := path.with_name(f"{path.name}.{number}")).exists():
        texts = _last_lines(before, lines - len(texts), 0) + texts
        number += 1
    return texts


def _last_lines(path: Path, lines: int, since: int) -> list[str]:
    if lines <= 0:
        return []
    try:
        with path.open("rb") as file:
            start = file.seek(0, os.SEEK_END)
            # A file smaller than that was rotated since.
            since = since if since <= start else 0
            found = b""
            while start > since and found.count(b"\n") <= lines:
                block = min(_TAIL_BLOCK, start - since)
                start -= block
                file.seek(start)
                found = file.read(block) + found
    except FileNotFoundError:
        return []
    return [text.decode(errors="replace") for text in found.splitlines()[-lines:]]


Stamp = tuple[int, int] | None
"""Which file it is: inode numbers alone are given out again."""


@dataclass(slots=True)
class _Place:
    """How far a log was read: in the file itself, and which file was the one before it (`.1`) then."""

    position: int
    before: Stamp
    rest: bytes = b""
    waited: bool = False


def follow(
    run_dir: Path,
    service: str,
    version: str | None = None,
    task: str | None = None,
    *,
    lines: int = 0,
    pause: float = 0.2,
) -> Iterator[Line | None]:
    """The last lines, then every new one of every task that fits, also of tasks that come later, across rotations.

    Gives None when there is nothing new, after a pause, so that the reader can look about. Ends when the reader stops.
    """
    places: dict[Path, _Place] = {}
    for name, path in log_files(run_dir, service, version, task):
        places[path] = _Place(_size(path), _stamp(_before(path)))
        yield from (Line(name, text) for text in tail(path, lines))
    while True:
        quiet = True
        for name, path in log_files(run_dir, service, version, task):
            place = places.setdefault(path, _Place(0, _stamp(_before(path))))
            for text in _new_lines(path, place):
                quiet = False
                yield Line(name, text)
        if quiet:
            yield None
            time.sleep(pause)


def _new_lines(path: Path, place: _Place) -> list[str]:
    found = place.rest
    before = _stamp(_before(path))
    if before != place.before:
        if not place.waited and _size(path) >= _size(_before(path)):
            # Copied and not yet truncated: reading now would read everything twice.
            place.waited = True
            return []
        found += _rotated_away(path, place)
        place.position, place.before, place.waited = 0, before, False
    elif _size(path) < place.position:
        place.position = 0  # emptied without a copy: somebody did it by hand, or the disk was full
    fresh = _read_from(path, place.position)
    place.position += len(fresh)
    *whole, place.rest = (found + fresh).split(b"\n")
    return [line.decode(errors="replace") for line in whole]


def _rotated_away(path: Path, place: _Place) -> bytes:
    """What was written before the rotations since then, oldest first."""
    files: list[Path] = []
    while (older := path.with_name(f"{path.name}.{len(files) + 1}")).exists() and _stamp(older) != place.before:
        files.append(older)
    texts = [_read_from(older, 0) for older in reversed(files)]
    if texts:
        texts[0] = texts[0][place.position :]
    return b"".join(texts)


def _read_from(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read()
    except FileNotFoundError:
        return b""


def _before(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
