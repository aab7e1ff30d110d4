"""A flag document as it is read from disk: the same for all formats, for the control plane reads what is in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tidegate.core.errors import Refused
from tidegate.core.text import read_json, read_yaml

MOST_FLAGS = 16 * 1024 * 1024


def read_content(path: Path, what: str = "a flag document") -> Any:
    """YAML or JSON. Raises Refused: missing, unreadable, huge, or neither of both; each with its mend."""
    name = "standard input" if str(path) == "-" else str(path)
    text = _decode(sys.stdin.buffer.read(MOST_FLAGS + 1) if str(path) == "-" else _load(path, what), name)
    read = read_json if text.lstrip()[:1] == "{" else read_yaml
    return read(text, name, MOST_FLAGS)


def read_value(text: str) -> Any:
    """A flag or segment as it is written on the command line: `on`, a number, a text, or a mapping in YAML."""
    return read_yaml(text, "the value")


def _load(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_FLAGS + 1)
    except FileNotFoundError as error:
        raise Refused(f"There is no file {path}.", f"Name {what}, or - for standard input.") from error
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.", "Check its name and rights.") from error


def _decode(content: bytes, name: str) -> str:
    if len(content) > MOST_FLAGS:
        raise Refused(f"{name} has more than {MOST_FLAGS:,} bytes.", "Is it the right file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{name} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
