"""The report of a finished rollout, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.options import AsJson, OneRollout

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Where to write it; - for standard output. By default ROLLOUT.html.", metavar="FILE"),
]


def add_to(app: typer.Typer) -> None:
    app.command()(report)


def report(rollout: OneRollout, output: Output = None, as_json: AsJson = False) -> None:
    """Write a finished rollout into one HTML file.

    With its charts, decisions and harm. It needs no network, and may be sent to anybody.
    """
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.errors import Refused  # noqa: PLC0415

    with open_client() as client, client.lines(path_of("rollouts", rollout, "report"), params={}) as lines:
        text = "\n".join(lines) + "\n"
    if output is not None and str(output) == "-":
        typer.echo(text, nl=False)
        return
    path = output or Path(f"{rollout}.html")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}.", "Name another file: --output FILE.") from error
    shown = screen(as_json=as_json)
    if as_json:
        shown.document({"rollout": rollout, "file": str(path.absolute())})
    else:
        shown.line(f"{path} is written; open it in a browser.")
