"""Notifications: whether they reach anybody."""

from __future__ import annotations

import typer

from tidegate.cli.options import AsJson, OneSubject

group = typer.Typer(name="notify", help="Notifications: who is told of rollouts.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group)


@group.callback()
def notify() -> None:
    """Notifications: who is told of rollouts."""


@group.command("test")
def try_(subject: OneSubject, as_json: AsJson = False) -> None:
    """Send a test message to everybody whom the file names."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import clean_line, screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        tried = client.post("/notifications/test", {"subject": subject})
    if as_json:
        shown.document(tried)
    for one in () if as_json else tried:
        told = f"{one['problem']} {one['mend']}" if one["problem"] else "arrived"
        shown.line(clean_line(f"{one['target']}: {told}"))
    if any(one["problem"] for one in tried):
        raise typer.Exit(2)
