"""The service file as it is read from disk, with its directory made absolute, before it is sent."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from tidegate.core.document import read
from tidegate.core.errors import Refused
from tidegate.core.service import Service, Tasks
from tidegate.core.text import MOST_BYTES, read_yaml


def read_service_file(path: Path) -> Service:
    """Raises Refused: missing, unreadable, huge, not YAML, or not a service file; each with its mend."""
    standard_input = str(path) == "-"
    name = "standard input" if standard_input else str(path)
    text = _decode(sys.stdin.buffer.read(MOST_BYTES + 1) if standard_input else _load(path), name)
    service = read(Service, read_yaml(text, name), name)
    return service.relative_to(str(Path.cwd() if standard_input else path.absolute().parent))


def to_send(service: Service) -> dict[str, Any]:
    return service.model_dump(mode="json", exclude_none=True)


def content_name(tasks: Tasks) -> str:
    """A version's name when none is given: the same specification has the same name. How many tasks run is no part of it."""
    content = tasks.model_copy(update={"count": 1}).model_dump_json(exclude_defaults=True)
    return f"v-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise Refused(f"There is no file {path}.", "Start from the example: tidegate example service > web.yaml.") from error
    except IsADirectoryError as error:
        raise Refused(f"{path} is a directory.", "Name the service file in it.") from error
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.", "Check its rights.") from error


def _decode(content: bytes, name: str) -> str:
    if len(content) > MOST_BYTES:
        raise Refused(f"{name} has more than {MOST_BYTES:,} bytes.", "A service file is small: is it the right one?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{name} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
