"""The records on the disk: one small JSON file a task under RUN/tasks, put in place by rename, and the clock.

A file that cannot be read is dropped: its process still carries our mark and is then ended as nobody's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from tidegate.core.errors import Unreachable
from tidegate.drivers.process.identity import Identity
from tidegate.drivers.process.record import Ending, Record
from tidegate.ports import TaskState

_MEND = "Make room or rights there; no task is started meanwhile, those that run go on, and it is tried again by itself."


class Notes:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: set[str] = set()

    def save(self, record: Record) -> None:
        text = json.dumps(_to_json(record), separators=(",", ":"))
        try:
            if record.service not in self._made:
                (self._directory / record.service).mkdir(parents=True, exist_ok=True)
                self._made.add(record.service)
            _put(self._path(record), text)
        except OSError as error:
            self._made.discard(record.service)
            raise Unreachable(f"{self._path(record)} could not be written: {error.strerror or error}.", _MEND) from error

    def forget(self, record: Record) -> None:
        with suppress(OSError):
            self._path(record).unlink()

    def load(self) -> Iterator[Record]:
        for path in sorted(self._directory.glob("*/*.json")):
            try:
                yield _from_json(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError) as torn:
                structlog.get_logger().warning("a task's note cannot be read and is dropped", path=str(path), why=str(torn))
                with suppress(OSError):
                    path.unlink()

    def save_clock(self, seconds: float) -> None:
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            _put(self._directory / "clock", f"{seconds:.3f}")

    def load_clock(self) -> float:
        try:
            return float((self._directory / "clock").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0.0

    def _path(self, record: Record) -> Path:
        return self._directory / record.service / f"{record.id}.json"


def _put(path: Path, text: str) -> None:
    aside = f"{path}.new"
    try:
        with open(aside, "w", encoding="utf-8") as file:  # noqa: PTH123 - written often
            file.write(text)
        os.replace(aside, path)  # noqa: PTH105
    except OSError:
        with suppress(OSError):
            os.unlink(aside)  # noqa: PTH108
        raise


def _to_json(record: Record) -> dict[str, Any]:
    written = {field.name: getattr(record, field.name) for field in fields(record)}
    written["process"] = record.process.to_json() if record.process else None
    written["started"] = record.started.isoformat() if record.started else None
    return written


def _from_json(written: dict[str, Any]) -> Record:
    known = {field.name for field in fields(Record)}
    values = {name: value for name, value in written.items() if name in known}
    values["state"] = TaskState(written["state"])
    values["ending"] = Ending(written["ending"]) if written.get("ending") else None
    values["process"] = Identity.from_json(written.get("process"))
    values["started"] = datetime.fromisoformat(written["started"]) if written.get("started") else None
    return Record(**values)
