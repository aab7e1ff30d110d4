"""Forecast: what a plan will see, cost and take, before it is begun."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tidegate.cli.options import AsJson, File, Plan

Traffic = Annotated[
    str | None,
    typer.Option("--traffic", metavar="RATE", help="As 30/s, 1800/m or 2k/s; by default what the service has now."),
]
Errors = Annotated[
    str | None,
    typer.Option("--errors", metavar="SHARE", help="How many fail anyway, as 0.1%; by default what the last day knows."),
]


def add_to(app: typer.Typer) -> None:
    app.command()(forecast)


def forecast(file: File, plan: Plan = None, traffic: Traffic = None, errors: Errors = None, as_json: AsJson = False) -> None:
    """Say what a plan will see, cost and take.

    How much data each step gathers and what it finds in it, whom a bad version would harm, and how long a good one takes, at
    the traffic that the service has now.
    """
    from tidegate.cli.answers import Forecast, read_as  # noqa: PLC0415
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.forecast_view import outlook  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.service_file import read_service_file, to_send  # noqa: PLC0415

    shown = screen(as_json=as_json)
    given = {"plan": plan, "traffic": traffic, "errors": errors}
    body: dict[str, Any] = {
        "file": to_send(read_service_file(file)),
        **{key: value for key, value in given.items() if value is not None},
    }
    with open_client() as client:
        answered = client.post("/forecast", body)
    if as_json:
        shown.document(answered)
    else:
        shown.say(outlook(read_as(Forecast, answered), shown.glyphs))
