"""A file of either kind, as it is read from disk: of a service, or of an environment of flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tidegate.cli.flag_file import read_content
from tidegate.core.document import read
from tidegate.core.environment import Environment
from tidegate.core.service import Service


def read_released_file(path: Path) -> Service | Environment:
    """Raises Refused: missing, unreadable, huge, not YAML, or neither kind of file; each with its mend."""
    standard_input = str(path) == "-"
    name = "standard input" if standard_input else str(path)
    content = read_content(path, "a service file or an environment file")
    if isinstance(content, Mapping) and "service" not in content and ("application" in content or "environment" in content):
        return read(Environment, content, name)
    service = read(Service, content, name)
    return service.relative_to(str(Path.cwd() if standard_input else path.absolute().parent))
