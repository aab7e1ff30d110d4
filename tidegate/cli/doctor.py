"""Doctor: looks for the usual reasons."""

from __future__ import annotations

import typer

from tidegate.cli.options import AsJson


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Look for the usual reasons when something is wrong.

    Checks home, socket, controller, supervisor, Envoy, port, disk, open files, database and clock. Exits with 2 when one
    of them is not as it should be.
    """
    from rich.text import Text  # noqa: PLC0415

    from tidegate.cli.checks import examine  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.service_views import plain_table  # noqa: PLC0415
    from tidegate.settings import read_settings  # noqa: PLC0415

    shown = screen(as_json=as_json)
    found = examine(read_settings())
    if as_json:
        shown.document([{"check": one.name, "ok": one.ok, "detail": one.told, "mend": one.mend} for one in found])
    else:
        table = plain_table("check", "", "")
        for one in found:
            table.add_row(one.name, Text("ok" if one.ok else "problem", "green" if one.ok else "bold red"), one.told)
            if one.mend:
                table.add_row("", "", Text(one.mend, "bold"))
        shown.say(table)
    raise typer.Exit(0 if all(one.ok for one in found) else 2)
