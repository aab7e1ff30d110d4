"""Keeps logs small: by copy and truncate, so that a writer who has the file open notices nothing.

`.1` is the file before, `.2` the one before that. Done by whoever runs: the runtime for tasks, the supervisor for what it
keeps. Only the standard library is imported.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

SIZE = 10 * 1024 * 1024
FILES = 3
"""The file itself and those before."""
ENDED = 40
"""Logs of ended tasks that are kept for each service."""


def rotate(path: Path, size: int = SIZE, files: int = FILES) -> bool:
    """Starts the file anew when it is larger than this. A crash in between loses nothing (some lines may stand twice)."""
    with suppress(FileNotFoundError):
        if path.stat().st_size <= size:
            return False
        aside = path.with_name(f"{path.name}.new")
        try:
            _copy_and_truncate(path, aside, files)
        except OSError:
            # No room for a copy. That the log does not fill the disk matters more than its old lines.
            with suppress(OSError):
                aside.unlink()
            os.truncate(path, 0)
        return True
    return False


def _copy_and_truncate(path: Path, aside: Path, files: int) -> None:
    earlier = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, files))]
    if files > 1:
        with suppress(FileNotFoundError):
            earlier[-1].unlink()
        with path.open("rb") as source, aside.open("wb") as copy:
            _copy(source, copy)
            for older, old in zip(reversed(earlier), list(reversed(earlier))[1:-1], strict=False):
                with suppress(FileNotFoundError):
                    old.rename(older)
            # What was written while the copy was made, down to the last moment.
            _copy(source, copy)
            copy.flush()
            aside.rename(earlier[1])
            _copy(source, copy)
            copy.flush()
            os.truncate(path, 0)
    else:
        os.truncate(path, 0)


def _copy(source: BinaryIO, copy: BinaryIO) -> None:
    while block := source.read(1 << 18):
        copy.write(block)


def rotate_all(run_dir: Path, size: int = SIZE, files: int = FILES) -> None:
    """Rotates the logs of all tasks that grew too large."""
    with suppress(FileNotFoundError):
        for service in os.scandir(run_dir / "logs"):
            if service.is_dir():
                for entry in os.scandir(service.path):
                    with suppress(FileNotFoundError):
                        if entry.name.endswith(".log") and entry.stat().st_size > size:
                            rotate(Path(entry.path), size, files)


def prune(run_dir: Path, keep: int = ENDED) -> None:
    """Removes logs of ended tasks: all but the youngest `keep` of each service."""
    for directory in (run_dir / "logs").glob("*/"):
        with suppress(FileNotFoundError):
            aged = sorted((path.stat().st_mtime, path) for path in directory.glob("*.log"))
            # Asked after the look: a new task is noted before it writes.
            living = {note.stem for note in (run_dir / "tasks" / directory.name).glob("*.json")}
            ended = [path for _, path in aged if path.stem not in living]
            for path in ended[: max(len(ended) - keep, 0)]:
                for old in directory.glob(f"{_glob_escape(path.name)}*"):
                    old.unlink(missing_ok=True)


def _glob_escape(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)
