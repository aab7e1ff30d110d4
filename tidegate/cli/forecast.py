"""Forecast: what a plan will see, cost and take, before it is begun."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.environment import Environment, chosen, subject_path
from tidegate.cli.options import AsJson, Plan

if TYPE_CHECKING:
    from tidegate.cli.client import Client

MaybeFile = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", help="A service file or environment file; - for a service file on standard input.", metavar="FILE"
    ),
]

Traffic = Annotated[
    str | None,
    typer.Option("--traffic", metavar="RATE", help="As 30/s, 1800/m or 2k/s; by default what there is now."),
]
Errors = Annotated[
    str | None,
    typer.Option("--errors", metavar="SHARE", help="How many fail anyway, as 0.1%; by default what the last day knows."),
]


def add_to(app: typer.Typer) -> None:
    app.command()(forecast)


def forecast(
    *,
    file: MaybeFile = None,
    environment: Environment = "",
    plan: Plan = None,
    traffic: Traffic = None,
    errors: Errors = None,
    as_json: AsJson = False,
) -> None:
    """Say what a plan will see, cost and take.

    Of a service or of changes of flags: how much data each step gathers and what it finds in it, whom a bad version would harm,
    and how long a good one takes, at the traffic that there is now.
    """
    from tidegate.cli.answers import Forecast, read_as  # noqa: PLC0415
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.forecast_view import outlook  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    given = {"plan": plan, "traffic": traffic, "errors": errors}
    body: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    with open_client() as client:
        path, wanted = _whose(client, file, environment)
        answered = client.post(path, body | wanted)
    if as_json:
        shown.document(answered)
    else:
        shown.say(outlook(read_as(Forecast, answered), shown.glyphs))


def _whose(client: Client, file: Path | None, environment: str) -> tuple[str, dict[str, Any]]:
    """Where to ask, and the file to ask with: a service file, an environment file, or the one that was taken over."""
    from tidegate.cli.flag_file import read_content  # noqa: PLC0415
    from tidegate.cli.service_file import read_service_file, to_send  # noqa: PLC0415
    from tidegate.core.document import read  # noqa: PLC0415
    from tidegate.core.environment import Environment as EnvironmentFile  # noqa: PLC0415
    from tidegate.core.errors import Refused  # noqa: PLC0415

    if file is None and not environment:
        raise Refused("Of what?", "Name a file with -f, or an environment as -e shop/prod.")
    if file is None:
        return subject_path(chosen(client, environment), "forecast"), {}
    if environment:
        raise Refused("A file says itself whose it is.", "Leave out -f or -e.")
    content = None if str(file) == "-" else read_content(file)
    if isinstance(content, dict) and "environment" in content:
        sound = read(EnvironmentFile, content, str(file))
        return subject_path(sound.subject, "forecast"), {"file": sound.model_dump(mode="json", exclude_none=True)}
    return "/forecast", {"file": to_send(read_service_file(file))}
