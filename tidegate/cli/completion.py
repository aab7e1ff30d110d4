"""What the shell offers at the tab key. Silent when nothing can be asked."""

from __future__ import annotations

from typing import Any


def service_names(incomplete: str) -> list[str]:
    return [name for one in _ask("/services") if (name := str(one["name"])).startswith(incomplete)]


def environment_names(incomplete: str) -> list[str]:
    return [name for one in _ask("/environments") if (name := str(one["name"])).startswith(incomplete)]


def subject_names(incomplete: str) -> list[str]:
    return [*service_names(incomplete), *environment_names(incomplete)]


def version_names(incomplete: str) -> list[str]:
    return [str(name) for one in _ask("/services") for name in one["versions"] if str(name).startswith(incomplete)]


def rollout_ids(incomplete: str) -> list[str]:
    return [id_ for one in _ask("/rollouts") if (id_ := str(one["id"])).startswith(incomplete)]


def release_ids(incomplete: str) -> list[str]:
    return [id_ for one in _ask("/releases") if (id_ := str(one["release"])).startswith(incomplete)]


def _ask(path: str) -> list[Any]:
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.core.errors import TidegateError  # noqa: PLC0415

    try:
        with open_client(patience=1.0) as client:
            return list(client.get(path))
    except TidegateError:
        return []
