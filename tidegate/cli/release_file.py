"""The release file as it is read from disk, with the files that it names in their places, before it is sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tidegate.cli.flag_file import read_content
from tidegate.cli.service_file import content_name, read_service_file, to_send
from tidegate.core.errors import Invalid

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_MEND = "It begins with a line: release: checkout, and has services, flags, or both."


def read_release_file(path: Path) -> dict[str, Any]:
    """The request that it makes. Files are looked for beside it. What is wrong inside of the parts, the controller says."""
    content = read_content(path, "a release file")
    if not isinstance(content, dict):
        raise Invalid(f"{path} is no mapping of keys.", _MEND)
    beside = Path.cwd() if str(path) == "-" else path.absolute().parent
    body = dict(content)
    if "services" in content:
        body["services"] = [_service(part, beside, at) for part, at in _parts(content, "services", path)]
    if "flags" in content:
        body["flags"] = [_flags(part, beside, at) for part, at in _parts(content, "flags", path)]
    return body


def _parts(content: dict[str, Any], key: str, path: Path) -> list[tuple[dict[str, Any], str]]:
    parts = content[key]
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise Invalid(
            f"{key} is no list of parts.", f"Write each as a mapping that begins with a dash. {_MEND}", f"{path}: {key}"
        )
    return [(part, f"{path}: {key}[{number}]") for number, part in enumerate(parts)]


def _service(part: dict[str, Any], beside: Path, at: str) -> dict[str, Any]:
    if isinstance(part.get("file"), str):
        service = read_service_file(beside / part["file"])
        return {"version": content_name(service.tasks), **part, "file": to_send(service)}
    if not isinstance(part.get("file"), dict):
        raise Invalid("The service file is missing.", "Name it: file: web.yaml.", f"{at}.file")
    return part


def _flags(part: dict[str, Any], beside: Path, at: str) -> dict[str, Any]:
    environment = part.get("environment")
    if not isinstance(environment, str) or not NAME.fullmatch(environment):
        found = "missing" if environment is None else f"{str(environment)[:60]!r}, and that is no name"
        raise Invalid(f"The environment is {found}.", "Name it: environment: prod.", f"{at}.environment")
    if "content" in part:
        return part
    if not isinstance(part.get("file"), str):
        raise Invalid("The flag document is missing.", "Name its file: file: flags.yaml.", f"{at}.file")
    return {**{key: value for key, value in part.items() if key != "file"}, "content": read_content(beside / part["file"])}
