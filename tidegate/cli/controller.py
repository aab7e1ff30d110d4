"""Up and down: the controller with its supervisor, router and tasks."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.options import AsJson

Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return when it answers; else it stays in the foreground.")]


def add_to(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)


def up(detach: Detach = False, as_json: AsJson = False) -> None:
    """Start Tidegate.

    Supervisor, controller and router. What ran before is adopted.
    """
    from tidegate import lifecycle  # noqa: PLC0415
    from tidegate.settings import read_settings  # noqa: PLC0415

    _tell(lifecycle.up(read_settings(), detach=detach), as_json)


def down(as_json: AsJson = False) -> None:
    """End Tidegate and all of its tasks.

    Rollouts are kept, and go on at the next `up`.
    """
    from tidegate import lifecycle  # noqa: PLC0415
    from tidegate.settings import read_settings  # noqa: PLC0415

    _tell(lifecycle.down(read_settings()), as_json)


def _tell(sentence: str, as_json: bool) -> None:
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    if as_json:
        shown.document({"sentence": sentence})
    else:
        shown.line(sentence)
