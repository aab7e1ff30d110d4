"""Logs: what tasks say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.options import AsJson, OfVersion, OneService

if TYPE_CHECKING:
    from tidegate.cli.screen import Screen

Task = Annotated[str | None, typer.Option("--task", metavar="TASK", help="Only of this task, as web-v2-1.")]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with every new line.")]
Lines = Annotated[int, typer.Option("-n", "--lines", min=0, max=10_000, help="The last so many of each task.")]
COLOURS = ("cyan", "magenta", "green", "yellow", "blue")


def add_to(app: typer.Typer) -> None:
    app.command()(logs)


def logs(
    *,
    service: OneService,
    version: OfVersion = None,
    task: Task = None,
    follow: Follow = False,
    lines: Lines = 200,
    as_json: AsJson = False,
) -> None:
    """Print what the tasks of a service said. With --json and --follow a document a line."""
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown, path = screen(as_json=as_json), path_of("services", service, "logs")
    with open_client() as client:
        if follow:
            params = {"version": version, "task": task, "lines": lines, "follow": "true"}
            with client.lines(path, params=params) as found:
                for line in found:
                    if line:
                        _tell(shown, json.loads(line))
            return
        content = client.get(path, version=version, task=task, lines=lines)
    if as_json:
        shown.document(content)
        return
    for one in content:
        _tell(shown, one)
    if not content:
        shown.err.print(f"The tasks of {service} have said nothing.")


def _tell(shown: Screen, line: Any) -> None:
    from rich.text import Text  # noqa: PLC0415

    from tidegate.cli.screen import clean  # noqa: PLC0415

    if shown.json:
        shown.json_line(line)
        return
    task = clean(str(line["task"]))
    colour = COLOURS[sum(task.encode()) % len(COLOURS)]
    shown.out.print(Text.assemble((f"{task} | ", colour), clean(str(line["text"]))), soft_wrap=True)
