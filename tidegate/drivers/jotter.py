"""Jots as small files in a directory of their own. On a full disk the name is kept, if not the text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog


class FileJotter:
    """Implements ports.Jotter. The directory is made at once, while there is room for it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with suppress(OSError):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def jotted(self) -> Mapping[str, str]:
        with suppress(OSError):
            return {path.name: path.read_text(errors="replace") for path in sorted(self._directory.iterdir())}
        return {}

    def jot(self, name: str, text: str) -> None:
        try:
            handle = os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with suppress(OSError), os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            structlog.get_logger().warning("not_jotted", name=name, problem=error.strerror)

    def strike(self, name: str) -> None:
        with suppress(OSError):
            (self._directory / name).unlink(missing_ok=True)
