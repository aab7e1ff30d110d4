"""The demo."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.options import AsJson

Act = Annotated[int | None, typer.Option("--act", min=1, max=2, metavar="1|2", help="Only one: 1 versions, 2 flags.")]
Keep = Annotated[bool, typer.Option("--keep", help="Leave it running, to play with.")]


def add_to(app: typer.Typer) -> None:
    app.command()(demo)


def demo(act: Act = None, keep: Keep = False, as_json: AsJson = False) -> None:
    """See good and bad releases in two minutes.

    First of versions, then of flags. Real traffic goes through a real router; what is bad is taken back by itself.
    """
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.demo.run import run  # noqa: PLC0415

    code = run(keep=keep) if act is None else run((act,), keep=keep)
    if as_json:
        screen(as_json=True).json_line({"exit": code})
    raise typer.Exit(code)
