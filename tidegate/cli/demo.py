"""The demo."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.options import AsJson

Keep = Annotated[bool, typer.Option("--keep", help="Leave it running, to play with.")]


def add_to(app: typer.Typer) -> None:
    app.command()(demo)


def demo(keep: Keep = False, as_json: AsJson = False) -> None:
    """See a good and a bad release in two minutes.

    Real traffic goes through a real router; the bad version is taken back by itself.
    """
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.demo.run import run  # noqa: PLC0415

    code = run(keep=keep)
    if as_json:
        screen(as_json=True).json_line({"exit": code})
    raise typer.Exit(code)
